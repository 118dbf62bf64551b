"""Who sits where. A seat is no person: rights stay with people, calls come to the seat and so to whoever sits there."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub.directory import reach, shapes
from commhub.directory.shapes import SeatRecord, Sitting
from commhub.errors import Unfit
from commhub.events import Audience, Events
from commhub.model import Actor, iso, new_id, utc_ns
from commhub.store import Reading, Store, Transaction, tables

_s, _h = tables.seats.c, tables.seat_sessions.c


class Seats:
    def __init__(self, store: Store, events: Events) -> None:
        self._store, self._events = store, events

    async def sign_on(self, actor: Actor, seat: str, *, takeover: bool = False, reason: str = "") -> SeatRecord:
        """Whoever sat elsewhere leaves that seat. Unfit when somebody else sits there and it is no takeover with a reason."""
        async with self._store.transaction() as transaction:
            row = await self._seat(transaction, actor, seat)
            there = (await sittings(transaction, _h.seat_id == seat)).get(seat)
            if there is not None and there.id == actor.id:
                return _view(row, there)
            if there is not None:
                if not takeover:
                    raise Unfit(
                        "takeover",
                        f"{there.name} sits there: take it over, with a reason.",
                        f"{there.name} 正在该坐席：如需接管，请说明理由。",
                        code="seat_taken",
                    )
                if not reason:
                    raise Unfit("reason", "A takeover needs a reason.", "接管坐席须说明理由。", code="no_reason")
                await self._end(transaction, _h.seat_id == seat, "takeover", reason)
            await self.leave(transaction, actor, actor.id, end="elsewhere")
            at = utc_ns()
            values = {"seat_id": seat, "person_id": actor.id, "since": at, "until": None, "end": "", "reason": ""}
            await transaction.insert(tables.seat_sessions, {"id": new_id(), **values})
            said = f"{row.name}: {actor.name}"
            if there is not None:
                said = f"{row.name}: {there.name} ({there.id}) → {actor.name} ({actor.id}): {reason}"
                await audit.record(transaction, actor, "seat.takeover", there.id, object=said)
            await audit.record(transaction, actor, "seat.sign_on", seat, object=said)
            now = Sitting(id=actor.id, name=actor.name, post=actor.post, org_name=actor.org_name, since=iso(at))
            await self._told(transaction, actor, row, there, now, reason if there is not None else "")
            return _view(row, now)

    async def sign_off(self, actor: Actor, seat: str) -> SeatRecord:
        """One's own seat; who administers it may clear it."""
        async with self._store.transaction() as transaction:
            row = await self._seat(transaction, actor, seat)
            there = (await sittings(transaction, _h.seat_id == seat)).get(seat)
            if there is not None:
                if there.id != actor.id:
                    reach.check_edits(actor, "seat", [row.org_id])
                await self._left(transaction, actor, row, there, "off")
            return _view(row, None)

    async def leave(self, transaction: Transaction, by: Actor, person: str, *, end: str = "removed") -> None:
        """The seat where this person sits, if there is one."""
        for seat, there in (await sittings(transaction, _h.person_id == person)).items():
            row = await transaction.first(sa.select(tables.seats).where(_s.id == seat))
            await self._left(transaction, by, row, there, end)

    async def went_home(self, transaction: Transaction, actor: Actor) -> None:
        """Who has signed out sits nowhere."""
        await self.leave(transaction, actor, actor.id, end="signed_out")

    async def of(self, person: str) -> str | None:
        """The seat where he sits."""
        async with self._store.reading() as reading:
            found = await reading.value(sa.select(_h.seat_id).where(_h.person_id == person, _h.until.is_(None)))
        return None if found is None else str(found)

    async def occupant(self, seat: str) -> str | None:
        """The person who sits there."""
        async with self._store.reading() as reading:
            found = await reading.value(sa.select(_h.person_id).where(_h.seat_id == seat, _h.until.is_(None)))
        return None if found is None else str(found)

    async def _seat(self, transaction: Transaction, actor: Actor, seat: str) -> Any:
        """One that the actor may sit at: his organisation's, one that serves it, or below a role of his."""
        row = await transaction.first(sa.select(tables.seats).where(_s.id == seat))
        mine = row is not None and (
            actor.org in (row.org_id, row.serves_id)
            or actor.may("seat.sign_on", org=row.org_id)
            or reach.edits(actor, row.org_id)
        )
        if not mine:
            raise reach.nothing(actor, "seat", "seat.sign_on")
        return row

    async def _left(self, transaction: Transaction, by: Actor, row: Any, there: Sitting, end: str) -> None:
        await self._end(transaction, _h.seat_id == row.id, end, "")
        await audit.record(transaction, by, "seat.sign_off", row.id, object=f"{row.name}: {there.name} ({there.id})")
        await self._told(transaction, by, row, there, None, "")

    async def _end(self, transaction: Transaction, which: sa.ColumnElement[bool], end: str, reason: str) -> None:
        over = sa.update(tables.seat_sessions).where(which, _h.until.is_(None))
        await transaction.run(over.values(until=utc_ns(), end=end, reason=reason))

    async def _told(
        self, transaction: Transaction, by: Actor, row: Any, before: Sitting | None, now: Sitting | None, reason: str
    ) -> None:
        people = [one.id for one in (before, now) if one is not None]
        data = {
            "seat": {"id": row.id, "name": row.name},
            "before": before.model_dump(mode="json") if before is not None else None,
            "now": now.model_dump(mode="json") if now is not None else None,
            "reason": reason,
        }
        orgs = [row.serves_id] if row.serves_id else []
        await self._events.emit(
            transaction,
            "seat.state",
            subject=row.id,
            org=row.org_id,
            label="internal",
            by=by,
            audience=Audience(people, orgs),
            data=data,
        )


def _view(row: Any, sitting: Sitting | None) -> SeatRecord:
    view: SeatRecord = shapes.of(SeatRecord, row, sitting=sitting)
    return view


async def sittings(reading: Reading, which: sa.ColumnElement[bool]) -> dict[str, Sitting]:
    """Who sits there now, by seat."""
    p, o = tables.people.c, tables.organisations.c
    query = (
        sa.select(_h.seat_id, _h.since, p.id, p.name, p.post, o.name.label("org_name"))
        .join_from(tables.seat_sessions, tables.people)
        .join(tables.organisations, o.id == p.org_id)
        .where(which, _h.until.is_(None))
    )
    return {
        row.seat_id: Sitting(id=row.id, name=row.name, post=row.post, org_name=row.org_name, since=iso(row.since))
        for row in await reading.all(query)
    }
