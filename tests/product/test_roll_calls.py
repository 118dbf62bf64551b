"""A post answers by one press, a line is tested, a consultation is scheduled, the roll is called: by mouse and by keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.browser import chromium, screenshot
from tests.support.installation import Installation
from tests.support.pages import meet, signed_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(480)]


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Two pages, media and a database on a machine that others use, too."""
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=None)


async def test_the_roll_is_called(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        dispatcher, participant = hub.who("dispatcher"), hub.who("participant")
        first = await signed_in(browser, hub, "dispatcher")
        second = await signed_in(browser, hub, "participant")

        # Are posts manned?
        await first.goto("/posts")
        await first.get_by_test_id("posts-ask").click()
        await first.get_by_test_id("invitee-search").fill(participant.name)
        await first.get_by_test_id("invitee-person").filter(has_text=participant.name).click()
        await first.get_by_test_id("posts-submit").click()
        await expect(second.get_by_test_id("roll-question")).to_contain_text(dispatcher.name, timeout=10_000)
        await screenshot(second, "roll-question")
        await second.keyboard.press("F1")
        await expect(second.get_by_test_id("roll-question")).to_have_count(0)
        await expect(first.get_by_test_id("posts-entry")).to_have_attribute("data-state", "present", timeout=10_000)
        await screenshot(first, "posts")

        # Can their organisation connect? Their page sends a picture and a tone, and gets them back.
        await first.goto("/links")
        await first.get_by_test_id("link-row").filter(has_text="应急管理局").click()
        await first.get_by_test_id("links-one").click()
        await expect(first.get_by_test_id("link-test")).to_have_attribute("data-state", re.compile("well|weak"), timeout=60_000)
        await expect(second.get_by_test_id("link-note")).to_have_count(0)
        await screenshot(first, "links")

        # Scheduled, accepted.
        await first.goto("/consultations")
        await first.get_by_test_id("tab-agenda").click()
        await first.get_by_test_id("agenda-create").click()
        await first.get_by_test_id("agenda-title").fill("防汛例会")
        await first.get_by_test_id("invitee-search").fill(participant.name)
        await first.get_by_test_id("invitee-person").filter(has_text=participant.name).click()
        await screenshot(first, "agenda-dialog")
        await first.get_by_test_id("agenda-submit").click()
        await expect(first.get_by_test_id("agenda-row")).to_contain_text("防汛例会")
        await second.goto("/consultations")
        await second.get_by_test_id("tab-agenda").click()
        await second.get_by_test_id("agenda-accepted").click()
        await expect(first.get_by_test_id("agenda-tally")).to_contain_text("参加 1", timeout=10_000)
        await first.get_by_test_id("agenda-write").click()
        await first.get_by_test_id("agenda-minutes").fill("一、水位回落。")
        await first.get_by_test_id("agenda-save").click()
        await expect(first.get_by_test_id("agenda-detail")).to_contain_text("第 1 版")
        await screenshot(first, "agenda")
        await screenshot(second, "agenda-reply")

        await first.get_by_test_id("tab-live").click()
        await meet(first, second, "防汛点名", participant)

        await first.get_by_test_id("more").click()
        await first.get_by_test_id("roll-open").click()
        await screenshot(first, "roll-start")
        await first.get_by_test_id("roll-begin").click()
        await expect(first.get_by_test_id("roll-sheet")).to_be_visible()
        await expect(second.get_by_test_id("roll-sheet")).to_be_visible()
        await expect(second.get_by_test_id("roll-go")).to_have_count(0)  # only who leads has the buttons
        await expect(first.get_by_test_id("roll-next")).to_contain_text(participant.name)
        await first.keyboard.press("n")
        for page in (first, second):
            await expect(page.get_by_test_id("roll-current")).to_contain_text(participant.name)
        # Chromium's invented microphone beeps once a second: whether they answer by a press or by being heard, both count.
        await second.keyboard.press("y")
        for page in (first, second):
            await expect(page.get_by_test_id("roll-sheet")).to_have_attribute("data-phase", "speaks")
        await screenshot(first, "roll-sheet")
        await screenshot(second, "roll-mine")
        await first.keyboard.press("n")
        await expect(second.get_by_test_id("roll-entry")).to_have_attribute("data-state", "done")
        await first.get_by_test_id("roll-end").click()
        for page in (first, second):
            await expect(page.get_by_test_id("roll-sheet")).to_have_count(0)
        assert first.complaints == second.complaints == []  # type: ignore[attr-defined]
