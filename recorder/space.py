"""What is left out when the disk gets full: one table, with hysteresis. Nothing stops silently, each step is told and journalled.

The order is that of what would be missed least: first the sharpness of cameras that somebody wanted to have recorded, last
people's faces. Sound, screens and words are small and always kept; what must be recorded keeps its cameras one step longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Pictures by how much they would be missed, least first. Everything else is always kept."""

    FEED = "feed"  # of a surveillance camera, recorded by hand
    EVIDENCE = "evidence"  # of a surveillance camera in what must be recorded
    FACE = "face"  # a person's camera


_ALL: Final = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Step:
    """Begins when less than ``below`` per cent are free above the floor, is over at ``above``. ``lower``: of these only the
    lowest layer is kept; ``without``: of these nothing."""

    name: str
    below: float
    above: float
    lower: frozenset[Kind] = frozenset()
    without: frozenset[Kind] = frozenset()


AMPLE: Final = Step("ample", float("inf"), float("inf"))
FULL: Final = Step("full", 0, 0)  # below the floor, or the disk has said so: recordings are closed, and go on later
#: In the order of their gravity.
STEPS: Final = (
    AMPLE,
    Step("low", 10, 12),  # an alarm
    Step("cameras", 5, 7, lower=frozenset({Kind.FEED})),
    Step("pictures", 4, 6, lower=_ALL),
    Step("feeds", 3, 5, lower=_ALL, without=frozenset({Kind.FEED})),
    Step("evidence", 2, 4, lower=_ALL, without=frozenset({Kind.FEED, Kind.EVIDENCE})),
    Step("sound", 1, 3, lower=_ALL, without=_ALL),
    FULL,
)
BY_NAME: Final[Mapping[str, Step]] = {step.name: step for step in STEPS}
_MARGIN = 2  # per cent above the floor at which what was closed goes on


def kind(source: str, evidence: bool) -> Kind | None:
    """Of a track; None: it is always kept."""
    if source == "camera_feed":
        return Kind.EVIDENCE if evidence else Kind.FEED
    return Kind.FACE if source == "camera" else None


class Guard:
    """``floor``: bytes that are left to others. ``spare``: bytes a recording needs to begin."""

    def __init__(self, floor: int, spare: int) -> None:
        self._floor, self._spare = floor, spare
        self.step = AMPLE

    def look(self, free: int, total: int) -> Step:
        """The step at so many bytes free of so many."""
        left, room = free - self._floor, max(1, total - self._floor)
        percent = left * 100 / room
        now = STEPS.index(self.step)
        if left < 0 or (self.step is FULL and (left < 2 * self._spare or percent < _MARGIN)):
            self.step = FULL
            return FULL
        holds = [
            step for index, step in enumerate(STEPS[:-1]) if percent <= step.below or (index <= now and percent < step.above)
        ]
        self.step = holds[-1]
        return self.step

    def hit(self) -> None:
        """The disk took no more."""
        self.step = FULL
