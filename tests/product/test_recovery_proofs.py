"""How long people miss each other when a process is killed, over and over: `make prove`. Each has a short form beside it in
``test_kills`` and ``test_recovery``."""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.support import alive, until
from tests.support.browser import chromium
from tests.support.installation import Installation
from tests.support.meetings import meeting
from tests.support.pages import OTHER, moves, signed_in
from tests.support.proofs import Figure

pytestmark = [pytest.mark.peer, pytest.mark.prove, pytest.mark.timeout(1800)]

KILLS, DRAINS, CRASHES = 20, 10, 5
STILL = 0.25  # seconds without a picture that are an interruption
GIVE_UP = 20.0  # seconds
# When each new picture of the other person was shown, unix seconds.
WATCH = """(selector) => {
  window.pictures = [];
  let last = null, count = -1;
  const look = () => {
    const video = document.querySelector(selector);
    const now = video ? video.getVideoPlaybackQuality().totalVideoFrames : 0;
    if (video && (video !== last || now !== count)) {
      if (now > 0) window.pictures.push(Date.now() / 1000);
      last = video; count = now;
    }
    requestAnimationFrame(look);
  };
  look();
}"""


def interruption(times: Sequence[float], since: float) -> float | None:
    """Seconds from ``since`` to the first picture after the interruption that began then; None when none came any more."""
    marks = [at for at in times if at > since - 1]
    for earlier, later in itertools.pairwise(marks):
        if later > since and later - earlier > STILL:
            return later - since
    return None


async def pictures(page: Page) -> list[float]:
    found: list[float] = await page.evaluate("window.pictures")
    return found


def spread(values: Sequence[float]) -> tuple[float, float]:
    return round(statistics.median(values), 2), round(max(values), 2)


async def test_a_worker_killed_twenty_times(tmp_path: Path, figure: Figure) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser, meeting(hub) as call:
        host, guest, first, second = call.host, call.guest, call.first, call.second
        page = await signed_in(browser, hub, "participant")
        await page.goto(f"/room/{call.room}")
        await moves(page, OTHER)
        await page.evaluate(WATCH, OTHER)
        sdk: list[float] = []
        shown: list[float] = []
        for _ in range(KILLS):
            await hub.spare("media-0")
            await asyncio.sleep(3)
            killed, killed_at = time.monotonic(), time.time()
            hub.kill("media-0")
            while time.monotonic() - killed < GIVE_UP:
                await asyncio.sleep(1)
                back = [interruption(first.frames[guest], killed), interruption(second.frames[host], killed)]
                seen = interruption(await pictures(page), killed_at)
                if None not in (*back, seen):
                    break
            if None not in back:
                sdk.append(max(each for each in back if each is not None))
            if seen is not None:
                shown.append(seen)
        reached = [
            figure("worker killed: calls back, PyPI SDK", len(sdk), f"of {KILLS}", goal=f"≥ {KILLS}"),
            figure("worker killed: calls back, Chromium", len(shown), f"of {KILLS}", goal=f"≥ {KILLS}"),
            figure("worker killed to picture, PyPI SDK: median", spread(sdk)[0], "s", goal="≤ 1.5"),
            figure("worker killed to picture, Chromium: slowest", spread(shown)[1], "s", goal="≤ 3"),
        ]
        figure("worker killed to picture, PyPI SDK: slowest", spread(sdk)[1], "s")
        figure("worker killed to picture, Chromium: median", spread(shown)[0], "s")
        assert all(reached), (sdk, shown)


async def test_a_worker_drained_ten_times(tmp_path: Path, figure: Figure) -> None:
    async with Installation(tmp_path) as hub, meeting(hub) as call:
        back: list[float] = []
        ended: list[float] = []
        for _ in range(DRAINS):
            await hub.spare("media-0")
            await asyncio.sleep(2)
            worker, told = hub.pids()["media-0"], time.monotonic()
            os.kill(worker, 15)
            await until(lambda pid=worker: not alive(pid), GIVE_UP)  # type: ignore[misc]
            ended.append(time.monotonic() - told)
            while time.monotonic() - told < GIVE_UP:
                await asyncio.sleep(1)
                if (seen := interruption(call.first.frames[call.guest], told)) is not None:
                    back.append(seen)
                    break
        reached = [
            figure("worker drained: calls back", len(back), f"of {DRAINS}", goal=f"≥ {DRAINS}"),
            figure("worker drained to picture, PyPI SDK: median", spread(back)[0], "s", goal="≤ 1.5"),
            figure("worker drained: its process has ended", spread(ended)[1], "s", goal="≤ 10"),
        ]
        assert all(reached), (back, ended)


async def test_a_hub_killed_again_and_again_is_not_seen(tmp_path: Path, figure: Figure) -> None:
    async with Installation(tmp_path) as hub, meeting(hub) as call:
        gaps: list[float] = []
        quiet: list[float] = []
        for _ in range(DRAINS):
            await hub.spare("hub")
            await asyncio.sleep(6)
            killed = time.monotonic()
            hub.kill("hub")
            await asyncio.sleep(6)
            for since, found in ((killed - 6, quiet), (killed, gaps)):
                found += call.gaps(since, since + 6, sounds=False)
        figure("no hub killed: longest time between two pictures", round(max(quiet) * 1000), "ms")
        assert figure("hub killed: longest time between two pictures", round(max(gaps) * 1000), "ms", goal="≤ 200")


async def test_a_supervisor_killed_again_and_again(tmp_path: Path, figure: Figure) -> None:
    async with Installation(tmp_path) as hub, meeting(hub) as call:
        back: list[float] = []
        for _ in range(CRASHES):
            await hub.spare("hub")
            earlier = hub.pids()
            await hub.crash()
            await hub.start()
            started = time.monotonic()
            await until(lambda pids=earlier: not any(map(alive, pids.values())), 5, "nobody is left")  # type: ignore[misc]
            await call.seen(after=started - 1, within=60)
            back.append(time.monotonic() - started)
            assert not any(number > 2 for number in kinds(hub).values()), kinds(hub)
        assert figure("supervisor killed and started: calls back", len(back), f"of {CRASHES}", goal=f"≥ {CRASHES}")
        figure("supervisor started to picture, PyPI SDK: slowest", spread(back)[1], "s")


def kinds(hub: Installation) -> dict[str, int]:
    """How many processes of each kind belong to this installation: one at work, and one spare."""
    count: dict[str, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            ours = str(hub.folder / "data").encode() in (process / "environ").read_bytes()
        except OSError:
            continue
        if ours and "commhub" in words:
            kind: Any = " ".join(words[words.index("commhub") + 1 :][:3])
            count[kind] = count.get(kind, 0) + 1
    return count
