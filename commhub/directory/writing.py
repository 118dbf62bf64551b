"""Entries into the database, with what they are found by. Who may, and whether it can be, is decided before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from commhub.directory import index, indexing, numbers
from commhub.directory.index import Entry
from commhub.store import Transaction, tables
from commhub.vault import Vault

TABLES: dict[str, sa.Table] = {
    "organisation": tables.organisations,
    "place": tables.places,
    "seat": tables.seats,
    "person": tables.people,
    "endpoint": tables.endpoints,
}
#: Columns that change what an entry is found by.
_SOUGHT = {"name", "name_en", "short", "post", "level", "label", "address", "digest", "position", "active", "owner_id", "org_id"}
_CHUNK = 2_000


@dataclass(slots=True)
class Change:
    """``after`` has all columns but ``id`` and ``rev``; ``changed`` names those that are new. ``number`` is the address behind a
    mask. ``entry`` is made by :func:`prepare`."""

    type: str
    id: str
    after: dict[str, Any]
    changed: set[str]
    fresh: bool = False
    number: str = ""
    entry: Entry | None = field(default=None, repr=False)


def address(vault: Vault, id: str, kind: str, said: str) -> dict[str, Any]:
    """The columns that hold an address; a telephone number is sealed for this id."""
    if not numbers.personal(kind, said):
        return {"address": said, "sealed": b"", "digest": ""}
    return {"address": numbers.mask(said), "sealed": vault.seal(said, id), "digest": numbers.whole(vault, said)}


def prepare(vault: Vault, changes: Sequence[Change]) -> None:
    """What they are found by: costs pinyin, so not on the event loop, and not in a transaction."""
    for change in changes:
        if not change.fresh and not change.changed & _SOUGHT:
            continue
        change.entry = _entry(vault, change)


def _entry(vault: Vault, change: Change) -> Entry:
    row, id = change.after, change.id
    match change.type:
        case "organisation":
            return indexing.organisation(id, row["name"], row["name_en"], row["short"], row["position"])
        case "person":
            return indexing.person(id, row["org_id"], row["name"], row["post"], row["level"])
        case "seat":
            return indexing.seat(id, row["org_id"], row["name"], row["level"])
        case "place":
            return indexing.place(id, row["org_id"], row["name"], row["address"])
    number = change.number or (vault.unseal(row["sealed"], id) if row["sealed"] else "")
    return indexing.endpoint(id, row["org_id"], row["owner_id"], row["label"], row["address"], row["position"], vault, number)


async def write(transaction: Transaction, changes: Sequence[Change]) -> None:
    """In an order in which references hold."""
    for type, table in TYPES_IN_ORDER:
        mine = [one for one in changes if one.type == type]
        fresh = [one for one in mine if one.fresh]
        for at in range(0, len(fresh), _CHUNK):
            await transaction.insert(table, *({"id": one.id, "rev": 1, **one.after} for one in fresh[at : at + _CHUNK]))
        for one in mine:
            if not one.fresh:
                values = {name: one.after[name] for name in one.changed}
                await transaction.run(sa.update(table).where(table.c.id == one.id).values(rev=table.c.rev + 1, **values))
    await _follow(transaction, changes)
    await index.put(transaction, [one.entry for one in changes if one.entry is not None and one.fresh], fresh=True)
    await index.put(transaction, [one.entry for one in changes if one.entry is not None and not one.fresh])


async def _follow(transaction: Transaction, changes: Sequence[Change]) -> None:
    """Endpoints go where their owner goes."""
    moved: dict[str, list[str]] = defaultdict(list)
    for one in changes:
        if one.type in ("person", "seat", "place") and not one.fresh and "org_id" in one.changed:
            moved[one.after["org_id"]].append(one.id)
    e = tables.endpoints.c
    for org, owners in moved.items():
        for owner in owners:
            await transaction.run(sa.update(tables.endpoints).where(e.owner_id == owner).values(org_id=org))
        await index.move(transaction, owners, org)


TYPES_IN_ORDER = tuple(TABLES.items())
