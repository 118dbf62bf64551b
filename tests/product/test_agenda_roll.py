"""From a scheduled consultation: those invited are asked beforehand whether they are there, and called when it is open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import chromium, screenshot, visitor
from tests.support.installation import Installation, Person
from tests.support.pages import sign_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(480)]

SOON, LATER = "防汛例会", "汛后复盘"


async def schedule(chief: Person, title: str, starts: timedelta, **invited: list[str]) -> None:
    at = datetime.now(UTC) + starts
    body: dict[str, Any] = {"title": title, "starts_at": at.isoformat(timespec="seconds"), "minutes": 60, **invited}
    await chief.call("POST", "/agenda", {**body, "begins": "chair", "early_minutes": 10})


async def choose(page: Page, title: str) -> None:
    await page.goto("/consultations")
    await page.get_by_test_id("tab-agenda").click()
    await page.get_by_test_id("agenda-row").filter(has_text=title).click()
    await expect(page.get_by_test_id("agenda-detail")).to_contain_text(title)


async def test_a_roll_is_called_from_the_agenda(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        chief, participant = await hub.sign_in(hub.who("dispatcher")), hub.who("participant")
        people = (await chief.call("GET", f"/people?q={participant.name}"))["items"]
        person = next(one["id"] for one in people if one["name"] == participant.name)
        orgs = {one["name"]: one["id"] for one in (await chief.call("GET", "/organisations"))["items"]}
        await schedule(chief, SOON, timedelta(minutes=3), people=[person], organisations=[orgs["民政局"]])
        await schedule(chief, LATER, timedelta(days=2), people=[person])
        _, first = await visitor(browser, hub.base)
        _, second = await visitor(browser, hub.base)
        await sign_in(first, hub.who("dispatcher"))
        await sign_in(second, participant)

        # Days before it nobody can be called in it: it asks whether they are there.
        await choose(first, LATER)
        await expect(first.get_by_test_id("agenda-roll")).to_have_count(0)
        await first.get_by_test_id("agenda-posts").click()
        await expect(first.get_by_test_id("posts-dialog")).to_contain_text(participant.name)
        await screenshot(first, "agenda-posts")
        await first.get_by_test_id("posts-submit").click()
        await expect(second.get_by_test_id("roll-question")).to_contain_text(LATER, timeout=20_000)
        await second.keyboard.press("F1")
        await expect(first.get_by_test_id("posts-entry")).to_have_attribute("data-state", "present", timeout=20_000)

        # Open: it begins, and asks how those invited are called, who has not come among them.
        await choose(first, SOON)
        await expect(first.get_by_test_id("agenda-posts")).to_have_count(0)
        await screenshot(first, "agenda-roll")
        await first.get_by_test_id("agenda-roll").click()
        dialog = first.get_by_test_id("roll-start")
        await expect(dialog).to_be_visible(timeout=30_000)
        one = dialog.get_by_test_id("roll-candidate").filter(has_text=participant.name)
        await expect(one).to_have_attribute("data-there", "false")
        await expect(dialog.get_by_test_id("roll-missing")).to_contain_text("民政")
        await screenshot(first, "agenda-roll-start")
        await second.keyboard.press("F1")
        await expect(one).to_have_attribute("data-there", "true", timeout=30_000)
        await dialog.get_by_test_id("roll-begin").click()
        await expect(second.get_by_test_id("roll-sheet")).to_be_visible(timeout=20_000)
        await expect(first.get_by_test_id("roll-next")).to_contain_text(participant.name)
        await screenshot(first, "agenda-roll-sheet")
        assert first.complaints == second.complaints == []  # type: ignore[attr-defined]
