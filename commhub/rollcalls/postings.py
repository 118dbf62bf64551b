"""Roll calls of posts: somebody at each one is asked at their terminals and answers by one press.

Whoever could not be reached is tried again while there is time: when they sign in, or sit down at the seat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import sqlalchemy as sa

from commhub import audit
from commhub.directory.resolve import resolve
from commhub.directory.seats import sittings
from commhub.errors import Forbidden, NotFound, NotNow, Unfit
from commhub.events import Audience, Events
from commhub.model import HUB, Actor, By, Label, iso, new_id, utc_ns
from commhub.rollcalls import posts, records
from commhub.rollcalls.posts import Post, Word
from commhub.rollcalls.records import NS, Asked, Record
from commhub.rollcalls.shapes import RollCall, RollQuestion
from commhub.store import Reading, Store, Transaction, tables
from commhub.store.repeats import Once, remember, repeated
from commhub.tasks import Tasks, rounds
from commhub.terminals import Instruction, Outcome, Terminal, Terminals
from commhub.views import Member

PERMISSION = "roll.post"
LIMIT = 2000  # posts in one
TICK = 0.25  # seconds
NOBODY: Mapping[int, Actor] = MappingProxyType({})
_p, _o, _s, _h, _a = tables.people.c, tables.organisations.c, tables.seats.c, tables.seat_sessions.c, tables.accounts.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to ask. Of ``organisations`` (with all below them: ``below``) those whom an invitation would reach, or their seats;
    ``posts``: only people of these posts. ``window`` and ``late`` are seconds."""

    title: str
    organisations: Sequence[str] = ()
    people: Sequence[str] = ()
    seats: Sequence[str] = ()
    of: Literal["people", "seats", "both"] = "people"
    below: bool = False
    posts: Sequence[str] = ()
    window: float = 60.0
    late: float = 600.0
    label: Label = Label.INTERNAL


@dataclass(slots=True, eq=False)
class _Press:
    index: int
    by: Actor
    written: bool = False


@dataclass(slots=True)
class _Open:
    record: Record
    pressed: list[_Press] = field(default_factory=list)  # and not yet written
    told: set[str] = field(default_factory=set)  # terminals
    words: dict[int, Word] = field(default_factory=dict)  # heard since the last look
    sitting: dict[str, str] = field(default_factory=dict)  # seat → who sits there

    def person(self, index: int) -> str | None:
        one = self.record.asked[index]
        return self.sitting.get(one.seat) if one.seat is not None else one.person


