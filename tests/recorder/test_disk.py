"""Disks that are full, slow or forbidden: the recording ends readable and says why, the others go on."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from recorder import files, shelf
from recorder.container import Seal
from recorder.files import Disk, File
from tests.support import sink_feed, until
from tests.support.hub_of_recorder import Hub, recorder
from tests.support.media_files import read
from tests.support.sink_feed import SECOND, SinkFeed

PROGRAM = """
import asyncio, resource, sys
from pathlib import Path
from recorder.recorder import run
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
asyncio.run(run(Path(sys.argv[1]), "record-0", Path(sys.argv[2]), minimum_free_bytes=0))
"""


@pytest.fixture
async def disk() -> AsyncIterator[Disk]:
    disk = Disk(sync_seconds=0.1)
    yield disk
    await disk.close()


@pytest.fixture
def small_disk(data_dir: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = data_dir / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("A file system cannot be mounted here.")
    yield folder
    subprocess.run(["umount", folder], check=True)


def enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=8m", folder], check=True)


def limited(run_dir: Path, folder: Path, limit: int) -> subprocess.Popen[bytes]:
    """A recorder that may not write files larger than ``limit`` bytes."""
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(run_dir), str(folder), str(limit)])


def nobody(error: OSError) -> None:
    raise AssertionError(error)


async def test_what_is_appended_is_there_and_sealed_at_the_end(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "a" / "0001.webm.part"
    file = File(disk, path, nobody)
    for part in (b"head room ", b"one ", b"two "):
        file.append(part)
    await disk.run(lambda: None)
    assert path.read_bytes() == b"head room one two "
    assert path.stat().st_mode & 0o777 == 0o640
    finished = await file.finish(Seal(b"tail", [(5, b"ROOM")]))
    assert (finished.size, finished.error) == (22, None)
    assert path.with_name("0001.webm").read_bytes() == b"head ROOM one two tail"
    assert not path.exists()


async def test_an_existing_file_is_never_written_over(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "0001.webm.part"
    path.write_bytes(b"evidence")
    (tmp_path / "link.part").symlink_to(path)
    refused: list[OSError] = []
    for one in (path, tmp_path / "link.part"):
        File(disk, one, refused.append).append(b"x")
    await disk.run(lambda: None)
    await asyncio.sleep(0)
    assert [error.errno for error in refused] == [errno.EEXIST, errno.EEXIST]
    assert path.read_bytes() == b"evidence"


async def test_a_refused_write_leaves_no_half_and_the_last_facts_get_a_second_try(disk: Disk, small_disk: Path) -> None:
    reserve, path = small_disk / "reserve", small_disk / "journal"
    files.reserve(reserve, 256 << 10)
    refused: list[OSError] = []
    file = File(disk, path, refused.append, existing=True, keep=True)
    for _ in range(8):
        file.append(b"r" * 100_000)
    await until(lambda: bool(refused))
    assert refused[0].errno == errno.ENOSPC
    assert path.stat().st_size % 100_000 == 0
    file.append(b"last\n")
    await disk.run(reserve.unlink)
    await file.revive()
    await file.close()
    assert len(refused) == 1
    assert path.read_bytes().endswith(b"rlast\n")


async def test_a_disk_that_hangs_is_noticed_and_nobody_waits_for_it(tmp_path: Path) -> None:
    disk = Disk(backlog=1000)
    hangs = threading.Event()
    stuck = disk.run(hangs.wait)
    file = File(disk, tmp_path / "a.part", nobody)
    file.append(b"x" * 2000)  # or it would wait here for ever
    assert (disk.slow, disk.pending) == (True, 2000)
    hangs.set()
    await stuck
    await disk.run(lambda: None)
    assert (disk.slow, disk.pending) == (False, 0)
    await disk.close()
    assert (tmp_path / "a.part").stat().st_size == 2000


async def test_what_is_written_is_made_durable_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[float] = []
    real = os.fdatasync

    def fdatasync(fd: int) -> None:
        synced.append(time.monotonic())
        real(fd)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    disk = Disk(sync_seconds=0.2)
    file = File(disk, tmp_path / "a.part", nobody)
    began = time.monotonic()
    while time.monotonic() - began < 1.0:
        file.append(b"x")
        await asyncio.sleep(0.02)
    await disk.close()
    gaps = [after - before for before, after in zip([began, *synced], synced, strict=False)]
    assert max(gaps) < 0.3
    assert len(synced) >= 4


def test_a_manifest_is_old_or_new_and_never_half(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    shelf.replace(path, b"old")
    shelf.replace(path, b"new", durable=True)
    assert path.read_bytes() == b"new"
    path.with_name("manifest.json.new").mkdir()
    with pytest.raises(OSError):
        shelf.replace(path, b"newer")
    assert path.read_bytes() == b"new"


Senders = dict[str, list[sink_feed.Sender]]


async def begin(hub: Hub, feed: SinkFeed, session: str) -> list[sink_feed.Sender]:
    """A recording of two people, three tracks."""
    await hub.record(session, f"R{session}")
    await feed.opened(session)
    feed.peer(session, "a", name="甲")
    clips = [sink_feed.video(sink_feed.VP8), sink_feed.video(sink_feed.H264), sink_feed.opus()]
    return [feed.track(session, who, clip) for who, clip in zip(("a", "b", "a"), clips, strict=True)]


@contextlib.asynccontextmanager
async def playing(data_dir: Path, hub: Hub, *sessions: str) -> AsyncIterator[tuple[SinkFeed, Senders]]:
    feed = await SinkFeed(data_dir).start()
    yield feed, {session: await begin(hub, feed, session) for session in sessions}
    await feed.stop()


def readable(hub: Hub, session: str) -> float:
    """Seconds of the shortest track; every file can be played and is as long as the manifest says."""
    shortest = 1e9
    for track in hub.manifest(session)["tracks"]:
        total = 0.0
        for segment in track["segments"]:
            media = read(hub.folder / session / "tracks" / track["id"] / segment["file"])
            assert media.times
            assert media.length == pytest.approx(segment["duration_ms"] / 1000, abs=0.15)
            total += media.length
        shortest = min(shortest, total)
    return shortest


async def test_a_full_disk_ends_the_recording_readable_and_says_so(data_dir: Path, small_disk: Path) -> None:
    async with recorder(data_dir, small_disk / "recordings") as hub, playing(data_dir, hub, "S1") as (feed, senders):
        now = time.time_ns()
        for _ in range(30):
            now = await feed.play("S1", senders["S1"], 4.0, now)
            await asyncio.sleep(0.02)
            if hub.states["S1"].state == "failed":
                break
        state = await hub.state("S1", "failed")
        assert state.code == "disk_full"
        assert state.text.startswith("The recording was stopped because the disk is full")
        assert state.text_zh
        assert (state.tracks, hub.manifest()["state"], hub.manifest()["code"]) == (3, "failed", "disk_full")
        assert readable(hub, "S1") > 4
        # The process lives: with room it records again.
        await feed.play("S1", senders["S1"], 1.0, now)
        enlarge(small_disk)
        others = await begin(hub, feed, "S2")
        await feed.play("S2", others, 2.0, time.time_ns())
        assert (await hub.stop("S2")).state == "complete"
        assert readable(hub, "S2") > 1.8


async def test_little_space_is_seen_before_it_is_none(data_dir: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.recorder._SPACE", 0.1)
    async with recorder(data_dir, small_disk / "recordings", minimum_free_bytes=600 << 10) as hub:
        async with playing(data_dir, hub, "S1") as (feed, senders):
            await feed.play("S1", senders["S1"], 3.0, time.time_ns())
            await asyncio.sleep(0.3)
            assert hub.states["S1"].state == "recording"
            (small_disk / "other").write_bytes(bytes(200 << 10))
            assert (await hub.state("S1", "failed")).code == "disk_full"
        found = hub.manifest()["tracks"]
        assert all(not one["file"].endswith(".part") for track in found for one in track["segments"])
        assert readable(hub, "S1") > 2.8
        (small_disk / "more").write_bytes(bytes(100 << 10))
        await hub.record("S2")
        state = await hub.state("S2", "failed")
        assert (state.code, state.text_zh) == ("disk_full", "磁盘剩余空间低于下限，无法开始录制。")
        assert not (small_disk / "recordings" / "S2").exists()


async def test_what_hits_one_recording_leaves_the_others_alone(data_dir: Path) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        folder = data_dir / "recordings" / "S1"
        folder.mkdir()
        (folder / "tracks").write_text("in the way")
        async with playing(data_dir, hub, "S1", "S2") as (feed, senders):
            now = time.time_ns()
            for session in ("S1", "S2"):
                await feed.play(session, senders[session], 2.0, now)
            state = await hub.state("S1", "failed")
            assert (state.code, state.tracks) == ("disk_error", 0)
            await feed.play("S2", senders["S2"], 2.0, now + 2 * SECOND)
            assert (await hub.stop("S2")).state == "complete"
        assert readable(hub, "S2") > 3.8


async def test_a_folder_that_cannot_be_is_said_and_the_process_lives(data_dir: Path) -> None:
    (data_dir / "file").write_text("in the way")
    async with recorder(data_dir, data_dir / "file" / "recordings") as hub:
        for session in ("S1", "S2"):
            await hub.record(session)
            state = await hub.state(session, "failed")
            assert (state.code, state.tracks) == ("disk_error", 0)
            assert state.text_zh == "录制文件无法写入，录制已停止；此前的内容可以回看。"


async def test_a_limit_of_file_sizes_ends_the_recording_readable(data_dir: Path) -> None:
    folder = data_dir / "recordings"
    limit = 300 << 10  # the reserve fits
    process = limited(data_dir, folder, limit)
    hub = Hub(data_dir, folder)
    try:
        await hub.dial()
        async with playing(data_dir, hub, "S1") as (feed, senders):
            now = time.time_ns()
            for _ in range(30):
                now = await feed.play("S1", senders["S1"], 4.0, now)
                await asyncio.sleep(0.02)
                if hub.states["S1"].state == "failed":
                    break
            assert (await hub.state("S1", "failed")).code == "disk_full"
        assert readable(hub, "S1") > 4
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        await hub.close()
