"""Snapshots that are kept: the list by right, and what is taken away when its time is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import log as logs
from commhub.model import Actor, iso, utc_ns
from commhub.store import Store, tables
from commhub.tasks import Tasks
from commhub.views import Member, Page, Time, View

log = logs.get(__name__)

SWEEP = 3600.0  # seconds
AT_ONCE = 500
DAY = 86400 * 10**9
_s = tables.snapshots.c


class Snapshot(View):
    """``sha256`` is of the JPEG at ``url``."""

    id: str
    camera_id: str
    url: str
    sha256: str
    at: Time
    by: Member


class Album:
    """``path`` says where the file of a snapshot lies; ``keep_days`` 0 is for ever."""

    def __init__(self, store: Store, path: Callable[[str, int], Path], keep_days: float) -> None:
        self._store, self._path, self._keep = store, path, keep_days
        self._tasks = Tasks("album")

    def start(self) -> None:
        if self._keep:
            self._tasks.spawn(self._run(), "sweep")

    async def close(self) -> None:
        await self._tasks.close()

    async def listed(self, reader: Actor, camera: str | None, before: str | None, limit: int) -> Page[Snapshot]:
        """Newest first."""
        people, orgs = tables.people.c, tables.organisations.c
        scopes = [sa.and_(_s.org_id.in_(places), _s.label.in_(labels)) for places, labels in reader.scopes("camera.snapshot")]
        query = (
            sa.select(tables.snapshots, people.name, orgs.name.label("org_name"))
            .select_from(
                tables.snapshots.join(tables.people, people.id == _s.person_id).join(
                    tables.organisations, orgs.id == people.org_id
                )
            )
            .where(sa.or_(sa.false(), *scopes))
        )
        if camera:
            query = query.where(_s.camera_id == camera)
        if before:
            query = query.where(_s.id < before)
        async with self._store.reading() as reading:
            rows = await reading.all(query.order_by(_s.id.desc()).limit(limit + 1))
        items = [
            Snapshot(
                id=row.id,
                camera_id=row.camera_id,
                url=f"/api/v1/snapshots/{row.id}",
                sha256=row.sha256,
                at=iso(row.at),
                by=Member(id=row.person_id, name=row.name, org_name=row.org_name),
            )
            for row in rows[:limit]
        ]
        return Page(items=items, next=items[-1].id if len(rows) > limit else None)

    async def _run(self) -> None:
        while True:
            try:
                more = await self.sweep(utc_ns()) == AT_ONCE
            except SQLAlchemyError:
                log.exception("old snapshots not taken away")
                more = False
            await asyncio.sleep(1 if more else SWEEP)

    async def sweep(self, now: int) -> int:
        """Takes some of those away whose time is over; how many."""
        async with self._store.reading() as reading:
            old = sa.select(_s.id, _s.at).where(_s.at < now - int(self._keep * DAY)).order_by(_s.at).limit(AT_ONCE)
            rows = await reading.all(old)
        if not rows:
            return 0
        # Files first: a row without its file says so, a file without its row would stay for ever.
        await asyncio.to_thread(_remove, [self._path(row.id, row.at) for row in rows])
        async with self._store.transaction() as transaction:
            await transaction.run(sa.delete(tables.snapshots).where(_s.id.in_([row.id for row in rows])))
        log.info("snapshots taken away", snapshots=len(rows))
        return len(rows)


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    for folder in {path.parent for path in paths}:
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when it is empty