class Postings:
    def __init__(self, store: Store, events: Events, terminals: Terminals) -> None:
        self._store, self._events, self._terminals = store, events, terminals
        self._open: dict[str, _Open] = {}
        self._turn = asyncio.Lock()
        self._tasks = Tasks("posts")
        terminals.hear_late(self._late)

    async def start(self) -> None:
        async with self._store.reading() as reading:
            going = await records.find(reading, records.r.state != "ended", records.r.consultation_id.is_(None))
        for record in going:
            self._open[record.id] = _Open(record)
        self._tasks.spawn(rounds(TICK, "roll call of posts", self._open, self._look), "clock")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- seeing

    def seen(self, record: Record, reader: Actor) -> Record:
        if record.led_by.id != reader.id and not reader.may(PERMISSION, org=record.org, label=record.label):
            raise NotFound("There is no such roll call.", "没有这次点名。")
        return record

    async def questions(self, actor: Actor) -> list[RollQuestion]:
        """Those that ask them now."""
        found = []
        for open_ in list(self._open.values()):
            if open_.record.state == "live" and (index := await self._index(open_, actor)) is not None:
                one, record = open_.record.asked[index], open_.record
                question = {"id": record.id, "title": record.title, "by": record.led_by, "until": iso(record.until)}
                found.append(RollQuestion.model_validate({**question, "state": one.state}))
        return found

    # ---- asking

    async def begin(self, actor: Actor, wanted: Wanted, once: Once | None = None) -> RollCall:
        async with self._turn, self._store.transaction() as transaction:
            if made := await repeated(transaction, actor.id, once):
                known = await records.one(transaction, made)
                assert known is not None
                return records.view(known)
            if not actor.may(PERMISSION, org=actor.org, label=wanted.label):
                raise Forbidden("You may not call the roll of this grade here.", "没有发起该密级查岗的权限。")
            asked = await _posts(transaction, actor, wanted)
            now = utc_ns()
            record = Record(
                new_id(), "post", None, wanted.title, actor.org, actor.org_name, str(wanted.label),
                Member(id=actor.id, name=actor.name, org_name=actor.org_name), now, 0, "live", "idle", -1,
                now + round(wanted.window * NS), round(wanted.window * NS), round(wanted.late * NS), 1,
                tuple(replace(one, called_at=now) for one in asked),
            )  # fmt: skip
            await records.insert(transaction, record)
            await remember(transaction, actor.id, once, record.id)
            await self._say(transaction, "rollcall.started", record, actor, range(len(asked)))
            await audit.record(transaction, actor, PERMISSION, record.id, object=f"{wanted.title} {len(asked)}")
        self._open[record.id] = open_ = _Open(record)
        await self._ask(open_)
        return records.view(record)

    async def _ask(self, open_: _Open) -> None:
        """At every terminal of those who have not been told, once each."""
        record = open_.record
        left = [index for index, one in enumerate(record.asked) if one.state in (Post.ASKED, Post.REACHED)]
        if seats := [record.asked[index].seat for index in left if record.asked[index].seat is not None]:
            async with self._store.reading() as reading:
                there = await sittings(reading, _h.seat_id.in_(seats))
            open_.sitting = {seat: one.id for seat, one in there.items()}
        by = {"id": record.led_by.id, "name": record.led_by.name, "org_name": record.led_by.org_name}
        data = {"what": "roll", "roll_call": record.id, "title": record.title, "until": iso(record.until)}
        for index in left:
            for terminal in self._terminals.of(open_.person(index) or ""):
                if terminal.id not in open_.told:
                    open_.told.add(terminal.id)
                    said = Instruction(new_id(), "show", record.id, by=by, data=data)
                    self._tasks.spawn(self._tell(open_, terminal.id, said), "ask")

    async def _tell(self, open_: _Open, terminal: str, said: Instruction) -> None:
        outcome = await self._terminals.instruct(terminal, said)
        if outcome.ok:
            self._told(open_, terminal)
        elif outcome.state == "gone":
            open_.told.discard(terminal)

    def _late(self, terminal: Terminal, said: Instruction, outcome: Outcome) -> None:
        if outcome.ok and (open_ := self._open.get(said.subject)) is not None:
            self._told(open_, terminal.id)

    def _told(self, open_: _Open, terminal: str) -> None:
        person = terminal.partition(":")[0]
        for index, one in enumerate(open_.record.asked):
            if one.state == Post.ASKED and open_.person(index) == person:
                open_.words.setdefault(index, Word.TOLD)

    # ---- answering

    async def answer(self, actor: Actor, id: str) -> None:
        """NotFound when nobody asked them, NotNow when it is over. Again is nothing."""
        open_ = self._open.get(id)
        index = await self._index(open_, actor) if open_ is not None else None
        if open_ is None or index is None:
            raise NotFound("There is no such roll call.", "没有这次点名。")
        press = _Press(index, actor)
        open_.pressed.append(press)
        try:
            async with self._turn:
                if not press.written:
                    await self._take(open_, press)
        finally:
            if press in open_.pressed:
                open_.pressed.remove(press)
        for terminal in self._terminals.of(actor.id):
            self._terminals.tell(terminal.id, {"type": "roll", "id": id, "state": open_.record.asked[index].state})

    async def _take(self, open_: _Open, mine: _Press) -> None:
        """A hundred press at once: whoever comes first writes down all who wait, in one transaction. When it fails they try again
        one by one, each for themselves."""
        record, now = open_.record, utc_ns()
        if record.state == "ended":
            raise NotNow("The roll call is over.", "点名已结束。", allowed=[])
        pressed = list(open_.pressed) if mine in open_.pressed else [mine]
        open_.pressed.clear()
        word = posts.pressed(now, record.created_at + record.answer)
        by = {one.index: one.by for one in pressed}
        await self._change(open_, dict.fromkeys(by, word), pressed[0].by if len(by) == 1 else HUB, now, pressed=by)
        for one in pressed:
            one.written = True

    async def _index(self, open_: _Open, actor: Actor) -> int | None:
        """Their own post, or the one whose seat they sit at."""
        asked = open_.record.asked
        for index, one in enumerate(asked):
            if one.seat is None and one.person == actor.id:
                return index
        async with self._store.reading() as reading:
            seats = {one.seat: index for index, one in enumerate(asked) if one.seat is not None}
            there = await sittings(reading, _h.person_id == actor.id) if seats else {}
        return next((seats[seat] for seat in there if seat in seats), None)

    async def end(self, actor: Actor, id: str) -> RollCall:
        async with self._turn:
            open_ = self._open.get(id)
            if open_ is None:
                raise NotNow("The roll call is over.", "点名已结束。", allowed=[])
            await self._end(open_, actor)
            return records.view(open_.record)

    # ---- what happens by itself

    async def _look(self, id: str) -> None:
        async with self._turn:
            if (open_ := self._open.get(id)) is None:
                return
            now = utc_ns()
            words, open_.words = open_.words, {}
            if words:
                await self._change(open_, words, HUB, now)
            if open_.record.state == "live" and now < open_.record.until:
                await self._ask(open_)
            elif open_.record.state == "live":
                await self._over(open_, now)
            elif now >= open_.record.until:
                await self._end(open_, HUB)

    async def _over(self, open_: _Open, now: int) -> None:
        words = dict.fromkeys(range(len(open_.record.asked)), Word.OVER)
        late = open_.record.limit
        if not late:
            await self._end(open_, HUB)
            return
        until = open_.record.created_at + open_.record.answer + late
        await self._change(open_, words, HUB, now, state="closed", until=until)

    async def _end(self, open_: _Open, by: Actor | By) -> None:
        words = dict.fromkeys(range(len(open_.record.asked)), Word.OVER) if open_.record.state == "live" else {}
        await self._change(open_, words, by, utc_ns(), state="ended", until=0)
        self._open.pop(open_.record.id, None)

    async def _change(
        self,
        open_: _Open,
        words: dict[int, Word],
        by: Actor | By,
        now: int,
        *,
        pressed: Mapping[int, Actor] = NOBODY,
        **head: str | int,
    ) -> None:
        """Written, then true. ``pressed``: whose words these are; ``head``: columns of the roll call itself."""
        record, asked = open_.record, list(open_.record.asked)
        for index, word in words.items():
            state = posts.after(Post(asked[index].state), word)
            if state == asked[index].state:
                continue
            times = {"answered_at": now} if word in (Word.PRESSED, Word.PRESSED_LATE) else {}
            one = pressed.get(index)
            who = {"name": one.name, "person": one.id} if times and asked[index].seat and one is not None else {}
            asked[index] = replace(asked[index], state=str(state), **times, **who)  # type: ignore[arg-type]
        if not head and tuple(asked) == record.asked:
            return
        over = head.get("state") == "ended"
        turned = replace(record, asked=tuple(asked), rev=record.rev + 1, ended_at=now if over else 0, **head)  # type: ignore[arg-type]
        async with self._store.transaction() as transaction:
            changed = await records.update(transaction, record, turned)
            await self._say(transaction, "rollcall.ended" if over else "rollcall.changed", turned, by, changed)
            for index in changed:
                if (one := pressed.get(index)) is not None:
                    await audit.record(transaction, one, "roll.answer", record.id, object=asked[index].state)
            if head:
                await audit.record(transaction, by, PERMISSION, record.id, object="end" if over else "closed")
        open_.record = turned

    async def _say(self, transaction: Transaction, type: str, record: Record, by: Actor | By, changed: Sequence[int]) -> None:
        await records.tell(self._events, transaction, type, record, Audience([record.led_by.id]), by, changed)


