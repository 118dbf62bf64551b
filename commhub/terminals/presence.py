"""The presence of one terminal, and of a person with several: a table. No I/O, no clock.

A terminal is connected or not, its person wants to be left alone or not, and there may be reasons why it rings or is
busy (calls, groups, consultations). Presence follows from these three; nobody sets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from commhub.terminals.shapes import Presence

GRACE = 10.0  # seconds after its socket has closed until a terminal is told to be offline


class Line(StrEnum):
    """Whether its socket is there."""

    OPEN = "open"
    LOST = "lost"  # within the grace: nobody is told
    GONE = "gone"


class Sign(StrEnum):
    OPENED = "opened"
    CLOSED = "closed"
    EXPIRED = "expired"  # the grace is over


#: (line, sign) → line. What is not there changes nothing.
LINES: dict[tuple[Line, Sign], Line] = {
    (Line.GONE, Sign.OPENED): Line.OPEN,
    (Line.LOST, Sign.OPENED): Line.OPEN,
    (Line.OPEN, Sign.CLOSED): Line.LOST,
    (Line.LOST, Sign.EXPIRED): Line.GONE,
}

#: (line there, do not disturb, strongest reason) → presence.
SHOWN: dict[tuple[bool, bool, Presence], Presence] = {
    (True, False, Presence.IDLE): Presence.IDLE,
    (True, False, Presence.RINGING): Presence.RINGING,
    (True, False, Presence.BUSY): Presence.BUSY,
    (True, True, Presence.IDLE): Presence.DND,
    (True, True, Presence.RINGING): Presence.RINGING,  # rung by somebody who may
    (True, True, Presence.BUSY): Presence.BUSY,
    (False, False, Presence.IDLE): Presence.OFFLINE,
    (False, False, Presence.RINGING): Presence.OFFLINE,
    (False, False, Presence.BUSY): Presence.OFFLINE,
    (False, True, Presence.IDLE): Presence.OFFLINE,
    (False, True, Presence.RINGING): Presence.OFFLINE,
    (False, True, Presence.BUSY): Presence.OFFLINE,
}

#: Of several terminals the first of these that one of them has.
ORDER = (Presence.BUSY, Presence.RINGING, Presence.DND, Presence.IDLE)


def merged(several: Iterable[Presence]) -> Presence:
    """Of a person with several terminals; offline with none."""
    there = set(several)
    return next((one for one in ORDER if one in there), Presence.OFFLINE)


class State:
    """One terminal. ``now`` is seconds of any clock; whoever changes something asks for :attr:`presence` afterwards."""

    def __init__(self) -> None:
        self.line = Line.GONE
        self.dnd = False
        self.deadline: float | None = None  # when the grace ends
        self._reasons: dict[str, Presence] = {}

    @property
    def presence(self) -> Presence:
        held = set(self._reasons.values())
        reason = next((one for one in (Presence.BUSY, Presence.RINGING) if one in held), Presence.IDLE)
        return SHOWN[self.line is not Line.GONE, self.dnd, reason]

    def receive(self, sign: Sign, now: float) -> None:
        if (after := LINES.get((self.line, sign))) is None:
            return
        self.line = after
        self.deadline = now + GRACE if after is Line.LOST else None

    def tick(self, now: float) -> None:
        if self.deadline is not None and now >= self.deadline:
            self.receive(Sign.EXPIRED, now)

    def occupy(self, what: str, presence: Presence) -> None:
        """ValueError unless ringing or busy."""
        if presence not in (Presence.RINGING, Presence.BUSY):
            raise ValueError("A terminal is occupied by ringing or by being busy.")
        self._reasons[what] = presence

    def release(self, what: str) -> None:
        self._reasons.pop(what, None)

    @property
    def reasons(self) -> dict[str, Presence]:
        return dict(self._reasons)
