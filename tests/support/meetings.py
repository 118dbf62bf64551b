"""Consultations of a whole CommHub, and two people with the PyPI SDK who see and hear each other in one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.caller import Caller, longest_gap
from tests.support.installation import Installation, Person

HOST, GUEST = "01J00000000000000000000001", "01J00000000000000000000002"  # terminals


async def consultation(hub: Installation, *, record: bool = False) -> tuple[Person, Person, dict[str, Any]]:
    """A dispatcher's consultation with a participant invited."""
    host, guest = await hub.sign_in(hub.who("dispatcher")), await hub.sign_in(hub.who("participant"))
    made = await host.call(
        "POST",
        "/consultations",
        {"title": "重启演练", "label": "internal", "organisations": [], "people": [guest.me["person"]["id"]], "record": record},
    )
    return host, guest, made


async def ticket(person: Person, consultation: str, terminal: str) -> dict[str, Any]:
    answer: dict[str, Any] = await person.call("POST", f"/consultations/{consultation}/join", {"terminal": terminal})
    return answer


@dataclass(frozen=True)
class Meeting:
    """``host`` and ``guest`` are the identities of ``first`` and ``second``, ``person`` and ``other`` they at the REST API."""

    room: str
    person: Person
    other: Person
    host: str
    guest: str
    first: Caller
    second: Caller

    async def seen(self, *, after: float = 0.0, within: float = 20.0) -> list[float]:
        """When each of them saw a picture of the other one that came after ``after``."""
        return [await who.sees(whom, after=after, within=within) for who, whom in self._pairs()]

    def gaps(self, since: float, until: float, *, sounds: bool = True) -> list[float]:
        """Of each of them: the longest time without a picture of the other one, and with ``sounds`` that without a sound."""
        return [
            longest_gap(of[whom], since, until)
            for who, whom in self._pairs()
            for of in ((who.frames, who.sounds) if sounds else (who.frames,))
        ]

    def _pairs(self) -> tuple[tuple[Caller, str], tuple[Caller, str]]:
        return (self.first, self.guest), (self.second, self.host)

    async def about(self) -> dict[str, Any]:
        answer: dict[str, Any] = await self.person.call("GET", f"/consultations/{self.room}")
        return answer

    async def stop_recording(self) -> None:
        await self.person.call("POST", f"/consultations/{self.room}/recording", {"action": "stop"})


@asynccontextmanager
async def meeting(hub: Installation, *, record: bool = False) -> AsyncIterator[Meeting]:
    """Both are there, and see each other."""
    person, other, made = await consultation(hub, record=record)
    mine, theirs = await ticket(person, made["id"], HOST), await ticket(other, made["id"], GUEST)
    async with Caller(mine["url"], mine["token"]) as first, Caller(theirs["url"], theirs["token"]) as second:
        found = Meeting(made["id"], person, other, mine["identity"], theirs["identity"], first, second)
        await found.seen()
        yield found
