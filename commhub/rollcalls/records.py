"""Roll calls in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from commhub.events import Audience, Events
from commhub.model import Actor, By, Label, iso
from commhub.rollcalls import posts, turns
from commhub.rollcalls.shapes import RollCall, RollEntry, RollHead
from commhub.store import Reading, Transaction, tables
from commhub.views import Member, OrgName

r, e = tables.roll_calls.c, tables.roll_entries.c
_p, _o = tables.people.c, tables.organisations.c
NS = 1_000_000_000
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One row of a roll call. Times are UTC ns, 0 not yet."""

    person: str | None
    seat: str | None
    org: str
    org_name: str
    name: str
    post: str
    state: str
    called_at: int = 0
    answered_at: int = 0
    closed_at: int = 0
    times: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A roll call with everybody in it. ``answer`` and ``limit`` are ns."""

    id: str
    kind: str
    consultation: str | None
    title: str
    org: str
    org_name: str
    label: str
    led_by: Member
    created_at: int
    ended_at: int
    state: str
    phase: str
    at: int
    until: int
    answer: int
    limit: int
    rev: int
    asked: tuple[Asked, ...]

    @property
    def roll(self) -> turns.Roll:
        """As the table of turns has it; of one in a consultation."""
        entries = tuple(
            turns.Entry(one.person or "", turns.State(one.state), one.called_at, one.answered_at, one.closed_at, one.times)
            for one in self.asked
        )
        kind: turns.Kind = "speak" if self.kind == "speak" else "sequence"
        return turns.Roll(kind, entries, turns.Phase(self.phase), self.at, self.until, self.answer, self.limit)

    def turned(self, roll: turns.Roll, added: Sequence[Asked] = ()) -> Record:
        """``added``: rows of those who were not in it before."""
        asked = [*self.asked, *added]
        for index, one in enumerate(roll.entries):
            asked[index] = replace(
                asked[index], state=str(one.state), called_at=one.called_at, answered_at=one.answered_at, closed_at=one.closed_at,
                times=one.times,
            )  # fmt: skip
        return replace(self, asked=tuple(asked), phase=str(roll.phase), at=roll.at, until=roll.until)


async def find(reading: Reading, *conditions: sa.ColumnElement[bool], limit: int = 200) -> list[Record]:
    """Newest first."""
    query = (
        sa.select(tables.roll_calls, _o.name.label("org_name"), _p.name.label("led_name"), _p.org_id.label("led_org"))
        .join(tables.organisations, _o.id == r.org_id)
        .join(tables.people, _p.id == r.led_by)
    )
    rows = await reading.all(query.where(*conditions).order_by(r.id.desc()).limit(limit))
    ids = [row.id for row in rows]
    asked: dict[str, list[Asked]] = {id: [] for id in ids}
    names: dict[str, str] = {}
    if rows:
        for one in await reading.all(sa.select(tables.roll_entries).where(e.roll_call_id.in_(ids)).order_by(e.position)):
            asked[one.roll_call_id].append(_asked(one))
        orgs = {row.led_org for row in rows}
        names = {row.id: row.name for row in await reading.all(sa.select(_o.id, _o.name).where(_o.id.in_(orgs)))}
    return [_record(row, tuple(asked[row.id]), names.get(row.led_org, "")) for row in rows]


async def one(reading: Reading, id: str) -> Record | None:
    found = await find(reading, r.id == id)
    return found[0] if found else None


def _asked(row: Any) -> Asked:
    return Asked(
        row.person_id, row.seat_id, row.org_id, row.org_name, row.name, row.post, row.state, row.called_at, row.answered_at,
        row.closed_at, row.times,
    )  # fmt: skip


def _record(row: Any, asked: tuple[Asked, ...], led_org: str) -> Record:
    return Record(
        id=row.id,
        kind=row.kind,
        consultation=row.consultation_id,
        title=row.title,
        org=row.org_id,
        org_name=row.org_name,
        label=row.label,
        led_by=Member(id=row.led_by, name=row.led_name, org_name=led_org),
        created_at=row.created_at,
        ended_at=row.ended_at,
        state=row.state,
        phase=row.phase,
        at=row.at,
        until=row.until,
        answer=row.answer_ms * _MS,
        limit=row.limit_ms * _MS,
        rev=row.rev,
        asked=asked,
    )


async def insert(transaction: Transaction, record: Record) -> None:
    await transaction.insert(
        tables.roll_calls,
        {
            "id": record.id, "kind": record.kind, "consultation_id": record.consultation, "title": record.title,
            "org_id": record.org, "label": record.label, "led_by": record.led_by.id, "created_at": record.created_at,
            "state": record.state, "phase": record.phase, "at": record.at, "until": record.until,
            "answer_ms": record.answer // _MS, "limit_ms": record.limit // _MS, "rev": record.rev,
        },
    )  # fmt: skip
    await transaction.insert(tables.roll_entries, *(_row(record.id, index, one) for index, one in enumerate(record.asked)))


async def update(transaction: Transaction, before: Record, now: Record) -> list[int]:
    """What differs; the positions of rows that do."""
    values = {"led_by": now.led_by.id, "ended_at": now.ended_at, "state": now.state, "phase": now.phase, "at": now.at}
    values |= {"until": now.until, "rev": now.rev}
    await transaction.run(sa.update(tables.roll_calls).where(r.id == now.id).values(**values))
    known = len(before.asked)
    changed = [index for index, one in enumerate(now.asked) if index >= known or before.asked[index] != one]
    for index in changed:
        row = _row(now.id, index, now.asked[index])
        if index >= known:
            await transaction.insert(tables.roll_entries, row)
        else:
            mine = sa.update(tables.roll_entries).where(e.roll_call_id == now.id, e.position == index)
            await transaction.run(mine.values(**row))
    return changed


def _row(id: str, position: int, one: Asked) -> dict[str, Any]:
    return {
        "roll_call_id": id, "position": position, "person_id": one.person, "seat_id": one.seat, "org_id": one.org,
        "org_name": one.org_name, "name": one.name, "post": one.post, "state": one.state, "called_at": one.called_at,
        "answered_at": one.answered_at, "closed_at": one.closed_at, "times": one.times,
    }  # fmt: skip


# ---- as others see it


def head(record: Record, *, leads: bool = True) -> RollHead:
    """``leads``: whoever reads it may do something with it."""
    return RollHead(**_head(record, leads))


def view(record: Record, *, leads: bool = True) -> RollCall:
    return RollCall(**_head(record, leads), entries=[entry(record, index) for index in range(len(record.asked))])


def _head(record: Record, leads: bool) -> dict[str, Any]:
    states: Iterable[str] = [one.state for one in record.asked]
    if record.kind == "post":
        counts = posts.counted(posts.Post(state) for state in states)
        may = ["end"] if record.state != "ended" else []
    else:
        counts = dict(Counter(states))
        may = [str(act) for act in turns.allowed(record.roll)]
    return {
        "id": record.id,
        "kind": record.kind,
        "state": record.state,
        "title": record.title,
        "consultation_id": record.consultation,
        "org": OrgName(id=record.org, name=record.org_name),
        "label": Label(record.label),
        "led_by": record.led_by,
        "created_at": iso(record.created_at),
        "ended_at": _time(record.ended_at),
        "phase": record.phase,
        "at": record.at,
        "until": _time(record.until),
        "answer_seconds": record.answer / NS,
        "limit_seconds": record.limit / NS,
        "rev": record.rev,
        "counts": counts,
        "may": may if leads else [],
    }


def entry(record: Record, position: int) -> RollEntry:
    one = record.asked[position]
    return RollEntry.model_validate(
        {
            "position": position,
            "person_id": one.person,
            "seat_id": one.seat,
            "org_id": one.org,
            "org_name": one.org_name,
            "name": one.name,
            "post": one.post,
            "state": one.state,
            "called_at": _time(one.called_at),
            "answered_at": _time(one.answered_at),
            "closed_at": _time(one.closed_at),
            "times": one.times,
        }
    )


def _time(at: int) -> str | None:
    return iso(at) if at else None


async def tell(
    events: Events,
    transaction: Transaction,
    type: str,
    record: Record,
    audience: Audience,
    by: Actor | By,
    changed: Iterable[int],
) -> None:
    """The event of what has changed: the roll call without its rows, and those rows."""
    rows = [entry(record, index).model_dump(mode="json") for index in changed]
    data = {"roll_call": head(record).model_dump(mode="json"), "entries": rows}
    await events.emit(
        transaction,
        type,
        subject=record.id,
        org=record.org,
        label=record.label,
        rev=record.rev,
        by=by,
        audience=audience,
        data=data,
    )
