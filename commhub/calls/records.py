"""Calls in the database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from commhub.calls.machine import Call, End, Leg, Party, Recall, State
from commhub.model import Actor
from commhub.store import Reading, Transaction, tables
from commhub.store.tables import call_legs, calls

_c, _l = calls.c, call_legs.c
OVERSEE = "call.oversee"


async def save(transaction: Transaction, before: Call | None, after: Call) -> None:
    """The call's row, and those of its legs that changed."""
    row = {
        "kind": after.kind, "state": after.state, "priority": after.priority, "emergency": after.emergency, "video": after.video,
        "label": after.label, "created_by": after.created_by, "org_id": after.org, "before": after.before,
        "recall": f"{back.leg} {back.id} {back.ring}" if (back := after.recall) is not None else "",
        "end": after.end or "", "created_at": after.created_at, "answered_at": after.answered_at, "ended_at": after.ended_at,
        "rev": after.rev, "parties": json.dumps([[one.kind, one.id, one.name] for one in after.parties], ensure_ascii=False),
    }  # fmt: skip
    if before is None:
        await transaction.insert(calls, {"id": after.id, **row})
    else:
        await transaction.run(sa.update(calls).where(_c.id == after.id).values(**row))
    known = {leg.id: leg for leg in before.legs} if before is not None else {}
    fresh = []
    for position, leg in enumerate(after.legs):
        if (was := known.get(leg.id)) is None:
            fresh.append({"id": leg.id, "call_id": after.id, "position": position, **_leg_row(leg)})
        elif was != leg:
            await transaction.run(sa.update(call_legs).where(_l.id == leg.id).values(**_leg_row(leg)))
    await transaction.insert(call_legs, *fresh)


def _leg_row(leg: Leg) -> dict[str, Any]:
    return {
        "party": leg.party, "person_id": leg.person, "terminal": leg.terminal, "state": leg.state.value, "end": leg.end or "",
        "by": leg.by, "waiting": leg.waiting, "silent": leg.silent, "invited_at": leg.invited_at,
        "ringing_at": leg.ringing_at, "answered_at": leg.answered_at, "held_at": leg.held_at, "ended_at": leg.ended_at,
        "deadline": leg.deadline, "overdue": leg.overdue.value,
    }  # fmt: skip


async def find(reading: Reading, *conditions: sa.ColumnElement[bool], limit: int = 1000) -> list[Call]:
    """Newest first."""
    rows = await reading.all(sa.select(calls).where(*conditions).order_by(_c.id.desc()).limit(limit))
    if not rows:
        return []
    legs: dict[str, list[Leg]] = defaultdict(list)
    query = sa.select(call_legs).where(_l.call_id.in_([row.id for row in rows])).order_by(_l.call_id, _l.position)
    for row in await reading.all(query):
        legs[row.call_id].append(_leg(row))
    return [_call(row, legs[row.id]) for row in rows]


async def one(reading: Reading, call: str) -> Call | None:
    found = await find(reading, _c.id == call)
    return found[0] if found else None


def _call(row: Any, legs: Sequence[Leg]) -> Call:
    return Call(
        id=row.id,
        kind=row.kind,
        created_by=row.created_by,
        org=row.org_id,
        created_at=row.created_at,
        priority=row.priority,
        emergency=row.emergency,
        video=row.video,
        label=row.label,
        before=row.before,
        state=row.state,
        end=End(row.end) if row.end else None,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        rev=row.rev,
        parties=tuple(Party(*party) for party in json.loads(row.parties)),
        legs=tuple(legs),
        recall=_recall(row.recall),
    )


def _recall(said: str) -> Recall | None:
    if not said:
        return None
    leg, id, ring = said.split()
    return Recall(leg, id, int(ring))


def _leg(row: Any) -> Leg:
    return Leg(
        id=row.id,
        party=row.party,
        person=row.person_id,
        terminal=row.terminal,
        state=State(row.state),
        end=End(row.end) if row.end else None,
        by=row.by,
        waiting=row.waiting,
        silent=row.silent,
        invited_at=row.invited_at,
        ringing_at=row.ringing_at,
        answered_at=row.answered_at,
        held_at=row.held_at,
        ended_at=row.ended_at,
        deadline=row.deadline,
        overdue=End(row.overdue),
    )


# ---- who may see one


def concerns(call: Call, person: Actor) -> bool:
    return person.id in call.people()


def visible(call: Call, person: Actor) -> bool:
    return concerns(call, person) or person.may(OVERSEE, org=call.org, label=call.label)


def of_person(person: Actor) -> sa.ColumnElement[bool]:
    """The SQL of :func:`concerns`."""
    return sa.or_(_c.created_by == person.id, _c.id.in_(sa.select(_l.call_id).where(_l.person_id == person.id)))


def visible_to(person: Actor) -> sa.ColumnElement[bool]:
    """The SQL of :func:`visible`."""
    return sa.or_(
        of_person(person),
        *(
            sa.and_(_c.org_id.in_(sorted(reach)), _c.label.in_([str(label) for label in labels]))
            for reach, labels in person.scopes(OVERSEE)
        ),
    )


async def ended_among(reading: Reading, ids: Sequence[str]) -> set[str]:
    """Those of these that are calls, and over."""
    query = sa.select(_c.id).where(_c.id.in_(list(ids)[:1000]), _c.state == "ended")
    return set((await reading.connection.scalars(query)).all())


async def names(reading: Reading, people: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Person → name, and name of the organisation."""
    p, o = tables.people.c, tables.organisations.c
    query = sa.select(p.id, p.name, o.name).join_from(tables.people, tables.organisations, o.id == p.org_id)
    return {id: (name, org) for id, name, org in (await reading.connection.execute(query.where(p.id.in_(people)))).all()}
