"""What each kind of entry is found by, and the whole index made anew."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa

from commhub.directory import index, numbers, words
from commhub.directory.index import Entry
from commhub.store import Store, Transaction, tables
from commhub.vault import Vault

#: How words are made. With another one the index is made anew at the next start.
MADE = 1
_COUNTER = "directory index"


def organisation(id: str, name: str, name_en: str, short: str, position: int) -> Entry:
    found = words.tokens(name, name_en, short, *words.short_names(name, short))
    return Entry(id, "organisation", id, found, rank=min(position, 999))


def person(id: str, org: str, name: str, post: str, level: int) -> Entry:
    return Entry(id, "person", org, words.tokens(name, post), rank=level)


def seat(id: str, org: str, name: str, level: int) -> Entry:
    return Entry(id, "seat", org, words.tokens(name), rank=level)


def place(id: str, org: str, name: str, address: str) -> Entry:
    return Entry(id, "place", org, words.tokens(name, address))


def endpoint(id: str, org: str, owner: str, label: str, address: str, position: int, vault: Vault, number: str) -> Entry:
    """``number`` is an address that nobody may read here, ``address`` is then its mask."""
    found = words.tokens(label) if number else words.tokens(label, address)
    return Entry(
        id, "endpoint", org, found | (numbers.tokens(vault, number) if number else frozenset()), owner, min(position, 999)
    )


async def ensure(store: Store, vault: Vault) -> bool:
    """Made anew, if it was made otherwise or never. True: it was."""
    if await store.counter(_COUNTER) == MADE:
        return False
    async with store.transaction() as transaction:
        await rebuild(transaction, vault)
    return True


async def rebuild(transaction: Transaction, vault: Vault) -> None:
    every = (tables.organisations, tables.people, tables.seats, tables.places, tables.endpoints)
    rows = [await transaction.all(sa.select(table)) for table in every]
    entries = await asyncio.to_thread(_entries, vault, *rows)
    for table in (tables.directory_tokens, tables.directory_entries):
        await transaction.run(sa.delete(table))
    await index.put(transaction, entries, fresh=True)
    c = tables.counters
    await transaction.run(sa.delete(c).where(c.c.name == _COUNTER))
    await transaction.insert(c, {"name": _COUNTER, "value": MADE})


def _entries(vault: Vault, orgs: Any, people: Any, seats: Any, places: Any, endpoints: Any) -> list[Entry]:
    found = [organisation(row.id, row.name, row.name_en, row.short, row.position) for row in orgs]
    found += [person(row.id, row.org_id, row.name, row.post, row.level) for row in people if row.active]
    found += [seat(row.id, row.org_id, row.name, row.level) for row in seats]
    found += [place(row.id, row.org_id, row.name, row.address) for row in places]
    for row in endpoints:
        number = vault.unseal(row.sealed, row.id) if row.sealed else ""
        found.append(endpoint(row.id, row.org_id, row.owner_id, row.label, row.address, row.position, vault, number))
    return found
