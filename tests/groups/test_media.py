"""Push to talk with real media: who has the floor is heard, who has not is not, however hard they try."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import until
from tests.support.crowd import Crowd, crowd
from tests.support.installation import Installation
from tests.support.proofs import Figure
from tests.support.talkers import Talker, colleagues, percentile, talker

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Installation]:
    async with Installation(tmp_path) as hub:
        yield hub


async def gathered(
    stack: AsyncExitStack, hub: Installation, levels: list[int], talks: int = 99, *, once: bool = False
) -> list[Talker]:
    """People at their terminals; the first is in charge."""
    crew = await colleagues(hub, levels)
    found = [
        await stack.enter_async_context(talker(hub, one, talks=number < talks, once=once)) for number, one in enumerate(crew)
    ]
    await until(lambda: all(one.told for one in found))
    return found


async def called(crew: list[Talker], **more: Any) -> str:
    """A temporary group of all of them that is being called: its id, when everybody is in the room."""
    members = [one.who.id for one in crew]
    times = {"limit": 0, "silence": 0, "hang": 0}
    body = {"name": "演练", "kind": "temporary", "members": members, "times": times, **more}
    group: str = (await crew[0].call("POST", "/groups", body))["id"]
    await crew[0].call("POST", f"/groups/{group}/call", {})
    await until(lambda: all(one.floors for one in crew), 60, "everybody is in the call")
    return group


async def test_only_who_has_the_floor_is_heard(hub: Installation) -> None:
    async with AsyncExitStack() as stack:
        crew = await gathered(stack, hub, [3, 5, 7])
        chief, one, other = crew
        group = await called(crew)
        await asyncio.sleep(1.0)  # all three send a tone, and have since they came
        assert [sum(map(len, each.heard.values())) for each in crew] == [0, 0, 0]

        asked = time.monotonic()
        await one.say(group, "request")
        await other.hears(one.identity, asked)
        await chief.hears(one.identity, asked)
        await chief.call("POST", f"/groups/{group}/floor", {"action": "revoke", "terminal": chief.told, "reason": "静默"})
        await asyncio.sleep(0.6)
        silent = time.monotonic()
        await asyncio.sleep(1.0)
        assert not any(at > silent for each in crew for heard in each.heard.values() for at in heard)


async def test_a_cheat_is_not_heard(hub: Installation) -> None:
    """Publishes anew again and again, unmuted, with and without having been cut: not a packet comes through."""
    async with AsyncExitStack() as stack:
        crew = await gathered(stack, hub, [3, 7], talks=0)
        chief, cheat = crew
        group = await called(crew)
        for _ in range(3):
            publication = await cheat.publish(group)
            await asyncio.sleep(0.4)
            publication.track.mute()
            await asyncio.sleep(0.1)
            publication.track.unmute()
            await asyncio.sleep(0.4)
            await cheat.rooms[group].local_participant.unpublish_track(publication.sid)
        assert not chief.heard[cheat.identity]
        assert await chief.packets(cheat.identity) == 0


async def _times(hub: Installation, rounds: int, crew: list[Talker], group: str) -> tuple[list[float], list[float]]:
    """Grant → audible and revoke → silent at the listener, seconds, of each round."""
    chief, one = crew[0], crew[1]
    grants, revokes = [], []
    for number in range(rounds):
        asked = time.monotonic()
        await one.say(group, "request")
        grants.append(await chief.hears(one.identity, asked) - asked)
        await asyncio.sleep(0.3 + 0.01 * (number % 10))
        cut = time.monotonic()
        await chief.say(group, "revoke", "测量")
        await asyncio.sleep(0.5)
        revokes.append(max(at for at in chief.heard[one.identity]) - cut)
    return grants, revokes


@pytest.mark.prove
async def test_the_times_of_the_floor(hub: Installation, figure: Figure) -> None:
    async with AsyncExitStack() as stack:
        crew = await gathered(stack, hub, [3, 5, 7], talks=2)
        group = await called(crew)
        await _times(hub, 2, crew, group)
        grants, revokes = await _times(hub, 50, crew, group)
        good = figure("floor: request → audible at a PyPI client, p95", percentile(grants, 0.95) * 1000, "ms", goal="≤ 200 ms")
        good &= figure("floor: revoke → silent at a PyPI client, p95", percentile(revokes, 0.95) * 1000, "ms", goal="≤ 150 ms")
        leaked = await _leaks(crew, group)
        good &= figure("floor: a client that publishes and unmutes by itself leaks, worst of 20", leaked, "ms", goal="≤ 100 ms")
        assert good


async def _leaks(crew: list[Talker], group: str) -> float:
    """ms of sound, the most of 20 tries, of somebody who was cut and publishes, mutes and unmutes by themselves."""
    chief, cheat, worst = crew[0], crew[2], 0
    for _ in range(20):
        before = len(chief.heard[cheat.identity])
        publication = await cheat.publish(group)
        await asyncio.sleep(0.2)
        publication.track.mute()
        publication.track.unmute()
        await asyncio.sleep(0.2)
        await cheat.rooms[group].local_participant.unpublish_track(publication.sid)
        worst = max(worst, len(chief.heard[cheat.identity]) - before)
    return worst * 10.0


@dataclass(frozen=True)
class Heard:
    """Seconds: from the call until all were told to come, until all were in the room, until all heard who talks; and from the
    moment somebody late began to listen until they heard it."""

    told: float
    entered: float
    heard: float
    late: float


async def _all_hear(crew: list[Talker], light: Crowd | None = None, members: list[str] | None = None) -> Heard:
    """A temporary group is made and called at once, the first one talks; the last one of ``crew`` listens later."""
    chief, *others, late = crew
    times = {"limit": 0, "silence": 0, "hang": 0}
    body = {"name": "大组", "kind": "temporary", "members": members or [one.who.id for one in crew], "times": times}
    group = (await chief.call("POST", "/groups", body))["id"]
    await late.call("POST", f"/groups/{group}/unaffiliate", {})
    began = time.monotonic()
    await chief.call("POST", f"/groups/{group}/call", {})
    while chief.you(group) not in ("granted", "queued"):
        if any(said["group"] == group for _, said in chief.floors):
            await chief.say(group, "request")
        await asyncio.sleep(0.02)
    heard = [await one.hears(chief.identity, began, within=120) for one in others]
    told = [at for one in others for at, said in one.instructions if said["verb"] == "join"]
    entered = [one.entered[group] for one in others]
    if light is not None:
        heard += await light.all("heard")
        told += await light.all("told")
        entered += await light.all("entered")
    came = time.monotonic()
    await late.call("POST", f"/groups/{group}/affiliate", {"terminal": late.told})
    latest = await late.hears(chief.identity, came, within=60)
    return Heard(max(told) - began, max(entered) - began, max(heard) - began, latest - came)


async def test_a_group_of_eight_and_one_who_comes_late_hear_who_talks(hub: Installation) -> None:
    async with AsyncExitStack() as stack:
        everybody = await colleagues(hub, [5] * 9)
        crew = [await stack.enter_async_context(talker(hub, one, talks=not n, once=True)) for n, one in enumerate(everybody[:4])]
        others = [{"id": one.id, "name": one.name, "token": one.token} for one in everybody[4:]]
        light = await stack.enter_async_context(crowd(hub.base, others))
        await until(lambda: all(one.told for one in crew))
        await _all_hear(crew, light, [one.id for one in everybody])


@pytest.mark.prove
@pytest.mark.timeout(300)
async def test_a_group_of_fifty_hears_who_talks(hub: Installation, figure: Figure) -> None:
    """Five PyPI clients and 46 light ones, all with media of their own: fifty of PyPI's in one process wait for themselves."""
    async with AsyncExitStack() as stack:
        everybody = await colleagues(hub, [5] * 51)
        crew = [await stack.enter_async_context(talker(hub, one, talks=not n, once=True)) for n, one in enumerate(everybody[:5])]
        others = [{"id": one.id, "name": one.name, "token": one.token} for one in everybody[5:]]
        light = await stack.enter_async_context(crowd(hub.base, others))
        await until(lambda: all(one.told for one in crew))
        took = await _all_hear(crew, light, [one.id for one in everybody])
        figure("group of 50 clients: call → all told to come", took.told, "s")
        figure("group of 50 clients: call → all in the room, as the clients say", took.entered, "s")
        good = figure("group of 50 clients: call → all hear the one who talks", took.heard, "s", goal="≤ 2 s")
        good &= figure("group of 50 clients: who comes late hears", took.late, "s", goal="≤ 1 s")
        assert good


