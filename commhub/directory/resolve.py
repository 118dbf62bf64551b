"""Whom an invitation reaches, and by what: the people of an organisation, its telephone, or its seat in the hall."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from commhub.directory import reach, shapes
from commhub.directory.seats import sittings
from commhub.directory.shapes import Reachability, Reachable, Resolved, SeatRecord, Target
from commhub.model import Actor, iso
from commhub.store import Reading, Store, tables
from commhub.views import Org

#: What cannot connect has somebody in the hall.
STAFFED = ("none", "staffed")
_a, _e, _h, _o, _p, _s = (
    tables.accounts.c,
    tables.endpoints.c,
    tables.seat_sessions.c,
    tables.organisations.c,
    tables.people.c,
    tables.seats.c,
)


async def liaisons(reading: Reading, orgs: Sequence[str]) -> dict[str, str]:
    """Organisation → its liaison seat, of those that have one."""
    rows = await reading.all(sa.select(_s.serves_id, _s.id).where(_s.serves_id.in_(orgs)).order_by(_s.position, _s.id))
    found: dict[str, str] = {}
    for row in rows:
        found.setdefault(row.serves_id, row.id)
    return found


async def standing_in(reading: Reading, orgs: Sequence[str]) -> list[str]:
    """The people at the liaison seats of those organisations that cannot connect."""
    rows = await reading.all(sa.select(_o.id).where(_o.id.in_(orgs), _o.connectivity.in_(STAFFED)))
    seats = await liaisons(reading, [row.id for row in rows])
    there = await sittings(reading, _h.seat_id.in_(sorted(seats.values())))
    return sorted({one.id for one in there.values()})


async def resolve(reading: Reading, orgs: Iterable[str] = (), people: Iterable[str] = (), seats: Iterable[str] = ()) -> Resolved:
    """What rings when these are invited. Ids that are not there are unreachable, as is who has nothing to be rung by."""
    orgs, people, seats = (list(dict.fromkeys(some)) for some in (orgs, people, seats))
    targets: list[Target] = []
    found = {row.id: row for row in await reading.all(sa.select(tables.organisations).where(_o.id.in_(orgs)))}
    serving = await liaisons(reading, orgs)
    for org in orgs:
        if org in found:
            targets += await _organisation(reading, found[org], serving.get(org))
    there = await reading.all(
        sa.select(_p.id, _a.person_id, _o.id.label("org_id"), _o.name, _o.short)
        .join_from(tables.people, tables.organisations)
        .outerjoin(tables.accounts, _a.person_id == _p.id)
        .where(_p.id.in_(people), _p.active)
    )
    reached = set[str]()
    for row in there:
        phone = None if row.person_id is not None else await _telephone(reading, _e.owner_id == row.id)
        if row.person_id is not None or phone is not None:
            reached.add(row.id)
            theirs = Org(id=row.org_id, name=row.name, short=row.short)
            targets.append(Target(org=theirs, why="person", person_id=row.person_id and row.id, seat_id=None, endpoint_id=phone))
    targets += await _seats(reading, seats)
    met = {one.org.id for one in targets} | reached | {one.seat_id for one in targets}
    return Resolved(targets=targets, unreachable=[one for one in (*orgs, *people, *seats) if one not in met])


async def _organisation(reading: Reading, row: Any, liaison: str | None) -> list[Target]:
    org = shapes.of(Org, row)
    if row.connectivity in STAFFED:
        return [] if liaison is None else [await _seat(reading, org, liaison, "liaison")]
    if row.connectivity == "phone":
        phone = await _telephone(reading, _e.org_id == row.id)
        if phone is not None:
            return [Target(org=org, why="telephone", person_id=None, seat_id=None, endpoint_id=phone)]
    members = sa.select(_p.id).join_from(tables.people, tables.accounts, _a.person_id == _p.id)
    rows = await reading.all(members.where(_p.org_id == row.id, _p.active).order_by(_p.level, _p.id))
    return [Target(org=org, why="member", person_id=one.id, seat_id=None, endpoint_id=None) for one in rows]


async def _seats(reading: Reading, seats: Sequence[str]) -> list[Target]:
    rows = await reading.all(
        sa.select(_s.id.label("seat"), _o.id, _o.name, _o.short)
        .join_from(tables.seats, tables.organisations, _o.id == sa.func.coalesce(_s.serves_id, _s.org_id))
        .where(_s.id.in_(seats))
    )
    return [await _seat(reading, shapes.of(Org, row), row.seat, "seat") for row in rows]


async def _seat(reading: Reading, org: Org, seat: str, why: Any) -> Target:
    there = (await sittings(reading, _h.seat_id == seat)).get(seat)
    own = await reading.value(sa.select(_e.id).where(_e.owner_id == seat).order_by(_e.position, _e.id).limit(1))
    return Target(org=org, why=why, person_id=there.id if there is not None else None, seat_id=seat, endpoint_id=own)


async def _telephone(reading: Reading, which: sa.ColumnElement[bool]) -> str | None:
    """The first one: those of places and seats before people's own."""
    order = sa.case({"place": 0, "seat": 1}, value=_e.owner_kind, else_=2)
    query = sa.select(_e.id).where(which, _e.kind.in_(("phone", "sip"))).order_by(order, _e.position, _e.id).limit(1)
    found = await reading.value(query)
    return None if found is None else str(found)


