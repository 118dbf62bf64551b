"""How often: token buckets by address, for joins and wrong tokens, and for one client's messages. Time is monotonic seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

from commhub.errors import Busy
from commhub.guard.limits import BURST_SECONDS, Limits
from commhub.guard.origins import Origins, group

TOKEN_PATHS = ("/rtc", "/twirp/", "/whip", "/whep", "/w/")  # whoever asks there shows a token
CONNECTS_PER_SECOND, CONNECTS_AT_ONCE = 4.0, 60.0  # of one identity: a client that lost everything tries some ten times
ADDRESSES = 10_000  # remembered at most; the one unheard of for longest is forgotten


class Rates:
    """A bucket for each key: ``burst`` at once, ``rate`` a second."""

    def __init__(self, rate: float, burst: float, capacity: int = ADDRESSES) -> None:
        self._rate, self._burst, self._capacity = rate, max(1.0, burst), capacity
        self._levels: dict[str, tuple[float, float]] = {}

    def wait(self, key: str, now: float) -> float:
        """Seconds until there is one to take; 0: now."""
        return max(0.0, (1.0 - self._level(key, now)) / self._rate)

    def take(self, key: str, now: float) -> float:
        """Takes one if there is one; else takes nothing and says how many seconds to wait."""
        level = self._level(key, now)
        if level < 1.0:
            return (1.0 - level) / self._rate
        self._levels.pop(key, None)
        if len(self._levels) >= self._capacity:
            del self._levels[next(iter(self._levels))]
        self._levels[key] = (level - 1.0, now)
        return 0.0

    def give_back(self, key: str) -> None:
        if key in self._levels:
            level, at = self._levels[key]
            self._levels[key] = (min(self._burst, level + 1.0), at)

    def _level(self, key: str, now: float) -> float:
        level, at = self._levels.get(key, (self._burst, now))
        return min(self._burst, level + max(0.0, now - at) * self._rate)


class Entries:
    """Joins and wrong tokens of each address. Somebody who is in already and comes back is not held up by others' joins."""

    def __init__(self, limits: Limits, origins: Origins, clock: Callable[[], float] = time.monotonic) -> None:
        self._origins, self._clock = origins, clock
        self._joins = Rates(limits.joins_per_second, limits.joins_per_second * BURST_SECONDS)
        self._failures = Rates(limits.failures_per_minute / 60, limits.failures_per_minute)
        self._comers = Rates(CONNECTS_PER_SECOND, CONNECTS_AT_ONCE)

    def may_try(self, request: web.Request) -> None:
        """Busy when too many wrong tokens came from there."""
        seconds = self._failures.wait(self._key(request), self._clock())
        if seconds > 0:
            raise Busy(
                "Too many refused attempts from this address.",
                "来自该地址的失败尝试过多，请稍后再试。",
                retry_after=math.ceil(seconds),
            )

    def failed(self, request: web.Request) -> None:
        self._failures.take(self._key(request), self._clock())

    def again(self, who: str) -> float:
        """Seconds to wait for one identity, known by its token, that connects again and again; 0: it may now. It concerns
        those who come back, too."""
        return self._comers.take(who, self._clock())

    def join(self, request: web.Request) -> None:
        """Busy when too many join from there at once."""
        seconds = self._joins.take(self._key(request), self._clock())
        if seconds > 0:
            raise Busy(
                "Too many people join from this address at once.",
                "该地址同时加入的人过多，请稍后再试。",
                retry_after=math.ceil(seconds),
            )

    @property
    def middleware(self) -> Any:
        """Counts the 401 of everything that takes LiveKit's tokens, and refuses whoever has had too many."""

        @web.middleware
        async def pass_on(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> web.StreamResponse:
            if not request.path.startswith(TOKEN_PATHS) or request.method == hdrs.METH_OPTIONS:
                response: web.StreamResponse = await handler(request)
                return response
            try:
                self.may_try(request)
            except Busy as error:
                return _refusal(request, error)
            response = await handler(request)
            if response.status == 401:
                self.failed(request)
            return response

        return pass_on

    def _key(self, request: web.Request) -> str:
        return group(self._origins.address(request))


def _refusal(request: web.Request, error: Busy) -> web.Response:
    # LiveKit's clients show the sentence of a 403, but not of a 429; who comes back takes a 403 for the end, a 429 for a delay.
    joining = request.path.startswith("/rtc") and request.query.get("reconnect") not in ("1", "true")
    headers = {"Retry-After": str(error.retry_after), "Access-Control-Allow-Origin": "*"}
    return web.Response(status=403 if joining else 429, text=f"{error.message} {error.message_zh}", headers=headers)


class Pace:
    """One client's messages: beyond the rate it has to wait, and is cut when it keeps on for ``PATIENCE`` seconds.

    >>> seconds = pace.take(len(frame), now)   # wait so long before the next one is read; ValueError: no more of this
    """

    BURST = 5.0  # seconds' worth at once: a page that publishes and subscribes after a reconnect
    WEIGHT = 4096  # octets that count as one more message
    PATIENCE = 10.0

    def __init__(self, rate: float) -> None:
        self._rate, self._burst = rate, rate * self.BURST
        self._level, self._at, self._since = self._burst, 0.0, math.inf

    def take(self, octets: int, now: float) -> float:
        full = self._level + (now - self._at) * self._rate
        if full >= self._burst / 2:
            self._since = math.inf  # it has rested: what was is forgiven
        self._level, self._at = min(self._burst, full) - 1.0 - octets / self.WEIGHT, now
        if self._level >= 0:
            return 0.0
        self._since = min(self._since, now)
        if now - self._since > self.PATIENCE:
            raise ValueError("Too many signalling messages.")
        return -self._level / self._rate
