"""Roll calls in consultations while they go on: the table of turns joined to records, microphones and the clock.

A step is written (record, audit row, event in one transaction) and then counts; gates follow at once, first those that close.
Whoever leads is heard besides whoever is called, nobody else is, whatever they publish and unmute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub import log as logs
from commhub.conference import Conference
from commhub.errors import Conflict, Invalid, NotFound, NotNow, Unfit
from commhub.events import Events, Published
from commhub.model import HUB, Actor, By, new_id, utc_ns
from commhub.rollcalls import records, turns
from commhub.rollcalls.postings import Postings
from commhub.rollcalls.records import NS, Asked, Record
from commhub.rollcalls.shapes import RollCall
from commhub.rollcalls.turns import Act, Phase
from commhub.rooms import Hearing, Rooms, member_of, rules
from commhub.store import Reading, Store, consultations, tables
from commhub.store.consultations import Consultation
from commhub.store.repeats import Once, remember, repeated
from commhub.tasks import Tasks, rounds
from commhub.terminals import Instruction, Terminals
from commhub.views import Member

log = logs.get(__name__)

REASON = "roll"  # its name where it is decided who is heard
TICK = 0.2  # seconds
FOUND = 10 * NS  # after a restart, until workers have told who is there
PEOPLE = 500
_p, _o = tables.people.c, tables.organisations.c


@dataclass(slots=True)
class _Line:
    record: Record
    doubted: int = 0  # of before a restart: until when nobody is taken for gone
    held: str = ""  # whose microphone is open
    open: frozenset[str] | None = None
    unanswered: str = ""  # identity that was told to unmute


class RollCalls:
    """``posts`` are roll calls of posts, which need no consultation."""

    def __init__(
        self, store: Store, events: Events, rooms: Rooms, hearing: Hearing, conference: Conference, terminals: Terminals
    ) -> None:
        self._store, self._events, self._rooms, self._hearing = store, events, rooms, hearing
        self._conference, self._terminals = conference, terminals
        self.posts = Postings(store, events, terminals)
        self._lines: dict[str, _Line] = {}  # by consultation
        self._turn = asyncio.Lock()
        self._tasks = Tasks("roll calls")
        before = conference.spoke

        def spoke(room: str, identity: str, speaks: bool) -> None:
            before(room, identity, speaks)
            if speaks and room in self._lines and identity == self._lines[room].held:
                self._tasks.spawn(self._hears(room, identity), "answer")

        conference.spoke = spoke

    async def start(self) -> None:
        """What goes on is taken up before workers tell who is there: until they do, nobody is heard."""
        async with self._store.reading() as reading:
            going = await records.find(reading, records.r.state == "live", records.r.consultation_id.is_not(None))
            live = {one.consultation for one in going}
            found = await consultations.find(reading, tables.consultations.c.id.in_(live))
            over = live - {one.id for one in found if one.live}
        for record in going:
            assert record.consultation is not None
            line = self._lines[record.consultation] = _Line(record, doubted=utc_ns() + FOUND)
            if record.consultation in over:
                await self._move(line, Act.END, HUB)
            else:
                self._gate(line)
        self._events.listen(self._heard)
        await self.posts.start()
        self._tasks.spawn(rounds(TICK, "roll call", self._lines, self._look), "clock")

    async def close(self) -> None:
        await self._tasks.close()
        await self.posts.close()

    # ---- seeing

    async def one(self, id: str, reader: Actor) -> RollCall:
        async with self._store.reading() as reading:
            record, leads = await self._seen(reading, await records.one(reading, id), reader)
        return records.view(record, leads=leads)

    async def listed(self, reader: Actor, *, consultation: str | None, state: str | None) -> list[RollCall]:
        """Newest first; what the reader may not see is not in it."""
        conditions = [records.r.state == state] if state else []
        if consultation:
            conditions.append(records.r.consultation_id == consultation)
        shown = []
        async with self._store.reading() as reading:
            for record in await records.find(reading, *conditions, limit=100):
                try:
                    record, leads = await self._seen(reading, record, reader)
                except NotFound:
                    continue
                shown.append(records.view(record, leads=leads))
        return shown

    async def record(self, id: str, reader: Actor) -> Record:
        async with self._store.reading() as reading:
            return (await self._seen(reading, await records.one(reading, id), reader))[0]

    async def _seen(self, reading: Reading, record: Record | None, reader: Actor) -> tuple[Record, bool]:
        """And whether the reader leads it. NotFound."""
        if record is None:
            raise NotFound("There is no such roll call.", "没有这次点名。")
        if record.consultation is None:
            return self.posts.seen(record, reader), True
        consultation = await consultations.one(reading, record.consultation)
        if consultation is None or not rules.may_see(consultation, reader) or rules.must_wait(consultation, reader):
            raise NotFound("There is no such roll call.", "没有这次点名。")
        leads = record.state == "live" and rules.may_control(consultation, reader, "lead")
        return record, leads

    # ---- leading

    async def begin(
        self,
        actor: Actor,
        consultation: str,
        kind: turns.Kind,
        people: Sequence[str],
        *,
        answer: float,
        limit: float,
        once: Once | None = None,
    ) -> RollCall:
        """``people`` in the order they are called; none is everybody who is there, by rank. Seconds; 0 is without end."""
        async with self._turn, self._store.transaction() as transaction:
            where = await self._rooms.controllable(transaction, consultation, actor, "lead")
            if made := await repeated(transaction, actor.id, once):
                return records.view(await _known(transaction, made))
            if consultation in self._lines:
                raise Conflict("There is a roll call in this consultation already.", "该会商正在点名。", code="roll_call")
            asked = await self._asked(transaction, where, actor, people) if kind == "sequence" else []
            record = Record(
                new_id(), kind, consultation, where.title, where.org_id, "", str(where.label), _member(actor), utc_ns(), 0,
                "live", str(Phase.IDLE), -1, 0, round(answer * NS), round(limit * NS), 1, tuple(asked),
            )  # fmt: skip
            await records.insert(transaction, record)
            record = await _known(transaction, record.id)
            await remember(transaction, actor.id, once, record.id)
            await records.tell(
                self._events, transaction, "rollcall.started", record, rules.inside(where), actor, range(len(asked))
            )
            await audit.record(transaction, actor, "roll.call", consultation, object=f"{kind} {len(asked)}")
        line = self._lines[consultation] = _Line(record)
        self._gate(line)
        return records.view(record)

    async def act(self, actor: Actor, id: str, rev: int, act: Act, person: str = "") -> RollCall:
        """Conflict ``stale``, NotNow with what would be possible, Conflict ``not_there``."""
        async with self._store.reading() as reading:
            record, _ = await self._seen(reading, await records.one(reading, id), actor)
            if record.consultation is not None:
                await self._rooms.controllable(reading, record.consultation, actor, "lead")
        if record.consultation is None:
            if act is not Act.END:
                raise NotNow("This can only be ended.", "只能结束点名。", allowed=["end"])
            return await self.posts.end(actor, id)
        async with self._turn:
            line = self._lines.get(record.consultation)
            if line is None or line.record.id != id:
                raise NotNow("The roll call is over.", "点名已结束。", allowed=[])
            if line.record.rev != rev:
                raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")
            if act is Act.CALL:
                await self._check_callable(record.consultation, line, person)
            await self._move(line, act, actor, person)
            return records.view(line.record)

    async def answer(self, actor: Actor, id: str) -> RollCall | None:
        """By whom it is the turn of, or somebody at a post; idempotent. Of a post only their own row is told: None."""
        async with self._store.reading() as reading:
            record = await records.one(reading, id)
        if record is not None and record.consultation is None:
            await self.posts.answer(actor, id)
            return None
        async with self._turn:
            line = self._lines.get(record.consultation or "") if record is not None else None
            if line is None or line.record.id != id or line.record.roll.find(actor.id) < 0:
                raise NotFound("There is no such roll call.", "没有这次点名。")
            if line.record.roll.called != actor.id:
                raise NotNow("It is not your turn.", "还没有轮到你。", allowed=[])
            if line.record.roll.phase is Phase.CALLED:
                await self._move(line, Act.ANSWER, actor)
            return records.view(line.record, leads=False)

    # ---- one step

    async def _move(self, line: _Line, act: Act | None, by: Actor | By, person: str = "") -> None:
        """Written, then true. ``act`` None: what has come to pass by itself."""
        record, now = line.record, utc_ns()
        room = record.consultation or ""
        there = self._there(room)
        try:
            roll = record.roll
            roll = turns.settle(roll, now, there) if act is None else turns.step(roll, act, now, there, person)
        except turns.Refused as refused:
            raise _refusal(refused.why, record) from None
        if roll == record.roll:
            return
        async with self._store.transaction() as transaction:
            added = await self._rows(transaction, [one.person for one in roll.entries[len(record.asked) :]])
            turned = record.turned(roll, added)
            if isinstance(by, Actor) and act is not Act.ANSWER:
                turned = replace(turned, led_by=_member(by))
            over = roll.phase is Phase.OVER
            turned = replace(turned, rev=record.rev + 1, state="ended" if over else "live", ended_at=now if over else 0)
            changed = await records.update(transaction, record, turned)
            where = await consultations.one(transaction, room)
            assert where is not None
            kind = "rollcall.ended" if over else "rollcall.changed"
            await records.tell(self._events, transaction, kind, turned, rules.inside(where), by, changed)
            named = turned.asked[roll.at].name if roll.at >= 0 else ""
            await audit.record(transaction, by, "roll.call", room, object=f"{act or 'time'} {named}".strip())
        line.record = turned
        self._gate(line)
        if over:
            self._lines.pop(room, None)

    def _there(self, room: str) -> set[str]:
        return {member_of(one) for one in self._present(room)}

    def _present(self, room: str) -> dict[str, int]:
        return {one.identity: one.joined_at for one in self._conference.present(room) if one.kind == "person"}

    def _gate(self, line: _Line) -> None:
        """Who is heard from now on; whoever is not any more, first. Their own pages open and close the microphone with it."""
        record = line.record
        room, roll = record.consultation or "", record.roll
        present = self._present(room)
        wanted = turns.heard(roll, [record.led_by.id], present, line.held)
        if wanted != line.open or wanted is None or line.open is None:
            if wanted is not None and line.open is not None and not wanted <= line.open:
                self._hearing.only(room, REASON, wanted & line.open)
            self._hearing.only(room, REASON, wanted)
            line.open = wanted
        held = turns.microphone(roll.called, present, line.held) if roll.called is not None else ""
        if held != line.held:
            if line.held:
                self._instruct(line, line.held, "mute")
            if held:
                self._instruct(line, held, "unmute")
            line.held = held

    def _instruct(self, line: _Line, identity: str, verb: Any) -> None:
        record = line.record
        by = {"id": record.led_by.id, "name": record.led_by.name, "org_name": record.led_by.org_name}
        data = {"what": "roll", "roll_call": record.id, "title": record.title}
        said = Instruction(new_id(), verb, record.consultation or "", room=record.consultation or "", by=by, data=data)
        self._tasks.spawn(self._tell(identity, said), verb)

    async def _tell(self, identity: str, said: Instruction) -> None:
        outcome = await self._terminals.instruct(identity, said)
        if not outcome.ok and outcome.state != "gone":
            log.info("microphone not opened by its page", outcome=outcome.state, reason=outcome.reason)

    # ---- what happens by itself

    async def _hears(self, room: str, identity: str) -> None:
        async with self._turn:
            line = self._lines.get(room)
            if line is not None and line.held == identity and line.record.roll.phase is Phase.CALLED:
                await self._move(line, Act.ANSWER, By(line.record.asked[line.record.at].name, member_of(identity)))

    def _heard(self, published: Published) -> None:
        event = published.event
        if event.subject in self._lines and event.type == "consultation.ended":
            self._tasks.spawn(self._over(event.subject), "over")

    async def _over(self, room: str) -> None:
        async with self._turn:
            if (line := self._lines.get(room)) is not None:
                await self._move(line, Act.END, HUB)

    async def _look(self, room: str) -> None:
        async with self._turn:
            if (line := self._lines.get(room)) is None:
                return
            roll = line.record.roll
            if line.doubted:
                if utc_ns() < line.doubted and roll.called not in self._there(room):
                    self._gate(line)
                    return
                line.doubted = 0
            await self._move(line, None, HUB)
            if room in self._lines:
                self._gate(line)

    # ---- whom

    async def _asked(self, reading: Reading, where: Consultation, actor: Actor, people: Sequence[str]) -> list[Asked]:
        there = self._there(where.id)
        wanted = [one for one in dict.fromkeys(people or sorted(there)) if one != actor.id]
        rows = {one.person or "": one for one in await self._rows(reading, wanted)}
        if people:
            concerned = there | {one.id for one in where.people}
            orgs = {one.id for one in where.organisations}
            for one in wanted:
                if one not in rows or not (one in concerned or rows[one].org in orgs):
                    raise Unfit("body.people", f"{one} is not in this consultation.", "点名对象不在该会商中。", code="no_person")
            return [rows[one] for one in wanted]
        ranked = await self._ranks(reading, list(rows))
        return [rows[one] for one in ranked]

    async def _ranks(self, reading: Reading, people: list[str]) -> list[str]:
        rows = await reading.all(sa.select(_p.id).where(_p.id.in_(people)).order_by(_p.level, _p.id))
        return [row.id for row in rows]

    async def _rows(self, reading: Reading, people: Iterable[str]) -> list[Asked]:
        """Of those who are people of the directory, in the order asked for."""
        wanted = list(people)
        query = sa.select(_p.id, _p.name, _p.post, _p.org_id, _o.name.label("org_name")).join_from(
            tables.people, tables.organisations, _o.id == _p.org_id
        )
        found = {row.id: row for row in (await reading.all(query.where(_p.id.in_(wanted))) if wanted else [])}
        return [
            Asked(one, None, found[one].org_id, found[one].org_name, found[one].name, found[one].post, str(turns.State.WAITING))
            for one in wanted
            if one in found
        ]

    async def _check_callable(self, room: str, line: _Line, person: str) -> None:
        if not person:
            raise Invalid("Say whom to call.", "请指定点名对象。")
        if person == line.record.led_by.id:
            raise Unfit("body.person", "Who leads the roll call is heard anyway.", "点名人自己无需点名。", code="oneself")
        if line.record.roll.find(person) < 0:
            if len(line.record.asked) >= PEOPLE:
                raise Conflict(f"There are {PEOPLE} people in it already.", f"点名最多 {PEOPLE} 人。")
            async with self._store.reading() as reading:
                if person not in self._there(room) or not await self._rows(reading, [person]):
                    raise _refusal("not_there", line.record)


def _member(actor: Actor) -> Member:
    return Member(id=actor.id, name=actor.name, org_name=actor.org_name)


async def _known(reading: Reading, id: str) -> Record:
    record = await records.one(reading, id)
    assert record is not None
    return record


def _refusal(why: str, record: Record) -> Conflict:
    if why == "not_there":
        return Conflict("They are not in the consultation.", "该人员不在会商中。", code="not_there")
    if why == "nobody":
        return Conflict("There is nobody to be called.", "没有可点名的人员。", code="nobody")
    return NotNow("This is not possible now.", "当前不能这样操作。", allowed=[str(act) for act in turns.allowed(record.roll)])
