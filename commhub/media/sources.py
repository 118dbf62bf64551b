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
from commhub.media.demand import Demands
from commhub.media.link import Link, runs
from commhub.media.messages import Codec, KeyFrameWanted, Layer, Message, PushSource, SourceClock, SourceStream, TrackLayers
from commhub.media.plane import Plane
from commhub.media.room import HIGH, LOW, MAIN, SUB, Encoding, Peer, Subscription, Track

log = logs.get(__name__)

#: Taken as the size of a layer that has not come yet, so that viewers can ask for it.
SIZES = {SUB: (640, 360), MAIN: (1920, 1080)}


#: Of streams that are one: by which name tracks find it (else its kind), its mime in lower case, and whether it is only stored.
Key = tuple[str, str, bool]


@dataclass(slots=True, eq=False)
class Stream:
    """A medium in one codec: one stream of its bridge, or several that are layers of one picture."""

    kind: str
    codec: Codec
    receiver: int
    layers: int = 1
    lent: bool = False  # the receiver is a participant's
    handles: dict[int, int] = field(default_factory=dict)  # layer (0 the smallest) → handle
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)  # as they were last, by the layer's name
    native: frozenset[str] = frozenset()  # layers, of those that are pushed
    made: frozenset[str] = frozenset()
    backups: tuple[str, ...] = ()

    def take(self, pushed: list[SourceStream]) -> None:
        """The bridge's newest word about it."""
        self.codec = pushed[0].codec
        self.handles = {0 if one.layer == SUB else self.layers - 1: one.handle for one in pushed}
        self.sizes |= {one.layer: (one.width, one.height) for one in pushed if one.layer and one.width}
        self.native = frozenset(one.layer for one in pushed if not one.made)
        self.made = frozenset(one.layer for one in pushed if one.made)
        self.backups = tuple(dict.fromkeys(mime for one in pushed for mime in one.backups))

    def encoding(self, key: Key) -> Encoding:
        """As a track has it. There is no SDP; a stand-in for the mid tells the hub that the track is bound."""
        mid = self.kind if key[0] != self.kind or not self.made or self.native else f"{self.kind}-made"
        return self.shape(Encoding(self.receiver, self.codec, mid, self.layers), key)

    def shape(self, encoding: Encoding, key: Key) -> Encoding:
        encoding.codec, encoding.native, encoding.made, encoding.stored = self.codec, self.native, self.made, key[2]
        return encoding


def _announced(streams: list[Stream]) -> list[Layer]:
    """What viewers may ask for; nothing of a stream that is the only one."""
    if all(stream.layers == 1 for stream in streams):
        return []
    sizes: dict[str, tuple[int, int]] = {}
    for stream in streams:
        sizes = stream.sizes | sizes
    named = ((quality, name, sizes.get(name, SIZES[name])) for quality, name in ((LOW, SUB), (HIGH, MAIN)))
    return [Layer(quality, width, height) for quality, name, (width, height) in named]


@dataclass(slots=True, eq=False)
class Source:
    id: str
    link: Link | None = None
    streams: dict[Key, Stream] = field(default_factory=dict)  # originals first
    peers: set[Peer] = field(default_factory=set)

    def of(self, track: Track) -> dict[Key, Stream]:
        """In which codecs a track can be had: what its ``cids`` name, else what is of its kind."""
        names = track.cids or (track.kind,)
        return {key: stream for key, stream in self.streams.items() if key[0] in names}


class Home(Protocol):
    plane: Plane

    def number(self) -> int: ...
    def now(self) -> float: ...
    def emit(self, message: Message) -> None: ...
    def bound(self, track: Track, encoding: Encoding) -> None: ...
    def unbound(self, track: Track, encoding: Encoding) -> None: ...
    def reshaped(self, track: Track, encoding: Encoding) -> None:
        """Other layers come in it now."""

    def untaken(self, subscription: Subscription) -> None: ...