# ---- broadcasts, patches and emergencies


async def test_a_broadcast_is_heard_and_its_listeners_are_not(hub: Installation) -> None:
    """Everybody is called; a listener who publishes all the same is refused, and nothing of it is forwarded."""
    async with AsyncExitStack() as stack:
        crew = await gathered(stack, hub, [3, 5, 7])
        chief, listener, other = crew
        people = {"members": [chief.who.id], "listeners": [listener.who.id, other.who.id]}
        body = {"name": "防汛通知", "kind": "broadcast", "times": {"limit": 0, "silence": 0, "hang": 0}, **people}
        group = (await chief.call("POST", "/groups", body))["id"]
        await chief.call("POST", f"/groups/{group}/call", {})
        await until(lambda: all(group in one.entered for one in crew), 60, "everybody is in the call")
        assert [one.instructions[0][1]["data"]["talks"] for one in crew] == [True, False, False]
        asked = time.monotonic()
        await chief.say(group, "request")
        for one in (listener, other):
            await one.hears(chief.identity, asked)
        await chief.say(group, "release")
        await listener.say(group, "request")
        await until(lambda: listener.floors[-1][1]["reason"] == "listener", what="told that they listen")
        with contextlib.suppress(Exception):  # refused at once, or never answered
            await asyncio.wait_for(listener.publish(group), 3)
        await asyncio.sleep(0.5)
        assert not other.tracks[listener.identity]
        assert [sum(map(len, one.heard.values())) for one in (chief, other)] == [0, len(other.heard[chief.identity])]


