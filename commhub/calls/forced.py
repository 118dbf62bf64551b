"""What is forced on calls: released, joined, taken over, pre-empted. No I/O and no clock; who may is not asked here.

Functions take the live calls by id and return the changed ones, as :mod:`commhub.calls.board` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from commhub.calls import board, machine
from commhub.calls.board import Calls, Candidate, Changed
from commhub.calls.machine import Call, End, Leg, Party, State


def release(calls: Calls, call: str, by: str, now: int) -> Changed:
    return {call: machine.end_all(calls[call], End.RELEASED, now, by)}


def barge(calls: Calls, call: str, party: Party, come: Leg, now: int) -> Changed:
    """``come`` is in it at once, and what else is talked in at that terminal is held."""
    return {**board.hold_others(calls, call, come, now), call: _come(calls[call], party, come, now)}


def take_over(calls: Calls, call: str, leg: str, party: Party, come: Leg, now: int) -> Changed:
    """``come`` is in it in the place of ``leg``."""
    joined = _come(calls[call], party, come, now)
    over = machine.end_leg(joined, leg, End.TAKEN_OVER, now, come.person)
    return {**board.hold_others(calls, call, come, now), call: replace(over, kind=calls[call].kind)}


def _come(call: Call, party: Party, come: Leg, now: int) -> Call:
    leg = replace(
        come, party=len(call.parties), state=State.ANSWERED, overdue=End.FAILED, invited_at=now, answered_at=now
    )  # fmt: skip
    return replace(call, kind="conference", parties=(*call.parties, party), legs=(*call.legs, leg))


def preempt(
    calls: Calls, call: Call, caller: Leg, parties: Sequence[Party], candidates: Sequence[Candidate], ring_by: int, now: int
) -> Changed:
    """A new call, for which what it outranks at the terminals of who is asked ends. Ties do not."""
    changed = board.start(calls, call, caller, now)
    legs, others = board.legs({**calls, **changed}, changed[call.id], candidates, ring_by, now, forced=True)
    return {**changed, **others, call.id: machine.invite(changed[call.id], parties, legs, now)}
