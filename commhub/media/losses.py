"""How much is lost, and on whose way: of what a viewer misses, what never reached us is its publisher's. No I/O, no clock.

Shares are of the packets between two calls. A viewer's reports lag behind by up to some seconds, so of what was lost upstream
the worst of the last two times counts; of few packets nothing is said.
"""

from __future__ import annotations

from collections.abc import Container

from commhub.media.plane import Reception, RouteCounters

LEAST = 25  # packets that a share is said of
LEAP = 1 << 20  # beyond this a stream has begun anew


class Losses:
    """Of receivers and routes by their numbers. Ask about a receiver before its routes."""

    def __init__(self) -> None:
        self._receivers: dict[int, tuple[int, int, int, int]] = {}
        self._routes: dict[int, tuple[int, int]] = {}
        self._missing: dict[int, tuple[float, float]] = {}  # receiver → lost for everybody: now, and the time before

    def up(self, receiver: int, seen: Reception) -> tuple[float, float]:
        """Lost on the way here, before repair; and never recovered. 0 … 1."""
        now = (seen.expected, seen.received, seen.lost, seen.nacks)
        before = self._receivers.get(receiver, now)
        self._receivers[receiver] = now
        expected, received, lost, nacks = (value - earlier for value, earlier in zip(now, before, strict=True))
        wire = gone = 0.0
        if LEAST <= expected < LEAP and received >= 0 and lost >= 0:
            wire = min(1.0, max(0.0, (expected - received) / expected))
            # What nobody asks for again is gone when it is lost.
            gone = min(wire, lost / expected) if nacks > 0 else wire
        self._missing[receiver] = (gone, self._missing.get(receiver, (0.0, 0.0))[0])
        return wire, gone

    def missing(self, receiver: int) -> float:
        """The share that no viewer can have, or could have just before."""
        return max(self._missing.get(receiver, (0.0, 0.0)))

    def down(self, route: int, counters: RouteCounters) -> float:
        """What a viewer says that he missed, wherever it was lost."""
        now = (counters.highest, counters.lost)
        before = self._routes.get(route, now)
        self._routes[route] = now
        expected, lost = now[0] - before[0], now[1] - before[1]
        if not LEAST <= expected < LEAP:
            return 0.0
        return min(1.0, max(0.0, lost / expected))

    def keep(self, receivers: Container[int], routes: Container[int]) -> None:
        """Forget all others."""
        self._receivers = {number: seen for number, seen in self._receivers.items() if number in receivers}
        self._missing = {number: seen for number, seen in self._missing.items() if number in receivers}
        self._routes = {number: seen for number, seen in self._routes.items() if number in routes}
