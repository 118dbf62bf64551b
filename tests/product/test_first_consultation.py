"""Two people meet in the pages, a camera is with them, all of it is recorded and reviewed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import chromium, screenshot, visitor
from tests.support.face import film
from tests.support.installation import Installation, SignIn
from tests.support.pages import CAMERA, OTHER, meet, moves, sign_in, signed_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]


async def test_two_people_a_camera_a_recording_and_its_review(tmp_path: Path) -> None:
    faces = [film(tmp_path / f"{look}.y4m", look) for look in (0, 1)]
    async with Installation(tmp_path) as hub, chromium(film=faces[0]) as browser, chromium(film=faces[1]) as other:
        participant = hub.who("participant")
        first, second = await signed_in(browser, hub, "dispatcher"), await signed_in(other, hub, "participant")

        await meet(first, second, "长江大道下穿通道内涝处置会商", participant)
        for page in (first, second):
            await moves(page, OTHER)

        await first.get_by_test_id("bring-camera").click()
        await first.get_by_test_id("camera-search").fill(hub.camera["name"][:3])
        await first.get_by_test_id("camera-option").filter(has_text=hub.camera["name"]).click()
        await first.get_by_test_id("camera-submit").click()
        for page in (first, second):
            await moves(page, CAMERA)

        await first.get_by_test_id("record-toggle").click()
        for page in (first, second):
            await expect(page.get_by_test_id("recording-chip")).to_be_visible(timeout=10_000)
        for page in (first, second):
            await page.get_by_test_id("toggle-chat").click()
        await asyncio.sleep(4)
        await second.get_by_test_id("chat-input").fill("东口积水到水尺 62 厘米,请派泵车。")
        await second.get_by_test_id("chat-send").click()
        await expect(first.get_by_test_id("chat-line").last).to_contain_text("62 厘米")
        await screenshot(first, "room")
        await asyncio.sleep(7)
        await first.get_by_test_id("record-toggle").click()
        await expect(first.get_by_test_id("recording-chip")).to_be_hidden(timeout=10_000)
        await first.get_by_test_id("leave").click()
        await second.get_by_test_id("leave").click()
        for page in (first, second):
            assert page.complaints == []  # type: ignore[attr-defined]

        _, third = await visitor(browser, hub.base)
        await review(third, hub.who("admin"))


async def review(page: Page, who: SignIn) -> None:
    """Both people's pictures and the camera move; seeking works; the chat line stands at its second."""
    await sign_in(page, who)
    await page.goto("/review")
    await page.get_by_test_id("review-open").first.click()
    await expect(page.get_by_test_id("player")).to_be_visible(timeout=10_000)
    await expect(page.locator('[data-testid="player-tile"]')).to_have_count(3, timeout=10_000)
    await page.get_by_test_id("player-play").click()
    picture = '[data-testid="player-tile"] video'
    await asyncio.gather(*(moves(page, picture, index=number) for number in range(3)))
    line = page.get_by_test_id("player-chat-line").first
    await expect(line).to_contain_text("62 厘米")
    at = int(await line.get_attribute("data-at-ms") or -1)
    assert 3_000 <= at <= 9_000, at  # said 4 s into the recording; the pages need a moment
    await screenshot(page, "review")
    await line.click()
    await asyncio.sleep(1.5)
    position = int(await page.get_by_test_id("player-seek").input_value())
    assert at - 500 <= position <= at + 4_000, (at, position)
    await moves(page, picture)
    assert page.complaints == []  # type: ignore[attr-defined]
