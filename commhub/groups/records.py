"""Groups in the database: read as they are, and who a group consists of at this moment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from commhub.errors import Unfit
from commhub.groups.shapes import Rule
from commhub.model import Actor, Tree
from commhub.store import Reading, tables

g, m, f, e = tables.groups.c, tables.group_members.c, tables.group_affiliations.c, tables.group_emergencies.c
_p, _o = tables.people.c, tables.organisations.c
LIMIT = 1000  # people in a group


@dataclass(frozen=True, slots=True)
class Record:
    """A group. ``members``: person (or, of a patched one, group) → may they ask for the floor."""

    id: str
    kind: str
    name: str
    org: str
    org_name: str
    label: str
    priority: int
    rule: Rule
    limit: float
    silence: float
    hang: float
    queue: int
    created_by: str
    live_since: int
    removed: bool
    rev: int
    members: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    """A member as calls need them: a ticket says their name and organisation, the floor their level."""

    id: str
    name: str
    post: str
    level: int
    org: str
    org_name: str
    short: str
    talks: bool = True

    @property
    def actor(self) -> Actor:
        return Actor(self.id, self.name, "", self.post, self.level, self.org, self.org_name)


@dataclass(frozen=True, slots=True)
class Affiliation:
    person: str
    terminal: str
    selected: bool


async def find(reading: Reading, *conditions: sa.ColumnElement[bool], limit: int = 1000) -> list[Record]:
    """In order of names; removed ones too unless the conditions say otherwise."""
    query = sa.select(tables.groups, _o.name.label("org_name")).join(tables.organisations, _o.id == g.org_id)
    rows = await reading.all(query.where(*conditions).order_by(g.name, g.id).limit(limit))
    members: dict[str, dict[str, bool]] = {row.id: {} for row in rows}
    for one in await reading.all(sa.select(tables.group_members).where(m.group_id.in_(list(members)))) if rows else []:
        members[one.group_id][one.member_id] = one.talks
    return [_record(row, members[row.id]) for row in rows]


async def one(reading: Reading, group: str) -> Record | None:
    found = await find(reading, g.id == group, sa.not_(g.removed))
    return found[0] if found else None


def _record(row: Any, members: dict[str, bool]) -> Record:
    return Record(
        id=row.id,
        kind=row.kind,
        name=row.name,
        org=row.org_id,
        org_name=row.org_name,
        label=row.label,
        priority=row.priority,
        rule=Rule(**json.loads(row.rule)),
        limit=row.talk_limit,
        silence=row.silence,
        hang=row.hang,
        queue=row.queue_length,
        created_by=row.created_by,
        live_since=row.live_since,
        removed=row.removed,
        rev=row.rev,
        members=members,
    )


async def people(reading: Reading, record: Record) -> dict[str, Person]:
    """Whom it consists of now, by id. A patched group has nobody of its own."""
    if record.kind == "patched":
        return {}
    conditions: list[sa.ColumnElement[bool]] = [_p.id.in_(list(record.members))]
    if record.kind == "dynamic":
        within = _p.org_id.in_(sorted(await _below(reading, record.rule.organisations)))
        conditions = [sa.and_(within, _p.post.in_(record.rule.posts)) if record.rule.posts else within]
    query = (
        sa.select(tables.people, _o.name.label("org_name"), _o.short)
        .join(tables.organisations, _o.id == _p.org_id)
        .where(_p.active, *conditions)
        .order_by(_p.level, _p.id)
        .limit(LIMIT)
    )
    return {
        row.id: Person(
            row.id, row.name, row.post, row.level, row.org_id, row.org_name, row.short, record.members.get(row.id, True)
        )
        for row in await reading.all(query)
    }


async def tree(reading: Reading) -> Tree:
    return Tree({row.id: row.parent_id for row in await reading.all(sa.select(_o.id, _o.parent_id))})


async def _below(reading: Reading, organisations: Iterable[str]) -> set[str]:
    known = await tree(reading)
    return set().union(*(known.below(org) for org in organisations))


async def affiliations(reading: Reading, group: str) -> dict[str, Affiliation]:
    rows = await reading.all(sa.select(tables.group_affiliations).where(f.group_id == group))
    return {row.person_id: Affiliation(row.person_id, row.terminal, row.selected) for row in rows}


async def listens(reading: Reading, group: str, person: str) -> Affiliation | None:
    row = await reading.first(sa.select(tables.group_affiliations).where(f.group_id == group, f.person_id == person))
    return Affiliation(row.person_id, row.terminal, row.selected) if row is not None else None


async def leaves(reading: Reading, group: str, members: Sequence[str]) -> list[str]:
    """The groups of people that a patch of ``members`` joins. Unfit: ``group`` would be inside itself, or one is not there."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    open_ = set(members)
    while open_:
        rows = await find(reading, g.id.in_(open_), sa.not_(g.removed))
        if missing := open_ - {row.id for row in rows}:
            raise Unfit("body.groups", f"There is no group {sorted(missing)[0]}.", "群组不存在。", code="no_group")
        if group in open_:
            raise Unfit("body.groups", "A group cannot be inside itself.", "群组不能包含自己。", code="group_in_itself")
        seen |= open_
        open_ = set()
        for row in rows:
            if row.kind == "broadcast":
                raise Unfit("body.groups", "A broadcast group cannot be patched.", "广播组不能参与派接。", code="broadcast")
            if row.kind == "patched":
                open_ |= set(row.members) - seen | ({group} & set(row.members))
            else:
                found[row.id] = None
    return list(found)


async def patches(reading: Reading) -> dict[str, list[str]]:
    """Every patch there is: group → the groups of people that it joins."""
    rows = await find(reading, g.kind == "patched", sa.not_(g.removed))
    return {row.id: await leaves(reading, row.id, list(row.members)) for row in rows}


def joined(patched: dict[str, list[str]], group: str) -> set[str]:
    """``group`` and all that are joined to it by any patch, directly or by way of others."""
    found, grew = {group}, True
    while grew:
        grew = False
        for members in patched.values():
            if found.intersection(members) and not found.issuperset(members):
                found.update(members)
                grew = True
    return found
