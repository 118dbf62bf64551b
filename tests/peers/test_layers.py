"""Layers with unmodified livekit-client in Chromium and the PyPI SDK: simulcast and SVC of every codec, views of every size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit import rtc

from tests.support import hub as hubs
from tests.support.browser import chromium
from tests.support.caller import Caller
from tests.support.hub import Hub
from tests.support.tab import Tab, tab

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150)]

CAMERA = "[...room.remoteParticipants.values()][0].getTrackPublication('camera')"
SEEN = """async () => {
  const camera = [...room.remoteParticipants.values()][0].getTrackPublication('camera');
  for (const report of (await camera.track.getRTCStatsReport()).values())
    if (report.type === 'inbound-rtp') return {width: report.frameWidth, frames: report.framesDecoded};
  return {width: 0, frames: 0};
}"""
PUBLISH = """([codec, more]) => room.localParticipant.setCameraEnabled(
  true, {resolution: {width: 960, height: 540, frameRate: 20}}, {videoCodec: codec, backupCodec: false, ...more})"""


@pytest.fixture
async def narrow_hub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """Its worker's line to every viewer carries so many bit/s."""
    line = f"from tests.support import bottleneck; bottleneck.install({request.param})\n"
    monkeypatch.setattr(hubs, "WORKER", hubs.WORKER.replace("pairs = ", line + "pairs = ", 1))
    async with Hub() as running:
        yield running


async def seen(viewer: Tab) -> dict[str, Any]:
    found: dict[str, Any] = await viewer.run(SEEN)
    return found


async def becomes(viewer: Tab, width: int, within: float = 20) -> dict[str, Any]:
    """The decoded picture is so wide, and goes on."""
    end = time.monotonic() + within
    while True:
        now = await seen(viewer)
        if now["width"] == width:
            break
        assert time.monotonic() < end, now
        await asyncio.sleep(0.1)
    while (await seen(viewer))["frames"] < now["frames"] + 5:
        assert time.monotonic() < end + 5, now
        await asyncio.sleep(0.1)
    return now


@pytest.mark.parametrize(
    ("codec", "more", "widths"),
    [
        ("vp9", {"scalabilityMode": "L3T3_KEY", "simulcast": False}, (240, 480, 960)),
        ("av1", {"scalabilityMode": "L3T3_KEY", "simulcast": False}, (240, 480, 960)),
        ("vp9", {"scalabilityMode": "L3T3", "simulcast": False}, (240, 480, 960)),
        ("vp8", {}, (320, 640, 960)),
        ("h264", {}, (320, 640, 960)),
        ("vp9", {"scalabilityMode": "L1T3"}, (320, 640, 960)),
        ("av1", {"scalabilityMode": "L1T3"}, (320, 640, 960)),
    ],
    ids=["vp9-svc", "av1-svc", "vp9-full-svc", "vp8", "h264", "vp9-simulcast", "av1-simulcast"],
)
async def test_small_and_large_views(hub: Hub, codec: str, more: dict[str, Any], widths: tuple[int, int, int]) -> None:
    async with chromium() as browser:
        alice, bob = await tab(browser, hub, "alice"), await tab(browser, hub, "bob")
        await alice.join()
        await bob.join()
        await alice.run(PUBLISH, [codec, more])
        await bob.page.wait_for_selector("video")
        await becomes(bob, widths[2])
        for quality in (0, 1, 2, 0):
            await bob.run(f"() => {CAMERA}.setVideoQuality({quality})")
            await becomes(bob, widths[quality])
        if codec != "h264":
            await bob.run(f"() => {CAMERA}.setVideoQuality(2)")
            await becomes(bob, widths[2])
            await asyncio.sleep(1.5)  # until it is known what each layer brings
            before = await seen(bob)
            await bob.run(f"() => {CAMERA}.setVideoFPS(5)")
            await asyncio.sleep(1.5)
            slow = await seen(bob)
            assert slow["frames"] > before["frames"]
            await asyncio.sleep(2)
            assert (await seen(bob))["frames"] - slow["frames"] < 22  # 5 a second, or 10 where there are two layers; 40 are sent
        await bob.run(f"() => {CAMERA}.setEnabled(false)")
        encodings = (
            "() => room.localParticipant.getTrackPublication('camera').track.sender.getParameters().encodings.map(e => e.active)"
        )
        end = time.monotonic() + 15
        while any(await alice.run(encodings)):  # nobody looks: the encoder rests
            assert time.monotonic() < end
            await asyncio.sleep(0.2)
        await bob.run(f"() => {CAMERA}.setEnabled(true)")
        await bob.sees("alice", sound=0)


@pytest.mark.parametrize(
    ("narrow_hub", "codec", "more"),
    [
        (400_000, "vp8", {}),
        # Chromium's own test picture is so simple that VP9 needs less than 400 kbit/s for all of it, and of 200 the pauses depend
        # on the machine: a proof.
        pytest.param(200_000, "vp9", {"scalabilityMode": "L3T3_KEY", "simulcast": False}, marks=pytest.mark.prove),
    ],
    ids=["vp8-simulcast", "vp9-svc"],
    indirect=["narrow_hub"],
)
async def test_a_narrow_line_steps_down_without_freezing(narrow_hub: Hub, codec: str, more: dict[str, Any]) -> None:
    async with chromium() as browser:
        alice, bob = await tab(browser, narrow_hub, "alice"), await tab(browser, narrow_hub, "bob")
        await alice.join()
        await bob.join()
        await alice.run(PUBLISH, [codec, more])
        await bob.page.wait_for_selector("video")
        await bob.sees("alice", sound=0)
        widths, frames, longest = set(), 0, 0.0
        began = fresh = time.monotonic()
        while (now := time.monotonic()) - began < 18:
            state = await seen(bob)
            widths.add(state["width"])
            if state["frames"] > frames:
                frames, fresh = state["frames"], now
            longest = max(longest, now - fresh)
            await asyncio.sleep(0.1)
        print(codec, widths, frames, round(longest, 1))
        assert min(widths) < 960
        assert frames > 18 * 5
        assert longest < 2.0


@pytest.mark.parametrize("codec", ["VP8", "H264", "VP9", "AV1"])
async def test_two_callers_in_every_codec(hub: Hub, codec: str) -> None:
    async with Caller(hub.url, hub.token("alice"), video=False) as alice, Caller(hub.url, hub.token("bob"), video=False) as bob:
        source = rtc.VideoSource(640, 360)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=True)
        options.video_codec = rtc.VideoCodec.Value(codec)
        await alice.room.local_participant.publish_track(track, options)
        alice._spawn(alice._paint(source))
        await bob.sees("alice", count=20, within=30)
