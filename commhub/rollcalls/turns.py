"""Whose turn it is in a consultation's roll call, and whose microphone is open for it. No I/O, no clock.

Somebody is *called*: the one microphone is theirs from then on. They *answer* (by a press, or because they speak), and have
their time to speak. What each act does to the turn, and who comes next:

=======  =======  ==================  ==========
phase    act      the turn becomes    who is next
=======  =======  ==================  ==========
idle     call     –                   named
idle     next     –                   next
idle     repeat   –                   again
idle     back     –                   before
idle     end      –                   over
called   answer   –                   stays
called   call     silent              named
called   next     silent              next
called   skip     skipped             next
called   repeat   –                   again
called   back     waiting             before
called   release  silent              nobody
called   late     silent              next
called   gone     absent              next
called   end      silent              over
speaks   …        done (…)            as called
=======  =======  ==================  ==========

*Next* is the first after the one before who still waits and is there; those who are not there are marked absent on the way.
In a roll call without an order (``speak``) the chair names everybody: nobody is next.

Times are UTC ns; 0 is never.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

Kind = Literal["speak", "sequence"]


class Phase(StrEnum):
    IDLE = "idle"
    CALLED = "called"
    SPEAKS = "speaks"
    OVER = "over"


class Act(StrEnum):
    CALL = "call"
    NEXT = "next"
    SKIP = "skip"
    REPEAT = "repeat"
    BACK = "back"
    RELEASE = "release"
    END = "end"
    ANSWER = "answer"
    LATE = "late"  # the time is over
    GONE = "gone"  # whose turn it is has left


class State(StrEnum):
    WAITING = "waiting"
    CALLED = "called"
    SPEAKS = "speaks"
    DONE = "done"
    SILENT = "silent"  # was called, and did not answer
    SKIPPED = "skipped"
    ABSENT = "absent"


class Then(StrEnum):
    STAYS = "stays"
    NAMED = "named"
    NEXT = "next"
    AGAIN = "again"
    BEFORE = "before"
    NOBODY = "nobody"
    OVER = "over"


TABLE: dict[tuple[Phase, Act], tuple[State | None, Then]] = {
    (Phase.IDLE, Act.CALL): (None, Then.NAMED),
    (Phase.IDLE, Act.NEXT): (None, Then.NEXT),
    (Phase.IDLE, Act.REPEAT): (None, Then.AGAIN),
    (Phase.IDLE, Act.BACK): (None, Then.BEFORE),
    (Phase.IDLE, Act.END): (None, Then.OVER),
    (Phase.CALLED, Act.ANSWER): (State.SPEAKS, Then.STAYS),
    (Phase.CALLED, Act.CALL): (State.SILENT, Then.NAMED),
    (Phase.CALLED, Act.NEXT): (State.SILENT, Then.NEXT),
    (Phase.CALLED, Act.SKIP): (State.SKIPPED, Then.NEXT),
    (Phase.CALLED, Act.REPEAT): (None, Then.AGAIN),
    (Phase.CALLED, Act.BACK): (State.WAITING, Then.BEFORE),
    (Phase.CALLED, Act.RELEASE): (State.SILENT, Then.NOBODY),
    (Phase.CALLED, Act.LATE): (State.SILENT, Then.NEXT),
    (Phase.CALLED, Act.GONE): (State.ABSENT, Then.NEXT),
    (Phase.CALLED, Act.END): (State.SILENT, Then.OVER),
    (Phase.SPEAKS, Act.CALL): (State.DONE, Then.NAMED),
    (Phase.SPEAKS, Act.NEXT): (State.DONE, Then.NEXT),
    (Phase.SPEAKS, Act.SKIP): (State.SKIPPED, Then.NEXT),
    (Phase.SPEAKS, Act.REPEAT): (None, Then.AGAIN),
    (Phase.SPEAKS, Act.BACK): (State.WAITING, Then.BEFORE),
    (Phase.SPEAKS, Act.RELEASE): (State.DONE, Then.NOBODY),
    (Phase.SPEAKS, Act.LATE): (State.DONE, Then.NEXT),
    (Phase.SPEAKS, Act.GONE): (State.DONE, Then.NEXT),
    (Phase.SPEAKS, Act.END): (State.DONE, Then.OVER),
}
#: What needs an order of people.
ORDERED = frozenset({Act.NEXT, Act.SKIP, Act.BACK})


class Refused(Exception):
    """``why``: not_now, not_there, nobody."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Entry:
    """``person`` is a person's id; ``called_at``, ``answered_at``, ``closed_at`` of their last turn, ``times``: how
    often it was theirs."""

    person: str
    state: State = State.WAITING
    called_at: int = 0
    answered_at: int = 0
    closed_at: int = 0
    times: int = 0


