"""Cameras nobody here wrote: GStreamer's RTSP server from Debian. And ffmpeg, which nobody here wrote either, at our own."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridges.timeline import signed32, unwrap
from tests.support import free_port, gst_camera, h265, until
from tests.support.bridge import Hub, bridge, camera, continuous, marked
from tests.support.h264 import decode
from tests.support.media_worker import MediaWorker

pytestmark = pytest.mark.peer

USER, PASSWORD = "admin", "a pass-word"


@contextlib.contextmanager
def gstreamer(port: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    child = gst_camera.start(port, USER, PASSWORD, *more)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


async def test_gstreamer_plays_and_is_back_after_a_kill(tmp_path: Path) -> None:
    """H.264, digest, TCP only."""
    port = free_port()
    async with MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{port}"), Hub(tmp_path) as hub:
        with gstreamer(port):
            hub.pull(f"rtsp://127.0.0.1:{port}/cam", "media-0", user=USER, password=PASSWORD)
            live = await hub.turns("live")
            assert (live.streams[0].width, live.streams[0].height) == (640, 360)
            await until(lambda: marked(worker.of("cam")) >= 20)
            first = worker.of("cam")
            assert len(decode(first)) >= 20
            assert max(map(len, first)) <= 1212
            assert continuous(first)
        await until(lambda: hub.state().state != "live")
        count = len(worker.of("cam"))
        with gstreamer(port):
            await until(lambda: marked(worker.of("cam")[count:]) >= 20)
            packets = worker.of("cam")
            assert continuous(packets)
            assert len(decode(packets[count:])) >= 20
            pause = (worker.heard("cam")[count].at - worker.heard("cam")[count - 1].at) / 1e9
            jump = signed32(unwrap(packets[count]).timestamp - unwrap(packets[count - 1]).timestamp) / 90_000
            assert jump == pytest.approx(pause, abs=0.5)  # the pause stays a pause
            await until(lambda: worker.clocks)


async def test_gstreamer_over_udp_when_it_takes_nothing_else(tmp_path: Path) -> None:
    port = free_port()
    with gstreamer(port, "--transport", "udp"):
        async with MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{port}"), Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{port}/cam", "media-0", user=USER, password=PASSWORD)
            await hub.turns("live")
            await until(lambda: marked(worker.of("cam")) >= 20)
            assert continuous(worker.of("cam"))
            assert len(decode(worker.of("cam"))) >= 20


@pytest.mark.parametrize("sound", ["alaw", "aac"])
async def test_gstreamer_with_sound(tmp_path: Path, sound: str) -> None:
    port = free_port()
    with gstreamer(port, "--audio", sound):
        async with MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{port}"), Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{port}/cam", "media-0", user=USER, password=PASSWORD)
            live = await hub.turns("live")
            assert [stream.codec.mime for stream in live.streams] == ["video/H264", "audio/opus"]
            await until(lambda: len(worker.of("cam", "audio")) >= 50)
            packets = worker.of("cam", "audio")
            assert continuous(packets)
            times = [unwrap(packet).timestamp for packet in packets]
            assert (times[-1] - times[0]) & 0xFFFF_FFFF == 960 * (len(times) - 1)


@pytest.mark.parametrize("how", [("--b-frames",), ("--h265",), ("--h265", "--b-frames")], ids=" ".join)
async def test_of_gstreamers_what_browsers_do_not_show_is_converted(tmp_path: Path, how: tuple[str, ...]) -> None:
    port = free_port()
    with gstreamer(port, *how):
        async with MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{port}"), Hub(tmp_path) as hub:
            layers = ("main", "main/H264")
            hub.pull(f"rtsp://127.0.0.1:{port}/cam", "media-0", user=USER, password=PASSWORD, layers=layers)
            await until(lambda: marked(worker.of("cam", made=True)) >= 30)
            await hub.turns("live")
            assert continuous(worker.of("cam", made=True))
            assert len(decode(worker.of("cam", made=True))) >= 25
            original = worker.streams("cam")[0]
            mime = "video/H265" if "--h265" in how else "video/H264"
            assert (original.codec.mime, original.stored) == (mime, "--b-frames" in how)
            if how == ("--h265",):
                assert continuous(worker.of("cam"))
                assert len(h265.decode(worker.of("cam"))) >= 25


async def test_gstreamer_refuses_a_wrong_password(tmp_path: Path) -> None:
    port = free_port()
    with gstreamer(port):
        async with MediaWorker(tmp_path), bridge(tmp_path, f"127.0.0.1:{port}"), Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{port}/cam", "media-0", user=USER, password="wrong")
            await hub.turns("failed", "unauthorized")
            hub.pull(f"rtsp://127.0.0.1:{port}/nowhere", "media-0", user=USER, password=PASSWORD)
            await hub.turns("failed", "not_found")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_ffmpeg_takes_the_simulated_camera(transport: str) -> None:
    async with camera(user="admin", password="pw", audio=True) as device:
        url = f"rtsp://admin:pw@127.0.0.1:{device.port}/live"
        command = ["ffmpeg", "-v", "error", "-rtsp_transport", transport, "-i", url, "-t", "1", "-f", "null", "-", "-stats"]
        child = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        _, said = await asyncio.wait_for(child.communicate(), 20)
        assert child.returncode == 0, said
        assert b"frame=" in said
