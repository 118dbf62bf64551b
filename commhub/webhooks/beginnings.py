"""What has begun and not ended, so that its end is told even when hub and media workers die at once.

A beginning (room, participant, track) is written with its end already made; the end removes it. What is left over ends when
the room of that name begins anew, or when the hub has found everything that goes on and this is not among it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace

import sqlalchemy as sa

from commhub.store import Transaction, tables
from commhub.webhooks.event import NS, Event

_t = tables.webhook_beginnings.c


async def follow(transaction: Transaction, events: Sequence[Event]) -> list[Event]:
    """Note what begins and ends. Returns the events with the ends that were never told put where they belong."""
    told: list[Event] = []
    for one in events:
        if one.end is not None and await _is_new(transaction, one.end.id):
            if one.kind == "room_started":  # rooms of one name follow each other: all that was in the one before is over
                told += await _ends(transaction, _t.room == one.room, one.at)
            await transaction.insert(
                tables.webhook_beginnings,
                {"end_id": one.end.id, "room": one.room, "key": one.key, "kind": one.end.kind, "body": one.end.body},
            )
        elif one.end is None:
            await transaction.run(sa.delete(tables.webhook_beginnings).where(_t.end_id == one.id))
        told.append(one)
    return told


async def left_over(transaction: Transaction, going_on: Collection[str], at: int) -> list[Event]:
    """The ends (by id) that will never be told otherwise, newest beginning first: tracks before people before rooms."""
    known = {row.end_id for row in await transaction.all(sa.select(_t.end_id))}
    gone = sorted(known.difference(going_on))
    found: list[Event] = []
    for start in range(0, len(gone), 500):
        found += await _ends(transaction, _t.end_id.in_(gone[start : start + 500]), at)
    return found


async def _is_new(transaction: Transaction, end: str) -> bool:
    return await transaction.first(sa.select(_t.end_id).where(_t.end_id == end)) is None


async def _ends(transaction: Transaction, which: sa.ColumnElement[bool], at: int) -> list[Event]:
    rows = await transaction.all(
        sa.select(_t.end_id, _t.room, _t.key, _t.kind, _t.body).where(which).order_by(_t.position.desc())
    )
    await transaction.run(sa.delete(tables.webhook_beginnings).where(which))
    return [_dated(Event(row.end_id, row.kind, row.room, row.key, at, row.body)) for row in rows]


def _dated(one: Event) -> Event:
    said = json.loads(one.body) | {"createdAt": str(one.at // NS)}
    return replace(one, body=json.dumps(said, ensure_ascii=False))
