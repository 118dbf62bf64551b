"""Cameras by name, place and state, of those a reader may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from commhub.devices.faults import Faults
from commhub.devices.tree import CameraTree, Trees
from commhub.devices.words import asked
from commhub.directory import CameraRecord, camera_query, camera_record
from commhub.errors import NotFound
from commhub.model import Actor, Label, utc_ns
from commhub.store import Reading, Store, tables

FEW = 3_000  # cameras
_c, _d, _a, _f = tables.cameras.c, tables.devices.c, tables.alarms.c, tables.favourites.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """``node``: a place of the tree, ``deep`` with all below. ``None`` is either way."""

    q: str = ""
    node: str = ""
    deep: bool = False
    online: bool | None = None
    ptz: bool | None = None
    alarm: bool | None = None
    favourite: bool | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A camera with what is around it."""

    record: CameraRecord
    node: str
    path: list[str]
    alarm: bool
    favourite: bool
    faulty: bool = False  # its device says that it does not work


@dataclass(frozen=True, slots=True)
class Found:
    items: list[Listed]
    next: str | None
    total: int


class Listing:
    def __init__(self, store: Store, trees: Trees, faults: Faults) -> None:
        self._store, self.trees, self._faults = store, trees, faults

    async def find(self, reader: Actor, wanted: Wanted, *, after: str | None = None, limit: int = 50) -> Found:
        """In the order in which they came to be known; ``total`` counts all pages."""
        tree = await self.trees.now()
        known = _counted(reader, wanted, tree)
        conditions = _conditions(reader, wanted, tree, dense=known is not None and known > FEW)
        async with self._store.reading() as reading:
            page: sa.ColumnElement[bool] = _c.id > (after or "")
            # Those that are asked for by a word are few: one look at every row finds them all, and so their number. To look in
            # the order of ids is slow then; of the many that any other question finds, it sees the first ones at once.
            if known is None:
                found = await reading.all(sa.select(_c.id).where(*conditions).limit(FEW + 1))
                if len(found) <= FEW:
                    known = len(found)
                    rest = sorted(row.id for row in found if row.id > (after or ""))
                    conditions, page = [], _c.id.in_(rest[: limit + 1])
                else:
                    known = await reading.value(sa.select(sa.func.count()).select_from(tables.cameras).where(*conditions))
            rows = await reading.all(camera_query().where(*conditions, page).order_by(_c.id).limit(limit + 1))
            items = await self._listed(reading, reader, tree, [camera_record(row) for row in rows[:limit]])
        return Found(items, items[-1].record.id if len(rows) > limit else None, int(known or 0))

    async def one(self, reader: Actor, camera: str) -> Listed:
        """NotFound also when the reader may not see it."""
        tree = await self.trees.now()
        async with self._store.reading() as reading:
            row = await reading.first(camera_query().where(_c.id == camera))
            if row is None or not reader.may("camera.list", org=row.org_id, label=row.label):
                raise NotFound("There is no such camera.", "没有这个摄像机。")
            return (await self._listed(reading, reader, tree, [camera_record(row)]))[0]

    async def favour(self, person: Actor, camera: str, on: bool) -> None:
        """Idempotent."""
        if on:
            await self.one(person, camera)
        mine = (_f.person_id == person.id, _f.camera_id == camera)
        async with self._store.transaction() as transaction:
            await transaction.run(sa.delete(tables.favourites).where(*mine))
            if on:
                await transaction.insert(tables.favourites, {"person_id": person.id, "camera_id": camera, "at": utc_ns()})

    async def _listed(self, reading: Reading, reader: Actor, tree: CameraTree, records: list[CameraRecord]) -> list[Listed]:
        ids = [record.id for record in records]
        alarms = {
            row.camera_id
            for row in await reading.all(sa.select(_a.camera_id).where(_a.state == "new", _a.camera_id.in_(ids)).distinct())
        }
        mine = {
            row.camera_id
            for row in await reading.all(sa.select(_f.camera_id).where(_f.person_id == reader.id, _f.camera_id.in_(ids)))
        }
        return [
            Listed(
                record,
                tree.shown(record.org.id, record.node_id),
                tree.path(record.org.id, record.node_id),
                record.id in alarms,
                record.id in mine,
                self._faults.has(record.device, record.channel),
            )
            for record in records
        ]


def visible(reader: Actor, org: sa.ColumnElement[str], label: sa.ColumnElement[str], permission: str) -> sa.ColumnElement[bool]:
    """The SQL of :meth:`Actor.may` for rows with an organisation and a label."""
    scopes: list[sa.ColumnElement[bool]] = []
    for orgs, labels in reader.scopes(permission):
        # What is not asked need not be looked at: a city's dispatcher sees everything there is.
        parts: list[Any] = [] if len(orgs) == len(reader.tree) else [org.in_(sorted(orgs))]
        if len(labels) < len(Label):
            parts.append(label.in_([str(one) for one in labels]))
        scopes.append(sa.and_(sa.true(), *parts))
    return sa.or_(sa.false(), *scopes)


def _counted(reader: Actor, wanted: Wanted, tree: CameraTree) -> int | None:
    """How many, where the tree knows."""
    plain = not asked(wanted.q) and wanted.ptz is wanted.alarm is wanted.favourite is None
    if not plain or wanted.online is False or (wanted.node and not wanted.deep):
        return None
    online, total = tree.count(reader, wanted.node)
    return online if wanted.online else total


def _conditions(reader: Actor, wanted: Wanted, tree: CameraTree, dense: bool) -> list[sa.ColumnElement[bool]]:
    """``dense``: there are so many that no index on where they hang is worth its while."""
    conditions = [visible(reader, _c.org_id, _c.label, "camera.list"), _c.gone.is_(False)]
    if wanted.node:
        conditions.append(tree.where(wanted.node, deep=wanted.deep, dense=dense))
    for word in asked(wanted.q):
        conditions.append(sa.or_(_c.search.contains(word, autoescape=True), *tree.named(word)))
    if wanted.online is not None:
        there = sa.and_(_c.online, sa.or_(_c.device_id.is_(None), _c.device_id.in_(sa.select(_d.id).where(_d.online))))
        conditions.append(there if wanted.online else sa.not_(there))
    if wanted.ptz is not None:
        turns = _c.ptz.in_((1, 2, 4, 5))
        conditions.append(turns if wanted.ptz else sa.not_(turns))
    if wanted.alarm is not None:
        open_ = _c.id.in_(sa.select(_a.camera_id).where(_a.state == "new", _a.camera_id.is_not(None)))
        conditions.append(open_ if wanted.alarm else sa.not_(open_))
    if wanted.favourite is not None:
        mine = _c.id.in_(sa.select(_f.camera_id).where(_f.person_id == reader.id))
        conditions.append(mine if wanted.favourite else sa.not_(mine))
    return conditions
