"""Background tasks that have an owner: it cancels them and waits for them; no exception is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from types import TracebackType
from typing import Any, Self

from commhub import log as logs

log = logs.get(__name__)


LAG_TICK = 0.1  # seconds
LATE = 0.5  # seconds; beyond, whoever runs the process should know
AGAIN = 5.0  # seconds until a task that goes on is cancelled once more


class Lag:
    """How late this loop's clock rings: what everything in the process waits for besides its own work."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._worst = 0.0

    def take(self) -> float:
        """The worst since the last call, seconds."""
        worst, self._worst = self._worst, 0.0
        return worst

    async def run(self) -> None:
        """Measures for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_TICK
            await asyncio.sleep(LAG_TICK)
            late = loop.time() - due
            self._worst = max(self._worst, late)
            if late > LATE and (suppressed := logs.limited(("late", self._process), 60)) is not None:
                log.warning("late", process_name=self._process, seconds=round(late, 2), suppressed=suppressed)


async def rounds(seconds: float, what: str, going: Collection[str], look: Callable[[str], Awaitable[None]]) -> None:
    """Looks at each of ``going`` again and again, for ever; a fault of one, told at a bounded rate, leaves the others alone."""
    while True:
        await asyncio.sleep(seconds)
        for one in list(going):
            try:
                await look(one)
            except Exception:
                if (suppressed := logs.limited((what, one), 60)) is not None:
                    log.exception("not looked at", what=what, of=one, suppressed=suppressed)


class Tasks:
    """The tasks of one owner.

    >>> tasks = Tasks("rtsp 3F2A")
    >>> tasks.spawn(pull(), "pull")
    >>> await tasks.close()

    A task that fails is logged once, with its traceback, and the others go on. Also an async context manager.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Starts `work`. RuntimeError after `close`; the coroutine is then closed unstarted."""
        if self._closed:
            work.close()
            raise RuntimeError(f"The tasks of {self.owner} are closed.")
        task = asyncio.get_running_loop().create_task(work, name=f"{self.owner}: {name}")
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("task failed", task=task.get_name(), exc_info=failure)

    async def close(self) -> None:
        """Cancels every task and waits until all have ended; the calling task, if it is one, is spared."""
        self._closed = True
        others = self._running - {asyncio.current_task()}
        while others:
            # Again and again: asyncio.wait_for of Python 3.11 forgets a cancellation that meets its result.
            for task in others:
                task.cancel()
            # A task that ends by itself or fails while being cancelled is done too; `_done` logs the failure.
            _, others = await asyncio.wait(others, timeout=AGAIN)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
