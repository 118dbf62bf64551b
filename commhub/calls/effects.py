"""What has to be done so that terminals and rooms are as a call's record says: the difference of before and after. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from commhub.calls.machine import Call, End, Leg, State


@dataclass(frozen=True, slots=True)
class Ring:
    leg: Leg


@dataclass(frozen=True, slots=True)
class Hush:
    """It rings no longer."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Enter:
    """The terminal talks in this call from now on; ``told``: it does not know, and must be told to come."""

    leg: Leg
    told: bool


@dataclass(frozen=True, slots=True)
class Go:
    """It is out of the call: its client leaves the room, by itself or not."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Gates:
    """Others are held than before."""


@dataclass(frozen=True, slots=True)
class Close:
    """The call is over, and its room."""


Effect = Ring | Hush | Enter | Go | Gates | Close
Step = Literal["created", "changed", "ended"]


def effects(before: Call | None, after: Call) -> list[Effect]:
    """Gates close before anybody comes, and open after."""
    known = {leg.id: leg for leg in before.legs} if before is not None else {}
    found: list[Effect] = [Gates()] if after.held != (before.held if before is not None else frozenset()) else []
    for leg in after.legs:
        was = known.get(leg.id)
        if was is not None and was.state is leg.state:
            continue
        if leg.pending and was is None:
            found.append(Ring(leg))
        elif leg.active and (was is None or was.pending):
            # Who answers or calls does so at his terminal; who is transferred learns it.
            found.append(Enter(leg, told=was is None and before is not None))
        elif leg.state is State.ENDED and was is not None:
            found.append(Hush(leg) if was.pending else Go(leg))
    if not after.live and (before is None or before.live):
        found.append(Close())
    return found


def kind_of(before: Call | None, after: Call) -> str:
    """The type of the event that tells the step."""
    if before is None:
        return "call.created" if after.live else "call.ended"
    if not after.live:
        return "call.ended"
    was = {leg.id: leg for leg in before.legs}
    new = [leg for leg in after.legs if leg.id not in was]
    moved = {(was[leg.id].state, leg.state) for leg in after.legs if leg.id in was and was[leg.id].state is not leg.state}
    gone = [leg for leg in after.legs if leg.id in was and was[leg.id].live and not leg.live]
    if any(leg.end is End.TRANSFERRED for leg in gone):
        return "call.transferred"
    if any(after.recalls(leg) for leg in new):
        return "call.recalled"
    if new:
        return "call.added"
    if any(after is State.ANSWERED and before is not State.HELD for before, after in moved):
        return "call.answered"
    if any(after is State.HELD for _, after in moved):
        return "call.held"
    if (State.HELD, State.ANSWERED) in moved:
        return "call.resumed"
    if any(leg.state is State.RINGING and was[leg.id].state is State.INVITING for leg in after.legs if leg.id in was):
        return "call.ringing"
    return "call.left" if gone else "call.changed"
