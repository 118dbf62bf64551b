"""What a worker knows of its rooms: peers, tracks, who receives what. Data and questions; nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from commhub.media import negotiation
from commhub.media.messages import Announce, Codec, Layer, PeerState, RoomState, TrackState
from commhub.media.plane import ReceiverSpec
from commhub.wire import sdp

if TYPE_CHECKING:
    from commhub.media.connection import Connection

LOW, MEDIUM, HIGH = 0, 1, 2
SUB, MAIN = "sub", "main"  # the layers of a camera, SourceStream.layer


def layer_of(quality: int) -> str:
    """Which stream of a camera with two serves a quality."""
    return SUB if quality == LOW else MAIN


@dataclass(slots=True, eq=False)
class Encoding:
    """One receiver of the data plane that carries a track. ``spec`` is None for a Source's, which rooms share. Of a Source's
    layers (main, sub, or "" for the only one) ``native`` are those that come in this codec by themselves, ``made`` those that
    its bridge makes; ``stored``: WebRTC's receivers cannot show it."""

    receiver: int
    codec: Codec
    mid: str
    layers: int = 1
    cid: str = ""
    spec: ReceiverSpec | None = None
    native: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()
    stored: bool = False

    def has(self, layer: str) -> bool:
        """Whether a Source's layer comes in it by itself."""
        return layer in self.native or "" in self.native

    @property
    def rank(self) -> int:
        """The best one of a track is recorded: of a Source the original, of its larger picture."""
        return 2 if self.native - {SUB} else 1 if self.native else 0

    @property
    def redundant(self) -> bool:
        """Does its publisher send redundant audio?"""
        return self.spec is not None and negotiation.RED in self.spec.payload_types.values()

    @property
    def shared(self) -> bool:
        return self.spec is None


@dataclass(slots=True, eq=False)
class Track:
    """Announced by its peer; it has encodings once the negotiation (or its Source) has brought it."""

    id: str
    peer: Peer
    kind: str
    source: str
    name: str = ""
    cids: dict[str, str] = field(default_factory=dict)
    stream: str = ""
    announced: list[Layer] = field(default_factory=list)
    muted: bool = False
    open: bool = True
    live: bool = False
    received: bool = False  # somebody has received it: its publisher was told
    red: bool = False  # redundant audio may be negotiated
    encrypted: bool = False  # end to end: frames are opaque
    codecs: list[str] = field(default_factory=list)  # mimes its publisher could send, best first
    encodings: list[Encoding] = field(default_factory=list)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)  # by subscriber
    wanted: list[tuple[str, list[int]]] | None = None  # as its publisher was told
    unwanted_since: float = 0.0  # monotonic; since when less would be enough

    @property
    def room(self) -> Room:
        return self.peer.room

    @property
    def flows(self) -> bool:
        """Gate one, and mute."""
        return self.open and not self.muted

    @property
    def bound(self) -> dict[str, str]:
        return {encoding.mid: encoding.cid for encoding in self.encodings}

    @property
    def primary(self) -> Encoding | None:
        return max(self.encodings, key=lambda encoding: encoding.rank, default=None)

    def announcement(self) -> negotiation.Announcement:
        return negotiation.Announcement(self.id, self.kind, self.cids, self.bound)

    def watched(self) -> int:
        """The best quality somebody looks at; the lowest while nobody does."""
        return max((one.asked for one in self.subscriptions.values() if one.enabled and one.allowed), default=LOW)

    def size(self) -> tuple[int, int]:
        """Width and height of the best layer as announced, 0 × 0 when unknown."""
        best = max(self.announced, key=lambda layer: layer.quality, default=None)
        return (best.width, best.height) if best else (0, 0)

    def takes(self, section: sdp.Section, layer: str = "") -> tuple[Encoding, sdp.Codec] | None:
        """The encoding that a subscriber's section can carry, and as what. ``layer`` (main, sub) prefers the one in which that
        layer of a Source comes by itself."""
        found = None
        for encoding in self.encodings:
            codec = None if encoding.stored else negotiation.accept(section, encoding.codec)
            if codec is not None and (not layer or not encoding.native or encoding.has(layer)):
                return encoding, codec
            if codec is not None and found is None:
                found = encoding, codec
        return found

    def native(self, layer: str) -> Encoding | None:
        """In which a layer of a Source comes by itself; None while that is not known."""
        return next((encoding for encoding in self.encodings if encoding.has(layer)), None)

    @property
    def backups(self) -> list[str]:
        """Codecs its publisher could send, and does not yet."""
        sent = {encoding.codec.mime for encoding in self.encodings if not encoding.stored}
        return [mime for mime in self.codecs if mime not in sent]

    def state(self) -> TrackState:
        first = self.primary
        mid, mime = (first.mid, first.codec.mime) if first else ("", "")
        return TrackState(self.id, self.kind, self.source, mime, mid, self.muted, self.open, self.live, self.cids)


