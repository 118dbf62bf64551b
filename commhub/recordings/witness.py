"""The hub's own record of recordings' checkpoints: who can write recordings, even sign them, cannot change what was told here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import log as logs
from commhub.media.messages import Checkpoint, Message
from commhub.store import Reading, Store, tables
from commhub.tasks import Tasks

log = logs.get(__name__)

PAUSE = 1.0  # seconds between two transactions
WAITING = 50_000  # checkpoints that a database which does not answer may keep waiting
AT_ONCE = 200
_t = tables.recording_checkpoints.c


@dataclass(frozen=True, slots=True)
class Kept:
    number: int
    head: str


class Witness:
    """Fed by the recorders' links. What is told twice is kept as it was told first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[tuple[str, int], Checkpoint] = {}
        self._tasks = Tasks("witness")

    def start(self) -> None:
        self._tasks.spawn(self._write(), "write")

    async def close(self) -> None:
        await self._tasks.close()
        await self._take()

    def linked(self, snapshot: Message, tell: Callable[[Message], None]) -> None:
        """Nothing to say."""

    def unlinked(self) -> None:
        """Nothing to forget."""

    def receive(self, message: Message) -> None:
        if isinstance(message, Checkpoint) and len(self._told) < WAITING:
            self._told.setdefault((message.session, message.number), message)

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            await self._take()

    async def _take(self) -> None:
        while self._told:
            some = [self._told[key] for key in list(self._told)[:AT_ONCE]]
            try:
                await self._keep(some)
            except SQLAlchemyError:
                if (suppressed := logs.limited(("checkpoints",), 60)) is not None:
                    log.exception("checkpoints not kept", waiting=len(self._told), suppressed=suppressed)
                return
            for one in some:
                del self._told[one.session, one.number]

    async def _keep(self, some: list[Checkpoint]) -> None:
        async with self._store.transaction() as transaction:
            named = [(one.session, one.number) for one in some]
            known = sa.select(_t.session, _t.number).where(sa.tuple_(_t.session, _t.number).in_(named))
            there = {(row.session, row.number) for row in await transaction.all(known)}
            for one in some:
                if (one.session, one.number) in there:
                    continue
                values: dict[str, Any] = {
                    name: getattr(one, name) for name in ("session", "number", "at", "until", "head", "key")
                }
                await transaction.insert(tables.recording_checkpoints, {**values, "signature": one.signature})


async def kept(reading: Reading, session: str) -> list[Kept]:
    """All that were told of a session, in their order."""
    rows = await reading.all(sa.select(_t.number, _t.head).where(_t.session == session).order_by(_t.number))
    return [Kept(row.number, row.head) for row in rows]
