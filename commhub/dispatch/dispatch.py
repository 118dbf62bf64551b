"""Forced verbs, done: judged by the policy, written with their audit row and event in one transaction, told to whom it concerns.

What changes a call goes through :mod:`commhub.calls`, what changes a consultation through :mod:`commhub.rooms`; both write the
act in their own transaction, so that neither happens without the other. The policy is asked twice: before anything is tried,
and in that transaction, of the line as it is then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from commhub.auth import Auth
from commhub.calls import Calls, asked, forced
from commhub.calls.asked import Asked
from commhub.calls.calls import COME_SECONDS, ORDINARY, SECOND
from commhub.calls.machine import Call, End, Leg, NotAllowed, Party
from commhub.calls.records import names as names_of
from commhub.conference import Conference
from commhub.dispatch import policy, records
from commhub.dispatch.judging import Aim, Found, Judge
from commhub.dispatch.lines import Line, Lines, of_call
from commhub.dispatch.listening import Listening, replaces
from commhub.dispatch.policy import Decision, Verb
from commhub.dispatch.records import Act
from commhub.dispatch.shapes import ActView, AllowedVerb, AllowedVerbs, DispatchDone, DispatchJoining, LineView
from commhub.errors import Busy, Conflict, Forbidden, HubError, NotFound
from commhub.events import Events
from commhub.groups import Groups
from commhub.groups.forced import Force as GroupForce
from commhub.model import HUB, Actor, By, new_id, utc_ns
from commhub.rooms import Hearing, InternalKey, Rooms
from commhub.rooms.forced import Force
from commhub.store import Reading, Store, Transaction
from commhub.store.repeats import Once, remember, repeated
from commhub.tasks import Tasks
from commhub.terminals import Instruction, Terminals

Names = Mapping[str, tuple[str, str]]
ACTS_LIMIT: Final = 8  # that one person has running at once
ENTRY_NS: Final = 24 * 3600 * SECOND  # for so long who was forced into a consultation may come back into it
EMERGENCY_REASON: Final = "紧急呼叫"
STATE_CODES: Final = frozenset({"no_line", "tie", "own_line", "host", "emergency"})


@dataclass(frozen=True, slots=True)
class Order:
    """``terminal`` is the actor's, as rooms name it. ``priority``, ``emergency`` and ``video``: of a call that pre-empts.
    ``only``: the call of a group is released for the target alone."""

    verb: Verb
    aim: Aim
    terminal: str
    reason: str
    silent: bool = False
    grounds: str = ""
    priority: int = 9
    emergency: bool = False
    video: bool = False
    only: bool = False


class Dispatch:
    def __init__(
        self,
        store: Store,
        auth: Auth,
        events: Events,
        conference: Conference,
        hearing: Hearing,
        key: InternalKey,
        terminals: Terminals,
        calls: Calls,
        rooms: Rooms,
        groups: Groups,
    ) -> None:
        self._store, self._auth, self._events, self._terminals, self._calls, self._rooms = (
            store,
            auth,
            events,
            terminals,
            calls,
            rooms,
        )
        self._lines = Lines(calls, conference, groups)
        self._judge = Judge(self._lines, calls)
        self._force, self._groups, self._on_groups = Force(store, rooms), groups, GroupForce(store, conference, groups)
        self.listening = Listening(store, auth, events, conference, hearing, key, self._lines)
        self._entries: set[tuple[str, str]] = set()  # consultation, person
        self._beginning = asyncio.Lock()
        self._tasks = Tasks("dispatch")
        calls.beside = self._beside
        calls.lodging.guests = self.listening.knows
        rooms.forced = lambda consultation, person: (consultation, person) in self._entries

    async def start(self) -> None:
        """Before workers tell who is there."""
        async with self._store.reading() as reading:
            found = await records.entries(reading, utc_ns() - ENTRY_NS)
            forced = {
                room: await records.on_group(reading, room, line.record.live_since)
                for room, line in self._groups.live.lines.items()
            }
        self._entries = {(act.line, act.actor) for act in found}
        for room, acts in forced.items():
            await self._take_up(room, acts)
        await self.listening.start()

    async def _take_up(self, room: str, acts: list[Act]) -> None:
        """Who was forced into and out of the call of a group before this hub began."""
        for act in acts:
            actor = await self._auth.actor(act.actor)
            for line in self._groups.together(self._groups.live.lines[room]):
                if act.verb is not Verb.BARGE:
                    self._on_groups.shut_out(line, act.target)
                elif actor is not None and line.room == room:
                    self._on_groups.receive(line, actor)

    async def close(self) -> None:
        await self._tasks.close()
        await self.listening.close()

    # ---- what may be done

    async def allowed(self, actor: Actor, aim: Aim, english: bool) -> AllowedVerbs:
        async with self._store.reading() as reading:
            found = await self._judge.look(reading, actor, aim)
            names = await names_of(reading, [aim.person, *found.people])
        verbs = [self._allowed(actor, found, verb, english, names) for verb in Verb]
        # An emergency alone opens no window on other people's lines: who is on them is told when it is done.
        inside = any(bool(verb.told) or verb.code in STATE_CODES for verb in verbs)
        line = found.line if inside else None
        return AllowedVerbs(line=_line_view(line, names) if line is not None else None, verbs=verbs)

    def _allowed(
        self, actor: Actor, found: Found, verb: Verb, english: bool, names: Mapping[str, tuple[str, str]]
    ) -> AllowedVerb:
        rule = policy.POLICY[verb]
        decision = self._decide(actor, found, verb)
        emergency = False
        if verb is Verb.PREEMPT and actor.may(policy.EMERGENCY_PERMISSION):
            emergency = self._judge.decide(actor, found, verb, emergency=True).allowed
        allowed = decision.allowed or emergency
        label = found.line.label if found.line is not None else "public"
        told = [one for one in found.people if one != actor.id] if decision.allowed else []
        return AllowedVerb(
            verb=verb.value,
            allowed=allowed,
            code="" if allowed else decision.code,
            text=None if allowed else policy.SENTENCES[decision.code][0 if english else 1],
            told=[records.member(person, names) for person in told],
            silent=allowed and bool(rule.silent) and actor.may(rule.silent, org=found.org, label=label),
            emergency=emergency,
        )

    def _decide(self, actor: Actor, found: Found, verb: Verb) -> Decision:
        """Without the words of an order: pre-empting with the highest priority there is."""
        decision = self._judge.decide(actor, found, verb)
        if decision.allowed and verb is Verb.PREEMPT and found.line is not None:
            highest = 9 if actor.may("call.priority") else ORDINARY
            if not policy.frees((False, highest), [found.line.rank]):
                return Decision("tie")
        return decision

    async def listed(self, reader: Actor) -> list[ActView]:
        async with self._store.reading() as reading:
            return await records.views(reading, self.listening.concerning(reader.id))

    # ---- doing it

    async def force(self, actor: Actor, order: Order, origin: str, once: Once | None = None) -> DispatchDone:
        """Forbidden with the policy's code, Conflict where the line does not allow it now, NotFound."""
        async with self._store.reading() as reading:
            made = await repeated(reading, actor.id, once)
            if made is not None:
                return await self._again(reading, actor, made, origin)
            found = await self._check(reading, actor, order)
        assert found.line is not None
        act = self._act(actor, order, found)
        if policy.POLICY[order.verb].runs:
            return await self._listen(actor, order, act, origin, once)
        if order.verb is Verb.PREEMPT:
            return await self._preempt(actor, order, act, found, once)
        if found.line.kind == "consultation":
            return await self._consult(actor, order, act, once)
        if found.line.kind == "group":
            return await self._on_group(actor, order, act, once)
        return await self._on_call(actor, order, act, once)

    async def _check(self, reading: Reading, actor: Actor, order: Order) -> Found:
        if order.emergency and not actor.may(policy.EMERGENCY_PERMISSION):
            raise Forbidden("You may not make emergency calls.", "没有发起紧急呼叫的权限。")
        found = await self._judge.look(reading, actor, order.aim)
        decision = self._judge.decide(
            actor, found, order.verb, emergency=order.emergency, silent=order.silent, grounds=order.grounds
        )
        if not decision.allowed:
            raise _refused(decision.code)
        if order.only and found.line is not None and found.line.kind != "group":
            raise _refused("line_kind")
        if order.verb is Verb.PREEMPT and found.line is not None:
            if order.priority > ORDINARY and not order.emergency and not actor.may("call.priority"):
                raise Forbidden(f"Your calls have a priority of {ORDINARY} at most.", f"你的呼叫优先级最高为 {ORDINARY}。")
            if not policy.frees((order.emergency, order.priority), [found.line.rank]):
                raise _refused("tie")
        return found

    def _act(self, actor: Actor, order: Order, found: Found) -> Act:
        assert found.line is not None
        line, now = found.line, utc_ns()
        told = tuple(person for person in line.people if person != actor.id) if not order.silent else ()
        runs = policy.POLICY[order.verb].runs
        return Act(
            new_id(), order.verb, line.kind, line.id, line.title, actor.id, order.aim.person, line.org, line.label, order.reason,
            told, order.silent, order.grounds if order.silent else "", now, 0 if runs else now,
            "" if runs else records.PUT_OUT if order.only else records.DONE,
        )  # fmt: skip

    async def _again(self, reading: Reading, actor: Actor, made: str, origin: str) -> DispatchDone:
        act = self.listening.get(made) or await records.one(reading, made)
        if act is None:
            raise NotFound("This was never done.", "没有这项操作。")
        running = self.listening.get(made) is not None
        joining = self._joining(act, actor, origin) if running else None
        return DispatchDone(act=(await records.views(reading, [act]))[0], joining=joining)

    async def _done(
        self, act: Act, *, joining: DispatchJoining | None = None, call: Call | None = None, reader: Actor
    ) -> DispatchDone:
        async with self._store.reading() as reading:
            (view,) = await records.views(reading, [act])
        return DispatchDone(act=view, joining=joining, call=await self._calls.view(call, reader) if call is not None else None)

    def _joining(self, act: Act, actor: Actor, origin: str) -> DispatchJoining:
        token = self.listening.ticket(act, actor)
        return DispatchJoining(url=origin, token=token, room=act.line, identity=act.identity)

    # ---- monitor, whisper

    async def _listen(self, actor: Actor, order: Order, act: Act, origin: str, once: Once | None) -> DispatchDone:
        async with self._beginning:
            mine = self.listening.of(actor.id)
            over = replaces(mine, act.line, order.verb)
            if len(mine) - len(over) >= ACTS_LIMIT:
                raise Busy(f"You listen to {ACTS_LIMIT} lines already.", f"你已在监听 {ACTS_LIMIT} 个通话。")
            async with self._store.transaction() as transaction:
                act = self._act(actor, order, await self._check(transaction, actor, order))
                for one in over:
                    await records.end(transaction, self._events, actor, one, "replaced")
                await records.begin(transaction, self._events, actor, act)
                await remember(transaction, actor.id, once, act.id)
            for one in over:
                await self.listening.over(one)
            await self.listening.begin(act)
        return await self._done(act, joining=self._joining(act, actor, origin), reader=actor)

    async def end(self, actor: Actor, id: str) -> None:
        """One's own. NotFound for everybody else's."""
        act = self.listening.get(id)
        if act is None or act.actor != actor.id:
            raise NotFound("There is no such act.", "没有这项操作。")
        await self.listening.end(act, actor, "ended")

    async def _stop_listening(self, actor: Actor, line: str) -> None:
        """Whoever is on a line listens to it no more."""
        for act in self.listening.of(actor.id):
            if act.line == line:
                await self.listening.end(act, actor, "replaced")

    # ---- what changes a call

    async def _on_call(self, actor: Actor, order: Order, act: Act, once: Once | None) -> DispatchDone:
        party = Party("person", actor.id, actor.name)

        def step(calls: Mapping[str, Call], now: int) -> tuple[str, dict[str, Call]]:
            call = calls.get(act.line)
            leg = next((leg for leg in call.active if leg.person == act.target), None) if call is not None else None
            if leg is None:
                raise NotAllowed(order.verb, ["redial"])
            come = Leg(new_id(), 0, actor.id, order.terminal, deadline=now + COME_SECONDS * SECOND)
            match order.verb:
                case Verb.RELEASE:
                    return act.line, forced.release(calls, act.line, actor.id, now)
                case Verb.TAKEOVER:
                    return act.line, forced.take_over(calls, act.line, leg.id, party, come, now)
                case _:
                    return act.line, forced.barge(calls, act.line, party, come, now)

        call = await self._forced_on_calls(actor, order, act, step, once)
        await self._stop_listening(actor, act.line)
        return await self._done(act, call=call, reader=actor)

    async def _forced_on_calls(
        self,
        actor: Actor,
        order: Order,
        act: Act,
        step: Callable[[Mapping[str, Call], int], tuple[str, dict[str, Call]]],
        once: Once | None,
    ) -> Call:
        async def also(transaction: Transaction, before: Mapping[str, Call | None], after: Mapping[str, Call]) -> None:
            await self._check(transaction, actor, order)
            await records.begin(transaction, self._events, actor, act, audited=True)
            await remember(transaction, actor.id, once, act.id)

        return await self._calls.force(actor, f"call.{order.verb}", step, order.reason, also)

    async def _preempt(self, actor: Actor, order: Order, act: Act, found: Found, once: Once | None) -> DispatchDone:
        async with self._store.reading() as reading:
            parties, candidates = await asked.resolve(reading, self._terminals, actor, [Asked("person", act.target)])

        def step(calls: Mapping[str, Call], now: int) -> tuple[str, dict[str, Call]]:
            made = Call(
                new_id(), "point", actor.id, actor.org, now, order.priority, order.emergency, order.video,
                parties=(Party("caller", actor.id, actor.name),),
            )  # fmt: skip
            caller = Leg(new_id(), 0, actor.id, order.terminal, deadline=now + COME_SECONDS * SECOND)
            return made.id, forced.preempt(calls, made, caller, parties, candidates, now + self._calls.ring_ns, now)

        call = await self._forced_on_calls(actor, order, act, step, once)
        if act.line_kind == "consultation":
            assert found.line is not None
            for identity in found.line.people.get(act.target, ()):
                self._tasks.spawn(self._leave(identity, act), "leave")
            await self._force.put_out(act.line, act.target)
        return await self._done(act, call=call, reader=actor)

    async def _leave(self, terminal: str, act: Act) -> None:
        said = Instruction(new_id(), "leave", act.line, reason=End.PREEMPTED, data={"by": act.actor})
        await self._terminals.instruct(terminal, said)

    async def _beside(self, transaction: Transaction, before: Mapping[str, Call | None], after: Mapping[str, Call]) -> None:
        """Calls that an emergency ended by itself: who was on them is told why, by whom."""
        made = next((call for id, call in after.items() if before[id] is None and call.emergency), None)
        if made is None:
            return
        for id, was in before.items():
            ended = [leg for leg in after[id].legs if leg.end is End.PREEMPTED] if was is not None else []
            known = {leg.id for leg in was.legs if leg.live} if was is not None else set()
            gone = [leg for leg in ended if leg.id in known]
            if was is None or not gone:
                continue
            line, now = of_call(was), utc_ns()
            asked_for = {leg.person for leg in made.legs}
            target = next((leg.person for leg in gone if leg.person in asked_for), gone[0].person)
            told = tuple(person for person in line.people if person != made.created_by)
            act = Act(
                new_id(), Verb.PREEMPT, "call", id, "", made.created_by, target, was.org, was.label, EMERGENCY_REASON, told,
                began_at=now, ended_at=now, end=records.DONE,
            )  # fmt: skip
            by = By(made.parties[0].name, made.created_by) if made.parties else HUB
            await records.begin(transaction, self._events, by, act, audited=True)

    # ---- what changes a consultation

    def _writing(self, actor: Actor, order: Order, act: Act, once: Once | None) -> Callable[[Transaction], Awaitable[None]]:
        async def also(transaction: Transaction) -> None:
            await self._check(transaction, actor, order)
            await records.begin(transaction, self._events, actor, act)
            await remember(transaction, actor.id, once, act.id)

        return also

    async def _consult(self, actor: Actor, order: Order, act: Act, once: Once | None) -> DispatchDone:
        also = self._writing(actor, order, act, once)
        if order.verb is Verb.RELEASE:
            await self._force.release(act.line, actor, also)
        else:
            await self._force.enter(act.line, actor, also, instead=act.target if order.verb is Verb.TAKEOVER else "")
            self._entries.add((act.line, actor.id))
        await self._stop_listening(actor, act.line)
        return await self._done(act, reader=actor)

    # ---- what changes the call of a group

    async def _on_group(self, actor: Actor, order: Order, act: Act, once: Once | None) -> DispatchDone:
        also = self._writing(actor, order, act, once)
        if order.verb is Verb.BARGE:
            await self._on_groups.enter(act.line, actor, order.terminal, also)
        elif order.only:
            await self._on_groups.put_out(act.line, act.target, also)
        else:
            await self._on_groups.release(act.line, actor, also)
        if not order.only:
            await self._stop_listening(actor, act.line)
        return await self._done(act, reader=actor)


def _refused(code: str) -> HubError:
    error = Conflict if code in STATE_CODES else Forbidden
    return error(*policy.SENTENCES[code], code=code)


def _line_view(line: Line, names: Names) -> LineView:
    return LineView(
        kind=line.kind,
        id=line.id,
        title=line.title,
        people=[records.member(person, names) for person in line.people],
        priority=line.priority,
        emergency=line.emergency,
    )
