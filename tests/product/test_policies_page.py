"""An administrator says in the pages what is always recorded, by keys; what the settings say is shown beside it, read-only."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.async_api import Route, expect

from commhub.recordings.policy import Rules
from commhub.store import tables
from tests.product.test_keeping_page import sign_in
from tests.support.browser import chromium, screenshot, visitor
from tests.support.hubs import serving

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]


async def test_a_policy_is_made_changed_and_taken_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as hub, chromium() as browser:
        hub.parts.recordings.wishes.rules = Rules(frozenset({"sensitive"}), {"call": "start"})
        assert hub.server is not None
        base = str(hub.server.make_url("/")).rstrip("/").replace("127.0.0.1", "localhost")
        _, page = await visitor(browser, base)
        await sign_in(hub, page, "admin")
        # 管理 is one entry of the navigation; its pages are tabs.
        await page.get_by_role("link", name="管理", exact=True).click()
        await page.get_by_role("link", name="录制策略").click()
        await expect(page.get_by_role("link", name="管理", exact=True)).to_have_attribute("aria-current", "page")
        rule = page.locator('[data-testid="policy-rule"][data-setting="recorder.calls"]')
        await expect(rule).to_contain_text("自动")
        await expect(page.locator('[data-setting="recorder.always"]')).to_contain_text("敏感")
        # By keys: found by the beginning of its name, chosen, saved.
        async with hub.parts.store.reading() as reading:
            row = await reading.first(sa.select(tables.cameras).order_by(tables.cameras.c.id).limit(1))
        assert row is not None
        await page.get_by_test_id("policy-add").focus()
        await page.keyboard.press("Enter")
        await page.get_by_test_id("policy-kind-camera").click()
        find = page.get_by_test_id("policy-find")
        await find.fill(row.name)
        one = page.locator(f'[data-testid="policy-candidate"][data-id="{row.id}"]')
        await expect(one).to_be_visible(timeout=10_000)
        await find.press("ArrowDown")
        await expect(one).to_have_attribute("aria-selected", "true")
        await expect(page.get_by_test_id("policy-dialog").get_by_role("status")).to_contain_text("手动", timeout=10_000)
        await screenshot(page, "policy-add")
        await page.get_by_test_id("policy-save").press("Enter")
        await expect(page.get_by_test_id("policy-dialog")).to_have_count(0)
        made = page.get_by_test_id("policy")
        await expect(made).to_have_attribute("data-effective", "always")
        await screenshot(page, "policies")
        # Somebody else is quicker: it is said, and what they made of it is shown.
        other = await hub.person("admin")

        async def overtaken(route: Route) -> None:
            await hub.parts.recorded.rule("camera", row.id, other, None, "hand", "watched")
            await route.continue_()

        await page.route("**/recording-policies/**", overtaken, times=1)
        await made.get_by_test_id("policy-mode").select_option(label="自动")
        await expect(page.get_by_text("别人刚刚改过")).to_be_visible(timeout=10_000)
        await expect(made).to_have_attribute("data-effective", "hand")
        # What ends a recording asks first.
        await made.get_by_test_id("policy-mode").select_option(label="禁录")
        await expect(page.get_by_test_id("confirm")).to_have_text("禁录")
        assert (await hub.parts.recorded.counts("camera", row.id, other)).mode == "hand"
        await page.get_by_test_id("confirm").click()
        await expect(made).to_have_attribute("data-effective", "never")
        await made.get_by_test_id("policy-clear").click()
        await expect(made).to_have_count(0)
        counts = await hub.parts.recorded.counts("camera", row.id, other)
        assert (counts.mode, counts.effective, counts.why) == (None, "hand", "kind")
        async with hub.parts.store.reading() as reading:
            a = tables.audit.c
            acts = await reading.all(sa.select(a.object).where(a.action == "recording.policy").order_by(a.id))
        assert len(acts) == 4
        # Who lacks the right neither sees the page's name nor gets an answer.
        _, page = await visitor(browser, base)
        await sign_in(hub, page, "dispatcher")
        await expect(page.get_by_role("link", name="录制策略")).to_have_count(0)
