"""Who comes in and who has left: the hub's side of :class:`~commhub.conference.Host`."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.auth import Auth
from commhub.conference import Presence, Ticket
from commhub.errors import Busy, Conflict, Forbidden, NotFound, Unauthenticated
from commhub.model import ULID_PATTERN, By, new_id, utc_ns
from commhub.rooms import rules
from commhub.rooms.picture import member_of
from commhub.rooms.rooms import Rooms, was_present
from commhub.store import Reading, Store, consultations, tables
from commhub.store.consultations import Consultation
from commhub.tasks import Tasks

log = logs.get(__name__)

REFRESHED_SECONDS = 3600
TERMINALS = 16  # of one person in a consultation
LATEST = float(1 << 40)  # “for ever”, in unix seconds that the database can hold
SETTLE_SECONDS = 20.0  # after a restart, until everybody who is still there has come back
_a = tables.attendance.c


class House(Protocol):
    """Rooms of the hub that are no consultations: calls, groups. None of these raises but :meth:`admit`."""

    def owns(self, room: str) -> bool: ...
    async def admit(self, ticket: Ticket) -> None:
        """Of a room that it owns. Forbidden, NotFound."""

    async def joined(self, room: str, presence: Presence) -> None: ...
    async def left(self, room: str, presence: Presence, reason: str) -> None: ...


class Visitors(Protocol):
    """Those who are in rooms without belonging there, whoever's the rooms are: they are on nobody's list and in no attendance. As
    :class:`House`."""

    def knows(self, room: str, identity: str) -> bool: ...
    async def admit(self, ticket: Ticket) -> None: ...
    async def joined(self, room: str, presence: Presence) -> None: ...
    async def left(self, room: str, presence: Presence, reason: str) -> None: ...


class Door:
    """Implements ``Host``. Rooms that are neither a consultation nor of one of the ``houses`` are the signalling's own matter and
    pass."""

    def __init__(self, store: Store, auth: Auth, rooms: Rooms) -> None:
        self._store, self._auth, self._rooms = store, auth, rooms
        self._tasks = Tasks("door")
        #: Who may enter rooms whose names begin so; asked before anything else that is in a ticket.
        self.others: dict[str, Callable[[Ticket], Awaitable[None]]] = {}
        self.houses: list[House] = []
        self.visitors: list[Visitors] = []
        #: Hears of a room in which somebody has come or gone, before that is written; must not wait.
        self.changed: Callable[[str], None] = lambda room: None
        #: Hears of somebody with an API key's token who has to wait.
        self.knocked: Callable[[Consultation, Ticket], Awaitable[None]] = _nothing

    def _house(self, room: str, identity: str) -> House | Visitors | None:
        if (host := next((one for one in self.visitors if one.knows(room, identity)), None)) is not None:
            return host
        return next((house for house in self.houses if house.owns(room)), None)

    def start(self) -> None:
        self._tasks.spawn(self._settle_later(), "settle")

    async def close(self) -> None:
        await self._tasks.close()

    async def _settle_later(self) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        await self._rooms.close_ended()
        await self.settle()

    async def admit(self, ticket: Ticket, *, resuming: bool = False) -> None:
        async with self._store.reading() as reading:
            await self._check_revoked(reading, ticket)
            house = self._house(ticket.room, ticket.identity)
            record = await consultations.one(reading, ticket.room) if house is None else None
        if house is not None:
            await house.admit(ticket)
            return
        if record is None:
            for prefix, check in self.others.items():
                if ticket.room.startswith(prefix):
                    await check(ticket)
            return
        async with self._store.reading() as reading:
            if not record.live:
                raise NotFound("requested room does not exist", "会商不存在或已结束。")
            person = member_of(ticket.identity)
            # Whoever says that he resumes must be in: it opens no locked door.
            before = resuming and any(one.identity == ticket.identity for one in self._rooms.present(record))
            before = before or self._rooms.forced(record.id, person)
            if ticket.key == self._rooms.key.name:
                before = before or await was_present(reading, record.id, person)
            else:
                before = before or await _identity_was_present(reading, record.id, ticket.identity)
        if ticket.key == self._rooms.key.name:
            actor = await self._auth.actor(person)
            if actor is None:
                raise Forbidden("This person may no longer sign in.", "该人员已停用。")
            rules.check_entry(record, actor, before)
            if not self._rooms.forced(record.id, person):
                rules.check_lobby(record, actor)
            self._check_terminals(record.id, ticket.identity)
        elif ticket.identity in record.excluded:
            raise Forbidden("This identity was removed from the consultation.", "该身份已被移出会商。", code="removed")
        elif record.locked and not before:
            raise Conflict("The consultation is locked.", "会商已锁定，请联系主持人。", code="locked")
        elif rules.stranger_waits(record, ticket.identity):
            await self.knocked(record, ticket)
            rules.turned_away(record, ticket.identity)

    def _check_terminals(self, consultation: str, identity: str) -> None:
        """Busy: each terminal is a participant whom everybody's client and the media worker carry."""
        here = {one for one in self._rooms.identities(consultation) if member_of(one) == member_of(identity)}
        if identity not in here and len(here) >= TERMINALS:
            raise Busy(
                f"You are in this consultation on {TERMINALS} devices already.", f"你已在 {TERMINALS} 台设备上进入该会商。"
            )

    async def check(self, ticket: Ticket) -> None:
        async with self._store.reading() as reading:
            await self._check_revoked(reading, ticket)

    async def _check_revoked(self, reading: Reading, ticket: Ticket) -> None:
        v, r = tables.revocations.c, tables.removals.c
        query = sa.select(v.token_id).where(v.token_id == ticket.token_id)
        dead = await reading.first(query) is not None
        if not dead:
            before = await reading.first(sa.select(r.before).where(r.room == ticket.room, r.identity == ticket.identity))
            dead = before is not None and ticket.issued_before(before.before)
        if dead:
            raise Unauthenticated("This token was revoked.", "该令牌已作废。", code="revoked")

    async def revoke(self, room: str, tickets: Sequence[Ticket], before: float) -> None:
        v, r = tables.revocations.c, tables.removals.c
        now, before = time.time(), min(before, LATEST)
        async with self._store.transaction() as transaction:
            await transaction.run(sa.delete(tables.revocations).where(v.until < int(now)))
            for ticket in tickets:
                await transaction.run(sa.delete(tables.revocations).where(v.token_id == ticket.token_id))
                # Tokens that were refreshed from it live a little longer than it does, under the same id; the last one may
                # have been made just now, however long ago the first expired.
                until = int(max(min(ticket.expires_at, LATEST), before, now)) + REFRESHED_SECONDS
                row = {"token_id": ticket.token_id, "room": room, "identity": ticket.identity, "until": until}
                await transaction.insert(tables.revocations, row)
                # Nobody knows how long the others live that were issued for it: this is kept for good, one row for each.
                one = (r.room == room, r.identity == ticket.identity)
                known = await transaction.value(sa.select(r.before).where(*one))
                await transaction.run(sa.delete(tables.removals).where(*one))
                # What an earlier removal ended does not come to life by a later one that names an earlier moment.
                row = {"room": room, "identity": ticket.identity, "before": max(before, known or 0.0)}
                await transaction.insert(tables.removals, row)

    async def joined(self, room: str, presence: Presence) -> None:
        if (house := self._house(room, presence.identity)) is not None:
            await house.joined(room, presence)
            return
        self.changed(room)
        if presence.kind == "camera":  # told by consultation.camera_added
            return
        try:
            async with self._store.transaction() as transaction:
                record = await consultations.one(transaction, room)
                if record is None:
                    return
                at = utc_ns()
                await _close(transaction, room, presence.identity, at, "replaced")
                await transaction.insert(
                    tables.attendance,
                    {
                        "id": new_id(),
                        "consultation_id": room,
                        "person_id": _person(presence),
                        "identity": presence.identity,
                        "name": presence.name,
                        "org_name": presence.org,
                        "kind": presence.kind,
                        "joined_at": at,
                    },
                )
                data = {"identity": presence.identity, "name": presence.name}
                await self._rooms.announce(transaction, "consultation.joined", room, _by(presence), data)
            # He was removed while he came in: let in before, on another terminal, and there only after.
            member = member_of(presence.identity) if presence.kind == "person" else presence.identity
            if member in record.excluded or await self._slipped(record, presence):
                await self._rooms.put_out(room, presence.identity)
        except SQLAlchemyError:
            # A full disk must not keep anybody out of a consultation.
            log.exception("join not written", room=room)

    async def _slipped(self, record: Consultation, presence: Presence) -> bool:
        """Has the lobby been opened between the question at the door and the first step inside?"""
        if record.control.lobby == "off":
            return False
        if presence.kind != "person" or _person(presence) is None:
            return rules.stranger_waits(record, presence.identity)
        person = member_of(presence.identity)
        actor = await self._auth.actor(person)
        return actor is not None and not self._rooms.forced(record.id, person) and rules.must_wait(record, actor)

    async def left(self, room: str, presence: Presence, reason: str) -> None:
        if (house := self._house(room, presence.identity)) is not None:
            await house.left(room, presence, reason)
            return
        self.changed(room)
        if presence.kind == "camera":
            return
        try:
            async with self._store.transaction() as transaction:
                record = await consultations.one(transaction, room)
                if record is None:
                    return
                await _close(transaction, room, presence.identity, utc_ns(), reason)
                if record.live:
                    data = {"identity": presence.identity, "name": presence.name, "reason": reason}
                    await self._rooms.announce(transaction, "consultation.left", room, _by(presence), data)
        except SQLAlchemyError:
            log.exception("leave not written", room=room)

    async def used_key(self, key: str, room: str, action: str) -> None:
        async with self._store.transaction() as transaction:
            if await transaction.first(sa.select(tables.consultations.c.id).where(tables.consultations.c.id == room)):
                await audit.record(transaction, By(key, f"key:{key}"), "key.use", room, object=action)

    async def settle(self) -> None:
        """After a restart: who is written as present but is not there any more has left, nobody knows exactly when."""
        async with self._store.transaction() as transaction:
            rows = await transaction.all(
                sa.select(_a.id, _a.identity, _a.consultation_id).where(_a.left_at.is_(None)).order_by(_a.consultation_id)
            )
            for room in {row.consultation_id for row in rows}:
                record = await consultations.one(transaction, room)
                there = {one.identity for one in self._rooms.present(record)} if record is not None else set()
                gone = [row.id for row in rows if row.consultation_id == room and row.identity not in there]
                values = {"left_at": utc_ns(), "reason": "hub_restarted"}
                await transaction.run(sa.update(tables.attendance).where(_a.id.in_(gone)).values(values))
                if gone and record is not None and record.live:
                    await self._rooms.announce(transaction, "consultation.changed", room, None)


async def _nothing(record: Consultation, ticket: Ticket) -> None:
    return None


def _person(presence: Presence) -> str | None:
    member = member_of(presence.identity)
    return member if presence.kind == "person" and re.fullmatch(ULID_PATTERN, member) else None


def _by(presence: Presence) -> By:
    return By(presence.name, member_of(presence.identity))


async def _close(reading: Reading, room: str, identity: str, at: int, reason: str) -> None:
    mine = (_a.consultation_id == room, _a.identity == identity, _a.left_at.is_(None))
    await reading.connection.execute(sa.update(tables.attendance).where(*mine).values(left_at=at, reason=reason[:100]))


async def _identity_was_present(reading: Reading, consultation: str, identity: str) -> bool:
    query = sa.select(_a.id).where(_a.consultation_id == consultation, _a.identity == identity).limit(1)
    return await reading.first(query) is not None
