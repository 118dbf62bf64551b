"""Who has a camera: one person at a time, taken by moving it, kept a while, taken over by rank. No I/O, no clock.

A camera is free or held; who asks has it, outranks who has it, or does not:

==========  =======  =============
            who asks what happens
==========  =======  =============
free        anybody  taken
held        holder   kept
held        higher   taken over
held        other    refused
==========  =======  =============

A held camera becomes free when its holder gives it back, or :data:`KEPT` seconds after their last word.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

KEPT = 30.0  # seconds after the last word


@dataclass(frozen=True, slots=True)
class Holder:
    """``level`` 1 is the highest rank, 9 the lowest."""

    id: str
    name: str
    org_name: str
    level: int


@dataclass(frozen=True, slots=True)
class Lock:
    """Times are unix seconds."""

    camera: str
    holder: Holder
    since: float
    until: float


class State(Enum):
    FREE = auto()
    HELD = auto()


class Asker(Enum):
    ANYBODY = auto()
    HOLDER = auto()
    HIGHER = auto()
    OTHER = auto()


class Verdict(Enum):
    TAKEN = auto()
    KEPT = auto()
    TAKEN_OVER = auto()
    REFUSED = auto()


RULES: dict[tuple[State, Asker], Verdict] = {
    (State.FREE, Asker.ANYBODY): Verdict.TAKEN,
    (State.HELD, Asker.HOLDER): Verdict.KEPT,
    (State.HELD, Asker.HIGHER): Verdict.TAKEN_OVER,
    (State.HELD, Asker.OTHER): Verdict.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """``lock`` is the camera's from now on; ``before`` the one that was taken over."""

    verdict: Verdict
    lock: Lock
    before: Lock | None = None

    @property
    def granted(self) -> bool:
        return self.verdict is not Verdict.REFUSED

    @property
    def changed(self) -> bool:
        """Somebody else has it than a moment ago."""
        return self.verdict in (Verdict.TAKEN, Verdict.TAKEN_OVER)


class Locks:
    """All of them. ``now`` is unix seconds that never jump."""

    def __init__(self) -> None:
        self._held: dict[str, Lock] = {}

    def of(self, camera: str, now: float) -> Lock | None:
        lock = self._held.get(camera)
        return lock if lock is not None and now < lock.until else None

    def ask(self, camera: str, person: Holder, now: float) -> Decision:
        """Somebody is about to move it."""
        held = self.of(camera, now)
        verdict = RULES[_state(held), _asker(held, person)]
        if verdict is Verdict.REFUSED:
            assert held is not None
            return Decision(verdict, held)
        if verdict is Verdict.KEPT:
            assert held is not None
            lock = replace(held, until=now + KEPT)
        else:
            lock = Lock(camera, person, now, now + KEPT)
        self._held[camera] = lock
        return Decision(verdict, lock, held if verdict is Verdict.TAKEN_OVER else None)

    def release(self, camera: str, person: str, now: float) -> bool:
        """False when it is not theirs."""
        held = self.of(camera, now)
        if held is None or held.holder.id != person:
            return False
        del self._held[camera]
        return True

    def tick(self, now: float) -> list[Lock]:
        """Those that have run out."""
        over = [lock for lock in self._held.values() if now >= lock.until]
        for lock in over:
            del self._held[lock.camera]
        return over

    @property
    def deadline(self) -> float | None:
        return min((lock.until for lock in self._held.values()), default=None)


def _state(held: Lock | None) -> State:
    return State.FREE if held is None else State.HELD


def _asker(held: Lock | None, person: Holder) -> Asker:
    if held is None:
        return Asker.ANYBODY
    if held.holder.id == person.id:
        return Asker.HOLDER
    return Asker.HIGHER if person.level < held.holder.level else Asker.OTHER
