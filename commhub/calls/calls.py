"""Calls as they are kept and carried out: what people ask becomes a step of the machine, one transaction, and then word to
terminals and rooms.

The live calls are in memory and in the database; a restarted hub takes them up (:meth:`Calls.start`), finds who is still in
their rooms, and ends what is not there any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.auth import Auth
from commhub.calls import asked, board, machine, records, shapes
from commhub.calls.asked import Asked
from commhub.calls.board import Candidate
from commhub.calls.effects import effects, kind_of
from commhub.calls.lodging import Lodging
from commhub.calls.machine import Call, End, Kind, Leg, NotAllowed, Party
from commhub.calls.ringing import Ringing
from commhub.calls.shapes import CallJoining, CallView
from commhub.conference import Conference
from commhub.errors import Conflict, Forbidden, HubError, NotFound, NotNow
from commhub.events import Audience, Events
from commhub.model import HUB, Actor, By, new_id
from commhub.rooms import Hearing, InternalKey
from commhub.store import Store, Transaction, tables
from commhub.store.repeats import Once, remember, repeated
from commhub.tasks import Tasks
from commhub.terminals import Outcome, Terminals
from commhub.views import Page

log = logs.get(__name__)

SECOND = 1_000_000_000
#: Written in the transaction of a change: the changed calls as they were (None: new) and are.
Also = Callable[[Transaction, Mapping[str, Call | None], Mapping[str, Call]], Awaitable[None]]
TICK = 0.2  # seconds
COME_SECONDS = 15  # until who has answered must be in the room
ORDINARY = 3  # the highest priority that needs no right of its own
PARTIES_LIMIT = 50  # of one call


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for with a new call. ``terminal`` is where he is himself."""

    to: Sequence[Asked]
    terminal: str
    kind: Kind = "point"
    priority: int = ORDINARY
    emergency: bool = False
    video: bool = True


def steady_ns() -> Callable[[], int]:
    """UTC ns that never jump."""
    start = time.time_ns() - time.monotonic_ns()
    return lambda: start + time.monotonic_ns()


