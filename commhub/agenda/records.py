"""Scheduled consultations in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from commhub.agenda import series
from commhub.agenda.series import NS, Rule
from commhub.agenda.shapes import Repeats
from commhub.model import Actor, iso
from commhub.store import Reading, tables
from commhub.views import Member, Org, OrgName

i, v, c = tables.agenda_items.c, tables.agenda_invited.c, tables.agenda_occurrences.c
_p, _o = tables.people.c, tables.organisations.c
FOR_EVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Said:
    """What is recorded of one occurrence."""

    at: int
    start: int
    length: int
    cancelled: bool
    state: str
    consultation: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """Times are UTC ns. ``said`` by start by the rule."""

    id: str
    title: str
    notes: str
    org: OrgName
    label: str
    host: Member
    starts_at: int
    length: int
    rule: Rule
    begins: str
    early: int
    record: bool
    cancelled: bool
    changed_at: int
    rev: int
    organisations: tuple[Org, ...] = ()
    people: tuple[Member, ...] = ()
    said: dict[int, Said] = field(default_factory=dict)

    def concerns(self, person: Actor) -> bool:
        return (
            person.id == self.host.id
            or any(person.id == one.id for one in self.people)
            or any(person.org == one.id for one in self.organisations)
        )

    def occurrence(self, at: int) -> Said | None:
        """None: there is none by this rule."""
        if at in self.said:
            return self.said[at]
        return Said(at, at, self.length, False, "planned", None) if series.has(self.starts_at, self.rule, at) else None

    def occurrences(self, after: int, before: int) -> list[Said]:
        """Those that take place in between, in order; cancelled ones, too."""
        found = {at: self.occurrence(at) for at in series.between(self.starts_at, self.rule, after - self.length, before)}
        found |= self.said
        there = [one for one in found.values() if one is not None and one.start + one.length > after and one.start < before]
        return sorted(there, key=lambda one: (one.start, one.at))


def over_at(first: int, length: int, rule: Rule, said: Iterable[Said] = ()) -> int:
    """When the last of them is over."""
    if rule.frequency != "once" and not rule.count and not rule.until:
        return FOR_EVER
    last = max(series.starts(first, rule), default=first)
    return max([last + length, *(one.start + one.length for one in said)])


async def find(reading: Reading, *conditions: sa.ColumnElement[bool], limit: int = 2000) -> list[Record]:
    query = (
        sa.select(tables.agenda_items, _o.name.label("org_name"), _p.name.label("host_name"), _p.org_id.label("host_org"))
        .join(tables.organisations, _o.id == i.org_id)
        .join(tables.people, _p.id == i.host_id)
    )
    rows = await reading.all(query.where(*conditions).order_by(i.starts_at, i.id).limit(limit))
    if not rows:
        return []
    ids = [row.id for row in rows]
    invited = await reading.all(sa.select(tables.agenda_invited).where(v.item_id.in_(ids)))
    orgs = {row.id: row for row in await reading.all(sa.select(_o.id, _o.name, _o.short))}
    known = await members(reading, [one.target_id for one in invited if one.kind == "person"])
    said: dict[str, dict[int, Said]] = {id: {} for id in ids}
    for row in await reading.all(sa.select(tables.agenda_occurrences).where(c.item_id.in_(ids))):
        said[row.item_id][row.at] = Said(row.at, row.start, row.length, row.cancelled, row.state, row.consultation_id)
    return [
        Record(
            id=row.id,
            title=row.title,
            notes=row.notes,
            org=OrgName(id=row.org_id, name=row.org_name),
            label=row.label,
            host=Member(id=row.host_id, name=row.host_name, org_name=orgs[row.host_org].name),
            starts_at=row.starts_at,
            length=row.length,
            rule=_rule(row.rule),
            begins=row.begins,
            early=row.early_ms * 1_000_000,
            record=row.record,
            cancelled=row.cancelled,
            changed_at=row.changed_at,
            rev=row.rev,
            organisations=tuple(
                Org(id=one.target_id, name=orgs[one.target_id].name, short=orgs[one.target_id].short)
                for one in invited
                if one.item_id == row.id and one.kind == "org" and one.target_id in orgs
            ),
            people=tuple(
                known[one.target_id]
                for one in invited
                if one.item_id == row.id and one.kind == "person" and one.target_id in known
            ),
            said=said[row.id],
        )
        for row in rows
    ]


async def one(reading: Reading, item: str) -> Record | None:
    found = await find(reading, i.id == item)
    return found[0] if found else None


async def members(reading: Reading, people: Sequence[str]) -> dict[str, Member]:
    query = sa.select(_p.id, _p.name, _o.name.label("org_name")).join_from(
        tables.people, tables.organisations, _o.id == _p.org_id
    )
    rows = await reading.all(query.where(_p.id.in_(list(people)))) if people else []
    return {row.id: Member(id=row.id, name=row.name, org_name=row.org_name) for row in rows}


def visible_to(person: Actor) -> sa.ColumnElement[bool]:
    """The SQL of “:meth:`Record.concerns` them, or their role oversees it”."""
    mine = sa.select(v.item_id).where(
        sa.or_(
            sa.and_(v.kind == "person", v.target_id == person.id),
            sa.and_(v.kind == "org", v.target_id == person.org),
        )
    )
    scopes = (
        sa.and_(i.org_id.in_(sorted(orgs)), i.label.in_([str(label) for label in labels]))
        for orgs, labels in person.scopes("consultation.oversee")
    )
    return sa.or_(i.host_id == person.id, i.id.in_(mine), *scopes)


def rule_of(repeats: Repeats, until: int) -> Rule:
    return Rule(repeats.frequency, repeats.interval, tuple(sorted(set(repeats.days))), repeats.count, until)


def rule_text(rule: Rule) -> str:
    said = {"frequency": rule.frequency, "interval": rule.interval, "days": rule.days, "count": rule.count, "until": rule.until}
    return json.dumps(said)


def repeats(rule: Rule) -> Repeats:
    until = iso(rule.until) if rule.until else None
    return Repeats(frequency=rule.frequency, interval=rule.interval, days=list(rule.days), count=rule.count, until=until)


def _rule(text: str) -> Rule:
    said: dict[str, Any] = json.loads(text)
    return Rule(said["frequency"], said["interval"], tuple(said["days"]), said["count"], said["until"])


def minutes(length: int) -> int:
    return length // (60 * NS)
