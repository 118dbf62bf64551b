"""Consultations nobody is in: their recording stops after a minute, and one that was forgotten is ended.

A recorder takes every picture there is, so an empty room that is recorded keeps its cameras pulled and fills the disk. Nothing
is stored here: a restarted hub looks again, and how long a consultation has been left is in its attendance.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import log as logs
from commhub.conference import Conference
from commhub.model import utc_ns
from commhub.recordings.sessions import RUNNING, Recordings
from commhub.rooms import Rooms
from commhub.store import Store, tables
from commhub.tasks import Tasks

log = logs.get(__name__)

TICK = 5.0  # seconds
PATIENCE = 60.0  # seconds a recording goes on in an empty room: people reload pages and change terminals
LEFT = 30 * 60.0  # seconds without anybody, and
AGE = 12 * 3600.0  # seconds since it was made, after which a consultation counts as forgotten
_c, _a = tables.consultations.c, tables.attendance.c
_NS = 1_000_000_000


class Vacancy:
    """``clock`` is monotonic seconds, ``wall`` UTC ns. Whoever is no camera is somebody."""

    def __init__(
        self,
        store: Store,
        rooms: Rooms,
        recordings: Recordings,
        conference: Conference,
        *,
        patience: float = PATIENCE,
        left: float = LEFT,
        age: float = AGE,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = utc_ns,
    ) -> None:
        self._store, self._rooms, self._recordings, self._conference = store, rooms, recordings, conference
        self._patience, self._left, self._age, self._clock, self._wall = patience, left, age, clock, wall
        #: Room → since when it is seen empty, and the recording that was running then.
        self._since: dict[str, tuple[float, str | None]] = {}
        self._tasks = Tasks("vacancy")

    def start(self) -> None:
        self._tasks.spawn(self._watch(), "watch")

    async def close(self) -> None:
        await self._tasks.close()

    async def _watch(self) -> None:
        while True:
            try:
                await self.look()
            except SQLAlchemyError:
                log.exception("empty consultations not seen to")
            await asyncio.sleep(TICK)

    async def look(self) -> None:
        """Once over all live consultations."""
        async with self._store.reading() as reading:
            columns = (_c.id, _c.created_at, _c.recording_state, _c.recording_wanted, _c.recording_id, _c.label)
            live = await reading.all(sa.select(*columns).where(_c.state == "live"))
        now = self._clock()
        self._since = {row.id: self._since[row.id] for row in live if row.id in self._since}
        for row in live:
            if not self._empty(row.id):
                self._since.pop(row.id, None)
                wanted = self._recordings.wants(row.id, row.label, row.recording_wanted, row.recording_id)
                if wanted and row.recording_state == "off":
                    self._recordings.begin_wanted(row.id)  # who came while the hub was being restarted
                continue
            since, recording = self._since.setdefault(row.id, (now, row.recording_id))
            if recording != row.recording_id:  # one begun in an empty room has its minute, too
                self._since[row.id] = since, _ = now, row.recording_id
            if now - since < self._patience:
                continue
            if row.recording_state in RUNNING:
                log.info("recording of an empty consultation stopped", room=row.id)
                await self._recordings.stop_empty(row.id, partial(self._empty, row.id))
            old = self._wall() - row.created_at > self._age * _NS
            if old and (now - since > self._left or await self._left_long_ago(row.id, row.created_at)):
                log.info("empty consultation ended", room=row.id)
                await self._rooms.end_empty(row.id, partial(self._empty, row.id))

    def _empty(self, room: str) -> bool:
        return all(one.kind == "camera" for one in self._conference.present(room))

    async def _left_long_ago(self, room: str, created: int) -> bool:
        mine = _a.consultation_id == room
        async with self._store.reading() as reading:
            there = await reading.value(sa.select(sa.func.count()).where(mine, _a.left_at.is_(None)))
            last = await reading.value(sa.select(sa.func.max(_a.left_at)).where(mine))
        # Whose leaving could not be written is not there all the same: then it is this hub's own watch that counts.
        return not there and self._wall() - max(created, last or 0) > self._left * _NS
