"""Packets in order again: swapped, lost, late, doubled, over the wraps of number and time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commhub.wire.rtp import HEADER
from recorder.reorder import Packet, Reorder, parse


def packet(sequence: int, time: int = 0) -> Packet:
    return Packet(sequence & 0xFFFF, time & 0xFFFFFFFF, False, sequence.to_bytes(4, "big"), 0)


def numbers(packets: list[Packet]) -> list[int]:
    return [int.from_bytes(one.payload, "big") for one in packets]


def test_in_order_nothing_waits() -> None:
    order = Reorder()
    for number in range(65_530, 65_550):
        assert numbers(order.receive(packet(number), 0.0)) == [number]
        assert order.deadline is None


def test_a_gap_waits_and_is_skipped_in_the_end() -> None:
    order = Reorder(hold=0.2)
    order.receive(packet(1), 0.0)
    assert order.receive(packet(3), 1.0) == []
    assert order.deadline == pytest.approx(1.2)
    assert order.tick(1.1) == []
    assert order.receive(packet(4), 1.15) == []
    out = order.tick(1.2)
    assert (numbers(out), [one.lost for one in out]) == ([3, 4], [1, 0])
    assert order.receive(packet(2), 1.3) == []
    assert (order.lost, order.late) == (1, 1)


def test_what_comes_in_time_closes_the_gap() -> None:
    order = Reorder(hold=0.2)
    order.receive(packet(1), 0.0)
    order.receive(packet(4), 0.1)
    order.receive(packet(2), 0.15)
    out = order.receive(packet(3), 0.2)
    assert (numbers(out), [one.lost for one in out], order.deadline) == ([3, 4], [0, 0], None)


def test_time_goes_on_over_its_wrap_and_backwards() -> None:
    order = Reorder()
    times = [0xFFFFFF00, 0x100, 0x80, 0x200]
    out = [one for n, time in enumerate(times) for one in order.receive(packet(n, time), 0.0)]
    assert [one.time - out[0].time for one in out] == [0, 0x200, 0x180, 0x300]


def test_a_jump_needs_two_packets_that_agree() -> None:
    order = Reorder()
    order.receive(packet(10), 0.0)
    assert order.receive(packet(30_000), 0.0) == []  # a stray
    assert numbers(order.receive(packet(11), 0.0)) == [11]
    assert order.receive(packet(40_000), 0.0) == []
    out = order.receive(packet(40_001), 0.0)
    assert (numbers(out), out[0].lost) == ([40_001], 1)
    assert numbers(order.receive(packet(40_002), 0.0)) == [40_002]


@given(st.integers(0, 2**32), st.integers(0, 65535))
@settings(max_examples=60, deadline=None)
def test_any_shuffle_within_the_hold_comes_out_in_order(seed: int, first: int) -> None:
    dice = random.Random(seed)
    sent = [number for number in range(first, first + 120) if number == first or dice.random() > 0.05]
    arrivals = [sent[0], *sorted(sent[1:], key=lambda number: number + dice.uniform(0, 8))]
    doubled = [number for number in arrivals for _ in range(1 + (dice.random() < 0.1))]
    order = Reorder(hold=0.25)
    out: list[Packet] = []
    for step, number in enumerate(doubled):
        out += order.receive(packet(number), step * 0.01) + order.tick(step * 0.01)
    out += order.drain()
    assert numbers(out) == sent
    assert sum(one.lost for one in out) == sent[-1] - first + 1 - len(sent)


def test_a_packet_without_extension_csrc_and_padding() -> None:
    extension = b"\xbe\xde\x00\x01\x10\xaa\x00\x00"
    data = HEADER.pack(0x80 | 0x10 | 0x20 | 1, 0x80 | 96, 7, 9, 1) + b"CSRC" + extension + b"media" + b"\0\0\3"
    found = parse(memoryview(data), 5)
    assert (found.sequence, found.time, found.marker, found.payload, found.at) == (7, 9, True, b"media", 5)


@pytest.mark.parametrize("data", [b"", b"\x80" * 11, HEADER.pack(0x40, 96, 1, 1, 1), HEADER.pack(0xA0, 96, 1, 1, 1) + b"\x09"])
def test_what_is_torn_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="RTP"):
        parse(data, 0)
