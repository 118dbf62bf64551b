"""Media of one INVITE: packets of a film over UDP or TCP, live or from a recording."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from bridges.scene import Scene
from bridges.simulated.film import BEIJING, CLOCK, Film, Look, Shot, Sound
from bridges.simulated.offer import Offer
from commhub.tasks import Tasks
from commhub.wire import rtcp, rtp

_BACKLOG = 2 << 20  # octets somebody may leave unread before pictures are left out
_DIAL_SECONDS, _DIALS = 1.0, 3
_LISTEN_SECONDS = 15.0
_TEAR_EVERY = 400  # packets
_LOSE_EVERY = 200


class Source(Protocol):
    """Where pictures come from: :class:`Live` or :class:`Archive`."""

    payload_type: int

    def begin(self, show: Callable[[Shot], None], tasks: Tasks) -> None: ...
    def end(self) -> None: ...
    def want_key(self) -> None: ...


class Live:
    def __init__(self, film: Film, films: Tasks, *, late: bool) -> None:
        self.payload_type = film.look.packer().payload_type
        self._film, self._films, self._late = film, films, late
        self._show: Callable[[Shot], None] | None = None

    def begin(self, show: Callable[[Shot], None], tasks: Tasks) -> None:
        self._show = show
        self._film.watch(show, self._films, key=not self._late)

    def end(self) -> None:
        if self._show is not None:
            self._film.leave(self._show)

    def want_key(self) -> None:
        self._film.want_key()


class Archive:
    """A recording from ``start`` to ``end`` (Unix seconds): the street as it was at that time. ``over`` is called at its end.

    With ``scale`` the picture's time and the packets' go faster than the clock, as recorders do it: pictures in between are left
    out. A download (``hurry``) sends all of them, so many times as fast. At ``stop`` it falls silent and calls ``stopped``."""

    def __init__(
        self,
        look: Look,
        start: float,
        end: float,
        over: Callable[[], None],
        *,
        hurry: int = 1,
        stop: float = float("inf"),
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        packer = look.packer()
        self.payload_type = packer.payload_type
        self.scale, self.playing = 1.0, True
        self._look, self._packer, self._over, self._hurry = look, packer, over, hurry
        self._start, self._end, self._at = start, end, start
        self._stop, self._stopped = stop, stopped
        self._key = True
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def position(self) -> float:
        """Seconds from the start."""
        return self._at - self._start

    def begin(self, show: Callable[[Shot], None], tasks: Tasks) -> None:
        self._task = tasks.spawn(self._run(show), "archive")

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def want_key(self) -> None:
        self._key = True

    def pause(self) -> None:
        self.playing = False

    def resume(self) -> None:
        self.playing = True
        self._moved.set()

    def seek(self, seconds: float) -> None:
        self._at = min(self._end, max(self._start, self._start + seconds))
        self._key = True
        self.resume()

    async def _run(self, show: Callable[[Shot], None]) -> None:
        look, loop = self._look, asyncio.get_running_loop()
        interval = 1 / look.fps
        scene, encoder, sound = Scene(look.width, look.height, look.name), look.encoder(), Sound(look.audio)
        times: list[float] = []
        due, number, clock = loop.time(), 0, 2 * float(interval)
        while True:
            while not self.playing:
                self._moved.clear()
                await self._moved.wait()
                due = loop.time()
            if self._at >= self._stop:
                self.playing = False
                self._stopped()
                continue
            if not self._start <= self._at < self._end:
                self.playing = False
                self._over()
                continue
            key, self._key = self._key, False
            times.append(clock)
            for picture in encoder.encode(scene.draw(datetime.fromtimestamp(self._at, BEIJING)), key=key):
                pts = int(times[picture.pts] * CLOCK)
                dts = pts if picture.dts == picture.pts else int(times[max(0, picture.dts)] * CLOCK)
                audio = sound.until((number + 1) * interval) if self.scale == 1 else b""
                show(Shot(self._packer.pack(picture.units, pts, dts, key=picture.key, audio=audio), pts, picture.key))
            number += 1
            self._at += float(interval) * self.scale
            clock += float(interval) * abs(self.scale)
            due = max(due + float(interval) / self._hurry, loop.time() - 1)
            await asyncio.sleep(max(0.0, due - loop.time()))


class Stream:
    """``open`` says the port for the SDP's answer; ``start`` when the ACK has come; ``close`` ends it; ``packets`` were sent."""

    def __init__(self, offer: Offer, ssrc: int, source: Source, host: str, quirks: frozenset[str]) -> None:
        self.offer, self.ssrc, self.source = offer, ssrc, source
        self.packets = self.octets = self.pictures = 0
        self.port = 0
        self.mute = False
        self._host, self._quirks = host, quirks
        self._tasks = Tasks("stream")
        self._udp: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._sequence = secrets.randbits(16)
        self._shift = secrets.randbits(32)
        self._begun = "late-key" in quirks
        self._held: bytes | None = None

    def open(self) -> int:
        if self.offer.way == "tcp-active":
            self._listener = socket.create_server((self._host, 0))
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
        elif self.offer.way == "udp":
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind((self._host, 0))
            self._udp.setblocking(False)
            self.port = self._udp.getsockname()[1]
        else:
            self.port = 9
        return self.port

    def start(self) -> None:
        if not self.mute:
            self._tasks.spawn(self._send(), "media")

    async def close(self) -> None:
        self.source.end()
        await self._tasks.close()
        if self._writer is not None:
            self._writer.transport.abort()
        for one in (self._udp, self._listener):
            if one is not None:
                one.close()

    # ----

    async def _send(self) -> None:
        try:
            await self._connect()
        except (OSError, TimeoutError):
            return  # as a device: it stays silent, the other side notices
        if "rtcp-first" in self._quirks:
            report = rtcp.build_sender_report(rtcp.SenderReport(self.ssrc, 0, self._shift, 0, 0))
            self._out(report + rtcp.build_source_description(self.ssrc, "camera"))
        self.source.begin(self._show, self._tasks)

    async def _connect(self) -> None:
        if self.offer.way == "tcp-passive":
            for attempt in range(_DIALS):
                try:
                    _, self._writer = await asyncio.open_connection(self.offer.host, self.offer.port)
                    return
                except OSError:
                    if attempt == _DIALS - 1:
                        raise
                    await asyncio.sleep(_DIAL_SECONDS)
        elif self._listener is not None:
            async with asyncio.timeout(_LISTEN_SECONDS):
                connection, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            _, self._writer = await asyncio.open_connection(sock=connection)

    def _show(self, shot: Shot) -> None:
        if self._writer is not None and self._writer.transport.get_write_buffer_size() > _BACKLOG:
            self._begun = False
            return
        self._begun = self._begun or shot.key
        if not self._begun:
            return
        self.pictures += 1
        kind = self.source.payload_type
        timestamp = (shot.time + self._shift) & 0xFFFF_FFFF
        last = len(shot.payloads) - 1
        marks = "no-marker" not in self._quirks
        for number, payload in enumerate(shot.payloads):
            sequence, self._sequence = self._sequence, (self._sequence + 1) & 0xFFFF
            marker = 0x80 if marks and number == last else 0
            self._pass(rtp.HEADER.pack(0x80, marker | kind, sequence, timestamp, self.ssrc) + payload, number == last)

    def _pass(self, packet: bytes, last: bool) -> None:
        self.packets += 1
        self.octets += len(packet)
        if self.offer.way == "udp":
            if "lossy" in self._quirks and self.packets % _LOSE_EVERY == 0:
                return
            if "reordered" in self._quirks:
                held, self._held = self._held, None if self._held else packet
                if held is None and not last:
                    return
                self._held = None
                self._out(packet)
                if held is not None:
                    self._out(held)
                return
        self._out(packet)

    def _out(self, packet: bytes) -> None:
        if self._udp is not None:
            with suppress(OSError):
                self._udp.sendto(packet, (self.offer.host, self.offer.port))
        elif self._writer is not None and not self._writer.is_closing():
            if "interleaved-tcp" in self._quirks:
                framed = struct.pack("!BBH", 0x24, 0, len(packet)) + packet
            else:
                framed = struct.pack("!H", len(packet)) + packet
            if "torn-tcp" in self._quirks and self.packets % _TEAR_EVERY == _TEAR_EVERY - 1:
                framed = framed[: len(framed) // 2]
            self._writer.write(framed)
