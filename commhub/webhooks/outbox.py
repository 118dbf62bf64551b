"""The table behind the webhooks: a row per event and receiver, until it was taken, and some time longer.

``state`` is pending, delivered (kept without its body, so that the same fact told again is known) or dead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from commhub.store import Store, Transaction, tables
from commhub.webhooks.event import NS, Event, Receiver

_t = tables.webhooks.c
_SOME = 500  # values in one IN (…)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    seq: int
    id: str
    at: int
    body: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept: so many ``pending`` rows per receiver, so many ``delivered`` ones, and those and dead ones for so long."""

    pending: int = 100_000
    delivered: int = 100_000
    delivered_seconds: float = 2 * 86_400.0
    dead_seconds: float = 7 * 86_400.0


class Outbox:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, transaction: Transaction, events: Sequence[Event], receivers: Sequence[Receiver]) -> dict[str, list[str]]:
        """Write each event for each receiver that may know it; those that are there already stay as they are. Returns
        receiver → rooms of the new rows, one for each."""
        known: set[tuple[str, str]] = set()
        for some in _chunks([event.id for event in events]):
            rows = await transaction.all(sa.select(_t.receiver, _t.event_id).where(_t.event_id.in_(some)))
            known.update((row.receiver, row.event_id) for row in rows)
        new: dict[str, list[str]] = {}
        rows_new = []
        for event in events:
            for receiver in receivers:
                if (receiver.id, event.id) in known or not receiver.reaches(event.key):
                    continue
                known.add((receiver.id, event.id))
                new.setdefault(receiver.id, []).append(event.room)
                rows_new.append(
                    {
                        "receiver": receiver.id,
                        "event_id": event.id,
                        "room": event.room,
                        "kind": event.kind,
                        "at": event.at,
                        "body": event.body,
                        "state": "pending",
                    }
                )
        await transaction.insert(tables.webhooks, *rows_new)
        return new

    async def ahead(self, receiver: str, room: str, without: Collection[int], limit: int) -> list[Row]:
        """The oldest waiting events of a room. ``without``: taken already, though the table does not know it yet."""
        query = (
            sa.select(_t.seq, _t.event_id, _t.at, _t.body)
            .where(_t.receiver == receiver, _t.state == "pending", _t.room == room)
            .order_by(_t.seq)
            .limit(limit + len(without))
        )
        async with self._store.reading() as reading:
            rows = await reading.all(query)
        return [Row(row.seq, row.event_id, row.at, row.body) for row in rows if row.seq not in without][:limit]

    async def waiting(self, receiver: str) -> dict[str, int]:
        """Room → how many events wait, in order of the oldest."""
        query = (
            sa.select(_t.room, sa.func.count().label("number"))
            .where(_t.receiver == receiver, _t.state == "pending")
            .group_by(_t.room)
            .order_by(sa.func.min(_t.seq))
        )
        async with self._store.reading() as reading:
            return {row.room: int(row.number) for row in await reading.all(query)}

    async def delivered(self, transaction: Transaction, seqs: Collection[int], now: int) -> None:
        for some in _chunks(sorted(seqs)):
            values = {"state": "delivered", "body": "", "done_at": now}
            await transaction.run(sa.update(tables.webhooks).where(_t.seq.in_(some)).values(values))

    async def give_up(self, seq: int, now: int) -> None:
        async with self._store.transaction() as transaction:
            await transaction.run(sa.update(tables.webhooks).where(_t.seq == seq).values(state="dead", done_at=now))

    async def expire(self, receiver: str, before: int, now: int) -> int:
        """Give up all that is older than ``before`` (UTC ns). Returns how many."""
        old = (_t.receiver == receiver, _t.state == "pending", _t.at < before)
        async with self._store.transaction() as transaction:
            return await transaction.run(sa.update(tables.webhooks).where(*old).values(state="dead", done_at=now))

    async def abandon(self, receivers: Sequence[str], now: int) -> int:
        """Events of receivers that are configured no longer will not be sent. Returns how many."""
        gone = sa.update(tables.webhooks).where(_t.receiver.not_in(receivers), _t.state == "pending")
        async with self._store.transaction() as transaction:
            return await transaction.run(gone.values(state="dead", done_at=now))

    async def tidy(self, receivers: Sequence[str], limits: Limits, now: int) -> dict[str, int]:
        """Keep the table within its limits. Returns receiver → waiting events given up for want of room, oldest first."""
        given_up: dict[str, int] = {}
        async with self._store.transaction() as transaction:
            for state, seconds in (("delivered", limits.delivered_seconds), ("dead", limits.dead_seconds)):
                old = sa.delete(tables.webhooks).where(_t.state == state, _t.done_at < now - int(seconds * NS))
                await transaction.run(old)
            newest = sa.select(_t.seq).where(_t.state == "delivered").order_by(_t.seq.desc()).offset(limits.delivered).limit(1)
            if (last := await transaction.value(newest)) is not None:
                await transaction.run(sa.delete(tables.webhooks).where(_t.state == "delivered", _t.seq <= last))
            for receiver in receivers:
                mine = (_t.receiver == receiver, _t.state == "pending")
                surplus = sa.select(_t.seq).where(*mine).order_by(_t.seq.desc()).offset(limits.pending).limit(1)
                if (last := await transaction.value(surplus)) is not None:
                    too_many = sa.update(tables.webhooks).where(*mine, _t.seq <= last)
                    given_up[receiver] = await transaction.run(too_many.values(state="dead", done_at=now))
        return given_up


def _chunks(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[at : at + _SOME] for at in range(0, len(values), _SOME))
