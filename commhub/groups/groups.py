"""Groups as the hub offers them: records, calls, the floor and emergencies behind one door.

A group's room has its id, for life. It exists while the group is called; who may enter is asked of memory, so that fifty members
who come at once wait for no disk.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, cast, get_args

from commhub import audit
from commhub import log as logs
from commhub.conference import Conference, Presence, Ticket
from commhub.errors import Busy, Conflict, Forbidden, HubError, NotFound, Unfit
from commhub.events import Events
from commhub.groups import records, rules
from commhub.groups.calling import Calling
from commhub.groups.emergencies import Emergencies
from commhub.groups.floor import Talker, Verdict
from commhub.groups.journal import Journal, Note
from commhub.groups.lines import Line
from commhub.groups.live import Live
from commhub.groups.records import Record
from commhub.groups.registry import Registry, Wanted
from commhub.groups.shapes import Action, Answer, Emergency, EmergencyKind, GroupJoining, Times
from commhub.model import HUB, Actor, By, utc_ns
from commhub.rooms import Hearing, InternalKey, Once, member_of
from commhub.store import Store, Transaction
from commhub.tasks import Tasks
from commhub.terminals import Page, Terminals, terminal_id

log = logs.get(__name__)

SETTLE_SECONDS = 20.0  # after a restart, until rooms of calls that are over have been found
WORDS = 20  # about the floor, of one terminal in a second
#: Writes beside a change, in its transaction.
Also = Callable[[Transaction], Awaitable[None]]
_FORCED = {"override": "floor.override", "revoke": "floor.revoke"}


@dataclass(frozen=True, slots=True)
class Terms:
    """``times`` are those of groups that do not say theirs; ``grace`` and ``patience`` (until an emergency that nobody answers
    goes further up) in seconds."""

    times: Times
    grace: float = 1.0
    patience: float = 30.0


class Groups:
    def __init__(
        self,
        store: Store,
        events: Events,
        conference: Conference,
        hearing: Hearing,
        terminals: Terminals,
        key: InternalKey,
        terms: Terms,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._conference, self._terminals, self._key, self._clock = store, conference, terminals, key, clock
        self.registry = Registry(store, events, terms.times)
        self.emergencies = Emergencies(store, self.registry, terms.patience)
        self.journal = Journal(store, events)
        self.live = Live(conference, hearing, terminals, key, self.journal, grace=terms.grace, clock=clock)
        self.live.over = self._over
        self.calling = Calling(terminals, key, self.journal, lambda what: what in self.live.lines)
        self.calling.clear = self._clear
        self._tasks = Tasks("groups")
        self._turn = asyncio.Lock()  # calls begin, end and are patched one after another
        self._words: OrderedDict[str, tuple[int, int]] = OrderedDict()

    async def start(self) -> None:
        """Calls that went on when the hub ended go on: their rooms are governed before workers tell of them."""
        for record in await self.registry.live():
            await self._open(record, HUB)
        await self._repatch()
        for one in await self.emergencies.active():
            if one.kind == "call":
                self.live.alarm(one.group_id, one.person.id)
        self.live.start()
        self._tasks.spawn(self.journal.run(), "journal")
        self._tasks.spawn(self._escalate(), "escalation")
        self._tasks.spawn(self._settle(), "settle")

    async def close(self) -> None:
        await self.live.close()
        await self.calling.close()
        await self._tasks.close()

    # ---- the house of their rooms

    def owns(self, room: str) -> bool:
        return room in self.live.lines

    async def admit(self, ticket: Ticket) -> None:
        line = self.live.lines.get(ticket.room)
        if line is None:
            raise NotFound("requested room does not exist", "群组呼叫已结束。")
        if ticket.key != self._key.name or member_of(ticket.identity) not in line.people:
            raise Forbidden("You are not a member of this group.", "你不是该群组成员。", code="no_member")

    async def joined(self, room: str, presence: Presence) -> None:
        if presence.kind == "person":
            self.live.joined(room, presence)

    async def left(self, room: str, presence: Presence, reason: str) -> None:
        if presence.kind == "person":
            self.live.left(room, presence)

    # ---- calls

    async def call(self, actor: Actor, group: str, *, everybody: bool = False) -> None:
        """Idempotent. All who listen to it (``everybody``: all members) are told to come, of joined groups too."""
        record = await self.registry.found(group, actor)
        rules.callable_by(record, actor)
        await self._begin(record, actor, everybody=everybody)

    async def _begin(self, record: Record, actor: Actor | By, *, everybody: bool, urgent: bool = False) -> None:
        async with self._turn:
            wanted = await self._together(record)
            opened = [one for one in wanted if one.id not in self.live.lines]
            if opened:
                async with self._store.transaction() as transaction:
                    for one in opened:
                        await self.registry.mark(transaction, one.id, actor, True, emergency=urgent)
                    await audit.record(transaction, actor, "group.call", record.id, object=record.name)
            for one in opened:
                await self._open(one, actor)
            for one in wanted if urgent else opened:
                if urgent and (line := self.live.lines[one.id]).out:  # an emergency is for everybody
                    line.out.clear()
                    await self._compose(line)
                await self._tell(one.id, actor, everybody=everybody or one.kind == "broadcast", urgent=urgent)

    async def _together(self, record: Record) -> list[Record]:
        """The groups that are called when this one is."""
        async with self._store.reading() as reading:
            patched = await records.patches(reading)
            leaves = patched.get(record.id, [record.id]) if record.kind == "patched" else [record.id]
            groups = set().union(*(records.joined(patched, one) for one in leaves))
            self.live.patch(patched)
            return await records.find(reading, records.g.id.in_(sorted(groups)))

    async def _open(self, record: Record, by: Actor | By) -> None:
        async with self._store.reading() as reading:
            people = await records.people(reading, record)
        await self.live.open(Line(record, people, utc_ns(), by.id or ""))

    async def _compose(self, line: Line) -> None:
        async with self._store.reading() as reading:
            line.compose(await records.people(reading, line.record))

    async def _tell(self, group: str, by: Actor | By, *, everybody: bool, urgent: bool) -> None:
        line = self.live.lines[group]
        async with self._store.reading() as reading:
            listening = await records.affiliations(reading, group)
        people = [one for one in line.people.values() if everybody or one.id in listening]
        self.calling.call(line, people, listening, by, urgent=urgent)

    async def end(self, actor: Actor, group: str) -> None:
        """By who is in charge, or who began it. Conflict when nothing goes on, or there is an emergency."""
        record = await self.registry.found(group, actor)
        line = self.line(group)
        if line is None:
            raise Conflict("The group is not being called.", "群组当前没有呼叫。", code="no_call")
        if line.by != actor.id and not rules.oversees(record, actor, rules.EDIT):
            raise Forbidden("Only who began it, or is in charge, may end it.", "只有发起人或主管调度员可以结束组呼。")
        if (net := self.live.net(line.room)) is not None and net.urgent:
            raise Conflict("There is an emergency: cancel that first.", "群组处于紧急状态，请先解除。", code="emergency")
        for one in self.together(line):
            await self.finish([one.room], actor, "ended")

    def together(self, line: Line) -> list[Line]:
        """The calls that have one floor with this one, itself among them."""
        net = self.live.net(line.room)
        return list(net.lines.values()) if net is not None else [line]

    async def _over(self, group: str) -> None:
        await self.finish([group], HUB, "hang")

    async def finish(self, groups: Iterable[str], by: Actor | By, reason: str, also: Also | None = None) -> None:
        """Their calls end, in one transaction, with what ``also`` writes; when that cannot be, all go on."""
        async with self._turn:
            lines = [line for group in groups if (line := self.live.lines.get(group)) is not None]
            async with self._store.transaction() as transaction:
                if also is not None:
                    await also(transaction)
                for line in lines:
                    await self.registry.mark(transaction, line.room, by, False, reason=reason)
                    await audit.record(transaction, by, "group.end", line.room, object=reason)
            for line in lines:
                self.calling.dismiss(line, line.present | set(line.called.values()), reason)
                await self.live.shut(line.room, reason)

    async def join(self, actor: Actor, group: str, terminal: str, url: str) -> GroupJoining:
        """Late, or by itself: a ticket for this terminal. Conflict when nothing goes on."""
        line = self.live.lines.get(group)
        if line is None or actor.id not in line.guests:
            rules.own(await self.registry.one(group), actor)
        if line is not None and actor.id in line.out:
            raise Conflict("You were put out of this call.", "你已被请出本次组呼。", code="put_out")
        person = line.people.get(actor.id) if line is not None else None
        if line is None or person is None:
            raise Conflict("The group is not being called.", "群组当前没有呼叫。", code="no_call")
        identity = terminal_id(actor.id, terminal)
        return GroupJoining(url=url, token=self.calling.ticket(line, person, identity), room=group, identity=identity)

    async def affiliate(self, actor: Actor, group: str, terminal: str, *, selected: bool) -> None:
        """Late entry: who begins to listen while it is called is called."""
        identity = terminal_id(actor.id, terminal) if terminal else ""
        if (line := self.live.lines.get(group)) is not None and actor.id in line.guests:
            return  # who was forced in hears it as it is
        await self.registry.affiliate(actor, group, identity, selected)
        if (line := self.live.lines.get(group)) is not None and actor.id in line.people:
            listening = {actor.id: records.Affiliation(actor.id, identity, selected)}
            self.calling.call(line, [line.people[actor.id]], listening, actor, urgent=False)

    async def unaffiliate(self, actor: Actor, group: str) -> None:
        if (line := self.live.lines.get(group)) is not None and line.guests.pop(actor.id, None) is not None:
            self.calling.dismiss(line, [one for one in line.present if member_of(one) == actor.id], "unaffiliated")
            await self._compose(line)
            if not rules.concerns(line.record, actor):
                return
        await self.registry.unaffiliate(actor, group)
        if (line := self.live.lines.get(group)) is not None:
            self.calling.dismiss(line, [one for one in line.present if member_of(one) == actor.id], "unaffiliated")

    # ---- records

    async def create(self, actor: Actor, wanted: Wanted, once: Once | None = None) -> str:
        group = await self.registry.create(actor, wanted, once)
        if wanted.kind == "patched":
            await self._repatch()
        return group

    async def change(self, actor: Actor, group: str, rev: int, **wanted: Any) -> None:
        """Who is no member any more is put out, patches are made anew."""
        await self.registry.change(actor, group, rev, **wanted)
        async with self._turn:
            line, record = self.live.lines.get(group), await self.registry.one(group)
            if line is not None and record is not None:
                line.record = record
                await self._compose(line)
                for identity in [one for one in line.present if member_of(one) not in line.people]:
                    await self._conference.remove(group, identity)
                self.live.retime(group)
        await self._repatch()

    async def remove(self, actor: Actor, group: str) -> None:
        if (await self.registry.remove(actor, group)).kind == "patched":
            await self._repatch()
        else:
            await self.finish([group], actor, "removed")

    async def _repatch(self) -> None:
        """A patch that joins a running call with groups that are not called calls them."""
        async with self._store.reading() as reading:
            patched = await records.patches(reading)
        self.live.patch(patched)
        for group in list(self.live.lines):
            missing = records.joined(patched, group) - set(self.live.lines)
            if missing and (record := await self.registry.one(min(missing))) is not None:
                await self._begin(record, HUB, everybody=False)

    # ---- the floor

    def line(self, group: str) -> Line | None:
        """Of a patched group any of those that it joins: they have one floor."""
        if (line := self.live.lines.get(group)) is not None:
            return line
        return next((self.live.lines[one] for one in self.live.leaves(group) if one in self.live.lines), None)

    async def floor(self, actor: Actor, group: str, action: Action, terminal: str, reason: str = "") -> Answer:
        """``terminal`` is an identity. Forbidden, Conflict; a forced verb needs a reason, and is written before it is done."""
        line = self.line(group)
        if line is None:
            rules.visible(await self.registry.one(group), actor)
            raise Conflict("The group is not being called.", "群组当前没有呼叫。", code="no_call")
        self._pace(terminal)
        net = self.live.net(line.room)
        person = net.person(terminal) if net is not None else None
        if person is None and not (action == "revoke" and rules.oversees(line.record, actor, rules.REVOKE)):
            rules.visible(line.record, actor)
            raise Forbidden("You are not a member of this group.", "你不是该群组成员。", code="no_member")
        if action in ("request", "override") and person is not None and not person.talks:
            raise Forbidden("In this group you listen.", "你在该群组中只能收听。", code="listener")
        if action in ("request", "override") and not any(terminal in one.present for one in (net.lines.values() if net else ())):
            raise Conflict("Your terminal is not in the call.", "该终端不在组呼中。", code="not_in_call")
        talker = Talker(terminal, actor.name, actor.level) if person is None else None
        if action not in _FORCED:
            return self.live.ask(line.room, action, terminal, talker)
        self._check_forced(actor, line, action, reason)
        done = self.live.verdict(line.room, action, terminal, talker) is not Verdict.REFUSED
        with self.live.hush(line.room) if done else nullcontext():
            await self._write(actor, line, action, reason, "ok" if done else "denied")
            if not done:
                raise Forbidden("Only a higher level may do this.", "只有更高级别可以这样做。", code="outranked")
            return self.live.ask(line.room, action, terminal, talker)

    @staticmethod
    def _check_forced(actor: Actor, line: Line, action: Action, reason: str) -> None:
        if not reason.strip():
            raise Unfit("body.reason", "Say why.", "请填写原因。", code="reason")
        if action == "revoke" and not rules.oversees(line.record, actor, rules.REVOKE):
            raise Forbidden("Only who is in charge may take the floor away.", "只有主管调度员可以打断发言。")

    async def _write(self, actor: Actor, line: Line, action: Action, reason: str, result: str) -> None:
        net = self.live.net(line.room)
        holder = net.floor.holder if net is not None else None
        told = f"{holder.name if holder else ''} {reason}".strip()
        async with self._store.transaction() as transaction:
            await audit.record(transaction, actor, _FORCED[action], line.room, object=told, result=result)

    def _pace(self, terminal: str) -> None:
        second = int(self._clock())
        at, count = self._words.pop(terminal, (second, 0))
        self._words[terminal] = (second, count + 1 if at == second else 1)
        if len(self._words) > 10_000:
            self._words.popitem(last=False)
        if self._words[terminal][1] > WORDS:
            raise Busy("Too many words about the floor.", "操作过于频繁，请稍后再试。", retry_after=1)

    # ---- /events

    async def receive(self, page: Page, said: Mapping[str, Any]) -> None:
        group, action, reason = said.get("group"), said.get("action"), said.get("reason", "")
        if not isinstance(group, str) or not isinstance(reason, str) or len(reason) > 200 or action not in get_args(Action):
            raise ValueError("A word about the floor has group and action.")
        try:
            terminal = self._terminals.at(page)
            if terminal is None:
                raise Conflict("The page has not said which terminal it is.", "该页面尚未登记终端。", code="no_terminal")
            answer = await self.floor(page.actor(), group, cast(Action, action), terminal.id, reason)
        except HubError as error:
            text = error.message if page.english else error.message_zh
            page.tell({"type": "floor", "group": group, "you": "refused", "reason": error.code, "text": text})
        else:
            page.tell({"type": "floor", **answer.model_dump()})

    def gone(self, page: Page) -> None:
        """Who loses the socket is still in the room: the media say when somebody has left."""

    # ---- emergencies

    async def emergency(self, actor: Actor, group: str, kind: EmergencyKind, terminal: str, reason: str) -> Emergency:
        """A call tells every member to come, whatever they do, and puts who raised it above all levels."""
        record = rules.own(await self.registry.one(group), actor)
        identity = terminal_id(actor.id, terminal) if terminal else ""
        made = await self.emergencies.raise_(actor, record, kind, identity, reason)
        if kind == "call":
            await self._begin(record, actor, everybody=True, urgent=True)
            self.live.alarm(group, actor.id)
        return made

    async def calm(self, actor: Actor, group: str, reason: str) -> None:
        await self.emergencies.cancel(actor, group, reason)
        self.live.calm(group)

    def _clear(self, terminal: str, line: Line) -> None:
        """It is wanted for an emergency: other groups' calls are left, and who is in them hears why."""
        net = self.live.net(line.room)
        for other in list(self.live.lines.values()):
            theirs = self.live.net(other.room)
            if terminal in other.present and theirs is not None and theirs is not net and not theirs.urgent:
                self.calling.dismiss(other, [terminal], "preempted")
                data = {"name": other.record.name, "person": member_of(terminal), "reason": "preempted", "by": line.room}
                told = tuple({member_of(one) for one in other.present})
                self.journal.note(Note("group.left", other.room, other.record.org, other.record.label, data, people=told))
                self.live.left(other.room, Presence(terminal, ""))

    # ---- time

    async def _escalate(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            try:
                await self.emergencies.escalate()
            except Exception:
                if (suppressed := logs.limited(("escalation",), 60)) is not None:
                    log.exception("emergencies not looked at", suppressed=suppressed)

    async def _settle(self) -> None:
        """Rooms of calls that ended while no hub was there."""
        await asyncio.sleep(SETTLE_SECONDS)
        known = set(await self.registry.every())
        for room in self._conference.named(""):
            if room in known and room not in self.live.lines:
                await self._conference.close(room)
