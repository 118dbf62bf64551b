"""One call and its legs, as a table. No I/O and no clock: times are UTC ns and parameters, what is to be done is what differs
between a call before and after (:func:`commhub.calls.effects.effects`).

A call is asked of *parties* (a person, a seat, an organisation). Each party is tried at all terminals at once, one *leg* for
each; the first that answers is the party, the others end as ``answered_elsewhere``. Every leg ends once, with a reason. A call
lives while two are in it, or one is and somebody is still being called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal["point", "conference"]
CallState = Literal["ringing", "active", "ended"]


class State(StrEnum):
    INVITING = "inviting"  # the terminal has not said yet that it rings
    RINGING = "ringing"
    ANSWERED = "answered"
    HELD = "held"
    ENDED = "ended"


class End(StrEnum):
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    BUSY = "busy"
    DND = "dnd"
    UNREACHABLE = "unreachable"  # no terminal of his is connected
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"
    HANGUP = "hangup"
    TRANSFERRED = "transferred"
    RELEASED = "released"
    PREEMPTED = "preempted"
    TAKEN_OVER = "taken_over"
    FAILED = "failed"  # answered, and never came into the room
    LOST = "lost"  # was in the room, and did not come back
    RESTART = "restart"  # was not there any more when the hub was


#: What may follow what. Everything that happens to a leg is one of these steps.
TABLE: Final = MappingProxyType(
    {
        State.INVITING: {"alert": State.RINGING, "answer": State.ANSWERED, "end": State.ENDED},
        State.RINGING: {"answer": State.ANSWERED, "end": State.ENDED},
        State.ANSWERED: {"hold": State.HELD, "end": State.ENDED},
        State.HELD: {"resume": State.ANSWERED, "end": State.ENDED},
        State.ENDED: {},
    }
)
PENDING: Final = frozenset({State.INVITING, State.RINGING})
ACTIVE: Final = frozenset({State.ANSWERED, State.HELD})


@dataclass(frozen=True, slots=True)
class Party:
    """Who was asked for. ``kind``: caller, person, seat, org; ``id`` is that one's."""

    kind: str
    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Leg:
    """One terminal in a call. Times are UTC ns, 0: not yet. ``deadline``: when a pending one has not been answered, or an active
    one has not come (back) into the room, it ends as ``overdue``; 0: it is waited for no longer."""

    id: str
    party: int  # index into the call's parties
    person: str
    terminal: str  # ``<person>:<ULID>``, also its identity in the room; empty: no terminal of his is there
    state: State = State.INVITING
    end: End | None = None
    by: str = ""  # the person who ended it
    waiting: bool = False  # rings at a terminal that is in another call
    silent: bool = False  # the terminal did not acknowledge
    invited_at: int = 0
    ringing_at: int = 0
    answered_at: int = 0
    held_at: int = 0
    ended_at: int = 0
    deadline: int = 0
    overdue: End = End.NO_ANSWER

    @property
    def pending(self) -> bool:
        return self.state in PENDING

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def live(self) -> bool:
        return self.state is not State.ENDED


@dataclass(frozen=True, slots=True)
class Recall:
    """Of a blind transfer that nobody has answered yet: the leg that transferred, the id of the one by which its terminal rings
    again, and for how long (ns)."""

    leg: str
    id: str
    ring: int


@dataclass(frozen=True, slots=True)
class Call:
    """``priority`` is 0–9, higher first, and has nothing to do with the level of people. ``end`` of the call is that of its last
    legs. ``before`` is the call it came from: redialled, or transferred out of."""

    id: str
    kind: Kind
    created_by: str
    org: str
    created_at: int
    priority: int = 3
    emergency: bool = False
    video: bool = True
    label: str = "internal"
    before: str = ""
    state: CallState = "ringing"
    end: End | None = None
    answered_at: int = 0
    ended_at: int = 0
    rev: int = 1
    parties: tuple[Party, ...] = ()
    legs: tuple[Leg, ...] = ()
    recall: Recall | None = None

    @property
    def live(self) -> bool:
        return self.state != "ended"

    @property
    def rank(self) -> tuple[bool, int]:
        return self.emergency, self.priority

    @property
    def pending(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.pending]

    @property
    def active(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.active]

    @property
    def held(self) -> frozenset[str]:
        """Identities to which and from which no media flow."""
        return frozenset(leg.terminal for leg in self.legs if leg.state is State.HELD)

    def leg(self, id: str) -> Leg:
        return next(leg for leg in self.legs if leg.id == id)

    def at(self, terminal: str) -> Leg | None:
        """The live leg at this terminal."""
        return next((leg for leg in self.legs if leg.live and leg.terminal == terminal), None)

    def recalls(self, leg: Leg) -> bool:
        """Does it ring at who transferred the call to somebody who has not answered?"""
        return leg.pending and any(
            one.end is End.TRANSFERRED and one.person == leg.person and one.party == leg.party for one in self.legs
        )

    def people(self) -> list[str]:
        """Everybody who is or was concerned."""
        return list(dict.fromkeys([self.created_by, *(leg.person for leg in self.legs)]))

    @property
    def deadline(self) -> int:
        """When :func:`tick` has something to do; 0: never."""
        return min((leg.deadline for leg in self.legs if leg.live and leg.deadline), default=0)


