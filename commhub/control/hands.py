"""What moves now, and by whose hand: a dead-man's handle. No I/O, no clock.

A page says the motion again and again while a key is down. What it has not said for :data:`HELD` seconds stops, and so does
at once whatever a page moved that is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

HELD = 0.6  # seconds a motion lasts without a word
AXES = ("pan", "tilt", "zoom", "focus", "iris")


@dataclass(frozen=True, slots=True)
class Motion:
    """right, up, in, far, open: -1 … 1."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0
    focus: float = 0.0
    iris: float = 0.0

    @property
    def still(self) -> bool:
        return not any(astuple(self))


STILL = Motion()


def motion_of(said: Mapping[str, Any]) -> Motion:
    """What a page says; what it does not name rests. ValueError with a sentence."""
    values: dict[str, float] = {}
    for axis in AXES:
        value = said.get(axis, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 1:
            raise ValueError(f"{axis} must be a number from -1 to 1.")
        values[axis] = float(value)
    return Motion(**values)


@dataclass(frozen=True, slots=True)
class Drive:
    """This camera is to move so from now on."""

    camera: str
    motion: Motion


@dataclass(slots=True)
class _Held:
    hand: int
    motion: Motion
    until: float


class Hands:
    """``hand`` names an open page. ``now`` is seconds of any clock."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def receive(self, hand: int, camera: str, motion: Motion, now: float) -> list[Drive]:
        """Who moves it now may: the last one counts. Stopping is only for whose motion it is."""
        held = self._held.get(camera)
        if motion.still:
            return self._stop(camera) if held is not None and held.hand == hand else []
        self._held[camera] = _Held(hand, motion, now + HELD)
        return [] if held is not None and held.motion == motion else [Drive(camera, motion)]

    def let_go(self, hand: int) -> list[Drive]:
        """The page is gone."""
        return [drive for camera in self._of(hand) for drive in self._stop(camera)]

    def free(self, camera: str) -> list[Drive]:
        """Nobody may move it any more."""
        return self._stop(camera)

    def moves(self, hand: int) -> int:
        """How many cameras this page moves now."""
        return len(self._of(hand))

    def holder(self, camera: str) -> int | None:
        held = self._held.get(camera)
        return held.hand if held is not None else None

    def tick(self, now: float) -> list[Drive]:
        late = [camera for camera, held in self._held.items() if now >= held.until]
        return [drive for camera in late for drive in self._stop(camera)]

    @property
    def deadline(self) -> float | None:
        return min((held.until for held in self._held.values()), default=None)

    def _of(self, hand: int) -> list[str]:
        return [camera for camera, held in self._held.items() if held.hand == hand]

    def _stop(self, camera: str) -> list[Drive]:
        return [Drive(camera, STILL)] if self._held.pop(camera, None) is not None else []
