"""All live calls together: what one call means for another at the same terminal. No I/O and no clock.

At a terminal at most one call is talked in; others there are held, or wait. Functions take the live calls by id and return the
changed ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from commhub.calls import machine
from commhub.calls.machine import Call, End, Leg, NotAllowed, Party, State

Calls = Mapping[str, Call]
Changed = dict[str, Call]

KNOCKING_LIMIT: Final = 2  # calls that ring or knock at one terminal; who comes after finds it busy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A terminal of somebody who is asked; ``id`` becomes the leg's. ``presence`` is its presence as terminals say it."""

    id: str
    party: int
    person: str
    terminal: str
    presence: str = "idle"


def engaged(calls: Calls, terminal: str, besides: str = "") -> Iterator[tuple[Call, Leg]]:
    """Live legs at this terminal."""
    for call in calls.values():
        if call.id != besides and call.live and (leg := call.at(terminal)) is not None:
            yield call, leg


def start(calls: Calls, call: Call, caller: Leg, now: int) -> Changed:
    """The caller is in his new call, and what he was in before is held."""
    made = machine.create(call, caller, now)
    return {**hold_others(calls, call.id, caller, now), call.id: made}


def legs(
    calls: Calls, call: Call, candidates: Sequence[Candidate], ring_by: int, now: int, *, forced: bool = False
) -> tuple[list[Leg], Changed]:
    """A leg for each terminal: one that rings, waits, or is over at once; and the calls that an emergency ends, ``forced`` (by
    somebody who may, with a reason) also a call of higher priority."""
    made, changed = [], dict[str, Call]()
    there = {leg.person for leg in call.legs if leg.live}
    for one in candidates:
        if one.person in there:
            continue
        now_calls = {**calls, **changed}
        end, waiting, ended = _meet(now_calls, call, one, forced)
        for other, leg in ended:
            changed[other.id] = machine.end_leg(now_calls[other.id], leg.id, End.PREEMPTED, now, call.created_by)
        made.append(Leg(one.id, one.party, one.person, one.terminal, end=end, waiting=waiting, deadline=ring_by))
    return made, changed


def _meet(calls: Calls, call: Call, one: Candidate, forced: bool) -> tuple[End | None, bool, list[tuple[Call, Leg]]]:
    """How the call meets what the terminal does: over at once, waiting, and whom it ends there."""
    if not one.terminal or one.presence == "offline":
        return End.UNREACHABLE, False, []
    if one.presence == "dnd" and not call.emergency:
        return End.DND, False, []
    here = list(engaged(calls, one.terminal, call.id))
    if sum(leg.pending for _, leg in here) >= KNOCKING_LIMIT and not call.emergency:
        return End.BUSY, False, []
    talking = [(other, leg) for other, leg in here if leg.state is State.ANSWERED]
    ends = machine.outranks if forced else machine.preempts
    if talking and all(ends(call, other) for other, _ in talking):
        return None, False, talking
    return None, bool(here) or one.presence == "busy", []


def answer(calls: Calls, call: str, leg: str, now: int, come_by: int) -> Changed:
    """And what was talked in at this terminal is held."""
    answered = machine.answer(calls[call], leg, now, come_by)
    return {**hold_others(calls, call, answered.leg(leg), now), call: answered}


def resume(calls: Calls, call: str, leg: str, now: int) -> Changed:
    resumed = machine.resume(calls[call], leg)
    return {**hold_others(calls, call, resumed.leg(leg), now), call: resumed}


def connect(calls: Calls, to: str, leg: str, consulted: str, now: int, come_by: int, new: str) -> Changed:
    """Attended transfer: who holds ``leg`` of the call ``to`` gives it to the other one of ``consulted``, and goes from both.
    ``new`` is the id of the leg that comes. NotAllowed."""
    kept, asked = calls[to], calls[consulted]
    mine = machine.require(kept, kept.leg(leg), "transfer")
    also = machine.require(asked, asked.at(mine.terminal), "transfer")
    if kept.id == asked.id:
        raise NotAllowed("transfer", machine.allowed(kept, mine))
    other = next(one for one in asked.active if one.id != also.id)
    if any(one.person == other.person for one in kept.active):
        raise NotAllowed("transfer", machine.allowed(kept, mine))
    come = Leg(new, 0, other.person, other.terminal, deadline=come_by)
    over = machine.end_leg(asked, other.id, End.TRANSFERRED, now, mine.person)
    return {to: machine.join(kept, leg, Party("person", other.person), come, now), consulted: over}


def recalling(calls: Calls, before: Call | None, after: Call) -> tuple[Call, bool]:
    """Does it ring at who transferred, from now on? Where the terminal is in another call by now, it waits."""
    known = {leg.id for leg in before.legs} if before is not None else set()
    new = {leg.id for leg in after.legs if leg.id not in known and after.recalls(leg)}
    legs = (
        replace(leg, waiting=True) if leg.id in new and any(engaged(calls, leg.terminal, after.id)) else leg for leg in after.legs
    )
    return replace(after, legs=tuple(legs)), bool(new)


def hold_others(calls: Calls, call: str, leg: Leg, now: int) -> Changed:
    """What else is talked in at this leg's terminal."""
    return {
        other.id: machine.hold(other, one.id, now)
        for other, one in engaged(calls, leg.terminal, call)
        if one.state is State.ANSWERED
    }
