"""When a media worker has too much to do, and what it gives up first. No I/O, no clock.

Two delays tell: how late the event loop's own clock rings, and how long a datagram lay in the kernel before it was read. Either
means that everybody in every room of the worker hears and sees that much later, so the greater one is judged. It is smoothed, so
that one long breath (a garbage collection, a neighbour's burst) changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

SMOOTHING = 0.5  # seconds


class Level(IntEnum):
    """What the worker gives up. Each includes the ones before it."""

    CALM = 0  # nothing
    SHED = 1  # the better layers of every video
    FULL = 2  # new participants; who is there may always come back


@dataclass(frozen=True, slots=True)
class Step:
    """From one level to another when the delay has been above (or below) ``limit`` for ``hold`` seconds."""

    at: Level
    to: Level
    above: bool
    limit: float
    hold: float


def steps(shed: float = 0.100, refuse: float = 0.250) -> tuple[Step, ...]:
    """The whole machine: seconds of delay above which layers are shed, and newcomers refused.

    Both end below half of the lower one."""
    well = min(shed, refuse) / 2
    return (
        Step(Level.CALM, Level.SHED, True, shed, 2.0),
        Step(Level.SHED, Level.FULL, True, refuse, 3.0),  # that did not help
        Step(Level.FULL, Level.SHED, False, well, 5.0),
        Step(Level.SHED, Level.CALM, False, well, 10.0),
    )


class Overload:
    """``steps`` is the whole machine; of two steps that are due the first one is taken."""

    def __init__(self, steps: tuple[Step, ...] = steps()) -> None:
        self.level = Level.CALM
        self.delay = 0.0  # smoothed, seconds
        self._steps = steps
        self._since: dict[Step, float] = {}  # steps whose condition holds, and since when
        self._at: float | None = None

    def measure(self, lag: float, waited: float, now: float) -> Level:
        """The level after this measurement: the worst of both delays, in seconds, since the last one. ``now`` is monotonic."""
        passed = 0.0 if self._at is None else now - self._at
        self._at = now
        self.delay += (max(lag, waited, 0.0) - self.delay) * (1 - math.exp(-passed / SMOOTHING))
        for step in self._steps:
            if step.at is not self.level:
                continue
            if (self.delay > step.limit) is not step.above:
                self._since.pop(step, None)
            elif now - self._since.setdefault(step, now) >= step.hold:
                self.level = step.to
                self._since.clear()
                break
        return self.level
