"""How a consultation is led, as one value in its row: who chairs, who is muted, who waits. Only the shape and its JSON; what may
become of it says ``commhub.rooms``.

People are named by their ids. Times are UTC ns.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

Order = Literal["rank", "time"]
LobbyMode = Literal["off", "outside", "everybody"]
Layout = Literal["", "grid", "speaker"]


class Hand(Struct, frozen=True):
    """``level`` 1 is the highest rank."""

    person: str
    name: str
    org: str
    level: int
    at: int


class Waiting(Struct, frozen=True):
    """Somebody at the door. ``person`` is the identity of who is no person of the directory; ``org`` is the organisation's id."""

    person: str
    name: str
    post: str = ""
    org: str = ""
    org_name: str = ""
    level: int = 9
    since: int = 0
    returned: bool = False  # was in, and was sent back


class Refusal(Struct, frozen=True):
    person: str
    reason: str


class Side(Struct, frozen=True):
    """A few who talk apart. ``listen``: they go on hearing the others."""

    id: str
    title: str
    people: tuple[str, ...]
    listen: bool = False
    since: int = 0


class Control(Struct, frozen=True, omit_defaults=True):
    """``rev`` goes on with whatever the chair decides, not with hands and those who wait."""

    rev: int = 0
    chair: str = ""  # "" is the host
    acting: str = ""  # the co-chair who leads while the chair is not there
    co_chairs: tuple[str, ...] = ()
    muted: bool = False
    unmute: bool = True  # whoever is muted may unmute himself
    speakers: tuple[str, ...] = ()  # may speak although all are muted
    order: Order = "rank"
    hands: tuple[Hand, ...] = ()
    lobby: LobbyMode = "off"
    waiting: tuple[Waiting, ...] = ()
    admitted: tuple[str, ...] = ()
    sent_back: tuple[str, ...] = ()  # were in; wait whoever else may come in
    refused: tuple[Refusal, ...] = ()
    layout: Layout = ""  # "": as everybody likes it
    spotlight: str = ""  # the identity of a participant
    broadcast: str = ""  # the only one who is heard
    ends_at: int = 0  # 0: nobody has said
    warned: int = 0  # minutes before the end of the last warning; -1: it has passed, 0: none yet
    sides: tuple[Side, ...] = ()


NONE = Control()
_decode = msgspec.json.Decoder(Control).decode


def read(text: str | None) -> Control:
    """What :func:`written` made; "" and NULL are how every consultation begins."""
    return _decode(text) if text else NONE


def written(control: Control) -> str:
    return msgspec.json.encode(control).decode()
