"""Acts in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub.calls.records import names as names_of
from commhub.dispatch.policy import LineKind, Verb
from commhub.dispatch.shapes import ActLine, ActView
from commhub.events import Audience, Events
from commhub.model import Actor, By, iso, utc_ns
from commhub.store import Reading, Transaction, tables
from commhub.views import Member

_a = tables.dispatch_acts.c
DONE = "done"
PUT_OUT = "put_out"  # done to one of a group's call, which goes on


@dataclass(frozen=True, slots=True)
class Act:
    """Times are UTC ns; ``ended_at`` 0: it goes on. ``identity`` is that of who monitors or whispers, in the line's room."""

    id: str
    verb: Verb
    line_kind: LineKind
    line: str
    title: str
    actor: str
    target: str
    org: str
    label: str
    reason: str
    told: tuple[str, ...] = ()
    silent: bool = False
    grounds: str = ""
    began_at: int = 0
    ended_at: int = 0
    end: str = ""

    @property
    def identity(self) -> str:
        return f"{self.actor}:{self.id}"

    def people(self) -> list[str]:
        return list(dict.fromkeys([self.actor, self.target, *self.told]))


async def begin(transaction: Transaction, events: Events, by: Actor | By, act: Act, *, audited: bool = False) -> None:
    """The row, the audit's and the event. ``audited``: whoever changes the line writes the audit row in this transaction."""
    await transaction.insert(tables.dispatch_acts, _row(act))
    if not audited:
        how = f" ({act.grounds})" if act.silent else ""
        names = await names_of(transaction, [act.target])
        about = f"{names.get(act.target, ('', ''))[0]}: {act.reason}{how}"
        await audit.record(transaction, by, f"call.{act.verb}", act.line, object=about)
    await _say(transaction, events, by, act, "dispatch.done" if act.ended_at else "dispatch.began")


async def end(transaction: Transaction, events: Events, by: Actor | By, act: Act, why: str) -> Act:
    over = replace(act, ended_at=utc_ns(), end=why)
    values = {"ended_at": over.ended_at, "end": why}
    await transaction.run(sa.update(tables.dispatch_acts).where(_a.id == act.id).values(**values))
    await audit.record(transaction, by, f"call.{act.verb}_end", act.line, object=why)
    await _say(transaction, events, by, over, "dispatch.ended")
    return over


async def _say(transaction: Transaction, events: Events, by: Actor | By, act: Act, type: str) -> None:
    names = await names_of(transaction, act.people())
    await events.emit(
        transaction,
        type,
        subject=act.line,
        org=act.org,
        label=act.label,
        by=by,
        audience=Audience([act.actor, *act.told]),
        data={"act": view(act, names).model_dump(mode="json")},
    )


async def running(reading: Reading) -> list[Act]:
    rows = await reading.all(sa.select(tables.dispatch_acts).where(_a.ended_at == 0).order_by(_a.id))
    return [_act(row) for row in rows]


async def one(reading: Reading, id: str) -> Act | None:
    row = await reading.first(sa.select(tables.dispatch_acts).where(_a.id == id))
    return _act(row) if row is not None else None


async def entries(reading: Reading, since: int) -> list[Act]:
    """By which somebody went into a consultation to which they were not invited."""
    verbs = [Verb.BARGE.value, Verb.TAKEOVER.value]
    into = (_a.verb.in_(verbs), _a.line_kind == "consultation", _a.began_at > since)
    return [_act(row) for row in await reading.all(sa.select(tables.dispatch_acts).where(*into))]


async def on_group(reading: Reading, group: str, since: int) -> list[Act]:
    """By which people were forced into and out of the call of a group that began then, in order."""
    this = (_a.line_kind == "group", _a.line_id == group, _a.began_at >= since)
    into = sa.or_(_a.verb == Verb.BARGE.value, _a.end == PUT_OUT)
    return [_act(row) for row in await reading.all(sa.select(tables.dispatch_acts).where(*this, into).order_by(_a.id))]


def member(person: str, names: Mapping[str, tuple[str, str]]) -> Member:
    name, org = names.get(person, ("", ""))
    return Member(id=person, name=name, org_name=org)


def view(act: Act, names: Mapping[str, tuple[str, str]]) -> ActView:
    return ActView(
        id=act.id,
        verb=act.verb.value,
        line=ActLine(kind=act.line_kind, id=act.line, title=act.title),
        actor=member(act.actor, names),
        target=member(act.target, names),
        reason=act.reason,
        silent=act.silent,
        grounds=act.grounds,
        told=[member(person, names) for person in act.told],
        began_at=iso(act.began_at),
        ended_at=iso(act.ended_at) if act.ended_at else None,
        end=act.end or None,
    )


async def views(reading: Reading, acts: Sequence[Act]) -> list[ActView]:
    names = await names_of(reading, sorted({person for act in acts for person in act.people()}))
    return [view(act, names) for act in acts]


def _row(act: Act) -> dict[str, Any]:
    return {
        "id": act.id, "verb": act.verb.value, "line_kind": act.line_kind, "line_id": act.line, "title": act.title[:200],
        "actor_id": act.actor, "target_id": act.target, "org_id": act.org, "label": act.label, "silent": act.silent,
        "grounds": act.grounds, "reason": act.reason, "told": json.dumps(act.told), "began_at": act.began_at,
        "ended_at": act.ended_at, "end": act.end,
    }  # fmt: skip


def _act(row: Any) -> Act:
    return Act(
        id=row.id,
        verb=Verb(row.verb),
        line_kind=row.line_kind,
        line=row.line_id,
        title=row.title,
        actor=row.actor_id,
        target=row.target_id,
        org=row.org_id,
        label=row.label,
        reason=row.reason,
        told=tuple(json.loads(row.told)),
        silent=row.silent,
        grounds=row.grounds,
        began_at=row.began_at,
        ended_at=row.ended_at,
        end=row.end,
    )
