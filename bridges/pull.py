"""One camera that somebody wants: its streams, those that are taken, as layers of one Source, with sound from one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bridges import rtsp
from bridges.backup import needed
from bridges.rtsp_stream import Resolve, Stream, Target, resolve
from bridges.source import Sound, Source, opus
from bridges.timeline import Sequence
from bridges.transcode import Transcoder
from bridges.transcode_video import Transcodes
from commhub import log as logs
from commhub.addresses import AllowList
from commhub.media.messages import Pull, SourceClock, SourceState
from commhub.media.outlet import Outlets

log = logs.get(__name__)

MAIN, SUB = "main", "sub"


class Puller:
    """``changed(state)`` hears every change of :class:`SourceState`. The camera is live when one of its streams is."""

    def __init__(
        self,
        pull: Pull,
        allow: AllowList,
        outlets: Outlets,
        transcoder: Transcoder,
        transcodes: Transcodes,
        changed: Callable[[SourceState], None],
        resolve: Resolve = resolve,
    ) -> None:
        self.source = pull.source
        self.pull = pull
        self._source = Source(pull.source, outlets, changed, self.key_frame_wanted)
        self._allow, self._transcodes, self._resolve = allow, transcodes, resolve
        self._streams: dict[str, Stream] = {}  # by layer
        self._running: set[str] = set()
        self._changing = asyncio.Lock()
        self._fitting: asyncio.Future[None]
        self._ended = False
        self._announced: set[str] = set()  # layers that were live since they run
        self._sound = Sound(self._source, transcoder)
        self._sound_order = Sequence()
        self._listening: Stream | None = None  # whose sound it is
        #: By stream and kind: handles and our RTP times, and the device's UTC ns then; of the sessions that are.
        self._clocks: dict[tuple[str, str], tuple[list[tuple[int, int]], int]] = {}

    # ---------------------------------------------------------------- from the hub

    @property
    def state(self) -> SourceState:
        return self._source.state

    def start(self) -> None:
        self._source.say()
        self._source.attach(self.pull.workers)
        self._make()
        self._fitting = asyncio.ensure_future(self._fit())

    async def update(self, pull: Pull) -> None:
        """The hub's newest word. Conversations with the camera go on unless its addresses or credentials changed."""
        self.pull = pull
        self._source.attach(pull.workers)
        async with self._changing:
            targets = self._targets()
            if {layer: stream.target for layer, stream in self._streams.items()} != targets:
                await self._stop(set(self._streams))
                if set(targets) != set(self._streams):
                    self._streams.clear()
                self._make()
                self._source.turn("connecting")
        await self._fit()

    async def stop(self) -> None:
        """Says goodbye to the camera and to the workers."""
        self._ended = True
        async with self._changing:
            await self._stop(set(self._streams))
        await self._fitting
        self._source.attach([])
        self._source.turn("idle")

    def _targets(self) -> dict[str, Target]:
        pull = self.pull

        def target(url: str) -> Target:
            return Target(url, pull.user, pull.password, pull.transport)

        if not pull.sub_url or pull.sub_url == pull.url:
            return {"": target(pull.url)}
        return {MAIN: target(pull.url), SUB: target(pull.sub_url)}

    def _make(self) -> None:
        for layer, target in self._targets().items():
            stream = self._streams.get(layer)
            if stream is None:
                self._streams[layer] = Stream(self, self._source, layer, target, self._allow, self._transcodes, self._resolve)
            elif stream.target != target:
                stream.pictures.forget()
                stream.target = target

    # ---------------------------------------------------------------- which streams

    def _wanted(self) -> set[str]:
        """What is taken; the other stream as well while none of it can be had: a picture is worth more than its size."""
        if "" in self._streams:
            return {""}
        wanted = {layer for layer in self.pull.layers if layer in self._streams} or {MAIN}
        if all(self._streams[layer].state == "failed" for layer in wanted):
            return set(self._streams)
        return wanted

    def _run(self, layers: set[str]) -> None:
        for layer in sorted(layers - self._running):
            self._running.add(layer)
            self._streams[layer].start()

    async def _stop(self, layers: set[str]) -> None:
        for layer in layers & self._running:
            self._running.discard(layer)
            self._announced.discard(layer)
            await self._streams[layer].stop()

    async def _fit(self) -> None:
        """Run what is wanted. A stream that nobody takes any more goes on until another one shows something."""
        async with self._changing:
            wanted = self._wanted()
            self._run(wanted)
            self._want_backups()
            if unwanted := self._unwanted(wanted):
                await self._stop(unwanted)
                self._tell()

    def _want_backups(self) -> None:
        for layer, stream in self._streams.items():
            stream.pictures.want_backup(layer in self._running and needed(layer, self.pull.layers))

    def _unwanted(self, wanted: set[str]) -> set[str]:
        return self._running - wanted if any(self._streams[layer].state == "live" for layer in wanted) else set()

    # ---------------------------------------------------------------- what its streams say

    def changed(self, stream: Stream) -> None:
        if stream.state == "live" and stream.layer in self._running:
            self._announced.add(stream.layer)
        if not self._ended:
            wanted = self._wanted()
            self._run(wanted)
            self._want_backups()
            if self._unwanted(wanted) and self._fitting.done():
                self._fitting = asyncio.ensure_future(self._fit())
        self._tell()

    def _tell(self) -> None:
        running = [stream for layer, stream in self._streams.items() if layer in self._running]  # main first
        known = [stream.pictures for stream in running if stream.layer in self._announced and stream.pictures.known]
        streams = [one for pictures in known for one in pictures.streams()]
        if self._sound.running and streams:
            streams.append(opus(self._sound.handle))
        if streams:
            self._source.announce(streams)
        live = [stream for stream in running if stream.state == "live"]
        faults = [stream.fault for stream in running if stream.fault is not None]
        if live:
            self._source.turn("live", faults[0] if faults else None)
        elif running:
            first = next((stream for stream in running if stream.layer in self.pull.layers), running[0])
            self._source.turn(first.state, first.fault)

    def opened(self, stream: Stream, session: rtsp.Session) -> None:
        for key in [key for key in self._clocks if key[0] == stream.layer]:
            del self._clocks[key]
        if self._listening is None:
            self._listen(stream, session)

    def _listen(self, stream: Stream, session: rtsp.Session) -> None:
        media = next((track.media for track in session.tracks if track.kind == "audio"), None)
        if media is None:
            return
        try:
            self._sound.open(media.codec, media.clock_rate, media.channels, media.fmtp)
        except ValueError as error:
            log.info("sound not used", source=self.source, why=str(error))
            return
        self._listening = stream
        self._sound_order.restart()

    def closed(self, stream: Stream) -> None:
        if stream is not self._listening:
            return
        self._sound.close()
        self._listening = None
        for other in self._streams.values():
            if other.session is not None and self._listening is None:
                self._listen(other, other.session)

    def heard(self, stream: Stream, packet: bytes, now: int) -> None:
        if stream is not self._listening:
            return
        taken = self._sound_order.take(packet)
        if taken is not None and taken[0].payload:
            self._sound.put(taken[0].payload, taken[0].timestamp, now)

    def clock(self, stream: Stream, kind: str, rtp_time: int, ntp: int) -> None:
        """A device's clock counts once it is known of all its streams: else they would be told different times."""
        if kind == "video":
            ours = stream.pictures.translate(rtp_time)
        else:
            at = self._sound.translate(rtp_time) if stream is self._listening else None
            ours = [(self._sound.handle, at)] if at is not None else []
        if not ours:
            return
        self._clocks[stream.layer, kind] = (ours, ntp)
        expected = {(layer, "video") for layer in self._running if self._streams[layer].session is not None}
        if self._listening is not None:
            expected.add((self._listening.layer, "audio"))
        if not expected <= set(self._clocks):
            return
        for key in expected:
            times, device = self._clocks[key]
            for number, at in times:
                self._source.clock(SourceClock(handle=number, rtp_time=at, ntp=device))

    def key_frame_wanted(self, number: int) -> None:
        for stream in self._streams.values():
            if stream.pictures.handle == number:
                stream.want_key_frame()
            elif stream.pictures.backup.handle == number:
                stream.pictures.backup.want_key_frame()
