"""What a scheduled consultation does by the clock: it reminds, lets people in early, and begins by itself or by its chair.

A reminder is a row beside its event, in one transaction: a hub that restarts reminds of what is still to come and has not been
reminded of, nobody twice. The consultation of an occurrence is made under a key of its own: however often it is asked for, by
whomever, there is one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import sqlalchemy as sa

from commhub import audit
from commhub import log as logs
from commhub.agenda import records, rules
from commhub.agenda.agenda import Agenda, write
from commhub.agenda.records import Record, Said
from commhub.agenda.series import NS
from commhub.auth import Auth
from commhub.errors import Conflict, Forbidden, HubError
from commhub.events import Events, Published
from commhub.model import HUB, Actor, Label, iso, utc_ns
from commhub.rooms import Once, Rooms
from commhub.store import Store, tables
from commhub.tasks import Tasks

log = logs.get(__name__)

TICK = 1.0  # seconds
BEFORE = 15 * 60 * NS  # the first reminder
_i, _c, _d = records.i, records.c, tables.agenda_reminders.c


class Beginning:
    def __init__(self, store: Store, auth: Auth, events: Events, rooms: Rooms, agenda: Agenda) -> None:
        self._store, self._auth, self._events, self._rooms, self._agenda = store, auth, events, rooms, agenda
        self._tasks = Tasks("agenda")
        self._turn = asyncio.Lock()
        self._coming: list[Record] | None = None  # None: something has changed since it was read
        self._read_at = 0

    async def start(self) -> None:
        self._events.listen(self._heard)
        await self._settle()
        self._tasks.spawn(self._run(), "clock")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- people

    async def enter(self, actor: Actor, item: str, at: int) -> str:
        """The consultation to join; made when the first one comes. Conflict ``too_early``, ``over``."""
        record, said = await self._agenda.found(item, actor, at)
        assert said is not None
        if not (record.concerns(actor) or rules.oversees(record, actor, "consultation.join")):
            raise Forbidden("You are not invited to it.", "你未被邀请参加该会商。", code="not_invited")
        now, leads = utc_ns(), rules.may_edit(record, actor)
        self._check(record, said)
        if now < said.start - record.early:
            raise Conflict("It is too early.", "尚未到入会时间。", code="too_early")
        # Nobody waits for a chair who is late, once it begins by itself.
        if said.consultation is None and record.begins == "chair" and not leads:
            raise Conflict("The chair has not begun it yet.", "主持人尚未开始会商。", code="not_begun")
        room = await self._open(record, said)
        if record.concerns(actor) and actor.id != record.host.id:
            await self._let_in(record, room, actor)
        return room

    async def begin(self, actor: Actor, item: str, at: int) -> str:
        """By whoever is in charge, from when people may enter; everybody's pages ring."""
        record, said = await self._agenda.found(item, actor, at)
        assert said is not None
        rules.editable(record, actor)
        self._check(record, said)
        if utc_ns() < said.start - record.early:
            raise Conflict("It is too early.", "尚未到入会时间。", code="too_early")
        room = await self._open(record, said)
        await self._ring(record, said, room, actor)
        return room

    def _check(self, record: Record, said: Said) -> None:
        if record.cancelled or said.cancelled:
            raise Conflict("It was cancelled.", "预约已取消。", code="cancelled")
        if said.state == "ended":
            raise Conflict("It is over.", "该场会商已结束。", code="over")

    # ---- the consultation of an occurrence

    async def _open(self, record: Record, said: Said) -> str:
        """There is one, whoever asks how often."""
        async with self._turn:
            async with self._store.reading() as reading:
                known = await reading.value(sa.select(_c.consultation_id).where(_c.item_id == record.id, _c.at == said.at))
            if known:
                return str(known)
            host = await self._auth.actor(record.host.id)
            if host is None:
                raise Conflict("Its host may no longer sign in.", "发起人账号已停用，无法开始。", code="no_host")
            once = Once(f"agenda {record.id} {said.at}", "agenda")
            made = await self._rooms.create(
                host, title=record.title, label=Label(record.label), organisations=[], people=[], record=record.record, once=once
            )
            async with self._store.transaction() as transaction:
                await write(transaction, record.id, replace(said, consultation=made.id))
                told = {"at": said.at // NS, "consultation": made.id}
                await self._agenda.say(transaction, "agenda.opened", record.id, HUB, told)
                await audit.record(transaction, HUB, "agenda.start", record.id, object=f"{iso(said.at)} {made.id}")
            return made.id

    async def _let_in(self, record: Record, room: str, actor: Actor) -> None:
        """Early comers are invited one by one: nobody else is rung before it begins."""
        host = await self._auth.actor(record.host.id)
        async with self._store.reading() as reading:
            there = await self._rooms.visible(reading, room, host) if host is not None else None
        if host is not None and there is not None and not there.concerns(actor):
            await self._rooms.invite(room, host, [], [actor.id])

    async def _ring(self, record: Record, said: Said, room: str, by: Actor) -> None:
        """Once: the state says that it has been done."""
        async with self._store.transaction() as transaction:
            state = await transaction.value(sa.select(_c.state).where(_c.item_id == record.id, _c.at == said.at))
            if state == "started":
                return
            await write(transaction, record.id, replace(said, consultation=room, state="started"))
            told = {"at": said.at // NS, "consultation": room}
            await self._agenda.say(transaction, "agenda.started", record.id, by, told)
            await audit.record(transaction, by, "agenda.start", record.id, object=iso(said.at))
        host = await self._auth.actor(record.host.id)
        if host is not None and (record.organisations or record.people):
            people = [one.id for one in record.people]
            once = Once(f"agenda ring {record.id} {said.at}", "agenda")
            await self._rooms.invite(room, host, [one.id for one in record.organisations], people, once)

    # ---- the clock

    async def _run(self) -> None:
        while True:
            try:
                await self.look(utc_ns())
            except Exception:
                if (suppressed := logs.limited(("agenda",), 60)) is not None:
                    log.exception("agenda not looked at", suppressed=suppressed)
            await asyncio.sleep(TICK)

    async def look(self, now: int) -> None:
        """Everything that is due by now."""
        for record in await self._due(now):
            for said in record.occurrences(now, now + BEFORE + 1):
                if said.cancelled or said.state != "planned":
                    continue
                if now < said.start:
                    await self._remind(record, said, "before", now)
                    continue
                await self._remind(record, said, "start", now)
                if record.begins == "self":
                    await self._by_itself(record, said)

    async def _due(self, now: int) -> list[Record]:
        """What is not over; read again when something changed, and every minute."""
        if self._coming is None or now - self._read_at > 60 * NS:
            self._read_at = now
            coming: list[Record] = []
            self._coming = coming
            async with self._store.reading() as reading:
                coming += await records.find(reading, sa.not_(_i.cancelled), _i.over_at > now, limit=100_000)
        return list(self._coming)

    async def _remind(self, record: Record, said: Said, kind: str, now: int) -> None:
        async with self._store.reading() as reading:
            mine = (_d.item_id == record.id, _d.at == said.at, _d.kind == kind)
            if await reading.first(sa.select(_d.kind).where(*mine)) is not None:
                return
        async with self._store.transaction() as transaction:
            if await transaction.first(sa.select(_d.kind).where(*mine)) is not None:
                return
            row = {"item_id": record.id, "at": said.at, "kind": kind, "sent_at": now}
            await transaction.insert(tables.agenda_reminders, row)
            told = {"at": said.at // NS, "kind": kind, "starts_at": iso(said.start)}
            await self._agenda.say(transaction, "agenda.reminder", record.id, HUB, told)

    async def _by_itself(self, record: Record, said: Said) -> None:
        try:
            room = await self._open(record, said)
            host = await self._auth.actor(record.host.id)
            if host is not None:
                await self._ring(record, said, room, host)
        except HubError as error:
            log.warning("scheduled consultation not begun", reason=error.message)
            async with self._store.transaction() as transaction:
                await write(transaction, record.id, replace(said, state="failed"))
                await self._agenda.say(transaction, "agenda.changed", record.id, HUB, {"at": said.at // NS})
                await audit.record(transaction, HUB, "agenda.start", record.id, object=error.message, result="failed")

    def _heard(self, published: Published) -> None:
        event = published.event
        if event.type.startswith("agenda.") and event.type != "agenda.reminder":
            self._coming = None
        elif event.type == "consultation.ended":
            self._tasks.spawn(self._ended([event.subject]), "ended")

    async def _ended(self, consultations: list[str]) -> None:
        async with self._store.transaction() as transaction:
            of = (_c.consultation_id.in_(consultations), _c.state != "ended")
            rows = await transaction.all(sa.select(tables.agenda_occurrences).where(*of))
            await transaction.run(sa.update(tables.agenda_occurrences).where(*of).values(state="ended"))
            for row in rows:
                told = {"at": row.at // NS, "consultation": row.consultation_id}
                await self._agenda.say(transaction, "agenda.ended", row.item_id, HUB, told)
                await audit.record(transaction, HUB, "agenda.end", row.item_id, object=iso(row.at))

    async def _settle(self) -> None:
        """Consultations that ended while no hub was there to hear of it."""
        k = tables.consultations.c
        over = sa.select(_c.consultation_id).join(tables.consultations, k.id == _c.consultation_id)
        async with self._store.reading() as reading:
            rows = await reading.all(over.where(k.state == "ended", _c.state != "ended"))
        if rows:
            await self._ended([row.consultation_id for row in rows])
