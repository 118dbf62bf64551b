from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.rtsp_message import Event, Packet, Parser, Reply, Request, build_reply, build_request


def rtp(number: int, size: int = 40) -> bytes:
    return bytes([0x80, 96, number >> 8 & 255, number & 255]) + bytes(8) + random.Random(number).randbytes(size)


def interleaved(channel: int, data: bytes) -> bytes:
    return b"$" + bytes([channel]) + len(data).to_bytes(2, "big") + data


def parser(*channels: int) -> Parser:
    made = Parser()
    made.channels.update(channels)
    return made


OK = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (OK, Reply(200, "OK", {"cseq": ["3"]})),
        (b"RTSP/1.0 200\nCSeq:3\n\n", Reply(200, "", {"cseq": ["3"]})),
        (b"\r\n\r\nRTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\nwww-authenticate: Digest x\r\n\r\n",
         Reply(401, "Unauthorized", {"www-authenticate": ['Basic realm="a"', "Digest x"]})),
        (b"RTSP/1.0 200 OK\r\nSession : 12;\r\n timeout=30\r\nno colon here\r\nContent-Length: 3\r\n\r\nabc",
         Reply(200, "OK", {"session": ["12; timeout=30"], "content-length": ["3"]}, b"abc")),
        (b"OPTIONS rtsp://h/x RTSP/1.0\r\nCSeq: 1\r\n\r\n", Request("OPTIONS", "rtsp://h/x", {"cseq": ["1"]})),
        (b"SET_PARAMETER * RTSP/1.0\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
         Request("SET_PARAMETER", "*", {"content-length": ["2", "2"]}, b"hi")),
        (interleaved(0, rtp(1)), Packet(0, rtp(1))),
    ],
)  # fmt: skip
def test_messages(data: bytes, expected: Event) -> None:
    assert parser(0).receive(data) == [expected]
    slow = parser(0)
    assert [event for byte in data for event in slow.receive(bytes([byte]))] == [expected]
    assert slow.pending == 0


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"RTSP/1.0 200 OK\r\nContent-Length: x\r\n\r\n", "An RTSP message has a Content-Length that is not a number."),
        (b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", "An RTSP message has a Content-Length that is not a number."),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 262145\r\n\r\n", "An RTSP body is longer than 256 KiB."),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 1" + b"0" * 5000 + b"\r\n\r\n", "An RTSP body is longer than 256 KiB."),
        (
            b"RTSP/1.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "An RTSP message has two different Content-Lengths.",
        ),
        (b"RTSP/1.0 200 OK\r\nX: " + b"x" * 17_000, "An RTSP header is longer than 16 KiB."),
        (b"RTSP/1.0 200 OK\r\nX: " + b"x" * 17_000 + b"\r\n\r\n", "An RTSP header is longer than 16 KiB."),
        (b"RTSP/1.0 2000 OK\r\n\r\n", "An RTSP message has no readable first line."),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", "An RTSP message has no readable first line."),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "The other side speaks HTTP, not RTSP."),
        (b"x" * 140_000, "The stream between the packets is torn and could not be found again."),
    ],
)
def test_what_cannot_be_understood(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        parser(0).receive(data)
    assert str(caught.value) == sentence


def test_a_header_without_an_end_is_cut_off_while_it_comes() -> None:
    endless = parser()
    endless.receive(b"RTSP/1.0 200 OK\r\n")
    line = b"X: " + b"y" * 1000 + b"\r\n"
    for _ in range(16):
        assert endless.receive(line) == []
    with pytest.raises(ValueError, match="longer than 16 KiB"):
        endless.receive(line)


def test_packets_and_replies_alternate_in_pieces_of_any_size() -> None:
    events: list[Event] = []
    wire = b""
    for number in range(60):
        events.append(Packet(number % 4, rtp(number, number * 7)))
        wire += interleaved(number % 4, rtp(number, number * 7))
        if number % 9 == 0:
            events.append(Reply(200, "OK", {"cseq": ["3"]}))
            wire += OK
    for size in (1, 2, 3, 5, 100, 1460, 1 << 20):
        reader = parser(0, 1, 2, 3)
        got = [event for at in range(0, len(wire), size) for event in reader.receive(wire[at : at + size])]
        assert got == events
        assert (reader.torn, reader.skipped, reader.pending) == (0, 0, 0)


def test_an_empty_packet_is_passed_over() -> None:
    assert parser(0).receive(interleaved(0, b"") + interleaved(0, rtp(4))) == [Packet(0, rtp(4))]


@pytest.mark.parametrize("missing", [1, 3, 4, 17, 50, 700])
@pytest.mark.parametrize("step", [1, 1460, 1 << 20])
def test_a_torn_stream_is_found_again(missing: int, step: int) -> None:
    packets = [rtp(number, 600 + number) for number in range(40)]
    wire = b"".join(interleaved(0, packet) for packet in packets)
    torn = wire[:5000] + wire[5000 + missing :] + OK
    reader = parser(0, 1)
    got = [event for at in range(0, len(torn), step) for event in reader.receive(torn[at : at + step])]
    good = [event.data for event in got if isinstance(event, Packet) and event.data in packets]
    assert len(good) >= 36
    assert good[-1] == packets[-1]
    assert got[-1] == Reply(200, "OK", {"cseq": ["3"]})
    assert reader.torn >= 1


def test_old_trouble_is_forgotten_after_calm() -> None:
    reader = parser(0)
    for _ in range(10):  # altogether far more than the budget
        reader.receive(b"x" * 60_000)
        for number in range(64):
            assert reader.receive(interleaved(0, rtp(number)))
    assert reader.torn == 10


def test_unknown_channels_are_not_believed() -> None:
    reader = parser(0, 1)
    assert reader.receive(interleaved(7, rtp(1)) + OK) == [Reply(200, "OK", {"cseq": ["3"]})]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_anything_ends_in_events_or_valueerror(pieces: list[bytes]) -> None:
    reader = parser(0, 1)
    with contextlib.suppress(ValueError):
        for piece in pieces:
            for event in reader.receive(piece):
                assert not isinstance(event, Packet) or event.data


@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 60))
def test_damage_between_good_messages(junk: bytes, at: int, cut: int) -> None:
    wire = OK + interleaved(0, rtp(1)) + interleaved(1, rtp(2, 100)) + OK + interleaved(0, rtp(3)) * 3
    reader = parser(0, 1)
    with contextlib.suppress(ValueError):
        reader.receive(wire[:at] + junk + wire[at + cut :])
        reader.receive(interleaved(0, rtp(5)) * 40 + OK)


def test_build() -> None:
    request = build_request("SETUP", "rtsp://h/x", {"CSeq": 4, "Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"})
    assert request == b"SETUP rtsp://h/x RTSP/1.0\r\nCSeq: 4\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
    reply = build_reply(200, "OK", {"CSeq": 1}, b"v=0")
    assert parser().receive(reply) == [Reply(200, "OK", {"cseq": ["1"], "content-length": ["3"]}, b"v=0")]
    with pytest.raises(ValueError, match="line break"):
        build_request("OPTIONS", "rtsp://h/x\r\nEvil: 1", {})
    with pytest.raises(ValueError, match="line break"):
        build_request("OPTIONS", "rtsp://h/x", {"A": "b\nc"})
