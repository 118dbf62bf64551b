"""Background tasks that have an owner: it cancels them and waits for them; no exception is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from commhub import log as logs

log = logs.get(__name__)


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
        for task in others:
            task.cancel()
        while others:
            # A task that ends by itself or fails while being cancelled is done too; `_done` logs the failure.
            _, others = await asyncio.wait(others)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
