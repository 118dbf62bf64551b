"""The camera page in Chromium, with a simulated recorder: found by pinyin, many tiles over one connection, moved by keys, an
alarm, a camera that does not open, recordings, a consultation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from bridges.simulated.device import Device, Style
from bridges.simulated.device import cameras as channels
from bridges.simulated.model import Entry
from tests.support import until
from tests.support.browser import chromium, screenshot, visitor
from tests.support.camera_house import House, admitted, cameras, gb28181
from tests.support.gb28181 import DEVICE, device
from tests.support.pages import MOVING, moves, sign_in, signed_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

BUSY = "11010500001180000002"
PICTURE = Style(main=(640, 360), sub=(320, 180), fps=Fraction(25, 2), group_seconds=1.0, shared=True, repeat=4.0)
STOP = "A50F0100000000B5"
#: Every connection the page makes is kept, to be counted.
COUNTED = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...words) { super(...words); window.connections.push(this); }
};
"""
CONNECTED = "window.connections.filter((one) => one.connectionState === 'connected').length"
STATES = "[...document.querySelectorAll('[data-testid=spot]')].map((one) => one.dataset.state)"


def named(names: list[str], movable: int) -> list[Entry]:
    found = channels(DEVICE[:6], len(names), parent=DEVICE, movable=movable, alarms=1)
    return [replace(entry, name=name) for entry, name in zip(found, names, strict=True)]


NAMES = ["临江大堤 K08", "临江大堤 K10", "临江大堤 K12", "临江大堤 K14", "临江大堤 K16", "青石桥下穿 东口"]


@asynccontextmanager
async def recorder(hub: House) -> AsyncIterator[Device]:
    """A recorder with six cameras, five on a dyke, three that move; its catalogue is in the directory."""
    admin, password = await admitted(hub, name="大堤录像机")
    async with device(hub.address, password=password, entries=named(NAMES, 3), style=PICTURE) as made:
        await cameras(admin, gb28181, len(NAMES))
        yield made


async def opened(page: Page, hub: House) -> None:
    await page.add_init_script(COUNTED)
    await sign_in(page, hub.who("dispatcher"))
    await page.goto("/cameras")
    await expect(page.get_by_test_id("wall")).to_be_visible(timeout=15_000)


async def found(page: Page, words: str, count: int) -> None:
    await page.keyboard.press("/")
    await expect(page.get_by_test_id("camera-search")).to_be_focused()
    await page.get_by_test_id("camera-search").fill(words)
    await expect(page.get_by_test_id("tree-camera")).to_have_count(count, timeout=10_000)


async def all_move(page: Page, count: int) -> None:
    await expect(page.locator('[data-testid="spot"][data-state="live"]')).to_have_count(count, timeout=20_000)
    for number in range(count):
        picture = '[data-testid="spot"][data-state="live"] video'
        for _ in range(3):
            if await page.evaluate(MOVING, [picture, 3, number]):
                break
        else:
            raise AssertionError(f"tile {number} stands still: {await page.evaluate(STATES)}")


async def moved_by_keys(page: Page, made: Device) -> None:
    """The selected camera turns while the key is down, and stops when it is let go."""

    def said() -> list[str]:
        return [one.value for one in made.commands if one.what == "PTZCmd"]

    await page.keyboard.down("ArrowLeft")
    await until(lambda: any(one[6:8] == "02" for one in said()), 10, "the device is told to turn left")
    await expect(page.get_by_test_id("lock-mine")).to_be_visible(timeout=5_000)
    await screenshot(page, "cameras")
    await page.keyboard.up("ArrowLeft")
    await until(lambda: said()[-1] == STOP, 5, "the device is told to stop")
    await page.get_by_test_id("ptz-zoomIn").dispatch_event("pointerdown", {"button": 0, "pointerId": 1})
    await until(lambda: any(one[6:8] == "10" for one in said()), 5, "the device is told to zoom in")
    # The window is left with the button down: nobody holds the camera any more.
    await page.evaluate("window.dispatchEvent(new Event('blur'))")
    await until(lambda: said()[-1] == STOP, 5, "the device is told to stop")


async def alarmed(page: Page, made: Device, camera: Entry) -> None:
    await made.alarm(camera.code, priority=2, text="水位越警戒 28.46 m")
    card = page.get_by_test_id("alarm-card")
    await expect(card).to_be_visible(timeout=10_000)
    await expect(card).to_contain_text(camera.name)
    await expect(page.locator('[data-testid="alarm-picture"][data-state="live"]')).to_be_visible(timeout=15_000)
    await screenshot(page, "camera-alarm")
    await card.get_by_test_id("alarm-confirm").click()
    await expect(card).to_be_hidden()


async def played(page: Page) -> None:
    """What the device has recorded takes the place of the live picture, and gives it back."""
    await expect(page.get_by_test_id("day-piece").first).to_be_visible(timeout=15_000)
    await page.get_by_test_id("day-play").click()
    await expect(page.locator(".spot-badge.inverse")).to_be_visible(timeout=15_000)
    await moves(page, '[data-testid="spot"][aria-selected="true"] video')
    await screenshot(page, "camera-playback")
    await page.get_by_test_id("day-live").click()
    await expect(page.locator(".spot-badge.inverse")).to_be_hidden()


