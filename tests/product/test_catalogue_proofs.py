"""A large catalogue from a lower platform to people's pages, all processes in it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from bench.ingest import cpu
from tests.support.camera_house import House, admitted
from tests.support.gb28181 import device_process
from tests.support.installation import Person
from tests.support.proofs import Figure

pytestmark = [pytest.mark.prove, pytest.mark.peer, pytest.mark.timeout(900)]

CODE = "34020000002000000001"
COUNT = 50_000
QUESTIONS = ("/cameras?limit=50", "/cameras?q=bfq&limit=20", "/camera-tree", "/devices?state=admitted", "/consultations")


async def asking(person: Person, taken: list[float]) -> None:
    """One question after the other, as people at pages do."""
    while True:
        for question in QUESTIONS:
            began = time.monotonic()
            await person.call("GET", question)
            taken.append(time.monotonic() - began)
            await asyncio.sleep(0.05)


async def test_fifty_thousand_channels_from_the_platform_to_the_pages(tmp_path: Path, figure: Figure) -> None:
    """An entry in each MESSAGE over UDP, eight under way at once: platform, bridge and hub beside each other."""
    async with House(tmp_path) as hub:
        admin, password = await admitted(hub, CODE, "雪亮工程")
        dispatcher = await hub.sign_in(hub.who("dispatcher"))
        words = ("--channels", str(COUNT), "--quirk", "one-item", "--window", "8", "--shared")
        taken: list[float] = []
        began = time.monotonic()
        async with device_process(hub.address, *words, kind="platform", code=CODE, password=password) as platform:
            questions = asyncio.ensure_future(asking(dispatcher, taken))
            try:
                while True:
                    devices = (await admin.call("GET", "/devices?state=admitted"))["items"]
                    device = next(one for one in devices if one["code"] == CODE)
                    total = (await admin.call("GET", "/cameras?limit=1"))["total"]
                    if device["catalogue"]["state"] == "incomplete" or total >= COUNT:
                        break
                    assert platform.returncode is None
                    assert not questions.done(), questions.exception()
                    await asyncio.sleep(0.5)
                seconds = time.monotonic() - began
                pids = hub.pids() | {"platform": platform.pid}
                used = {name: cpu(pids[name]) for name in ("platform", "bridge-gb28181", "hub")}
            finally:
                questions.cancel()
        slow = sorted(taken)[int(len(taken) * 0.95)] * 1000
    assert (device["catalogue"]["state"], device["channels"]) == ("complete", COUNT)
    print({name: round(one, 1) for name, one in used.items()})
    reached = [
        figure("whole product: 50,000 channels, one a message, from sign-in to cameras", round(seconds, 1), "s", goal="≤ 120 s"),
        figure("whole product: 50,000 channels coming in: API, p95 of all answers", round(slow, 1), "ms", goal="≤ 200 ms"),
        figure("whole product: 50,000 channels coming in: platform, bridge and hub use", round(sum(used.values())), "CPU-s"),
    ]
    assert all(reached)
