"""From a group's details a dispatcher listens in, joins its call and talks, puts one member out and ends it; all are told why."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.product.test_dispatch_page import loud
from tests.product.test_group_panel import hears, talks
from tests.support.browser import chromium, screenshot, visitor
from tests.support.installation import Installation
from tests.support.pages import sign_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(480)]

NAME = "巡查组"


async def order(page: Page, menu: Locator, verb: str, reason: str, shot: str, says: str) -> None:
    """By keyboard from the menu's button on: the first verb has the focus, arrows go to the others, the reason has it next."""
    await menu.focus()
    await page.keyboard.press("Enter")
    item = page.get_by_test_id(f"verb-{verb}")
    await expect(item).to_be_visible(timeout=10_000)
    for _ in range(6):
        if await item.evaluate("(one) => one === document.activeElement"):
            break
        await page.keyboard.press("ArrowDown")
    await screenshot(page, f"{shot}-menu")
    await page.keyboard.press("Enter")
    dialog = page.get_by_test_id("dispatch-dialog")
    await expect(dialog).to_contain_text(says)
    await expect(dialog.get_by_test_id("dispatch-told")).to_contain_text("将告知")
    await page.keyboard.type(reason)
    await screenshot(page, f"{shot}-dialog")
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0, timeout=10_000)


async def told(pages: tuple[Page, Page], *words: str) -> None:
    for page in pages:
        for word in words:
            await expect(page.get_by_test_id("dispatch-notice").last).to_contain_text(word, timeout=10_000)


async def test_a_dispatcher_and_a_group(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        who = {one.account: one for one in hub.sign_ins}
        chief, higher, lower = who["dispatcher"], who["binjiang"], who["street"]
        first, second, third = [(await visitor(browser, hub.base))[1] for _ in range(3)]
        for page, one in zip((first, second, third), (chief, higher, lower), strict=True):
            await sign_in(page, one)
            await page.get_by_test_id("group-toggle").click()
        await second.get_by_test_id("group-new").click()
        await second.get_by_test_id("group-name").fill(NAME)
        await second.get_by_test_id("invitee-search").fill(lower.name)
        await second.get_by_test_id("invitee-person").filter(has_text=lower.name).click()
        await second.get_by_test_id("group-make").click()
        for page in (second, third):
            await page.get_by_test_id("group-row").filter(has_text=NAME).click()
        await third.keyboard.down("Space")
        await talks(third, "mine")
        await hears(second, True)

        row = first.get_by_test_id("group-row").filter(has_text=NAME)
        await expect(row).to_be_visible(timeout=10_000)
        await row.get_by_test_id("group-open").click()
        card = first.get_by_test_id("group-card")
        whole = card.locator(".book-buttons").get_by_test_id("verb-menu")
        await expect(card.locator('[data-testid="group-member"][data-reach="joined"]')).to_have_count(2, timeout=15_000)

        await order(first, whole, "monitor", "核实巡查情况", "group-monitor", "2 人听不到你")
        bar = first.get_by_test_id("dispatch-bar")
        await expect(bar).to_have_attribute("data-line", "in", timeout=20_000)
        await expect(bar).to_contain_text(NAME)
        await loud(first, "dispatch-sound")
        await told((second, third), chief.name, NAME, "核实巡查情况")
        await screenshot(first, "group-monitoring")
        await screenshot(third, "group-told")
        await expect(card.get_by_test_id("group-member")).to_have_count(2)

        await third.keyboard.up("Space")  # whoever the menu was opened for stays meant, though the floor is another's
        await order(first, whole, "barge", "直接指挥", "group-barge", "按住讲话")
        await expect(bar).to_have_count(0, timeout=10_000)
        await talks(first, "idle")
        await told((second, third), chief.name, "直接指挥")
        await first.locator("body").click(position={"x": 700, "y": 20})
        await first.keyboard.down("Space")
        await talks(first, "mine")
        await hears(second, True)
        await screenshot(first, "group-barged")
        await first.keyboard.up("Space")
        await card.get_by_test_id("group-listen").click()  # and goes again
        await expect(card.locator('[data-testid="group-member"][data-reach="joined"]')).to_have_count(2, timeout=15_000)

        member = card.get_by_test_id("group-member").filter(has_text=lower.name).get_by_test_id("verb-menu")
        await order(first, member, "release", "设备啸叫", "group-put-out", "退出本次组呼")
        await expect(third.get_by_test_id("dispatch-notice").last).to_contain_text("请出", timeout=10_000)
        await expect(third.locator('[data-testid="group-row"][data-live="true"] .hearing[data-in="true"]')).to_have_count(0)
        await expect(card.locator('[data-testid="group-member"][data-reach="put_out"]')).to_have_count(1, timeout=15_000)
        await screenshot(first, "group-put-out")

        await order(first, whole, "release", "改用指挥频道", "group-release", "1 人断开")
        await expect(second.get_by_test_id("group-row").filter(has_text=NAME)).to_contain_text("未呼叫", timeout=10_000)
        await expect(second.get_by_test_id("dispatch-notice").last).to_contain_text("改用指挥频道")
        await screenshot(second, "group-released")
        for page in (first, second, third):
            assert page.complaints == []  # type: ignore[attr-defined]
