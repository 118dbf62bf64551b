"""Sound on its way to one loudspeaker: raw G.711 A-law in RTP, over UDP or TCP (GB/T 28181-2022 §9.12, annex C)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time

from bridges.gb28181.offer import ACTIVE, PASSIVE, UDP
from bridges.gb28181.ports import Ports
from commhub.tasks import Tasks
from commhub.wire.rtp import HEADER

RATE = 8000
PACKET_MS = 100  # of sound in each packet: some devices crackle with 20 ms over TCP
_PAYLOAD_TYPE = 8
_PAUSE = 0.3  # s without sound after which times follow the clock again
_WAITING_LIMIT = 16 << 10  # octets that may wait in a TCP connection: two seconds
_DIALS, _REDIAL_SECONDS = 3, 1.0


class Mouth:
    """``open`` binds, ``point`` says where the loudspeaker is; ``say`` sends; ``close`` gives the port back."""

    def __init__(self, way: str, ports: Ports, tasks: Tasks, ssrc: int, milliseconds: int = PACKET_MS) -> None:
        self.way, self.ssrc = way, ssrc
        self.port = 0
        self.packets = 0
        self.dropped = 0
        self._size = RATE * milliseconds // 1000
        self._ports, self._tasks = ports, tasks
        self._leased: int | None = None
        self._socket: socket.socket | None = None
        self._host = ""
        self._transport: asyncio.Transport | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._rest = bytearray()
        self._sequence = random.randrange(1 << 15)
        self._time = random.randrange(1 << 31)
        self._said_at: float | None = None

    def open(self, bind: str) -> None:
        """OSError or ValueError when there is no port."""
        for _ in range(8):
            port = self._leased = self._ports.take(time.monotonic())
            kind = socket.SOCK_DGRAM if self.way == UDP else socket.SOCK_STREAM
            made = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET, kind)
            made.setblocking(False)
            try:
                if self.way == PASSIVE:
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind((bind, 0 if self.way == ACTIVE else port))
                if self.way == PASSIVE:
                    made.listen(1)
            except OSError:
                made.close()
                self._ports.give(port, time.monotonic())
                self._leased = None
                continue
            self._socket, self.port = made, made.getsockname()[1]
            return
        raise OSError("No free media port was found.")

    def point(self, host: str, port: int) -> None:
        """The loudspeaker's place. Where TCP listens, only that host may come."""
        made = self._socket
        if made is None:
            return
        self._host = host
        if self.way == UDP:
            with contextlib.suppress(OSError):
                made.connect((host, port))
        elif self.way == PASSIVE:
            asyncio.get_running_loop().add_reader(made.fileno(), self._accept, made)
        else:
            made.close()
            self._socket = None
            self._dialling = self._tasks.spawn(self._dial(host, port), "dial a loudspeaker")

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            accepted, (host, *_) = listener.accept()
            if host != self._host or self._transport is not None:
                accepted.close()
                return
            accepted.setblocking(False)
            loop = asyncio.get_running_loop()
            self._tasks.spawn(loop.connect_accepted_socket(lambda: _Stream(self), accepted), "accept a loudspeaker")

    async def _dial(self, host: str, port: int) -> None:
        for attempt in range(_DIALS):
            if attempt:
                await asyncio.sleep(_REDIAL_SECONDS)
            with contextlib.suppress(OSError):
                async with asyncio.timeout(2):
                    await asyncio.get_running_loop().create_connection(lambda: _Stream(self), host, port)
                return

    def joined(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def left(self, transport: asyncio.Transport) -> None:
        if self._transport is transport:
            self._transport = None

    # ---- sound

    def say(self, alaw: bytes) -> None:
        now = time.monotonic()
        if self._said_at is not None and now - self._said_at > _PAUSE:
            self._rest.clear()
            self._time += round((now - self._said_at) * RATE)
        self._said_at = now
        self._rest += alaw
        while len(self._rest) >= self._size:
            payload = bytes(self._rest[: self._size])
            del self._rest[: self._size]
            self._send(HEADER.pack(0x80, _PAYLOAD_TYPE, self._sequence & 0xFFFF, self._time & 0xFFFF_FFFF, self.ssrc) + payload)
            self._sequence += 1
            self._time += self._size

    def _send(self, packet: bytes) -> None:
        if self.way == UDP:
            try:
                if self._socket is not None:
                    self._socket.send(packet)
                    self.packets += 1
            except OSError:
                self.dropped += 1
        elif self._transport is not None and self._transport.get_write_buffer_size() < _WAITING_LIMIT:
            self._transport.write(struct.pack("!H", len(packet)) + packet)
            self.packets += 1
        else:
            self.dropped += 1

    def close(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
        if self._socket is not None:
            if self.way == PASSIVE:
                asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self._leased is not None:
            self._ports.give(self._leased, time.monotonic())
            self._leased = None


class _Stream(asyncio.Protocol):
    def __init__(self, mouth: Mouth) -> None:
        self._mouth = mouth
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._mouth.joined(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._mouth.left(self._transport)
