"""What may become of an export: asked for, approved by somebody else where the label wants that, made, kept for a time. No I/O,
no clock."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    ASKED = "asked"  # somebody else has to approve it
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # its file is gone


class Act(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"
    CANCEL = "cancel"
    BEGIN = "begin"
    MAKE = "make"
    FAIL = "fail"
    EXPIRE = "expire"


#: (state, act) → the state after it. What is not here is not possible.
STEPS: Final[Mapping[tuple[State, Act], State]] = {
    (State.ASKED, Act.APPROVE): State.WAITING,
    (State.ASKED, Act.REFUSE): State.REFUSED,
    (State.ASKED, Act.CANCEL): State.CANCELLED,
    (State.ASKED, Act.EXPIRE): State.CANCELLED,  # nobody decided, or the recording is gone
    (State.WAITING, Act.CANCEL): State.CANCELLED,
    (State.RUNNING, Act.CANCEL): State.CANCELLED,
    (State.WAITING, Act.BEGIN): State.RUNNING,
    (State.RUNNING, Act.BEGIN): State.RUNNING,  # anew: whoever made it has ended
    (State.WAITING, Act.MAKE): State.DONE,  # it was made while nobody listened
    (State.RUNNING, Act.MAKE): State.DONE,
    (State.WAITING, Act.FAIL): State.FAILED,
    (State.RUNNING, Act.FAIL): State.FAILED,
    (State.WAITING, Act.EXPIRE): State.CANCELLED,
    (State.RUNNING, Act.EXPIRE): State.CANCELLED,
    (State.DONE, Act.EXPIRE): State.EXPIRED,
    (State.DONE, Act.CANCEL): State.EXPIRED,  # whoever made it takes it away
}
#: The recorder has to make it.
OPEN: Final = (State.WAITING, State.RUNNING)
PENDING: Final = (State.ASKED, *OPEN)


class Refused(Exception):
    """``code``: same_person, not_asked, over."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def step(state: State, act: Act, *, asked_by: str = "", by: str = "") -> State:
    """The state after ``act`` of the person ``by``. Refused. Who asked may not be who approves."""
    after = STEPS.get((state, act))
    if after is None:
        raise Refused("not_asked" if act in (Act.APPROVE, Act.REFUSE) else "over")
    if act in (Act.APPROVE, Act.REFUSE) and by == asked_by:
        raise Refused("same_person")
    return after


def first(label: str, approval: frozenset[str]) -> State:
    """Where an export of a recording of this label begins."""
    return State.ASKED if label in approval else State.WAITING
