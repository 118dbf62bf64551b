from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.timeline import SECOND, Reception, Reorder, Sequence, Timeline, unwrap
from commhub.wire import rtcp, rtp


def packet(sequence: int, timestamp: int = 0, payload: bytes = b"x", ssrc: int = 7) -> bytes:
    return rtp.build(payload, ssrc=ssrc, sequence=sequence, timestamp=timestamp, payload_type=96)


def test_unwrap_takes_padding_sources_and_extensions_out() -> None:
    raw = struct.pack("!BBHII", 0xB1, 0xE0, 5, 6, 7) + bytes(4) + b"\xbe\xde\x00\x01" + bytes(4) + b"abc" + b"\0\0\3"
    got = unwrap(raw)
    assert (got.sequence, got.timestamp, got.ssrc, got.marker, got.payload_type, got.payload) == (5, 6, 7, True, 96, b"abc")


@pytest.mark.parametrize(
    "raw", [b"", bytes(11), bytes(12), b"\x90" + bytes(11), b"\xa0" + bytes(11) + b"\x09", b"\xa0" + bytes(11) + b"\0"]
)
def test_unwrap_refuses_torn_packets(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        unwrap(raw)


def test_time_and_numbers_go_on_over_a_restart() -> None:
    line = Timeline(90_000, 1, 65_535, 1000)
    assert line.time(500, 0) == 1000
    assert line.time(500 + 3600, SECOND // 25) == 4600
    assert unwrap(line.packet(b"a", 4600, True)).sequence == 65_535
    assert unwrap(line.packet(b"b", 4600, True)).sequence == 0
    line.restart()  # two seconds later, the camera's clock begins somewhere else
    assert line.time(4_000_000_000, SECOND // 25 + 2 * SECOND) == 4600 + 180_000
    assert line.time(4_000_003_600, SECOND // 25 + 2 * SECOND) == 4600 + 183_600


@pytest.mark.parametrize("jump", [-1, -90, -3700, -90_000 * 10, 90_000 * 6, 0x8000_0000, 0x7FFF_FFFF])
def test_a_jumping_clock_is_straightened(jump: int) -> None:
    line = Timeline(90_000, 1, 0, 0)
    now, device, last = 0, 1_000_000, -1
    for number in range(20):
        if number == 10:
            device += jump
        sent = line.time(device & 0xFFFF_FFFF, now)
        assert last < sent <= last + 2 * 3600 + 1
        last, now, device = sent, now + SECOND // 25, device + 3600


def test_b_frames_may_go_back_a_little() -> None:
    line = Timeline(90_000, 1, 0, 0)
    times = [0, 10_800, 3600, 7200, 21_600]
    assert [line.time(time, index * SECOND // 25, reorders=True) for index, time in enumerate(times)] == times


def test_a_device_that_sends_its_cache_at_once_keeps_its_times() -> None:
    line = Timeline(90_000, 1, 0, 0)
    assert [line.time(number * 3600, 0) for number in range(100)] == [number * 3600 for number in range(100)]


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 10 * SECOND)), max_size=50))
def test_no_clock_makes_time_go_back(steps: list[tuple[int, int]]) -> None:
    line = Timeline(90_000, 1, 0, 123)
    last, now = None, 0
    for timestamp, wait in steps:
        now += wait
        sent = line.time(timestamp, now)
        assert last is None or (sent - last) & 0xFFFF_FFFF < 0x8000_0000
        last = sent


def test_sequence() -> None:
    follow = Sequence()
    assert [follow.follow(number) for number in (65_534, 65_535, 0, 3, 2, 3, 4)] == [0, 0, 0, 2, None, None, 0]
    assert follow.follow(30_000) == 1  # a new numbering, not 29,995 losses
    assert follow.follow(30_001) == 0
    assert follow.lost == 3


def test_a_packet_is_taken_with_what_is_missing_before_it() -> None:
    sequence = Sequence()
    taken = [
        sequence.take(one)
        for one in (packet(7, payload=b"a"), packet(9, payload=b"b"), packet(9), b"torn", packet(10, payload=b""))
    ]
    assert [(one[0].payload, one[1]) if one is not None else None for one in taken] == [
        (b"a", 0),
        (b"b", 1),
        None,
        None,
        (b"", 0),
    ]


@given(st.integers(0, 65_535), st.integers(1, 20), st.integers(0, 2**32))
def test_reorder_gives_back_everything_in_order(start: int, spread: int, seed: int) -> None:
    chance = random.Random(seed)
    numbers = list(range(start, start + 200))
    shuffled = [numbers[0], *sorted(numbers[1:], key=lambda number: number + chance.random() * spread)]
    order = Reorder()
    out = [packet_out for number in shuffled for packet_out in order.push(packet(number & 0xFFFF), 0)]
    assert [unwrap(data).sequence for data in out] == [number & 0xFFFF for number in numbers]


@pytest.mark.parametrize("seed", range(20))
def test_reorder_of_many_is_that_of_each(seed: int) -> None:
    chance, one, many = random.Random(seed), Reorder(80, 64), Reorder(80, 64)
    for now in range(0, 2000, 7):
        base = 65_000 + now // 7 * 6 + seed * chance.randrange(3)
        packets = [struct.pack("!HH", 0x8060, (base + at) & 0xFFFF) + bytes(8) for at in range(6)]
        if chance.random() < 0.2:
            chance.shuffle(packets)
        expected = [due for packet in packets for due in one.push(packet, now)]
        assert many.push_all(packets, now) == expected


def test_a_pictures_packets_are_numbered_as_one_by_one() -> None:
    one, other = (Timeline(90_000, 7, 65_534, 5) for _ in range(2))
    payloads = [bytes((at,)) for at in range(5)]
    assert one.packets(payloads, 99) == [other.packet(payload, 99, payload == b"\4") for payload in payloads]
    assert one.packets([], 99) == []
    assert one.packet(b"x", 100, False) == other.packet(b"x", 100, False)


def test_reorder_does_not_wait_forever() -> None:
    order = Reorder(wait=50)
    assert order.push(packet(1), 0) == [packet(1)]
    assert order.push(packet(3), 10) == []
    assert order.push(packet(3), 11) == []  # twice
    assert order.due(59) == []
    assert order.due(60) == [packet(3)]
    assert order.push(packet(2), 61) == []  # too late
    assert order.push(packet(4), 62) == [packet(4)]
    narrow = Reorder(wait=SECOND, window=3)
    narrow.push(packet(1), 0)
    assert [len(narrow.push(packet(number), 0)) for number in (3, 4, 5, 6)] == [0, 0, 0, 4]


def test_reorder_follows_a_new_numbering() -> None:
    order = Reorder()
    order.push(packet(40_000), 0)
    order.push(packet(40_002), 0)
    assert order.push(packet(5_000), 0) == [packet(40_002), packet(5_000)]
    assert order.push(packet(5_001), 0) == [packet(5_001)]


def test_receiver_report() -> None:
    reception = Reception(90_000, 99)
    assert rtcp.parse(reception.report(0)) == [rtcp.ReceiverReport(99, [])]
    for number in (65_534, 65_535, 0, 2):  # one of five is lost
        reception.packet(packet(number & 0xFFFF, number * 3600), 0)
    ntp = (2_208_988_800 + 1_700_000_000 << 32) | 1 << 31
    utc = reception.sender_report(rtcp.SenderReport(7, ntp, 0, 0, 0), 5 * SECOND)
    assert utc == 1_700_000_000 * SECOND + SECOND // 2
    (report,) = rtcp.parse(reception.report(6 * SECOND))
    assert isinstance(report, rtcp.ReceiverReport)
    (block,) = report.reports
    assert (block.ssrc, block.lost, block.fraction, block.highest) == (7, 1, 256 // 5, 65_538)
    assert (block.lsr, block.dlsr) == (ntp >> 16 & 0xFFFF_FFFF, 65_536)
    assert block.jitter > 0


def test_a_device_without_a_clock_has_no_time() -> None:
    reception = Reception(90_000, 99)
    assert reception.sender_report(rtcp.SenderReport(7, 5 << 32, 0, 0, 0), 0) is None
