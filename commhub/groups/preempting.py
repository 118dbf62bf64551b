"""An emergency ends the calls that keep a terminal busy; who else was in one is told why by that call's own records."""

from __future__ import annotations

from commhub.calls import Calls, machine
from commhub.calls.machine import Call, End
from commhub.groups.calling import Preempt
from commhub.model import Actor, By


def by_ending_calls(calls: Calls) -> Preempt:
    """Calls that are emergencies themselves go on: equals never pre-empt."""

    async def preempt(terminal: str, engaged: set[str], by: Actor | By, why: str) -> bool:
        def step(this: Call, now: int) -> Call:
            leg = this.at(terminal)
            return machine.end_leg(this, leg.id, End.PREEMPTED, now, by.id or "") if leg is not None else this

        ended = [call for call in engaged if (known := calls.live.get(call)) is not None and not known.emergency]
        for call in ended:
            await calls.change(call, step, by, why)
        return len(ended) == len(engaged)

    return preempt