class Calls:
    """``ring_seconds``: until nobody has answered. ``recall_seconds``: how long a blind transfer that nobody answers rings at who
    transferred; 0: not at all. ``clock`` is UTC ns that do not jump."""

    def __init__(
        self,
        store: Store,
        auth: Auth,
        events: Events,
        conference: Conference,
        hearing: Hearing,
        terminals: Terminals,
        key: InternalKey,
        *,
        ring_seconds: float = 45.0,
        recall_seconds: float = 30.0,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._store, self._auth, self._events, self._terminals = store, auth, events, terminals
        self._conference, self._key, self._now = conference, key, clock or steady_ns()
        self._ring_ns, self._recall_ns = int(ring_seconds * SECOND), int(recall_seconds * SECOND)
        self._calls: dict[str, Call] = {}
        self._turn = asyncio.Lock()  # one change after another
        self._tasks = Tasks("calls")
        self._ringing = Ringing(conference, hearing, terminals, key, auth.actor, self._rung)
        self.beside: Also = _nothing  # for changes that bring nothing of their own: who else records them
        self.lodging = Lodging(store, auth, conference, terminals, key, self._ringing, self)

    @property
    def live(self) -> Mapping[str, Call]:
        return self._calls

    def now(self) -> int:
        return self._now()

    @property
    def ring_ns(self) -> int:
        return self._ring_ns

    async def start(self) -> None:
        """Before the live side starts: calls of before go on."""
        async with self._store.reading() as reading:
            found = await records.find(reading, tables.calls.c.state != "ended", limit=10_000)
        for call in found:
            self._calls[call.id] = call
        await self.lodging.take_up()
        self._tasks.spawn(self._clock(), "clock")

    async def close(self) -> None:
        await self._tasks.close()
        await self._ringing.close()

    # ---- seeing

    async def find(self, call: str, reader: Actor) -> CallView:
        return await self.view(await self._visible(call, reader), reader)

    async def view(self, call: Call, reader: Actor) -> CallView:
        async with self._store.reading() as reading:
            names = await records.names(reading, call.people())
        return shapes.view(call, names, reader)

    async def listed(
        self, reader: Actor, *, mine: bool = False, state: str | None = None, before: str | None = None, limit: int = 50
    ) -> Page[CallView]:
        c = tables.calls.c
        conditions = [records.of_person(reader) if mine else records.visible_to(reader)]
        if state == "live":
            conditions.append(c.state != "ended")
        elif state is not None:
            conditions.append(c.state == state)
        if before:
            conditions.append(c.id < before)
        async with self._store.reading() as reading:
            found = await records.find(reading, *conditions, limit=limit + 1)
            people = {person for call in found for person in call.people()}
            names = await records.names(reading, sorted(people))
        items = [shapes.view(self._calls.get(call.id, call), names, reader) for call in found[:limit]]
        return Page(items=items, next=items[-1].id if len(found) > limit else None)

    async def _visible(self, call: str, reader: Actor) -> Call:
        """NotFound for what the reader may not see, too."""
        found = self._calls.get(call)
        if found is None:
            async with self._store.reading() as reading:
                found = await records.one(reading, call)
        if found is None or not records.visible(found, reader):
            raise NotFound("There is no such call.", "没有这个通话。")
        return found

    # ---- what people do

    async def create(self, actor: Actor, wish: Wish, once: Once | None = None, before: str = "") -> CallView:
        if wish.emergency and not actor.may("call.emergency"):
            raise Forbidden("You may not make emergency calls.", "没有发起紧急呼叫的权限。")
        if wish.priority > ORDINARY and not actor.may("call.priority"):
            raise Forbidden(f"Your calls have a priority of {ORDINARY} at most.", f"你的呼叫优先级最高为 {ORDINARY}。")
        async with self._store.reading() as reading:
            parties, candidates = await asked.resolve(reading, self._terminals, actor, wish.to)
        async with self._turn:
            async with self._store.reading() as reading:
                made = await repeated(reading, actor.id, once)
            if made is not None:
                return await self.find(made, actor)
            now, id = self._now(), new_id()
            call = Call(
                id, wish.kind if len(parties) == 1 else "conference", actor.id, actor.org, now, wish.priority, wish.emergency,
                wish.video, before=before, parties=(Party("caller", actor.id, actor.name),),
            )  # fmt: skip
            caller = Leg(new_id(), 0, actor.id, wish.terminal, deadline=now + COME_SECONDS * SECOND)
            changed = board.start(self._calls, call, caller, now)
            changed |= self._invited({**self._calls, **changed}, changed[id], parties, candidates, now)
            told = ", ".join(party.name for party in parties)
            before_all, after = await self._commit(changed, actor, "call.make", id, told, once=once)
        await self._tell(before_all, after)
        return await self.view(after[id], actor)

    def _invited(
        self, calls: Mapping[str, Call], call: Call, parties: Sequence[Party], candidates: Sequence[Candidate], now: int
    ) -> dict[str, Call]:
        legs, others = board.legs(calls, call, candidates, now + self._ring_ns, now)
        if len(call.parties) + len(parties) > PARTIES_LIMIT + 1:
            raise Conflict(f"A call has {PARTIES_LIMIT} parties at most.", f"一个通话最多 {PARTIES_LIMIT} 方。")
        return {**others, call.id: machine.invite(call, parties, legs, now)}

    async def act(self, verb: shapes.Verb, call: str, actor: Actor, terminal: str | None, rev: int | None = None) -> CallView:
        """answer, decline, hangup, hold, resume. NotNow, Conflict ``stale``, NotFound. Without a ``terminal`` it is the one at
        which he is in it."""

        def step(now: int) -> dict[str, Call]:
            this = self._calls[call]
            leg = machine.require(this, self._own(this, actor, terminal, verb), verb)
            match verb:
                case "answer":
                    return board.answer(self._calls, call, leg.id, now, now + COME_SECONDS * SECOND)
                case "decline":
                    return {call: machine.decline(this, leg.id, now)}
                case "hold":
                    return {call: machine.hold(this, leg.id, now)}
                case "resume":
                    return board.resume(self._calls, call, leg.id, now)
                case _:
                    return {call: machine.hang_up(this, leg.id, now)}

        return await self._step(verb, call, actor, step, rev)

    def _own(self, call: Call, actor: Actor, terminal: str | None, verb: str) -> Leg | None:
        if terminal is not None and (there := call.at(terminal)) is not None and there.person == actor.id:
            return there
        mine = [leg for leg in call.legs if leg.live and leg.person == actor.id]
        if terminal is not None and mine:  # he is in it, but not here
            raise NotAllowed(verb, [])
        return mine[0] if mine else None

    async def add(self, call: str, actor: Actor, terminal: str | None, to: Sequence[Asked], rev: int | None = None) -> CallView:
        """NotNow."""
        await self._visible(call, actor)
        async with self._store.reading() as reading:
            parties, candidates = await asked.resolve(reading, self._terminals, actor, to)

        def step(now: int) -> dict[str, Call]:
            this = self._calls[call]
            leg = machine.require(this, self._own(this, actor, terminal, "add"), "add")
            legs, others = board.legs(self._calls, this, candidates, now + self._ring_ns, now)
            if not legs:
                raise Conflict("They are in this call already.", "对方已在通话中。", code="already")
            if len(this.parties) + len(parties) > PARTIES_LIMIT + 1:
                raise Conflict(f"A call has {PARTIES_LIMIT} parties at most.", f"一个通话最多 {PARTIES_LIMIT} 方。")
            return {**others, call: machine.add(this, leg.id, parties, legs, now)}

        return await self._step("add", call, actor, step, rev, ", ".join(party.name for party in parties))

    async def transfer(self, call: str, actor: Actor, terminal: str | None, to: Asked, rev: int | None = None) -> CallView:
        """Blind. Conflict ``not_reached`` when nothing rings there: nobody is left waiting for nobody."""
        await self._visible(call, actor)
        async with self._store.reading() as reading:
            parties, candidates = await asked.resolve(reading, self._terminals, actor, [to])

        def step(now: int) -> dict[str, Call]:
            this = self._calls[call]
            leg = machine.require(this, self._own(this, actor, terminal, "transfer"), "transfer")
            legs, others = board.legs(self._calls, this, candidates, now + self._ring_ns, now)
            if not any(one.end is None for one in legs):
                why = legs[0].end.value if legs and legs[0].end else "already"
                raise Conflict(f"Nothing rings there ({why}).", f"无法转接：对方未振铃（{why}）。", code="not_reached")
            recall = machine.Recall(leg.id, new_id(), self._recall_ns) if self._recall_ns else None
            return {**others, call: machine.transfer(this, leg.id, parties, legs, now, recall)}

        return await self._step("transfer", call, actor, step, rev, parties[0].name)

    async def connect(self, call: str, actor: Actor, terminal: str | None, consulted: str, rev: int | None = None) -> CallView:
        """Attended transfer: whom he talks to in ``consulted`` goes on in ``call``, and he goes from both."""
        await self._visible(call, actor)
        await self._visible(consulted, actor)

        def step(now: int) -> dict[str, Call]:
            this, other = self._calls[call], self._calls.get(consulted)
            leg = machine.require(this, self._own(this, actor, terminal, "transfer"), "transfer")
            if other is None:
                raise NotAllowed("transfer", machine.allowed(this, leg))
            return board.connect(self._calls, call, leg.id, other.id, now, now + COME_SECONDS * SECOND, new_id())

        return await self._step("transfer", call, actor, step, rev, consulted)

    async def redial(self, call: str, actor: Actor, terminal: str, once: Once | None = None) -> CallView:
        """A new call to whom this one was with."""
        old = await self._visible(call, actor)
        if old.live or not records.concerns(old, actor):
            mine = next((leg for leg in old.legs if leg.live and leg.person == actor.id), None)
            raise _not_now(NotAllowed("redial", machine.allowed(old, mine) if old.live else []))
        to = [Asked("person", old.created_by)]
        if old.created_by == actor.id:
            to = [Asked(party.kind, party.id) for party in old.parties[1:]]
        priority = min(old.priority, 9 if actor.may("call.priority") else ORDINARY)
        return await self.create(actor, Wish(to, terminal, old.kind, priority, video=old.video), once, before=old.id)

    async def join(self, call: str, actor: Actor, terminal: str, origin: str) -> CallJoining:
        """A ticket for who is in the call at this terminal."""
        this = await self._visible(call, actor)
        try:
            leg = machine.require(this, self._own(this, actor, terminal, "join"), "join")
        except NotAllowed as refused:
            raise _not_now(refused) from None
        await self._conference.open(call, key=self._key.name)
        token = self._ringing.ticket(this, actor, leg.terminal)
        return CallJoining(url=origin, token=token, room=call, identity=leg.terminal)

    # ---- steps

    async def _step(
        self,
        verb: str,
        call: str,
        actor: Actor,
        step: Callable[[int], dict[str, Call]],
        rev: int | None,
        about: str = "",
    ) -> CallView:
        await self._visible(call, actor)
        async with self._turn:
            this = self._calls.get(call)
            if rev is not None and rev != (this or await self._visible(call, actor)).rev:
                raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")
            try:
                if this is None:
                    raise NotAllowed(verb, ["redial"])
                changed = step(self._now())
            except NotAllowed as refused:
                raise _not_now(refused) from None
            before, after = await self._commit(changed, actor, f"call.{verb}", call, about)
        await self._tell(before, after)
        return await self.view(after[call], actor)

    async def force(
        self,
        actor: Actor,
        action: str,
        step: Callable[[Mapping[str, Call], int], tuple[str, dict[str, Call]]],
        why: str,
        also: Also,
    ) -> Call:
        """What somebody forces on calls, by a ``step`` of :mod:`commhub.calls.forced` that names the call it is about; who may is
        asked elsewhere. ``also`` is written in the same transaction. The call as it is then. NotNow."""
        async with self._turn:
            try:
                call, changed = step(self._calls, self._now())
            except NotAllowed as refused:
                raise _not_now(refused) from None
            before, after = await self._commit(changed, actor, action, call, why, also=also)
        await self._tell(before, after)
        return after[call]

    async def change(self, call: str, step: Callable[[Call, int], Call], by: Actor | By = HUB, why: str = "") -> None:
        """What happens without anybody asking: nothing when it changes nothing, or the call is over."""
        async with self._turn:
            this = self._calls.get(call)
            if this is None or (after := step(this, self._now())) == this:
                return
            if _quiet(this, after):
                self._calls[call] = after
                return
            action = "" if after.live else "call.end"
            before, kept = await self._commit({call: after}, by, action, call, why or (after.end or ""))
        await self._tell(before, kept)

    async def _commit(
        self,
        changed: Mapping[str, Call],
        by: Actor | By,
        action: str,
        subject: str,
        about: str = "",
        *,
        once: Once | None = None,
        also: Also | None = None,
    ) -> tuple[dict[str, Call], dict[str, Call]]:
        """All of it in one transaction, then in memory: the calls as they were, and are. When it fails, nothing has happened."""
        before = {id: self._calls.get(id) for id in changed}
        after, recalling = dict[str, Call](), list[str]()
        for id, call in changed.items():
            was = before[id]
            call, rings = board.recalling(self._calls, was, call)
            after[id] = replace(call, rev=was.rev + 1 if was is not None else 1)
            recalling += [id] if rings else []
        async with self._store.transaction() as transaction:
            people = sorted({person for call in after.values() for person in call.people()})
            names = await records.names(transaction, people)
            for id, call in after.items():
                await records.save(transaction, before[id], call)
                await self._emit(transaction, before[id], call, by, names)
                if id != subject:
                    other = "call.preempt" if call.end is End.PREEMPTED or _preempted(before[id], call) else "call.hold"
                    await audit.record(transaction, by, other, id, object=subject)
            if action:
                await audit.record(transaction, by, action, subject, object=about)
            for id in recalling:
                await audit.record(transaction, HUB, "call.recall", id)
            if once is not None and isinstance(by, Actor):
                await remember(transaction, by.id, once, subject)
            await (also or self.beside)(transaction, before, after)
        for id, call in after.items():
            self._calls[id] = call
            if not call.live:
                del self._calls[id]
        return {id: was for id, was in before.items() if was is not None}, after

    async def _emit(self, transaction: Transaction, before: Call | None, call: Call, by: Actor | By, names: shapes.Names) -> None:
        await self._events.emit(
            transaction,
            kind_of(before, call),
            subject=call.id,
            org=call.org,
            label=call.label,
            rev=call.rev,
            by=by,
            audience=Audience(call.people()),
            data={"call": shapes.news(call, names).model_dump(mode="json")},
        )

    async def _tell(self, before: Mapping[str, Call], after: Mapping[str, Call]) -> None:
        """Others first: what an emergency ends is silent before it rings."""
        async with self._store.reading() as reading:
            people = sorted({person for call in after.values() for person in call.people()})
            names = await records.names(reading, people)
        for id in sorted(after, key=lambda id: id not in before):
            call = after[id]
            if id not in before and call.live:
                await self._conference.open(id, key=self._key.name)
            news: dict[str, Any] = shapes.news(call, names).model_dump(mode="json")
            try:
                await self._ringing.carry_out(call, effects(before.get(id), call), news, partial(self._latest, call))
            except HubError as error:
                log.warning("call not carried out", call=id, reason=error.message)

    def _latest(self, call: Call) -> Call:
        return self._calls.get(call.id, call)

    async def _rung(self, call: str, leg: Leg, outcome: Outcome) -> None:
        """What a terminal said to a ring."""
        match outcome.state:
            case "acknowledged":
                await self.change(call, lambda this, now: machine.alert(this, leg.id, now))
            case "silent":
                await self.change(call, lambda this, now: machine.silence(this, leg.id))
            case "gone":
                await self._gave_up(call, leg, End.UNREACHABLE)
            case "refused":
                known = {"busy": End.BUSY, "dnd": End.DND, "unsupported": End.UNREACHABLE}
                await self._gave_up(call, leg, known.get(outcome.reason, End.DECLINED))

    async def _gave_up(self, call: str, leg: Leg, why: End) -> None:
        def step(this: Call, now: int) -> Call:
            pending = any(one.id == leg.id and one.pending for one in this.legs)
            return machine.end_leg(this, leg.id, why, now, leg.person) if pending else this

        await self.change(call, step)

    # ---- time

    async def _clock(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.lodging.look()
                now = self._now()
                for call in [call for call in self._calls.values() if 0 < call.deadline <= now]:
                    await self.change(call.id, machine.tick)
            except (SQLAlchemyError, HubError):
                log.exception("calls not seen to")


async def _nothing(*_: object) -> None:
    pass


def _quiet(before: Call, after: Call) -> bool:
    """Only where clients are: no record, no event."""
    return len(before.legs) == len(after.legs) and all(
        replace(was, deadline=0, overdue=leg.overdue) == replace(leg, deadline=0)
        for was, leg in zip(before.legs, after.legs, strict=True)
    )


def _preempted(before: Call | None, after: Call) -> bool:
    was = {leg.id for leg in before.legs if leg.live} if before is not None else set()
    return any(leg.id in was and leg.end is End.PREEMPTED for leg in after.legs)


def _not_now(refused: NotAllowed) -> NotNow:
    would = "、".join(refused.allowed) or "无"
    return NotNow(
        f"This is not possible now; possible: {', '.join(refused.allowed) or 'nothing'}.",
        f"当前状态不能这样操作；可用：{would}。",
        allowed=refused.allowed,
    )
