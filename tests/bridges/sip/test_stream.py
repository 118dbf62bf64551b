from __future__ import annotations

from random import Random

import pytest

from bridges.sip import stream
from bridges.sip.message import Message, parse, parse_head
from bridges.sip.stream import Framer, Ping
from tests.support.sip_messages import CATALOGUE, CATALOGUE_XML, INVITED, KEEPALIVE, MESSAGE_HEAD, REGISTER, crlf

STREAM = REGISTER + KEEPALIVE + b"\r\n\r\n" + CATALOGUE + INVITED
FOUND = [parse(REGISTER), parse(KEEPALIVE), Ping(), parse(CATALOGUE), parse(INVITED)]


def feed(framer: Framer, data: bytes, size: int) -> list[Message | Ping]:
    return [one for at in range(0, len(data), size) for one in framer.receive(data[at : at + size])]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 100_000])
def test_messages_come_out_of_any_pieces(size: int) -> None:
    framer = Framer()
    assert feed(framer, STREAM, size) == FOUND
    assert (framer.pending, framer.torn) == (0, 0)


def test_messages_come_out_of_random_pieces() -> None:
    for seed in range(20):
        random, framer, found, rest = Random(seed), Framer(), [], STREAM * 2
        while rest:
            size = random.choice((1, 5, 40, 600))
            found += framer.receive(rest[:size])
            rest = rest[size:]
        assert found == FOUND * 2


@pytest.mark.parametrize(
    ("data", "pings"),
    [(b"\r\n\r\n", 1), (b"\r\n", 0), (b"\0\0\0\0", 0), (b"\n\n", 1), (b"\r\n" * 50, 1), (b"\r\n" + REGISTER, 0)],
)
def test_two_line_ends_are_a_question(data: bytes, pings: int) -> None:
    found = Framer().receive(data)
    assert [one for one in found if isinstance(one, Ping)] == [Ping()] * pings


def test_half_a_ping_is_completed_by_the_next_packet() -> None:
    framer = Framer()
    assert framer.receive(b"\r\n") == []
    assert framer.receive(b"\r\n") == [Ping()]


@pytest.mark.parametrize("size", [1, 13, 10_000])
@pytest.mark.parametrize(
    "torn",
    [
        KEEPALIVE[200:],
        b"lost octets without any end ",
        crlf(MESSAGE_HEAD) + b"\r\n" + CATALOGUE_XML,  # no Content-Length: the body is what nobody announced
        KEEPALIVE.replace(b"Content-Length: ", b"Content-Length: -"),
        KEEPALIVE.replace(b"Content-Length: ", b"Content-Length: x"),
        KEEPALIVE.replace(b"Content-Length: ", b"Content-Length: 7\r\nContent-Length: "),
    ],
)
def test_a_torn_stream_is_found_again(torn: bytes, size: int) -> None:
    framer = Framer()
    found = feed(framer, REGISTER + torn + CATALOGUE + INVITED, size)
    assert found[0] == parse(REGISTER)
    assert [one for one in found if not isinstance(one, Ping)][-2:] == [parse(CATALOGUE), parse(INVITED)]
    assert framer.torn >= 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"x" * 200_000, "The SIP stream is torn and could not be found again."),
        (b"OPTIONS sip:a SIP/2.0\r\n" * 5_000, "A SIP head is longer than 32 KiB."),
        (b"x\r\n\r\n" + b"y" * 200_000, "The SIP stream is torn and could not be found again."),
        (b"INVITE sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n" + b"z" * 100_000, None),
    ],
)
def test_a_stream_that_is_none_ends(data: bytes, sentence: str | None) -> None:
    framer = Framer()
    with pytest.raises(ValueError, match=sentence or r"\.$"):
        feed(framer, data, 4096)


def test_the_buffer_is_bounded() -> None:
    framer, most = Framer(), 0

    def flood() -> None:
        nonlocal most
        for _ in range(1_000):
            framer.receive(b"OPTIONS sip:a SIP/2.0\r\nSubject: " + b"x" * 1000)
            most = max(most, framer.pending)

    with pytest.raises(ValueError):
        flood()
    assert most < 40_000


def test_a_head_is_parsed_once_however_slowly_its_body_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0

    def counted(head: bytes) -> tuple[Message, int | None]:
        nonlocal parsed
        parsed += 1
        return parse_head(head)

    monkeypatch.setattr(stream, "parse_head", counted)
    assert feed(Framer(), CATALOGUE + KEEPALIVE, 1) == [parse(CATALOGUE), parse(KEEPALIVE)]
    assert parsed == 2