async def _posts(reading: Reading, actor: Actor, wanted: Wanted) -> list[Asked]:
    """Unfit names what cannot be asked; what the actor does not reach is answered as what is not there."""
    orgs = _reached(actor, "body.organisations", wanted.organisations, {one: one for one in wanted.organisations})
    if wanted.below:
        orgs = list(dict.fromkeys(below for one in orgs for below in (one, *sorted(actor.tree.below(one)))))
    owners = {row.id: row.org_id for row in await reading.all(sa.select(_p.id, _p.org_id).where(_p.id.in_(list(wanted.people))))}
    people = _reached(actor, "body.people", wanted.people, owners)
    owners = {row.id: row.org_id for row in await reading.all(sa.select(_s.id, _s.org_id).where(_s.id.in_(list(wanted.seats))))}
    seats = _reached(actor, "body.seats", wanted.seats, owners)
    if wanted.of in ("seats", "both") and orgs:
        query = sa.select(_s.id).where(sa.or_(_s.org_id.in_(orgs), _s.serves_id.in_(orgs))).order_by(_s.position, _s.id)
        seats = list(dict.fromkeys([*seats, *(row.id for row in await reading.all(query))]))
    found = await resolve(reading, orgs if wanted.of in ("people", "both") else (), people, seats)
    asked: dict[str, Asked] = {}
    names = await _names(reading, [one.person_id for one in found.targets if one.person_id], seats)
    served = [one.seat_id for one in found.targets if one.seat_id and one.seat_id not in names]
    names |= await _names(reading, [], served)
    for one in found.targets:
        key = one.seat_id or one.person_id or one.endpoint_id or ""
        name, post = names.get(one.seat_id or one.person_id or "", ("", ""))
        if one.seat_id is None and wanted.posts and post not in wanted.posts:
            continue
        person = None if one.seat_id else one.person_id
        asked.setdefault(key, Asked(person, one.seat_id, one.org.id, one.org.name, name, post, str(Post.ASKED)))
    if not asked:
        raise Unfit("body.organisations", "There is nobody to be asked.", "没有可查的岗位。", code="nobody")
    if len(asked) > LIMIT:
        raise Unfit("body.organisations", f"More than {LIMIT} posts.", f"一次查岗最多 {LIMIT} 个岗位。", code="too_many")
    return list(asked.values())


def _reached(actor: Actor, field_: str, wanted: Sequence[str], orgs: dict[str, str]) -> list[str]:
    for one in wanted:
        if one not in orgs or not actor.may(PERMISSION, org=orgs[one]):
            raise Unfit(field_, f"There is no {one} that you may ask.", "没有可查岗的对象，或不在管辖范围内。", code="unknown")
    return list(dict.fromkeys(wanted))


async def _names(reading: Reading, people: Sequence[str], seats: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Id → name and post. A seat's post is its name; who sits there says who they are by answering."""
    rows = await reading.all(sa.select(_p.id, _p.name, _p.post).where(_p.id.in_(list(people)))) if people else []
    found = {row.id: (row.name, row.post) for row in rows}
    rows = await reading.all(sa.select(_s.id, _s.name).where(_s.id.in_(list(seats)))) if seats else []
    return found | {row.id: ("", row.name) for row in rows}
