"""Which layers fit to a subscriber: estimation and allocation. No I/O and no clock.

A subscriber's REMB says reliably when to go down, and little about how far one could go up: it hardly grows beyond what is
received. So the allocator goes down when three reports in a row stay under 85 % of what is sent, and goes up
by trying: one step, watched for a while; when the try fails, the next one waits twice as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

REPORTS = 3  # in a row until we believe that too much is sent
HOLD = 1.0  # s they span at least: receivers report five times a second while their estimate falls
TOO_LOW = 0.85  # of what is sent
GROWN = 1.05  # of the budget what was given may come to cost
MARGIN = 0.95  # of an estimate that is given away
WATCH = 6.0  # s a try must hold
FIRST_TRY, LAST_TRY = 8.0, 120.0  # s until the next try: after the first failure, at most
BLACK_TRY = 3.0  # s instead of FIRST_TRY while somebody sees nothing at all
CALM = 3.0  # s after going down during which reports still speak of the time before
GUESS = 3  # a layer nobody has measured yet is taken as this many times the one below it
FLOOR = 30_000  # bit/s; an estimate below this says "almost nothing", not a number


@dataclass(slots=True)
class Demand:
    """A video that somebody looks at. ``bitrates`` of its layers in bit/s as measured, 0 = not known; ``wanted`` the best
    layer that makes sense on that screen. Higher ``priority`` is served first, then the order of the list."""

    key: int
    bitrates: list[int]
    wanted: int
    priority: int = 0
    complete: Sequence[int] = ()  # layers that the next try may go up to at once; () = each

    def cost(self, layer: int) -> int:
        """bit/s of a layer; -1 costs nothing."""
        if layer < 0:
            return 0
        layer = min(layer, len(self.bitrates) - 1)
        if self.bitrates[layer] > 0:
            return self.bitrates[layer]
        if layer == 0:
            above = next((rate for rate in self.bitrates if rate > 0), 0)
            return above // GUESS
        return self.cost(layer - 1) * GUESS


@dataclass(slots=True)
class Allocator:
    """One subscriber. ``budget`` in bit/s is what all videos may cost together, None while nothing limits."""

    budget: int | None = None
    _low: int = 0
    _low_since: float = 0.0
    _estimate: int = 0
    _wait: float = FIRST_TRY
    _next_try: float = 0.0
    _trying_since: float = 0.0  # 0 = not trying
    _calm_until: float = 0.0
    _asked: tuple[tuple[int, int, int, int], ...] = ()
    _given: dict[int, int] = field(default_factory=dict)
    _stale: bool = True

    def report(self, estimate: int, sent: int, reserved: int, now: float) -> None:
        """The subscriber's estimate and what is sent to it right now, in bit/s of all media; ``reserved`` is the sound in it."""
        rising = self._estimate and estimate > self._estimate
        self._estimate = estimate
        if now < self._calm_until:
            return
        if estimate >= sent * TOO_LOW:
            self._low = 0
            if self._trying_since and now - self._trying_since >= WATCH:  # it holds
                self._trying_since = 0.0
                self._wait = FIRST_TRY
                self._next_try = now + CALM
            return
        if rising:
            return  # it lags behind a stream that has grown; congestion makes it fall
        if not self._low:
            self._low_since = now
        self._low += 1
        if self._low < REPORTS or now - self._low_since < HOLD:
            return
        self._low = 0
        if self._trying_since:
            self._trying_since = 0.0
            self._wait = min(LAST_TRY, self._wait * 2)
        self.budget = max(0, int(max(FLOOR, estimate) * MARGIN) - reserved)
        self._next_try = now + self._wait
        self._calm_until = now + CALM
        self._stale = True

    def decide(self, demands: list[Demand], now: float) -> dict[int, int]:
        """Layer per demand, -1 = none fits. Stable: it changes only with the demands, a new budget or a try."""
        asked = tuple((demand.key, demand.wanted, demand.priority, len(demand.bitrates)) for demand in demands)
        if asked != self._asked:
            self._asked = asked
            self._stale = True
        if self.budget is not None and not self._trying_since and now >= self._next_try:
            self._try(demands, now)
        if self.budget is not None and not self._stale:
            spent = sum([demand.cost(self._given.get(demand.key, -1)) for demand in demands])
            self._stale = spent > self.budget * GROWN  # a publisher that has become better must not flood a narrow line
        if self._stale:
            self._stale = False
            self._given = share(demands, self.budget)
            if self._wait == FIRST_TRY and not self._trying_since and min(self._given.values(), default=0) < 0:
                self._next_try = min(self._next_try, now + BLACK_TRY)
        return self._given

    def _try(self, demands: list[Demand], now: float) -> None:
        """Raise the budget by the cheapest step up; without one nothing is limited any more."""
        steps = []
        total = 0
        for demand in demands:
            given = self._given.get(demand.key, -1)
            total += demand.cost(given)
            if given < min(demand.wanted, len(demand.bitrates) - 1):
                # While nothing has failed the frames per second come back together with the picture's size.
                whole = demand.complete if self._wait == FIRST_TRY else ()
                following = next((layer for layer in whole if layer > given), given + 1)
                steps.append(demand.cost(following) - demand.cost(given))
        if steps:
            assert self.budget is not None
            self.budget = max(self.budget, total) + max(0, min(steps))
            self._trying_since = now
        elif demands:
            self.budget = None
            self._wait = FIRST_TRY
        self._stale = True


def share(demands: list[Demand], budget: int | None) -> dict[int, int]:
    """Layers that fit into ``budget``: everybody's lowest first, then step by step. The very first demand is never left
    without its lowest layer."""
    best = {demand.key: min(demand.wanted, len(demand.bitrates) - 1) for demand in demands}
    if budget is None:
        return best
    order = sorted(demands, key=lambda demand: -demand.priority)
    given: dict[int, int] = {}
    left = budget
    for number, demand in enumerate(order):
        cost = demand.cost(0)
        given[demand.key] = 0 if cost <= left or not number else -1
        if not given[demand.key]:
            left -= cost
    for layer in range(1, max(best.values(), default=0) + 1):
        for demand in order:
            step = demand.cost(layer) - demand.cost(layer - 1)
            if given[demand.key] == layer - 1 and layer <= best[demand.key] and step <= left:
                given[demand.key] = layer
                left -= step
    return given