async def test_a_wall_is_opened_moved_and_kept(tmp_path: Path) -> None:
    async with House(tmp_path) as hub, recorder(hub) as made, chromium() as browser:
        _, page = await visitor(browser, hub.base)
        await opened(page, hub)
        await page.get_by_test_id("wall-9").click()
        await found(page, "ljdd", 5)
        await expect(page.locator("mark", has_text="临江大堤")).to_have_count(5)
        for number in range(5):
            await page.keyboard.press("ArrowDown")
            await page.keyboard.press("Enter")
            await expect(page.locator('[data-testid="spot"][data-camera]')).to_have_count(number + 1)
        await all_move(page, 5)
        assert await page.evaluate(CONNECTED) == 1

        await page.locator('[data-testid="spot"]').nth(0).click()
        await expect(page.get_by_test_id("camera-side")).to_contain_text("临江大堤 K08")
        await moved_by_keys(page, made)
        await page.get_by_test_id("shoot").click()
        await expect(page.get_by_test_id("gallery-open")).to_be_visible(timeout=20_000)
        await played(page)
        await alarmed(page, made, list(made.entries.values())[-1])

        await brought(page, hub)
        await page.reload()
        await all_move(page, 5)
        assert page.complaints == []  # type: ignore[attr-defined]
    assert made.counts["INVITE"] <= 20  # two streams each at the most, a recording, the alarm's, and what a reload opens anew


async def brought(page: Page, hub: House) -> None:
    """The selected camera goes into a consultation that somebody has opened meanwhile."""
    person = await hub.sign_in(hub.who("dispatcher"))
    body = {"title": "大堤巡查", "label": "internal", "organisations": [], "people": [], "record": False}
    made = await person.call("POST", "/consultations", body)
    await page.get_by_test_id("bring").click()
    await page.get_by_test_id("bring-target").filter(has_text="大堤巡查").click()
    await page.get_by_test_id("bring-submit").click()
    await expect(page.get_by_test_id("bring-dialog")).to_be_hidden(timeout=10_000)
    seen: dict[str, Any] = await person.call("GET", f"/consultations/{made['id']}")
    assert [one["name"] for one in seen["cameras"]] == ["临江大堤 K08"]


async def test_a_camera_that_does_not_open_says_why(tmp_path: Path) -> None:
    async with House(tmp_path) as hub, chromium() as browser:
        admin, password = await admitted(hub, BUSY, "占线录像机")
        one = device(hub.address, code=BUSY, password=password, channels=2, quirks=["busy"], name="占线录像机", style=PICTURE)
        async with one:
            await cameras(admin, gb28181, 2)
            _, page = await visitor(browser, hub.base)
            await opened(page, hub)
            await found(page, "占线录像机", 2)
            await page.get_by_test_id("tree-camera").first.dblclick()
            await page.get_by_test_id("spot-diagnose").click(timeout=30_000)
            card = page.get_by_test_id("diagnosis-card")
            await expect(card.locator('[data-testid="fault-step"][data-state="failed"]')).to_have_count(1, timeout=10_000)
            await expect(card.locator('[data-name="registered"]')).to_have_attribute("data-state", "done")
            assert await card.get_by_test_id("fault-verdict").inner_text()
            await screenshot(page, "camera-diagnosis")
            await card.get_by_test_id("fault-retry").click()
            await expect(card).to_be_hidden(timeout=10_000)
            assert page.complaints == []  # type: ignore[attr-defined]


async def test_who_waits_is_admitted_with_a_password_shown_once(tmp_path: Path) -> None:
    async with House(tmp_path) as hub, chromium() as browser:
        one = device(hub.address, password="not known yet", channels=2, style=PICTURE, wait=None)
        async with one as made:
            page = await signed_in(browser, hub, "admin")
            await page.goto("/admin/devices")
            row = page.locator(f'[data-testid="device"][data-code="{DEVICE}"]')
            await expect(row).to_have_attribute("data-state", "quarantine", timeout=20_000)
            await row.click()
            await screenshot(page, "devices-waiting")
            await page.get_by_test_id("device-admit").click()
            await page.get_by_test_id("device-org").select_option(index=1)
            await page.get_by_test_id("admit-name").fill("大堤录像机")
            await page.get_by_test_id("admit-submit").click()
            password = await page.get_by_test_id("password").inner_text(timeout=10_000)
            assert len(password) >= 12
            await screenshot(page, "device-password")
            await page.get_by_test_id("password-done").click()
            assert password not in await page.content()
            assert not made.registered.is_set()
        async with device(hub.address, password=password, channels=2, style=PICTURE):
            await expect(row).to_have_attribute("data-state", "admitted")
            await expect(page.locator('[data-testid="catalogue"][data-state="complete"]')).to_be_visible(timeout=20_000)
            await screenshot(page, "devices")
            assert page.complaints == []  # type: ignore[attr-defined]
