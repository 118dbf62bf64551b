"""What may become of a recording once it is made: kept, held, announced to expire, asked to be deleted, deleted. No I/O, no
clock.

Two ways lead to the end. One is by two people: one asks with a reason, another one confirms before the question lapses. The
other is the retention of the label, which the operator has set for all recordings of it: announced some time before, so that
whoever may hold it still can. A hold stands in the way of both. What is deleted leaves a tombstone, for ever.

Times are UTC ns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

DAY: Final = 86_400 * 1_000_000_000
HOUR: Final = 3_600 * 1_000_000_000


class State(StrEnum):
    KEPT = "kept"
    EXPIRING = "expiring"
    HELD = "held"
    ASKED = "asked"
    DELETING = "deleting"  # decided: a tombstone; its files and keys are being taken away
    DELETED = "deleted"  # they are gone


class Act(StrEnum):
    HOLD = "hold"
    LIFT = "lift"  # the last hold: one of several changes nothing
    ASK = "ask"
    CONFIRM = "confirm"
    REFUSE = "refuse"  # by somebody who may confirm, or withdrawn by who asked
    LAPSE = "lapse"  # nobody confirmed in time
    ANNOUNCE = "announce"
    RELENT = "relent"  # the retention has been made longer
    EXPIRE = "expire"
    REMOVED = "removed"


#: (state, act) → the state after it. What is not here is not possible.
STEPS: Final[Mapping[tuple[State, Act], State]] = {
    (State.KEPT, Act.HOLD): State.HELD,
    (State.EXPIRING, Act.HOLD): State.HELD,
    (State.HELD, Act.HOLD): State.HELD,  # several stand side by side
    (State.ASKED, Act.HOLD): State.HELD,  # the question is void
    (State.HELD, Act.LIFT): State.KEPT,
    (State.KEPT, Act.ASK): State.ASKED,
    (State.EXPIRING, Act.ASK): State.ASKED,
    (State.ASKED, Act.CONFIRM): State.DELETING,
    (State.ASKED, Act.REFUSE): State.KEPT,
    (State.ASKED, Act.LAPSE): State.KEPT,
    (State.KEPT, Act.ANNOUNCE): State.EXPIRING,
    (State.EXPIRING, Act.RELENT): State.KEPT,
    (State.EXPIRING, Act.EXPIRE): State.DELETING,
    (State.DELETING, Act.REMOVED): State.DELETED,
}

#: Who may do what: the permission, at the recording's organisation and label. The other acts are the hub's.
RIGHTS: Final[Mapping[Act, str]] = {
    Act.HOLD: "recording.hold",
    Act.LIFT: "recording.hold",
    Act.ASK: "recording.delete",
    Act.CONFIRM: "recording.confirm",
    Act.REFUSE: "recording.confirm",
}
#: Acts that a recording must be over for.
AFTERWARDS: Final = frozenset({Act.ASK, Act.CONFIRM, Act.ANNOUNCE, Act.EXPIRE})
GONE: Final = frozenset({State.DELETING, State.DELETED})


class Refused(Exception):
    """``code``: running, held, gone, same_person, not_asked, asked, or not_now."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def step(state: State, act: Act, *, running: bool = False, asked_by: str = "", by: str = "") -> State:
    """The state after ``act`` of the person ``by``. Refused."""
    after = STEPS.get((state, act))
    if after is None:
        raise Refused(_why(state, act))
    if running and act in AFTERWARDS:
        raise Refused("running")
    if act is Act.CONFIRM and by == asked_by:
        raise Refused("same_person")
    return after


def _why(state: State, act: Act) -> str:
    if state in GONE:
        return "gone"
    if state is State.HELD and act in AFTERWARDS:
        return "held"
    if act in (Act.CONFIRM, Act.REFUSE, Act.LAPSE):
        return "not_asked"
    return "asked" if state is State.ASKED else "not_now"


@dataclass(frozen=True, slots=True)
class Terms:
    """``days`` by label, 0 or none: for ever. ``notice`` is how long before its end a recording is announced, ``patience`` how
    long somebody who asks for a deletion waits for another one (ns)."""

    days: Mapping[str, int] = field(default_factory=dict)
    notice: int = 14 * DAY
    patience: int = 72 * HOUR

    def until(self, label: str, ended_at: int | None) -> int | None:
        """How long a recording of that label that ended then is kept; None: for ever, or not over yet."""
        days = self.days.get(label, 0)
        return ended_at + days * DAY if days and ended_at else None

    def announces(self, label: str, ended_at: int | None, now: int) -> int | None:
        """When a recording goes that is to be announced now; None: it is too early. Nobody is told less than ``notice`` before,
        also where the retention was shortened yesterday."""
        until = self.until(label, ended_at)
        if until is None or now < until - self.notice:
            return None
        return max(until, now + self.notice)

    def relents(self, label: str, ended_at: int | None, expires_at: int) -> bool:
        """Is what was announced for ``expires_at`` kept longer by now?"""
        until = self.until(label, ended_at)
        return until is None or until > expires_at
