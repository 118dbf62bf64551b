"""Recording as people do it: off the record and on again in the page, a camera that nobody watches, and the proof of both."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support import until
from tests.support.browser import chromium, screenshot
from tests.support.installation import Installation, Person
from tests.support.media_files import probe
from tests.support.pages import signed_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]


def kept(folder: Path) -> int:
    """Bytes of media."""
    return sum(path.stat().st_size for path in folder.glob("*/tracks/*/*"))


async def ended(hub: Installation, reviewer: Person) -> dict[str, Any]:
    """The one recording there is, when it has ended."""
    for _ in range(100):
        (listed,) = (await reviewer.call("GET", "/recordings"))["items"]
        if listed["state"] != "recording":
            found: dict[str, Any] = await reviewer.call("GET", f"/recordings/{listed['id']}")
            return found
        await asyncio.sleep(0.2)
    raise AssertionError("It does not end.")


async def fetched(person: Person, url: str, path: Path) -> Path:
    async with person.session.get(person.base + url) as answer:
        assert answer.status == 200
        data = await answer.read()
    await asyncio.to_thread(path.write_bytes, data)
    return path


async def test_off_the_record_in_the_page_and_the_rest_is_proved(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        folder = hub.folder / "data" / "recordings"
        page = await signed_in(browser, hub, "dispatcher")
        await page.get_by_test_id("consultation-create").click()
        await page.get_by_test_id("create-title").fill("不留记录")
        await page.get_by_test_id("create-record").uncheck()
        await page.get_by_test_id("create-submit").click()
        await expect(page.get_by_test_id("room")).to_be_visible(timeout=30_000)
        await page.get_by_test_id("record-toggle").click()
        light = page.get_by_test_id("recording-chip")
        await expect(light).to_be_visible(timeout=15_000)
        await until(lambda: kept(folder) > 20_000, 40, what="media of the recording")

        await page.get_by_test_id("more").click()
        await page.get_by_test_id("record-hold").click()
        await expect(light).to_be_hidden(timeout=10_000)
        await until(lambda: not list(folder.glob("*/tracks/*/*.part")), 20, what="the ends of the files")
        before = kept(folder)
        await page.get_by_test_id("toggle-chat").click()
        await page.get_by_test_id("chat-input").fill("这句话不留记录")
        await page.get_by_test_id("chat-send").click()
        await expect(page.get_by_test_id("chat-line").last).to_contain_text("不留记录")
        await asyncio.sleep(4)
        assert kept(folder) == before
        await screenshot(page, "off-the-record")

        await page.get_by_test_id("more").click()
        await page.get_by_test_id("record-hold").click()
        await expect(light).to_be_visible(timeout=10_000)
        await until(lambda: kept(folder) > before + 20_000, 40, what="media after it")
        await page.get_by_test_id("record-toggle").click()
        await expect(light).to_be_hidden(timeout=10_000)
        assert page.complaints == []  # type: ignore[attr-defined]

        made = await ended(hub, await hub.sign_in(hub.who("admin")))
        assert made["state"] == "complete"
        assert {one["type"] for one in made["events"]} >= {"off_record", "on_record", "consultation.recording_paused"}
        assert not [one for one in made["events"] if one["type"] == "chat"]
        # By the journal, the files, and what the hub keeps.
        await hub.run("verify", made["id"])


async def test_a_camera_is_recorded_that_nobody_watches(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub:
        folder = hub.folder / "data" / "recordings"
        person = await hub.sign_in(hub.who("dispatcher"))
        camera = hub.camera["id"]
        shown = await person.call("POST", f"/cameras/{camera}/recording", {"action": "start", "incident": "IN-7"})
        assert (shown["state"], shown["kind"]) == ("recording", "camera")
        await until(lambda: kept(folder) > 50_000, 60, what="pictures of the camera")
        (running,) = (await person.call("GET", "/recorded"))["items"]
        assert (running["subject"], running["incident"]) == (camera, "IN-7")
        # It goes on whatever dies.
        hub.kill("hub")
        await hub.ready()
        before = kept(folder)
        await until(lambda: kept(folder) > before + 50_000, 60, what="pictures after the hub was killed")
        assert [one["subject"] for one in (await person.call("GET", "/recorded"))["items"]] == [camera]
        await person.call("POST", f"/cameras/{camera}/recording", {"action": "stop"})
        reviewer = await hub.sign_in(hub.who("admin"))
        made = await ended(hub, reviewer)
        assert (made["state"], made["kind"], made["subject"], made["incident"]) == ("complete", "camera", camera, "IN-7")
        assert made["title"] == hub.camera["name"]
        (track,) = [one for one in made["tracks"] if one["kind"] == "video"]  # it is the same for the new hub
        assert track["source"] == "camera_feed"
        for segment in track["segments"]:
            assert await probe(await fetched(reviewer, segment["url"], tmp_path / "segment")) > 0.5
        assert (await reviewer.call("GET", "/recordings?incident=IN-8"))["items"] == []
        await hub.run("verify", made["id"])
