from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import h264
from tests.support.h264 import FAST, encode, reassemble


def side(count: int) -> str:
    """Exp-Golomb code of ``count - 1``."""
    code = f"{count:b}"
    return "0" * (len(code) - 1) + code


def as_bytes(*fields: str) -> bytes:
    bits = "".join(fields).replace(" ", "")
    bits += "0" * (-len(bits) % 8)
    return int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:]


@pytest.mark.parametrize(
    ("width", "height", "options", "profile", "reorder"),
    [
        (320, 180, FAST | {"profile": "baseline"}, 66, 0),
        (1280, 720, {"preset": "veryfast", "profile": "main", "bf": "0"}, 77, 0),
        (1920, 1080, {"preset": "veryfast", "profile": "high", "bf": "0"}, 100, 0),
        (176, 144, {"preset": "veryfast", "profile": "high", "bf": "2"}, 100, 2),
        (352, 288, {"preset": "veryfast", "profile": "main", "bf": "1", "x264-params": "interlaced=1"}, 77, 1),
    ],
)
def test_sps_says_size_profile_and_reordering(
    width: int, height: int, options: dict[str, str], profile: int, reorder: int
) -> None:
    units = encode(width, height, 1, options)
    sps = h264.parse_sps(next(unit for unit in units[0] if unit[0] & 31 == h264.SPS))
    assert (sps.width, sps.height, sps.profile, sps.reorder) == (width, height, profile, reorder)
    assert sps.profile_level_id.startswith(f"{profile:02x}")
    pps = next(unit for unit in units[0] if unit[0] & 31 == h264.PPS)
    assert h264.parse_pps_ids(pps) == (0, 0)


def test_slice_types_show_b_frames() -> None:
    def types(options: dict[str, str]) -> set[int]:
        units = [unit for access in encode(176, 144, 8, options) for unit in access if unit[0] & 31 in (1, 5)]
        return {h264.slice_start(unit)[1] % 5 for unit in units}

    assert types({"preset": "ultrafast", "bf": "0"}) <= {0, 2}
    assert 1 in types({"preset": "veryfast", "bf": "2", "b_strategy": "0"})


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The SPS has an impossible size."),
        (b"\x67" + bytes(2000), "The SPS has an impossible size."),
        (b"\x68\xce\x3c\x80", "The NAL unit is not an SPS."),
        (b"\x67\x42\xc0\x1f", "The NAL unit ends in the middle of a field."),
        (b"\x67\x42\xc0\x1f" + bytes(40), "An Exp-Golomb code is longer than 32 bits."),
        # number 0, 4 bits of frame number, order type 2, one reference frame, 2**20 macroblocks a side, frames only
        (b"\x67\x42\xc0\x1f" + as_bytes("1 1 011 010 0", side(1 << 20), side(1 << 20), "1 1 0 0 1"),
         "The SPS has an impossible picture size."),
        (b"\x67\x42\xc0\x1f" + as_bytes("1 1 00100 010 0"), "The SPS has an impossible order count type."),
        (b"\x67\x42\xc0\x1f" + as_bytes(side(33)), "The SPS has an impossible number."),
    ],
)  # fmt: skip
def test_a_wrong_sps_is_told_apart(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        h264.parse_sps(data)


@given(st.binary(max_size=64))
def test_headers_of_anything_end_in_values_or_valueerror(data: bytes) -> None:
    for parse in (h264.parse_sps, h264.parse_pps_ids, h264.slice_start):
        for head in (b"\x67", b"\x68", b"\x65"):
            with contextlib.suppress(ValueError):
                parse(head + data)


def test_split_annex_b() -> None:
    data = b"junk\x00\x00\x00\x01\x67ab\x00\x00\x01\x68cd\x00\x00\x00\x01\x00\x00\x01\x65" + b"x" * 9
    assert h264.split_annex_b(data) == [b"\x67ab", b"\x68cd", b"\x65" + b"x" * 9]
    assert h264.split_annex_b(b"no start") == []


def camera_cut(unit: bytes, size: int) -> list[bytes]:
    """What a camera with another packet size sends."""
    return h264.fragment(unit, size)


@given(
    st.lists(st.tuples(st.sampled_from([1, 5, 6]), st.integers(2, 9000), st.integers(60, 3000)), min_size=1, max_size=8),
    st.integers(100, 1200),
)
def test_recut_keeps_every_unit_and_the_limit(shape: list[tuple[int, int, int]], limit: int) -> None:
    chance = random.Random(len(shape))
    units = [bytes([0x60 | kind]) + chance.randbytes(size) for kind, size, _ in shape]
    sent: list[bytes] = []
    for unit, (_, _, cut) in zip(units, shape, strict=True):
        sent += camera_cut(unit, cut)
    recutter = h264.Recutter(limit)
    out = [payload for packet in sent for payload in recutter.push(packet)]
    assert all(len(payload) <= limit for payload in out)
    assert reassemble(out) == units


def test_recut_fills_fragments_anew() -> None:
    unit = b"\x65" + bytes(range(256)) * 400
    packets = h264.fragment(unit, 1438)
    recutter = h264.Recutter()
    out = [payload for packet in packets for payload in recutter.push(packet)]
    assert len(out) == -(-(len(unit) - 1) // 1198)  # not two for every packet of the camera
    assert reassemble(out) == [unit]


def test_small_packets_pass_untouched_and_large_aggregates_are_cut() -> None:
    recutter = h264.Recutter()
    small = h264.aggregate([b"\x67" + b"a" * 20, b"\x68" + b"b" * 5])
    assert len(small) == 1
    assert small[0][0] & 31 == h264.STAP_A
    assert recutter.push(small[0]) == small
    units = [b"\x65" + b"x" * 700, b"\x61" + b"y" * 700]
    large = h264.aggregate(units, 4000)
    assert [len(payload) for payload in recutter.push(large[0])] == [701, 701]


def test_after_a_loss_the_rest_of_the_unit_is_dropped() -> None:
    unit = b"\x65" + b"x" * 5000
    packets = h264.fragment(unit, 1400)
    recutter = h264.Recutter()
    first = recutter.push(packets[0])
    recutter.broken()  # packets[1] did not come
    assert [recutter.push(packet) for packet in packets[2:]] == [[], []]
    assert first
    assert recutter.push(b"\x61abc") == [b"\x61abc"]


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"", "The H.264 payload is empty."),
        (b"\x7c\x85", "The H.264 fragment is empty."),
        (b"\x60ab", "The H.264 payload type 0 is not one of packetization mode 1."),
        (b"\x79abcd", "The H.264 payload type 25 is not one of packetization mode 1."),
    ],
)
def test_recut_refuses_what_is_not_mode_1(payload: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        h264.Recutter().push(payload)


def test_torn_aggregates() -> None:
    for torn in (b"\x78", b"\x78\x00", b"\x78\x00\x00", b"\x78\x00\x09abc", b"\x78\x00\x01a\x00"):
        with pytest.raises(ValueError, match="aggregation packet"):
            list(h264.aggregated(torn))


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_recut_of_anything_ends_in_payloads_or_valueerror(packets: list[bytes]) -> None:
    recutter = h264.Recutter(20)
    for packet in packets:
        try:
            out = recutter.push(packet)
        except ValueError:
            recutter.broken()
        else:
            assert all(len(payload) <= 20 for payload in out)