class Sources:
    """All Sources of a worker. ``taken(peer)``: which layers does anybody receive of this bridge peer?"""

    def __init__(self, home: Home, worker: str, taken: Callable[[Peer], set[str]]) -> None:
        self._home = home
        self._demands = Demands(home, worker, taken)
        self._sources: dict[str, Source] = {}
        self._handles: dict[tuple[Link, int], tuple[Stream, int]] = {}  # → its layer
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
        streams = _grouped(message.streams)
        for key in [key for key in source.streams if key not in streams]:
            other = (*key[:2], not key[2])
            if other in streams and other not in source.streams:  # it is the same, only nobody can show it now
                source.streams[other] = source.streams.pop(key)
            else:
                self._end(source, key)
        for key, pushed in streams.items():
            layers = 2 if any(one.layer for one in pushed) else 1
            stream = source.streams.get(key)
            if stream is not None and (stream.lent or not _same(stream.codec, pushed[0]) or layers > stream.layers):
                self._end(source, key)
                stream = None
            if stream is None:
                kind, codec = pushed[0].kind, pushed[0].codec
                stream = source.streams[key] = Stream(kind, codec, self._home.number(), layers)
                self._receivers[stream.receiver] = stream
                obeys = bool(pushed[0].name)  # a participant's encoder
                self._home.plane.add_fed_receiver(stream.receiver, kind, codec.mime, codec.clock_rate, layers, obeys)
            stream.take(pushed)
            self._handles |= {(link, handle): (stream, layer) for layer, handle in stream.handles.items()}
        source.streams = {key: source.streams[key] for key in streams}
        for peer in source.peers:
            self.bind(peer)

    def lend(self, name: str, encodings: Mapping[str, tuple[str, Encoding]]) -> None:
        """A Source whose streams are receivers that are here already, by the stream's name: its kind and the encoding. The
        last word counts; none of them ends it."""
        source = self._get(name)
        self._forget_handles(source)
        source.link = None
        for key, known in list(source.streams.items()):
            if key[0] not in encodings or not known.lent or encodings[key[0]][1].receiver != known.receiver:
                self._end(source, key)
        for name, (kind, encoding) in encodings.items():
            key = (name, encoding.codec.mime.lower(), False)
            if key not in source.streams:
                source.streams[key] = Stream(kind, encoding.codec, encoding.receiver, encoding.layers, lent=True)
        for peer in source.peers:
            self.bind(peer)
        if not source.peers and not source.streams:
            self._forget(name)

    def end(self, name: str, link: Link | None) -> None:
        """``link`` None: by the hub, for good. Else its bridge pulls it no longer; it may push it again."""
        source = self._sources.get(name)
        if source is None or (link is not None and source.link is not link):
            return
        self._forget_handles(source)
        source.link = None
        if link is None or not source.peers:
            for key in list(source.streams):
                self._end(source, key)
        if not source.peers:
            self._forget(name)

    def link_closed(self, link: Link) -> None:
        for source in [source for source in self._sources.values() if source.link is link]:
            self.end(source.id, link)

    def _forget(self, name: str) -> None:
        del self._sources[name]
        self._demands.forget(name)

    def _forget_handles(self, source: Source) -> None:
        mine = set(source.streams.values())
        self._handles = {key: known for key, known in self._handles.items() if known[0] not in mine}

    def _end(self, source: Source, key: Key) -> None:
        stream = source.streams.pop(key)
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
        for handle, places in runs(batch):
            known = handles.get((link, handle))
            if known is None:
                self.refused += len(places)
            else:
                plane.feed(known[0].receiver, batch, places, known[1])
        plane.flush()

    def clock(self, link: Link, message: SourceClock) -> None:
        """A device's sender report. The plane hands it on to routes and taps, in the RTP time they have."""
        known = self._handles.get((link, message.handle))
        if known is not None:
            self._home.plane.feed_clock(known[0].receiver, message.rtp_time, message.ntp, known[1])

    def key_frame_wanted(self, receiver: int, layer: int) -> None:
        stream = self._receivers.get(receiver)
        if stream is None or layer not in stream.handles:
            return
        for source in self._sources.values():
            if source.link is not None and stream in source.streams.values():
                source.link.tell(KeyFrameWanted(stream.handles[layer]))

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
        """Give every track of a bridge peer the streams that are its, in every codec they come in."""
        source = self._sources.get(peer.feed)
        if source is None:
            return
        for track in peer.tracks.values():
            streams = source.of(track)
            if not streams:
                continue
            if not any(stream.lent for stream in streams.values()):
                self._describe(track, list(streams.values()))
            for key, stream in streams.items():
                known = next((one for one in track.encodings if one.receiver == stream.receiver), None)
                if known is None:
                    self._home.bound(track, stream.encoding(key))
                elif (known.native, known.made, known.stored) != (stream.native, stream.made, key[2]):
                    self._home.reshaped(track, stream.shape(known, key))

    def _describe(self, track: Track, streams: list[Stream]) -> None:
        if track.announced != (layers := _announced(streams)):
            track.announced = layers
            self._home.emit(TrackLayers(track.room.name, track.peer.id, track.id, layers))
        codecs = list(dict.fromkeys([*(one.codec.mime for one in streams), *(mime for one in streams for mime in one.backups)]))
        before, track.codecs = track.codecs, codecs
        if set(before) - set(codecs):  # nothing can be made of it any more
            for subscription in track.subscriptions.values():
                if subscription.untaken:
                    self._home.untaken(subscription)

    def considered(self, peer: Peer) -> None:
        """Who receives a track of this peer, or which layer, has changed."""
        source = self._sources.get(peer.feed)
        if source is not None:
            self._consider(source)

    def _consider(self, source: Source) -> None:
        videos = [stream for stream in source.streams.values() if stream.kind == "video"]
        single = bool(videos) and all(stream.layers == 1 for stream in videos)
        self._demands.consider(source.id, source.peers, bool(source.streams), single)

    def tick(self, every: bool) -> None:
        """What nobody takes any more is told after a while (``every``: look at all), what is wanted for a moment very soon."""
        waiting = [self._sources[name] for name in self._demands.waiting() if name in self._sources]
        for source in self._sources.values() if every else waiting:
            self._consider(source)

    def retell(self) -> None:
        """To a new hub."""
        self._demands.retell()
        for source in self._sources.values():
            for peer in source.peers:
                for track in peer.tracks.values():
                    if track.announced:
                        self._home.emit(TrackLayers(track.room.name, peer.id, track.id, track.announced))


def _grouped(streams: list[SourceStream]) -> dict[Key, list[SourceStream]]:
    """Several that have one name (else kind) and one codec are layers of one picture, the best one first. Originals before what
    is made of them."""
    groups: dict[Key, list[SourceStream]] = {}
    for stream in sorted(streams, key=lambda one: (one.made, one.layer == SUB)):
        group = groups.setdefault((stream.name or stream.kind, stream.codec.mime.lower(), stream.stored), [])
        if not group or (_same(group[0].codec, stream) and stream.layer not in {one.layer for one in group}):
            group.append(stream)
    for group in groups.values():
        group.sort(key=lambda one: one.layer == SUB)
    return groups


def _same(codec: Codec, pushed: SourceStream) -> bool:
    one, other = codec, pushed.codec
    return (one.mime.lower(), one.clock_rate, one.channels) == (other.mime.lower(), other.clock_rate, other.channels)
