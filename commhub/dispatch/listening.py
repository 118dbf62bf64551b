"""Who monitors and whispers now: their way into the line's room, what reaches them and whom they reach, and when it is over.

A monitor is in nobody's list: their connection is hidden from participants. Whoever monitors or whispers hears a line only
while two people talk on it: a line on which somebody is alone or on hold is nothing to listen to.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from commhub import log as logs
from commhub.auth import Auth
from commhub.conference import RECORDER, Conference, Presence, Ticket
from commhub.dispatch import policy, records
from commhub.dispatch.lines import Line, Lines
from commhub.dispatch.policy import Verb
from commhub.dispatch.records import Act
from commhub.errors import Forbidden, HubError
from commhub.events import Events, Published
from commhub.model import HUB, Actor, By
from commhub.rooms import Hearing, InternalKey, member_of
from commhub.store import Store
from commhub.tasks import Tasks

log = logs.get(__name__)

REASON = "dispatch"  # of the hearing
TICK = 0.5  # seconds
COME_SECONDS = 20.0  # until who may listen must be there
BACK_SECONDS = 8.0  # for who was cut off


@dataclass(slots=True)
class _Running:
    act: Act
    absent_since: float | None
    patience: float


def apart(acts: Iterable[Act], flowing: bool) -> Callable[[str, str], bool]:
    """What the acts on one line make of its room: (publisher, viewer) → kept apart. Pure."""
    visitors = frozenset(act.identity for act in acts)
    whispers = {act.identity: act.target for act in acts if policy.POLICY[act.verb].heard == "target"}
    unrecorded = frozenset(act.identity for act in acts if not policy.POLICY[act.verb].recorded)

    def parted(publisher: str, viewer: str) -> bool:
        if viewer == RECORDER:
            return publisher in unrecorded
        if publisher in whispers:
            return member_of(viewer) != whispers[publisher] or viewer in visitors
        return viewer in visitors and not flowing

    return parted


class Listening:
    """A :class:`~commhub.rooms.Visitors` of the door. ``now`` is monotonic seconds."""

    def __init__(
        self,
        store: Store,
        auth: Auth,
        events: Events,
        conference: Conference,
        hearing: Hearing,
        key: InternalKey,
        lines: Lines,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._auth, self._events, self._conference = store, auth, events, conference
        self._hearing, self._key, self._lines, self._now = hearing, key, lines, now
        self._running: dict[str, _Running] = {}  # by identity
        self._empty: dict[str, float] = {}  # lines with nobody on them, since when: after a restart they come back
        self._gates: dict[str, tuple[frozenset[str], bool]] = {}  # what the hearing was told, by room
        self._tasks = Tasks("listening")
        self._told = asyncio.Event()
        events.listen(self._happened)

    async def start(self) -> None:
        """What goes on since before: said again before any worker tells who is there."""
        async with self._store.reading() as reading:
            found = await records.running(reading)
        for act in found:
            self._take(act)
        for room in {act.line for act in found}:
            await self.gate(room)
        self._tasks.spawn(self._clock(), "clock")

    async def close(self) -> None:
        await self._tasks.close()

    def of(self, actor: str) -> list[Act]:
        return [one.act for one in self._running.values() if one.act.actor == actor]

    def on(self, line: str) -> list[Act]:
        return [one.act for one in self._running.values() if one.act.line == line]

    def concerning(self, person: str) -> list[Act]:
        return [one.act for one in self._running.values() if person in (one.act.actor, *one.act.told)]

    def get(self, id: str) -> Act | None:
        return next((one.act for one in self._running.values() if one.act.id == id), None)

    async def begin(self, act: Act) -> None:
        """After its record: the gates stand before anybody can come."""
        self._take(act)
        await self.gate(act.line)

    def _take(self, act: Act) -> None:
        self._running[act.identity] = _Running(act, self._now(), COME_SECONDS)
        self._lines.visitors[act.identity] = act

    def ticket(self, act: Act, actor: Actor) -> str:
        speaks = policy.POLICY[act.verb].heard != "nobody"
        grants: dict[str, object] = {
            "canSubscribe": True,
            "canPublish": speaks,
            "canPublishData": False,
            "canUpdateOwnMetadata": False,
        }
        if speaks:
            grants["canPublishSources"] = ["microphone"]
        else:
            grants["hidden"] = True
        return self._key.ticket(act.line, actor, act.identity, **grants)

    # ---- the end

    async def end(self, act: Act, by: Actor | By, why: str) -> Act:
        """Idempotent. When its record cannot be written it goes on."""
        if act.identity not in self._running:
            return act
        async with self._store.transaction() as transaction:
            over = await records.end(transaction, self._events, by, act, why)
        await self.over(act)
        return over

    async def over(self, act: Act) -> None:
        """After its record: out, and the gates as they are without it."""
        if self._running.pop(act.identity, None) is None:
            return
        with contextlib.suppress(HubError):  # gone meanwhile, or never came
            await self._conference.remove(act.line, act.identity)
        self._lines.visitors.pop(act.identity, None)
        await self.gate(act.line)

    # ---- who hears whom

    async def gate(self, room: str) -> None:
        line = await self._line(acts[0]) if (acts := self.on(room)) else None
        if not (acts := self.on(room)):  # ended meanwhile
            self._gates.pop(room, None)
            self._hearing.apart(room, REASON, None)
            return
        flowing = line is not None and line.flowing
        gates = frozenset(act.id for act in acts), flowing
        if self._gates.get(room) != gates:
            self._gates[room] = gates
            self._hearing.apart(room, REASON, apart(acts, flowing))

    async def _line(self, act: Act) -> Line | None:
        if act.line_kind == "call":
            return await self._lines.call(act.line)
        if act.line_kind == "group":
            return self._lines.group(act.line)
        async with self._store.reading() as reading:
            return await self._lines.consultation(reading, act.line)

    # ---- the door

    def knows(self, room: str, identity: str) -> bool:
        return (one := self._running.get(identity)) is not None and one.act.line == room

    async def admit(self, ticket: Ticket) -> None:
        one = self._running.get(ticket.identity)
        actor = await self._auth.actor(one.act.actor) if one is not None else None
        permission = policy.POLICY[one.act.verb].permission if one is not None else ""
        if one is None or ticket.key != self._key.name or actor is None or not actor.may(permission):
            raise Forbidden("You may not listen to this line.", "没有进入该通话的权限。")

    async def joined(self, room: str, presence: Presence) -> None:
        if (one := self._running.get(presence.identity)) is not None:
            one.absent_since, one.patience = None, BACK_SECONDS

    async def left(self, room: str, presence: Presence, reason: str) -> None:
        one = self._running.get(presence.identity)
        if one is None:
            return
        one.absent_since = self._now()
        if reason.lower() == "client_initiated":  # who leaves by themselves is done
            one.patience = 0.0
            self._told.set()

    # ---- what happens to lines, and time

    def _happened(self, published: Published) -> None:
        event = published.event
        if event.type.startswith(("call.", "consultation.", "group.")) and self.on(event.subject):
            self._tasks.spawn(self._look(event.subject), "look")

    async def _look(self, room: str) -> None:
        """The line may have ended, somebody may be alone on it."""
        try:
            await self.gate(room)
            acts = self.on(room)
            line = await self._line(acts[0]) if acts else None
            if line is not None and line.people:
                self._empty.pop(room, None)
            elif line is None or self._now() - self._empty.setdefault(room, self._now()) >= COME_SECONDS:
                self._empty.pop(room, None)
                for act in acts:
                    await self.end(act, HUB, "line_ended")
        except (SQLAlchemyError, HubError):
            log.exception("listening not seen to", room=room)

    async def _clock(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), TICK)
            self._told.clear()
            try:
                await self._tick()
            except (SQLAlchemyError, HubError):
                log.exception("listening not seen to")

    async def _tick(self) -> None:
        here: dict[str, set[str]] = {}
        for room in {one.act.line for one in self._running.values()}:
            here[room] = {one.identity for one in self._conference.present(room, unseen=True, connected=True)}
            await self._look(room)
        now = self._now()
        for identity, one in list(self._running.items()):
            if identity in here.get(one.act.line, ()):
                one.absent_since, one.patience = None, BACK_SECONDS
            elif one.absent_since is None:
                one.absent_since = now
            elif now - one.absent_since >= one.patience:
                await self.end(one.act, HUB, "left")


def replaces(running: Iterable[Act], line: str, verb: Verb) -> list[Act]:
    """Acts of one person that another one on this line ends: nobody is on a line twice, and nobody whispers in two places."""
    return [act for act in running if act.line == line or (verb is Verb.WHISPER and act.verb is Verb.WHISPER)]
