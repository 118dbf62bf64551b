"""Telling members of a called group to come: to which of their terminals, with which ticket, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from commhub import log as logs
from commhub.groups.journal import Journal, Note
from commhub.groups.lines import Line
from commhub.groups.records import Affiliation, Person
from commhub.model import Actor, By, new_id
from commhub.rooms import InternalKey
from commhub.tasks import Tasks
from commhub.terminals import Instruction, Presence, Terminal, Terminals

log = logs.get(__name__)

REACH = {"acknowledged": "acknowledged", "refused": "refused", "silent": "silent", "gone": "offline"}
#: Ends what keeps a terminal busy: the terminal, with what it is busy, who wants it, why. False: it could not be ended.
Preempt = Callable[[str, set[str], Actor | By, str], Awaitable[bool]]


class Calling:
    """``groups`` says which of the things that a terminal is busy with are groups."""

    def __init__(self, terminals: Terminals, key: InternalKey, journal: Journal, groups: Callable[[str], bool]) -> None:
        self._terminals, self._key, self._journal, self._is_group = terminals, key, journal, groups
        self._tasks = Tasks("calling")
        self.preempt: Preempt | None = None
        #: An emergency takes a terminal out of other groups' calls.
        self.clear: Callable[[str, Line], None] = lambda terminal, line: None

    async def close(self) -> None:
        await self._tasks.close()

    def call(
        self, line: Line, people: Iterable[Person], listening: dict[str, Affiliation], by: Actor | By, *, urgent: bool
    ) -> None:
        """All of them at once; nobody is waited for."""
        for person in people:
            known = listening.get(person.id)
            terminal = self._terminal(person, known.terminal if known is not None else "")
            if terminal is None:
                line.reach[person.id] = "offline"
            elif terminal.id not in line.present:
                line.called[person.id] = terminal.id
                self._tasks.spawn(self._call(line, person, terminal, by, urgent), "member")

    def _terminal(self, person: Person, wanted: str) -> Terminal | None:
        there = self._terminals.of(person.id)
        return next((one for one in there if one.id == wanted), None) or (there[0] if there else None)

    async def _call(self, line: Line, person: Person, terminal: Terminal, by: Actor | By, urgent: bool) -> None:
        engaged = {one for one in self._terminals.occupied(terminal.id) if not self._is_group(one)}
        if (engaged or terminal.presence is Presence.DND) and not urgent:
            line.reach[person.id] = "busy"
            return
        if urgent:
            self.clear(terminal.id, line)
            if engaged and self.preempt is not None:
                await self.preempt(terminal.id, engaged, by, "emergency")
        await self._fetch(line, person, terminal, by, urgent)

    def fetch(self, line: Line, person: Person, terminal: str) -> None:
        """To the terminal at which they asked for it themselves, whatever else it is busy with."""
        line.called[person.id] = terminal
        if (there := self._terminals.get(terminal)) is not None:
            self._tasks.spawn(self._fetch(line, person, there, person.actor, False), "member")

    async def _fetch(self, line: Line, person: Person, terminal: Terminal, by: Actor | By, urgent: bool) -> None:
        line.reach[person.id] = "called"
        outcome = await self._terminals.instruct(terminal.id, self.instruction(line, person, terminal.id, by, urgent))
        if line.reach.get(person.id) != "joined":
            line.reach[person.id] = REACH[outcome.state]
        if not outcome.ok:
            data = {"name": line.record.name, "person": person.id, "state": REACH[outcome.state], "reason": outcome.reason}
            told = (by.id,) if by.id is not None else ()
            self._journal.note(Note("group.unreached", line.room, line.record.org, line.record.label, data, people=told))

    def instruction(self, line: Line, person: Person, terminal: str, by: Actor | By, urgent: bool) -> Instruction:
        record = line.record
        who = {"id": by.id or "", "name": by.name, "org_name": by.org_name if isinstance(by, Actor) else ""}
        data = {"name": record.name, "kind": record.kind, "priority": record.priority, "emergency": urgent, "talks": person.talks}
        token = self.ticket(line, person, terminal)
        return Instruction(new_id(), "join", record.id, room=line.room, token=token, by=who, auto=True, data=data)

    def ticket(self, line: Line, person: Person, terminal: str) -> str:
        """For the room of the group: a microphone for who may talk, ears for everybody."""
        return self._key.ticket(
            line.room,
            person.actor,
            terminal,
            canSubscribe=True,
            canPublish=person.talks,
            canPublishSources=["microphone"] if person.talks else [],
            canPublishData=False,
        )

    def dismiss(self, line: Line, terminals: Iterable[str], reason: str) -> None:
        """They are to leave its room."""
        for terminal in terminals:
            leave = Instruction(new_id(), "leave", line.room, room=line.room, reason=reason, auto=True)
            self._tasks.spawn(self._terminals.instruct(terminal, leave), "leave")
