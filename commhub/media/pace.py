"""How fast: a token bucket of octets, or of seconds of work."""

from __future__ import annotations


class Bucket:
    """``rate`` a second, ``burst`` at once. Time is monotonic seconds."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._level, self._at = burst, 0.0

    def take(self, amount: float, now: float) -> float:
        """Take it and say how many seconds one is ahead of the rate (0 = within it)."""
        self._level = min(self.burst, self._level + (now - self._at) * self.rate) - amount
        self._at = now
        return max(0.0, -self._level / self.rate)
