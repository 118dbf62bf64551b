"""Everything that travels over the link's control stream: a closed set of records.

Named by who says it. Times are UTC nanoseconds (``at``) unless a name says otherwise. ``room`` is a room name (a consultation's
id, or what an API key's user chose), ``peer`` a participant's ``PA_`` sid, ``track`` a ``TR_`` sid, ``source`` and ``sink`` ids
of the hub (a camera's id, a recording session's id), ``worker`` the name of a media process (``media-0``).
"""

from __future__ import annotations

from typing import Union

from msgspec import Struct, field


class _Message(Struct, frozen=True, tag=True, omit_defaults=True):
    pass


class Codec(Struct, frozen=True, omit_defaults=True):
    """``mime`` is RFC 6838 style (``audio/opus``, ``video/H264``); ``fmtp`` the SDP parameters without the payload type."""

    mime: str
    clock_rate: int
    channels: int = 1
    fmtp: str = ""


class Layer(Struct, frozen=True, omit_defaults=True):
    """A spatial layer the publisher announced. ``quality`` is 0 low, 1 medium, 2 high (LiveKit's VideoQuality)."""

    quality: int
    width: int = 0
    height: int = 0
    bitrate: int = 0
    rid: str = ""


# ---------------------------------------------------------------------------------------------- everybody


class Welcome(_Message, frozen=True):
    """First message of every listener."""

    number: int
    name: str
    pid: int


class Hello(_Message, frozen=True):
    """First request of every dialler: ``role`` is ``hub``, ``bridge`` or ``record``. Answered by a snapshot or Done.

    A hub's ``epoch`` grows with every start; after one Hello, links with a smaller epoch are refused (``stale_epoch``).
    """

    role: str
    name: str
    epoch: int = 0


class Done(_Message, frozen=True):
    """Plain answer to a request."""


# ---------------------------------------------------------------------------------- hub -> media worker


class OpenRoom(_Message, frozen=True):
    room: str


class CloseRoom(_Message, frozen=True):
    """Ends every peer, sink and subscription of the room."""

    room: str


class AddPeer(_Message, frozen=True):
    """A participant. ``kind`` is ``client`` (has peer connections) or ``bridge`` (its media comes from a Source).

    ``about`` is what the recorder needs of a person: ``name``, ``org``, ``kind``. ``record`` is the hub's opaque
    signalling record, returned in the snapshot. ``dual`` = publisher and subscriber connections (``/rtc``).
    """

    room: str
    peer: str
    identity: str
    kind: str = "client"
    dual: bool = False
    about: dict[str, str] = {}
    record: bytes = b""
    hidden: bool = False
    may_publish: bool = True
    may_subscribe: bool = True
    may_send_data: bool = True


class UpdatePeer(_Message, frozen=True):
    """None leaves a value as it is."""

    room: str
    peer: str
    about: dict[str, str] | None = None
    record: bytes | None = None
    hidden: bool | None = None
    may_publish: bool | None = None
    may_subscribe: bool | None = None
    may_send_data: bool | None = None


class RemovePeer(_Message, frozen=True):
    room: str
    peer: str
    reason: str = ""


class Announce(_Message, frozen=True):
    """A track the peer is going to publish (add_track). ``cids`` maps the client's MediaStreamTrack id to the mime it
    wants to send under that id (simulcast codecs); empty mime = any. For a bridge peer it binds the Source's
    stream of the same ``kind`` at once."""

    room: str
    peer: str
    track: str
    kind: str
    source: str
    cids: dict[str, str] = {}
    name: str = ""
    muted: bool = False
    stream: str = ""
    layers: list[Layer] = []
    red: bool = False


class Withdraw(_Message, frozen=True):
    """The track is gone (unpublished, or its publisher lost the right)."""

    room: str
    peer: str
    track: str


class Offer(_Message, frozen=True):
    """The client's offer (single connection, or the publisher side of dual). Answered by :class:`Answer`;
    fails with ``bad_sdp``. New ICE credentials in it mean an ICE restart."""

    room: str
    peer: str
    sdp: str
    id: int = 0


class Answer(_Message, frozen=True):
    """``mids`` maps every media section that carries a subscription to its track."""

    sdp: str
    id: int
    mids: dict[str, str] = {}


class ClientAnswer(_Message, frozen=True):
    """Dual: the client's answer to :class:`ServerOffer`."""

    room: str
    peer: str
    sdp: str
    id: int = 0


class Reoffer(_Message, frozen=True):
    """Dual: make a new offer for the subscriber connection; ``restart`` with new ICE credentials (after a resume)."""

    room: str
    peer: str
    restart: bool = False


class Subscribe(_Message, frozen=True):
    """The peer wants (or no longer wants) these tracks. Unknown tracks are ignored."""

    room: str
    peer: str
    tracks: list[str]
    on: bool = True


class Shape(_Message, frozen=True):
    """What the peer's view needs of a track (track_setting). ``quality`` is the best layer that is useful."""

    room: str
    peer: str
    tracks: list[str]
    enabled: bool = True
    quality: int = 2
    width: int = 0
    height: int = 0
    fps: int = 0
    priority: int = 0


