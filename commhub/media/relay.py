"""Participants whose tracks are a Source for other rooms (ForwardParticipant).

On the own worker the Source's streams are the participant's receivers themselves: layers, key frames and levels are shared,
nothing is copied. To another worker they are pushed as a bridge pushes a camera: a tap, batches, one link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from commhub.media import messages
from commhub.media.messages import SourceClock, SourceStream
from commhub.media.outlet import Batch, Outlet, Outlets
from commhub.media.plane import Plane
from commhub.media.room import Encoding, Peer, Track
from commhub.media.sources import Sources

LINGER = 0.004  # seconds a packet waits for others


class Home(Protocol):
    plane: Plane
    sources: Sources

    def number(self) -> int: ...
    def peer(self, message: Any) -> Peer | None: ...
    def touch(self, track: Track) -> None: ...


@dataclass(slots=True)
class _Tapped:
    handle: int
    tap: int
    track: Track
    encoding: Encoding

    def stream(self) -> SourceStream:
        width, height = self.track.size()
        return SourceStream(self.handle, self.track.kind, self.encoding.codec, width, height, self.track.id)


class _Push:
    """One Source on its way to other workers. An outlet's ``Feeder``."""

    def __init__(self, home: Home, source: str, outlets: Outlets) -> None:
        self._home, self.source, self._outlets = home, source, outlets
        self.tapped: dict[str, _Tapped] = {}  # by track
        self.clocks: dict[int, SourceClock] = {}
        self._workers: dict[str, Outlet] = {}
        self._batch = Batch(self._send)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def streams(self) -> list[SourceStream]:
        return [tapped.stream() for tapped in self.tapped.values()]

    def set(self, tracks: Mapping[str, tuple[Track, Encoding]], workers: list[str]) -> None:
        if not workers or not tracks:  # a Source without streams is none
            workers, tracks = [], {}
        changed = self._retap(tracks)
        for worker in [worker for worker in self._workers if worker not in workers]:
            del self._workers[worker]
            self._outlets.detach(worker, self.source)
        for worker in workers:
            if worker not in self._workers:
                self._workers[worker] = self._outlets.attach(worker, self)
            elif changed:
                self._workers[worker].announce(self)

    def _retap(self, tracks: Mapping[str, tuple[Track, Encoding]]) -> bool:
        gone = [one for one in self.tapped.values() if tracks.get(one.track.id, (None, None))[1] is not one.encoding]
        for one in gone:
            self._home.plane.remove_tap(one.tap)
            del self.tapped[one.track.id]
            self.clocks.pop(one.handle, None)
            self._home.touch(one.track)
        fresh = [item for item in tracks.items() if item[0] not in self.tapped]
        for name, (track, encoding) in fresh:
            one = self.tapped[name] = _Tapped(self._home.number(), self._home.number(), track, encoding)
            self._home.plane.add_tap(one.tap, encoding.receiver, partial(self._packet, one.handle))
            self._home.touch(track)
        return bool(gone or fresh)

    def _packet(self, handle: int, packet: bytes | bytearray | memoryview, at: int) -> None:
        self._batch.add(handle, bytes(packet), at)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._batch.flush()

    def _send(self, batch: bytes) -> None:
        for outlet in self._workers.values():
            outlet.send(self.source, batch)

    def clock(self, clock: SourceClock) -> None:
        self.clocks[clock.handle] = clock
        for outlet in self._workers.values():
            outlet.clock(clock)

    def key_frame_wanted(self, handle: int) -> None:
        for one in self.tapped.values():
            if one.handle == handle:
                self._home.plane.request_key_frame(one.encoding.receiver)

    def close(self) -> None:
        self.set({}, [])
        if self._timer is not None:
            self._timer.cancel()


@dataclass(slots=True)
class _Relay:
    source: str
    push: _Push
    workers: list[str] = field(default_factory=list)
    lent: bool = False


class Relays:
    """``worker`` is this one's name, ``folder`` where the sockets of the others are."""

    def __init__(self, home: Home, worker: str, folder: Path | None) -> None:
        self._home, self._worker = home, worker
        self._outlets = Outlets(folder or Path("."), worker)
        self._relays: dict[Peer, _Relay] = {}

    def command(self, message: messages.Relay) -> None:
        peer = self._home.peer(message)
        if peer is None:
            return
        known = self._relays.get(peer)
        if known is not None and (known.source != message.source or not message.workers):
            self.forget(peer)
            known = None
        if not message.workers:
            return
        if known is None:
            push = _Push(self._home, message.source, self._outlets)
            known = self._relays[peer] = _Relay(message.source, push)
        known.workers = message.workers
        self.refresh(peer)

    def refresh(self, peer: Peer) -> None:
        """Its tracks have changed, or who gets them."""
        relay = self._relays.get(peer)
        if relay is None:
            return
        tracks = {track.id: (track, track.primary) for track in peer.tracks.values() if track.primary is not None}
        here = self._worker in relay.workers
        if here or relay.lent:
            relay.lent = here
            self._home.sources.lend(
                relay.source, {name: (track.kind, one) for name, (track, one) in tracks.items()} if here else {}
            )
        relay.push.set(tracks, [worker for worker in relay.workers if worker != self._worker])

    def forget(self, peer: Peer) -> None:
        relay = self._relays.pop(peer, None)
        if relay is not None:
            relay.push.close()
            if relay.lent:
                self._home.sources.lend(relay.source, {})

    def takes(self, track: Track) -> bool:
        """Does another worker get it?"""
        relay = self._relays.get(track.peer)
        return relay is not None and track.id in relay.push.tapped

    def clock(self, tap: int, rtp_time: int, ntp: int) -> None:
        """A sender report of the participant, in the RTP time of this tap."""
        for relay in self._relays.values():
            for one in relay.push.tapped.values():
                if one.tap == tap:
                    relay.push.clock(SourceClock(one.handle, rtp_time, ntp))

    async def close(self) -> None:
        for peer in list(self._relays):
            self.forget(peer)
        await self._outlets.close()
