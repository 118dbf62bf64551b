"""Recorded files in a browser: how long they are, seeking, playing at speed, silence that keeps its length; also while
they are written and after a repair."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page

from recorder.repair import repair
from tests.support import sink_feed
from tests.support.browser import chromium
from tests.support.hub_of_recorder import recorder
from tests.support.sink_feed import AV1, H264, SECOND, VP8, VP9, SinkFeed

pytestmark = pytest.mark.peer

PLAY = """async ([url, kind]) => {
  const media = document.createElement(kind);
  media.muted = kind === "video";
  media.src = url;
  document.body.append(media);
  const heard = (name) => new Promise((done, failed) => {
    media.addEventListener(name, done, { once: true });
    media.addEventListener("error", () => failed(new Error(url + ": " + media.error.message)), { once: true });
    setTimeout(() => failed(new Error(url + ": no " + name)), 10000);
  });
  await heard("loadedmetadata");
  const said = Number.isFinite(media.duration) ? media.duration : null;
  const seeks = [];
  for (const share of [0.7, 0.25, 0.75]) {
    const goal = share * (said ?? 6), began = performance.now();
    const done = heard("seeked");
    media.currentTime = goal;
    await done;
    seeks.push([goal, media.currentTime, performance.now() - began]);
  }
  media.playbackRate = 4;
  await media.play();
  await heard("ended");
  const result = { said, seeks, end: media.currentTime, width: media.videoWidth };
  if (kind === "video") result.frames = media.getVideoPlaybackQuality().totalVideoFrames;
  else {
    const bytes = await (await fetch(url)).arrayBuffer();
    result.decoded = (await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(bytes)).duration;
  }
  media.remove();
  return result;
}"""


@pytest.fixture
async def page(data_dir: Path) -> AsyncIterator[Page]:
    """A page on a server of the folder's files, with ranges."""

    async def empty(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", empty)
    app.router.add_static("/files", data_dir)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"http://{host}:{port}/")
        yield page
    await runner.cleanup()


async def play(page: Page, data_dir: Path, path: Path, kind: str) -> dict[str, Any]:
    copy = path
    if path.name.endswith(".part"):  # as it would be served: by its type, not by its name
        copy = path.with_name("copy-" + path.name.removesuffix(".part"))
        shutil.copy(path, copy)
    found: dict[str, Any] = await page.evaluate(PLAY, [f"/files/{copy.relative_to(data_dir)}", kind])
    return found


async def test_whatever_was_recorded_plays_and_seeks(data_dir: Path, page: Page) -> None:
    feed = await SinkFeed(data_dir).start()
    async with recorder(data_dir, data_dir / "recordings") as hub:
        await hub.record()
        await feed.opened("S1")
        zero = (await hub.state("S1", "recording")).started_at
        codecs = (VP8, VP9, H264, AV1)
        # One key frame for 8 s: players must find it from anywhere.
        pictures = [feed.track("S1", codec.mime, sink_feed.video(codec, seconds=8.0)) for codec in codecs]
        sound = feed.track("S1", "speaks", sink_feed.opus())
        pauses = feed.track("S1", "pauses", sink_feed.opus())
        await feed.play("S1", [*pictures, sound], 8.0, zero)
        await feed.play("S1", [pauses], 2.0, zero)
        at = zero + 2 * SECOND
        for _ in range(10):  # silence as browsers send it: a packet every 400 ms
            pauses.skip(0.38)
            await feed.play("S1", [pauses], 0.02, at + 380_000_000)
            at += 400_000_000
        await feed.play("S1", [pauses], 2.0, at)
        await asyncio.sleep(1.5)
        left = data_dir / "left"
        shutil.copytree(hub.folder, left)  # as a kill would leave it
        await hub.stop()
        tracks = hub.manifest()["tracks"]
        assert [track["codec"] for track in tracks] == ["vp8", "vp9", "h264", "av1", "opus", "opus"]
        for track in tracks:
            (segment,) = track["segments"]
            name = segment["file"]
            whole = hub.folder / "S1" / "tracks" / track["id"] / name
            running = left / "S1" / "tracks" / track["id"] / f"{name}.part"
            assert await page.evaluate("(mime) => MediaSource.isTypeSupported(mime)", segment["mime"]), segment["mime"]
            check(await play(page, data_dir, whole, track["kind"]), track["kind"], known=True)
            # WebM that is still written has no length yet; it plays all the same.
            check(await play(page, data_dir, running, track["kind"]), track["kind"], known=name.endswith(".mp4"))
        repair(left / "S1")
        for track in tracks:
            path = left / "S1" / "tracks" / track["id"] / track["segments"][0]["file"]
            check(await play(page, data_dir, path, track["kind"]), track["kind"], known=True)
    await feed.stop()


def check(found: dict[str, Any], kind: str, *, known: bool) -> None:
    if known:
        assert found["said"] == pytest.approx(8.0, abs=0.6)
    for goal, reached, took in found["seeks"]:
        assert reached == pytest.approx(goal, abs=0.15)
        assert took < 5_000
    assert found["end"] == pytest.approx(8.0, abs=0.6)
    if kind == "video":
        assert found["width"] == 320
        assert found["frames"] > 5
    else:
        assert found["decoded"] == pytest.approx(8.0, abs=0.6)
