from __future__ import annotations

import random
import struct

import pytest

from bridges.gb28181.framing import Splitter
from commhub.wire import rtp

PACK = b"\x00\x00\x01\xba" + bytes(10)


def packets(count: int, ssrc: int = 0x05F5E184, size: int = 200) -> list[bytes]:
    random.seed(5)
    return [
        rtp.build(PACK + random.randbytes(size + number % 7), ssrc=ssrc, sequence=65_530 + number, timestamp=number // 3 * 3600,
                  payload_type=96, marker=number % 3 == 2)
        for number in range(count)
    ]  # fmt: skip


def framed(packet: bytes) -> bytes:
    return struct.pack("!H", len(packet)) + packet


def interleaved(packet: bytes) -> bytes:
    return b"$\x00" + framed(packet)


def through(stream: bytes, size: int) -> tuple[Splitter, list[bytes]]:
    splitter = Splitter()
    got: list[bytes] = []
    for at in range(0, len(stream), size):
        got += splitter.push(stream[at : at + size])
    return splitter, got


@pytest.mark.parametrize("size", [1, 3, 100, 1460, 1 << 20])
@pytest.mark.parametrize(("frame", "name"), [(framed, "rfc4571"), (interleaved, "interleaved")])
def test_packets_come_out_however_they_are_cut(frame: object, name: str, size: int) -> None:
    sent = packets(20)
    splitter, got = through(b"".join(map(frame, sent)), size)  # type: ignore[call-overload]
    assert got == sent
    assert (splitter.framing, splitter.torn) == (name, 0)


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_a_private_head_of_256_octets_is_passed_over(size: int) -> None:
    sent = packets(9)
    head = b"\x01\x00\x01" + bytes(253)
    stream = head + b"".join(map(interleaved, sent[:5])) + head + b"".join(map(interleaved, sent[5:]))
    splitter, got = through(stream, size)
    assert got == sent
    assert splitter.torn == 0


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_packets_without_lengths_end_where_the_next_one_begins(size: int) -> None:
    sent = packets(9)
    splitter, got = through(b"".join(sent), size)
    assert splitter.framing == "bare"
    assert got == sent[:-1]  # the end of the last one cannot be known


def test_a_program_stream_without_rtp_is_passed_on() -> None:
    stream = b"".join([PACK + b"x" * 500] * 3)
    splitter, got = through(stream, 100)
    assert splitter.raw
    assert b"".join(got) == stream


def test_keep_alives_of_no_length_are_nothing() -> None:
    sent = packets(3)
    _, got = through(framed(sent[0]) + bytes(2) + framed(sent[1]) + bytes(4) + framed(sent[2]), 50)
    assert got == sent


def test_control_comes_out_too() -> None:
    control = bytes.fromhex("80c80006") + bytes(24)
    sent = packets(2)
    _, got = through(framed(control) + framed(sent[0]) + framed(control) + framed(sent[1]), 1000)
    assert got == [control, sent[0], control, sent[1]]


@pytest.mark.parametrize("frame", [framed, interleaved])
@pytest.mark.parametrize("size", [33, 1460])
def test_reading_goes_on_behind_a_packet_whose_end_is_missing(frame: object, size: int) -> None:
    """The device's buffer was full: the rest of a packet is not there, the next one stands in its place."""
    sent = packets(12)
    parts = [frame(packet) for packet in sent]  # type: ignore[operator]
    parts[4] = parts[4][:77]
    splitter, got = through(b"".join(parts), size)
    assert splitter.torn >= 1
    assert got[:4] == sent[:4]
    assert got[-5:] == sent[-5:]
    assert len(got) >= 10


def test_reading_goes_on_behind_garbage() -> None:
    sent = packets(6)
    splitter, got = through(framed(sent[0]) + b"\x77" * 300 + b"".join(map(framed, sent[1:])), 1460)
    assert got == sent
    assert splitter.torn == 1
    assert splitter.skipped == 300


def test_a_connection_that_begins_in_the_middle_finds_the_first_pack() -> None:
    sent = packets(4)
    splitter, got = through(b"\x31" * 90 + b"".join(map(framed, sent)), 1460)
    assert got == sent
    assert splitter.framing == "rfc4571"


@pytest.mark.parametrize("seed", range(40))
def test_noise_never_fills_the_memory_and_never_raises(seed: int) -> None:
    random.seed(seed)
    splitter = Splitter()
    for _ in range(60):
        noise = random.randbytes(random.randrange(9000))
        if seed % 3 == 0:
            noise = framed(noise[:200].ljust(30)) + noise
        elif seed % 3 == 1:
            noise = b"".join(map(framed, packets(3))) + noise
        for packet in splitter.push(noise):
            assert len(packet) <= 65_535
        assert len(splitter._buffer) <= (256 << 10) + 9000
