"""The power fails: what no fdatasync has reached is gone. The rest can be played, and the journal is whole and proved."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest

from recorder.keys import Keys
from recorder.notary import Evidence
from recorder.repair import repair
from recorder.verify import Folder, verify
from tests.support import sink_feed, until
from tests.support.hub_of_recorder import recorder
from tests.support.media_files import read
from tests.support.proofs import Figure
from tests.support.sink_feed import SECOND, SinkFeed


class Disk:
    """How long each file is on the disk: what it had when it was last made durable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.durable: dict[int, int] = {}
        self._sync = os.fdatasync
        monkeypatch.setattr("recorder.files.os.fdatasync", self._synced)

    def _synced(self, fd: int) -> None:
        found = os.fstat(fd)
        self._sync(fd)
        self.durable[found.st_ino] = found.st_size

    def fail(self, folder: Path, copy: Path) -> None:
        """``copy`` is what is found after the power is back."""
        sizes = {path.relative_to(folder): self.durable.get(path.stat().st_ino) for path in folder.rglob("*") if path.is_file()}
        shutil.copytree(folder, copy)
        for name, size in sizes.items():
            path = copy / name
            if path.is_file() and name.name not in ("reserve", "manifest.json") and size != path.stat().st_size:
                os.truncate(path, min(size or 0, path.stat().st_size))


async def lost(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> float:
    """Seconds of media that were sent and are not there, at worst; everything that is there is proved."""
    disk, folder = Disk(monkeypatch), data_dir / "recordings"
    feed = await SinkFeed(data_dir).start()
    async with recorder(data_dir, folder, checkpoint_seconds=1.0) as hub:
        await hub.record()
        await feed.opened("S1")
        feed.peer("S1", "a", name="甲")
        clips = [sink_feed.video(sink_feed.VP8), sink_feed.video(sink_feed.H264), sink_feed.opus(), sink_feed.opus()]
        senders = [feed.track("S1", who, clip) for who, clip in zip(("a", "b", "a", "c"), clips, strict=True)]
        playing = asyncio.create_task(feed.play("S1", senders, 60.0, time.time_ns(), paced=True))
        await asyncio.sleep(seconds)
        parts = list((folder / "S1" / "tracks").glob("*/*"))
        await until(lambda: all(disk.durable.get(path.stat().st_ino) for path in parts) and len(parts) == 4)
        sent = [sender.ns(sender.index) / SECOND for sender in senders]
        disk.fail(folder / "S1", tmp_path / "S1")
        playing.cancel()
        await asyncio.wait([playing])
    await feed.stop()
    keys = Keys(data_dir / "evidence")
    manifest = repair(tmp_path / "S1", Evidence(keys))
    assert manifest is not None
    assert verify(Folder(tmp_path / "S1"), [keys.current().public]).faults == []
    losses = []
    for track, until_then in zip(manifest.document(manifest.ended_at)["tracks"], sent, strict=True):
        (segment,) = track["segments"]
        media = read(tmp_path / "S1" / "tracks" / track["id"] / segment["file"])
        assert media.duration == pytest.approx(segment["duration_ms"] / 1000, abs=0.1)
        losses.append(until_then - media.length)
    return max(losses)


async def test_what_is_left_is_whole(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await lost(data_dir, tmp_path, monkeypatch, 3.5) < 60


@pytest.mark.prove
async def test_three_seconds_at_most(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure) -> None:
    worst = await lost(data_dir, tmp_path, monkeypatch, 12.3)
    assert figure("power fails, page cache lost: media lost of a track", worst, "s", goal="≤ 3")
