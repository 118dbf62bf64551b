"""Recordings follow their rooms from worker to worker: whenever a room is placed anew, or the recorder comes back, the recorder
is told once more what to record and where (``Record`` is idempotent)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from commhub.errors import Unavailable
from commhub.media import Engine
from commhub.media.messages import Message, Record, SinkEnded


class Followed(Protocol):
    """A recording that somebody wants."""

    worker: str  # the one the recorder was told; empty: it has to be told

    @property
    def room(self) -> str: ...

    def told(self, worker: str) -> Record | None:
        """What the recorder is told. None: nothing any more, it is ending."""


class Following:
    """``followed`` is the owner's, by session. :meth:`linked` and :meth:`unlinked` are fed by the recorder's link; the owner
    calls :meth:`reconcile` when it has added something, and every now and then."""

    def __init__(self, engine: Engine, followed: Mapping[str, Followed]) -> None:
        self._engine, self._followed = engine, followed
        self._tell: Callable[[Message], None] | None = None
        engine.on_event(self._heard)
        engine.on_worker(lambda snapshot: None, self._worker_lost, self._worker_ready)

    def linked(self, tell: Callable[[Message], None]) -> None:
        self._tell = tell
        self._forget()

    def unlinked(self) -> None:
        self._tell = None
        self._forget()

    def _forget(self) -> None:
        for one in self._followed.values():
            one.worker = ""

    @property
    def up(self) -> bool:
        """Is the recorder there?"""
        return self._tell is not None

    def require(self) -> None:
        """Unavailable while the recorder is not there."""
        if not self.up:
            raise Unavailable(
                "The recorder is being restarted: try again in a moment.", "录制进程正在重启，请稍后再试。", code="no_recorder"
            )

    def tell(self, message: Message) -> None:
        """To the recorder; nothing while it is not there."""
        if self._tell is not None:
            self._tell(message)

    def reconcile(self) -> None:
        if self._tell is None:
            return
        for one in self._followed.values():
            worker = self._engine.worker_of(one.room)
            if worker and worker != one.worker and (record := one.told(worker)) is not None:
                one.worker = worker
                self._tell(record)

    def _worker_lost(self, worker: str, rooms: list[str]) -> None:
        for one in self._followed.values():
            if one.room in rooms or one.worker == worker:
                one.worker = ""

    def _worker_ready(self, worker: str) -> None:
        for one in self._followed.values():
            if one.worker == worker:
                one.worker = ""
        self.reconcile()

    def _heard(self, message: Message) -> None:
        if isinstance(message, SinkEnded) and (one := self._followed.get(message.sink)) is not None:
            one.worker = ""
