"""The review page in Chromium: what is sought is seen, a track plays straight through, everything beside the pictures jumps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import chromium, screenshot, visitor
from tests.support.hubs import Hub, serving
from tests.support.proofs import Figure
from tests.support.rehearsed import FRAME_MS, Logical, Piece, rehearse

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

#: Reads the number in the top row of each picture of ``tiles``: identity → number.
NUMBERS = """() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 })
  const paper = canvas.getContext('2d', { willReadFrequently: true })
  return Object.fromEntries([...document.querySelectorAll('[data-testid=player-tile] video:not([hidden])')].map((video) => {
    paper.drawImage(video, 0, 0, 320, 180)
    const row = paper.getImageData(0, 10, 320, 1).data
    let value = 0
    for (let bit = 0; bit < 16; bit += 1) if (row[(bit * 20 + 10) * 4] > 128) value |= 1 << bit
    return [video.closest('[data-identity]').dataset.identity, value]
  }))
}"""

#: Goes to ``place`` and waits until the page says that every picture stands; ms.
SEEK = """async (place) => {
  const player = document.querySelector('[data-testid=player]')
  const bar = document.querySelector('[data-testid=player-seek]')
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set
  const began = performance.now()
  set.call(bar, String(place))
  bar.dispatchEvent(new Event('input', { bubbles: true }))
  do await new Promise((done) => setTimeout(done, 4))
  while (player.dataset.settled !== 'true' && performance.now() - began < 20000)
  await new Promise((done) => requestAnimationFrame(done))
  return performance.now() - began
}"""


@asynccontextmanager
async def reviewing(
    folder: Path, tracks: Sequence[Logical], account: str = "reviewer", **more: Any
) -> AsyncIterator[tuple[Hub, Page, str]]:
    async with serving(folder) as hub, chromium() as browser:
        id = await rehearse(hub, tracks, **more)
        assert hub.server is not None
        _, page = await visitor(browser, str(hub.server.make_url("")).rstrip("/").replace("127.0.0.1", "localhost"))
        await page.goto("/")
        await page.get_by_test_id("signin-account").fill(account)
        await page.get_by_test_id("signin-password").fill(hub.passwords[account])
        await page.get_by_test_id("signin-submit").click()
        await expect(page.get_by_test_id("account-menu")).to_be_visible(timeout=20_000)
        await page.goto(f"/review/{id}")
        await expect(page.get_by_test_id("player")).to_have_attribute("data-settled", "true", timeout=30_000)
        try:
            yield hub, page, id
        finally:
            await hub.parts.reviewing.close()
        assert page.complaints == []  # type: ignore[attr-defined]


def crowd(count: int, length: int) -> list[Logical]:
    """Pictures that begin one after the other, and four voices."""
    people = [(f"P{n}:t", f"{'王李陈刘孙周吴郑'[n % 8]}××", n * 37) for n in range(count)]
    pictures = [Logical(identity, name, [Piece(start, length)]) for identity, name, start in people]
    voices = [
        Logical(identity, name, [Piece(start, length)], "audio", "microphone", spans=[(n * 1500 + 500, n * 1500 + 4000)])
        for n, (identity, name, start) in enumerate(people[:4])
    ]
    return pictures + voices


def due(place: int, number: int) -> int:
    return (place - 37 * number) // FRAME_MS


async def sought(page: Page, count: int, places: Sequence[int]) -> list[float]:
    """How long each jump took, ms. AssertionError when a picture is more than a frame from where it should be."""
    took = []
    for place in places:
        took.append(await page.evaluate(SEEK, place))
        seen = await page.evaluate(NUMBERS)
        wrong = {
            n: (seen.get(f"P{n}:t"), due(place, n)) for n in range(count) if abs(seen.get(f"P{n}:t", -9) - due(place, n)) > 1
        }
        assert not wrong, f"at {place} ms: {wrong}"
    return took


async def played(page: Page, place: int, within: float = 60) -> None:
    until = asyncio.get_running_loop().time() + within
    while int(await page.get_by_test_id("player-time").get_attribute("data-ms") or 0) < place:
        assert asyncio.get_running_loop().time() < until, f"never came to {place} ms"
        await asyncio.sleep(0.1)


async def test_every_picture_is_the_one_that_was_sought(tmp_path: Path) -> None:
    dice = random.Random(7)
    async with reviewing(tmp_path, crowd(4, 60_000)) as (_, page, _id):
        assert len(await sought(page, 4, dice.sample(range(2_000, 58_000), 12))) == 12
        # Frame by frame, by the frames' own times.
        await page.evaluate(SEEK, 20_010)
        for key, step in ((".", 1), (".", 2), (",", 1), (",", 0), (",", -1)):
            await page.keyboard.press(key)
            await expect(page.get_by_test_id("player")).to_have_attribute("data-settled", "true")
            await asyncio.sleep(0.2)
            assert (await page.evaluate(NUMBERS))["P0:t"] == 400 + step
        # All of it moves, at once and at eight times the speed.
        for rate in ("1", "8"):
            await page.get_by_test_id("player-rate").select_option(rate)
            before = int(await page.get_by_test_id("player-time").get_attribute("data-ms") or 0)
            await page.get_by_test_id("player-play").click()
            await asyncio.sleep(2)
            await page.get_by_test_id("player-play").click()
            await expect(page.get_by_test_id("player")).to_have_attribute("data-settled", "true", timeout=20_000)
            at = int(await page.get_by_test_id("player-time").get_attribute("data-ms") or 0)
            assert at - before > (300 if rate == "1" else 1_500)
        assert (await page.evaluate(NUMBERS))["P0:t"] > 400


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_seeking_with_twenty_tracks(tmp_path: Path, figure: Figure) -> None:
    dice = random.Random(11)
    async with reviewing(tmp_path, crowd(20, 600_000)) as (_, page, _id):
        took = sorted(await sought(page, 20, dice.sample(range(2_000, 590_000), 40)))
        assert figure("review, seek with 20 pictures and 4 voices, p95", took[37], "ms", goal="≤ 500 ms")


async def test_one_track_plays_straight_through_codecs_clocks_and_gaps(tmp_path: Path) -> None:
    """VP8, then H.264, then a part whose clock ran slow, a gap, a pause off the record."""
    pieces = [
        Piece(0, 4_000), Piece(4_000, 4_000, 80, "h264"), Piece(8_000, 4_000, 160, place=4_200),
        Piece(20_000, 4_000, 400),
    ]  # fmt: skip
    gaps = [
        {"track": "0001", "start_ms": 12_200, "end_ms": 16_000, "reason": "link"},
        {"track": "0001", "start_ms": 16_000, "end_ms": 20_000, "reason": "off_record"},
    ]
    async with reviewing(tmp_path, [Logical("P0:t", "李××", pieces)], gaps=gaps) as (_, page, _id):
        await page.evaluate(SEEK, 2_500)
        await page.evaluate(
            """() => { window.blank = 0; window.held = 0
                setInterval(() => {
                  const videos = [...document.querySelectorAll('[data-testid=player-tile] video:not([hidden])')]
                  if (!videos.some((video) => video.readyState >= 2)) window.blank += 1
                  if (document.querySelector('[data-testid=player]').dataset.buffering === 'true') window.held += 1
                }, 20) }"""
        )
        await page.get_by_test_id("player-play").click()
        await played(page, 10_500)
        blank = await page.evaluate("window.blank")
        assert blank <= 5, f"without a picture for {blank * 20} ms"
        # Where the clock ran slow the position is in proportion.
        await page.get_by_test_id("player-play").click()
        await page.evaluate(SEEK, 11_150)
        assert abs((await page.evaluate(NUMBERS))["P0:t"] - (160 + 3_000 // FRAME_MS)) <= 1
        for place, reason in ((14_000, "link"), (18_000, "off_record")):
            await page.evaluate(SEEK, place)
            await expect(page.get_by_test_id("player-gap")).to_have_attribute("data-reason", reason)
        await page.evaluate(SEEK, 21_000)
        assert abs((await page.evaluate(NUMBERS))["P0:t"] - 420) <= 1


EVENTS = [
    {"at_ms": 3_000, "type": "chat", "identity": "P1:t", "name": "李××", "text": "2 台泵车已出发，预计 23:55 到东口。"},
    {"at_ms": 9_000, "type": "drone.landed", "text": "", "data": {"title_zh": "无人机降落", "title": "Drone landed"}},
]


async def test_what_stands_beside_the_pictures(tmp_path: Path) -> None:
    async with reviewing(tmp_path, crowd(3, 20_000), events=EVENTS) as (hub, page, id):
        hub.parts.reviewing.start()  # takes in the words
        time = page.get_by_test_id("player-time")
        # What is to be seen where the pointer rests on the bar, as the hub makes it of the file.
        bar = await page.get_by_test_id("player-seek").bounding_box()
        assert bar is not None
        await page.mouse.move(bar["x"] + bar["width"] - 2, bar["y"] + bar["height"] / 2)
        await expect(page.get_by_test_id("player-thumbnail")).to_have_attribute("data-state", "there", timeout=60_000)
        await screenshot(page, "review-thumbnail")
        await page.mouse.move(5, 300)
        await expect(page.get_by_test_id("player-preview")).to_have_count(0)
        # A type nobody declared has its place without a change here, and jumps.
        await page.locator('[data-testid="lane-item"][data-type="drone.landed"]').click()
        await expect(time).to_have_attribute("data-ms", "9000")
        await expect(page.get_by_test_id("player-event-line").filter(has_text="无人机降落")).to_be_visible()
        await page.get_by_test_id("player-search").fill("泵车")
        await page.keyboard.press("Enter")
        await expect(time).to_have_attribute("data-ms", "3000")
        # What was written then stands over the picture, unless nobody wants it there.
        words = page.get_by_test_id("player-words")
        await expect(words).to_have_text("李××：2 台泵车已出发，预计 23:55 到东口。")
        await page.get_by_test_id("player-layout").click()
        await page.get_by_test_id("player-words-on").uncheck()
        await expect(words).to_have_count(0)
        await page.get_by_test_id("player-words-on").check()
        await page.keyboard.press("Escape")
        # Words everywhere.
        await page.get_by_test_id("player-search-all").check()
        await expect(page.get_by_test_id("player-found-line").first).to_contain_text("泵车", timeout=40_000)
        await page.get_by_test_id("player-search-all").uncheck()
        await page.get_by_test_id("player-search").fill("")
        await page.get_by_test_id("player-time").click()
        # A mark and a comment.
        await page.keyboard.press("m")
        title = page.get_by_test_id("player-mark-title")
        await title.fill("启用备用泵车")
        await title.press("Enter")
        await expect(page.get_by_test_id("player-mark")).to_contain_text("启用备用泵车")
        await page.get_by_test_id("player-comment").fill("此处核对水位。")
        await page.get_by_test_id("player-comment").press("Enter")
        await expect(page.locator('[data-testid="player-mark"][data-kind="comment"]')).to_contain_text("核对水位")
        await page.keyboard.press("Escape")
        # Layouts: what is not shown is not decoded.
        tiles = page.get_by_test_id("player-tile")
        await expect(tiles).to_have_count(3)
        await page.get_by_test_id("player-layout").click()
        await page.get_by_test_id("player-layout-picked").check()
        await page.get_by_role("dialog").get_by_label("李××").check()
        await expect(tiles).to_have_count(1)
        await expect(page.locator(".stages video")).to_have_count(1)
        await page.get_by_test_id("player-layout-grid").check()
        await page.keyboard.press("Escape")
        await expect(tiles).to_have_count(3)
        # Alone: the others are not even fetched.
        await page.get_by_test_id("player-time").click()
        await page.keyboard.press("2")
        await expect(page.locator(".sounds audio")).to_have_count(1)
        await page.keyboard.press("2")
        await expect(page.locator(".sounds audio")).to_have_count(3)
        # Two moments.
        await page.evaluate(SEEK, 15_000)
        await page.keyboard.press("x")
        await expect(page.get_by_test_id("player-second")).to_be_visible()
        await expect(page.locator(".stages video")).to_have_count(6)
        first = int(await time.get_attribute("data-ms") or 0)
        second = int(await page.get_by_test_id("player-second-time").get_attribute("data-ms") or 0)
        assert first - second >= 5_000
        await screenshot(page, "review-compare")
        # One of them alone, flipped by a key at the same place of the page.
        shown = page.locator(".stages video:visible")
        await expect(shown).to_have_count(6)
        for moment in ("b", "a", "b"):
            await page.keyboard.press("y")
            await expect(page.get_by_test_id("player-flipped")).to_have_attribute("data-moment", moment)
            await expect(shown).to_have_count(3)
            boxes = [await page.locator(".pictures-box").nth(n).bounding_box() for n in (0, 1)]
            assert boxes[0] == boxes[1]
        await screenshot(page, "review-flip")
        await page.keyboard.press("Shift+Y")
        await expect(shown).to_have_count(6)
        await page.keyboard.press("x")
        # Who looks stands over every picture, and comes back.
        mark = page.get_by_test_id("watermark")
        await expect(mark).to_have_attribute("data-words", str(await mark.get_attribute("data-words")))
        assert "何若兰" in str(await mark.get_attribute("data-words"))
        await mark.evaluate("(mark) => mark.remove()")
        await expect(mark).to_have_count(1)
        await mark.evaluate("(mark) => { mark.style.display = 'none' }")
        await expect(mark).to_have_css("display", "block")
        # An address names a moment.
        await page.goto(f"/review/{id}?at=7000")
        await expect(time).to_have_attribute("data-ms", "7000")
