"""A session that still runs is reviewed: the page follows, some seconds behind. The picture says when it was made."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy
import pytest
from livekit import rtc
from playwright.async_api import Page, expect

from tests.support.browser import chromium, screenshot
from tests.support.caller import Caller
from tests.support.installation import Installation
from tests.support.meetings import GUEST, HOST, consultation, ticket
from tests.support.pages import signed_in
from tests.support.proofs import Figure

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

#: Tenths of a second that the picture says, in the sixteen cells of its top row; -1 while there is none.
TENTHS = """() => {
  const video = document.querySelector('[data-testid=player-tile] video:not([hidden])')
  if (!video || video.readyState < 2) return -1
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 })
  const paper = canvas.getContext('2d')
  paper.drawImage(video, 0, 0, 640, 360)
  const row = paper.getImageData(0, 20, 640, 1).data
  let value = 0
  for (let bit = 0; bit < 16; bit += 1) if (row[(bit * 40 + 20) * 4] > 128) value |= 1 << bit
  return value
}"""


class Clockwork(Caller):
    """Whose picture says the time, in tenths of a second."""

    async def _paint(self, source: rtc.VideoSource) -> None:
        picture = numpy.zeros((self.height, self.width, 4), dtype=numpy.uint8)
        while True:
            tenths = int(time.time() * 10) & 0xFFFF
            picture[:] = 90
            for bit in range(16):
                picture[:40, bit * 40 : bit * 40 + 40] = 235 if tenths >> bit & 1 else 16
            picture[100:140, (tenths * 16) % 600 : (tenths * 16) % 600 + 40] = (200, 120, 40, 255)
            source.capture_frame(rtc.VideoFrame(self.width, self.height, rtc.VideoBufferType.RGBA, picture.tobytes()))
            await asyncio.sleep(1 / 15)


async def behind(page: Page) -> float | None:
    """Seconds between the making of the picture that is shown and now."""
    tenths = await page.evaluate(TENTHS)
    return None if tenths < 0 else ((int(time.time() * 10) - tenths) & 0xFFFF) / 10


async def followed(tmp_path: Path, seconds: float) -> list[float]:
    """How far the page was behind, sampled while it follows."""
    async with Installation(tmp_path) as hub, chromium() as browser:
        host, guest, made = await consultation(hub, record=True)
        first, second = await ticket(host, made["id"], HOST), await ticket(guest, made["id"], GUEST)
        async with Clockwork(first["url"], first["token"]), Clockwork(second["url"], second["token"]):
            reviewer = await hub.sign_in(hub.who("admin"))
            listed = await recordings(reviewer, made["id"])
            page = await signed_in(browser, hub, "admin")
            await asyncio.sleep(10)
            await page.goto(f"/review/{listed[0]['id']}")
            player = page.get_by_test_id("player")
            await expect(player).to_have_attribute("data-following", "true", timeout=20_000)
            await expect(page.get_by_test_id("player-tile")).to_have_count(2, timeout=20_000)
            await asyncio.sleep(5)
            found: list[float] = []
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                if (lag := await behind(page)) is not None:
                    found.append(lag)
                await asyncio.sleep(0.25)
            await screenshot(page, "review-live")
            # What was said some seconds ago is sought, and the live edge found again.
            await page.keyboard.press("Home")
            await expect(player).to_have_attribute("data-following", "false")
            await expect(player).to_have_attribute("data-settled", "true", timeout=20_000)
            early = await behind(page)
            assert early is not None
            assert early > 10
            await page.get_by_test_id("player-live").click()
            await expect(player).to_have_attribute("data-following", "true")
            # The end of the session is the end of following, on the same page.
            await host.call("POST", f"/consultations/{made['id']}/recording", {"action": "stop"})
            await expect(page.get_by_test_id("player-live")).to_be_hidden(timeout=30_000)
            assert page.complaints == []  # type: ignore[attr-defined]
            return found


async def recordings(reviewer: object, consultation: str) -> list[dict[str, str]]:
    until = time.monotonic() + 60
    while True:
        listed: list[dict[str, str]] = (await reviewer.call("GET", f"/recordings?consultation={consultation}"))["items"]  # type: ignore[attr-defined]
        if listed:
            return listed
        assert time.monotonic() < until
        await asyncio.sleep(0.25)


async def test_a_running_session_is_followed(tmp_path: Path) -> None:
    found = await followed(tmp_path, 4)
    assert found
    assert min(found) < 20


@pytest.mark.prove
async def test_how_far_review_is_behind(tmp_path: Path, figure: Figure) -> None:
    found = sorted(await followed(tmp_path, 30))
    assert len(found) > 50
    assert figure("live review, behind the picture's making, p95", found[len(found) * 95 // 100], "s", goal="≤ 5 s")