async def two_groups(crew: list[Talker]) -> tuple[str, str, str]:
    """Two of them in each, called, and patched: the ids of both and of the patch."""
    first, second = await called(crew[:2]), await called_by(crew[0], crew[2:])
    body = {"name": "联合", "kind": "patched", "groups": [first, second]}
    return first, second, (await crew[0].call("POST", "/groups", body))["id"]


async def called_by(chief: Talker, crew: list[Talker]) -> str:
    """Who is in charge makes the group and has it called, and is not in it."""
    times = {"limit": 0, "silence": 0, "hang": 0}
    body = {"name": "外协", "kind": "temporary", "members": [one.who.id for one in crew], "times": times}
    group: str = (await chief.call("POST", "/groups", body))["id"]
    await chief.call("POST", f"/groups/{group}/call", {})
    await until(lambda: all(group in one.entered for one in crew), 60, "everybody is in the call")
    return group


async def emergency(crew: list[Talker], group: str, mine: str) -> tuple[float, float]:
    """The second one talks; the third, of a lower level, raises an emergency and takes the floor. Seconds until the first hears
    it, and until the second is told why."""
    chief, holder, urgent = crew[:3]
    asked = time.monotonic()
    await holder.say(mine, "request")
    await chief.hears(holder.identity, asked)
    await urgent.call("POST", f"/groups/{group}/emergency", {"kind": "call", "terminal": urgent.told, "reason": "落水"})
    asked = time.monotonic()
    await urgent.say(group, "request")
    heard = await chief.hears(urgent.identity, asked)
    await until(lambda: any(at > asked and said["you"] == "revoked" for at, said in holder.floors), what="told why")
    at, said = next((at, said) for at, said in holder.floors if at > asked and said["you"] == "revoked")
    assert said["reason"] == "emergency"
    return heard - asked, at - asked


async def test_an_emergency_takes_the_floor_of_a_patch_and_its_holder_is_told_why(hub: Installation) -> None:
    async with AsyncExitStack() as stack:
        crew = await gathered(stack, hub, [3, 5, 7, 7])
        chief, one, other, fourth = crew
        first, second, patch = await two_groups(crew)
        asked = time.monotonic()
        await one.say(first, "request")
        for each in (chief, other, fourth):
            await each.hears(one.identity, asked)
        await one.say(first, "release")
        await asyncio.sleep(0.5)
        await emergency(crew, second, first)
        # Parted again: each goes on by itself.
        await chief.call("DELETE", f"/groups/{patch}", status=204)
        await asyncio.sleep(0.8)
        asked = time.monotonic()
        await one.say(first, "request")
        await chief.hears(one.identity, asked)
        await asyncio.sleep(0.5)
        assert not any(at > asked for each in (other, fourth) for at in each.heard[one.identity])


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_the_times_of_an_emergency(hub: Installation, figure: Figure) -> None:
    async with AsyncExitStack() as stack:
        crew = await gathered(stack, hub, [3, 5, 7, 7])
        chief, holder, urgent, _ = crew
        group = await called(crew)
        audible, told, alarms = list[float](), list[float](), list[float]()
        for _ in range(20):
            heard, why = await emergency(crew, group, group)
            audible.append(heard)
            told.append(why)
            await urgent.say(group, "release")
            await chief.call("POST", f"/groups/{group}/emergency/cancel", {"reason": "演练"})
            await holder.say(group, "queue_leave")
            await asyncio.sleep(0.6)
        for _ in range(20):
            before, asked = len(chief.said), time.monotonic()
            await urgent.call("POST", f"/groups/{group}/emergency", {"kind": "alarm", "terminal": urgent.told, "reason": "演练"})
            await until(lambda before=before: any('"group.emergency"' in said for said in chief.said[before:]))  # type: ignore[misc]
            alarms.append(time.monotonic() - asked)
            await chief.call("POST", f"/groups/{group}/emergency/cancel", {"reason": "演练"})
        good = figure("emergency: request → audible in place of a busy holder, p95", percentile(audible, 0.95), "s", goal="≤ 1 s")
        good &= figure("emergency: request → the holder is told why, p95", percentile(told, 0.95), "s", goal="≤ 1 s")
        good &= figure("emergency alarm: raised → at who is in charge, p95", percentile(alarms, 0.95), "s", goal="≤ 1 s")
        assert good
