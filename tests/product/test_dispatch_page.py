"""Two people call each other in the pages, a dispatcher monitors, whispers and releases from the address book."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.product.test_call_bar import call
from tests.support.browser import chromium, screenshot, visitor
from tests.support.installation import Installation, SignIn
from tests.support.pages import sign_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

#: Of half a second: how loud what this page plays is (0–1).
LOUD = """async (kind) => {
  const context = new AudioContext();
  let most = 0;
  for (const element of document.querySelectorAll(`[data-testid="${kind}"]`)) {
    if (!element.srcObject) continue;
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(element.srcObject).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    for (let n = 0; n < 40; n += 1) {
      await new Promise((done) => setTimeout(done, 25));
      analyser.getFloatTimeDomainData(samples);
      most = Math.max(most, ...samples.map(Math.abs));
    }
  }
  await context.close();
  return most;
}"""


def account(hub: Installation, name: str) -> SignIn:
    return next(one for one in hub.sign_ins if one.account == name)


async def loud(page: Page, kind: str, tries: int = 20) -> None:
    for _ in range(tries):
        if await page.evaluate(LOUD, kind) > 0.02:
            return
    await screenshot(page, "dispatch-quiet")
    raise AssertionError(f"nothing is heard of {kind}")


async def pick(page: Page, verb: str, reason: str, shot: str = "") -> None:
    await page.get_by_test_id("book-card").get_by_test_id("verb-menu").click()
    item = page.get_by_test_id(f"verb-{verb}")
    await expect(item).to_be_visible(timeout=10_000)
    await expect(item).not_to_have_attribute("aria-disabled", "true")
    if shot:
        await screenshot(page, f"{shot}-menu")
    await item.click()
    dialog = page.get_by_test_id("dispatch-dialog")
    await expect(dialog.get_by_test_id("dispatch-told")).to_contain_text("将告知")
    await page.keyboard.type(reason)  # the field has the focus
    if shot:
        await screenshot(page, f"{shot}-dialog")
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0, timeout=10_000)


async def test_a_dispatcher_monitors_whispers_and_releases(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        boss, host, street = (account(hub, name) for name in ("dispatcher", "binjiang", "street"))
        pages = [(await visitor(browser, hub.base))[1] for _ in range(3)]
        for page, who in zip(pages, (boss, host, street), strict=True):
            await sign_in(page, who)
        dispatcher, first, second = pages
        await call(first, street)
        await expect(second.get_by_test_id("call-card")).to_be_visible(timeout=15_000)
        await second.keyboard.press("F1")
        for page in (first, second):
            await expect(page.get_by_test_id("call-who")).to_have_attribute("data-situation", "talking", timeout=20_000)

        await dispatcher.goto("/directory")
        await expect(dispatcher.get_by_test_id("directory")).to_be_visible()
        await dispatcher.get_by_test_id("book-search").fill(street.name)
        await dispatcher.get_by_test_id("book-entry").filter(has_text=street.name).first.click()
        await pick(dispatcher, "monitor", "核实现场情况", "dispatch")
        bar = dispatcher.get_by_test_id("dispatch-bar")
        await expect(bar).to_have_attribute("data-line", "in", timeout=20_000)
        await loud(dispatcher, "dispatch-sound")
        for page in (first, second):
            notice = page.get_by_test_id("dispatch-notice")
            await expect(notice).to_contain_text(boss.name)
            await expect(notice).to_contain_text("核实现场情况")
            await expect(page.get_by_test_id("call-sound")).to_have_count(1)
        await screenshot(dispatcher, "dispatch-monitoring")
        await screenshot(second, "dispatch-told")
        await bar.get_by_test_id("dispatch-end").click()
        await expect(bar).to_have_count(0)
        for page in (first, second):
            await expect(page.get_by_test_id("dispatch-notice")).to_have_count(0)

        await pick(dispatcher, "whisper", "提醒处置要点")
        await expect(bar).to_have_attribute("data-line", "in", timeout=20_000)
        speak = bar.get_by_test_id("dispatch-speak")
        await dispatcher.locator("body").click(position={"x": 900, "y": 20})
        await dispatcher.keyboard.down("w")
        await expect(speak).to_have_attribute("aria-pressed", "true")
        await screenshot(dispatcher, "dispatch-whispering")
        await dispatcher.keyboard.up("w")
        await expect(speak).to_have_attribute("aria-pressed", "false")
        await expect(second.get_by_test_id("dispatch-notice")).to_contain_text("只有你能听到")
        await expect(first.get_by_test_id("dispatch-notice")).to_contain_text(street.name)
        await screenshot(second, "dispatch-whispered")

        await pick(dispatcher, "release", "线路让给抢险")
        for page in (first, second):
            await expect(page.get_by_test_id("call-bar")).to_have_count(0, timeout=10_000)
            released = page.locator('[data-testid="dispatch-notice"][data-verb="release"]')
            await expect(released).to_contain_text("线路让给抢险")
            await expect(page.get_by_test_id("dispatch-notice")).to_have_count(1)  # the whisper is over with its line
        await screenshot(first, "dispatch-released")
        await expect(bar).to_have_count(0)
        await first.get_by_test_id("dispatch-putaway").click()
        await expect(first.get_by_test_id("dispatch-notice")).to_have_count(0)
        for page in pages:
            assert page.complaints == []  # type: ignore[attr-defined]
