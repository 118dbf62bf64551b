"""A clip is chosen on the review page, exported, downloaded and verified; the bundle's own player plays from the disk."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from commhub.media.messages import Export, Message, RecordSnapshot, StopExport
from commhub.model import Label, new_id
from recorder.exporting import Exporting, Terms
from tests.support.browser import chromium, screenshot, visitor
from tests.support.hubs import Hub, serving
from tests.support.kept import recorded
from tests.support.taken import Recording, record, seen

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]


class Maker:
    """The recorder's part of exports, in this process; each is made by a process of its own, as always."""

    def __init__(self, hub: Hub) -> None:
        exports = hub.parts.exports
        terms = Terms(exports.files.folder, hub.folder / "recordings", hub.folder / "evidence")
        self.exporting = Exporting(terms, exports.receive)
        exports.linked(RecordSnapshot(), self._hear)
        self._stopping: set[asyncio.Task[None]] = set()

    def _hear(self, message: Message) -> None:
        if isinstance(message, Export):
            self.exporting.receive(message)
        elif isinstance(message, StopExport):
            self._stopping.add(asyncio.create_task(self.exporting.stop(message.export)))


async def sign_in(hub: Hub, page: Page, account: str, path: str) -> None:
    await page.goto("/")
    await page.get_by_test_id("signin-account").fill(account)
    await page.get_by_test_id("signin-password").fill(hub.passwords[account])
    await page.get_by_test_id("signin-submit").click()
    await expect(page.get_by_test_id("account-menu")).to_be_visible(timeout=15_000)
    await page.goto(path)


async def fetched(page: Page, to: Path) -> Path:
    async with page.expect_download() as waiting:
        await page.get_by_test_id("export-fetch").first.click()
    download = await waiting.value
    path = to / download.suggested_filename
    await download.save_as(path)
    return path