class Mute(_Message, frozen=True):
    """The publisher (or a moderator) muted it: nothing of it is forwarded or recorded while it is muted."""

    room: str
    track: str
    muted: bool


class Open(_Message, frozen=True):
    """Gate one: does this track flow to anybody at all? Tracks start open."""

    room: str
    track: str
    open: bool


class Allow(_Message, frozen=True):
    """Gate two: may this peer (or sink) receive this track? Everything starts allowed."""

    room: str
    subscriber: str
    track: str
    allowed: bool


class SendData(_Message, frozen=True):
    """A serialised ``livekit.DataPacket`` from the server. ``to`` are peer sids; empty = everybody in the room."""

    room: str
    packet: bytes
    reliable: bool = True
    to: list[str] = []


class AttachSource(_Message, frozen=True):
    """The bridge peer's tracks come from this Source (which may be pushed to the worker before or after)."""

    room: str
    peer: str
    source: str


class Sever(_Message, frozen=True):
    """Drop a peer's transports without removing it (tests of recovery, simulate scenarios)."""

    room: str
    peer: str


# ---------------------------------------------------------------------------------- media worker -> hub


class TrackState(Struct, frozen=True, omit_defaults=True):
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


class RoomState(Struct, frozen=True):
    room: str
    peers: list[PeerState]
    sinks: list[str] = []


class WorkerSnapshot(_Message, frozen=True):
    """Answer to the hub's Hello: all the worker knows."""

    worker: str
    rooms: list[RoomState]
    sources: list[str]
    engine: str = "python"


class PeerConnected(_Message, frozen=True):
    """The (publisher, in dual mode) connection is up: ICE, DTLS."""

    room: str
    peer: str


class PeerLost(_Message, frozen=True):
    """No packet from the peer for the ICE time-out, or it closed DTLS."""

    room: str
    peer: str
    reason: str


class TrackBound(_Message, frozen=True):
    """The negotiation found the announced track in the SDP: ``mid`` and codec are known from now on."""

    room: str
    peer: str
    track: str
    mid: str
    mime: str


class TrackLive(_Message, frozen=True):
    """First media packet of a track."""

    room: str
    peer: str
    track: str


class TrackEnded(_Message, frozen=True):
    """The publisher's newest offer no longer sends a bound track (LiveKit clients unpublish by that alone), or its
    Source's stream ended: receivers have been cut off, the track is unbound. The hub answers with Withdraw."""

    room: str
    peer: str
    track: str


class TrackSubscribed(_Message, frozen=True):
    """Somebody receives the track now for the first time; its publisher is told."""

    room: str
    peer: str
    track: str
    subscriber: str


class SectionsWanted(_Message, frozen=True):
    """Single connection: the client must offer again with this many more recvonly sections (0, 0 is legal)."""

    room: str
    peer: str
    audio: int
    video: int


class ServerOffer(_Message, frozen=True):
    """Dual: the worker's offer for the subscriber connection."""

    room: str
    peer: str
    sdp: str
    id: int
    mids: dict[str, str] = {}


class Wanted(_Message, frozen=True):
    """Dynacast: which layers of a track anybody wants (``[(mime, [quality, …])]``)."""

    room: str
    peer: str
    track: str
    codecs: list[tuple[str, list[int]]]


class Speaker(Struct, frozen=True):
    peer: str
    identity: str
    level: float  # 0 … 1
    active: bool


class Speakers(_Message, frozen=True):
    """Changes only."""

    room: str
    speakers: list[Speaker]


class PeerQuality(Struct, frozen=True):
    peer: str
    quality: int  # livekit ConnectionQuality: 0 poor, 1 good, 2 excellent, 3 lost
    score: float  # MOS-like, 1 … 5


class Quality(_Message, frozen=True):
    """Every 5 s, changes only."""

    room: str
    peers: list[PeerQuality]


class Paused(_Message, frozen=True):
    """The engine stopped (or resumed) sending a track to a subscriber for want of bandwidth."""

    room: str
    peer: str
    track: str
    paused: bool


class Demand(_Message, frozen=True):
    """Is anybody (viewer or sink) taking this Source on this worker? Told on every change. ``worker`` is the teller's name."""

    source: str
    wanted: bool
    worker: str = ""


class SinkEnded(_Message, frozen=True):
    """A sink's link died; the hub sees that the recording goes on elsewhere."""

    room: str
    sink: str


# ---------------------------------------------------------------------------------- bridge -> media worker


class SourceStream(Struct, frozen=True, omit_defaults=True):
    """One medium of a Source. ``handle`` names it in packet batches of this link; RTP there carries payload
    type 96, any SSRC, and sequence and time that go on over reconnects."""

    handle: int
    kind: str
    codec: Codec
    width: int = 0
    height: int = 0


class PushSource(_Message, frozen=True):
    """Begin (or change the streams of) a Source on this worker. It ends with the link or with EndSource."""

    source: str
    streams: list[SourceStream]


class EndSource(_Message, frozen=True):
    source: str


