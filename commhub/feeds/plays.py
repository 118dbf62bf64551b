"""What was tried to open cameras: the last report of each, and when it last worked (that is stored)."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from commhub.media.messages import PlayReport
from commhub.store import Store, tables

REPORTS_LIMIT = 2_000  # the oldest are forgotten first
NEWER = 60 * 1_000_000_000  # ns; how exact the last success is: not one write per picture
_t = tables.camera_plays.c


class Plays:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._reports: dict[str, PlayReport] = {}
        self._fresh: dict[str, int] = {}  # not written yet
        self._written: dict[str, int] = {}

    def report(self, source: str) -> PlayReport | None:
        return self._reports.get(source)

    def heard(self, report: PlayReport) -> None:
        self._reports.pop(report.source, None)
        self._reports[report.source] = report
        if len(self._reports) > REPORTS_LIMIT:
            del self._reports[next(iter(self._reports))]

    def forget(self, source: str) -> None:
        self._reports.pop(source, None)

    def worked(self, camera: str, at: int) -> None:
        """It showed a picture at ``at`` (UTC ns)."""
        if at - self._written.get(camera, 0) >= NEWER:
            self._fresh[camera] = at

    async def last(self, cameras: Iterable[str]) -> dict[str, int]:
        """Camera → when it last worked (UTC ns); without those that never did."""
        wanted = list(cameras)
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(_t.camera_id, _t.succeeded_at).where(_t.camera_id.in_(wanted)))
        known = {row.camera_id: int(row.succeeded_at) for row in rows}
        return known | {camera: self._fresh[camera] for camera in wanted if camera in self._fresh}

    async def write(self) -> None:
        """What has come since the last time."""
        fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        async with self._store.transaction() as transaction:
            await transaction.run(sa.delete(tables.camera_plays).where(_t.camera_id.in_(list(fresh))))
            rows = ({"camera_id": camera, "succeeded_at": at} for camera, at in fresh.items())
            await transaction.insert(tables.camera_plays, *rows)
        self._written |= fresh
