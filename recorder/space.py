"""What is left out when the disk gets full: one table, with hysteresis. Nothing stops silently, each step is told and journalled.

What lies in a store, too, goes first: nothing is lost by that. Then the order is that of what would be missed least: first the
sharpness of cameras that somebody wanted to have recorded, last people's faces. Sound, screens and words are small and always
kept; what must be recorded keeps its cameras one step longer.
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
COPIES: Final = Step("copies", 8, 10)  # what lies in a store, too, is dropped here; of recorders that have one
FULL: Final = Step("full", 0, 0)  # below the floor, or the disk has said so: recordings are closed, and go on later
#: In the order of their gravity.
STEPS: Final = (
    AMPLE,
    Step("low", 10, 12),  # an alarm
    COPIES,
    Step("cameras", 5, 7, lower=frozenset({Kind.FEED})),
    Step("pictures", 4, 6, lower=_ALL),
    Step("feeds", 3, 5, lower=_ALL, without=frozenset({Kind.FEED})),
    Step("evidence", 2, 4, lower=_ALL, without=frozenset({Kind.FEED, Kind.EVIDENCE})),
    Step("sound", 1, 3, lower=_ALL, without=_ALL),
    FULL,
)
BY_NAME: Final[Mapping[str, Step]] = {step.name: step for step in STEPS}
_HURRY = 2  # per cent: with less nothing waits for copies to be dropped
_MARGIN = 2  # per cent above the floor at which what was closed goes on


def kind(source: str, evidence: bool) -> Kind | None:
    """Of a track; None: it is always kept."""
    if source == "camera_feed":
        return Kind.EVIDENCE if evidence else Kind.FEED
    return Kind.FACE if source == "camera" else None


class Guard:
    """``floor``: bytes that are left to others. ``spare``: bytes a recording needs to begin. ``store``: there is one that
    recordings are put into."""

    def __init__(self, floor: int, spare: int, *, store: bool = False) -> None:
        self._floor, self._spare, self.store = floor, spare, store
        self.step = AMPLE

    def look(self, free: int, total: int, *, easing: bool = False) -> Step:
        """The step at so many bytes free of so many. ``easing``: copies are just being dropped, so nothing else is left out
        yet."""
        left, percent = free - self._floor, self._percent(free, total)
        now = STEPS.index(self.step)
        if left < 0 or (self.step is FULL and (left < 2 * self._spare or percent < _MARGIN)):
            self.step = FULL
            return FULL
        holds = [
            step
            for index, step in enumerate(STEPS[:-1])
            if (self.store or step is not COPIES) and (percent <= step.below or (index <= now and percent < step.above))
        ]
        waits = easing and percent > _HURRY and now <= STEPS.index(COPIES) < STEPS.index(holds[-1])
        self.step = COPIES if waits else holds[-1]
        return self.step

    def wanted(self, free: int, total: int) -> int:
        """Bytes of copies that are to be dropped, so that nothing else has to be left out."""
        percent, begun = self._percent(free, total), STEPS.index(self.step) >= STEPS.index(COPIES)
        if not self.store or not (percent <= COPIES.below or (begun and percent < COPIES.above)):
            return 0
        return int((COPIES.above + 0.5 - percent) * max(1, total - self._floor) / 100)

    def _percent(self, free: int, total: int) -> float:
        return (free - self._floor) * 100 / max(1, total - self._floor)

    def hit(self) -> None:
        """The disk took no more."""
        self.step = FULL
