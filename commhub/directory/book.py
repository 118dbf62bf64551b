"""The address book as people use it: search, the tree a branch at a time, what somebody keeps at hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from commhub.directory import index, numbers, reach, shapes
from commhub.directory.index import Found
from commhub.directory.shapes import Branch, Contact, Contacts, Hit, Hits, Owner
from commhub.directory.words import asked
from commhub.directory.writing import TABLES
from commhub.errors import Conflict
from commhub.model import Actor, utc_ns
from commhub.store import Reading, Store, tables
from commhub.vault import Vault
from commhub.views import Org, Page

CONTACTS = 500  # of a person
_e, _k, _o, _p = tables.directory_entries.c, tables.contacts.c, tables.organisations.c, tables.people.c


class Book:
    def __init__(self, store: Store, vault: Vault) -> None:
        self._store, self._vault = store, vault

    # ---- searching

    async def search(
        self, reader: Actor, q: str, online: Collection[str], *, kinds: Collection[str] = (), limit: int = 20
    ) -> Hits:
        """Chinese, pinyin, initials, posts; telephone numbers (whole, or the last 4 digits and more) if he may see them."""
        shown = reach.his(reader, "directory.numbers")
        digests = {word: numbers.asked(self._vault, word) for word in asked(q)} if shown else {}
        async with self._store.reading() as reading:
            found = await index.search(
                reading, q, kinds=kinds, within=_within(reader, shown, digests), digests=digests, limit=limit + 1
            )
            items = await self._hits(reading, reader, found[:limit], online)
        return Hits(items=items, more=len(found) > limit)

    async def _hits(self, reading: Reading, reader: Actor, found: Sequence[Found], online: Collection[str]) -> list[Hit]:
        rows = await _rows(reading, [(one.kind, one.id) for one in found])
        owners = await _rows(
            reading, list({(row.owner_kind, row.owner_id) for row in rows.values() if "owner_kind" in row._mapping})
        )
        orgs = await _rows(reading, list({("organisation", one.org) for one in found}))
        return [self._hit(reader, one, rows[one.id], owners, orgs, online) for one in found if one.id in rows and one.org in orgs]

    def _hit(
        self, reader: Actor, one: Found, row: Any, owners: dict[str, Any], orgs: dict[str, Any], online: Collection[str]
    ) -> Hit:
        name, about, owner, kind = "", "", None, None
        if one.kind == "endpoint":
            there = owners.get(row.owner_id)
            owner = Owner(kind=row.owner_kind, id=row.owner_id, name=there.name if there is not None else "")
            name, kind, about = row.label, row.kind, row.address
            if row.sealed and reach.numbers(reader, row.org_id):
                about = self._vault.unseal(row.sealed, row.id)
        else:
            name, about = row.name, {"person": lambda: row.post, "organisation": lambda: row.short}.get(one.kind, str)()
        person = one.id if one.kind == "person" else owner.id if owner is not None and owner.kind == "person" else ""
        return Hit(
            kind=one.kind,  # type: ignore[arg-type]
            id=one.id,
            name=name,
            about=about,
            org=shapes.of(Org, orgs[one.org]),
            owner=owner,
            endpoint=kind,
            online=person in online,
        )

    # ---- the tree

    async def branches(self, reader: Actor, org: str | None, *, after: int = -1, limit: int = 200) -> Page[Branch]:
        """The organisations right below ``org``, or those at the top, in the order of the directory."""
        async with self._store.reading() as reading:
            if org is not None:
                known = sa.select(_o.id).where(_o.id == org, reach.knows(reader, _o.id))
                if await reading.first(known) is None:
                    raise reach.nothing(reader, "organisation")
            above = _o.parent_id == org if org is not None else _o.parent_id.is_(None)
            query = sa.select(tables.organisations).where(above, reach.knows(reader, _o.id)).order_by(_o.position, _o.id)
            rows = await reading.all(query.offset(after + 1).limit(limit + 1))
            ids = [row.id for row in rows]
            below = await _counted(reading, _o.parent_id, _o.parent_id.in_(ids), reach.knows(reader, _o.id))
            people = await _counted(reading, _p.org_id, _p.org_id.in_(ids), _p.active)
        items = [shapes.of(Branch, row, organisations=below.get(row.id, 0), people=people.get(row.id, 0)) for row in rows[:limit]]
        return Page(items=items, next=str(after + limit) if len(rows) > limit else None)

    # ---- at hand

    async def contacts(self, reader: Actor, online: Collection[str]) -> Contacts:
        """Favourites, those with a speed key first. What the reader may not know any more is left out."""
        async with self._store.reading() as reading:
            query = (
                sa.select(_e.id, _e.kind, _e.org_id, _e.owner_id, _k.speed)
                .join_from(tables.contacts, tables.directory_entries, _e.id == _k.entry_id)
                .where(_k.person_id == reader.id, _within(reader))
                .order_by(_k.speed.is_(None), _k.speed, _k.at)
            )
            rows = await reading.all(query)
            found = [Found(row.id, row.kind, row.org_id, row.owner_id) for row in rows]
            hits = await self._hits(reading, reader, found, online)
        speeds = {row.id: row.speed for row in rows}
        return Contacts(items=[Contact(**dict(hit), speed=speeds[hit.id]) for hit in hits])

    async def keep(self, reader: Actor, entry: str, speed: int | None) -> None:
        """A speed key goes from whatever had it to this entry."""
        async with self._store.transaction() as transaction:
            kind = await transaction.value(sa.select(_e.kind).where(_e.id == entry, _within(reader)))
            if kind is None:
                raise reach.nothing(reader, "entry")
            count = await transaction.value(sa.select(sa.func.count()).where(_k.person_id == reader.id, _k.entry_id != entry))
            if count >= CONTACTS:
                raise Conflict(f"There are {CONTACTS} favourites already.", f"最多收藏 {CONTACTS} 项。")
            if speed is not None:
                taken = sa.update(tables.contacts).where(_k.person_id == reader.id, _k.speed == speed)
                await transaction.run(taken.values(speed=None))
            mine = (_k.person_id == reader.id, _k.entry_id == entry)
            if not await transaction.run(sa.update(tables.contacts).where(*mine).values(speed=speed)):
                row = {"person_id": reader.id, "entry_id": entry, "kind": kind, "speed": speed, "at": utc_ns()}
                await transaction.insert(tables.contacts, row)

    async def let_go(self, reader: Actor, entry: str) -> None:
        async with self._store.transaction() as transaction:
            await transaction.run(sa.delete(tables.contacts).where(_k.person_id == reader.id, _k.entry_id == entry))


def _within(reader: Actor, shown: Collection[str] = (), digests: dict[str, list[str]] | None = None) -> sa.ColumnElement[bool]:
    """What the reader knows: endpoints only of whom he looks after, and by their number only where he may see it."""
    conditions = [reach.knows(reader, _e.org_id)]
    if not reach.everything(reader, "directory.view"):
        conditions.append(sa.or_(_e.kind != "endpoint", _e.org_id.in_(sorted(reach.his(reader, "directory.view")))))
    if any((digests or {}).values()) and not reach.everything(reader, "directory.numbers"):
        # A hit by digits is only told where the number itself could be.
        t = tables.directory_tokens.c
        by_number = sa.select(t.entry_id).where(t.token.in_(sorted({one for some in (digests or {}).values() for one in some})))
        conditions.append(sa.or_(_e.id.not_in(by_number), _e.org_id.in_(sorted(shown))))
    return sa.and_(*conditions)


async def _rows(reading: Reading, entries: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Their rows, by id."""
    found: dict[str, Any] = {}
    for kind in {kind for kind, _ in entries}:
        table = TABLES[kind]
        ids = [id for one, id in entries if one == kind]
        found |= {row.id: row for row in await reading.all(sa.select(table).where(table.c.id.in_(ids)))}
    return found


async def _counted(reading: Reading, by: sa.ColumnElement[Any], *which: sa.ColumnElement[bool]) -> dict[str, int]:
    rows = await reading.all(sa.select(by.label("one"), sa.func.count().label("number")).where(*which).group_by(by))
    return {row.one: row.number for row in rows}
