"""Who of a group may speak: one at a time, others wait in order. No I/O, no clock.

The floor is idle, taken, or about to be taken away (``PENDING_REVOKE``: its holder has used the time there is, and has a
moment to finish). What happens when somebody asks depends on the state and on who asks, seen from the holder:

==============  ========  =========  ==========
state           asks for  who asks   verdict
==============  ========  =========  ==========
idle            request   anybody    granted
idle            override  anybody    granted
idle            revoke    anybody    nothing
taken           request   holder     kept
taken           request   emergency  taken over
taken           request   higher     queued
taken           request   other      queued
taken           override  holder     kept
taken           override  emergency  taken over
taken           override  higher     taken over
taken           override  other      refused
taken           revoke    holder     cut
taken           revoke    emergency  cut
taken           revoke    higher     cut
taken           revoke    other      refused
pending revoke  request   holder     queued
pending revoke  …         …          as taken, but an override of the holder's own is refused
==============  ========  =========  ==========

Emergency is a flag above levels, level 1 is the highest; equals never take the floor from each other. An *override* gives the
floor to who asked, a *revoke* gives it to nobody: who waited is sent away, too. Neither lets the holder finish. The queue is in
the order (emergency, level, time). The idle floor of a call that has a hang time ends it: ``OVER``, and nothing more is granted.

After 3GPP TS 24.380 clause 6 (which leaves the values of its timers to configuration), without its wire format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum


@dataclass(frozen=True, slots=True)
class Talker:
    """A member at a terminal: ``id`` is the participant's identity. ``level`` 1 is the highest rank, 9 the lowest."""

    id: str
    name: str = ""
    level: int = 9
    emergency: bool = False

    def outranks(self, other: Talker) -> bool:
        return (not self.emergency, self.level) < (not other.emergency, other.level)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds; 0 is without end. ``queue``: how many may wait."""

    limit: float = 30.0  # one may talk as long
    grace: float = 1.0  # and then has this to finish
    silence: float = 4.0  # who says nothing for this long gives the floor back
    hang: float = 10.0  # a call whose floor is idle for this long is over
    queue: int = 20


class State(Enum):
    IDLE = "idle"
    TAKEN = "taken"
    PENDING_REVOKE = "pending_revoke"
    OVER = "over"


class Asks(Enum):
    REQUEST = "request"
    OVERRIDE = "override"
    REVOKE = "revoke"


class Asker(Enum):
    ANYBODY = "anybody"
    HOLDER = "holder"
    EMERGENCY = "emergency"  # in an emergency, which the holder is not
    HIGHER = "higher"
    OTHER = "other"


class Verdict(Enum):
    NOTHING = "nothing"
    GRANTED = "granted"
    KEPT = "kept"
    QUEUED = "queued"
    TAKEN_OVER = "taken over"
    CUT = "cut"
    REFUSED = "refused"


RULES: dict[tuple[State, Asks, Asker], Verdict] = {
    (State.IDLE, Asks.REQUEST, Asker.ANYBODY): Verdict.GRANTED,
    (State.IDLE, Asks.OVERRIDE, Asker.ANYBODY): Verdict.GRANTED,
    (State.IDLE, Asks.REVOKE, Asker.ANYBODY): Verdict.NOTHING,
    (State.TAKEN, Asks.REQUEST, Asker.HOLDER): Verdict.KEPT,
    (State.TAKEN, Asks.REQUEST, Asker.EMERGENCY): Verdict.TAKEN_OVER,
    (State.TAKEN, Asks.REQUEST, Asker.HIGHER): Verdict.QUEUED,
    (State.TAKEN, Asks.REQUEST, Asker.OTHER): Verdict.QUEUED,
    (State.TAKEN, Asks.OVERRIDE, Asker.HOLDER): Verdict.KEPT,
    (State.TAKEN, Asks.OVERRIDE, Asker.EMERGENCY): Verdict.TAKEN_OVER,
    (State.TAKEN, Asks.OVERRIDE, Asker.HIGHER): Verdict.TAKEN_OVER,
    (State.TAKEN, Asks.OVERRIDE, Asker.OTHER): Verdict.REFUSED,
    (State.TAKEN, Asks.REVOKE, Asker.HOLDER): Verdict.CUT,
    (State.TAKEN, Asks.REVOKE, Asker.EMERGENCY): Verdict.CUT,
    (State.TAKEN, Asks.REVOKE, Asker.HIGHER): Verdict.CUT,
    (State.TAKEN, Asks.REVOKE, Asker.OTHER): Verdict.REFUSED,
    (State.PENDING_REVOKE, Asks.REQUEST, Asker.HOLDER): Verdict.QUEUED,
    (State.PENDING_REVOKE, Asks.REQUEST, Asker.EMERGENCY): Verdict.TAKEN_OVER,
    (State.PENDING_REVOKE, Asks.REQUEST, Asker.HIGHER): Verdict.QUEUED,
    (State.PENDING_REVOKE, Asks.REQUEST, Asker.OTHER): Verdict.QUEUED,
    (State.PENDING_REVOKE, Asks.OVERRIDE, Asker.HOLDER): Verdict.REFUSED,
    (State.PENDING_REVOKE, Asks.OVERRIDE, Asker.EMERGENCY): Verdict.TAKEN_OVER,
    (State.PENDING_REVOKE, Asks.OVERRIDE, Asker.HIGHER): Verdict.TAKEN_OVER,
    (State.PENDING_REVOKE, Asks.OVERRIDE, Asker.OTHER): Verdict.REFUSED,
    (State.PENDING_REVOKE, Asks.REVOKE, Asker.HOLDER): Verdict.CUT,
    (State.PENDING_REVOKE, Asks.REVOKE, Asker.EMERGENCY): Verdict.CUT,
    (State.PENDING_REVOKE, Asks.REVOKE, Asker.HIGHER): Verdict.CUT,
    (State.PENDING_REVOKE, Asks.REVOKE, Asker.OTHER): Verdict.REFUSED,
}


# ---- what happened


@dataclass(frozen=True, slots=True)
class Granted:
    """The talker's microphone opens now; ``until`` they are told that time is up, 0 never."""

    talker: Talker
    until: float


