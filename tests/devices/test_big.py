"""A large catalogue, an entry a message, while people ask."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.links import ChildLink
from commhub.store import tables
from tests.support import until
from tests.support.big_catalogue import STREETS
from tests.support.catalogues import PLATFORM, admitted
from tests.support.hubs import Browser, Hub, serving
from tests.support.proofs import Figure

PROGRAM = "tests.support.big_catalogue"


@asynccontextmanager
async def process(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """As a child of the supervisor runs: it yields to nobody."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", PROGRAM, *words, stdout=asyncio.subprocess.PIPE)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


class Asked:
    """Seconds of every question."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = defaultdict(list)

    def add(self, line: bytes) -> None:
        for name, seconds in json.loads(line).items():
            self.taken[name] += seconds

    def p95(self, name: str = "") -> float:
        """Milliseconds; of all questions without a name."""
        every = sorted(second for key, seconds in self.taken.items() if name in key for second in seconds)
        return every[min(len(every) - 1, int(len(every) * 0.95))] * 1000


@asynccontextmanager
async def taking_in(folder: Path, count: int) -> AsyncIterator[tuple[Hub, Browser, float]]:
    """Yields once the catalogue has begun: the hub, a page, and when that was."""
    async with serving(folder) as hub, hub.browser("dispatcher") as page:
        device = await admitted(hub, PLATFORM, "雪亮工程", "ops")
        devices = hub.parts.devices
        link = ChildLink(folder, "bridge-gb28181", 1, linked=devices.linked, unlinked=devices.unlinked, receive=devices.receive)
        link.start()
        began = time.monotonic()
        try:
            async with process("bridge", str(folder), str(count)):
                await until(lambda: devices.intake.backlog, 100, "the catalogue to begin")
                began = time.monotonic()
                yield hub, page, began
                await ended(hub, device)
        finally:
            await link.close()


async def ended(hub: Hub, device: str, seconds: float = 300) -> None:
    d = tables.devices.c
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        async with hub.parts.store.reading() as reading:
            if await reading.value(sa.select(d.catalogue_state).where(d.id == device)) in ("complete", "incomplete"):
                return
        await asyncio.sleep(0.1)
    raise AssertionError(f"The catalogue was not read within {seconds} s.")


async def check(hub: Hub, page: Browser, count: int) -> None:
    """Nothing lost, nothing twice."""
    async with hub.parts.store.reading() as reading:
        c = tables.cameras.c
        mine = (c.protocol == "gb28181", c.gone.is_(False))
        assert await reading.value(sa.select(sa.func.count(sa.distinct(c.channel))).where(*mine)) == count
        assert await reading.value(sa.select(sa.func.count()).where(*mine)) == count
    (device,) = (await page.ok("GET", "/devices?state=admitted"))["items"]
    assert (device["catalogue"]["state"], device["channels"]) == ("complete", count)
    assert device["catalogue"]["received"] == count + len(STREETS)
    hub.parts.devices.trees.forget()
    found = await page.ok("GET", "/cameras?q=ljdd")
    assert found["total"] > 0
    assert all("临江" in one["name"] + "".join(one["path"]) for one in found["items"])
    assert (await page.ok("GET", "/cameras?limit=1"))["total"] == count + len(hub.city.camera)


async def test_two_thousand_channels_an_entry_a_message(tmp_path: Path) -> None:
    async with taking_in(tmp_path, 2_000) as (hub, page, _):
        while hub.parts.devices.waiting:
            assert (await page.ok("GET", "/cameras?q=ljdd&limit=1"))["total"] >= 0
        await until(lambda: not hub.parts.devices.waiting, 30)
        await check(hub, page, 2_000)


def resident() -> float:
    """MB of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_fifty_thousand_channels_an_entry_a_message(tmp_path: Path, figure: Figure) -> None:
    count, before = 50_000, resident()
    asked, quiet = Asked(), Asked()
    async with taking_in(tmp_path, count) as (hub, page, began):
        node = hub.ids["ops"]
        async with process("client", page.base, page.cookie, node, "0") as client:
            assert client.stdout is not None
            device = (await page.ok("GET", "/devices?state=admitted"))["items"][0]["id"]
            waiting = asyncio.ensure_future(ended(hub, device))
            while not waiting.done():
                reading = asyncio.ensure_future(client.stdout.readline())
                await asyncio.wait({waiting, reading}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    reading.cancel()
                    break
                asked.add(reading.result())
            await waiting
            seconds = time.monotonic() - began
        await check(hub, page, count)
        platform = next(one for one in await _children(page, node) if one["kind"] == "platform")
        async with process("client", page.base, page.cookie, platform["id"], "40") as client:
            words, _ = await client.communicate()
            quiet.add(words)
        grown = resident() - before
    held = [
        figure("50,000 channels, one a message: until all are cameras", round(seconds, 1), "s", goal="≤ 120 s"),
        figure("50,000 channels coming in: API, p95 of all answers", round(asked.p95(), 1), "ms", goal="≤ 200 ms"),
        figure("50,000 channels: search, p95", round(quiet.p95("search"), 1), "ms", goal="≤ 200 ms"),
        figure("50,000 channels: list, p95", round(quiet.p95("list"), 1), "ms", goal="≤ 200 ms"),
        figure("50,000 channels: a level of the tree, p95", round(quiet.p95("tree"), 1), "ms", goal="≤ 200 ms"),
        figure("50,000 channels: cameras below a node, p95", round(quiet.p95("below"), 1), "ms", goal="≤ 200 ms"),
        figure("50,000 channels: the hub's memory grows by", round(grown, 1), "MB", goal="≤ 250 MB"),
    ]
    print({name: (round(asked.p95(name)), round(quiet.p95(name))) for name in quiet.taken})
    assert all(held)


async def _children(page: Browser, parent: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await page.ok("GET", f"/camera-tree?parent={parent}"))["items"]
    return items