@dataclass(frozen=True, slots=True)
class Roll:
    """``at`` is whose turn it is or was last, -1 before the first; ``until`` the end of what runs. ``answer``, ``limit``: ns."""

    kind: Kind
    entries: tuple[Entry, ...] = ()
    phase: Phase = Phase.IDLE
    at: int = -1
    until: int = 0
    answer: int = 0
    limit: int = 0

    @property
    def called(self) -> str | None:
        """Whose microphone is open."""
        return self.entries[self.at].person if self.phase in (Phase.CALLED, Phase.SPEAKS) else None

    def find(self, person: str) -> int:
        """-1: not in it."""
        return next((index for index, one in enumerate(self.entries) if one.person == person), -1)


def allowed(roll: Roll) -> list[Act]:
    """What a chair may do now."""
    acts = [act for phase, act in TABLE if phase is roll.phase and act not in (Act.ANSWER, Act.LATE, Act.GONE)]
    return [act for act in acts if roll.kind == "sequence" or act not in ORDERED]


def step(roll: Roll, act: Act, now: int, there: Iterable[str], person: str = "") -> Roll:
    """``there``: ids of people in the room. ``person``: whom a call names; who is not in the roll yet is added. Refused."""
    if (roll.phase, act) not in TABLE or (act in ORDERED and roll.kind == "speak"):
        raise Refused("not_now")
    here, (state, then) = frozenset(there), TABLE[roll.phase, act]
    if then is Then.STAYS:
        roll = _turn(roll, roll.at, state=State.SPEAKS, answered_at=now)
        return replace(roll, phase=Phase.SPEAKS, until=now + roll.limit if roll.limit else 0)
    target = _target(roll, then, here, person)
    if state is not None:
        roll = _turn(roll, roll.at, state=state, closed_at=now)
    if then is Then.OVER:
        return replace(roll, phase=Phase.OVER, until=0)
    if then is Then.NOBODY or (then is Then.NEXT and roll.kind == "speak"):
        return replace(roll, phase=Phase.IDLE, until=0)
    if then is Then.NEXT:
        return _next(roll, now, here)
    if target == len(roll.entries):
        roll = replace(roll, entries=(*roll.entries, Entry(person)))
    return _call(roll, target, now)


def settle(roll: Roll, now: int, there: Iterable[str]) -> Roll:
    """What has come to pass by itself: somebody left, time ran out."""
    here = frozenset(there)
    for _ in range(len(roll.entries) + 1):
        if roll.called is not None and roll.called not in here:
            roll = step(roll, Act.GONE, now, here)
        elif roll.called is not None and roll.until and now >= roll.until:
            roll = step(roll, Act.LATE, now, here)
        else:
            break
    return roll


def heard(roll: Roll, chair: Iterable[str], present: Mapping[str, int], held: str = "") -> frozenset[str] | None:
    """The identities that are heard in the room; None: everybody, it is over. ``chair``: ids of who leads. ``present``: when each
    identity came. Of whose turn it is one microphone, whatever terminals they have in the room: ``held`` (the one that had it)
    while it is there, else the one that came last."""
    if roll.phase is Phase.OVER:
        return None
    leads = frozenset(chair)
    open_ = {one for one in present if person_of(one) in leads}
    if roll.called is not None and roll.called not in leads and (one := microphone(roll.called, present, held)):
        open_.add(one)
    return frozenset(open_)


def microphone(person: str, present: Mapping[str, int], held: str = "") -> str:
    """'' when they are not there."""
    if held in present and person_of(held) == person:
        return held
    mine = [(at, one) for one, at in present.items() if person_of(one) == person]
    return max(mine)[1] if mine else ""


def person_of(identity: str) -> str:
    return identity.partition(":")[0]


def _target(roll: Roll, then: Then, here: frozenset[str], person: str) -> int:
    """Before anything is changed: is there such a one?"""
    match then:
        case Then.NAMED:
            index = roll.find(person)
            index = len(roll.entries) if index < 0 else index
        case Then.AGAIN:
            index = roll.at
        case Then.BEFORE:
            index = roll.at - 1
        case _:
            return -1
    if index < 0 or (then is Then.NAMED and not person):
        raise Refused("nobody")
    called = person if index == len(roll.entries) else roll.entries[index].person
    if called not in here:
        raise Refused("not_there")
    return index


def _next(roll: Roll, now: int, here: frozenset[str]) -> Roll:
    for index in range(roll.at + 1, len(roll.entries)):
        one = roll.entries[index]
        if one.state is not State.WAITING:
            continue
        if one.person in here:
            return _call(roll, index, now)
        roll = _turn(roll, index, state=State.ABSENT, closed_at=now)
    return replace(roll, phase=Phase.IDLE, until=0)


def _call(roll: Roll, index: int, now: int) -> Roll:
    again = roll.entries[index].times + 1
    roll = _turn(roll, index, state=State.CALLED, called_at=now, answered_at=0, closed_at=0, times=again)
    return replace(roll, phase=Phase.CALLED, at=index, until=now + roll.answer if roll.answer else 0)


def _turn(roll: Roll, index: int, **changed: object) -> Roll:
    entries = list(roll.entries)
    entries[index] = replace(entries[index], **changed)  # type: ignore[arg-type]
    return replace(roll, entries=tuple(entries))
