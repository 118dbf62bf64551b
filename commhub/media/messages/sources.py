"""A Source on the link: bridge → media worker, and what the worker asks of it."""

from __future__ import annotations

from msgspec import Struct

from commhub.media.messages.common import BaseMessage, Codec

#: Behind the name of a layer, in Demand and Pull: somebody takes it who has to get it as H.264 that every browser shows.
PLAIN = "/H264"


class SourceStream(Struct, frozen=True, omit_defaults=True):
    """One medium of a Source. ``handle`` names it in packet batches of this link; RTP there carries any payload type and
    SSRC, and sequence and time that go on over reconnects. ``name`` tells streams of one kind apart (a forwarded
    participant's are named by its tracks); a camera has one of each kind and no names. Two streams of one kind and name
    that differ in ``layer`` (main, sub) are layers of one track: their RTP times are of one clock.

    Streams of one track may come in several codecs. ``backups`` are the mimes in which its bridge makes this one as well when
    that is asked for (:data:`PLAIN`); one that was made so has ``made``. ``stored``: its pictures come in another order than
    they are shown, so that WebRTC's receivers cannot show them; only who stores it takes it."""

    handle: int
    kind: str
    codec: Codec
    width: int = 0
    height: int = 0
    name: str = ""
    layer: str = ""
    backups: tuple[str, ...] = ()
    made: bool = False
    stored: bool = False


class PushSource(BaseMessage, frozen=True):
    """Begin (or change the streams of) a Source on this worker. It ends with the link or with EndSource."""

    source: str
    streams: list[SourceStream]


class EndSource(BaseMessage, frozen=True):
    """From its bridge or relay: nothing more comes for now. It may be pushed again."""

    source: str


class SourceClock(BaseMessage, frozen=True):
    """A sender report of the device: RTP time ↔ NTP (UTC ns)."""

    handle: int
    rtp_time: int
    ntp: int


class KeyFrameWanted(BaseMessage, frozen=True):
    """Worker → bridge or recorder → worker: a key frame of this stream would help now."""

    handle: int
