"""Conference control by the clock, and what a restarted hub says before anybody is known to be there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.events import Published
from commhub.rooms import Entering, Hearing, Leading, Watch
from commhub.rooms.lobby import KEPT_SECONDS
from commhub.rooms.steps import MINUTE
from commhub.rooms.watch import LOST_SECONDS, SETTLE_SECONDS
from commhub.store.controls import Control
from tests.support.consultations import come_in, create, heard
from tests.support.hubs import Hub, running


class Hall:
    """A consultation of Zhou, who chairs, Li and Chen; time goes on when it is told to."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.at, self.ns = hub, 100.0, 1_000 * MINUTE
        self.leading, self.room = hub.parts.leading, ""
        self.leading.now = lambda: self.ns
        self.entering = Entering(self.leading, hub.parts.rooms, lambda: self.at)
        self.watch = Watch(self.leading, self.entering, lambda: self.at)

    async def begin(self) -> None:
        people = [self.hub.ids["li-sihan"], self.hub.ids["chen-zhixing"]]
        self.room = (await create(self.hub, people=people)).id
        self.people = {account: (await self.hub.person(account)).id for account in ("dispatcher", "water", "emergency")}

    async def look(self, seconds: float = 0.0) -> Control:
        self.at += seconds
        await self.watch.look(self.room)
        return await self.control()

    async def control(self) -> Control:
        return (await self.hub.parts.rooms.find(self.room, await self.hub.person("dispatcher"))).control

    async def leave(self, account: str) -> None:
        for identity in [one for one in self.hub.conference.rooms[self.room] if one.startswith(self.people[account])]:
            await self.hub.conference.remove(self.room, identity)


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    async with running(tmp_path) as hub:
        hall = Hall(hub)
        await hall.begin()
        yield hall


async def test_a_co_chair_leads_while_the_chair_is_lost(hall: Hall) -> None:
    zhou, li = await hall.hub.person("dispatcher"), hall.people["water"]
    for account in ("dispatcher", "water"):
        await come_in(hall.hub, hall.room, account)
    await hall.leading.co_chairs(hall.room, zhou, [hall.people["emergency"], li], None)
    await hall.leave("dispatcher")
    assert (await hall.look()).acting == ""
    assert (await hall.look(LOST_SECONDS - 0.1)).acting == ""
    assert (await hall.look(0.2)).acting == li  # the first one is not there
    rights = hall.hub.parts.rooms.view(
        await hall.hub.parts.rooms.find(hall.room, await hall.hub.person("water")), await hall.hub.person("water")
    )
    assert {"chair", "end"} <= set(rights.may)
    await come_in(hall.hub, hall.room, "dispatcher")
    assert (await hall.look()).acting == ""
    await hall.leave("dispatcher")
    await hall.leave("water")
    assert (await hall.look(0.1)).acting == ""
    assert (await hall.look(LOST_SECONDS)).acting == ""  # nobody could: it stays
    assert li in (await hall.control()).co_chairs


async def test_hands_and_a_broadcast_of_who_has_left_end(hall: Hall) -> None:
    zhou, li = await hall.hub.person("dispatcher"), await hall.hub.person("water")
    for account in ("dispatcher", "water"):
        await come_in(hall.hub, hall.room, account)
    await hall.leading.raise_hand(hall.room, li)
    await hall.leading.broadcast(hall.room, zhou, li.id, None)
    assert len((await hall.look()).hands) == 1
    await hall.leave("water")
    after = await hall.look()
    assert (after.hands, after.broadcast) == ((), "")
    assert hall.hub.conference.speakers[hall.room] is None


async def test_who_waits_and_is_silent_is_forgotten(hall: Hall) -> None:
    zhou = await hall.hub.person("dispatcher")
    await hall.entering.set_mode(hall.room, zhou, "everybody", None)
    for account in ("water", "emergency"):
        await hall.entering.join(hall.room, await hall.hub.person(account), "01K00000000000000000000001", "ws://hub")
    assert len((await hall.look(KEPT_SECONDS - 1)).waiting) == 2
    await hall.entering.join(hall.room, await hall.hub.person("water"), "01K00000000000000000000001", "ws://hub")
    assert [one.person for one in (await hall.look(2)).waiting] == [hall.people["water"]]


async def test_the_end_is_announced_and_nothing_ends(hall: Hall) -> None:
    zhou, events = await hall.hub.person("dispatcher"), heard(hall.hub)

    def said() -> list[int]:
        return [one.event.data["minutes"] for one in events if one.event.type == "consultation.ending"]

    await hall.leading.plan_end(hall.room, zhou, hall.ns + 10 * MINUTE, None)
    for minutes, expected in ((4, []), (1, [5]), (1, [5]), (3, [5, 1]), (1, [5, 1, 0]), (9, [5, 1, 0])):
        hall.ns += minutes * MINUTE
        await hall.look(1)
        assert said() == expected
    await hall.leading.extend(hall.room, zhou, 15)
    assert (await hall.control()).ends_at == hall.ns + 15 * MINUTE
    assert (await hall.hub.parts.rooms.find(hall.room, zhou)).live


async def test_a_restarted_hub_says_the_gates_before_anybody_is_there(hall: Hall) -> None:
    zhou = await hall.hub.person("dispatcher")
    chair, one = [(await come_in(hall.hub, hall.room, account)).identity for account in ("dispatcher", "water")]
    await hall.leading.mute(hall.room, zhou, True, False, None)
    await hall.leading.side(hall.room, zhou, "A", [hall.people["water"], zhou.id], False)
    parts, conference = hall.hub.parts, hall.hub.conference
    conference.speakers.clear()
    conference.apart.clear()
    there = conference.rooms[hall.room]
    conference.rooms[hall.room] = {}  # no worker has told anything yet
    again = Leading(parts.store, parts.auth, parts.rooms, conference, Hearing(conference))
    await again.start()
    assert conference.speakers[hall.room] == frozenset({chair, one})  # talks apart: heard there alone
    kept = conference.apart[hall.room]
    assert kept is not None
    assert kept(one, "somebody:else")
    conference.rooms[hall.room] = there
    again.settled()
    assert conference.speakers[hall.room] == frozenset({chair, one})
    assert SETTLE_SECONDS > LOST_SECONDS  # nobody takes the chair before everybody could come back


async def test_an_event_of_who_waits_goes_to_chairs_alone(hall: Hall) -> None:
    zhou, li, chen = [await hall.hub.person(account) for account in ("dispatcher", "water", "emergency")]
    await hall.leading.co_chairs(hall.room, zhou, [chen.id], None)
    events: list[Published] = heard(hall.hub)
    await hall.entering.set_mode(hall.room, zhou, "everybody", None)
    await hall.entering.join(hall.room, li, "01K00000000000000000000001", "ws://hub")
    waiting = [one for one in events if one.event.type == "consultation.waiting"]
    assert [one.concerns(chen) for one in waiting] == [True]
    assert [one.concerns(li) for one in waiting] == [False]
    for one in events:
        if one.concerns(li):
            assert zhou.name not in one.wire
            assert zhou.id not in one.wire
