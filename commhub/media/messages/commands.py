"""Hub → media worker."""

from __future__ import annotations

from commhub.media.messages.common import BaseMessage, Layer


class OpenRoom(BaseMessage, frozen=True):
    """``beside``: a room with which it had better share a worker; the hub's own word to itself."""

    room: str
    beside: str = ""


class CloseRoom(BaseMessage, frozen=True):
    """Ends every peer, sink and subscription of the room. ``reason`` is told to its sinks: ``closed``, or ``moved`` when it goes
    on elsewhere."""

    room: str
    reason: str = "closed"


class AddPeer(BaseMessage, frozen=True):
    """A participant. ``kind`` is ``client`` (has peer connections) or ``bridge`` (its media comes from a Source).

    ``about`` is what the recorder needs of a person: ``name``, ``org``, ``kind``. ``record`` is the hub's opaque
    signalling record, returned in the snapshot. ``dual`` = publisher and subscriber connections (``/rtc``).
    ``fixed``: its client never offers again (WHEP). Every section it can receive in is answered as one that sends, and
    carries whatever it is subscribed to, one track after another.
    ``may_pause``: its videos may stop for want of bandwidth. ``adaptive``: it says what its views need (:class:`Shape`), and
    until it does the lowest layer is enough. ``takes_red``: may be sent redundant audio if its description lists it.
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
    fixed: bool = False
    may_pause: bool = True
    adaptive: bool = False
    takes_red: bool = True


class UpdatePeer(BaseMessage, frozen=True):
    """None leaves a value as it is."""

    room: str
    peer: str
    about: dict[str, str] | None = None
    record: bytes | None = None
    hidden: bool | None = None
    may_publish: bool | None = None
    may_subscribe: bool | None = None
    may_send_data: bool | None = None


class RemovePeer(BaseMessage, frozen=True):
    room: str
    peer: str
    reason: str = ""


class Announce(BaseMessage, frozen=True):
    """A track the peer is going to publish (add_track). ``cids`` maps the client's MediaStreamTrack id to the mime it
    wants to send under that id (simulcast codecs); empty mime = any. ``codecs``: every mime it could send, best first,
    also those it sends only when it is told to. ``red``: redundant audio may be negotiated. ``encrypted``: frames are
    opaque, end to end. For a bridge peer it binds the Source's stream of the same ``kind`` at once, or the
    one that ``cids`` names."""

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
    codecs: list[str] = []
    encrypted: bool = False


class Withdraw(BaseMessage, frozen=True):
    """The track is gone (unpublished, or its publisher lost the right)."""

    room: str
    peer: str
    track: str


class Offer(BaseMessage, frozen=True):
    """The client's offer (single connection, or the publisher side of dual). Answered by :class:`Answer`;
    fails with ``bad_sdp``. New ICE credentials in it mean an ICE restart."""

    room: str
    peer: str
    sdp: str
    id: int = 0


class Answer(BaseMessage, frozen=True):
    """``mids`` maps every media section that carries a subscription to its track."""

    sdp: str
    id: int
    mids: dict[str, str] = {}


class Restart(BaseMessage, frozen=True):
    """ICE restart without a new offer (WHIP, WHEP): the client's new credentials for the offer that stands. Answered by
    :class:`Answer`; fails with ``bad_sdp`` when there is no offer to restart."""

    room: str
    peer: str
    ufrag: str
    password: str


class ClientAnswer(BaseMessage, frozen=True):
    """Dual: the client's answer to :class:`ServerOffer`."""

    room: str
    peer: str
    sdp: str
    id: int = 0


class Reoffer(BaseMessage, frozen=True):
    """Dual: make a new offer for the subscriber connection; ``restart`` with new ICE credentials (after a resume)."""

    room: str
    peer: str
    restart: bool = False


class Subscribe(BaseMessage, frozen=True):
    """The peer wants (or no longer wants) these tracks. Unknown tracks are ignored."""

    room: str
    peer: str
    tracks: list[str]
    on: bool = True


class Shape(BaseMessage, frozen=True):
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


class Mute(BaseMessage, frozen=True):
    """The publisher (or a moderator) muted it: nothing of it is forwarded or recorded while it is muted."""

    room: str
    track: str
    muted: bool


class Open(BaseMessage, frozen=True):
    """Gate one: does this track flow to anybody at all? Tracks start open."""

    room: str
    track: str
    open: bool


class Allow(BaseMessage, frozen=True):
    """Gate two: may this peer (or sink; "" is every sink) receive this track? Everything starts allowed."""

    room: str
    subscriber: str
    track: str
    allowed: bool


class SendData(BaseMessage, frozen=True):
    """A serialised ``livekit.DataPacket`` from the server. ``to`` are peer sids; empty = everybody in the room."""

    room: str
    packet: bytes
    reliable: bool = True
    to: list[str] = []


class AttachSource(BaseMessage, frozen=True):
    """The bridge peer's tracks come from this Source (which may be pushed to the worker before or after)."""

    room: str
    peer: str
    source: str


class Sever(BaseMessage, frozen=True):
    """Drop a peer's transports without removing it (tests of recovery, simulate scenarios)."""

    room: str
    peer: str


class Limit(BaseMessage, frozen=True):
    """Send this peer's videos as if its connection carried no more than ``bits`` a second (simulate scenario); 0 ends it."""

    room: str
    peer: str
    bits: int


class Resend(BaseMessage, frozen=True):
    """The peer came back: reliable data after these sequences (by publisher) is sent again, as far as it is still kept."""

    room: str
    peer: str
    received: dict[str, int] = {}


class PublishData(BaseMessage, frozen=True):
    """A data track: frames that the peer sends on its ``_data_track`` channel under ``handle`` (1 … 65535)."""

    room: str
    peer: str
    track: str
    handle: int


class UnpublishData(BaseMessage, frozen=True):
    room: str
    peer: str
    track: str


class SubscribeData(BaseMessage, frozen=True):
    """The peer gets this data track's frames under ``handle``, a number of its own; 0 ends it."""

    room: str
    peer: str
    track: str
    handle: int
