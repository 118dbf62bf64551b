"""Two people call each other from the pages, by mouse and by keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import chromium, screenshot
from tests.support.installation import Installation, SignIn
from tests.support.pages import signed_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

#: Of some second: how loud the loudest of what this page plays is (0–1).
LOUD = """async () => {
  const context = new AudioContext();
  let most = 0;
  for (const element of document.querySelectorAll('[data-testid="call-sound"]')) {
    if (!element.srcObject) continue;  // its publisher is coming back
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(element.srcObject).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    for (let n = 0; n < 60; n += 1) {
      await new Promise((done) => setTimeout(done, 25));
      analyser.getFloatTimeDomainData(samples);
      most = Math.max(most, ...samples.map(Math.abs));
    }
  }
  await context.close();
  await new Promise((done) => setTimeout(done, 200));
  return most;
}"""


async def hears(page: Page, loud: bool, tries: int = 20) -> None:
    await expect(page.get_by_test_id("call-sound")).to_have_count(1, timeout=30_000)
    for _ in range(tries):
        most = await page.evaluate(LOUD)
        if (most > 0.02) is loud:
            return
    await screenshot(page, "sound")
    bar = await page.get_by_test_id("call-bar").inner_text()
    sounds = await page.get_by_test_id("call-sound").count()
    raise AssertionError(f"{bar!r}, {sounds} sounds: the other one is {'not heard' if loud else 'heard'}: {most}")


async def call(page: Page, whom: SignIn) -> None:
    await page.get_by_test_id("call-open").click()
    await page.get_by_test_id("invitee-search").fill(whom.name)
    await page.get_by_test_id("invitee-person").filter(has_text=whom.name).click()
    await page.get_by_test_id("call-submit").click()


async def test_two_pages_call_each_other(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        dispatcher, participant = hub.who("dispatcher"), hub.who("participant")
        first = await signed_in(browser, hub, "dispatcher")
        second = await signed_in(browser, hub, "participant")

        await call(first, participant)
        await expect(first.get_by_test_id("call-who")).to_have_attribute("data-situation", "calling")
        card = second.get_by_test_id("call-card")
        await expect(card).to_contain_text(dispatcher.name, timeout=10_000)
        await screenshot(second, "call-card")
        await second.keyboard.press("F1")
        await expect(card).to_have_count(0)
        for page, other in ((first, participant), (second, dispatcher)):
            await expect(page.get_by_test_id("call-who")).to_contain_text(other.name)
            await expect(page.get_by_test_id("call-who")).to_have_attribute("data-situation", "talking", timeout=15_000)
            await hears(page, True)
        # Recorded by who may, seen by both.
        await expect(second.get_by_test_id("call-record")).to_have_count(0)
        await first.get_by_test_id("call-record").click()
        for page in (first, second):
            await expect(page.get_by_test_id("call-recording")).to_be_visible(timeout=15_000)
        await screenshot(first, "call-bar")
        await first.get_by_test_id("call-record").click()
        for page in (first, second):
            await expect(page.get_by_test_id("call-recording")).to_have_count(0, timeout=15_000)

        await first.keyboard.press("F2")
        await expect(first.get_by_test_id("call-who")).to_have_attribute("data-situation", "held")
        await expect(second.get_by_test_id("call-who")).to_have_attribute("data-situation", "held_by_other")
        await hears(second, False)
        await hears(first, False)
        await screenshot(second, "call-held")
        await first.keyboard.press("F2")
        await hears(second, True)

        await second.get_by_test_id("call-mute").click()
        await hears(first, False)
        await second.keyboard.press("m")
        await hears(first, True)

        await second.reload()  # the page comes back into the call
        await expect(second.get_by_test_id("call-who")).to_have_attribute("data-situation", "talking", timeout=15_000)
        await hears(first, True)
        await first.keyboard.press("F4")
        for page in (first, second):
            await expect(page.get_by_test_id("call-bar")).to_have_count(0)

        # Back again, and declined by keyboard.
        await call(second, dispatcher)
        await expect(first.get_by_test_id("call-card")).to_be_visible()
        await first.keyboard.press("Shift+F1")
        await expect(first.get_by_test_id("call-card")).to_have_count(0)
        await expect(second.get_by_test_id("call-bar")).to_have_count(0)

        # What was, and again.
        await first.get_by_role("link", name="通话").click()
        rows = first.get_by_test_id("history-row")
        await expect(rows).to_have_count(2)
        await expect(rows.nth(0)).to_have_attribute("data-direction", "missed")
        await expect(rows.nth(1)).to_have_attribute("data-direction", "made")
        await screenshot(first, "call-history")
        await rows.nth(1).get_by_test_id("history-redial").click()
        await expect(second.get_by_test_id("call-card")).to_be_visible(timeout=10_000)
        await first.keyboard.press("F4")
        await expect(second.get_by_test_id("call-card")).to_have_count(0)
        await first.get_by_test_id("history-pad").click()
        for digit in "13800001003":
            await first.get_by_test_id(f"pad-{digit}").click()
        await expect(first.get_by_test_id("invitee-endpoint")).to_contain_text(participant.name)
        await screenshot(first, "dial-pad")
        await first.keyboard.press("Escape")
        assert first.complaints == second.complaints == []  # type: ignore[attr-defined]
