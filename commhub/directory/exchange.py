"""Import and export of the directory, each in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from typing import IO, Any

import sqlalchemy as sa

from commhub import audit
from commhub.directory import formats, reach, writing
from commhub.directory.fields import TYPES, Mistake, Row
from commhub.directory.formats import Format
from commhub.directory.plan import Known, Plan, plan
from commhub.directory.writing import TABLES
from commhub.errors import Busy, Unfit
from commhub.events import Events
from commhub.model import Actor, By
from commhub.store import Reading, Store, Transaction, tables
from commhub.vault import Vault
from commhub.views import View

COUNTER = "address book"  # goes on with every change of an entry; "directory" with those of the tree


class Counted(View):
    created: int
    changed: int


class Imported(View):
    """``entries`` by type. With ``dry_run`` it is what would have happened."""

    dry_run: bool
    entries: dict[str, Counted]
    unchanged: int


class WrongRows(Unfit):
    """``errors`` names every mistake: line, field, and a sentence in each language."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        count = len({one.line for one in mistakes})
        super().__init__(
            "", f"{count} rows are wrong, nothing was changed.", f"有 {count} 行不正确，未做任何修改。", code="wrong_rows"
        )
        self.errors = [
            {
                "where": f"line {one.line}{f', {one.field}' if one.field else ''}",
                "line": one.line,
                "field": one.field,
                "text": one.text,
                "text_zh": one.text_zh,
            }
            for one in mistakes
        ]

    def listed(self) -> tuple[str, str]:
        """In English and in Chinese, a line for each."""
        english = [f"{one['where']}: {one['text']}" for one in self.errors]
        chinese = [f"第 {one['line']} 行 {one['field']}: {one['text_zh']}" for one in self.errors]
        return "\n".join([self.message, *english]), "\n".join([self.message_zh, *chinese])


