"""What every conversation of the link uses: greetings, and the values inside the messages."""

from __future__ import annotations

from msgspec import Struct


class BaseMessage(Struct, frozen=True, tag=True, omit_defaults=True):
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


class Pick(Struct, frozen=True, omit_defaults=True):
    """A part of a room: tracks of this identity, from this source, of this kind, or this very one; '' is any."""

    identity: str = ""
    source: str = ""
    kind: str = ""
    track: str = ""

    def takes(self, identity: str, source: str, kind: str, track: str) -> bool:
        said = (self.identity, self.source, self.kind, self.track)
        return all(mine in ("", theirs) for mine, theirs in zip(said, (identity, source, kind, track), strict=True))


class Welcome(BaseMessage, frozen=True):
    """First message of every listener."""

    number: int
    name: str
    pid: int


class Hello(BaseMessage, frozen=True):
    """First request of every dialler: ``role`` is ``hub``, ``bridge`` or ``record``. Answered by a snapshot or Done.

    A hub's ``epoch`` grows with every start; after one Hello, links with a smaller epoch are refused (``stale_epoch``).
    """

    role: str
    name: str
    epoch: int = 0


class Done(BaseMessage, frozen=True):
    """Plain answer to a request."""


class Speaker(Struct, frozen=True):
    peer: str
    identity: str
    level: float  # 0 … 1
    active: bool
