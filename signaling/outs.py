"""What a room's state machine says is to be done, and the terms every room is run on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from livekit.protocol import rtc

from commhub.conference import Presence, Ticket
from commhub.media import messages as media
from commhub.media.messages import Message
from commhub.turn import Turn


@dataclass(frozen=True, slots=True)
class Send:
    to: tuple[str, ...]
    response: rtc.SignalResponse


@dataclass(frozen=True, slots=True)
class Command:
    message: Message


@dataclass(frozen=True, slots=True)
class Negotiate:
    offer: media.Offer


@dataclass(frozen=True, slots=True)
class Close:
    peer: str


@dataclass(frozen=True, slots=True)
class Joined:
    presence: Presence


@dataclass(frozen=True, slots=True)
class Left:
    presence: Presence
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    reason: str


Out = Send | Command | Negotiate | Close | Joined | Left | Ended


RECORD_WORK = 8192  # octets


def work(outs: Iterable[Out]) -> int:
    """How many frames and commands these are: what somebody's one message causes others. A large record is as many commands."""
    done = 0
    for out in outs:
        if isinstance(out, Send):
            done += len(out.to)
        elif isinstance(out, Command):
            record = out.message.record if isinstance(out.message, media.UpdatePeer) else None
            done += 1 + len(record or b"") // RECORD_WORK
    return done


def ice_servers(turn: Turn, clock: Callable[[], float]) -> Callable[[str], list[rtc.ICEServer]]:
    """For :attr:`Terms.ice_servers`: TURN and STUN servers as clients take them, with credentials of the moment."""

    def of(identity: str) -> list[rtc.ICEServer]:
        return [
            rtc.ICEServer(urls=urls, username=who.username if who else "", credential=who.password if who else "")
            for urls, who in turn.groups(identity, clock())
        ]

    return of


@dataclass(frozen=True, slots=True)
class Terms:
    """What is the same for every room. Durations in seconds; 0 participants means no limit."""

    node: str = "ND_commhub"
    region: str = ""
    hub_key: str = ""  # tickets of this key are people of the hub
    ice_servers: Callable[[str], list[rtc.ICEServer]] = lambda identity: []
    refresh: Callable[[Ticket, float], str] = lambda ticket, now: ""  # a fresh token; '' sends none
    away: float = 20.0
    empty_timeout: int = 300
    departure_timeout: int = 20
    max_participants: int = 0
    remote_unmute: bool = False  # may admins open somebody's microphone?
    max_tracks: int = 64
    refresh_every: float = 300.0
    refresh_ttl: float = 600.0
    ping_interval: int = 5
    ping_timeout: int = 15
    trailer: bytes = b""
