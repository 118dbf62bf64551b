"""Push to talk with real media: who has the floor is heard, who has not is not, however hard they try."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import until
from tests.support.installation import Installation
from tests.support.proofs import Figure
from tests.support.talkers import Talker, colleagues, percentile, talker

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Installation]:
    async with Installation(tmp_path) as hub:
        yield hub


async def gathered(stack: AsyncExitStack, hub: Installation, levels: list[int], talks: int = 99) -> list[Talker]:
    """People at their terminals; the first is in charge."""
    crew = await colleagues(hub, levels)
    found = [await stack.enter_async_context(talker(hub, one, talks=number < talks)) for number, one in enumerate(crew)]
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


async def _all_hear(crew: list[Talker]) -> tuple[float, float]:
    """All but the last listen to a group that is called, one talks: seconds until all hear it, and the last, who comes late."""
    *crew, late = crew
    members = [one.who.id for one in [*crew, late]]
    chief = crew[0]
    times = {"limit": 0, "silence": 0, "hang": 0}
    began = time.monotonic()
    body = {"name": "大组", "kind": "fixed", "members": members, "times": times}
    group = (await chief.call("POST", "/groups", body))["id"]
    await asyncio.gather(*(one.call("POST", f"/groups/{group}/affiliate", {"terminal": one.told}) for one in crew))
    began = time.monotonic()
    await chief.call("POST", f"/groups/{group}/call", {})
    while chief.you(group) not in ("granted", "queued"):
        if any(said["group"] == group for _, said in chief.floors):
            await chief.say(group, "request")
        await asyncio.sleep(0.02)
    firsts = [await one.hears(chief.identity, began, within=120) for one in crew[1:]]
    came = time.monotonic()
    await late.call("POST", f"/groups/{group}/affiliate", {"terminal": late.told})
    return max(firsts) - began, await late.hears(chief.identity, came) - came


async def test_a_group_of_eight_and_one_who_comes_late_hear_who_talks(hub: Installation) -> None:
    async with AsyncExitStack() as stack:
        crew = await gathered(stack, hub, [5] * 9, talks=1)
        await _all_hear(crew)


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_a_group_of_fifty_hears_who_talks(hub: Installation, figure: Figure) -> None:
    async with AsyncExitStack() as stack:
        crew = await gathered(stack, hub, [5] * 51, talks=1)
        everybody, late = await _all_hear(crew)
        good = figure("group of 50 PyPI clients: call → all hear the one who talks", everybody, "s", goal="≤ 2 s")
        good &= figure("group of 50 PyPI clients: who comes late hears", late, "s", goal="≤ 1 s")
        assert good