class SourceClock(_Message, frozen=True):
    """A sender report of the device: RTP time ↔ NTP (UTC ns)."""

    handle: int
    rtp_time: int
    ntp: int


class KeyFrameWanted(_Message, frozen=True):
    """Worker → bridge or recorder → worker: a key frame of this stream would help now."""

    handle: int


# ---------------------------------------------------------------------------------- record -> media worker and back


class OpenSink(_Message, frozen=True):
    """Receive everything of a room: what is there already is told first, then changes as they come."""

    room: str
    sink: str


class CloseSink(_Message, frozen=True):
    room: str
    sink: str


class SinkPeer(_Message, frozen=True):
    """Somebody is in the room (``present``) or has left it."""

    sink: str
    peer: str
    identity: str
    present: bool
    at: int
    about: dict[str, str] = {}
    reason: str = ""


class SinkTrack(_Message, frozen=True):
    """A track begins (``open``) or ends. ``handle`` names it in packet batches of this link. The codec can only
    change by an end and a new begin under the same ``track``."""

    sink: str
    handle: int
    track: str
    peer: str
    identity: str
    kind: str
    source: str
    open: bool
    at: int
    codec: Codec | None = None
    width: int = 0
    height: int = 0
    muted: bool = False


class SinkMuted(_Message, frozen=True):
    sink: str
    track: str
    muted: bool
    at: int


class SinkSpeakers(_Message, frozen=True):
    sink: str
    speakers: list[Speaker]
    at: int


class SinkData(_Message, frozen=True):
    """A data packet somebody sent: a serialised ``livekit.DataPacket``."""

    sink: str
    identity: str
    reliable: bool
    packet: bytes
    at: int


class SinkGap(_Message, frozen=True):
    """Packets of this track were dropped between the processes."""

    sink: str
    handle: int
    packets: int
    at: int


class SinkClock(_Message, frozen=True):
    """A sender report of the publisher: RTP time ↔ its NTP (UTC ns), with the hub's time of arrival."""

    handle: int
    rtp_time: int
    ntp: int
    at: int


class SinkClosed(_Message, frozen=True):
    """The room is gone."""

    sink: str
    reason: str


# ---------------------------------------------------------------------------------- hub <-> bridge


class Pull(_Message, frozen=True):
    """Keep this camera open and push it to these workers (empty: pull nothing, forget it). Idempotent: the last one counts.

    ``url`` has no credentials in it. The bridge checks it against ``bridges.allow``, resolves its name once and
    connects to that address."""

    source: str
    url: str
    user: str = ""
    password: str = ""
    transport: str = "tcp"
    workers: list[str] = []


class SourceState(_Message, frozen=True):
    """``state``: idle, connecting, live, failed (retrying). ``code`` is stable; ``text``/``text_zh`` are sentences for people."""

    source: str
    state: str
    code: str = ""
    text: str = ""
    text_zh: str = ""
    streams: list[SourceStream] = []


class BridgeSnapshot(_Message, frozen=True):
    sources: list[SourceState]


# ---------------------------------------------------------------------------------- hub <-> record


class Record(_Message, frozen=True):
    """Record this room into this session from this worker. Idempotent; a new ``worker`` moves a running session."""

    session: str
    room: str
    worker: str
    title: str = ""
    about: dict[str, str] = {}


class StopRecord(_Message, frozen=True):
    session: str
    reason: str = "stopped"


class Mark(_Message, frozen=True):
    """A fact of the hub for the session's journal: ``event`` is a type of the event catalogue."""

    session: str
    event: str
    at: int
    data: dict[str, object] = {}


class SessionState(_Message, frozen=True):
    """``state``: recording, complete, repaired, failed. Sent on every change and for every session found at start."""

    session: str
    room: str
    state: str
    code: str = ""
    text: str = ""
    text_zh: str = ""
    started_at: int = 0
    ended_at: int = 0
    duration_ms: int = 0
    tracks: int = 0
    bytes: int = 0
    people: list[str] = []
    about: dict[str, str] = {}


class RecordSnapshot(_Message, frozen=True):
    sessions: list[SessionState] = field(default_factory=list)


Message = Union[  # noqa: UP007  (fifty alternatives, read by the line)
    Welcome, Hello, Done,
    OpenRoom, CloseRoom, AddPeer, UpdatePeer, RemovePeer, Announce, Withdraw, Offer, Answer, ClientAnswer, Reoffer, Subscribe,
    Shape, Mute, Open, Allow, SendData, AttachSource, Sever,
    WorkerSnapshot, PeerConnected, PeerLost, TrackBound, TrackLive, TrackEnded, TrackSubscribed, SectionsWanted, ServerOffer,
    Wanted, Speakers, Quality, Paused, Demand, SinkEnded,
    PushSource, EndSource, SourceClock, KeyFrameWanted,
    OpenSink, CloseSink, SinkPeer, SinkTrack, SinkMuted, SinkSpeakers, SinkData, SinkGap, SinkClock, SinkClosed,
    Pull, SourceState, BridgeSnapshot,
    Record, StopRecord, Mark, SessionState, RecordSnapshot,
]  # fmt: skip
