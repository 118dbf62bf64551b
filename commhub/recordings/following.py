"""Recordings follow their rooms from worker to worker: whenever a room is placed anew, or the recorder comes back, the recorder
is told once more what to record and where (``Record`` is idempotent)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from commhub.errors import Unavailable
from commhub.media import Engine
from commhub.media.messages import Mark, Message, Record, SinkEnded, StopRecord
from commhub.media.messages.recording import shard_of


class Followed(Protocol):
    """A recording that somebody wants."""

    worker: str  # the one the recorder was told; empty: it has to be told

    @property
    def room(self) -> str: ...

    def told(self, worker: str) -> Record | None:
        """What the recorder is told. None: nothing any more, it is ending."""


class Following:
    """``followed`` is the owner's, by session. :meth:`linked` and :meth:`unlinked` are fed by the recorder's link; the owner
    calls :meth:`reconcile` when it has added something, and every now and then. With several ``shards`` each session belongs to
    one recorder."""

    def __init__(self, engine: Engine, followed: Mapping[str, Followed], shards: int = 1) -> None:
        self._engine, self._followed, self._shards = engine, followed, shards
        self._tells: dict[int, Callable[[Message], None]] = {}
        engine.on_event(self._heard)
        engine.on_worker(lambda snapshot: None, self._worker_lost, self._worker_ready)

    def linked(self, tell: Callable[[Message], None], shard: int = 0) -> None:
        self._tells[shard] = tell
        self._forget(shard)

    def unlinked(self, shard: int = 0) -> None:
        self._tells.pop(shard, None)
        self._forget(shard)

    def mine(self, session: str, shard: int) -> bool:
        """Does the session belong to that recorder?"""
        return shard_of(session, self._shards) == shard

    def _forget(self, shard: int) -> None:
        for session, one in self._followed.items():
            if self.mine(session, shard):
                one.worker = ""

    @property
    def up(self) -> bool:
        """Is a recorder there?"""
        return bool(self._tells)

    def require(self) -> None:
        """Unavailable while no recorder is there."""
        if not self.up:
            raise Unavailable(
                "The recorder is being restarted: try again in a moment.", "录制进程正在重启，请稍后再试。", code="no_recorder"
            )

    def tell(self, message: Record | StopRecord | Mark) -> None:
        """To the session's recorder; nothing while it is not there."""
        tell = self._tells.get(shard_of(message.session, self._shards))
        if tell is not None:
            tell(message)

    def reconcile(self) -> None:
        for session, one in self._followed.items():
            tell = self._tells.get(shard_of(session, self._shards))
            worker = self._engine.worker_of(one.room)
            if tell is not None and worker and worker != one.worker and (record := one.told(worker)) is not None:
                one.worker = worker
                tell(record)

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
