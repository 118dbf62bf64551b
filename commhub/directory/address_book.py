"""The directory as people work with it, all parts of it on one database."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from commhub.directory import reach, resolve
from commhub.directory.book import Book
from commhub.directory.exchange import Exchange
from commhub.directory.records import Records
from commhub.directory.seats import Seats
from commhub.directory.shapes import Reachability, Resolved
from commhub.events import Events
from commhub.model import Actor
from commhub.store import Store, tables
from commhub.vault import Vault


class AddressBook:
    """``records`` changes entries, ``book`` finds them, ``seats`` knows who sits where, ``exchange`` imports and exports."""

    def __init__(self, store: Store, events: Events, vault: Vault) -> None:
        self._store = store
        self.seats = Seats(store, events)
        self.records = Records(store, events, vault, self.seats)
        self.book = Book(store, vault)
        self.exchange = Exchange(store, vault, events)

    async def report(self, reader: Actor, org: str | None = None) -> Reachability:
        return await resolve.report(self._store, reader, org)

    async def resolve(
        self, reader: Actor | None, orgs: Iterable[str] = (), people: Iterable[str] = (), seats: Iterable[str] = ()
    ) -> Resolved:
        """What an invitation rings. What the reader does not know is unreachable, like what is not there; None knows all."""
        orgs, people, seats = list(orgs), list(people), list(seats)
        o, p, s = tables.organisations.c, tables.people.c, tables.seats.c
        async with self._store.reading() as reading:
            known: list[list[str]] = []
            for ids, query, org in (
                (orgs, sa.select(o.id), o.id),
                (people, sa.select(p.id), p.org_id),
                (seats, sa.select(s.id), s.org_id),
            ):
                rows = await reading.all(query.where(query.selected_columns.id.in_(ids), reach.knows(reader, org)))
                there = {row.id for row in rows}
                known.append([one for one in ids if one in there])
            found = await resolve.resolve(reading, *known)
        met = {one for some in known for one in some} - set(found.unreachable)
        return Resolved(targets=found.targets, unreachable=[one for one in (*orgs, *people, *seats) if one not in met])
