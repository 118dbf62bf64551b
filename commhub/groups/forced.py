"""What is forced on calls of groups: ended, entered, somebody put out of them. Who may is not asked here; ``also`` is written
in the same transaction as what is changed, and when it cannot be, nothing has happened.

Whoever was forced in is a guest of this call alone: they talk by the rules of its floor, and listen no more when it is over.
Whoever was put out comes back with the next call, or an emergency.
"""

from __future__ import annotations

import contextlib

from commhub.conference import Conference
from commhub.errors import Conflict, HubError
from commhub.groups.groups import Also, Groups
from commhub.groups.lines import Line
from commhub.groups.records import Person
from commhub.model import Actor
from commhub.rooms import member_of
from commhub.store import Store


class Force:
    def __init__(self, store: Store, conference: Conference, groups: Groups) -> None:
        self._store, self._conference, self._groups = store, conference, groups

    async def release(self, group: str, by: Actor, also: Also) -> None:
        """Of all that are patched together with it."""
        lines = self._groups.together(self._line(group))
        await self._groups.finish([line.room for line in lines], by, "released", also)

    async def enter(self, group: str, by: Actor, terminal: str, also: Also) -> None:
        """``terminal`` is told to come, and hears what the members hear."""
        async with self._store.transaction() as transaction:
            await also(transaction)
            line = self._line(group)
        self.receive(line, by)
        self._groups.calling.fetch(line, line.guests[by.id], terminal)

    async def put_out(self, group: str, person: str, also: Also) -> None:
        """Out of all that are patched together with it."""
        async with self._store.transaction() as transaction:
            await also(transaction)
            lines = self._groups.together(self._line(group))
        for line in lines:
            self.shut_out(line, person)
            terminals = [one for one in line.present if member_of(one) == person]
            self._groups.calling.dismiss(line, terminals, "released")
            for identity in terminals:
                with contextlib.suppress(HubError):  # gone meanwhile
                    await self._conference.remove(line.room, identity)

    @staticmethod
    def receive(line: Line, by: Actor) -> None:
        line.out.discard(by.id)
        line.guests[by.id] = line.people[by.id] = Person(
            by.id, by.name, by.post, by.level, by.org, by.org_name, "", talks=True
        )  # fmt: skip

    @staticmethod
    def shut_out(line: Line, person: str) -> None:
        line.guests.pop(person, None)
        if line.people.pop(person, None) is not None:
            line.out.add(person)
            line.reach[person] = "put_out"

    def _line(self, group: str) -> Line:
        line = self._groups.line(group)
        if line is None:
            raise Conflict("The group is not being called.", "群组当前没有呼叫。", code="no_call")
        return line
