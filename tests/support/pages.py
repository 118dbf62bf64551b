"""What people do in the pages, and what they see there."""

from __future__ import annotations

import asyncio

from playwright.async_api import Browser, Page, expect

from tests.support.browser import screenshot, visitor
from tests.support.installation import Installation, SignIn

OTHER = '[data-testid="tile"][data-kind="person"]:not([data-local="true"]) video'
CAMERA = '[data-testid="tile"][data-kind="camera"] video'

MOVING = """async ([selector, least, index]) => {
  const video = document.querySelectorAll(selector)[index];
  if (!video || !video.videoWidth) return false;
  const frames = () => video.getVideoPlaybackQuality().totalVideoFrames;
  const before = frames();
  await new Promise((done) => setTimeout(done, 1000));
  return frames() - before >= least;
}"""

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


async def signed_in(browser: Browser, hub: Installation, role: str, *, width: int = 1920, height: int = 1080) -> Page:
    """A page of the sample's person of that role, in a profile of its own."""
    _, page = await visitor(browser, hub.base, width=width, height=height)
    await sign_in(page, hub.who(role))
    return page


async def meet(first: Page, second: Page, title: str, whom: SignIn) -> None:
    """``first`` begins a consultation that is not recorded, ``second``, whose page is ``whom``'s, comes when it rings."""
    await first.get_by_test_id("consultation-create").click()
    await first.get_by_test_id("create-title").fill(title)
    await first.get_by_test_id("invitee-search").fill(whom.name)
    await first.get_by_test_id("invitee-person").filter(has_text=whom.name).click()
    await first.get_by_test_id("create-record").uncheck()
    await first.get_by_test_id("create-submit").click()
    await expect(first.get_by_test_id("room")).to_be_visible(timeout=15_000)
    await second.get_by_test_id("ring-accept").click(timeout=10_000)
    await expect(second.get_by_test_id("room")).to_be_visible(timeout=15_000)
    for page in (first, second):
        await expect(page.locator('[data-testid="tile"][data-kind="person"]')).to_have_count(2, timeout=20_000)


async def moves(page: Page, selector: str, within: float = 20, least: int = 3, index: int = 0) -> None:
    """The picture behind the ``index``-th ``selector`` advances by at least ``least`` frames in some second."""
    until = asyncio.get_running_loop().time() + within
    while asyncio.get_running_loop().time() < until:
        if await page.evaluate(MOVING, [selector, least, index]):
            return
    await screenshot(page, "still")
    raise AssertionError(f"{selector} {index} does not move: {await page.evaluate(STILL, selector)}")
