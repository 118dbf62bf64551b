"""The one timer of a machine that keeps no time itself: it says when it wants to be looked at, and is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Wakeup:
    """``due`` is called at the deadline that was set last, or sooner: one that has moved away leaves the timer as it is.

    >>> wakeup.set(machine.deadline)
    """

    def __init__(self, due: Callable[[], None]) -> None:
        self._due = due
        self._timer: asyncio.TimerHandle | None = None

    def set(self, deadline: float | None) -> None:
        """In the loop's seconds; None: not at all."""
        if self._timer is not None and (deadline is None or self._timer.when() > deadline):
            self.stop()
        if deadline is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._ring)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._due()
