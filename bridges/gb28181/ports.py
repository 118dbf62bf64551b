"""Even ports on which devices bring their media (RFC 3550 §11), each used by one call and rested afterwards, so that what an old
call's device still sends meets nobody. No I/O, no clock: ``now`` is monotonic seconds."""

from __future__ import annotations

import random
from collections import deque

REST_SECONDS = 30.0


class Ports:
    """``first`` to ``last``, inclusive; with ``first`` 0 the system chooses every time (``take`` gives 0)."""

    def __init__(self, first: int, last: int, rest: float = REST_SECONDS) -> None:
        ports = [port for port in range(first + first % 2, last + 1, 2) if first]
        if first and not ports:
            raise ValueError("The range of media ports has no even port.")
        begin = random.randrange(len(ports)) if ports else 0  # a restarted process does not meet its old devices
        self._free = deque(ports[begin:] + ports[:begin])
        self._resting: deque[tuple[float, int]] = deque()
        self._rest = rest
        self._chosen = not ports
        self.used = 0

    def __len__(self) -> int:
        """How many are left."""
        return len(self._free) + len(self._resting)

    def take(self, now: float) -> int:
        """ValueError when all are in use. One that rests is taken only where there is no other."""
        if self._chosen:
            self.used += 1
            return 0
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
        if self._free:
            port = self._free.popleft()
        elif self._resting:
            port = self._resting.popleft()[1]
        else:
            raise ValueError("All media ports are in use.")
        self.used += 1
        return port

    def give(self, port: int, now: float) -> None:
        """Back, for later."""
        self.used -= 1
        if not self._chosen:
            self._resting.append((now + self._rest, port))
