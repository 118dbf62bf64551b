"""Whom a call asks for: people, seats and organisations become terminals that can ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from commhub.calls.board import Candidate
from commhub.calls.machine import Party
from commhub.directory import reach
from commhub.directory.resolve import standing_in
from commhub.errors import Unfit
from commhub.model import Actor, new_id
from commhub.store import Reading, tables
from commhub.terminals import Terminals

ORG_LIMIT = 20  # people of one organisation whose terminals ring at once
_p, _o, _s, _n, _e = (
    tables.people.c,
    tables.organisations.c,
    tables.seats.c,
    tables.seat_sessions.c,
    tables.endpoints.c,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One of ``to``: ``kind`` is person, endpoint, seat or org."""

    kind: str
    id: str


async def resolve(
    reading: Reading, terminals: Terminals, actor: Actor, to: Sequence[Asked], field: str = "to"
) -> tuple[list[Party], list[Candidate]]:
    """A party for each, and the terminals to be tried; a party without any has one that is nowhere. Unfit: there is no such one,
    or none that the actor may know of, which is the same."""
    parties: list[Party] = []
    candidates: list[Candidate] = []
    for index, one in enumerate(dict.fromkeys(to)):
        where = f"{field}.{index}.{one.kind}"
        party, people = await _people(reading, actor, one, where)
        people = [person for person in people if person != actor.id]
        if not people and one.kind == "person":
            raise Unfit(where, "Nobody calls himself.", "不能呼叫自己。", code="oneself")
        found = [
            Candidate(new_id(), index, person, terminal.id, terminal.presence)
            for person in people
            for terminal in terminals.of(person)
        ]
        # Somebody must be the one who could not be reached; in an empty organisation nobody is.
        candidates += found or [Candidate(new_id(), index, person, "") for person in people[:1]]
        parties.append(party)
    return parties, candidates


async def _people(reading: Reading, actor: Actor, one: Asked, where: str) -> tuple[Party, list[str]]:
    match one.kind:
        case "person":
            known = reach.knows(actor, _p.org_id)
            row = await reading.first(sa.select(_p.name).where(_p.id == one.id, _p.active, known))
            if row is not None:
                return Party("person", one.id, row.name), [one.id]
        case "seat":
            row = await reading.first(sa.select(_s.name).where(_s.id == one.id, reach.knows(actor, _s.org_id)))
            if row is not None:
                sitting = sa.select(_n.person_id).where(_n.seat_id == one.id, _n.until.is_(None))
                people = list((await reading.connection.scalars(sitting)).all())
                if not people:
                    raise Unfit(where, "Nobody sits at this seat.", "该坐席当前无人值守。", code="empty")
                return Party("seat", one.id, row.name), people
        case "org":
            row = await reading.first(sa.select(_o.name).where(_o.id == one.id, reach.knows(actor, _o.id)))
            if row is not None:
                people = await standing_in(reading, [one.id]) or await _of_org(reading, one.id)
                if not [person for person in people if person != actor.id]:
                    raise Unfit(where, "Nobody of this organisation can be called.", "该单位没有可呼叫的人员。", code="empty")
                return Party("org", one.id, row.name), people
        case "endpoint":
            known = reach.knows(actor, _e.org_id)
            row = await reading.first(sa.select(_e.kind, _e.owner_kind, _e.owner_id).where(_e.id == one.id, known))
            if row is not None:
                if row.kind != "web" or row.owner_kind not in ("person", "seat"):
                    raise Unfit(where, "Endpoints of this kind cannot be called yet.", "暂不支持呼叫这类终端。", code="kind")
                return await _people(reading, actor, Asked(row.owner_kind, row.owner_id), where)
    raise Unfit(where, "There is no such one to be called.", "没有这个呼叫对象。", code="unknown")


async def _of_org(reading: Reading, org: str) -> list[str]:
    """Those who can sign in, highest first."""
    query = (
        sa.select(_p.id)
        .join_from(tables.people, tables.accounts, tables.accounts.c.person_id == _p.id)
        .where(_p.active, _p.org_id == org)
        .order_by(_p.level, _p.id)
        .limit(ORG_LIMIT)
    )
    return list((await reading.connection.scalars(query)).all())
