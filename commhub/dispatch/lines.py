"""Lines: calls, consultations and groups that are called, in which people really are, as forced verbs see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from commhub.calls import Calls
from commhub.calls.machine import Call, State
from commhub.conference import Conference
from commhub.dispatch.policy import CONSULTATION_PRIORITY, LineKind
from commhub.groups import Groups
from commhub.model import ULID_PATTERN
from commhub.rooms import member_of
from commhub.store import Reading, consultations, tables

_ULID = re.compile(ULID_PATTERN)
_c = tables.consultations.c


@dataclass(frozen=True, slots=True)
class Line:
    """``people``: each with their identities in its room. ``flowing``: at least two of them hear each other now; a line on which
    somebody is alone, or holds, is nothing to listen to."""

    kind: LineKind
    id: str
    title: str
    org: str
    label: str
    people: Mapping[str, frozenset[str]]
    flowing: bool
    priority: int
    emergency: bool = False
    host: str = ""

    @property
    def rank(self) -> tuple[bool, int]:
        return self.emergency, self.priority


def of_call(call: Call) -> Line:
    people: dict[str, frozenset[str]] = {}
    for leg in call.active:
        people[leg.person] = people.get(leg.person, frozenset()) | {leg.terminal}
    talking = {leg.person for leg in call.active if leg.state is State.ANSWERED}
    return Line(
        "call", call.id, "", call.org, call.label, people, len(talking) >= 2, call.priority, call.emergency
    )  # fmt: skip


class Lines:
    """``visitors`` says which identities are those of forced verbs: they are on no line themselves."""

    def __init__(self, calls: Calls, conference: Conference, groups: Groups) -> None:
        self._calls, self._conference, self._groups = calls, conference, groups
        self.visitors: dict[str, object] = {}  # by identity

    def there(self, room: str) -> dict[str, frozenset[str]]:
        """People in the room of a consultation, each with their identities."""
        found: dict[str, frozenset[str]] = {}
        for one in self._conference.present(room, connected=True):
            person = member_of(one.identity)
            if one.kind == "person" and one.identity not in self.visitors and _ULID.fullmatch(person):
                found[person] = found.get(person, frozenset()) | {one.identity}
        return found

    async def call(self, id: str) -> Line | None:
        call = self._calls.live.get(id)
        return of_call(call) if call is not None else None

    async def consultation(self, reading: Reading, id: str) -> Line | None:
        record = await consultations.one(reading, id)
        if record is None or not record.live:
            return None
        people = self.there(id)
        return Line(
            "consultation", id, record.title, record.org_id, str(record.label), people, len(people) >= 2,
            CONSULTATION_PRIORITY, host=record.host.id,
        )  # fmt: skip

    def group(self, id: str) -> Line | None:
        """Its call, with everybody who hears it: those of groups that are patched together with it, too."""
        line = self._groups.line(id)
        if line is None:
            return None
        people: dict[str, frozenset[str]] = {}
        for identity in sorted(set().union(*(one.present for one in self._groups.together(line)))):
            person = member_of(identity)
            people[person] = people.get(person, frozenset()) | {identity}
        net, record = self._groups.live.net(line.room), line.record
        return Line(
            "group", line.room, record.name, record.org, str(record.label), people, len(people) >= 2, record.priority,
            emergency=net is not None and bool(net.urgent),
        )  # fmt: skip

    async def find(self, reading: Reading, kind: LineKind, id: str) -> Line | None:
        match kind:
            case "call":
                return await self.call(id)
            case "group":
                return self.group(id)
            case _:
                return await self.consultation(reading, id)

    async def of(self, reading: Reading, person: str) -> Line | None:
        """The line this person is on: the call that is talked in, else a consultation, else a group, else a call on hold."""
        mine = [call for call in self._calls.live.values() if any(leg.active and leg.person == person for leg in call.legs)]
        talking = [call for call in mine if any(leg.person == person and leg.state is State.ANSWERED for leg in call.legs)]
        talking.sort(key=lambda call: (of_call(call).flowing, call.id))
        if talking:
            return of_call(talking[-1])
        rooms = [room for room in self._conference.named("") if _ULID.fullmatch(room) and person in self.there(room)]
        for room in await _consultations(reading, rooms):
            if (line := await self.consultation(reading, room)) is not None:
                return line
        for room in sorted(self._groups.live.lines):
            if (group := self.group(room)) is not None and person in group.people:
                return group
        return of_call(mine[-1]) if mine else None


async def _consultations(reading: Reading, rooms: Iterable[str]) -> list[str]:
    """Newest first."""
    found = sa.select(_c.id).where(_c.id.in_(list(rooms)[:1000]), _c.state == "live").order_by(_c.id.desc())
    return list((await reading.connection.scalars(found)).all())
