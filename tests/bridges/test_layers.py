"""Main and sub stream of a camera as layers of one track, chosen by an unmodified livekit-client in Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from commhub.conference import CameraSeat
from commhub.media.messages import Demand, Message
from tests.support import until
from tests.support.bridge import Hub as Driver
from tests.support.bridge import bridge, camera
from tests.support.browser import chromium
from tests.support.hub import Hub
from tests.support.tab import Tab, tab

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


@asynccontextmanager
async def street(hub: Hub) -> AsyncIterator[list[tuple[str, ...]]]:
    """A camera with two streams in the room, pulled as the worker says that it is taken. What was pulled is noted."""
    pulled: list[tuple[str, ...]] = []
    async with camera(width=640, height=360, group=50) as main, camera(group=50) as sub:  # noqa: SIM117
        async with bridge(hub.run_dir, f"127.0.0.1:{main.port}", f"127.0.0.1:{sub.port}"), Driver(hub.run_dir) as driver:

            def pull(*layers: str) -> None:
                pulled.append(layers)
                urls = f"rtsp://127.0.0.1:{main.port}/live", f"rtsp://127.0.0.1:{sub.port}/live"
                driver.pull(urls[0], "media-0", sub_url=urls[1], layers=layers)

            def heard(message: Message) -> None:
                if isinstance(message, Demand) and message.wanted:
                    pull(*message.layers)

            hub.workers.on_event(heard)
            await hub.rooms.add_camera("r", CameraSeat("cam", "cam", "Camera", "Org"))
            pull("sub")
            yield pulled


async def height(viewer: Tab) -> int:
    return (await viewer.received()).get("cam", {}).get("height", 0)


async def becomes(viewer: Tab, wanted: int, within: float = 10) -> None:
    end = asyncio.get_running_loop().time() + within
    while await height(viewer) != wanted:
        assert asyncio.get_running_loop().time() < end, (await height(viewer), await viewer.heard("events"))
        await asyncio.sleep(0.05)


CHOOSE = """(quality) => [...room.remoteParticipants.get('cam').trackPublications.values()][0].setVideoQuality(quality)"""
LAYERS = """() => [...room.remoteParticipants.get('cam').trackPublications.values()][0].trackInfo.layers.map(
  (layer) => [layer.quality, layer.width, layer.height])"""


async def test_a_viewer_chooses_between_the_two_streams_of_a_camera() -> None:
    async with Hub() as hub, chromium() as browser:
        viewer = await tab(browser, hub, "viewer")
        await viewer.join()
        async with street(hub) as pulled:
            await viewer.sees("cam", sound=0)
            await becomes(viewer, 360)  # who says nothing gets the best
            await until(lambda: pulled[-1] == ("main",), 10)  # and nobody takes the other one
            assert await viewer.run(LAYERS) == [[0, 320, 180], [2, 640, 360]]
            await viewer.run(CHOOSE, 0)
            await becomes(viewer, 180)
            await until(lambda: pulled[-1] == ("sub",), 10)
            await viewer.sees("cam", sound=0, frames=25)
            other = await tab(browser, hub, "other")
            await other.join()
            await becomes(other, 360)
            await viewer.run(CHOOSE, 2)  # it runs already: no key frame is waited for
            await becomes(viewer, 360, within=1.5)
            await viewer.sees("cam", sound=0, frames=25)
        assert await viewer.heard("errors") == []
