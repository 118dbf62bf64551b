"""Which room's events may be sent to a receiver now: one at a time per room, some rooms side by side, later after a failure.

A receiver that does not answer at all is asked by one room at a time (each time another one) until it does, so it is not
flooded when it comes up. An event that it refuses holds only its own room. No I/O; times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds until the next try: ``first``, doubled up to ``most``."""

    first: float = 1.0
    most: float = 30.0

    def after(self, failures: int) -> float:
        return min(self.most, self.first * 2.0 ** min(failures - 1, 30))


@dataclass(slots=True)
class _Lane:
    busy: bool = False
    again: bool = False  # more came while it was busy
    failures: int = 0
    due: float = 0.0


class Lanes:
    """The rooms of one receiver that have events waiting. ``side_by_side`` rooms are sent to at once."""

    def __init__(self, backoff: Backoff, side_by_side: int = 8) -> None:
        self._backoff, self._limit = backoff, side_by_side
        self._lanes: dict[str, _Lane] = {}
        self._busy = 0
        self._down = 0  # failures in a row of the receiver itself
        self._down_until = 0.0

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def failures(self) -> int:
        """How often in a row the receiver did not answer; 0 while it does."""
        return self._down

    def add(self, rooms: Iterable[str]) -> None:
        """These rooms have events."""
        for room in rooms:
            lane = self._lanes.setdefault(room, _Lane())
            lane.again = lane.busy

    def take(self, now: float) -> str | None:
        """A room whose first event is to be sent now, until :meth:`done` or :meth:`failed`; None when there is none."""
        if self._busy >= (1 if self._down else self._limit) or now < self._down_until:
            return None
        for room, lane in self._lanes.items():
            if not lane.busy and lane.due <= now:
                lane.busy, lane.again = True, False
                self._busy += 1
                # Behind all others for the next time.
                self._lanes[room] = self._lanes.pop(room)
                return room
        return None

    def succeeded(self, room: str) -> None:
        """The receiver took an event of it; more may follow."""
        self._down, self._down_until = 0, 0.0
        self._lanes[room].failures = 0

    def done(self, room: str, *, empty: bool) -> None:
        """Its turn is over. ``empty``: nothing was left for it."""
        lane = self._release(room)
        if empty and not lane.again:
            del self._lanes[room]
        lane.again = False

    def failed(self, room: str, now: float, *, unanswered: bool) -> None:
        """``unanswered``: the receiver is not there (for any room); otherwise it refused this one event."""
        lane = self._release(room)
        if unanswered:
            if now >= self._down_until:  # several that were under way fail together: that is one failure
                self._down += 1
                self._down_until = now + self._backoff.after(self._down)
        else:
            self._down, self._down_until = 0, 0.0
            lane.failures += 1
            lane.due = now + self._backoff.after(lane.failures)

    def _release(self, room: str) -> _Lane:
        lane = self._lanes[room]
        lane.busy = False
        self._busy -= 1
        return lane

    def deadline(self) -> float | None:
        """When :meth:`take` may have something, if nothing else happens before; None: never by itself."""
        if self._busy >= (1 if self._down else self._limit):
            return None
        due = min((lane.due for lane in self._lanes.values() if not lane.busy), default=None)
        return None if due is None else max(due, self._down_until)
