"""Recordings of devices become files: all that a device sends, however it sends it, and whatever interrupts it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import pytest

from bridges.gb28181 import play
from bridges.simulated.device import Device, Style, cameras
from commhub.media.messages import Download, DownloadState, StopDownload, Terms
from tests.recorder.test_download import streams
from tests.support import until
from tests.support.gb28181 import DEVICE, PASSWORD, device
from tests.support.gb_bridge import Hub, bridge, where

TINY = Style(main=(160, 96), sub=(160, 96), fps=Fraction(25), group_seconds=1.0, audio=True)
SECONDS = 10
ALL = range(SECONDS * 25 - 3, SECONDS * 25 + 2)  # pictures: the simulated recorder counts in floats, and keeps B-frames back
GIGABYTE = 1 << 30


def period(seconds: int = SECONDS) -> tuple[int, int]:
    """Inside of one file of the simulated recorder: those of an hour that lacks nothing."""
    hour = int(time.time()) // 3600 - 2
    while hour % 3 == 0:
        hour -= 1
    return hour * 3600 + 600, hour * 3600 + 600 + seconds


class House:
    """A bridge with a device, and a hub that has its recordings downloaded."""

    def __init__(self, folder: Path, hub: Hub, device: Device) -> None:
        self.folder, self.hub, self.device = folder, hub, device
        self.channel = next(iter(device.entries))

    def want(self, name: str = "one", *, seconds: int = SECONDS, limit: int = GIGABYTE, free: int = 0, speed: int = 8) -> None:
        begin, end = period(seconds)
        self.hub.link.tell(Download(download=name, device=DEVICE, channel=self.channel, begin=begin, end=end,
                                    path=str(self.folder / name), limit=limit, free=free, speed=speed))  # fmt: skip

    def state(self, name: str = "one") -> DownloadState:
        told = [one for one in self.hub.told(DownloadState) if one.download == name]
        return told[-1] if told else DownloadState(download=name, state="unknown")

    async def turns(self, state: str, name: str = "one", seconds: float = 40) -> DownloadState:
        await until(lambda: self.state(name).state == state, seconds, f"{state}, not {self.state(name)}")
        return self.state(name)

    async def begun(self, seconds: float = 1.0) -> DownloadState:
        """So much is here."""
        await until(lambda: self.state().state == "receiving" and self.state().seconds >= seconds, 20, "a beginning")
        return self.state()

    def sent(self) -> int:
        """Pictures of downloads that have ended."""
        return sum(count for session, count in self.device.calls.sent if session == "download")


@contextlib.asynccontextmanager
async def house(folder: Path, *quirks: str, style: Style = TINY) -> AsyncIterator[House]:
    async with bridge(folder) as server, Hub(folder, Terms(DEVICE, PASSWORD)) as hub:
        entries = cameras("110105", 1, parent=DEVICE)
        async with device(where(server), code=DEVICE, entries=entries, quirks=list(quirks), style=style) as one:
            await hub.online()
            yield House(folder, hub, one)


def film(path: Path, pictures: int, seconds: float = SECONDS) -> None:
    found = streams(path)
    assert int(found["video"]["nb_frames"]) == int(found["video"]["nb_read_frames"]) == pictures
    assert float(found["video"]["duration"]) == pytest.approx(seconds, abs=0.2)


@pytest.mark.parametrize("quirk", ["", "no-121", "info-121", "udp-only", "tcp-active-only", "h265", "b-frames", "ts", "late-key"])
async def test_every_picture_that_was_sent_is_in_the_file(tmp_path: Path, quirk: str) -> None:
    async with house(tmp_path, *[quirk][: bool(quirk)]) as here:
        began = time.monotonic()
        here.want()
        done = await here.turns("done")
        assert time.monotonic() - began < SECONDS + 8
        await until(lambda: here.sent() > 0, 5, "the end at the device")
        assert here.sent() in ALL
        assert (done.pictures, done.lost, done.code) == (here.sent(), 0, "")
        assert done.bytes == (tmp_path / "one.mp4").stat().st_size
        assert len(done.sha256) == 64
        film(tmp_path / "one.mp4", done.pictures)
        if quirk == "ts":
            return  # the simulated one has no sound then
        sound = streams(tmp_path / "one.mp4")["audio"]
        assert sound["codec_name"] == "aac"
        assert float(sound["duration"]) == pytest.approx(SECONDS, abs=0.4)
        assert here.device.counts["INVITE"] <= 3


async def test_how_far_it_is_is_told(tmp_path: Path) -> None:
    async with house(tmp_path, "slow-download") as here:
        here.want(seconds=6)
        done = await here.turns("done")
        told = [one for one in here.hub.told(DownloadState) if one.state == "receiving"]
        assert len(told) >= 4
        assert [one.seconds for one in told] == sorted(one.seconds for one in told)
        assert 0 < told[1].octets < done.octets
        assert done.size == 6 * 60_000
        film(tmp_path / "one.mp4", done.pictures, 6)


async def test_a_device_that_falls_silent_is_asked_again_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends four seconds each time; nothing is there twice, nothing is missing."""
    monkeypatch.setattr(play, "LOSS_SECONDS", 1.0)
    async with house(tmp_path, "stalling-download") as here:
        here.want()
        done = await here.turns("done")
        assert here.device.counts["INVITE"] >= 3
        assert done.pictures in ALL
        film(tmp_path / "one.mp4", done.pictures)