@dataclass(frozen=True, slots=True)
class Warned:
    """Time is up: the microphone closes at ``until``."""

    talker: Talker
    until: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The holder's microphone closes now. ``reason``: released, limit, silence, overridden, emergency, revoked, left."""

    talker: Talker
    reason: str
    by: Talker | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """``place`` counts from 1."""

    talker: Talker
    place: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """Waits no longer, and did not get the floor. ``reason``: cancelled, left, displaced, revoked."""

    talker: Talker
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """``reason``: outranked, queue_full, over."""

    talker: Talker
    reason: str


@dataclass(frozen=True, slots=True)
class Over:
    """Nobody has spoken for the hang time: the call is over."""


Out = Granted | Warned | Closed | Queued | Dropped | Refused | Over


@dataclass(frozen=True, slots=True)
class Waiting:
    talker: Talker
    since: float
    number: int  # in order of asking

    @property
    def rank(self) -> tuple[bool, int, int]:
        return (not self.talker.emergency, self.talker.level, self.number)


@dataclass(slots=True)
class Floor:
    """Of one call. ``now`` is seconds that never jump; every method does first what is due by then. It ends in OVER."""

    times: Times
    since: float  # the call's begin, then the begin of the state
    state: State = State.IDLE
    holder: Talker | None = None
    until: float = 0.0  # end of the holder's time, or of the moment to finish; 0 never
    queue: list[Waiting] = field(default_factory=list)
    _speaking: bool = False
    _quiet_since: float = 0.0
    _asked: int = 0

    # ---- asking

    def request(self, talker: Talker, now: float) -> list[Out]:
        return self._ask(Asks.REQUEST, talker, now)

    def override(self, talker: Talker, now: float) -> list[Out]:
        return self._ask(Asks.OVERRIDE, talker, now)

    def revoke(self, by: Talker, now: float) -> list[Out]:
        return self._ask(Asks.REVOKE, by, now)

    def _ask(self, what: Asks, talker: Talker, now: float) -> list[Out]:
        outs = self.tick(now)
        if self.state is State.OVER:
            return [*outs, Refused(talker, "over")]
        verdict = RULES[self.state, what, self._asker(talker)]
        return outs + _VERDICTS[verdict](self, talker, now)

    def verdict(self, what: Asks, talker: Talker, now: float) -> Verdict:
        """What asking would come to; nothing but what is due happens. REFUSED when the call is over."""
        if self.state is State.OVER:
            return Verdict.REFUSED
        return RULES[self.state, what, self._asker(talker)]

    def _asker(self, talker: Talker) -> Asker:
        if self.holder is None:
            return Asker.ANYBODY
        if self.holder.id == talker.id:
            return Asker.HOLDER
        if talker.emergency and not self.holder.emergency:
            return Asker.EMERGENCY
        return Asker.HIGHER if talker.outranks(self.holder) else Asker.OTHER

    # ---- giving back, leaving, speaking

    def release(self, talker: str, now: float) -> list[Out]:
        """The holder has finished. Nobody else's word."""
        outs = self.tick(now)
        if self.holder is not None and self.holder.id == talker:
            outs += self._close("released", now) + self._next(now)
        return outs

    def unqueue(self, talker: str, now: float) -> list[Out]:
        return self.tick(now) + self._drop(talker, "cancelled")

    def leave(self, talker: str, now: float) -> list[Out]:
        """They are no longer there."""
        outs = self.tick(now) + self._drop(talker, "left")
        if self.holder is not None and self.holder.id == talker:
            outs += self._close("left", now) + self._next(now)
        return outs

    def speaking(self, talker: str, speaks: bool, now: float) -> list[Out]:
        """What is heard of somebody; only of the holder it matters."""
        outs = self.tick(now)
        if self.holder is not None and self.holder.id == talker:
            if self._speaking and not speaks:
                self._quiet_since = now
            self._speaking = speaks
        return outs

    def calm(self, now: float) -> list[Out]:
        """The emergency was cancelled: nobody is above their level any more."""
        outs = self.tick(now)
        if self.holder is not None:
            self.holder = replace(self.holder, emergency=False)
        self.queue = [replace(one, talker=replace(one.talker, emergency=False)) for one in self.queue]
        self.queue.sort(key=_rank)
        return outs

    # ---- time

    @property
    def deadline(self) -> float | None:
        return min((at for at in (self._limit(), self._silence(), self._hang()) if at is not None), default=None)

    def tick(self, now: float) -> list[Out]:
        outs: list[Out] = []
        if (at := self._limit()) is not None and now >= at:
            outs += self._time_is_up(now)
        elif (at := self._silence()) is not None and now >= at:
            outs += self._close("silence", now) + self._next(now)
        elif (at := self._hang()) is not None and now >= at:
            self.state, self.since = State.OVER, now
            outs.append(Over())
        return outs

    def _limit(self) -> float | None:
        return self.until if self.holder is not None and self.until else None

    def _silence(self) -> float | None:
        counts = self.state is State.TAKEN and not self._speaking and self.times.silence
        return self._quiet_since + self.times.silence if counts else None

    def _hang(self) -> float | None:
        return self.since + self.times.hang if self.state is State.IDLE and self.times.hang else None

    def _time_is_up(self, now: float) -> list[Out]:
        assert self.holder is not None
        if self.state is State.TAKEN and self.times.grace:
            self.state, self.since, self.until = State.PENDING_REVOKE, now, now + self.times.grace
            return [Warned(self.holder, self.until)]
        return self._close("limit", now) + self._next(now)

    # ---- verdicts

    def _grant(self, talker: Talker, now: float) -> list[Out]:
        self.state, self.since, self.holder = State.TAKEN, now, talker
        self.until = now + self.times.limit if self.times.limit else 0.0
        self._speaking, self._quiet_since = False, now
        return [Granted(talker, self.until)]

    def _keep(self, talker: Talker, now: float) -> list[Out]:
        if talker.emergency and self.holder is not None:
            self.holder = replace(self.holder, emergency=True)
        return []

    def _wait(self, talker: Talker, now: float) -> list[Out]:
        outs: list[Out] = []
        known = next((one for one in self.queue if one.talker.id == talker.id), None)
        if known is not None:
            self.queue.remove(known)
            waiting = replace(known, talker=talker)
        else:
            self._asked += 1
            waiting = Waiting(talker, now, self._asked)
        self.queue.append(waiting)
        self.queue.sort(key=_rank)
        if len(self.queue) > self.times.queue:
            last = self.queue.pop()
            if last is waiting:
                return [Refused(talker, "queue_full")]
            outs.append(Dropped(last.talker, "displaced"))
        return [*outs, Queued(talker, self.queue.index(waiting) + 1)]

    def _take_over(self, talker: Talker, now: float) -> list[Out]:
        assert self.holder is not None
        reason = "emergency" if talker.emergency and not self.holder.emergency else "overridden"
        outs = self._close(reason, now, talker)
        self.queue = [one for one in self.queue if one.talker.id != talker.id]
        return outs + self._grant(talker, now)

    def _cut(self, by: Talker, now: float) -> list[Out]:
        outs = self._close("revoked", now, by)
        outs += [Dropped(one.talker, "revoked") for one in self.queue]
        self.queue.clear()
        return outs

    def _refuse(self, talker: Talker, now: float) -> list[Out]:
        return [Refused(talker, "outranked")]

    def _nothing(self, talker: Talker, now: float) -> list[Out]:
        return []

    # ---- parts

    def _close(self, reason: str, now: float, by: Talker | None = None) -> list[Out]:
        assert self.holder is not None
        closed = Closed(self.holder, reason, by)
        self.state, self.since, self.holder, self.until = State.IDLE, now, None, 0.0
        return [closed]

    def _next(self, now: float) -> list[Out]:
        return self._grant(self.queue.pop(0).talker, now) if self.queue else []

    def _drop(self, talker: str, reason: str) -> list[Out]:
        known = next((one for one in self.queue if one.talker.id == talker), None)
        if known is None:
            return []
        self.queue.remove(known)
        return [Dropped(known.talker, reason)]


def _rank(one: Waiting) -> tuple[bool, int, int]:
    return one.rank


_VERDICTS: dict[Verdict, Callable[[Floor, Talker, float], list[Out]]] = {
    Verdict.NOTHING: Floor._nothing,
    Verdict.GRANTED: Floor._grant,
    Verdict.KEPT: Floor._keep,
    Verdict.QUEUED: Floor._wait,
    Verdict.TAKEN_OVER: Floor._take_over,
    Verdict.CUT: Floor._cut,
    Verdict.REFUSED: Floor._refuse,
}
