"""Entries of the directory, one at a time: who administers a branch of the tree edits what is below it, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub.directory import fields, index, numbers, reach, shapes, writing
from commhub.directory.exchange import COUNTER
from commhub.directory.fields import Wrong
from commhub.directory.seats import Seats, sittings
from commhub.directory.shapes import EndpointRecord, OrganisationRecord, PersonRecord, PlaceRecord, SeatRecord
from commhub.directory.writing import TABLES, Change
from commhub.errors import Conflict, Unfit
from commhub.events import Events
from commhub.model import Actor, new_id
from commhub.store import Reading, Store, Transaction, tables
from commhub.store.repeats import Once, remember, repeated
from commhub.vault import Vault
from commhub.views import Page, View

_VIEWS: dict[str, type[View]] = {"organisation": OrganisationRecord, "place": PlaceRecord}
_STALE = ("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。")


class Records:
    def __init__(self, store: Store, events: Events, vault: Vault, seats: Seats) -> None:
        self._store, self._events, self._vault, self._seats = store, events, vault, seats

    # ---- seeing

    async def one(self, reader: Actor, type: str, id: str) -> Any:
        """The record, for whoever looks after its organisation; 403 or 404 else."""
        async with self._store.reading() as reading:
            row = await _row(reading, type, id)
            reach.check_reads(reader, type, _org(type, row))
            return (await self._views(reading, reader, type, [row]))[0]

    async def listed(
        self, reader: Actor, type: str, *, org: str | None = None, owner: str | None = None, after: str = "", limit: int = 50
    ) -> Page[Any]:
        """Of one organisation or owner, or all that the reader looks after; in the order of their ids."""
        table = TABLES[type]
        column = table.c.id if type == "organisation" else table.c.org_id
        conditions = [table.c.id > after]
        async with self._store.reading() as reading:
            if org is not None:
                reach.check_reads(reader, "organisation", _org("organisation", await _row(reading, "organisation", org)))
                conditions.append(column == org)
            elif not reach.everything(reader, "directory.view"):
                conditions.append(column.in_(sorted(reach.his(reader, "directory.view"))))
            if owner is not None:
                kind, id = owner.split(":")
                reach.check_reads(reader, kind, _org(kind, await _row(reading, kind, id)))
                conditions.append(table.c.owner_id == id)
            rows = await reading.all(sa.select(table).where(*conditions).order_by(table.c.id).limit(limit + 1))
            items = await self._views(reading, reader, type, rows[:limit])
        if owner is not None:
            items.sort(key=lambda one: one.position)
        return Page(items=items, next=rows[limit - 1].id if len(rows) > limit else None)

    async def _views(self, reading: Reading, reader: Actor, type: str, rows: Sequence[Any]) -> list[Any]:
        if type == "endpoint":
            return [self.endpoint(reader, row) for row in rows]
        ids = [row.id for row in rows]
        if type == "seat":
            there = await sittings(reading, tables.seat_sessions.c.seat_id.in_(ids))
            return [shapes.of(SeatRecord, row, sitting=there.get(row.id)) for row in rows]
        if type == "person":
            e, s = tables.endpoints, tables.seat_sessions.c
            mine = await reading.all(sa.select(e).where(e.c.owner_id.in_(ids)).order_by(e.c.position, e.c.id))
            seats = {
                row.person_id: row.seat_id
                for row in await reading.all(sa.select(s.person_id, s.seat_id).where(s.person_id.in_(ids), s.until.is_(None)))
            }
            return [
                shapes.of(
                    PersonRecord,
                    row,
                    seat_id=seats.get(row.id),
                    endpoints=[self.endpoint(reader, one) for one in mine if one.owner_id == row.id],
                )
                for row in rows
            ]
        return [shapes.of(_VIEWS[type], row) for row in rows]

    def endpoint(self, reader: Actor | None, row: Any) -> EndpointRecord:
        """With its number, for the hub itself (None) and for whoever may see it."""
        shown = not row.sealed or reader is None or reach.numbers(reader, row.org_id)
        address = self._vault.unseal(row.sealed, row.id) if row.sealed and shown else row.address
        view: EndpointRecord = shapes.of(EndpointRecord, row, address=address, masked=not shown)
        return view

    # ---- changing

    async def make(self, actor: Actor, type: str, said: dict[str, Any], once: Once | None = None) -> Any:
        if once is not None:  # a number in the request must not be guessable by the plain hash of it
            once = Once(once.key, self._vault.digest(f"once {once.fingerprint}"))
        async with self._store.transaction() as transaction:
            made = await repeated(transaction, actor.id, once)
            if made is None:
                made = new_id()
                said = {**said, "key": said.get("key") or made.lower()}
                if await transaction.first(sa.select(TABLES[type].c.id).where(TABLES[type].c.key == said["key"])):
                    raise Conflict("This key is in use.", "该 key 已被使用。", code="key_taken")
                await self._put(transaction, actor, type, made, None, await self._filled(transaction, type, said))
                await remember(transaction, actor.id, once, made)
            return (await self._views(transaction, actor, type, [await _row(transaction, type, made)]))[0]

    async def change(self, actor: Actor, type: str, id: str, rev: int, said: dict[str, Any]) -> Any:
        """Conflict ``stale`` when it is no longer at ``rev``."""
        async with self._store.transaction() as transaction:
            row = await self._mine(transaction, actor, type, id, rev)
            await self._put(transaction, actor, type, id, dict(row._mapping), said)
            return (await self._views(transaction, actor, type, [await _row(transaction, type, id)]))[0]

    async def remove(self, actor: Actor, type: str, id: str, rev: int) -> None:
        """What others depend on stays: Conflict ``in_use``. A person's name stays where he took part."""
        async with self._store.transaction() as transaction:
            row = await self._mine(transaction, actor, type, id, rev)
            name = row.label or row.kind if type == "endpoint" else row.name
            if id == actor.id:
                raise Conflict("Nobody removes himself.", "不能移除自己。", code="oneself")
            try:
                await self._take_away(transaction, actor, type, id)
            except sa.exc.IntegrityError:
                raise Conflict(
                    "Other entries depend on it: move or remove them first.",
                    "还有其他条目依赖它，请先移走或移除。",
                    code="in_use",
                ) from None
            await self._told(transaction, actor, type, id, _org(type, row) or "", f"{name} −", "removed")

    async def _mine(self, transaction: Transaction, actor: Actor, type: str, id: str, rev: int) -> Any:
        row = await _row(transaction, type, id)
        reach.check_edits(actor, type, [_org(type, row)])
        if row.rev != rev:
            raise Conflict(*_STALE, code="stale")
        return row

    async def _take_away(self, transaction: Transaction, actor: Actor, type: str, id: str) -> None:
        e = tables.endpoints.c
        owned = [row.id for row in await transaction.all(sa.select(e.id).where(e.owner_id == id))]
        await index.drop(transaction, [id, *owned])
        await transaction.run(sa.delete(tables.endpoints).where(e.owner_id == id))
        k = tables.contacts.c
        await transaction.run(sa.delete(tables.contacts).where(k.entry_id.in_([id, *owned])))
        if type == "person":
            await self._seats.leave(transaction, actor, id)
            await transaction.run(sa.delete(tables.sign_ins).where(tables.sign_ins.c.person_id == id))
            p = tables.people
            await transaction.run(sa.update(p).where(p.c.id == id).values(active=False, rev=p.c.rev + 1))
            return
        if type == "seat":
            await transaction.run(sa.delete(tables.seat_sessions).where(tables.seat_sessions.c.seat_id == id))
        await transaction.run(sa.delete(TABLES[type]).where(TABLES[type].c.id == id))

    async def _filled(self, transaction: Transaction, type: str, said: dict[str, Any]) -> dict[str, Any]:
        """What a new entry is where nothing is said."""
        table = TABLES[type].c
        if type == "organisation":
            said = {"name_en": said["name"], "short": said["name"][:20], "listed": said["kind"] in fields.LISTED, **said}
        if type in ("organisation", "seat", "endpoint") and "position" not in said:
            among = [table.owner_id == said["owner_id"]] if type == "endpoint" else []
            last = await transaction.value(sa.select(sa.func.max(table.position)).where(*among))
            said = {**said, "position": 0 if last is None else last + 1}
        return {**said, "active": True} if type == "person" else said

    async def _put(
        self, transaction: Transaction, actor: Actor, type: str, id: str, before: dict[str, Any] | None, said: dict[str, Any]
    ) -> None:
        await self._check(transaction, actor, type, id, before, said)
        number = ""
        if type == "endpoint":
            said, number = await self._reached(transaction, id, before, said)
        after = {name: value for name, value in (before or {}).items() if name not in ("id", "rev")} | said
        changed = {name for name, value in said.items() if before is None or before[name] != value}
        if before is not None and not changed:
            return
        change = Change(type, id, after, changed, before is None, number if after.get("sealed") else "")
        writing.prepare(self._vault, [change])
        await writing.write(transaction, [change])
        # Of a new organisation open pages do not know yet whose it is.
        org = after["org_id"] if type != "organisation" else after["parent_id"] if before is None else id
        name = (after["label"] or after["kind"]) if type == "endpoint" else after["name"]
        await self._told(transaction, actor, type, id, org, name, "created" if before is None else "changed")

    async def _told(self, transaction: Transaction, actor: Actor, type: str, id: str, org: str, name: str, what: str) -> None:
        await audit.record(transaction, actor, "directory.edit", id, object=f"{type}: {name}")
        await transaction.next(COUNTER)
        if type == "organisation":
            await transaction.next("directory")
        data = {"kind": type, "id": id, "change": what}
        await self._events.emit(transaction, "directory.changed", subject=id, org=org, label="internal", by=actor, data=data)

    # ---- whether it can be

    async def _check(
        self, transaction: Transaction, actor: Actor, type: str, id: str, before: dict[str, Any] | None, said: dict[str, Any]
    ) -> None:
        """What it refers to must be there, and the actor's."""
        for field, target in (
            ("parent_id", "organisation"),
            ("org_id", "organisation"),
            ("place_id", "place"),
            ("serves_id", "organisation"),
        ):
            if field not in said or (before is not None and said[field] == before[field]):
                continue
            if said[field] is None:
                if field == "parent_id" and not reach.everything(actor, "directory.edit"):
                    raise Unfit(field, "An organisation stands below another one.", "单位须有上级。")
                continue
            there = await _row(transaction, target, said[field])
            if there is None and reach.everything(actor, "directory.edit"):
                raise Unfit(field, "There is no such entry.", "没有这个条目。")
            if field == "serves_id" and there is not None and (there.listed or reach.reads(actor, there.id)):
                continue
            reach.check_edits(actor, target, [_org(target, there)])
        if type == "organisation" and before is not None and await _below(transaction, said.get("parent_id"), id):
            raise Unfit("parent_id", "The organisation would stand below itself.", "单位不能位于自身之下。", code="loop")
        if type == "organisation" and before is None and "parent_id" not in said:
            raise Unfit("parent_id", "An organisation stands below another one.", "单位须有上级。")
        if type == "endpoint" and "owner_id" in said:
            owner = await _row(transaction, said["owner_kind"], said["owner_id"])
            if owner is None and reach.everything(actor, "directory.edit"):
                raise Unfit("owner_id", "There is no such owner.", "没有这个所有者。")
            reach.check_edits(actor, said["owner_kind"], [_org(said["owner_kind"], owner)])

    async def _reached(
        self, transaction: Transaction, id: str, before: dict[str, Any] | None, said: dict[str, Any]
    ) -> tuple[dict[str, Any], str]:
        """The columns of an address, and the number behind them. A mask stands for the number that is there."""
        said = dict(said)
        if "owner_id" in said:
            owner = await _row(transaction, said["owner_kind"], said["owner_id"])
            said["org_id"] = owner.org_id
        kind = str(said.get("kind", (before or {}).get("kind", "")))
        address = said.pop("address", None)
        if before is not None and before["sealed"] and address in (None, before["address"]):
            address = self._vault.unseal(before["sealed"], id)
        elif address is None:
            address = before["address"] if before is not None else ""
        try:
            if "****" in address:
                raise Wrong("This number is masked: say it in full.", "号码已脱敏：请填写完整号码。")
            fields.check_address(kind, address)
        except Wrong as wrong:
            raise Unfit("address", wrong.text, wrong.text_zh) from None
        same = before is not None and before["sealed"] and numbers.whole(self._vault, address) == before["digest"]
        if same and numbers.personal(kind, address):
            return said, address
        return said | writing.address(self._vault, id, kind, address), address


async def _row(reading: Reading, type: str, id: str) -> Any:
    """None when there is none; somebody who was removed is none."""
    table = TABLES[type]
    row = await reading.first(sa.select(table).where(table.c.id == id))
    return None if row is not None and type == "person" and not row.active else row


async def _below(reading: Reading, org: str | None, top: str) -> bool:
    """Does ``org`` stand below ``top``, or is it that? As it is now, not as when the request began."""
    o, seen = tables.organisations.c, set[str]()
    while org is not None and org not in seen:
        if org == top:
            return True
        seen.add(org)
        org = await reading.value(sa.select(o.parent_id).where(o.id == org))
    return False


def _org(type: str, row: Any) -> str | None:
    """Whose it is."""
    return None if row is None else str(row.id if type == "organisation" else row.org_id)
