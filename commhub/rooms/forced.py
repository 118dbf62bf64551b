"""What is forced on consultations: ended, entered, somebody put out. Who may is not asked here; ``also`` is written in the same
transaction, and when it cannot be, nothing has happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import sqlalchemy as sa

from commhub.errors import NotFound
from commhub.model import Actor
from commhub.rooms import rules
from commhub.rooms.picture import member_of
from commhub.rooms.rooms import Rooms
from commhub.store import Reading, Store, Transaction, consultations, tables
from commhub.store.consultations import Consultation

Also = Callable[[Transaction], Awaitable[None]]


class Force:
    def __init__(self, store: Store, rooms: Rooms) -> None:
        self._store, self._rooms = store, rooms

    async def release(self, consultation: str, by: Actor, also: Also) -> None:
        async with self._store.transaction() as transaction:
            await also(transaction)
            record = await _live(transaction, consultation)
            await self._rooms._end(transaction, record, by, {"reason": "released"})
        await self._rooms._close(record)

    async def enter(self, consultation: str, by: Actor, also: Also, instead: str = "") -> None:
        """``by`` is invited; ``instead`` is a person who is removed."""
        p, e = tables.consultation_people, tables.exclusions.c
        async with self._store.transaction() as transaction:
            await also(transaction)
            record = await _live(transaction, consultation)
            if by.id not in {one.id for one in record.people}:
                await transaction.insert(p, {"consultation_id": consultation, "person_id": by.id})
            mine = (e.consultation_id == consultation, e.member == by.id)
            await transaction.run(sa.delete(tables.exclusions).where(*mine))
            if instead:
                await self._rooms._exclude(transaction, consultation, instead)
            await self._rooms.edit(transaction, consultation)
            await self._rooms.announce(transaction, "consultation.changed", consultation, by)
        if instead:
            await self.put_out(consultation, instead)

    async def put_out(self, consultation: str, person: str) -> None:
        for identity in self._rooms.identities(consultation):
            if member_of(identity) == person:
                await self._rooms.put_out(consultation, identity)


async def _live(reading: Reading, consultation: str) -> Consultation:
    record = await consultations.one(reading, consultation)
    if record is None:
        raise NotFound("There is no such consultation.", "没有这个会商。")
    return rules.live(record)
