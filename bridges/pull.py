"""One camera, kept open: connected, received, made fit and handed to the workers; after every failure tried again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Awaitable, Callable

from bridges import rtsp
from bridges.depacket import Video
from bridges.faults import SLOW, Fault, Redirected, sentences
from bridges.source import Sound, Source, handle, opus, timeline
from bridges.timeline import SECOND, Sequence, unwrap
from bridges.transcode import Transcoder
from commhub import log as logs
from commhub.addresses import AllowList, Place, is_own, parse_url, plain
from commhub.media.messages import Codec, Pull, SourceClock, SourceState, SourceStream
from commhub.media.outlet import Outlets

log = logs.get(__name__)

DELAYS = (0.5, 1.0, 2.0, 4.0, 5.0)  # s between attempts; the last one goes on
SOON, RESTARTING = 1.0, 60.0  # s: a camera that was live this long ago is most likely restarting, and is tried this often
REDIRECTS = 3
RTSP_PORT = 554
_MALFORMED = 200  # unreadable packets in a row
_NO_PICTURE = 15 * SECOND  # longer than any camera is without a key frame

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Addresses of a name, in the system's order. OSError when there is none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [entry[4][0] for entry in found if isinstance(entry[4][0], str)]


class Puller:
    """A camera that somebody wants. ``changed(state)`` hears every change of :class:`SourceState`."""

    def __init__(
        self,
        pull: Pull,
        allow: AllowList,
        outlets: Outlets,
        transcoder: Transcoder,
        changed: Callable[[SourceState], None],
        resolve: Resolve = resolve,
    ) -> None:
        self.source = pull.source
        self.pull = pull
        self._source = Source(pull.source, outlets, changed, self.key_frame_wanted)
        self._allow, self._resolve = allow, resolve
        self._session: rtsp.Session | None = None
        self._place: Place | None = None
        self._live_at: float | None = None  # monotonic: the last time a picture came
        self._attempts = 0
        self._other_way = False  # the transport that was asked for brings nothing
        self._heard_clocks: dict[str, tuple[int, int]] = {}  # by kind: our RTP time and the device's UTC ns, this session
        self._handle = handle()
        self._video = Video(timeline(pull.source, "", 90_000))
        self._sound = Sound(self._source, transcoder)
        self._sound_order = Sequence()
        self._task: asyncio.Task[None] | None = None

    # ---------------------------------------------------------------- from the hub

    @property
    def state(self) -> SourceState:
        return self._source.state

    def start(self) -> None:
        self._source.say()
        self._source.attach(self.pull.workers)
        self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"pull {self.source}")

    async def update(self, pull: Pull) -> None:
        """The hub's newest word. The conversation with the camera goes on unless its address or credentials changed."""
        same = (pull.url, pull.user, pull.password, pull.transport)
        before, self.pull = self.pull, pull
        self._source.attach(pull.workers)
        if same != (before.url, before.user, before.password, before.transport) and self._task is not None:
            await self._end_task()
            self._attempts, self._live_at, self._other_way = 0, None, False
            self._video.forget()
            self._source.turn("connecting")
            self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"pull {self.source}")

    async def stop(self) -> None:
        """Says goodbye to the camera and to the workers."""
        await self._end_task()
        self._source.attach([])
        self._source.turn("idle")

    async def _end_task(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    # ---------------------------------------------------------------- again and again

    async def _keep(self) -> None:
        while True:
            try:
                await self._attempt()
            except Fault as fault:
                await asyncio.sleep(self._failed(fault))
            except Exception:
                # A camera must never end the bridge, whatever it sends.
                log.exception("camera failed", source=self.source)
                await asyncio.sleep(self._failed(Fault("protocol", "An internal error was logged.")))

    def _failed(self, fault: Fault) -> float:
        """Tell why, and say how long to wait."""
        was_live = self.state.state == "live"
        now = time.monotonic()
        if was_live:
            self._attempts = 0
            self._live_at = now
        where = self._place.shown if self._place is not None else ""
        if (fault.code != self.state.code or was_live) and logs.limited(("camera", self.source, fault.code), 60) is not None:
            log.warning("camera lost" if was_live else "camera not reached", source=self.source, code=fault.code, host=where)
        if fault.code == "no_media" and not was_live:
            self._other_way = not self._other_way
        if was_live and fault.code in ("closed", "no_media"):
            self._source.turn("connecting", fault)
        elif self.state.state != "connecting" or fault.code != "closed" or not self.state.code:
            self._source.turn("failed", fault)
        self._attempts += 1
        if fault.code in SLOW:
            return SLOW[fault.code]
        delay = DELAYS[min(self._attempts, len(DELAYS)) - 1]
        if self._live_at is not None and now - self._live_at < RESTARTING:
            delay = min(delay, SOON)
        return delay * random.uniform(0.9, 1.0)  # so that a street of cameras does not come back in step

    async def _attempt(self) -> None:
        url, user, password = self.pull.url, self.pull.user, self.pull.password
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
        udp = (self.pull.transport == "udp") != self._other_way
        camera = rtsp.Camera(url, address, place.port, user, password, "udp" if udp else "tcp")
        session = rtsp.Session(camera, self._packet, self._clock, self._source.flush)
        try:
            await session.open()
            self._begin(session)
            await session.play()
            await session.watch()
        finally:
            self._session = None
            session.close()
            self._sound.close()

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

    def _begin(self, session: rtsp.Session) -> None:
        self._video.restart()
        self._sound_order.restart()
        self._heard_clocks.clear()
        for track in session.tracks:
            if track.kind == "video":
                self._video.learn(track.media.parameter_sets)
            elif not self._sound.running:
                media = track.media
                try:
                    self._sound.open(media.codec, media.clock_rate, media.channels, media.fmtp)
                except ValueError as error:
                    log.info("sound not used", source=self.source, why=str(error))
        self._opened = time.time_ns()
        self._session = session

    def _packet(self, track: rtsp.Track, packet: bytes, now: int) -> None:
        session = self._session
        if session is None:
            return
        if track.kind != "video":
            self._listen(packet, now)
            return
        video = self._video
        try:
            sent = video.receive(packet, now)
        except ValueError:
            if video.h265:
                session.fail(Fault("codec_unsupported", "H.265"))
            elif video.malformed > _MALFORMED:
                session.fail(Fault("protocol", "Its video packets cannot be read."))
            return
        if not sent:
            if not video.running:
                self._not_running(session, now)
            return
        if self.state.state != "live" or self._shape() != self._announced or video.b_frames != (self.state.code == "b_frames"):
            self._live()
        for each in sent:
            self._source.add(self._handle, each, now)

    def _not_running(self, session: rtsp.Session, now: int) -> None:
        if self._video.h265:
            session.fail(Fault("codec_unsupported", "H.265"))
        elif now - self._opened > _NO_PICTURE:
            session.fail(Fault("no_media" if self._video.complete else "no_parameters"))

    _announced: tuple[object, ...] = ()
    _opened = 0

    def _shape(self) -> tuple[object, ...]:
        return (self._video.sps, self._sound.running)

    def _live(self) -> None:
        sps = self._video.sps
        assert sps is not None
        fmtp = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={sps.profile_level_id}"
        codec = Codec(mime="video/H264", clock_rate=90_000, fmtp=fmtp)
        streams = [SourceStream(handle=self._handle, kind="video", codec=codec, width=sps.width, height=sps.height)]
        if self._sound.running:
            streams.append(opus(self._sound.handle))
        self._announced = self._shape()
        self._source.announce(streams)
        if self.state.state != "live":
            log.info("camera live", source=self.source, width=sps.width, height=sps.height,
                     profile=sps.profile_level_id, sound=self._sound.running)  # fmt: skip
        self._source.turn("live", Fault("b_frames") if self._video.b_frames else None)

    def _listen(self, packet: bytes, now: int) -> None:
        try:
            got = unwrap(packet)
        except ValueError:
            return
        if got.payload and self._sound_order.follow(got.sequence) is not None:
            self._sound.put(got.payload, got.timestamp, now)

    def _clock(self, track: rtsp.Track, rtp_time: int, ntp: int) -> None:
        """A device's clock counts once it is known of all its streams: else picture and sound would be told different times."""
        if track.kind == "video":
            ours = self._video.timeline.translate(rtp_time)
        else:
            ours = self._sound.translate(rtp_time)
        if ours is None:
            return
        self._heard_clocks[track.kind] = (ours, ntp)
        if self._sound.running and len(self._heard_clocks) < 2:
            return
        for kind, (rtp_time_out, device) in self._heard_clocks.items():
            number = self._handle if kind == "video" else self._sound.handle
            self._source.clock(SourceClock(handle=number, rtp_time=rtp_time_out, ntp=device))

    def key_frame_wanted(self, number: int) -> None:
        """RTSP has no word for it; cameras that take feedback are asked that way, others send one every few seconds."""
        session = self._session
        if session is not None and number == self._handle:
            now = time.monotonic()
            if now - self._asked_at > 0.5:
                self._asked_at = now
                session.want_key_frame(session.tracks[0])

    _asked_at = 0.0


__all__ = ["Puller", "resolve", "sentences"]
