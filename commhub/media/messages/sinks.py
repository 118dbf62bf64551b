"""A Sink on the link: the recorder → media worker and back."""

from __future__ import annotations

from commhub.media.messages.common import BaseMessage, Codec, Pick, Speaker


class OpenSink(BaseMessage, frozen=True):
    """Receive everything of a room, or ``only`` parts of it. What is there already is told first, then changes as they come.
    ``layers``: ``best`` makes publishers send their best layer, ``watched`` takes the best one that viewers get."""

    room: str
    sink: str
    only: list[Pick] = []
    layers: str = "best"


class CloseSink(BaseMessage, frozen=True):
    room: str
    sink: str


class SinkPeer(BaseMessage, frozen=True):
    """Somebody is in the room (``present``) or has left it."""

    sink: str
    peer: str
    identity: str
    present: bool
    at: int
    about: dict[str, str] = {}
    reason: str = ""


class SinkTrack(BaseMessage, frozen=True):
    """A track begins (``open``) or ends. ``handle`` names it in packet batches of this link. The codec can only
    change by an end and a new begin under the same ``track``. ``encrypted``: its frames are opaque, end to end; no packet of
    it comes."""

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
    encrypted: bool = False


class SinkMuted(BaseMessage, frozen=True):
    sink: str
    track: str
    muted: bool
    at: int


class SinkSpeakers(BaseMessage, frozen=True):
    sink: str
    speakers: list[Speaker]
    at: int


class SinkData(BaseMessage, frozen=True):
    """A data packet somebody sent: a serialised ``livekit.DataPacket``."""

    sink: str
    identity: str
    reliable: bool
    packet: bytes
    at: int


class SinkGap(BaseMessage, frozen=True):
    """Packets of this track were dropped between the processes."""

    sink: str
    handle: int
    packets: int
    at: int


class SinkClock(BaseMessage, frozen=True):
    """A sender report of the publisher: RTP time ↔ its NTP (UTC ns), with the hub's time of arrival."""

    handle: int
    rtp_time: int
    ntp: int
    at: int


class SinkLayer(BaseMessage, frozen=True):
    """The best layer (0 is the lowest, 2 the best) that the recorder takes of this track until it says otherwise."""

    handle: int
    most: int


class SinkClosed(BaseMessage, frozen=True):
    """The room is gone."""

    sink: str
    reason: str