async def report(store: Store, reader: Actor, org: str | None) -> Reachability:
    """Of all organisations that the reader looks after, or of the subtree of ``org``."""
    orgs = reach.his(reader, "directory.view")
    if org is not None:
        reach.check_reads(reader, "organisation", org if org in reader.tree.below(org) else None)
        orgs &= reader.tree.below(org)
    async with store.reading() as reading:
        rows = await reading.all(sa.select(tables.organisations).order_by(_o.position, _o.id))
        kinds: dict[str, dict[str, int]] = defaultdict(dict)
        for row in await reading.all(sa.select(_e.org_id, _e.kind, sa.func.count().label("n")).group_by(_e.org_id, _e.kind)):
            kinds[row.org_id][row.kind] = row.n
        counted = sa.select(_p.org_id, sa.func.count().label("n")).join_from(
            tables.people, tables.accounts, _a.person_id == _p.id
        )
        accounts = {row.org_id: row.n for row in await reading.all(counted.where(_p.active).group_by(_p.org_id))}
        serving = await liaisons(reading, [row.id for row in rows])
        seats = {row.id: row for row in await reading.all(sa.select(tables.seats).where(_s.id.in_(sorted(serving.values()))))}
        there = await sittings(reading, _h.seat_id.in_(sorted(seats)))
        tested = await _tested(reading)
    items = []
    for row in rows:
        if row.id not in orgs:
            continue
        seat = seats.get(serving.get(row.id, ""))
        liaison = shapes.of(SeatRecord, seat, sitting=there.get(seat.id)) if seat is not None else None
        items.append(_reachable(row, accounts.get(row.id, 0), kinds[row.id], liaison, tested.get(row.id)))
    return Reachability(items=items)


async def _tested(reading: Reading) -> dict[str, tuple[int, bool]]:
    """Organisation → when its line was tested last, and whether it connects."""
    t = tables.link_tests.c
    last = sa.select(sa.func.max(t.id)).where(t.state.in_(("well", "weak", "failed", "offline"))).group_by(t.org_id)
    rows = await reading.all(sa.select(t.org_id, t.ended_at, t.state).where(t.id.in_(last)))
    return {row.org_id: (row.ended_at, row.state in ("well", "weak")) for row in rows}


def _reachable(
    row: Any, accounts: int, kinds: dict[str, int], liaison: SeatRecord | None, tested: tuple[int, bool] | None
) -> Reachable:
    problem = ""
    if row.connectivity in STAFFED:
        problem = "no_liaison_seat" if liaison is None else "" if liaison.sitting is not None else "nobody_at_liaison_seat"
    elif row.connectivity == "phone":
        problem = "" if kinds.get("phone") or kinds.get("sip") else "no_telephone"
    elif not accounts:
        problem = "no_account"
    view: Reachable = shapes.of(
        Reachable,
        row,
        org=shapes.of(Org, row),
        accounts=accounts,
        kinds=kinds,
        liaison=liaison,
        problem=problem,
        tested_at=iso(tested[0]) if tested is not None else None,
        tested_well=tested[1] if tested is not None else None,
    )
    return view
