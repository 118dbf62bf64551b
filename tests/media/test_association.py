"""What an association keeps and how long it works is bounded."""

from __future__ import annotations

import struct
import time
from random import Random
from typing import Any, cast

import pytest
from aiortc.rtcsctptransport import RTCSctpTransport

from commhub.media import association
from commhub.media.association import Association, Guard
from commhub.media.pace import Bucket
from tests.media.test_hostile_sctp import sealed


class _Dtls:
    """What an association asks of DTLS at first."""

    state = "new"

    class transport:
        role = "controlling"


def made(kind: type[RTCSctpTransport]) -> RTCSctpTransport:
    one = kind(cast(Any, _Dtls()))
    one._last_received_tsn = 2**32 - 500
    return one


async def test_what_has_come_is_remembered_as_aiortc_does() -> None:
    random = Random(3)
    ours, theirs = made(Association), made(RTCSctpTransport)
    numbers = [(2**32 - 499 + number) % 2**32 for number in range(1500)]
    for at in range(0, 1500, 30):
        numbers[at : at + 30] = random.sample(numbers[at : at + 30], 30)
    for number in numbers:
        if random.random() < 0.02:
            continue
        for _ in range(random.choice((1, 1, 1, 2))):
            assert ours._mark_received(number) == theirs._mark_received(number)
        assert ours._last_received_tsn == theirs._last_received_tsn
        assert ours._sack_misordered == theirs._sack_misordered


def data(tsn: int, stream: int = 0, flags: int = 3, text: bytes = b"x", sequence: int = 0) -> bytes:
    value = struct.pack("!LHHL", tsn, stream, sequence, 53) + text
    return struct.pack("!BBH", 0, flags, 4 + len(value)) + value + bytes(-len(value) % 4)


class Session:
    def __init__(self) -> None:
        self.association = cast(Association, made(Association))
        self.association._last_received_tsn = 0
        self.fault, self.held = "", 0.0
        self.guard = Guard(self.association, Bucket(0.5, 0.5), self._blame, self._hold)

    def _blame(self, sentence: str) -> None:
        self.fault = sentence

    def _hold(self, seconds: float) -> None:
        self.held += seconds

    async def take(self, *chunks: bytes) -> None:
        tag = self.association._local_verification_tag
        await self.guard._handle_data(sealed(struct.pack("!HHLL", 5000, 5000, tag, 0) + b"".join(chunks)))


@pytest.fixture
async def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    async def nothing(*_: Any) -> None: ...

    monkeypatch.setattr(RTCSctpTransport, "_send_chunk", nothing)
    return Session()


@pytest.mark.parametrize(
    ("chunk", "sentence"),
    [
        (lambda number: data(number + 1, stream=number), "An SCTP packet breaks the protocol (ValueError)."),
        (lambda number: data(2 * number + 2), "Too many unfinished SCTP messages."),
        (lambda number: data(number + 1, flags=6), "Too many unfinished SCTP messages."),  # beginnings without an end
        (lambda number: data(number + 1, flags=2, text=bytes(1200)), "Too many unfinished SCTP messages."),
    ],
    ids=["streams", "holes", "beginnings", "octets"],
)
async def test_what_is_kept_is_bounded(session: Session, chunk: Any, sentence: str) -> None:
    async def go_on() -> None:
        for number in range(20_000):
            await session.take(chunk(number))

    with pytest.raises(ConnectionError):
        await go_on()
    assert session.fault == sentence
    assert len(session.association._inbound_streams) <= association.STREAMS


async def test_who_makes_much_work_is_held_and_soon_cut(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst that is allowed: beginnings of messages, a packet full of them, each looked through for its end."""
    session.guard._own = Bucket(0.01, 0.01)
    began, tsn = time.thread_time(), 0

    async def go_on() -> None:
        nonlocal tsn
        while True:
            await session.take(*(data(tsn + n + 1, flags=6) for n in range(60)))
            tsn += 60

    with pytest.raises(ConnectionError):
        await go_on()
    assert session.held > 0
    assert time.thread_time() - began < 5


async def test_an_ordinary_peer_is_not_held(session: Session) -> None:
    for number in range(300):
        await session.take(data(number + 1, sequence=number & 0xFFFF, text=bytes(1100)))
    assert session.held == 0
    assert session.fault == ""
