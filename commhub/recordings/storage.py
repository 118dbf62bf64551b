"""The room that recordings take: each organisation's by its quota, and what is left on the disk.

Nothing here stops a recording. A full quota refuses those that people begin by hand; what must be recorded goes on, and so does
what runs. A disk that gets full is the recorder's to deal with (``recorder.space``), here people learn of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.errors import Conflict, Forbidden, NotFound
from commhub.events import Events
from commhub.media.messages import Message, Space, Uploads
from commhub.model import HUB, Actor, Label
from commhub.recordings.uploads import UploadAlarm, UploadsView
from commhub.store import Reading, Store, tables
from commhub.tasks import Tasks
from commhub.views import View

log = logs.get(__name__)

LOOK = 30.0  # seconds between two comparisons of what is used with quotas
#: Per cent of a quota that are told, each once.
STEPS: Final = (0, 80, 100)
BACK: Final = 5  # per cent below a step at which it is over
_r, _q, _o = tables.recordings.c, tables.storage_quotas.c, tables.organisations.c
Level = Literal["ample", "low", "thin", "full"]
#: What the steps of the recorder's guard come to for people, and how grave they are.
LEVELS: Final[dict[str, Level]] = {
    "ample": "ample", "low": "low", "copies": "low", "cameras": "thin", "pictures": "thin", "feeds": "thin", "evidence": "thin",
    "sound": "thin", "full": "full",
}  # fmt: skip
_GRAVITY: Final = list(LEVELS)

FULL = (
    "The organisation's room for recordings is used up: have something deleted or the quota raised.",
    "本单位录制空间已用完：请清理录制或调高配额后再试。",
)


class DiskSpace(View):
    """Of the disk that recordings lie on, bytes. ``step`` is the recorder's, ``level`` what it comes to."""

    free: int
    total: int
    step: str
    level: Level


class Usage(View):
    """What an organisation's recordings take. ``quota`` null: as much as there is; ``own``: said of this organisation."""

    org_id: str
    org_name: str
    bytes: int
    recordings: int
    quota: int | None
    own: bool
    percent: int
    level: Literal[0, 80, 100]
    rev: int


class StorageView(View):
    """``disk`` null: no recorder has said yet; ``uploads`` null: nothing is uploaded, or nothing has ever failed."""

    disk: DiskSpace | None
    uploads: UploadsView | None
    organisations: list[Usage]


def level(used: int, quota: int, before: int) -> int:
    """The step of :data:`STEPS` that is reached; one that was reached is kept until it is clearly over."""
    if not quota:
        return 0
    percent = used * 100 / quota
    return max(step for step in STEPS if percent >= step or (step == before and percent >= step - BACK))


