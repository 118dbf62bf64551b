"""Ctrl K on any page: somebody is called, a camera opened, a consultation joined, without a mouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.browser import chromium, screenshot, visitor
from tests.support.installation import Installation
from tests.support.pages import sign_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(480)]


async def search(page: Page, words: str) -> Locator:
    await page.keyboard.press("Control+k")
    await expect(page.get_by_test_id("quick-search")).to_be_focused(timeout=10_000)
    await page.keyboard.type(words)
    await page.wait_for_timeout(400)  # letters settle before anything is looked for
    return page.get_by_test_id("quick-row")


async def mark(page: Page, row: Locator) -> None:
    await expect(page.get_by_test_id("quick").get_by_role("status")).to_contain_text("Enter 执行", timeout=15_000)
    await expect(row).to_be_visible(timeout=10_000)
    for _ in range(25):
        if await row.get_attribute("aria-selected") == "true":
            return
        await page.keyboard.press("ArrowDown")
    raise AssertionError("the arrows do not reach it")


async def test_somebody_a_camera_and_a_consultation(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        dispatcher, participant = hub.who("dispatcher"), hub.who("participant")
        _, first = await visitor(browser, hub.base)
        _, second = await visitor(browser, hub.base)
        await sign_in(first, dispatcher)
        await sign_in(second, participant)
        quick = first.get_by_test_id("quick")

        rows = await search(first, "yjj")
        await mark(first, rows.filter(has_text=participant.name))
        await screenshot(first, "quick-person")
        await first.keyboard.press("Enter")
        await expect(quick).to_have_count(0, timeout=10_000)
        await expect(second.get_by_test_id("call-card")).to_contain_text(dispatcher.name, timeout=15_000)
        await first.keyboard.press("F4")
        await expect(second.get_by_test_id("call-card")).to_have_count(0, timeout=15_000)

        # Only to be looked at: in the address book.
        rows = await search(first, "yjj")
        await mark(first, rows.filter(has_text=participant.name))
        await first.keyboard.press("Shift+Enter")
        await expect(first.get_by_test_id("book-entry").filter(has_text=participant.name).first).to_be_visible(timeout=15_000)
        await expect(second.get_by_test_id("call-card")).to_have_count(0)

        # Esc closes it; also while something else has the focus it opens.
        await first.get_by_test_id("book-search").focus()
        await search(first, "没有这个名字")
        await expect(quick.get_by_role("status")).to_contain_text("没有这个名字")
        await first.keyboard.press("Escape")
        await expect(quick).to_have_count(0)

        made = await (await hub.sign_in(dispatcher)).call("POST", "/consultations", {"title": "快查会商", "people": []})
        rows = await search(first, "kchs")
        await mark(first, rows.filter(has_text="快查会商"))
        await first.keyboard.press("Enter")
        await expect(first).to_have_url(f"{hub.base}/room/{made['id']}", timeout=15_000)
        await expect(first.get_by_test_id("leave")).to_be_visible(timeout=30_000)

        # What would leave the room asks for Enter once more.
        rows = await search(first, hub.camera["name"][:5])
        camera = rows.filter(has_text=hub.camera["name"])
        await mark(first, camera)
        await first.keyboard.press("Enter")
        await expect(camera).to_contain_text("会离开当前会商")
        await screenshot(first, "quick-leaves")
        await first.keyboard.press("Enter")
        await expect(first.locator('[data-testid="spot"][data-camera]').first).to_be_visible(timeout=30_000)
        assert first.complaints == second.complaints == []  # type: ignore[attr-defined]
