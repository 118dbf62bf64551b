"""What is alike of all cameras of a bridge, whatever they speak: a Source with its streams, the workers that have it, its state
at the hub, and its sound on the way to Opus."""

from __future__ import annotations

import hashlib
import itertools
import secrets
import time
from collections.abc import Callable
from typing import Protocol

from msgspec import structs

from bridges.timeline import Timeline
from bridges.transcode import RATE, Feed, Transcoder
from commhub import log as logs
from commhub.media.messages import Codec, SourceClock, SourceState, SourceStream, Standing
from commhub.media.outlet import Batch, Outlet, Outlets

log = logs.get(__name__)

_handles = itertools.count(1)


def handle() -> int:
    """A number for a stream, one for each of this process."""
    return next(_handles)


def timeline(source: str, name: str, clock_rate: int) -> Timeline:
    """One SSRC per stream and times that follow the wall clock: even a restart of this process looks like a pause. ``name``
    tells the streams of a Source apart."""
    ssrc = int.from_bytes(hashlib.sha256(f"{source}\0{name}".encode()).digest()[:4], "big")
    return Timeline(clock_rate, ssrc, secrets.randbits(16))


class Said(Protocol):
    """Why a camera is as it is, for people in both languages."""

    code: str
    text: str
    text_zh: str


class Source:
    """``changed(state)`` hears every change. A camera calls ``turn``, ``announce``, ``add``, ``flush``."""

    def __init__(self, source: str, outlets: Outlets, changed: Callable[[SourceState], None],
                 key_frame: Callable[[int], None]) -> None:  # fmt: skip
        self.source = source
        self.streams: list[SourceStream] = []
        self.clocks: dict[int, SourceClock] = {}
        self.state = SourceState(source=source, state="connecting")
        self._standing: Standing | None = None
        self.key_frame_wanted = key_frame
        self._registry, self._changed = outlets, changed
        self._outlets: dict[str, Outlet] = {}
        self._batch = Batch(self._send)
        self.add, self.add_all, self.flush = self._batch.add, self._batch.add_all, self._batch.flush

    # ---- the hub

    def say(self) -> None:
        self._changed(self.state)

    def turn(self, state: str, said: Said | None = None) -> None:
        code, text, text_zh = (said.code, said.text, said.text_zh) if said is not None else ("", "", "")
        streams = self.streams if state == "live" else []
        turned = SourceState(source=self.source, state=state, code=code, text=text, text_zh=text_zh, streams=streams,
                             standing=self._standing)  # fmt: skip
        if turned != self.state:
            self.state = turned
            self._changed(turned)

    def stand(self, standing: Standing) -> None:
        """Of a recording; goes along with what is told of its state from now on."""
        self._standing = standing
        self.state = structs.replace(self.state, standing=standing)
        self._changed(self.state)

    # ---- the workers

    def attach(self, workers: list[str]) -> None:
        """These workers have it from now on, and no others."""
        wanted = set(workers)
        for worker in set(self._outlets) - wanted:
            del self._outlets[worker]
            self._registry.detach(worker, self.source)
        for worker in wanted - set(self._outlets):
            self._outlets[worker] = self._registry.attach(worker, self)

    def announce(self, streams: list[SourceStream]) -> None:
        if streams == self.streams:
            return
        self.streams = streams
        for outlet in self._outlets.values():
            outlet.announce(self)

    def clock(self, clock: SourceClock) -> None:
        if self.clocks.get(clock.handle) != clock:
            self.clocks[clock.handle] = clock
            for outlet in self._outlets.values():
                outlet.clock(clock)

    def _send(self, batch: bytes) -> None:
        for outlet in self._outlets.values():
            outlet.send(self.source, batch)


def opus(number: int) -> SourceStream:
    """Sound as it leaves the bridge."""
    codec = Codec(mime="audio/opus", clock_rate=RATE, channels=2, fmtp="minptime=10;useinbandfec=1")
    return SourceStream(handle=number, kind="audio", codec=codec)


class Sound:
    """One camera's sound: ``put`` takes its packets, Opus goes into the Source while that is live."""

    def __init__(self, source: Source, transcoder: Transcoder) -> None:
        self.handle = handle()
        self._source, self._transcoder = source, transcoder
        self._timeline = timeline(source.source, "sound", RATE)
        self._feed: Feed | None = None
        self._at = 0

    @property
    def running(self) -> bool:
        return self._feed is not None

    def open(self, codec: str, clock_rate: int, channels: int, fmtp: dict[str, str]) -> None:
        """ValueError when that cannot be turned into Opus."""
        self.close()
        self._feed = self._transcoder.open(codec, clock_rate, channels, fmtp, self._heard)

    def put(self, payload: bytes, timestamp: int, now: int) -> None:
        """``timestamp`` is the device's, ``now`` UTC ns."""
        if self._feed is not None:
            self._at = now
            self._feed.put(payload, timestamp)

    def translate(self, timestamp: int) -> int | None:
        """Our RTP time of a device's time near the newest packet."""
        at = self._feed.translate(timestamp) if self._feed is not None else None
        return self._timeline.translate(at) if at is not None else None

    def close(self) -> None:
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        self._timeline.restart()

    def _heard(self, out: list[tuple[bytes, int]]) -> None:
        """Its time is set by when its first packet came; then by the device."""
        if self._source.state.state != "live":
            return
        now = time.time_ns()
        for payload, at in out:
            time_out = self._timeline.time(at, now)
            self._source.add(self.handle, self._timeline.packet(payload, time_out, False), self._at)
        self._source.flush()
