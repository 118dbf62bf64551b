"""Two people meet in the pages, a camera is with them, all of it is recorded and reviewed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import chromium, screenshot, visitor
from tests.support.face import film
from tests.support.installation import Installation, SignIn

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

MOVING = """async ([selector, least, index]) => {
  const video = document.querySelectorAll(selector)[index];
  if (!video || !video.videoWidth) return false;
  const frames = () => video.getVideoPlaybackQuality().totalVideoFrames;
  const before = frames();
  await new Promise((done) => setTimeout(done, 1000));
  return frames() - before >= least;
}"""


OTHER = '[data-testid="tile"][data-kind="person"]:not([data-local="true"]) video'
CAMERA = '[data-testid="tile"][data-kind="camera"] video'


STILL = """(selector) => [...document.querySelectorAll(selector)].map((video) => ({
  width: video.videoWidth, time: video.currentTime, paused: video.paused, ready: video.readyState,
  frames: video.getVideoPlaybackQuality().totalVideoFrames, tile: video.closest('[data-testid]')?.dataset.picture,
}))"""


async def sign_in(page: Page, who: SignIn) -> None:
    await page.goto("/")
    await page.get_by_test_id("signin-account").fill(who.account)
    await page.get_by_test_id("signin-password").fill(who.password)
    await page.get_by_test_id("signin-submit").click()
    await expect(page.get_by_test_id("account-menu")).to_be_visible()


async def moves(page: Page, selector: str, within: float = 20, least: int = 3, index: int = 0) -> None:
    """The picture behind the ``index``-th ``selector`` advances by at least ``least`` frames in some second."""
    until = asyncio.get_running_loop().time() + within
    while asyncio.get_running_loop().time() < until:
        if await page.evaluate(MOVING, [selector, least, index]):
            return
    await screenshot(page, "still")
    raise AssertionError(f"{selector} {index} does not move: {await page.evaluate(STILL, selector)}")


async def test_two_people_a_camera_a_recording_and_its_review(tmp_path: Path) -> None:
    faces = [film(tmp_path / f"{look}.y4m", look) for look in (0, 1)]
    async with Installation(tmp_path) as hub, chromium(film=faces[0]) as browser, chromium(film=faces[1]) as other:
        dispatcher, participant = hub.who("dispatcher"), hub.who("participant")
        _, first = await visitor(browser, hub.base)
        _, second = await visitor(other, hub.base)
        await sign_in(first, dispatcher)
        await sign_in(second, participant)

        await first.get_by_test_id("consultation-create").click()
        await first.get_by_test_id("create-title").fill("长江大道下穿通道内涝处置会商")
        await first.get_by_test_id("invitee-search").fill(participant.name)
        await first.get_by_test_id("invitee-person").filter(has_text=participant.name).click()
        await first.get_by_test_id("create-record").uncheck()
        await first.get_by_test_id("create-submit").click()
        await expect(first.get_by_test_id("room")).to_be_visible(timeout=15_000)

        await second.get_by_test_id("ring-accept").click(timeout=10_000)
        await expect(second.get_by_test_id("room")).to_be_visible(timeout=15_000)
        for page in (first, second):
            await expect(page.locator('[data-testid="tile"][data-kind="person"]')).to_have_count(2, timeout=20_000)
            await moves(page, OTHER)

        await first.get_by_test_id("bring-camera").click()
        await first.get_by_test_id("camera-search").fill(hub.camera["name"][:3])
        await first.get_by_test_id("camera-option").filter(has_text=hub.camera["name"]).click()
        await first.get_by_test_id("camera-submit").click()
        for page in (first, second):
            await moves(page, CAMERA)

        await first.get_by_test_id("record-toggle").click()
        for page in (first, second):
            await expect(page.get_by_test_id("recording-chip")).to_be_visible(timeout=10_000)
        for page in (first, second):
            await page.get_by_test_id("toggle-chat").click()
        await asyncio.sleep(4)
        await second.get_by_test_id("chat-input").fill("东口积水到水尺 62 厘米,请派泵车。")
        await second.get_by_test_id("chat-send").click()
        await expect(first.get_by_test_id("chat-line").last).to_contain_text("62 厘米")
        await screenshot(first, "room")
        await asyncio.sleep(7)
        await first.get_by_test_id("record-toggle").click()
        await expect(first.get_by_test_id("recording-chip")).to_be_hidden(timeout=10_000)
        await first.get_by_test_id("leave").click()
        await second.get_by_test_id("leave").click()
        for page in (first, second):
            assert page.complaints == []  # type: ignore[attr-defined]

        _, third = await visitor(browser, hub.base)
        await review(third, hub.who("admin"))


async def review(page: Page, who: SignIn) -> None:
    """Both people's pictures and the camera move; seeking works; the chat line stands at its second."""
    await sign_in(page, who)
    await page.goto("/review")
    await page.get_by_test_id("review-open").first.click()
    await expect(page.get_by_test_id("player")).to_be_visible(timeout=10_000)
    await expect(page.locator('[data-testid="player-tile"]')).to_have_count(3, timeout=10_000)
    await page.get_by_test_id("player-play").click()
    picture = '[data-testid="player-tile"] video'
    await asyncio.gather(*(moves(page, picture, index=number) for number in range(3)))
    line = page.get_by_test_id("player-chat-line").first
    await expect(line).to_contain_text("62 厘米")
    at = int(await line.get_attribute("data-at-ms") or -1)
    assert 3_000 <= at <= 9_000, at  # said 4 s into the recording; the pages need a moment
    await screenshot(page, "review")
    await line.click()
    await asyncio.sleep(1.5)
    position = int(await page.get_by_test_id("player-seek").input_value())
    assert at - 500 <= position <= at + 4_000, (at, position)
    await moves(page, picture)
    assert page.complaints == []  # type: ignore[attr-defined]
