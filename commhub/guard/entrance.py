"""The HTTP port: accepting connections within bounds.

aiohttp's server waits for a request's head as long as a connection may idle and counts nobody; asyncio's accepts whoever dials
and begins TLS with him. Here a connection has ``header_seconds`` for TLS and for each head; who has not yet sent a whole
request is a *stranger*, and when there are too many of them the oldest one goes: somebody who means it has sent his
request long before. When the process is short of file descriptors strangers go too and accepting rests for a moment.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from commhub import log as logs
from commhub.guard.frames import Frames
from commhub.guard.limits import BURST_SECONDS, Limits
from commhub.guard.origins import Origins, group
from commhub.guard.rates import Rates
from commhub.tasks import Tasks

log = logs.get(__name__)

ACCEPTS = 64  # in one go, then the loop sees to the others
REST_SECONDS = 0.2  # no accepting, when there are no file descriptors
FRAMES_A_REQUEST = 10  # so many WebSocket frames may come for each message that the pace of messages allows
LINGER_SECONDS = 2.0  # a refused body is read and thrown away for so long, so that its sender gets to read why
UNACKNOWLEDGED_MS = 120_000  # a peer that takes nothing for so long is gone
_TCP_USER_TIMEOUT = 18
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_BUSY = (
    "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 10\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Too many connections from this address. 来自该地址的连接过多，请稍后再试。\n"
).encode()


class Guest:
    """One accepted connection."""

    __slots__ = ("address", "exempt", "sock", "task", "transport")

    def __init__(self, sock: socket.socket, address: str, exempt: bool) -> None:
        self.sock, self.address, self.exempt = sock, address, exempt
        self.task: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None

    def end(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        elif self.task is not None:  # TLS is being negotiated, or not even that
            self.task.add_done_callback(lambda _: self.sock.close())
            self.task.cancel()


class _Connection(web.RequestHandler):
    """aiohttp's, with a time limit for each head, and a limit of frames."""

    __slots__ = ("_entrance", "_frames", "_guest", "_timer")

    def __init__(self, entrance: Entrance, guest: Guest, server: web.Server, **more: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **more)
        self._entrance, self._guest = entrance, guest
        self._timer: asyncio.TimerHandle | None = None
        self._frames: Frames | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._guest.transport = transport
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        if self._upgraded and not self._bearable(data):
            return
        super().data_received(data)
        if not self._upgraded:
            self._frames = None
        elif self._frames is None:  # that was the head; frames may have come with it
            self._frames = self._entrance.frames()
            if not self._bearable(self._message_tail):
                return
        if self._heads():
            if self._timer is None:
                self._expect()
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._entrance.greeted(self._guest)

    def _bearable(self, data: bytes) -> bool:
        if self._frames is not None and self._frames.take(data, asyncio.get_running_loop().time()):
            return True
        self._entrance.flooded += 1
        if self._guest.transport is not None:
            self._guest.transport.abort()
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._entrance.left(self._guest)
        super().connection_lost(exc)

    def _heads(self) -> bool:
        """Is a head what comes next?"""
        return not (self._messages or self._request_in_progress or self._upgraded)

    def _expect(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._entrance.limits.header_seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        transport = self._guest.transport
        if self._heads() and transport is not None and not transport.is_closing():
            self._entrance.late += 1
            transport.write(_LATE)
            transport.abort()


class Entrance:
    """``server`` is the runner's (:attr:`web.AppRunner.server`); ``more`` are keywords of aiohttp's request handler."""

    def __init__(self, server: web.Server, limits: Limits, origins: Origins | None = None, **more: Any) -> None:
        self.limits = limits
        self._server, self._origins = server, origins or Origins()
        self._more = {"keepalive_timeout": limits.idle_seconds, "lingering_time": LINGER_SECONDS, "access_log": None, **more}
        self._rates = Rates(limits.connects_per_second, limits.connects_per_second * BURST_SECONDS)
        self._listeners: list[socket.socket] = []
        self._guests: dict[Guest, None] = {}
        self._strangers: dict[Guest, None] = {}  # the oldest one first
        self._counts: dict[str, int] = {}
        self._tls: ssl.SSLContext | None = None
        self._tasks = Tasks("entrance")
        self._rest: asyncio.TimerHandle | None = None
        self.refused = self.evicted = self.late = self.flooded = 0

    def __len__(self) -> int:
        return len(self._guests)

    def given_up(self) -> dict[str, int]:
        """Connections that were not taken, or not kept, by reason."""
        return {"too_many": self.refused, "evicted": self.evicted, "late": self.late, "flooded": self.flooded}

    @property
    def strangers(self) -> int:
        return len(self._strangers)

    def open(self, listeners: Iterable[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        """Begins to accept. The listeners are closed by :meth:`close`."""
        self._tls = tls
        for listener in listeners:
            listener.setblocking(False)
            self._listeners.append(listener)
        self._resume()

    async def close(self) -> None:
        """No more connections; those that are open are the runner's to end."""
        self._pause()
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        await self._tasks.close()

    def frames(self) -> Frames:
        """For one WebSocket: well above what is slowed down and answered in words."""
        rate = self.limits.requests_per_second
        return Frames(FRAMES_A_REQUEST * rate, FRAMES_A_REQUEST * BURST_SECONDS * rate / 4)

    def greeted(self, guest: Guest) -> None:
        """A whole request head has come."""
        self._strangers.pop(guest, None)

    def left(self, guest: Guest) -> None:
        if guest not in self._guests:
            return
        del self._guests[guest]
        self._strangers.pop(guest, None)
        left = self._counts[guest.address] - 1
        if left:
            self._counts[guest.address] = left
        else:
            del self._counts[guest.address]

    # ---- accepting

    def _resume(self) -> None:
        self._rest = None
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.add_reader(listener, self._accept, listener)

    def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.remove_reader(listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, peer = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # it went while it waited
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._exhausted(error)
                return
            self._take(sock, str(peer[0]))

    def _exhausted(self, error: OSError) -> None:
        """The listener stays readable: without a rest this would be a loop that does nothing else."""
        if self._rest is None:
            self._pause()
            self._rest = asyncio.get_running_loop().call_later(REST_SECONDS, self._resume)
        for guest in list(self._strangers)[:ACCEPTS]:
            self._evict(guest)
        if (suppressed := logs.limited("accept", 60)) is not None:
            log.error("cannot accept", reason=error.strerror, connections=len(self._guests), suppressed=suppressed)

    def _take(self, sock: socket.socket, address: str) -> None:
        exempt = self._origins.trusted(address)
        key = group(address)
        if not exempt and not self._has_room(key):
            self._refuse(sock, key)
            return
        if len(self._guests) >= self.limits.connections and not self._evict_first(lambda _: True):
            self._refuse(sock, key)
            return
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        except OSError:
            pass  # gone already, or no TCP
        guest = Guest(sock, key, exempt)
        self._guests[guest] = self._strangers[guest] = None
        self._counts[key] = self._counts.get(key, 0) + 1
        guest.task = self._tasks.spawn(self._serve(guest), "connection")

    def _has_room(self, key: str) -> bool:
        if self._rates.take(key, asyncio.get_running_loop().time()) > 0:
            return False
        full = self._counts.get(key, 0) >= self.limits.connections_per_address
        return not full or self._evict_first(lambda guest: guest.address == key)

    def _evict_first(self, which: Callable[[Guest], bool]) -> bool:
        guest = next((guest for guest in self._strangers if which(guest)), None)
        if guest is not None:
            self._evict(guest)
        return guest is not None

    def _evict(self, guest: Guest) -> None:
        self.evicted += 1
        self.left(guest)
        guest.end()

    def _refuse(self, sock: socket.socket, key: str) -> None:
        self.refused += 1
        if self._tls is None:
            try:
                sock.send(_BUSY, socket.MSG_DONTWAIT)
            except OSError:
                pass  # it did not wait for an answer
        sock.close()
        if (suppressed := logs.limited(("connections", key), 60)) is not None:
            log.warning("too many connections", address=key, connections=len(self._guests), suppressed=suppressed)

    async def _serve(self, guest: Guest) -> None:
        """The transport, with TLS negotiated; then the connection lives on by itself."""
        seconds = self.limits.header_seconds
        more = {"ssl_handshake_timeout": seconds, "ssl_shutdown_timeout": seconds} if self._tls is not None else {}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: _Connection(self, guest, self._server, **self._more), guest.sock, ssl=self._tls, **more
            )
        except (OSError, asyncio.CancelledError):  # among them ssl.SSLError and TLS's own time-out
            guest.sock.close()
            self.left(guest)
        finally:
            guest.task = None