class Exchange:
    """``events`` may be None where nobody hears them: a command beside the hub."""

    def __init__(self, store: Store, vault: Vault, events: Events | None = None) -> None:
        self._store, self._vault, self._events = store, vault, events
        self._busy = asyncio.Lock()

    # ---- import

    def check_free(self) -> None:
        """Busy while another import is going on: before anybody sends 64 MB for nothing."""
        if self._busy.locked():
            raise Busy("Another import is going on.", "另一个导入正在进行，请稍后再试。", retry_after=10)

    async def take(self, by: Actor | By, data: bytes | IO[bytes], format: Format, *, dry_run: bool = False) -> Imported:
        """All rows or none. WrongRows names all that is wrong with any of them."""
        self.check_free()
        async with self._busy:
            rows, mistakes = await asyncio.to_thread(formats.read, data, format)
            made = await self.rows(by, rows, mistakes, dry_run=dry_run)
        entries = {type: Counted(**count) for type, count in made.counts().items()}
        return Imported(dry_run=dry_run, entries=entries, unchanged=made.unchanged)

    async def rows(self, by: Actor | By, rows: Sequence[Row], mistakes: Sequence[Mistake] = (), *, dry_run: bool = False) -> Plan:
        """Of rows that are read already."""
        within = reach.his(by, "directory.edit") if isinstance(by, Actor) and not reach.everything(by, "directory.edit") else None
        for last in (False, False, True):
            # What costs seconds is done before the transaction; it begins again if somebody changed something meanwhile.
            async with self._store.reading() as reading:
                version, made = await self._plan(reading, rows, within, mistakes)
            if made.mistakes:
                raise WrongRows(made.mistakes)
            if dry_run:
                return made
            async with self._store.transaction() as transaction:
                if await _version(transaction) != version:
                    if not last:
                        continue
                    _, made = await self._plan(transaction, rows, within, mistakes)
                    if made.mistakes:
                        raise WrongRows(made.mistakes)
                await self._write(transaction, by, made)
            break
        return made

    async def _plan(
        self, reading: Reading, rows: Sequence[Row], within: Collection[str] | None, mistakes: Sequence[Mistake]
    ) -> tuple[tuple[int, int], Plan]:
        version = await _version(reading)
        known = await everything(reading)

        def work() -> Plan:
            made = plan(rows, known, within, self._vault, mistakes)
            writing.prepare(self._vault, made.changes)
            return made

        return version, await asyncio.to_thread(work)

    async def _write(self, transaction: Transaction, by: Actor | By, made: Plan) -> None:
        counts = {type: count for type, count in made.counts().items() if any(count.values())}
        text = ", ".join(f"{type} +{count['created']} ~{count['changed']}" for type, count in counts.items())
        await audit.record(transaction, by, "directory.edit", "", object=f"import: {text or 'nothing new'}")
        if not made.changes:
            return
        await writing.write(transaction, made.changes)
        await transaction.next(COUNTER)
        if "organisation" in counts:
            await transaction.next("directory")
        if self._events is not None:
            root = await _root(transaction)
            org = by.org if isinstance(by, Actor) else root
            data = {"import": counts}
            await self._events.emit(transaction, "directory.changed", subject=org, org=org, label="internal", by=by, data=data)

    # ---- export

    async def give(self, actor: Actor, format: Format, org: str | None = None) -> AsyncIterator[bytes]:
        """The subtree of ``org``, or all that the reader may edit. Numbers are masked where he may not see them; an import takes
        a mask for the number behind it."""
        orgs = reach.his(actor, "directory.edit")
        if org is not None:
            reach.check_edits(actor, "organisation", [org if org in actor.tree.below(org) else None])
            orgs &= actor.tree.below(org)
        async with self._store.reading() as reading:
            known = await everything(reading)
        async with self._store.transaction() as transaction:
            await audit.record(transaction, actor, "directory.edit", org or "", object=f"export: {format}")
        shown = reach.his(actor, "directory.numbers")
        written = formats.WRITERS[format](self._entries(known, orgs, shown))

        async def parts() -> AsyncIterator[bytes]:
            while part := await asyncio.to_thread(next, written, b""):
                yield part

        return parts()

    def _entries(self, known: Known, orgs: Collection[str], shown: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        ids = {type: known.by_id(type) for type in TYPES}

        def key(type: str, id: str | None) -> str | None:
            row = ids[type].get(id or "")
            return row["key"] if row is not None else None

        def depth(row: Mapping[str, Any]) -> int:
            steps, at = 0, row["parent_id"]
            while at is not None and steps < 100:
                steps, at = steps + 1, ids["organisation"][at]["parent_id"]
            return steps

        for type, what in TYPES.items():
            mine = [row for row in known.rows[type].values() if row["id" if type == "organisation" else "org_id"] in orgs]
            if type == "organisation":
                mine.sort(key=lambda row: (depth(row), row["position"], row["key"]))
            else:
                mine.sort(key=lambda row: row["key"])
            for row in mine:
                if type == "person" and not row["active"]:
                    continue
                entry: dict[str, Any] = {"key": row["key"]}
                for one in what.fields:
                    if one.of:
                        entry[one.name] = key(one.of, row[f"{one.name}_id"])
                    elif one.name == "owner":
                        entry["owner"] = f"{row['owner_kind']}:{key(row['owner_kind'], row['owner_id'])}"
                    else:
                        entry[one.name] = row[one.name]
                if type == "endpoint" and row["sealed"] and row["org_id"] in shown:
                    entry["address"] = self._vault.unseal(row["sealed"], row["id"])
                yield type, entry


async def everything(reading: Reading) -> Known:
    """All entries with all columns: some 0.2 s for 25,000."""
    found = {type: {row.key: dict(row._mapping) for row in await reading.all(sa.select(table))} for type, table in TABLES.items()}
    return Known(found)


async def _version(reading: Reading) -> tuple[int, int]:
    c = tables.counters.c
    rows = await reading.all(sa.select(c.name, c.value).where(c.name.in_((COUNTER, "directory"))))
    found = {row.name: int(row.value) for row in rows}
    return found.get(COUNTER, 0), found.get("directory", 0)


async def _root(reading: Reading) -> str:
    o = tables.organisations.c
    return str(await reading.value(sa.select(o.id).where(o.parent_id.is_(None)).order_by(o.position).limit(1)) or "")