def verified(recording: Recording, *words: str) -> str:
    command = [sys.executable, "-m", "commhub", "verify", *words, "--keys", str(recording.history)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


async def plays_from_disk(page: Page, bundle: Path, to: Path) -> None:
    with zipfile.ZipFile(bundle) as zip:
        zip.extractall(to)
    await page.goto((to / "index.html").as_uri())
    await expect(page.locator("figure video")).to_have_count(2)
    await expect(page.locator(".lane")).to_have_count(5)
    await page.evaluate("PLAYER.seek(5000)")
    await page.keyboard.press("Space")
    async with asyncio.timeout(30):
        while await page.evaluate("PLAYER.at") < 6000:  # noqa: ASYNC110  (it is another process that plays)
            await asyncio.sleep(0.2)
    off = await page.evaluate(
        "PLAYER.tracks.filter(one => one.file).map(one => one.media.currentTime * 1000"
        " * (one.file.end_ms - one.file.start_ms) / one.file.duration_ms + one.file.start_ms - PLAYER.at)"
    )
    await screenshot(page, "export-player")
    wide = await page.evaluate("[document.querySelector('#tiles'), document.querySelector('aside')].map(one => one.clientWidth)")
    assert wide[0] > 3 * wide[1]  # the pictures have the room
    assert len(off) == 4
    assert max(map(abs, off)) < 1000, off  # it runs with the one clock; a slow machine draws late
    await page.goto((to / "report.html").as_uri())
    await expect(page.get_by_text("如何核验")).to_be_visible()
    await screenshot(page, "export-report")


async def test_a_clip_is_chosen_exported_downloaded_and_verified(tmp_path: Path, data_dir: Path) -> None:
    async with serving(tmp_path / "hub") as hub, chromium() as browser:
        one = await recorded(hub, title="滨江路积水处置", duration_ms=12_000)
        recording = await record(hub.folder, data_dir, session=one, title="滨江路积水处置")
        maker = Maker(hub)
        hub.parts.exports.start()
        assert hub.server is not None
        base = str(hub.server.make_url("/")).rstrip("/").replace("127.0.0.1", "localhost")
        _, page = await visitor(browser, base)
        try:
            await sign_in(hub, page, "reviewer", f"/review/{one}?at=2000")
            await expect(page.get_by_test_id("player")).to_be_visible(timeout=15_000)
            await expect(page.get_by_test_id("player")).to_have_attribute("data-settled", "true", timeout=20_000)
            await page.keyboard.press("i")
            for _ in range(2):
                await page.keyboard.press("ArrowRight")
            await expect(page.get_by_test_id("player")).to_have_attribute("data-settled", "true", timeout=20_000)
            await page.keyboard.press("o")
            await page.keyboard.press("Shift+E")
            dialog = page.get_by_test_id("export-dialog")
            await expect(dialog).to_be_visible()
            await expect(page.get_by_test_id("export-from")).to_have_value("00:00:02.0")
            await expect(page.get_by_test_id("export-to")).to_have_value("00:00:12.0")
            await page.get_by_test_id("export-layout-speaker").check()
            await page.get_by_test_id("export-grounds").fill("案卷 2026-17")
            await screenshot(page, "export-dialog")
            await page.get_by_test_id("export-submit").click()
            done = page.get_by_test_id("export").first
            await expect(done).to_have_attribute("data-state", "done", timeout=90_000)
            await screenshot(page, "export-done")
            path = await fetched(page, tmp_path)
            assert path.suffix == ".mp4"
            assert seen(path).seconds == pytest.approx(10, abs=0.3)
            said = await asyncio.to_thread(verified, recording, str(path), "--sources", str(recording.folder))
            assert "与来源一致" in said

            await page.get_by_test_id("export-kind-bundle").check()
            await page.get_by_test_id("export-submit").click()
            await expect(page.get_by_test_id("export")).to_have_count(2, timeout=10_000)
            await expect(page.get_by_test_id("export").first).to_have_attribute("data-state", "done", timeout=60_000)
            bundle = await fetched(page, tmp_path)
            assert "导出完整" in await asyncio.to_thread(verified, recording, str(bundle))
            await page.get_by_test_id("export-cancel").first.click()
            await expect(page.get_by_test_id("export").first).to_have_attribute("data-state", "expired", timeout=10_000)
            assert len(list(hub.parts.exports.files.folder.iterdir())) == 1
            await page.keyboard.press("Escape")
            await expect(dialog).to_have_count(0)
            assert page.complaints == []  # type: ignore[attr-defined]
            await plays_from_disk(page, bundle, tmp_path / "unpacked")
        finally:
            await maker.exporting.close()
            await hub.parts.exports.close()


async def test_an_export_that_has_to_be_approved_is_seen_by_who_may(tmp_path: Path) -> None:
    async with serving(tmp_path) as hub, chromium() as browser:
        one = await recorded(hub, label=Label.SENSITIVE, title="涉密会商")
        hub.parts.exports.start()
        assert hub.server is not None
        base = str(hub.server.make_url("/")).rstrip("/").replace("127.0.0.1", "localhost")
        try:
            async with hub.browser("reviewer") as asks:
                wanted = {"kind": "bundle", "grounds": f"案卷 {new_id()[:4]}"}
                await asks.ok("POST", f"/recordings/{one}/exports", wanted)
            _, page = await visitor(browser, base)
            await sign_in(hub, page, "admin", "/review")
            waiting = page.get_by_test_id("exports-waiting")
            await expect(waiting).to_contain_text(wanted["grounds"], timeout=15_000)
            await screenshot(page, "export-waiting")
            await waiting.get_by_test_id("export-approve").click()
            await expect(waiting).to_have_count(0, timeout=10_000)
            async with hub.browser("admin") as second:
                [found] = (await second.ok("GET", f"/recordings/{one}/exports"))["items"]
            assert found["state"] == "waiting"
            assert found["decision"]["name"]
        finally:
            await hub.parts.exports.close()
