"""What the other processes measure → hub."""

from __future__ import annotations

from msgspec import Struct

from commhub.media.messages.common import BaseMessage


class Counters(BaseMessage, frozen=True):
    """Any process, every 5 s: its totals since it started, and what is so now, by name. Unknown names are ignored."""

    values: dict[str, float]


class AskStats(BaseMessage, frozen=True):
    """A request of the hub: how everybody in this room sends and receives. Answered by :class:`RoomStats`."""

    room: str


class UpStats(Struct, frozen=True, omit_defaults=True):
    """A track as it comes in. Rates are of the last interval."""

    track: str
    kind: str
    source: str
    muted: bool = False
    bitrate: int = 0  # bit/s
    loss: float = 0.0  # 0 … 1, on the way here, before repair
    gone: float = 0.0  # 0 … 1, never recovered
    jitter_ms: float = 0.0
    nacks: float = 0.0  # packets asked for once more, per second
    age: float = -1.0  # seconds since the last packet; -1 never
    layers: list[int] = []  # bit/s of each, lowest first
    width: int = 0
    height: int = 0


class DownStats(Struct, frozen=True, omit_defaults=True):
    """A track as it goes out to somebody. ``layer`` is sent (-1 nothing), ``wanted`` what the viewer has room for."""

    track: str
    kind: str
    bitrate: int = 0
    loss: float = 0.0  # 0 … 1, as the receiver last reported; includes what never reached us
    upstream: float = 0.0  # 0 … 1, of that: what was lost before us
    jitter_ms: float = 0.0
    rtt_ms: float = 0.0
    nacks: float = 0.0  # packets he asked for once more, per second
    layer: int = -1
    wanted: int = 0
    paused: bool = False  # no bandwidth even for the lowest layer
    flows: bool = True  # its publisher is not muted, and sends
    seen: bool = True  # the viewer looks at it


class PeerStats(Struct, frozen=True, omit_defaults=True):
    """One participant of the room: the connection, what is sent (``up``) and what is received (``down``)."""

    peer: str
    identity: str
    kind: str
    connected: bool = False
    over: str = ""  # udp, tcp; "" no path
    heard: float = -1.0  # seconds since anything valid came; -1 never
    rtt_ms: float = 0.0
    estimate: int = 0  # bit/s the connection carries, as it is known; 0 unknown
    up: list[UpStats] = []
    down: list[DownStats] = []


class RoomStats(BaseMessage, frozen=True):
    """``seconds`` is what the rates are of; 0 when this is the first question for a while: then they are not known yet."""

    room: str
    seconds: float
    peers: list[PeerStats]