class NotAllowed(ValueError):
    """A step that the table does not have. ``allowed`` are the verbs that would be."""

    def __init__(self, verb: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{verb} is not possible now.")
        self.verb, self.allowed = verb, list(allowed)


def allowed(call: Call, leg: Leg | None) -> list[str]:
    """What the person of this leg may do with the call now; None: he is not in it."""
    if not call.live:
        return ["redial"]
    if leg is None or not leg.live:
        return []
    if leg.pending:
        return ["answer", "decline"]
    verbs = ["hangup", "join", "add", "resume" if leg.state is State.HELD else "hold"]
    return [*verbs, "transfer"] if transferable(call) else verbs


def transferable(call: Call) -> bool:
    """Exactly two talk, nobody is being called."""
    return len(call.active) == 2 and not call.pending


def require(call: Call, leg: Leg | None, verb: str) -> Leg:
    """That leg, when it may. NotAllowed."""
    may = allowed(call, leg)
    if leg is None or verb not in may:
        raise NotAllowed(verb, may)
    return leg


def outranks(one: Call, other: Call) -> bool:
    """Emergency is above every priority; ties outrank nothing."""
    return one.rank > other.rank


def preempts(one: Call, other: Call) -> bool:
    """Does the first end the second where both want one terminal? Only an emergency does by itself: ending a call for a higher
    priority is a verb that a person must use, with a reason."""
    return one.emergency and outranks(one, other)


# ---- steps of one leg


def _step(leg: Leg, step: str, **values: object) -> Leg:
    after = TABLE[leg.state].get(step)
    if after is None:
        raise NotAllowed(step, sorted(TABLE[leg.state]))
    return replace(leg, state=after, **values)  # type: ignore[arg-type]


def _end(leg: Leg, why: End, now: int, by: str = "") -> Leg:
    return _step(leg, "end", end=why, ended_at=now, by=by, deadline=0)


def _each(call: Call, which: Callable[[Leg], bool], change: Callable[[Leg], Leg]) -> Call:
    return replace(call, legs=tuple(change(leg) if which(leg) else leg for leg in call.legs))


# ---- what happens to a call; each returns the call as it is afterwards


def create(call: Call, caller: Leg, now: int) -> Call:
    """A new call with the caller in it; :func:`invite` follows. ``deadline``: by when he must have come into the room."""
    first = replace(caller, state=State.ANSWERED, invited_at=now, answered_at=now, overdue=End.FAILED)
    return replace(call, legs=(first,), created_at=now)


def invite(call: Call, parties: Sequence[Party], legs: Iterable[Leg], now: int) -> Call:
    """New parties with their legs (``party`` counts from the first new one). A leg that comes with an end rings nowhere."""
    base = len(call.parties)
    added = []
    for leg in legs:
        made = replace(leg, party=base + leg.party, invited_at=now)
        added.append(made if leg.end is None else _end(replace(made, end=None), leg.end, now))
    asked = replace(call, parties=(*call.parties, *parties), legs=(*call.legs, *added))
    return settle(asked, now)


def alert(call: Call, id: str, now: int) -> Call:
    """The terminal has acknowledged: it rings. Nothing when that is over."""
    return _each(
        call,
        lambda leg: leg.id == id and leg.state is State.INVITING,
        lambda leg: _step(leg, "alert", ringing_at=now, silent=False),
    )


def silence(call: Call, id: str) -> Call:
    """The terminal did not acknowledge in time: shown, and it may still answer."""
    return _each(call, lambda leg: leg.id == id and leg.state is State.INVITING, lambda leg: replace(leg, silent=True))


def answer(call: Call, id: str, now: int, come_by: int) -> Call:
    """``come_by``: when it must be in the room. The party's other terminals, and the person's, stop ringing."""
    this = require(call, call.leg(id), "answer")

    def change(leg: Leg) -> Leg:
        if leg.id == id:
            return _step(leg, "answer", answered_at=now, deadline=come_by, overdue=End.FAILED, waiting=False, silent=False)
        return _end(leg, End.ANSWERED_ELSEWHERE, now, this.person)

    return settle(_each(call, lambda leg: leg.pending and (leg.party == this.party or leg.person == this.person), change), now)


def decline(call: Call, id: str, now: int) -> Call:
    """At all terminals of this person; who else was asked goes on ringing."""
    this = require(call, call.leg(id), "decline")
    return settle(
        _each(
            call,
            lambda leg: leg.pending and leg.person == this.person,
            lambda leg: _end(leg, End.DECLINED, now, this.person),
        ),
        now,
    )


def hang_up(call: Call, id: str, now: int) -> Call:
    this = require(call, call.leg(id), "hangup")
    return end_leg(call, id, End.HANGUP, now, this.person)


def end_leg(call: Call, id: str, why: End, now: int, by: str = "") -> Call:
    """Idempotent: a leg ends once."""
    return settle(_each(call, lambda leg: leg.id == id and leg.live, lambda leg: _end(leg, why, now, by)), now)


def end_all(call: Call, why: End, now: int, by: str = "") -> Call:
    """Released, or given up: nobody is left in it."""
    return settle(_each(call, lambda leg: leg.live, lambda leg: _end(leg, why, now, by)), now)


def hold(call: Call, id: str, now: int) -> Call:
    require(call, call.leg(id), "hold")
    return _each(call, lambda leg: leg.id == id, lambda leg: _step(leg, "hold", held_at=now))


def resume(call: Call, id: str) -> Call:
    require(call, call.leg(id), "resume")
    return _each(call, lambda leg: leg.id == id, lambda leg: _step(leg, "resume", held_at=0))


def transfer(call: Call, id: str, parties: Sequence[Party], legs: Iterable[Leg], now: int, recall: Recall | None = None) -> Call:
    """Blind: who transfers goes, the other waits while the new one is called. With ``recall`` it rings again where it came from
    when nobody answers: the other one is not lost."""
    this = require(call, call.leg(id), "transfer")
    asked = invite(call, parties, legs, now)
    gone = end_leg(asked, id, End.TRANSFERRED, now, this.person)
    return replace(gone, recall=recall) if gone.live else gone


def join(call: Call, id: str, party: Party, leg: Leg, now: int) -> Call:
    """Attended: who transfers goes, and ``leg`` (of another call, already talked to) is in it at once."""
    this = require(call, call.leg(id), "transfer")
    come = replace(leg, party=len(call.parties), state=State.ANSWERED, overdue=End.FAILED, invited_at=now, answered_at=now)
    joined = replace(call, parties=(*call.parties, party), legs=(*call.legs, come))
    return end_leg(joined, id, End.TRANSFERRED, now, this.person)


def add(call: Call, id: str, parties: Sequence[Party], legs: Iterable[Leg], now: int) -> Call:
    """Also turns a point call into a conference."""
    require(call, call.leg(id), "add")
    return invite(replace(call, kind="conference"), parties, legs, now)


# ---- the room, and time


def came(call: Call, id: str) -> Call:
    """Its client is in the room."""
    return _each(call, lambda leg: leg.id == id and leg.active, lambda leg: replace(leg, deadline=0))


def went(call: Call, id: str, back_by: int, overdue: End = End.LOST) -> Call:
    """Its client is not in the room: it may come back until then."""
    return _each(call, lambda leg: leg.id == id and leg.active, lambda leg: replace(leg, deadline=back_by, overdue=overdue))


def expect(call: Call, id: str, until: int, overdue: End) -> Call:
    """A leg that lives ends as ``overdue`` unless something happens until then."""
    return _each(call, lambda leg: leg.id == id and leg.live, lambda leg: replace(leg, deadline=until, overdue=overdue))


def tick(call: Call, now: int) -> Call:
    """Whatever is overdue ends."""

    def due(leg: Leg) -> bool:
        return leg.live and 0 < leg.deadline <= now

    if not any(map(due, call.legs)):
        return call
    return settle(_each(call, due, lambda leg: _end(leg, leg.overdue, now)), now)


def settle(call: Call, now: int) -> Call:
    """The call as its legs make it."""
    if not call.live:
        return call
    active, pending = call.active, call.pending
    if len({leg.party for leg in active}) >= 2 and call.state == "ringing":
        call = replace(call, state="active", answered_at=now)
    if len(active) >= 2:
        return replace(call, recall=None)
    if active and pending:
        return call
    if active and (back := call.recall) is not None:
        first = call.leg(back.leg)
        leg = Leg(back.id, first.party, first.person, first.terminal, invited_at=now, deadline=now + back.ring)
        return replace(call, legs=(*call.legs, leg), recall=None)
    why, by = _last_end(call)
    if pending:  # nobody is in it any more: who would be there to be answered?
        why = End.CANCELLED
    call = _each(call, lambda leg: leg.live, lambda leg: _end(leg, why, now, by))
    return replace(call, state="ended", ended_at=now, end=why)


def _last_end(call: Call) -> tuple[End, str]:
    """Why the last of the others went: who is left alone is told the same."""
    over = [leg for leg in call.legs if leg.end is not None and leg.end is not End.ANSWERED_ELSEWHERE]
    if not over:
        return End.HANGUP, ""
    last = max(over, key=lambda leg: leg.ended_at)  # the first of those that ended together: the one it began with
    assert last.end is not None
    return last.end, last.by
