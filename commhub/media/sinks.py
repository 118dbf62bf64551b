"""Receivers of whole rooms behind a link (the recorder): facts by control, packets in batches.

A packet that does not fit the socket is lost to the sink, never to anybody else; what was lost is counted per track and told.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from commhub.media import messages
from commhub.media.link import BATCH_LIMIT, PACKET_LIMIT, RECORD, Link
from commhub.media.messages import Message, Pick, SinkData, SinkGap, SinkMuted, SinkPeer, SinkSpeakers, SinkTrack, Speaker
from commhub.media.plane import Plane
from commhub.media.room import HIGH, LOW, Encoding, Peer, Room, Track

LESS_AFTER = 10.0  # seconds until less is recorded than before
LINGER = 0.01  # seconds a packet waits for others


class Outlet:
    """The packet socket of one link, as all its sinks fill it. Implements what :class:`commhub.media.Sink` says of packets."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._batch = bytearray()
        self._inside: dict[int, int] = {}  # handle → packets in the batch
        self._timer: asyncio.TimerHandle | None = None
        self.lost: dict[int, int] = {}  # handle → packets, since the last gap was told

    def feed(self, handle: int, packet: bytes | bytearray | memoryview, at: int) -> None:
        size = len(packet)
        if size > PACKET_LIMIT:
            self.lost[handle] = self.lost.get(handle, 0) + 1
            return
        if len(self._batch) + RECORD.size + size > BATCH_LIMIT:
            self.flush()
        self._batch += RECORD.pack(handle, at, size)
        self._batch += packet
        self._inside[handle] = self._inside.get(handle, 0) + 1
        if self._timer is None:
            self._timer = self._loop.call_later(LINGER, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._batch:
            return
        socket = self._link.packets
        if socket is None or not socket.send(self._batch):
            for handle, packets in self._inside.items():
                self.lost[handle] = self.lost.get(handle, 0) + packets
        self._batch.clear()
        self._inside.clear()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@dataclass(slots=True, eq=False)
class _Tapped:
    """A track as one sink receives it."""

    handle: int
    tap: int
    track: Track
    encoding: Encoding
    allowed: bool
    layer: int = HIGH
    less_since: float | None = None  # less than that is being watched
    most: int = HIGH  # the sink wants no better one: its disk gets full


@dataclass(slots=True, eq=False)
class RoomSink:
    id: str
    room: Room
    link: Link
    outlet: Outlet
    tapped: dict[str, _Tapped] = field(default_factory=dict)  # by track
    only: Sequence[Pick] = ()  # empty: everything
    best: bool = True  # of the best layer; else of the best one that somebody watches

    def wants(self, track: Track) -> bool:
        about = (track.peer.identity, track.source, track.kind, track.id)
        return not self.only or any(pick.takes(*about) for pick in self.only)

    def concerns(self, identity: str) -> bool:
        return not self.only or any(pick.identity in ("", identity) for pick in self.only)

    def tell(self, message: Message) -> None:
        self.link.tell(message)


class Home(Protocol):
    plane: Plane

    def number(self) -> int: ...
    def now(self) -> float: ...
    def now_ns(self) -> int: ...


class Sinks:
    """All sinks of a worker. ``changed(track)`` is called when a track gains or loses a sink (layers, demand)."""

    def __init__(self, home: Home, changed: Callable[[Track], None]) -> None:
        self._home, self._changed = home, changed
        self._sinks: dict[tuple[str, str], RoomSink] = {}  # (room, sink)
        self._outlets: dict[Link, Outlet] = {}
        self._handles: dict[Link, itertools.count[int]] = {}

    def of(self, room: Room) -> list[RoomSink]:
        return [sink for sink in self._sinks.values() if sink.room is room]

    def takes(self, track: Track) -> bool:
        return any(track.id in sink.tapped and sink.tapped[track.id].allowed for sink in self.of(track.room))

    def quality(self, track: Track) -> int:
        """The best quality of which sinks make the publisher send it, -1 for none."""
        takers = [(sink.best, sink.tapped[track.id]) for sink in self.of(track.room) if track.id in sink.tapped]
        return max((min(HIGH if best else LOW, tapped.most) for best, tapped in takers if tapped.allowed), default=-1)

    def consider(self, track: Track) -> None:
        """Who watches the track, or how large, has changed: up at once; down after a while, for each change is another file."""
        watched = track.watched()
        for sink in self.of(track.room):
            tapped = sink.tapped.get(track.id)
            if tapped is None or sink.best or track.kind != "video":
                continue
            if watched > tapped.layer:
                self._set_layer(tapped, watched)
            if watched >= tapped.layer:
                tapped.less_since = None
            elif tapped.less_since is None:
                tapped.less_since = self._home.now()
            elif self._home.now() - tapped.less_since >= LESS_AFTER:
                self._set_layer(tapped, watched)

    def _set_layer(self, tapped: _Tapped, layer: int) -> None:
        tapped.layer, tapped.less_since = layer, None
        self._home.plane.set_tap_layer(tapped.tap, min(layer, tapped.most))

    def cap(self, link: Link, handle: int, most: int) -> None:
        """That sink takes no better layer of the track, and makes nobody send one."""
        for sink in self._sinks.values():
            for tapped in sink.tapped.values() if sink.link is link else ():
                if tapped.handle == handle and tapped.track.kind == "video":
                    tapped.most = max(LOW, min(HIGH, most))
                    self._home.plane.set_tap_layer(tapped.tap, min(tapped.layer, tapped.most))
                    self._changed(tapped.track)

    # ---- opening and closing

    def open(self, link: Link, room: Room, name: str, only: Sequence[Pick] = (), layers: str = "best") -> None:
        """Everything that is there is told first. The same sink again (a recorder that came back) begins anew."""
        self.close(room.name, name)
        if link not in self._outlets:
            self._outlets[link] = Outlet(link)
            self._handles[link] = itertools.count(1)
        sink = self._sinks[room.name, name] = RoomSink(name, room, link, self._outlets[link], only=only, best=layers != "watched")
        room.sinks.add(name)
        for peer in room.peers.values():
            if not peer.hidden:
                self._tell_peer(sink, peer, True, "")
        for track in room.tracks.values():
            self._begin(sink, track)

    def close(self, room: str, name: str) -> bool:
        sink = self._sinks.pop((room, name), None)
        if sink is None:
            return False
        sink.room.sinks.discard(name)
        for tapped in list(sink.tapped.values()):
            self._home.plane.remove_tap(tapped.tap)
            del sink.tapped[tapped.track.id]
            self._changed(tapped.track)
        return True

    def room_closed(self, room: Room, reason: str) -> None:
        for sink in self.of(room):
            sink.outlet.flush()
            sink.tell(messages.SinkClosed(sink.id, reason))
            self.close(room.name, sink.id)

    def link_closed(self, link: Link) -> list[RoomSink]:
        """The recorder is gone; returns the sinks that ended."""
        gone = [sink for sink in self._sinks.values() if sink.link is link]
        for sink in gone:
            self.close(sink.room.name, sink.id)
        outlet = self._outlets.pop(link, None)
        if outlet is not None:
            outlet.close()
        self._handles.pop(link, None)
        return gone

    # ---- facts

    def _tell_peer(self, sink: RoomSink, peer: Peer, present: bool, reason: str) -> None:
        if sink.concerns(peer.identity):
            sink.tell(SinkPeer(sink.id, peer.id, peer.identity, present, self._home.now_ns(), peer.about, reason))

    def peer(self, peer: Peer, present: bool, reason: str = "") -> None:
        for sink in self.of(peer.room):
            self._tell_peer(sink, peer, present, reason)

    def track_begins(self, track: Track) -> None:
        for sink in self.of(track.room):
            tapped = sink.tapped.get(track.id)
            if tapped is not None and tapped.encoding is not track.primary:  # a better one has come
                self._end(sink, tapped)
            self._begin(sink, track)

    def _begin(self, sink: RoomSink, track: Track) -> None:
        encoding = track.primary
        if encoding is None or track.id in sink.tapped or not sink.wants(track):
            return
        handle = next(self._handles[sink.link])
        allowed = self._allowed(sink, track, encoding)
        tapped = _Tapped(handle, self._home.number(), track, encoding, allowed)
        sink.tapped[track.id] = tapped
        self._tell_track(sink, tapped, True)
        plane = self._home.plane
        plane.add_tap(tapped.tap, encoding.receiver, partial(sink.outlet.feed, handle))
        if not sink.best and track.kind == "video":
            self._set_layer(tapped, track.watched())
        if not allowed:
            plane.set_tap_allowed(tapped.tap, False)
        self._changed(track)

    def _tell_track(self, sink: RoomSink, tapped: _Tapped, begins: bool) -> None:
        track, (width, height) = tapped.track, tapped.track.size()
        sink.tell(
            SinkTrack(
                sink=sink.id,
                handle=tapped.handle,
                track=track.id,
                peer=track.peer.id,
                identity=track.peer.identity,
                kind=track.kind,
                source=track.source,
                open=begins,
                at=self._home.now_ns(),
                codec=tapped.encoding.codec,
                width=width,
                height=height,
                muted=track.muted,
                encrypted=track.encrypted,
            )
        )

    def track_ends(self, track: Track, encoding: Encoding) -> None:
        """The encoding goes; if it was tapped, another one of the track begins anew."""
        for sink in self.of(track.room):
            tapped = sink.tapped.get(track.id)
            if tapped is not None and tapped.encoding is encoding:
                self._end(sink, tapped)

    def _end(self, sink: RoomSink, tapped: _Tapped) -> None:
        sink.outlet.flush()
        self._home.plane.remove_tap(tapped.tap)
        del sink.tapped[tapped.track.id]
        self._tell_track(sink, tapped, False)

    def muted(self, track: Track) -> None:
        for sink in self.of(track.room):
            if track.id in sink.tapped:
                sink.outlet.flush()
                sink.tell(SinkMuted(sink.id, track.id, track.muted, self._home.now_ns()))

    def gate(self, track: Track) -> None:
        """A gate of this track has moved."""
        for sink in self.of(track.room):
            tapped = sink.tapped.get(track.id)
            if tapped is not None:
                allowed = self._allowed(sink, track, tapped.encoding)
                if allowed != tapped.allowed:
                    tapped.allowed = allowed
                    self._home.plane.set_tap_allowed(tapped.tap, allowed)
                    self._changed(track)

    def _allowed(self, sink: RoomSink, track: Track, encoding: Encoding) -> bool:
        # A Source's receiver is shared between rooms, so gate one of this room cannot be shut there.
        if track.encrypted:
            return False
        return not {(sink.id, track.id), ("", track.id)} & sink.room.denied and (track.flows or not encoding.shared)

    def speakers(self, room: Room, speakers: Sequence[Speaker]) -> None:
        for sink in self.of(room):
            if heard := [speaker for speaker in speakers if sink.concerns(speaker.identity)]:
                sink.tell(SinkSpeakers(sink.id, heard, self._home.now_ns()))

    def data(self, room: Room, identity: str, reliable: bool, packet: bytes) -> None:
        for sink in self.of(room):
            if sink.concerns(identity):
                sink.tell(SinkData(sink.id, identity, reliable, packet, self._home.now_ns()))

    def clock(self, tap: int, rtp_time: int, ntp: int) -> None:
        """A sender report, in the RTP time of this tap."""
        for sink in self._sinks.values():
            for tapped in sink.tapped.values():
                if tapped.tap == tap:
                    sink.tell(messages.SinkClock(tapped.handle, rtp_time, ntp, self._home.now_ns()))

    def key_frame(self, link: Link, handle: int) -> None:
        for sink in self._sinks.values():
            if sink.link is link:
                for tapped in sink.tapped.values():
                    if tapped.handle == handle:
                        self._home.plane.request_key_frame(tapped.encoding.receiver)

    def tick(self) -> None:
        """A few times a second: tell what was lost, follow what is watched."""
        for sink in self._sinks.values():
            if sink.outlet.lost:
                for tapped in sink.tapped.values():
                    packets = sink.outlet.lost.pop(tapped.handle, 0)
                    if packets:
                        sink.tell(SinkGap(sink.id, tapped.handle, packets, self._home.now_ns()))
            if not sink.best:
                for tapped in sink.tapped.values():
                    if tapped.less_since is not None:
                        self.consider(tapped.track)
