"""Media worker → hub."""

from __future__ import annotations

from msgspec import Struct

from commhub.media.messages.common import BaseMessage, Layer, Speaker


class TrackState(Struct, frozen=True, omit_defaults=True):
    """In a snapshot, as :class:`Announce` and what followed it made it. ``live``: packets of it have come."""

    track: str
    kind: str
    source: str
    mime: str = ""
    mid: str = ""
    muted: bool = False
    open: bool = True
    live: bool = False
    cids: dict[str, str] = {}


class PeerState(Struct, frozen=True, omit_defaults=True):
    """In a snapshot; ``record`` is what the hub gave to be kept."""

    peer: str
    identity: str
    kind: str
    dual: bool
    connected: bool
    about: dict[str, str] = {}
    record: bytes = b""
    tracks: list[TrackState] = []
    subscriptions: list[str] = []
    source: str = ""
    received: int = 0
    hidden: bool = False
    may_publish: bool = True
    may_subscribe: bool = True
    may_send_data: bool = True


class RoomState(Struct, frozen=True):
    room: str
    peers: list[PeerState]
    sinks: list[str] = []
    denied: list[tuple[str, str]] = []  # (peer or sink, track) that gate two is closed for


class WorkerSnapshot(BaseMessage, frozen=True):
    """Answer to the hub's Hello: all the worker knows."""

    worker: str
    rooms: list[RoomState]
    sources: list[str]
    engine: str = "python"


class PeerConnected(BaseMessage, frozen=True):
    """The (publisher, in dual mode) connection is up: ICE, DTLS."""

    room: str
    peer: str


class PeerLost(BaseMessage, frozen=True):
    """No packet from the peer for the ICE time-out, or it closed DTLS."""

    room: str
    peer: str
    reason: str


class TrackBound(BaseMessage, frozen=True):
    """The negotiation found the announced track in the SDP: ``mid`` and codec are known from now on."""

    room: str
    peer: str
    track: str
    mid: str
    mime: str


class TrackLayers(BaseMessage, frozen=True):
    """The layers of a camera's track, and their sizes as far as they are known; told again when they change."""

    room: str
    peer: str
    track: str
    layers: list[Layer]


class TrackLive(BaseMessage, frozen=True):
    """First media packet of a track."""

    room: str
    peer: str
    track: str


class TrackEnded(BaseMessage, frozen=True):
    """The publisher's newest offer no longer sends a bound track (LiveKit clients unpublish by that alone), or its
    Source's stream ended: receivers have been cut off, the track is unbound. The hub answers with Withdraw."""

    room: str
    peer: str
    track: str


class TrackSubscribed(BaseMessage, frozen=True):
    """Somebody receives the track now for the first time; its publisher is told."""

    room: str
    peer: str
    track: str
    subscriber: str


class SectionsWanted(BaseMessage, frozen=True):
    """Single connection: the client must offer again with this many more recvonly sections (0, 0 is legal)."""

    room: str
    peer: str
    audio: int
    video: int


class ServerOffer(BaseMessage, frozen=True):
    """Dual: the worker's offer for the subscriber connection."""

    room: str
    peer: str
    sdp: str
    id: int
    mids: dict[str, str] = {}


class Wanted(BaseMessage, frozen=True):
    """Dynacast: which layers of a track anybody wants (``[(mime, [quality, …])]``)."""

    room: str
    peer: str
    track: str
    codecs: list[tuple[str, list[int]]]


class Speakers(BaseMessage, frozen=True):
    """Changes only."""

    room: str
    speakers: list[Speaker]


class PeerQuality(Struct, frozen=True):
    """How one participant's connection is at the moment."""

    peer: str
    quality: int  # livekit ConnectionQuality: 0 poor, 1 good, 2 excellent, 3 lost
    score: float  # MOS-like, 1 … 5


class Quality(BaseMessage, frozen=True):
    """Every 5 s, changes only."""

    room: str
    peers: list[PeerQuality]


class Paused(BaseMessage, frozen=True):
    """The engine stopped (or resumed) sending a track to a subscriber for want of bandwidth."""

    room: str
    peer: str
    track: str
    paused: bool


class Demand(BaseMessage, frozen=True):
    """Is anybody (viewer or sink) taking this Source on this worker? Told on every change. ``worker`` is the teller's name;
    ``layers`` are the streams of the Source that are taken (``SourceStream.layer``: main, sub), where it has several;
    ``main/H264`` (:data:`PLAIN`) beside ``main``: somebody who takes it decodes nothing of what it comes in."""

    source: str
    wanted: bool
    worker: str = ""
    layers: tuple[str, ...] = ("main",)


class DataReceived(BaseMessage, frozen=True):
    """The sequence of the peer's last reliable data packet that was passed on; told now and then, so it may lag."""

    room: str
    peer: str
    sequence: int


class Untaken(BaseMessage, frozen=True):
    """The subscriber decodes none of the codecs the track is sent in (or could be)."""

    room: str
    peer: str
    track: str


class SinkEnded(BaseMessage, frozen=True):
    """A sink's link died; the hub sees that the recording goes on elsewhere."""

    room: str
    sink: str
