"""What is said of terminals: their state, what the hub tells one to do, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Kind = Literal["console", "wall", "phone", "page"]
AutoAnswer = Literal["never", "seat", "always"]
Verb = Literal["ring", "join", "leave", "answer", "mute", "unmute", "show", "floor"]


class Presence(StrEnum):
    IDLE = "idle"
    RINGING = "ringing"
    BUSY = "busy"
    DND = "dnd"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Terminal:
    """A console, wall, phone or page that can be instructed. ``id`` is ``<person id>:<ULID that the client keeps>``, which is
    also its identity in rooms; ``since`` UTC ns, when it was first there in this life of the hub."""

    id: str
    person: str
    kind: Kind
    name: str
    presence: Presence
    auto_answer: AutoAnswer
    since: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a terminal is to do. A client does one with the same ``id`` once, however often it comes.

    ``subject`` is the call, group or consultation; ``by`` is ``{id, name, org_name}`` of who wants it; ``auto`` says that
    the hub has decided that it answers by itself (:meth:`commhub.terminals.Terminals.auto`). ``data`` is plain JSON.
    """

    id: str
    verb: Verb
    subject: str
    room: str = ""
    url: str = ""
    token: str = field(default="", repr=False)
    by: dict[str, str] | None = field(default=None, repr=False)
    reason: str = ""
    auto: bool = False
    data: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``acknowledged``: it did it. ``refused``: it said why not. ``silent``: nothing came in time, though it may still come.
    ``gone``: there is no such terminal."""

    state: Literal["acknowledged", "refused", "silent", "gone"]
    reason: str = ""

    @property
    def ok(self) -> bool:
        return self.state == "acknowledged"


ACKNOWLEDGED = Outcome("acknowledged")
SILENT = Outcome("silent")
GONE = Outcome("gone")

#: Gets the terminal as it is now and the presence it had before.
Listener = Callable[[Terminal, Presence], None]
#: Gets what came of an instruction after :meth:`~commhub.terminals.Terminals.instruct` had said ``silent``.
Late = Callable[[Terminal, Instruction, Outcome], None]
