"""Two people delete a recording in the pages: one asks, the other confirms, a tombstone stays. A legal hold, and storage."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from commhub.media.messages import Space
from tests.support.browser import chromium, screenshot, visitor
from tests.support.hubs import Hub, serving
from tests.support.kept import PlayedRecorder, recorded

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

WHY = "当事人申请，已核准"


async def sign_in(hub: Hub, page: Page, account: str) -> None:
    await page.goto("/")
    await page.get_by_test_id("signin-account").fill(account)
    await page.get_by_test_id("signin-password").fill(hub.passwords[account])
    await page.get_by_test_id("signin-submit").click()
    await expect(page.get_by_test_id("account-menu")).to_be_visible(timeout=15_000)
    await page.goto("/review")


async def pick(page: Page, act: str, reason: str, shot: str) -> None:
    await page.get_by_test_id("keeping-menu").click()
    await page.get_by_test_id(f"keeping-{act}").click()
    dialog = page.get_by_test_id("keeping-dialog")
    await expect(dialog).to_be_visible()
    await page.keyboard.type(reason)  # the field has the focus
    await screenshot(page, shot)
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0, timeout=10_000)


async def test_two_people_delete_a_recording(tmp_path: Path) -> None:
    async with serving(tmp_path) as hub, chromium() as browser:
        held = await recorded(hub, title="滨江路积水处置", bytes=3 << 30)
        one = await recorded(hub, title="误录的测试会商", bytes=200 << 20)
        recorder = PlayedRecorder(hub.parts.keeper)
        assert hub.server is not None
        hub.parts.storage.start()
        base = str(hub.server.make_url("/")).rstrip("/").replace("127.0.0.1", "localhost")
        pages = [(await visitor(browser, base))[1] for _ in range(2)]
        reviewer, admin = pages
        for page, account in zip(pages, ("reviewer", "admin"), strict=True):
            await sign_in(hub, page, account)
        row = reviewer.locator(f'[data-testid="review-row"][data-id="{held}"]')
        await row.get_by_test_id("review-open").click()
        await pick(reviewer, "hold", "行政复议 2026-17", "keeping-hold")
        await expect(reviewer.get_by_test_id("keeping-chip")).to_have_attribute("data-state", "held")
        await screenshot(reviewer, "keeping-held")
        await reviewer.goto(f"/review/{one}")
        await pick(reviewer, "ask", WHY, "keeping-ask")
        await expect(reviewer.get_by_test_id("keeping-chip")).to_have_attribute("data-state", "asked")
        await reviewer.get_by_test_id("keeping-menu").click()
        await expect(reviewer.get_by_test_id("keeping-refuse")).to_have_text("撤回")
        await expect(reviewer.get_by_test_id("keeping-confirm")).to_have_count(0)  # not by oneself
        await reviewer.keyboard.press("Escape")

        waiting = admin.get_by_test_id("deletion")
        await expect(waiting).to_contain_text(WHY, timeout=15_000)  # without a reload
        await screenshot(admin, "keeping-deletions")
        await waiting.get_by_test_id("deletion-confirm").click()
        await expect(admin.get_by_test_id("keeping-request")).to_contain_text(WHY)
        await screenshot(admin, "keeping-confirm")
        await admin.get_by_test_id("keeping-submit").click()
        await expect(admin.get_by_test_id("deletions")).to_have_count(0, timeout=10_000)
        gone = admin.locator(f'[data-testid="review-row"][data-id="{one}"]')
        await expect(gone.get_by_test_id("keeping-chip")).to_have_text("已删除")
        stone = reviewer.get_by_test_id("tombstone")
        await reviewer.reload()
        await expect(stone).to_contain_text(WHY, timeout=15_000)
        await expect(stone).to_contain_text("正在清除")
        assert recorder.told == [one]
        recorder.forgotten(one)
        await expect(stone).to_contain_text("已于", timeout=15_000)  # as soon as it is so
        await screenshot(reviewer, "keeping-tombstone")

        hub.parts.storage.heard(0, Space(free=3 << 30, total=100 << 30, level="pictures"))
        for page in pages:
            await expect(page.get_by_test_id("storage-banner")).to_have_attribute("data-level", "thin", timeout=15_000)
        await admin.get_by_test_id("storage-open").click()
        ops = admin.get_by_test_id("storage-org").first
        await ops.get_by_test_id("quota-edit").click()
        await ops.get_by_test_id("quota-value").fill("3")
        await ops.get_by_test_id("quota-save").click()
        await expect(ops).to_have_attribute("data-level", "100", timeout=10_000)
        await screenshot(admin, "keeping-storage")
        hub.parts.storage.heard(0, Space(free=90 << 30, total=100 << 30, level="ample"))
        await expect(reviewer.get_by_test_id("storage-banner")).to_have_count(0, timeout=15_000)
        for page in pages:
            assert page.complaints == []  # type: ignore[attr-defined]
