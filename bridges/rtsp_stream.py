"""One RTSP address, kept open: connected, received, and after every failure tried again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bridges import rtsp
from bridges.faults import SLOW, Fault, Redirected
from bridges.rtsp_video import Pictures
from bridges.source import Source
from bridges.transcode_video import Transcodes
from commhub import log as logs
from commhub.addresses import AllowList, Place, is_own, parse_url, plain

log = logs.get(__name__)

DELAYS = (0.5, 1.0, 2.0, 4.0, 5.0)  # s between attempts; the last one goes on
SOON, RESTARTING = 1.0, 60.0  # s: a camera that was live this long ago is most likely restarting, and is tried this often
REDIRECTS = 3
RTSP_PORT = 554

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Addresses of a name, in the system's order. OSError when there is none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [entry[4][0] for entry in found if isinstance(entry[4][0], str)]


@dataclass(frozen=True, slots=True)
class Target:
    """What to open, and how. ``transport``: tcp, udp."""

    url: str
    user: str
    password: str
    transport: str


class Owner(Protocol):
    """Who has the camera that a stream is of."""

    def changed(self, stream: Stream) -> None:
        """Its state, its fault or its pictures are others now."""

    def opened(self, stream: Stream, session: rtsp.Session) -> None:
        """It is clear what will come."""

    def closed(self, stream: Stream) -> None:
        """Nothing comes any more."""

    def heard(self, stream: Stream, packet: bytes, now: int) -> None:
        """A packet of sound."""

    def clock(self, stream: Stream, kind: str, rtp_time: int, ntp: int) -> None:
        """A sender report: the device's RTP time of ``kind``, and its UTC ns."""


class Stream:
    """``layer`` is main, sub or "" of a camera with one. ``state`` is connecting, live or failed."""

    def __init__(
        self,
        owner: Owner,
        source: Source,
        layer: str,
        target: Target,
        allow: AllowList,
        transcodes: Transcodes,
        resolve: Resolve = resolve,
    ) -> None:
        self.layer, self.target = layer, target
        self.state = "connecting"
        self.fault: Fault | None = None
        self.pictures = Pictures(source, layer, transcodes, self._pictures_changed)
        self.session: rtsp.Session | None = None
        self._owner, self._source, self._allow, self._resolve = owner, source, allow, resolve
        self._place: Place | None = None
        self._live_at: float | None = None  # monotonic: the last time a picture came
        self._attempts = 0
        self._other_way = False  # the transport that was asked for brings nothing
        self._asked_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"pull {self._source.source} {self.layer}")

    async def stop(self) -> None:
        """Says goodbye to the camera. May be started again."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.pictures.end()
        self.state, self.fault = "connecting", None
        self._attempts, self._live_at, self._other_way = 0, None, False

    def want_key_frame(self) -> None:
        """RTSP has no word for it; cameras that take feedback are asked that way, others send one every few seconds."""
        session, now = self.session, time.monotonic()
        if session is not None and now - self._asked_at > 0.5:
            self._asked_at = now
            session.want_key_frame(session.tracks[0])

    # ---------------------------------------------------------------- again and again

    async def _keep(self) -> None:
        while True:
            try:
                await self._attempt()
            except Fault as fault:
                await asyncio.sleep(self._failed(fault))
            except Exception:
                # A camera must never end the bridge, whatever it sends.
                log.exception("camera failed", source=self._source.source)
                await asyncio.sleep(self._failed(Fault("protocol", "An internal error was logged.")))

    def _turn(self, state: str, fault: Fault | None) -> None:
        self.state, self.fault = state, fault
        self._owner.changed(self)

    def _failed(self, fault: Fault) -> float:
        """Tell why, and say how long to wait."""
        was_live = self.state == "live"
        now = time.monotonic()
        if was_live:
            self._attempts = 0
            self._live_at = now
        where = self._place.shown if self._place is not None else ""
        before = self.fault.code if self.fault is not None else ""
        if (fault.code != before or was_live) and logs.limited(("camera", self._source.source, fault.code), 60) is not None:
            log.warning("camera lost" if was_live else "camera not reached", source=self._source.source, layer=self.layer,
                        code=fault.code, host=where)  # fmt: skip
        if fault.code == "no_media" and not was_live:
            self._other_way = not self._other_way
        if was_live and fault.code in ("closed", "no_media"):
            self._turn("connecting", fault)
        elif self.state != "connecting" or fault.code != "closed" or not before:
            self._turn("failed", fault)
        self._attempts += 1
        if fault.code in SLOW:
            return SLOW[fault.code]
        delay = DELAYS[min(self._attempts, len(DELAYS)) - 1]
        if self._live_at is not None and now - self._live_at < RESTARTING:
            delay = min(delay, SOON)
        return delay * random.uniform(0.9, 1.0)  # so that a street of cameras does not come back in step

    async def _attempt(self) -> None:
        url, user, password = self.target.url, self.target.user, self.target.password
        for _ in range(REDIRECTS + 1):
            try:
                await self._converse(url, user, password)
            except Redirected as redirected:
                before, url = self._place, redirected.url
                try:
                    self._place = parse_url(url, "rtsp", RTSP_PORT)
                except ValueError as error:
                    raise Fault("protocol", str(error)) from None
                if before is None or (self._place.host, self._place.port) != (before.host, before.port):
                    user = password = ""  # they were meant for another host
        raise Fault("protocol", "It sends us from one address to the next.")

    async def _converse(self, url: str, user: str, password: str) -> None:
        try:
            self._place = place = parse_url(url, "rtsp", RTSP_PORT)
        except ValueError:
            raise Fault("bad_address") from None
        address = await self._admit(place)
        udp = (self.target.transport == "udp") != self._other_way
        camera = rtsp.Camera(url, address, place.port, user, password, "udp" if udp else "tcp")
        session = rtsp.Session(camera, self._packet, self._clock, self._source.flush)
        try:
            await session.open()
            self.pictures.begin(session.tracks[0].media)
            self.session = session
            self._owner.opened(self, session)
            await session.play()
            await session.watch()
        finally:
            self.session = None
            session.close()
            self._owner.closed(self)

    async def _admit(self, place: Place) -> str:
        """The address to connect to: resolved once, checked, used."""
        try:
            async with asyncio.timeout(rtsp.CONNECT_TIMEOUT):
                found = await self._resolve(place.host, place.port)
        except (OSError, UnicodeError):
            raise Fault("name_not_found") from None
        except TimeoutError:
            raise Fault("name_not_found") from None
        for address in found:
            try:
                own = is_own(plain(address))
            except ValueError:
                continue
            if self._allow.permits(address, place.port, own=own):
                return address
        raise Fault("not_allowed" if found else "name_not_found")

    # ---------------------------------------------------------------- what the camera sends

    def _packet(self, track: rtsp.Track, packet: bytes, now: int) -> None:
        session = self.session
        if session is None:
            return
        if track.kind != "video":
            self._owner.heard(self, packet, now)
            return
        try:
            self.pictures.receive(packet, now)
        except Fault as fault:
            session.fail(fault)

    def _clock(self, track: rtsp.Track, rtp_time: int, ntp: int) -> None:
        self._owner.clock(self, track.kind, rtp_time, ntp)

    def _pictures_changed(self) -> None:
        if self.state != "live":
            shown = self.pictures.streams()[0]
            log.info("camera live", source=self._source.source, layer=self.layer, width=shown.width, height=shown.height,
                     codec=self.pictures.codec)  # fmt: skip
        self._turn("live", self.pictures.fault)
