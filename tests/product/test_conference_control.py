"""A chair, somebody who takes part and somebody in the lobby: conference control in the pages, by keyboard where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import chromium, screenshot, visitor
from tests.support.installation import Installation, SignIn

SLOW = 30_000  # ms
pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]


async def sign_in(page: Page, who: SignIn) -> None:
    await page.goto("/")
    await page.get_by_test_id("signin-account").fill(who.account)
    await page.get_by_test_id("signin-password").fill(who.password)
    await page.get_by_test_id("signin-submit").click()
    await expect(page.get_by_test_id("account-menu")).to_be_visible(timeout=SLOW)


async def begun(chair: Page, names: list[str]) -> None:
    await chair.get_by_test_id("consultation-create").click()
    await chair.get_by_test_id("create-title").fill("长江大道下穿通道内涝处置会商")
    for name in names:
        await chair.get_by_test_id("invitee-search").fill(name)
        await chair.get_by_test_id("invitee-person").filter(has_text=name).click()
    await chair.get_by_test_id("create-submit").click()
    await expect(chair.get_by_test_id("room")).to_be_visible(timeout=SLOW)


async def by_menu(chair: Page, name: str, act: str) -> None:
    await chair.get_by_role("tab", name="成员").click()
    row = chair.get_by_test_id("member").filter(has_text=name)
    await row.get_by_test_id("member-menu").click()
    await chair.get_by_test_id(f"member-{act}").click()


async def panel(chair: Page) -> None:
    if not await chair.get_by_test_id("panel-control").is_visible():
        await chair.locator("body").press("o")
    await expect(chair.get_by_test_id("panel-control")).to_be_visible(timeout=SLOW)


async def test_a_chair_a_participant_and_who_waits(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        people = [hub.who("dispatcher"), hub.who("participant", 0), hub.who("participant", 1)]
        pages = [(await visitor(browser, hub.base, width=1600, height=1000))[1] for _ in people]
        for page, who in zip(pages, people, strict=True):
            await sign_in(page, who)
        try:
            await conferred(pages, people)
        except AssertionError:
            for number, page in enumerate(pages):
                await screenshot(page, f"failed-{number}")
            raise


async def conferred(pages: list[Page], people: list[SignIn]) -> None:
    chair, one, late = pages
    await begun(chair, [who.name for who in people[1:]])
    await one.get_by_test_id("ring-accept").click(timeout=SLOW)
    await expect(one.get_by_test_id("room")).to_be_visible(timeout=SLOW)

    await panel(chair)
    await chair.get_by_test_id("lobby-mode").locator('[data-value="everybody"]').click()
    await expect(chair.get_by_text("没有人在等候")).to_be_visible(timeout=SLOW)
    await late.get_by_test_id("ring-accept").click(timeout=SLOW)
    await expect(late.get_by_test_id("waiting-page")).to_be_visible(timeout=SLOW)
    row = chair.get_by_test_id("waiting-row")
    await expect(row).to_contain_text(people[2].name, timeout=SLOW)
    for who in people[:2]:
        await expect(late.locator("main")).not_to_contain_text(who.name)
    await screenshot(late, "19-waiting")
    await screenshot(chair, "20-lobby")
    await chair.locator("body").press("Shift+A")
    await expect(late.get_by_test_id("room")).to_be_visible(timeout=SLOW)
    await expect(row).to_have_count(0, timeout=SLOW)

    await one.locator("body").press("h")
    await expect(chair.get_by_test_id("hand-row")).to_contain_text(people[1].name, timeout=SLOW)
    await chair.locator("body").press("Shift+M")
    dialog = chair.get_by_test_id("mute-all-dialog")
    await dialog.get_by_text("允许成员自行解除静音").click()
    await screenshot(chair, "21-mute-all")
    await chair.get_by_test_id("mute-all-act").click()
    await expect(dialog).to_have_count(0, timeout=SLOW)
    muted = '[data-testid="control-banner"] [data-part="muted"]'
    for page in (one, late):
        await expect(page.locator(muted)).to_be_visible(timeout=SLOW)
    await screenshot(one, "22-muted")
    await chair.locator("body").press("Shift+H")
    await expect(one.locator(muted)).to_have_count(0, timeout=SLOW)
    await expect(late.locator(muted)).to_be_visible(timeout=SLOW)
    await expect(chair.get_by_test_id("hand-row")).to_have_count(0, timeout=SLOW)

    await by_menu(chair, people[1].name, "spotlight")
    for page in pages:
        await expect(page.get_by_test_id("speaker")).to_be_visible(timeout=SLOW)
    await panel(chair)
    await chair.get_by_test_id("spotlight-end").click()
    await chair.get_by_test_id("stage-layout").locator('[data-value="grid"]').click()
    for page in pages:
        await expect(page.get_by_test_id("grid")).to_be_visible(timeout=SLOW)

    await chair.get_by_test_id("side-new").click()
    side = chair.get_by_test_id("side-dialog")
    for who in people[1:]:
        await side.get_by_text(who.name).click()
    await chair.get_by_test_id("side-act").click()
    await expect(side).to_have_count(0, timeout=SLOW)
    for page in (one, late):
        await expect(page.locator('[data-part="side"]')).to_be_visible(timeout=SLOW)
    await chair.get_by_test_id("extend").click()
    await chair.get_by_test_id("extend-dialog").get_by_role("button", name="5 分钟", exact=True).click()
    await chair.get_by_test_id("extend-act").click()
    await expect(chair.get_by_test_id("extend-dialog")).to_have_count(0, timeout=SLOW)
    await expect(late.locator('[data-part="end"]')).to_be_visible(timeout=SLOW)
    await screenshot(chair, "23-control")
    await screenshot(one, "24-side")
    await chair.get_by_test_id("side-end").click()
    await expect(one.locator('[data-part="side"]')).to_have_count(0, timeout=SLOW)

    await by_menu(chair, people[2].name, "return")
    await expect(late.get_by_test_id("waiting-page")).to_be_visible(timeout=SLOW)
    for page in pages:
        assert page.complaints == []  # type: ignore[attr-defined]
