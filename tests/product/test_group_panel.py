"""Two pages talk in a group by Space and by pointer: one is heard at a time, and the other one waits for his turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.product.test_call_bar import LOUD
from tests.support.browser import chromium, screenshot, visitor
from tests.support.installation import Installation
from tests.support.pages import sign_in, signed_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(480)]

GROUP = LOUD.replace("call-sound", "group-sound")
NAME = "防汛一组"


async def hears(page: Page, loud: bool, tries: int = 12) -> None:
    for _ in range(tries):
        most = await page.evaluate(GROUP)
        if (most > 0.02) is loud:
            return
    await screenshot(page, "group-sound")
    raise AssertionError(f"the other one is {'not heard' if loud else 'heard'}: {most}")


async def talks(page: Page, state: str) -> None:
    await expect(page.get_by_test_id("talk")).to_have_attribute("data-talk", state, timeout=20_000)


async def test_two_pages_talk_in_turn(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        dispatcher, participant = hub.who("dispatcher"), hub.who("participant")
        first = await signed_in(browser, hub, "dispatcher")
        second = await signed_in(browser, hub, "participant", width=390, height=800)
        for page in (first, second):
            await page.get_by_test_id("group-toggle").click()
            await expect(page.get_by_test_id("group-panel")).to_be_visible()

        await first.get_by_test_id("group-new").click()
        await first.get_by_test_id("group-name").fill(NAME)
        await first.get_by_test_id("invitee-search").fill(participant.name)
        await first.get_by_test_id("invitee-person").filter(has_text=participant.name).click()
        await first.get_by_test_id("group-make").click()
        for page in (first, second):
            row = page.get_by_test_id("group-row").filter(has_text=NAME)
            await expect(row).to_be_visible(timeout=10_000)
            await row.click()
            await talks(page, "idle")

        # Nobody has called the group: the first press does, and asks when it is in.
        await first.keyboard.down("Space")
        await talks(first, "mine")
        await expect(second.get_by_test_id("group-row").filter(has_text=NAME)).to_contain_text(dispatcher.name, timeout=20_000)
        await hears(second, True)
        await screenshot(first, "group-mine")

        # The other one holds the button by touch or mouse: he waits, and has the floor the moment it is free.
        box = await second.get_by_test_id("talk").bounding_box()
        assert box is not None
        assert box["height"] >= 60
        await second.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await second.mouse.down()
        await talks(second, "queued")
        await hears(first, False, tries=4)
        await screenshot(second, "group-queued")
        await first.keyboard.up("Space")
        await talks(second, "mine")
        await talks(first, "other")
        await hears(first, True)
        await screenshot(first, "group-other")
        await second.mouse.up()
        await talks(first, "idle")
        await hears(first, False)
        assert await first.evaluate("document.querySelectorAll('[data-testid=\"group-sound\"]').length") <= 1

        # Typing a space is no word to the group.
        await first.get_by_test_id("call-open").click()
        await first.get_by_test_id("invitee-search").press("Space")
        await talks(first, "idle")
        await first.keyboard.press("Escape")

        # An emergency takes a second of holding; somebody takes it in hand, and ends it with a reason.
        await second.keyboard.press("F9")
        await expect(first.get_by_test_id("emergency")).to_have_count(0)
        await second.keyboard.down("F9")
        await expect(first.get_by_test_id("emergency")).to_contain_text(participant.name, timeout=10_000)
        await second.keyboard.up("F9")
        await screenshot(first, "group-emergency")
        await first.get_by_test_id("emergency-acknowledge").click()
        await expect(first.get_by_test_id("emergency-acknowledge")).to_have_count(0)
        await first.get_by_test_id("emergency-cancel").click()
        await first.get_by_test_id("calm-reason").fill("误按")
        await first.get_by_test_id("confirm").click()
        for page in (first, second):
            await expect(page.get_by_test_id("emergency")).to_have_count(0)
        assert first.complaints == second.complaints == []  # type: ignore[attr-defined]


async def test_the_floor_is_taken_by_rank_and_taken_away(tmp_path: Path) -> None:
    """One talks; one of a higher level takes the floor and says why; who is in charge takes it away from him too."""
    async with Installation(tmp_path) as hub, chromium() as browser:
        who = {one.account: one for one in hub.sign_ins}
        chief, higher, lower = who["dispatcher"], who["binjiang"], who["street"]
        pages = [(await visitor(browser, hub.base))[1] for _ in range(3)]
        first, second, third = pages
        for page, one in zip(pages, (chief, higher, lower), strict=True):
            await sign_in(page, one)
            await page.get_by_test_id("group-toggle").click()
        await first.get_by_test_id("group-new").click()
        await first.get_by_test_id("group-name").fill(NAME)
        for one in (higher, lower):
            await first.get_by_test_id("invitee-search").fill(one.name)
            await first.get_by_test_id("invitee-person").filter(has_text=one.name).click()
        await first.get_by_test_id("group-make").click()
        for page in pages:
            row = page.get_by_test_id("group-row").filter(has_text=NAME)
            await expect(row).to_be_visible(timeout=20_000)
            await row.get_by_test_id("group-open").click()
            await row.click()

        await third.keyboard.down("Space")
        await talks(third, "mine")
        await hears(second, True)
        await expect(third.get_by_test_id("group-override")).to_have_count(0)
        await forces(second, "override", "下一项")
        await talks(second, "mine")
        await talks(third, "refused")
        await expect(third.locator(".toasts")).to_contain_text(higher.name)
        await third.keyboard.up("Space")
        await screenshot(second, "group-override")
        await forces(first, "revoke", "会场静默")
        for page in pages:
            await expect(page.get_by_test_id("talk")).not_to_have_attribute("data-talk", "mine")
            await expect(page.get_by_test_id("group-holder")).to_have_count(0)
        await hears(first, False)
        await hears(third, False)


async def forces(page: Page, what: str, reason: str) -> None:
    """Without a reason it cannot be confirmed."""
    await page.get_by_test_id(f"group-{what}").click(timeout=20_000)
    await expect(page.get_by_test_id("confirm")).to_have_attribute("aria-disabled", "true")
    await page.get_by_test_id("group-reason").fill(reason)
    await page.get_by_test_id("confirm").click()
    await expect(page.get_by_test_id("group-reason")).to_have_count(0)