class Storage:
    """``quota`` in bytes of who has no other one, 0: none. :meth:`heard` is fed by the recorders' links (:class:`OfShard`):
    several lie on one disk, and the gravest word counts."""

    def __init__(self, store: Store, events: Events, quota: int = 0) -> None:
        self._store, self._events, self._quota = store, events, quota
        self._said: dict[int, Space] = {}
        self.uploads = UploadAlarm(store, events)
        self._told: Level = "ample"
        self._tasks = Tasks("storage")
        self._changed = asyncio.Event()

    def start(self) -> None:
        self._tasks.spawn(self._run(), "quotas")
        self._tasks.spawn(self._watch(), "disk")
        self._tasks.spawn(self.uploads.watch(), "uploads")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- the recorders

    def heard(self, shard: int, message: Message) -> None:
        if isinstance(message, Uploads):
            self.uploads.heard(shard, message)
        elif isinstance(message, Space):
            self._said[shard] = message
            self._changed.set()

    @property
    def disk(self) -> DiskSpace | None:
        gravest = max(self._said.values(), key=lambda said: _gravity(said.level), default=None)
        if gravest is None:
            return None
        return DiskSpace(free=gravest.free, total=gravest.total, step=gravest.level, level=LEVELS.get(gravest.level, "thin"))

    async def _watch(self) -> None:
        """An alarm that cannot be written now (the database may lie on the same disk) is written as soon as it can."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            disk = self.disk
            if disk is None or disk.level == self._told:
                continue
            log.error("disk of recordings", level=disk.level, free=disk.free, total=disk.total)
            try:
                await self._tell_disk(disk)
                self._told = disk.level
            except SQLAlchemyError:
                log.exception("alarm of the disk not written")
                await asyncio.sleep(2)
                self._changed.set()

    async def _tell_disk(self, disk: DiskSpace) -> None:
        async with self._store.transaction() as transaction:
            root = await transaction.first(sa.select(_o.id, _o.name).where(_o.parent_id.is_(None)).order_by(_o.position).limit(1))
            if root is None:
                return
            about = f"{disk.step} {disk.free} / {disk.total}"
            await audit.record(transaction, HUB, "storage.space", root.id, object=about)
            await self._events.emit(
                transaction, "storage.space", subject=root.id, org=root.id, label=Label.PUBLIC, data=disk.model_dump()
            )

    # ---- quotas

    async def admit(self, reading: Reading, org: str) -> None:
        """Conflict when the organisation's quota is used up: asked before somebody begins a recording by hand."""
        quota = await self._quota_of(reading, org)
        if quota and await self._used(reading, org) >= quota:
            raise Conflict(*FULL, code="quota_full")

    async def _quota_of(self, reading: Reading, org: str) -> int:
        own = await reading.value(sa.select(_q.bytes).where(_q.org_id == org))
        return self._quota if own is None else int(own)

    async def _used(self, reading: Reading, org: str) -> int:
        return int(await reading.value(sa.select(sa.func.sum(_r.bytes)).where(_r.org_id == org)) or 0)

    async def look(self, reader: Actor) -> StorageView:
        """What the reader may see, who uses most first."""
        orgs = set().union(*(within for within, _ in reader.scopes("storage.view")))
        async with self._store.reading() as reading:
            rows = await self._all(reading, _o.id.in_(sorted(orgs)))
        return StorageView(disk=self.disk, uploads=self.uploads.state, organisations=rows)

    async def set_quota(self, actor: Actor, org: str, quota: int | None, rev: int) -> Usage:
        """``quota`` None: the one of all others."""
        async with self._store.transaction() as transaction:
            known = await transaction.first(sa.select(_o.id, _o.name).where(_o.id == org))
            if known is None or not actor.may("storage.view", org=org):
                raise NotFound("There is no such organisation.", "没有这个单位。")
            if not actor.may("storage.edit", org=org):
                raise Forbidden("You do not have the permission for this.", "没有此项权限。")
            row = await transaction.first(sa.select(tables.storage_quotas).where(_q.org_id == org))
            if rev != (row.rev if row else 0):
                raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")
            await self._write(transaction, org, row, bytes=quota)
            said = "默认" if quota is None else "不限" if quota == 0 else f"{quota} B"
            await audit.record(transaction, actor, "storage.edit", org, object=f"{known.name} · {said}")
            [usage] = await self._all(transaction, _o.id == org)
            await self._emit(transaction, usage, actor)
        return usage

    async def _write(self, transaction: Any, org: str, row: sa.Row[Any] | None, **values: Any) -> None:
        if row is None:
            blank = {"org_id": org, "bytes": None, "level": 0, "rev": 1}
            await transaction.insert(tables.storage_quotas, {**blank, **values})
        else:
            changed = sa.update(tables.storage_quotas).where(_q.org_id == org)
            await transaction.run(changed.values(**values, rev=row.rev + 1))

    async def _all(self, reading: Reading, *conditions: Any) -> list[Usage]:
        used = sa.func.coalesce(sa.func.sum(_r.bytes), 0).label("used")
        number = sa.func.sum(sa.case((_r.bytes > 0, 1), else_=0)).label("number")  # a tombstone takes none
        query = (
            sa.select(_o.id, _o.name, used, number, _q.bytes, _q.level, _q.rev)
            .select_from(tables.organisations)
            .outerjoin(tables.recordings, _r.org_id == _o.id)
            .outerjoin(tables.storage_quotas, _q.org_id == _o.id)
            .where(*conditions)
            .group_by(_o.id, _o.name, _q.bytes, _q.level, _q.rev)
        )
        found = [self._usage(row) for row in await reading.all(query)]
        return sorted(found, key=lambda one: (-one.bytes, one.org_name))

    def _usage(self, row: sa.Row[Any]) -> Usage:
        quota, used = self._quota if row.bytes is None else row.bytes, int(row.used)  # PostgreSQL's sums are decimals
        now = level(used, quota, row.level or 0)
        return Usage(
            org_id=row.id, org_name=row.name, bytes=used, recordings=int(row.number), quota=quota or None,
            own=row.bytes is not None, percent=used * 100 // quota if quota else 0,
            level=now, rev=row.rev or 0,  # type: ignore[arg-type]
        )  # fmt: skip

    async def _run(self) -> None:
        while True:
            try:
                await self.compare()
            except SQLAlchemyError:
                log.exception("quotas not compared")
            await asyncio.sleep(LOOK)

    async def compare(self) -> None:
        """Tell what has reached a step, or is clearly below it again."""
        async with self._store.reading() as reading:
            known = {row.org_id: row.level for row in await reading.all(sa.select(_q.org_id, _q.level))}
            moved = [one for one in await self._all(reading) if one.level != known.get(one.org_id, 0)]
        for one in moved:
            async with self._store.transaction() as transaction:
                row = await transaction.first(sa.select(tables.storage_quotas).where(_q.org_id == one.org_id))
                await self._write(transaction, one.org_id, row, level=one.level)
                await audit.record(transaction, HUB, "storage.quota", one.org_id, object=f"{one.org_name} · {one.percent} %")
                await self._emit(transaction, one, None)

    async def _emit(self, transaction: Any, usage: Usage, by: Actor | None) -> None:
        await self._events.emit(
            transaction, "storage.quota", subject=usage.org_id, org=usage.org_id, label=Label.PUBLIC, by=by,
            rev=usage.rev, data=usage.model_dump(),
        )  # fmt: skip


class OfShard:
    """The storage's end of one recorder's link."""

    def __init__(self, storage: Storage, shard: int) -> None:
        self._storage, self._shard = storage, shard

    def linked(self, snapshot: Message, tell: Callable[[Message], None]) -> None:
        """Nothing to say."""

    def unlinked(self) -> None:
        """What it said last still holds as far as anybody knows."""

    def receive(self, message: Message) -> None:
        self._storage.heard(self._shard, message)


def _gravity(step: str) -> int:
    return _GRAVITY.index(step) if step in _GRAVITY else 1
