"""From a bridge to a media worker that is not there yet, or was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridges.timeline import unwrap
from commhub.media import outlet
from commhub.media.messages import Codec, SourceClock, SourceStream
from commhub.media.outlet import Batch, Outlet, Outlets
from commhub.wire import rtp
from tests.support import until
from tests.support.media_worker import MediaWorker

VIDEO = SourceStream(handle=7, kind="video", codec=Codec(mime="video/H264", clock_rate=90_000), width=320, height=180)


@dataclass
class Camera:
    source: str = "cam"
    streams: list[SourceStream] = field(default_factory=list)
    clocks: dict[int, SourceClock] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def key_frame_wanted(self, handle: int) -> None:
        self.asked.append(handle)


@asynccontextmanager
async def attached(folder: Path, camera: Camera) -> AsyncIterator[Outlet]:
    outlets = Outlets(folder, "bridge-test")
    try:
        yield outlets.attach("media-0", camera)
    finally:
        await outlets.close()


def show(to: Outlet, *numbers: int) -> None:
    """Pictures of one packet each."""
    for number in numbers:
        batch = Batch(lambda sent: to.send("cam", sent))
        batch.add(7, rtp.build(b"picture", ssrc=1, sequence=number, payload_type=96, timestamp=number * 3600, marker=True), 1)
        batch.flush()


def numbers(worker: MediaWorker) -> list[int]:
    return [unwrap(packet).sequence for packet in worker.of("cam")]


async def test_what_is_shown_before_the_worker_was_dialled_waits_for_it(tmp_path: Path) -> None:
    camera = Camera()
    async with attached(tmp_path, camera) as to:
        camera.streams = [VIDEO]
        to.announce(camera)
        show(to, 1, 2, 3)
        async with MediaWorker(tmp_path) as worker:
            await until(lambda: numbers(worker) == [1, 2, 3])
            show(to, 4)
            await until(lambda: numbers(worker) == [1, 2, 3, 4])
            assert camera.asked == []


async def test_one_that_is_dialled_too_late_begins_with_a_key_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "FIRST", 4)
    camera = Camera(streams=[VIDEO])
    async with attached(tmp_path, camera) as to:
        show(to, *range(10))
        async with MediaWorker(tmp_path) as worker:
            await until(lambda: camera.asked == [7])
            await until(lambda: numbers(worker) == [8, 9])


async def test_one_that_was_away_begins_with_a_key_frame(tmp_path: Path) -> None:
    camera = Camera(streams=[VIDEO])
    async with attached(tmp_path, camera) as to:
        async with MediaWorker(tmp_path) as worker:
            show(to, 1)
            await until(lambda: numbers(worker) == [1])
        await until(lambda: to._link is None)
        show(to, 2)
        async with MediaWorker(tmp_path) as worker:
            await until(lambda: camera.asked == [7])
            show(to, 3)
            await until(lambda: numbers(worker) == [3])
            await asyncio.sleep(0)
        assert camera.asked == [7]
