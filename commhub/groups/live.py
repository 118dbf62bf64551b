"""Calls of groups while they go on: the floor joined to microphones, terminals and the clock.

What the floor says is done at once and in this order: gates, then the word to everybody, then the diary. A gate never waits for a
disk; what needs a record first (an override, a revocation) has been written before the floor is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from commhub import log as logs
from commhub.conference import Conference, Presence
from commhub.errors import Conflict
from commhub.groups import floor as floors
from commhub.groups.floor import Asks, Floor, Out, State, Talker, Verdict
from commhub.groups.journal import Journal, Note
from commhub.groups.lines import Line, Net, You, components, standing
from commhub.groups.shapes import Action, Answer
from commhub.model import By, utc_ns
from commhub.rooms import Hearing, InternalKey, member_of
from commhub.tasks import Tasks
from commhub.terminals import Presence as Shown
from commhub.terminals import Terminals

log = logs.get(__name__)

TICK = 0.1  # seconds
COMPARE = 10  # ticks
REASON = "floor"  # why somebody is not heard
_EVENTS: dict[str, str] = {
    "released": "floor.idle",
    "silence": "floor.idle",
    "left": "floor.idle",
    "limit": "floor.revoked",
    "overridden": "floor.revoked",
    "emergency": "floor.revoked",
    "revoked": "floor.revoked",
    "patched": "floor.revoked",
}


class Live:
    """``grace`` in seconds. ``over`` is called with a group whose call has ended by itself. ``clock`` is monotonic seconds."""

    def __init__(
        self,
        conference: Conference,
        hearing: Hearing,
        terminals: Terminals,
        key: InternalKey,
        journal: Journal,
        *,
        grace: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._conference, self._terminals, self._key, self._journal = conference, terminals, key, journal
        self._hearing = hearing
        self._grace, self._now = grace, clock
        self.lines: dict[str, Line] = {}
        self._nets: dict[str, Net] = {}  # by group
        self._patched: dict[str, list[str]] = {}
        self._tasks = Tasks("floors")
        self.over: Callable[[str], Coroutine[None, None, None]]
        conference.spoke = self._spoke

    def start(self) -> None:
        self._tasks.spawn(self._run(), "clock")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- lines

    def net(self, group: str) -> Net | None:
        return self._nets.get(group)

    async def open(self, line: Line) -> None:
        """Its room is there, and nobody in it is heard, before anybody can come."""
        await self._conference.open(line.room, key=self._key.name)
        self._hearing.only(line.room, REASON, ())
        here = self._conference.present(line.room)
        line.present = {one.identity for one in here if one.kind == "person" and not one.forwarded}
        self.lines[line.room] = line
        self.arrange()

    async def shut(self, group: str, reason: str) -> Line | None:
        line = self.lines.pop(group, None)
        if line is None:
            return None
        for identity in line.present:
            self._terminals.release(identity, group)
            self._terminals.tell(identity, {"type": "floor", "group": group, "state": "over", "you": "idle", "reason": reason})
        self.arrange()
        await self._conference.close(group)
        self._hearing.forget(group)
        return line

    def patch(self, patched: dict[str, list[str]]) -> None:
        """Which groups are joined from now on."""
        self._patched = patched
        self.arrange()

    def arrange(self) -> None:
        """Lines that are joined share a floor and see each other; others have their own and do not."""
        now = self._now()
        for together in components(self._patched, self.lines):
            lines = {group: self.lines[group] for group in sorted(together)}
            before = {id(net): net for group in together if (net := self._nets.get(group)) is not None}
            if len(before) == 1 and set((net := next(iter(before.values()))).lines) == together:
                continue
            for net in before.values():
                self._part(net, together, now)
            made = Net(lines, Floor(floors.Times(), now), set().union(*(net.urgent for net in before.values())))
            made.floor.times = replace(made.times(), grace=self._grace)
            for group in together:
                self._nets[group] = made
            self._join(made)
        for group in [group for group in self._nets if group not in self.lines]:
            net = self._nets.pop(group)
            if not any(one in self.lines and self._nets.get(one) is net for one in net.lines):
                self._part(net, set(), now)

    def _part(self, net: Net, together: set[str], now: float) -> None:
        """A net that is no more: whoever has its floor loses it, and rooms that are not joined any more part."""
        if net.floor.holder is not None:
            closed = floors.Closed(net.floor.holder, "patched")
            net.floor.holder, net.floor.state, net.floor.until = None, State.IDLE, 0.0
            net.floor.queue.clear()
            self._carry_out(net, [closed])
        for group in net.lines:
            for other in net.lines:
                if group != other and not {group, other} <= together:
                    self._conference.unforward(group, other)
            self._hearing.apart(group, REASON, None)

    def _join(self, net: Net) -> None:
        if len(net.lines) < 2:
            return
        for group, line in net.lines.items():
            for identity in line.present:
                self._forward(net, group, identity)
        self._keep_apart(net)
        self._tell(net)

    def _forward(self, net: Net, group: str, identity: str) -> None:
        for other in net.lines:
            if other != group:
                self._conference.forward(group, identity, other)

    def _keep_apart(self, net: Net) -> None:
        """Who is in two of the rooms hears each voice in the room where it is spoken, and not again in the other."""
        for group, line in net.lines.items():
            others = [one.present for other, one in net.lines.items() if other != group]
            self._hearing.apart(group, REASON, _apart(line.present, others) if others else None)

    # ---- who comes and goes

    def joined(self, group: str, presence: Presence) -> None:
        line = self.lines.get(group)
        if line is None or presence.forwarded or member_of(presence.identity) not in line.people:
            return
        net = self._nets[group]
        line.present.add(presence.identity)
        line.reach[member_of(presence.identity)] = "joined"
        self._terminals.occupy(presence.identity, group, Shown.BUSY)
        if len(net.lines) > 1:
            self._forward(net, group, presence.identity)
            self._keep_apart(net)
        self._tell_one(net, group, presence.identity)

    def left(self, group: str, presence: Presence) -> None:
        line = self.lines.get(group)
        if line is None or presence.forwarded or presence.identity not in line.present:
            return
        line.present.discard(presence.identity)
        self._terminals.release(presence.identity, group)
        net = self._nets[group]
        if len(net.lines) > 1:
            self._keep_apart(net)
        if not any(presence.identity in one.present for one in net.lines.values()):
            self._carry_out(net, net.floor.leave(presence.identity, self._now()))

    # ---- the floor

    def leaves(self, group: str) -> list[str]:
        """The groups that a patched one joins."""
        return self._patched.get(group, [])

    def patches(self, group: str) -> list[str]:
        """The patched ones that join it."""
        return [patch for patch, members in self._patched.items() if group in members]

    def now(self) -> float:
        return self._now()

    def verdict(self, group: str, what: Action, identity: str, by: Talker | None = None) -> Verdict:
        """What a forced verb would come to now."""
        net = self._nets.get(group)
        person = net.person(identity) if net is not None else None
        talker = by or (net.talker(identity, person) if net is not None and person is not None else None)
        if net is None or talker is None:
            return Verdict.REFUSED
        return net.floor.verdict(Asks(what), talker, self._now())

    @contextmanager
    def hush(self, group: str) -> Iterator[None]:
        """Nobody is heard while this lasts: what takes the floor away works at once, and is written meanwhile. Who has the floor
        then is heard again; when it could not be written, that is who had it."""
        net = self._nets.get(group)
        if net is not None:
            self._govern(net, ())
        try:
            yield
        finally:
            if net is not None and net.floor.holder is not None and self._nets.get(group) is net:
                self._govern(net, (net.floor.holder.id,))

    def ask(self, group: str, what: Action, identity: str, by: Talker | None = None) -> Answer:
        """``by`` is who asks when it is no member. Conflict when there is no call."""
        net, now = self._nets.get(group), self._now()
        if net is None:
            raise Conflict("The group is not being called.", "群组当前没有呼叫。", code="no_call")
        person = net.person(identity)
        talker = by or (net.talker(identity, person) if person is not None else None)
        if talker is None:
            raise Conflict("You are not in the call.", "你不在该组呼中。", code="not_in_call")
        floor = net.floor
        match what:
            case "request":
                outs = floor.request(talker, now)
            case "override":
                outs = floor.override(talker, now)
            case "revoke":
                outs = floor.revoke(talker, now)
            case "release":
                outs = floor.release(identity, now)
            case "queue_leave":
                outs = floor.unqueue(identity, now)
        self._carry_out(net, outs)
        answer = net.answer(group, identity, net.view(now, utc_ns()))
        refused = next((out for out in outs if isinstance(out, floors.Refused)), None)
        return answer if refused is None else answer.model_copy(update={"you": "refused", "reason": refused.reason})

    def calm(self, group: str) -> None:
        if (net := self._nets.get(group)) is not None:
            net.urgent.clear()
            self._carry_out(net, net.floor.calm(self._now()))
            self.retime(group)
            self._tell(net)

    def alarm(self, group: str, person: str) -> None:
        if (net := self._nets.get(group)) is not None:
            net.urgent.add(person)
            self.retime(group)

    def retime(self, group: str) -> None:
        """Its times, or whether there is an emergency, are others."""
        if (net := self._nets.get(group)) is not None:
            net.retime(self._now())
            net.floor.times = replace(net.floor.times, grace=self._grace)

    def _spoke(self, room: str, identity: str, speaks: bool) -> None:
        if (net := self._nets.get(room)) is not None:
            self._carry_out(net, net.floor.speaking(identity, speaks, self._now()))

    def _carry_out(self, net: Net, outs: Iterable[Out]) -> None:
        outs = list(outs)
        if not outs:
            return
        if any(isinstance(out, floors.Granted | floors.Closed) for out in outs):
            holder = net.floor.holder
            if any(isinstance(out, floors.Closed) for out in outs):
                self._govern(net, ())
            if holder is not None:
                self._govern(net, (holder.id,))
        if any(not isinstance(out, floors.Refused) for out in outs):
            self._tell(net, outs)
        for out in outs:
            self._note(net, out)
        if any(isinstance(out, floors.Over) for out in outs):
            for group in net.lines:
                self._tasks.spawn(self.over(group), "over")

    def _govern(self, net: Net, speakers: tuple[str, ...]) -> None:
        for group in net.lines:
            self._hearing.only(group, REASON, speakers)

    # ---- telling

    def _tell(self, net: Net, outs: Iterable[Out] = ()) -> None:
        """Everybody in it the state, and whom it concerns why."""
        view = net.view(self._now(), utc_ns()).model_dump()
        why: dict[str, tuple[You, str, Talker | None]] = {}
        for out in outs:
            match out:
                case floors.Closed():
                    forced = _EVENTS[out.reason] == "floor.revoked"
                    why[out.talker.id] = ("revoked" if forced else "idle"), out.reason, out.by
                case floors.Dropped():
                    why[out.talker.id] = "idle", out.reason, None
                case floors.Granted():
                    why.pop(out.talker.id, None)
        for group, line in net.lines.items():
            for identity in line.present:
                self._say(net, group, identity, view, *why.get(identity, ("", "", None)))

    def _tell_one(self, net: Net, group: str, identity: str) -> None:
        self._say(net, group, identity, net.view(self._now(), utc_ns()).model_dump())

    def _say(
        self,
        net: Net,
        group: str,
        identity: str,
        view: dict[str, object],
        you: str = "",
        reason: str = "",
        by: Talker | None = None,
    ) -> None:
        now, place = standing(net.floor, identity)
        message = {"type": "floor", "group": group, **view, "you": you if you and now == "idle" else now, "place": place}
        message |= {"reason": reason, "by": net.speaker(by).model_dump() if by is not None else None}
        self._terminals.tell(identity, message)

    def _note(self, net: Net, out: Out) -> None:
        match out:
            case floors.Granted():
                kind, reason, by = "floor.granted", "", None
            case floors.Closed():
                kind, reason, by = _EVENTS[out.reason], out.reason, out.by
            case floors.Queued():
                kind, reason, by = "floor.queued", "", None
            case _:
                return
        person = member_of(out.talker.id)
        data = {
            "person": person,
            "name": out.talker.name,
            "identity": out.talker.id,
            "level": out.talker.level,
            "emergency": out.talker.emergency,
            "reason": reason,
            "by": member_of(by.id) if by is not None else None,
        }
        for group, line in net.lines.items():
            actor = By(out.talker.name, person)
            self._journal.note(Note(kind, group, line.record.org, line.record.label, data, actor, (person,)))

    # ---- time

    def _compare(self) -> None:
        """Who is there is what the rooms say: a restarted hub finds people in them without having seen them come."""
        for group, line in self.lines.items():
            here = {one.identity: one for one in self._conference.present(group) if one.kind == "person" and not one.forwarded}
            for identity, presence in here.items():
                if identity not in line.present:
                    self.joined(group, presence)
                elif group not in self._terminals.occupied(identity):
                    self._terminals.occupy(identity, group, Shown.BUSY)
                    self._tell_one(self._nets[group], group, identity)
            for identity in line.present - set(here):
                self.left(group, Presence(identity, ""))

    async def _run(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(TICK)
            now, ticks = self._now(), ticks + 1
            if ticks % COMPARE == 0:
                self._compare()
            for net in {id(net): net for net in self._nets.values()}.values():
                deadline = net.floor.deadline
                if deadline is not None and now >= deadline:
                    try:
                        self._carry_out(net, net.floor.tick(now))
                    except Exception:  # the clocks of other groups go on
                        log.exception("floor's clock failed", groups=sorted(net.lines))


def _apart(mine: set[str], others: list[set[str]]) -> Callable[[str, str], bool]:
    """Sets that change: ``part`` is told each time they do."""

    def apart(publisher: str, viewer: str) -> bool:
        return publisher not in mine and any(publisher in there and viewer in there for there in others)

    return apart
