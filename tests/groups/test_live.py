"""A floor joined to microphones and terminals: gates first, then words, then the diary."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from commhub.conference import Presence
from commhub.errors import Conflict
from commhub.groups.journal import Note
from commhub.groups.lines import Line
from commhub.groups.live import Live
from commhub.groups.records import Person, Record
from commhub.groups.shapes import Rule
from commhub.hidden import Secret
from commhub.model import Actor
from commhub.rooms import Hearing, InternalKey
from commhub.terminals import Page, Terminals
from tests.support import until
from tests.support.hubs import FakeConference

TOLD = "01J0000000000000000000000T"
_numbers = itertools.count(1)


class Diary:
    def __init__(self) -> None:
        self.notes: list[Note] = []

    def note(self, note: Note) -> None:
        self.notes.append(note)


class Hall:
    """Groups that are called, and people with terminals; time stands still until it is told to go on."""

    def __init__(self) -> None:
        self.at = 100.0
        self.conference, self.terminals, self.diary = FakeConference(), Terminals(), Diary()
        self.said: dict[str, list[dict[str, Any]]] = {}
        self.over: list[str] = []
        key = InternalKey("hub", Secret("k" * 48))
        self.live = Live(self.conference, Hearing(self.conference), self.terminals, key, self.diary, clock=lambda: self.at)  # type: ignore[arg-type]
        self.live.over = self._over

    async def _over(self, group: str) -> None:
        self.over.append(group)

    async def call(self, group: str, **levels: int) -> None:
        people = {name: Person(name, name, "", level, "org", "Org", "O") for name, level in levels.items()}
        record = Record(
            group, "fixed", group, "org", "Org", "internal", 3, Rule(), 30.0, 4.0, 10.0, 20, "x", 1, False, 1,
            dict.fromkeys(people, True),
        )  # fmt: skip
        await self.live.open(Line(record, people, 1, "x"))

    async def come(self, group: str, *people: str) -> None:
        for person in people:
            actor = Actor(person, person, person, "", 5, "org", "Org")
            if self.identity(person) not in self.said:
                said = self.said[self.identity(person)] = []
                page = Page(next(_numbers), lambda actor=actor: actor, said.append)  # type: ignore[misc]
                await self.terminals.receive(page, {"type": "terminal", "id": TOLD, "kind": "console", "name": "A"})
            presence = Presence(self.identity(person), person)
            self.conference.rooms.setdefault(group, {})[presence.identity] = presence
            self.live.joined(group, presence)

    @staticmethod
    def identity(person: str) -> str:
        return f"{person}:{TOLD}"

    def ask(self, group: str, what: Any, person: str) -> str:
        return self.live.ask(group, what, self.identity(person)).you

    def heard(self, group: str) -> set[str]:
        return {one.partition(":")[0] for one in self.conference.speakers[group] or ()}

    def last(self, person: str) -> dict[str, Any]:
        return [one for one in self.said[self.identity(person)] if one["type"] == "floor"][-1]

    def notes(self) -> list[tuple[str, str, str]]:
        return [(one.type, one.data["person"], one.data["reason"]) for one in self.diary.notes]


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    hall = Hall()
    yield hall
    await hall.live.close()


async def test_nobody_is_heard_before_they_have_the_floor(hall: Hall) -> None:
    await hall.call("g", zhou=5, li=5)
    assert hall.conference.governed[0] == ("g", frozenset())
    await hall.come("g", "zhou", "li")
    assert hall.heard("g") == set()
    assert hall.ask("g", "request", "zhou") == "granted"
    assert hall.heard("g") == {"zhou"}
    assert hall.ask("g", "request", "li") == "queued"
    assert (hall.last("li")["you"], hall.last("li")["place"], hall.last("li")["holder"]["id"]) == ("queued", 1, "zhou")
    hall.ask("g", "release", "zhou")
    assert hall.heard("g") == {"li"}
    assert [speakers for _, speakers in hall.conference.governed[-2:]] == [frozenset(), {hall.identity("li")}]
    assert hall.notes() == [
        ("floor.granted", "zhou", ""),
        ("floor.queued", "li", ""),
        ("floor.idle", "zhou", "released"),
        ("floor.granted", "li", ""),
    ]


async def test_who_is_cut_hears_by_whom_and_why(hall: Hall) -> None:
    await hall.call("g", zhou=5, chief=1)
    await hall.come("g", "zhou", "chief")
    hall.ask("g", "request", "zhou")
    assert hall.ask("g", "override", "chief") == "granted"
    told = hall.last("zhou")
    assert (told["you"], told["reason"], told["by"]["id"]) == ("revoked", "overridden", "chief")
    assert hall.ask("g", "override", "zhou") == "refused"


async def test_who_leaves_leaves_the_floor(hall: Hall) -> None:
    await hall.call("g", zhou=5, li=5)
    await hall.come("g", "zhou", "li")
    hall.ask("g", "request", "zhou")
    hall.live.left("g", Presence(hall.identity("zhou"), ""))
    assert hall.heard("g") == set()
    with pytest.raises(Conflict):
        hall.live.ask("nothing", "request", hall.identity("li"))


async def test_the_clock_takes_the_floor_from_who_says_nothing_and_ends_the_call(hall: Hall) -> None:
    await hall.call("g", zhou=5, li=5)
    await hall.come("g", "zhou", "li")
    hall.ask("g", "request", "zhou")
    hall.live.start()
    hall.conference.spoke("g", hall.identity("zhou"), True)
    hall.at += 20
    await asyncio.sleep(0.25)
    assert hall.heard("g") == {"zhou"}
    hall.conference.spoke("g", hall.identity("zhou"), False)
    hall.at += 5
    await asyncio.sleep(0.25)
    assert hall.heard("g") == set()
    assert hall.last("zhou")["reason"] == "silence"
    hall.at += 11
    await asyncio.sleep(0.25)
    assert hall.over == ["g"]


async def test_a_patch_shares_the_floor_and_shows_everybody_in_both_rooms_once(hall: Hall) -> None:
    await hall.call("a", zhou=5, both=5)
    await hall.call("b", li=3, both=5)
    await hall.come("a", "zhou", "both")
    await hall.come("b", "li", "both")
    hall.ask("a", "request", "zhou")
    hall.ask("b", "request", "li")
    assert (hall.heard("a"), hall.heard("b")) == ({"zhou"}, {"li"})

    hall.live.patch({"p": ["a", "b"]})
    assert (hall.heard("a"), hall.heard("b")) == (set(), set())  # two holders would be one too many
    assert hall.last("zhou")["reason"] == "patched" or hall.last("zhou")["you"] == "idle"
    zhou, li, both = hall.identity("zhou"), hall.identity("li"), hall.identity("both")
    assert {("a", zhou, "b"), ("b", li, "a")} <= hall.conference.forwarded
    assert hall.ask("a", "request", "zhou") == "granted"
    assert (hall.heard("a"), hall.heard("b")) == ({"zhou"}, {"zhou"})
    assert hall.ask("b", "request", "li") == "queued"
    apart = hall.conference.apart["b"]
    assert apart is not None
    assert apart(zhou, both)  # who is in both rooms hears it in the first
    assert not apart(zhou, li)
    assert not apart(li, both)
    await hall.come("a", "wu")
    assert ("a", hall.identity("wu"), "b") not in hall.conference.forwarded  # no member

    hall.live.patch({})
    assert hall.conference.forwarded == set()
    assert hall.conference.apart == {"a": None, "b": None}
    hall.ask("a", "request", "zhou")
    hall.ask("b", "request", "li")
    assert (hall.heard("a"), hall.heard("b")) == ({"zhou"}, {"li"})


async def test_an_image_of_somebody_is_nobody_of_this_room(hall: Hall) -> None:
    await hall.call("a", zhou=5)
    await hall.call("b", zhou=5)
    hall.live.joined("b", Presence(hall.identity("zhou"), "", forwarded=True))
    assert hall.live.lines["b"].present == set()


async def test_an_emergency_is_above_all_and_does_not_end_by_itself(hall: Hall) -> None:
    await hall.call("g", zhou=9, chief=1)
    await hall.come("g", "zhou", "chief")
    hall.ask("g", "request", "chief")
    hall.live.alarm("g", "zhou")
    assert hall.ask("g", "request", "zhou") == "granted"
    assert hall.last("chief")["reason"] == "emergency"
    net = hall.live.net("g")
    assert net is not None
    hall.ask("g", "release", "zhou")
    assert net.floor.deadline is None
    hall.live.calm("g")
    assert net.floor.deadline == hall.at + 10


async def test_people_whom_a_restarted_hub_finds_in_a_room_are_there(hall: Hall) -> None:
    await hall.call("g", zhou=5, li=5)
    await hall.come("g", "li")
    zhou, li = hall.identity("zhou"), hall.identity("li")
    hall.conference.rooms["g"] = {zhou: Presence(zhou, "zhou")}  # nobody said that one came and one went
    hall.live.start()
    await until(lambda: hall.live.lines["g"].present == {zhou})
    assert li not in hall.live.lines["g"].present
    assert hall.ask("g", "request", "zhou") == "granted"
