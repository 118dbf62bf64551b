"""Can an organisation connect? One of its terminals is told to send a picture and a tone to a room of the hub's, and to get them
back.

No voice leaves the terminal: what it sends is made, how loud its microphone is it measures by itself. Who is in a call is left in
peace. Tests are kept for a time that is a setting, the last one of an organisation always: it is in the directory's report.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub import log as logs
from commhub.conference import Conference, Presence, Ticket
from commhub.directory.resolve import resolve
from commhub.errors import Conflict, Forbidden, NotFound, Unfit
from commhub.events import Events
from commhub.linktests.shapes import LinkReport, LinkTest
from commhub.linktests.verdict import Reason, State, judged
from commhub.model import HUB, ULID_PATTERN, Actor, By, Label, iso, new_id, utc_ns
from commhub.rooms import InternalKey
from commhub.store import Reading, Store, Transaction, tables
from commhub.tasks import Tasks
from commhub.terminals import Instruction, Terminal, Terminals
from commhub.terminals import Presence as Shown
from commhub.views import Member, OrgName

log = logs.get(__name__)

PERMISSION = "link.test"
PREFIX = "linktest_"
_ROOM = re.compile(PREFIX + ULID_PATTERN)
SECONDS = 6.0  # of media
WITHIN = 40.0  # seconds from the instruction to the result
AT_ONCE = 4
ORGS = 500
LOOK = 20.0  # seconds between looks at the clock
CHINA = timezone(timedelta(hours=8))
ECHO = "-echo"  # ends the identity of the one that listens
_t, _p, _o, _c = tables.link_tests.c, tables.people.c, tables.organisations.c, tables.cameras.c
NS = 1_000_000_000


@dataclass(slots=True)
class _Running:
    id: str
    org: str
    by: Actor | By
    person: str = ""
    terminal: str = ""
    began_at: int = 0
    result: asyncio.Future[LinkReport] | None = None


class LinkTests:
    """A :class:`~commhub.rooms.House` of the rooms in which it tests. ``daily``: ``HH:MM`` in China, '' never by itself.
    ``keep_days``: tests are kept so long, 0 for ever; the last one of an organisation always."""

    def __init__(
        self,
        store: Store,
        events: Events,
        conference: Conference,
        terminals: Terminals,
        key: InternalKey,
        daily: str = "",
        keep_days: int = 0,
    ) -> None:
        self._store, self._events, self._conference = store, events, conference
        self._terminals, self._key, self._daily, self._keep = terminals, key, daily, keep_days * 86_400 * NS
        self._forgot_at = 0
        self._running: dict[str, _Running] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks = Tasks("link tests")

    async def start(self) -> None:
        async with self._store.reading() as reading:
            left = await reading.all(sa.select(tables.link_tests).where(_t.state == "running"))
        for row in left:
            one = _Running(row.id, row.org_id, HUB, row.person_id or "", row.terminal, row.began_at)
            await self._over(one, "failed", ["restarted"], None)
        self._tasks.spawn(self._clock(), "clock")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- the door

    def owns(self, room: str) -> bool:
        return _ROOM.fullmatch(room) is not None

    async def admit(self, ticket: Ticket) -> None:
        running = self._running.get(ticket.room.removeprefix(PREFIX))
        if running is None or ticket.key != self._key.name or ticket.identity.removesuffix(ECHO) != running.terminal:
            raise Forbidden("This link is not being tested.", "链路测试已结束。")

    async def joined(self, room: str, presence: Presence) -> None: ...
    async def left(self, room: str, presence: Presence, reason: str) -> None: ...

    # ---- people

    async def begin(self, actor: Actor, orgs: Sequence[str]) -> list[LinkTest]:
        """One for each; what runs already is not begun twice. They end by themselves: see the events."""
        for org in orgs:
            if not actor.may(PERMISSION, org=org):
                raise Unfit("body.organisations", f"There is no {org} that you may test.", "没有可测试的单位。", code="unknown")
        async with self._store.reading() as reading:
            query = sa.select(_o.id).where(_o.id.in_(list(orgs)))
            there = {row.id for row in await reading.all(query)}
        if missing := [one for one in orgs if one not in there]:
            raise Unfit("body.organisations", f"There is no {missing[0]}.", "单位不存在。", code="unknown")
        found = [await self._begin(org, actor) for org in dict.fromkeys(orgs)]
        async with self._store.reading() as reading:
            return await self._views(reading, _t.id.in_(found))

    async def result(self, actor: Actor, id: str, report: LinkReport) -> None:
        """By the terminal that is tested. NotFound for everybody else."""
        running = self._running.get(id)
        if running is None or running.person != actor.id or running.result is None:
            raise NotFound("There is no such test.", "没有这次链路测试。")
        if not running.result.done():
            running.result.set_result(report)

    async def listed(self, reader: Actor, org: str | None, limit: int) -> list[LinkTest]:
        """Newest first; of all organisations the last one of each."""
        orgs = sorted(set().union(*(within for within, _ in reader.scopes(PERMISSION))))
        async with self._store.reading() as reading:
            if org is not None:
                return await self._views(reading, _t.org_id == org, _t.org_id.in_(orgs), limit=limit)
            last = sa.select(sa.func.max(_t.id)).where(_t.org_id.in_(orgs)).group_by(_t.org_id)
            return await self._views(reading, _t.id.in_(last), limit=2000)

    # ---- one test

    async def _begin(self, org: str, by: Actor | By) -> str:
        for running in self._running.values():
            if running.org == org:
                return running.id
        one = _Running(new_id(), org, by, began_at=utc_ns())
        self._running[one.id] = one
        try:
            async with self._store.transaction() as transaction:
                row = {"id": one.id, "org_id": org, "by_id": by.id, "person_id": None, "terminal": "", "began_at": one.began_at}
                await transaction.insert(tables.link_tests, {**row, "ended_at": 0, "state": "running", "report": "{}"})
                await self._say(transaction, "linktest.started", one, "running", [])
                await audit.record(transaction, by, PERMISSION, org, object=one.id)
        except BaseException:
            self._running.pop(one.id, None)
            raise
        self._tasks.spawn(self._run(one), "test")
        return one.id

    async def _run(self, one: _Running) -> None:
        room = PREFIX + one.id
        report: LinkReport | None = None
        try:
            async with self._slots:
                state, reasons, report = await self._tested(one, room)
        except Exception:
            log.exception("link test failed", org=one.org)
            state, reasons = "failed", ["no_result"]
        finally:
            self._running.pop(one.id, None)
            await self._conference.close(room)
        await self._over(one, state, reasons, report)

    async def _tested(self, one: _Running, room: str) -> tuple[State, list[Reason], LinkReport | None]:
        people, why = await self._people(one.org)
        if why is not None:
            return *why, None
        terminals = [terminal for person in people for terminal in self._terminals.of(person)]
        there = [terminal for terminal in terminals if terminal.presence in (Shown.IDLE, Shown.DND)]
        if not there:
            return ("busy", [], None) if any(one.presence is not Shown.OFFLINE for one in terminals) else (
                "offline", ["no_terminal"], None
            )  # fmt: skip
        terminal = there[0]
        one.person, one.terminal = terminal.person, terminal.id
        one.result = asyncio.get_running_loop().create_future()
        await self._conference.open(room, key=self._key.name)
        outcome = await self._terminals.instruct(terminal.id, await self._instruction(one, terminal, room))
        if not outcome.ok:
            return ("busy", [], None) if outcome.reason == "busy" else (
                "failed", ["refused" if outcome.state == "refused" else "silent"], None
            )  # fmt: skip
        try:
            report = await asyncio.wait_for(one.result, WITHIN)
        except TimeoutError:
            return "failed", ["no_result"], None
        state, reasons = judged(report)
        off = await self._cameras_off(one.org)
        if off and state in ("well", "weak"):
            state, reasons = "weak", [*reasons, "cameras_offline"]
        return state, reasons, report

    async def _instruction(self, one: _Running, terminal: Terminal, room: str) -> Instruction:
        async with self._store.reading() as reading:
            known = await reading.first(
                sa.select(_p.name, _p.post, _p.level, _p.org_id, _o.name.label("org_name"))
                .join_from(tables.people, tables.organisations, _o.id == _p.org_id)
                .where(_p.id == terminal.person)
            )
        if known is None:
            raise Conflict("Nobody is there.", "没有人员。")
        actor = Actor(terminal.person, known.name, "", known.post, known.level, known.org_id, known.org_name)
        sends = {"canPublish": True, "canSubscribe": False, "canPublishData": False, "hidden": False}
        hears = {"canPublish": False, "canSubscribe": True, "canPublishData": False}
        tokens = [
            self._key.ticket(room, actor, terminal.id, **sends),
            self._key.ticket(room, actor, terminal.id + ECHO, **hears),
        ]
        by = {"id": one.by.id or "", "name": one.by.name, "org_name": one.by.org_name if isinstance(one.by, Actor) else ""}
        data = {"what": "link_test", "test": one.id, "tokens": tokens, "seconds": SECONDS}
        return Instruction(new_id(), "show", one.id, room=room, by=by, data=data)

    async def _people(self, org: str) -> tuple[list[str], tuple[State, list[Reason]] | None]:
        async with self._store.reading() as reading:
            found = await resolve(reading, orgs=[org])
        people = [one.person_id for one in found.targets if one.person_id]
        if not people and any(one.why == "telephone" for one in found.targets):
            return [], ("untestable", ["telephone_only"])
        return people, None

    async def _cameras_off(self, org: str) -> bool:
        """Has the organisation cameras, none of whose devices is there?"""
        of_device = (_c.org_id == org, _c.device_id.is_not(None))
        async with self._store.reading() as reading:
            states = [row.online for row in await reading.all(sa.select(_c.online).where(*of_device).limit(5000))]
        return bool(states) and not any(states)

    async def _over(self, one: _Running, state: State, reasons: list[Reason], report: LinkReport | None) -> None:
        said = {"reasons": reasons, "report": report.model_dump() if report is not None else None}
        async with self._store.transaction() as transaction:
            values: dict[str, Any] = {"ended_at": utc_ns(), "state": state, "report": json.dumps(said), "terminal": one.terminal}
            values["person_id"] = one.person or None
            await transaction.run(sa.update(tables.link_tests).where(_t.id == one.id).values(**values))
            await self._say(transaction, "linktest.ended", one, state, reasons)
            await audit.record(transaction, one.by, PERMISSION, one.org, object=f"{one.id} {state}")

    async def _say(self, transaction: Transaction, type: str, one: _Running, state: str, reasons: Sequence[str]) -> None:
        data = {"test": one.id, "org": one.org, "state": state, "reasons": list(reasons)}
        await self._events.emit(transaction, type, subject=one.id, org=one.org, label=Label.PUBLIC, by=one.by, data=data)

    async def _views(self, reading: Reading, *conditions: sa.ColumnElement[bool], limit: int = ORGS) -> list[LinkTest]:
        query = sa.select(tables.link_tests, _o.name.label("org_name")).join(tables.organisations, _o.id == _t.org_id)
        rows = await reading.all(query.where(*conditions).order_by(_t.id.desc()).limit(limit))
        ids = {one for row in rows for one in (row.person_id, row.by_id) if one}
        named = sa.select(_p.id, _p.name, _o.name.label("org_name")).join_from(tables.people, tables.organisations)
        known = {
            row.id: Member(id=row.id, name=row.name, org_name=row.org_name)
            for row in (await reading.all(named.where(_p.id.in_(ids))) if ids else [])
        }
        return [_view(row, known) for row in rows]

    # ---- by schedule

    async def _clock(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            try:
                now = utc_ns()
                await self.look(now)
                if now - self._forgot_at > 3600 * NS:
                    self._forgot_at = now
                    await self.forget(now)
            except Exception:
                if (suppressed := logs.limited(("link tests",), 600)) is not None:
                    log.exception("link tests not begun", suppressed=suppressed)

    async def look(self, now: int) -> int:
        """Begins today's, once their time has come; how many. Those that a restart has interrupted are begun again."""
        if not self._daily:
            return 0
        here = datetime.fromtimestamp(now // NS, UTC).astimezone(CHINA)
        hour, minute = map(int, self._daily.split(":"))
        due = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
        if here < due:
            return 0
        async with self._store.reading() as reading:
            since = int(due.timestamp()) * NS
            done = sa.select(_t.org_id).where(_t.began_at >= since, _t.by_id.is_(None), _t.state != "running")
            with_people = sa.select(_p.org_id).join(tables.accounts, tables.accounts.c.person_id == _p.id).where(_p.active)
            query = sa.select(_o.id).where(_o.connectivity.in_(("video", "full")), _o.id.in_(with_people), _o.id.not_in(done))
            orgs = [row.id for row in await reading.all(query.order_by(_o.position, _o.id).limit(ORGS))]
        going = {one.org for one in self._running.values()}
        begun = [org for org in orgs if org not in going]
        for org in begun:
            await self._begin(org, HUB)
        return len(begun)

    async def forget(self, now: int) -> int:
        """Those that are kept no longer; how many."""
        if not self._keep:
            return 0
        newest = sa.select(sa.func.max(_t.id)).group_by(_t.org_id)
        old = (_t.began_at < now - self._keep, _t.state != "running", _t.id.not_in(newest))
        async with self._store.transaction() as transaction:
            gone = await transaction.run(sa.delete(tables.link_tests).where(*old))
            if gone:
                await audit.record(transaction, HUB, PERMISSION, "", object=f"{gone} forgotten")
        return gone


def _view(row: Any, known: dict[str, Member]) -> LinkTest:
    said = json.loads(row.report)
    report = said.get("report")
    return LinkTest(
        id=row.id,
        org=OrgName(id=row.org_id, name=row.org_name),
        by=known.get(row.by_id or ""),
        person=known.get(row.person_id or ""),
        began_at=iso(row.began_at),
        ended_at=iso(row.ended_at) if row.ended_at else None,
        state=row.state,
        reasons=said.get("reasons", []),
        report=LinkReport.model_validate(report) if report else None,
    )
