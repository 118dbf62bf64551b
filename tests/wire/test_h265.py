from __future__ import annotations

import contextlib
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import h264, h265, nal
from tests.support.streams import h265_pictures


def encode(width: int, height: int, params: str) -> list[bytes]:
    encoder = av.CodecContext.create("libx265", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", Fraction(1, 25)
    encoder.options = {"preset": "ultrafast", "x265-params": f"log-level=none:pools=none:frame-threads=1:{params}"}
    packets = []
    for number in range(4):
        frame = av.VideoFrame(width, height, "yuv420p")
        frame.pts = number
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    return [unit for packet in packets for unit in h264.split_annex_b(packet)]


@pytest.mark.parametrize(
    ("width", "height", "params", "reorder"),
    [
        (320, 180, "bframes=0", 0),
        (1920, 1080, "bframes=2:b-adapt=0:b-pyramid=0", 1),
        (176, 144, "bframes=3:b-pyramid=1:b-adapt=0", 2),
    ],
)
def test_sps_says_size_and_reordering(width: int, height: int, params: str, reorder: int) -> None:
    units = encode(width, height, params)
    assert [h265.kind(unit) for unit in units[:3]] == [h265.VPS, h265.SPS, h265.PPS]
    sps = h265.parse_sps(units[1])
    assert (sps.id, sps.profile, sps.tier, sps.width, sps.height, sps.reorder) == (0, 1, 0, width, height, reorder)


#: main profile, main tier, level 4.1 (123 is 30 times that)
GOLDEN = bytes.fromhex("420101016000000300b0000003000003007ba003c08010e58dae4914bfc0")


def test_a_golden_sps() -> None:
    sps = h265.parse_sps(GOLDEN)
    assert (sps.profile, sps.tier, sps.level, sps.width, sps.height) == (1, 0, 123, 1920, 1080)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x42\x01", "The H.265 SPS has an impossible size."),
        (b"\x42\x01" + bytes(2000), "The H.265 SPS has an impossible size."),
        (b"\x40" + GOLDEN[1:], "The NAL unit is not an H.265 SPS."),
        (b"\x43" + GOLDEN[1:], "The NAL unit is not an H.265 SPS."),
        (b"\x42\x01\x0f" + GOLDEN[3:], "The H.265 SPS has an impossible number of layers."),
        (GOLDEN[:17], "The NAL unit ends in the middle of a field."),
        (b"\x42\x01\x01" + b"\x11" * 12 + b"\xff" * 20, "The H.265 SPS has an impossible picture size."),
    ],
)
def test_a_wrong_sps_is_told_apart(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        h265.parse_sps(data)


@given(st.binary(max_size=80))
def test_headers_of_anything_end_in_values_or_valueerror(data: bytes) -> None:
    for parse in (h265.parse_sps, lambda one: list(h265.aggregated(one)), h265.key_frame):
        with contextlib.suppress(ValueError):
            parse(b"\x42\x01" + data)


def test_golden_payloads() -> None:
    """RFC 7798 sections 4.4.1 to 4.4.3."""
    small, sets = b"\x02\x01\xd0ab", [b"\x40\x01v", b"\x42\x01ss", b"\x44\x01ppp"]
    assert h265.packets([small]) == [small]
    assert h265.packets([*sets, small]) == [bytes.fromhex("6001 0003 400176 0004 42017373 0005 4401707070 0005 0201d06162")]
    # FuHeader: start, end, type 19; the unit's own header goes away
    assert h265.fragment(b"\x26\x01abcdefgh", 7) == [b"\x62\x01\x93abcd", b"\x62\x01\x53efgh"]
    # the lowest layer and temporal id of all, F of any
    assert h265.packets([b"\x02\x03a", b"\x02\x02b"])[0][:2] == b"\x60\x02"


@given(st.lists(st.binary(min_size=3, max_size=4000), max_size=12), st.integers(20, 1300))
def test_what_is_packed_is_read_back(bodies: list[bytes], limit: int) -> None:
    units = [b"\x02\x01" + body for body in bodies]
    payloads = h265.packets(units, limit)
    assert all(len(payload) <= limit for payload in payloads)
    found: list[bytes] = []
    for payload in payloads:
        match h265.kind(payload):
            case h265.AGGREGATION:
                found += [bytes(unit) for unit in h265.aggregated(payload)]
            case h265.FRAGMENT:
                flags = payload[2] & 0xC0
                assert flags != 0xC0, "Start and end at once are forbidden."
                if flags & 0x80:
                    found.append(bytes((payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1])))
                found[-1] += payload[3:]
            case _:
                found.append(payload)
    assert found == units


def test_key_pictures_are_seen_in_payloads() -> None:
    for number, data in enumerate(h265_pictures()):
        payloads = h265.packets(h264.split_annex_b(data), 300)
        assert any(nal.is_key_frame("video/H265", payload) for payload in payloads) == (number % 6 == 0)
        assert not any(h265.key_frame(payload) for payload in payloads[1:] if h265.kind(payload) == 49 and not payload[2] & 0x80)
    assert not h265.key_frame(b"\x26")


@pytest.mark.parametrize("data", [b"\x60\x01", b"\x60\x01\x00", b"\x60\x01\x00\x09ab", b"\x60\x01\x00\x01a"])
def test_torn_aggregation(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^The aggregation packet is (torn|empty)\.$"):
        list(h265.aggregated(data))