async def test_a_file_that_is_broken_is_kept_as_far_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(play.SLOW, "channel_unknown", 0.2)
    async with house(tmp_path, "broken-file") as here:
        here.want()
        failed = await here.turns("failed")
        # What it lacks begins within a second or at its end: asked from that second, the device hangs up again, or has nothing.
        assert failed.code in ("channel_unknown", "hung_up")
        assert failed.text_zh
        assert failed.seconds == pytest.approx(SECONDS / 2, abs=1.1)
        assert failed.bytes == (tmp_path / "one.mp4").stat().st_size
        film(tmp_path / "one.mp4", failed.pictures, failed.seconds)


async def test_a_writer_that_is_killed_is_replaced(tmp_path: Path) -> None:
    async with house(tmp_path, "slow-download") as here:
        here.want()
        await here.begun(2)
        os.kill(_writer(), signal.SIGKILL)
        done = await here.turns("done")
        assert done.pictures in ALL
        film(tmp_path / "one.mp4", done.pictures)


def _writer() -> int:
    """Its process: the only child of ours that runs that module."""
    for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        if b"recorder.download" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(pid)
    raise AssertionError("There is no writer.")


async def test_another_bridge_goes_on_with_it(tmp_path: Path) -> None:
    async with house(tmp_path, "slow-download") as here:
        here.want()
        kept = await here.begun(3)
    assert not (tmp_path / "one.mp4").exists()
    async with house(tmp_path) as here:
        here.want()
        done = await here.turns("done")
        assert done.pictures in ALL
        assert here.sent() <= (SECONDS - int(kept.seconds) + 1) * 25
        film(tmp_path / "one.mp4", done.pictures)
        here.want()  # a hub that has not heard so
        assert (await here.turns("done")).sha256 == done.sha256
    async with house(tmp_path) as here:
        here.want()
        again = await here.turns("done")
        assert (again.sha256, again.pictures, here.sent()) == (done.sha256, done.pictures, 0)


async def test_a_device_that_restarts_is_waited_for(tmp_path: Path) -> None:
    async with house(tmp_path, "slow-download") as here:
        here.want()
        await here.begun(2)
        await here.device.power_cycle(0.5)
        done = await here.turns("done")
        assert done.pictures in ALL
        film(tmp_path / "one.mp4", done.pictures)


async def test_it_is_stopped_and_nothing_is_written_any_more(tmp_path: Path) -> None:
    async with house(tmp_path, "slow-download") as here:
        here.want()
        await here.begun()
        await here.hub.link.ask(StopDownload("one"))
        await until(lambda: here.device.plays == 0, 5, "BYE")
        size = (tmp_path / "one.part").stat().st_size
        await asyncio.sleep(0.3)
        assert (tmp_path / "one.part").stat().st_size == size
        assert [one for one in here.hub.told(DownloadState) if one.state in ("done", "failed")] == []
        await here.hub.link.ask(StopDownload("one"))


@pytest.mark.parametrize(("limit", "free", "code"), [(20_000, 0, "too_large"), (GIGABYTE, 1 << 62, "disk_full")])
async def test_its_limits_are_said(tmp_path: Path, limit: int, free: int, code: str) -> None:
    async with house(tmp_path) as here:
        here.want(limit=limit, free=free)
        failed = await here.turns("failed")
        assert (failed.code, failed.bytes) == (code, 0)
        await until(lambda: here.device.plays == 0, 5, "BYE")


async def test_a_download_beside_a_playback_of_the_same_channel(tmp_path: Path) -> None:
    """MediaStatus outside of the dialog says only the channel: it is of the one that is nearly over."""
    async with house(tmp_path) as here:
        begin, end = period(600)
        here.hub.pull(f"gb28181://{DEVICE}/{here.channel}?from={begin}&to={end}", "media-0", source="shown")
        await until(lambda: here.device.plays == 1, 10, "the playback")
        here.device.account.version = "2.0"
        here.want()
        done = await here.turns("done")
        assert done.pictures in ALL
        assert here.device.plays == 1


async def test_nothing_of_that_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path) as here:
        begin = int(time.time()) - 40 * 86400
        here.hub.link.tell(Download(download="one", device=DEVICE, channel=here.channel, begin=begin, end=begin + 60,
                                    path=str(tmp_path / "one"), limit=GIGABYTE))  # fmt: skip
        failed = await here.turns("failed")
        assert (failed.code, failed.bytes, failed.text_zh) == ("empty", 0, "设备没有发来该时段的录像。")


def test_the_bridge_speaks_as_its_writer_hears() -> None:
    from bridges.gb28181 import reel
    from recorder import download as writer

    assert reel.HEAD.format == writer.HEAD.format
    assert reel.KINDS == {"h264": writer.H264, "h265": writer.H265, "pcma": writer.PCMA, "pcmu": writer.PCMU, "aac": writer.AAC}
    assert (reel.BEGIN, reel.END, reel.KEY, reel.WHOLE) == (writer.BEGIN, writer.END, writer.KEY, writer.WHOLE)
