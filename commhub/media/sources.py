"""Sources that bridges push, or that are lent by participants of this worker: one receiver per stream, however many rooms it is
attached to.

When a bridge dies its streams stay where they are, frozen: the next one pushes into the same receivers, and nobody in the
rooms has to negotiate anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from commhub import log as logs
from commhub.media.link import Link, records
from commhub.media.messages import Codec, Demand, KeyFrameWanted, Message, PushSource, SourceClock, SourceStream
from commhub.media.plane import Plane
from commhub.media.room import Encoding, Peer, Track

log = logs.get(__name__)

GRACE = 5.0  # seconds without a taker until that is told


@dataclass(slots=True, eq=False)
class Stream:
    kind: str
    codec: Codec
    receiver: int
    handle: int = 0
    layers: int = 1
    lent: bool = False  # the receiver is a participant's


@dataclass(slots=True, eq=False)
class Source:
    id: str
    link: Link | None = None
    streams: dict[str, Stream] = field(default_factory=dict)  # by name, else by kind
    peers: set[Peer] = field(default_factory=set)
    wanted: bool = True  # as told; whoever has been told nothing takes it as wanted
    idle_since: float | None = None


class Home(Protocol):
    plane: Plane

    def number(self) -> int: ...
    def now(self) -> float: ...
    def emit(self, message: Message) -> None: ...
    def bound(self, track: Track, encoding: Encoding) -> None: ...
    def unbound(self, track: Track, encoding: Encoding) -> None: ...


class Sources:
    """All Sources of a worker. ``taken(peer)``: does anybody receive a track of this bridge peer?"""

    def __init__(self, home: Home, worker: str, taken: Callable[[Peer], bool]) -> None:
        self._home, self._worker, self._taken = home, worker, taken
        self._sources: dict[str, Source] = {}
        self._handles: dict[tuple[Link, int], Stream] = {}
        self._receivers: dict[int, Stream] = {}
        self.refused = 0  # packets of handles that nobody opened

    def names(self) -> list[str]:
        """Those that are pushed now."""
        return sorted(source.id for source in self._sources.values() if source.link is not None)

    def _get(self, name: str) -> Source:
        return self._sources.setdefault(name, Source(name))

    # ---- the bridge's side

    def push(self, link: Link, message: PushSource) -> None:
        source = self._get(message.source)
        self._forget_handles(source)
        source.link = link
        streams = {stream.name or stream.kind: stream for stream in message.streams}
        for name in [name for name in source.streams if name not in streams]:
            self._end(source, name)
        for name, pushed in streams.items():
            stream = source.streams.get(name)
            if stream is not None and (stream.lent or not _same(stream.codec, pushed)):
                self._end(source, name)
                stream = None
            if stream is None:
                stream = source.streams[name] = Stream(pushed.kind, pushed.codec, self._home.number())
                self._receivers[stream.receiver] = stream
                self._home.plane.add_fed_receiver(stream.receiver, pushed.kind, pushed.codec.mime, pushed.codec.clock_rate)
            stream.codec, stream.handle = pushed.codec, pushed.handle
            self._handles[link, pushed.handle] = stream
        for peer in source.peers:
            self.bind(peer)

    def lend(self, name: str, encodings: Mapping[str, tuple[str, Encoding]]) -> None:
        """A Source whose streams are receivers that are here already, by the stream's name: its kind and the encoding. The
        last word counts; none of them ends it."""
        source = self._get(name)
        self._forget_handles(source)
        source.link = None
        for stream, known in list(source.streams.items()):
            if stream not in encodings or not known.lent or encodings[stream][1].receiver != known.receiver:
                self._end(source, stream)
        for stream, (kind, encoding) in encodings.items():
            if stream not in source.streams:
                source.streams[stream] = Stream(kind, encoding.codec, encoding.receiver, layers=encoding.layers, lent=True)
        for peer in source.peers:
            self.bind(peer)
        if not source.peers and not source.streams:
            del self._sources[name]

    def end(self, name: str, link: Link | None) -> None:
        """``link`` None: by the hub, for good. Else its bridge pulls it no longer; it may push it again."""
        source = self._sources.get(name)
        if source is None or (link is not None and source.link is not link):
            return
        self._forget_handles(source)
        source.link = None
        if link is None or not source.peers:
            for kind in list(source.streams):
                self._end(source, kind)
        if not source.peers:
            del self._sources[name]

    def link_closed(self, link: Link) -> None:
        for source in [source for source in self._sources.values() if source.link is link]:
            self.end(source.id, link)

    def _forget_handles(self, source: Source) -> None:
        mine = set(source.streams.values())
        self._handles = {key: stream for key, stream in self._handles.items() if stream not in mine}

    def _end(self, source: Source, name: str) -> None:
        stream = source.streams.pop(name)
        self._receivers.pop(stream.receiver, None)
        for peer in source.peers:
            for track in list(peer.tracks.values()):
                for encoding in [one for one in track.encodings if one.receiver == stream.receiver]:
                    self._home.unbound(track, encoding)
        if not stream.lent:
            self._home.plane.remove_receiver(stream.receiver)

    def batch(self, link: Link, batch: bytes) -> None:
        """Packets of a bridge. ValueError when the batch is torn."""
        plane = self._home.plane
        handles = self._handles
        for handle, at, packet in records(batch):
            stream = handles.get((link, handle))
            if stream is None:
                self.refused += 1
            else:
                plane.feed(stream.receiver, packet, at)
        plane.flush()

    def clock(self, link: Link, message: SourceClock) -> None:
        """A device's sender report. The plane hands it on to routes and taps, in the RTP time they have."""
        stream = self._handles.get((link, message.handle))
        if stream is not None:
            self._home.plane.feed_clock(stream.receiver, message.rtp_time, message.ntp)

    def key_frame_wanted(self, receiver: int) -> None:
        stream = self._receivers.get(receiver)
        if stream is None:
            return
        for source in self._sources.values():
            if source.link is not None and stream in source.streams.values():
                source.link.tell(KeyFrameWanted(stream.handle))

    # ---- the rooms' side

    def attach(self, peer: Peer, name: str) -> None:
        if peer.feed == name:
            return
        self.detach(peer)
        peer.feed = name
        self._get(name).peers.add(peer)
        self.bind(peer)

    def detach(self, peer: Peer) -> None:
        source = self._sources.get(peer.feed)
        if source is None:
            return
        source.peers.discard(peer)
        peer.feed = ""
        if not source.peers and source.link is None and not any(stream.lent for stream in source.streams.values()):
            self.end(source.id, None)

    def bind(self, peer: Peer) -> None:
        """Give every unbound track of a bridge peer the stream that its ``cids`` name, else the one of its kind."""
        source = self._sources.get(peer.feed)
        if source is None:
            return
        for track in peer.tracks.values():
            stream = next((source.streams[name] for name in track.cids or (track.kind,) if name in source.streams), None)
            if stream is not None and not track.encodings:
                # There is no SDP; a stand-in for the mid tells the hub that the track is bound.
                self._home.bound(track, Encoding(stream.receiver, stream.codec, stream.kind, stream.layers))

    def tick(self) -> None:
        """Tell changes of demand: at once when somebody takes it, after a while when nobody does."""
        now = self._home.now()
        for source in self._sources.values():
            # Nobody can have subscribed before it was there.
            taken = not source.streams or any(map(self._taken, source.peers))
            if taken:
                source.idle_since = None
                self._tell(source, True)
            elif source.idle_since is None:
                source.idle_since = now
            elif now - source.idle_since >= GRACE:
                self._tell(source, False)

    def _tell(self, source: Source, wanted: bool) -> None:
        if source.wanted != wanted:
            source.wanted = wanted
            self._home.emit(Demand(source.id, wanted, self._worker))

    def retell(self) -> None:
        """To a new hub, which takes everything as wanted."""
        for source in self._sources.values():
            if not source.wanted:
                self._home.emit(Demand(source.id, False, self._worker))


def _same(codec: Codec, pushed: SourceStream) -> bool:
    one, other = codec, pushed.codec
    return (one.mime.lower(), one.clock_rate, one.channels) == (other.mime.lower(), other.clock_rate, other.channels)
