from __future__ import annotations

import random

import pytest

from bridges.access import Assembler, Unit
from commhub.wire import h264, h265
from commhub.wire.h264 import START_CODE
from tests.support.h264 import stream

SPS, PPS = b"\x67\x42\x00\x1f\xe9", b"\x68\xce\x38\x80"
IDR, P = b"\x65\x88" + bytes(40), b"\x41\x9a" + bytes(40)


def joined(*units: bytes) -> bytes:
    return b"".join(START_CODE + unit for unit in units)


def test_units_end_with_the_marker_or_with_the_next_time() -> None:
    assembler = Assembler("H264")
    assert assembler.push(SPS, 100, False) == []
    assert assembler.push(PPS, 100, False) == []
    assert assembler.push(IDR, 100, True) == [Unit(joined(SPS, PPS, IDR), 100, True, False)]
    assert assembler.push(P, 200, False) == []
    assert assembler.push(P, 300, True) == [Unit(joined(P), 200, False, False), Unit(joined(P), 300, False, False)]


def test_a_marker_on_every_packet_is_not_believed_for_long() -> None:
    assembler = Assembler("H264")
    units = [unit for time in (100, 200, 300) for _ in range(3) for unit in assembler.push(P, time, True)]
    assert [unit.timestamp for unit in units] == [100, 100, 200]
    assert units[2].data == joined(P, P, P)


def test_parameter_sets_stand_before_every_key_frame() -> None:
    assembler = Assembler("H264")
    assembler.learn([SPS, PPS])
    assert assembler.push(IDR, 1, True)[0].data == joined(SPS, PPS, IDR)
    other = b"\x67\x42\x00\x1f\xff"
    assert assembler.push(h264.aggregate([other, IDR])[0], 2, True)[0].data == joined(PPS, other, IDR)


def test_a_delimiter_is_a_unit_as_well() -> None:
    """GStreamer sends it as a packet of two octets."""
    assembler = Assembler("H264")
    assembler.learn([SPS, PPS])
    assert assembler.push(b"\x09\x10", 1, False) == []
    assert assembler.push(IDR, 1, True)[0].data == joined(SPS, PPS, b"\x09\x10", IDR)


def test_what_is_damaged_is_left_out_and_told() -> None:
    assembler = Assembler("H264")
    assembler.learn([SPS, PPS])
    parts = h264.fragment(b"\x65" + random.Random(1).randbytes(5000))
    assert assembler.push(parts[0], 1, False) == []
    for part in parts[2:]:
        assert assembler.push(part, 1, part is parts[-1], 1 if part is parts[2] else 0) == []
    assert [(unit.timestamp, unit.lost) for unit in assembler.push(P, 2, True)] == [(2, True)]
    assert [(unit.timestamp, unit.lost) for unit in assembler.push(P, 3, True)] == [(3, False)]
    assert assembler.push(b"\x7c", 4, True) == []  # torn
    assert assembler.push(P, 5, True)[0].lost


def test_time_goes_on_over_its_end() -> None:
    assembler = Assembler("H264")
    times = [
        assembler.push(P, time & 0xFFFFFFFF, True)[0].timestamp for time in (0xFFFFFF00, 0xFFFFFFF0, 1 << 32, (1 << 32) + 50)
    ]
    assert times == [0xFFFFFF00, 0xFFFFFFF0, 1 << 32, (1 << 32) + 50]


@pytest.mark.parametrize(("codec", "name", "options"), [
    ("H265", "libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=5"}),
    ("H264", "libx264", {"preset": "veryfast", "bf": "2", "g": "5"}),
])  # fmt: skip
def test_what_was_packed_is_what_comes_out(codec: str, name: str, options: dict[str, str]) -> None:
    assembler = Assembler(codec)
    film = stream(name, 320, 180, 12, options)
    for data, number, key in film:
        units = h264.split_annex_b(data)
        payloads = h265.packets(units, 300) if codec == "H265" else list(h264.aggregate(units, 300))
        out = [unit for at, one in enumerate(payloads, 1) for unit in assembler.push(one, number * 3600, at == len(payloads))]
        assert [(h264.split_annex_b(unit.data), unit.timestamp % (1 << 32), unit.key) for unit in out] == [
            (units, number * 3600, key)
        ]


def test_nothing_grows_without_end() -> None:
    assembler = Assembler("H265")
    first, more = b"\x62\x01\x93" + bytes(60_000), b"\x62\x01\x13" + bytes(60_000)
    assembler.push(first, 1, False)
    for _ in range(300):
        assembler.push(more, 1, False)
    assert assembler._fragment is None
    assert assembler.push(b"\x02\x01\x80", 2, True)[0].lost


@pytest.mark.parametrize("codec", ["H264", "H265"])
def test_noise_raises_nothing(codec: str) -> None:
    dice = random.Random(5)
    assembler = Assembler(codec)
    for _ in range(3000):
        assembler.push(dice.randbytes(dice.randrange(40)), dice.randrange(5), dice.random() < 0.3, dice.randrange(2))
