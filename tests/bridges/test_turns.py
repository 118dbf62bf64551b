"""Who has brought media is read again at the next turn, with all others."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bridges import turns
from bridges.turns import Turns
from tests.support import until


class Reader(asyncio.BufferedProtocol):
    """Rests after each piece."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.lost = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return Turns.here().octets

    def buffer_updated(self, nbytes: int) -> None:
        self.got.append(bytes(Turns.here().octets[:nbytes]))
        assert self.transport is not None
        Turns.here().rest(self.transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(None)


async def pair() -> tuple[Reader, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    _, reader = await asyncio.get_running_loop().create_connection(Reader, sock=ours)
    return reader, theirs


@pytest.fixture(autouse=True)
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.2)


async def test_what_comes_while_it_rests_comes_at_once_and_complete() -> None:
    reader, camera = await pair()
    with camera:
        camera.send(b"a")
        await until(lambda: reader.got)
        assert reader.transport is not None
        assert not reader.transport.is_reading()
        for _ in range(10):
            camera.send(b"b")
        await until(lambda: len(reader.got) == 2)
        assert reader.got == [b"a", b"b" * 10]
    await reader.lost  # an end that comes while it rests is noticed too


async def test_what_is_closed_while_it_rests_stays_closed() -> None:
    reader, camera = await pair()
    other, second = await pair()
    with camera, second:
        camera.send(b"a")
        second.send(b"a")
        await until(lambda: reader.got and other.got)
        assert reader.transport is not None
        reader.transport.close()
        second.send(b"c")
        await reader.lost
        await until(lambda: len(other.got) == 2)  # the others have their turn
        assert reader.got == [b"a"]
    await other.lost
