"""What kills cost a recording in the whole product, over and over: `make prove`. The short forms are in ``test_kills`` and
``tests/recorder/test_kill``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.caller import Caller
from tests.support.installation import Installation, Person
from tests.support.meetings import GUEST, HOST, consultation, ticket
from tests.support.proofs import Figure

pytestmark = [pytest.mark.peer, pytest.mark.prove, pytest.mark.timeout(1800)]

KILLS = 20


async def detail(reviewer: Person, consultation: str) -> dict[str, Any]:
    (listed,) = (await reviewer.call("GET", f"/recordings?consultation={consultation}"))["items"]
    found: dict[str, Any] = await reviewer.call("GET", f"/recordings/{listed['id']}")
    return found


async def flows(reviewer: Person, consultation: str, since: float, tracks: int, within: float = 40) -> None:
    """Until so many tracks have a file that began after ``since`` (unix seconds)."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        with contextlib.suppress(aiohttp.ClientError, AssertionError, ValueError):
            found = await detail(reviewer, consultation)
            began = datetime.fromisoformat(found["started_at"]).timestamp()
            fresh = [one for one in found["tracks"] if one["segments"] and began + one["segments"][-1]["start_ms"] / 1000 > since]
            if len(fresh) >= tracks:
                return
        await asyncio.sleep(0.25)
    raise AssertionError(f"Not recorded again within {within:.0f} s.")


@contextlib.asynccontextmanager
async def recorded(hub: Installation, reviewer: Person) -> AsyncIterator[str]:
    """A consultation of two, one of them without a picture, from when all its tracks are recorded until it is over."""
    person, other, made = await consultation(hub, record=True)
    mine, theirs = await ticket(person, made["id"], HOST), await ticket(other, made["id"], GUEST)
    async with Caller(mine["url"], mine["token"]), Caller(theirs["url"], theirs["token"], video=False):
        await flows(reviewer, made["id"], 0, 3)
        yield made["id"]
        await person.call("POST", f"/consultations/{made['id']}/recording", {"action": "stop"})
        await asyncio.sleep(3)


def cost(found: dict[str, Any], killed: list[float]) -> tuple[list[float], list[float]]:
    """Of every track and kill: seconds between the end of what is there of before and the kill, and until it goes on."""
    began = datetime.fromisoformat(found["started_at"]).timestamp()
    lost, again = [], []
    for at in killed:
        for track in found["tracks"]:
            spans = [(began + one["start_ms"] / 1000, one["duration_ms"] / 1000) for one in track["segments"]]
            before = [start + length for start, length in spans if start < at]
            after = [start for start, _ in spans if start > at - 0.2]
            lost.append(max(0.0, at - max(before)))
            again.append(min(after) - at)
    return lost, again


async def test_a_recorder_killed_again_and_again(tmp_path: Path, figure: Figure) -> None:
    async with Installation(tmp_path) as hub:
        reviewer = await hub.sign_in(hub.who("admin"))
        async with recorded(hub, reviewer) as room:
            killed, dice = [], random.Random(5)
            for _ in range(KILLS):
                await hub.spare("record-0")
                await asyncio.sleep(dice.uniform(2.5, 4.5))
                killed.append(time.time())
                hub.kill("record-0")
                await flows(reviewer, room, killed[-1], 3)
        lost, again = cost(await detail(reviewer, room), killed)
        reached = [
            figure("whole product: recorder killed 20 times, lost of a track before the kill, worst", max(lost), "s", goal="≤ 1"),
            figure(
                "whole product: recorder killed 20 times, until the track goes on, median", sorted(again)[len(again) // 2], "s"
            ),
            figure("whole product: recorder killed 20 times, until the track goes on, worst", max(again), "s", goal="≤ 1"),
        ]
        assert all(reached), (lost, again)


async def test_everything_killed_again_and_again(tmp_path: Path, figure: Figure) -> None:
    async with Installation(tmp_path) as hub:
        reviewer = await hub.sign_in(hub.who("admin"))
        async with recorded(hub, reviewer) as room:
            killed, listed, dice = [], [], random.Random(9)
            for _ in range(KILLS):
                await asyncio.sleep(dice.uniform(2.5, 4.5))
                serve = hub._serve
                assert serve is not None
                all_of_it = [serve.pid, *hub.pids().values()]
                killed.append(time.time())
                for pid in all_of_it:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await serve.wait()
                began = time.monotonic()
                await hub.serve()
                found = await detail(reviewer, room)
                listed.append(time.monotonic() - began)
                assert found["tracks"]
                await flows(reviewer, room, killed[-1], 3, within=90)
        found = await detail(reviewer, room)
        lost, _ = cost(found, killed)
        assert "完整" in await hub.run("verify", found["id"])
        print("listed after", [round(one, 1) for one in listed])
        reached = [
            figure(
                "whole product: everything killed 20 times, lost of a track before the kill, worst", max(lost), "s", goal="≤ 1"
            ),
            figure(
                "whole product: everything killed 20 times, from the start until it is listed, median",
                sorted(listed)[len(listed) // 2],
                "s",
                goal="≤ 5",
            ),
            figure(
                "whole product: everything killed 20 times, from the start until it is listed, worst",
                max(listed),
                "s",
                goal="≤ 5",
            ),
        ]
        assert all(reached), (lost, listed)