@dataclass(slots=True, eq=False)
class Subscription:
    """A peer wants a track. ``route`` is 0 while no section carries it."""

    peer: Peer
    track: Track
    enabled: bool = True
    quality: int = HIGH
    priority: int = 0
    mid: str = ""
    route: int = 0
    encoding: Encoding | None = None
    fps: int = 0  # as many frames per second are enough; 0 = all
    cap: int | None = None  # best layer the bandwidth allows
    temporal: int = 99  # likewise, and that is enough
    starved: bool = False  # not even the lowest layer fits
    untaken: bool = False  # the client decodes none of the track's codecs

    @property
    def allowed(self) -> bool:
        """Gate two."""
        return (self.peer.id, self.track.id) not in self.peer.room.denied and self.peer.may_subscribe

    @property
    def active(self) -> bool:
        """Does the viewer really look at it?"""
        return self.enabled and self.allowed and self.mid != ""

    @property
    def asked(self) -> int:
        """The quality the viewer needs; the lowest one while there is too much to do."""
        return 0 if self.peer.room.shed else self.quality

    def layer(self) -> int:
        """The best layer to send; which of those that are there is nearest the data plane knows."""
        return self.asked if self.cap is None else min(self.asked, self.cap)

    def takes(self, section: sdp.Section) -> tuple[Encoding, sdp.Codec] | None:
        """What the section can carry, and as what."""
        return self.track.takes(section, layer_of(self.layer()))


@dataclass(slots=True, eq=False)
class Peer:
    """A participant. ``connection`` is None for a bridge, whose media comes from the Source ``feed``."""

    id: str
    room: Room
    identity: str
    kind: str
    dual: bool = False
    about: dict[str, str] = field(default_factory=dict)
    record: bytes = b""
    hidden: bool = False
    may_publish: bool = True
    may_subscribe: bool = True
    may_send_data: bool = True
    fixed: bool = False  # its client never offers again
    may_pause: bool = True  # its videos may stop for want of bandwidth
    adaptive: bool = False  # it says what its views need
    takes_red: bool = True  # may get audio with redundancy
    received: int = 0  # sequence of its last reliable data packet
    connected: bool = False
    feed: str = ""
    tracks: dict[str, Track] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    connection: Connection | None = None

    def announce(self, message: Announce) -> Track:
        """A new track, or what is new about a known one (another codec's cid)."""
        track = self.tracks.get(message.track)
        if track is None:
            track = self.tracks[message.track] = Track(message.track, self, message.kind, message.source)
            self.room.tracks[track.id] = track
        track.name, track.cids, track.stream = message.name, message.cids, message.stream
        track.announced, track.muted = message.layers, message.muted
        track.codecs, track.encrypted = message.codecs, message.encrypted
        # Redundancy is made of frames: who encrypts them encrypts the whole, and nobody here could take it apart.
        track.red = message.red and not message.encrypted
        return track

    def state(self) -> PeerState:
        return PeerState(
            peer=self.id,
            identity=self.identity,
            kind=self.kind,
            dual=self.dual,
            connected=self.connected,
            about=self.about,
            record=self.record,
            tracks=[track.state() for track in self.tracks.values()],
            subscriptions=list(self.subscriptions),
            source=self.feed,
            received=self.received,
            hidden=self.hidden,
            may_publish=self.may_publish,
            may_subscribe=self.may_subscribe,
            may_send_data=self.may_send_data,
        )


@dataclass(slots=True, eq=False)
class Room:
    name: str
    peers: dict[str, Peer] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    denied: set[tuple[str, str]] = field(default_factory=set)  # (peer or sink, track) that gate two closed
    sinks: set[str] = field(default_factory=set)
    shed: bool = False  # the worker has too much to do: viewers get the lowest layers

    def state(self) -> RoomState:
        return RoomState(self.name, [peer.state() for peer in self.peers.values()], sorted(self.sinks), sorted(self.denied))
