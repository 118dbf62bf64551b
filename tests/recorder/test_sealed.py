"""Recordings that are encrypted as they are written: nothing of them is on the disk, all of them is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest

from commhub.archive import Archive, SessionKeys
from commhub.archive.sealed import ALGORITHMS, MAGIC
from commhub.wire import journal
from recorder.keys import Keys
from recorder.notary import Evidence
from recorder.repair import repair, survey
from recorder.stored import Stored, source
from recorder.verify import Folder, verify
from tests.support import sink_feed, until
from tests.support.cabinets import archive, cabinet, copied
from tests.support.hub_of_recorder import Hub, recorder
from tests.support.media_files import read
from tests.support.proofs import Figure
from tests.support.sink_feed import SECOND, SinkFeed

PROGRAM = """
import asyncio, sys
from pathlib import Path
from recorder.recorder import run
from tests.support.cabinets import cabinet
data_dir = Path(sys.argv[1])
asyncio.run(run(data_dir, "record-0", data_dir / "recordings", minimum_free_bytes=0, cabinet=cabinet(data_dir)))
"""


@contextlib.asynccontextmanager
async def recording(data_dir: Path, algorithm: str = "aes-256-gcm", seconds: float = 5.3) -> AsyncIterator[Hub]:
    """S1 with three tracks, while it runs; as much as ``seconds`` of them is on the disk."""
    feed = await SinkFeed(data_dir).start()
    kept = cabinet(data_dir, algorithm)
    async with recorder(data_dir, data_dir / "recordings", cabinet=kept, checkpoint_seconds=0.2) as hub:
        await hub.record()
        await feed.opened("S1")
        zero = (await hub.state("S1", "recording")).started_at
        feed.peer("S1", "a", name="甲")
        clips = (sink_feed.video(sink_feed.VP8), sink_feed.video(sink_feed.H264), sink_feed.opus())
        senders = [feed.track("S1", who, clip) for who, clip in zip(("a", "b", "a"), clips, strict=True)]
        await feed.play("S1", senders, seconds, zero)
        tracks = hub.folder / "S1" / "tracks"
        await until(lambda: sum(path.stat().st_size > 10_000 for path in tracks.glob("*/*.part")) == 3)
        await until(lambda: (hub.folder / "S1" / "reserve").exists() and len(hub.checkpoints) > 2)
        yield hub
    await feed.stop()


def on_disk(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_nothing_of_it_is_on_the_disk_and_all_of_it_is_there(data_dir: Path, tmp_path: Path, algorithm: str) -> None:
    async with recording(data_dir, algorithm) as hub:
        found = archive(data_dir)
        running = on_disk(hub.folder / "S1")
        # While it runs it is read like a plain one, and proved up to its last checkpoint.
        (part,) = [name for name in found.paths("S1") if name.startswith("tracks/0003/")]
        with found.open("S1", part).file() as file, av.open(file, "r") as media:
            assert sum(1 for packet in media.demux(audio=0) if packet.size) > 100
        trusted = [Keys(data_dir / "evidence").current().public]
        assert verify(Stored(found, "S1"), trusted).faults == []
        assert (await hub.stop()).state == "complete"
    for name, data in [*running.items(), *on_disk(data_dir / "recordings" / "S1").items()]:
        assert data.startswith(MAGIC) or name == "reserve", name
        for word in (b"OpusHead", b"V_VP8", b"ftyp", b"moof", b'"type"', "会商".encode(), "甲".encode(), b"segments"):
            assert word not in data, name
    assert (data_dir / "recording-keys" / "S1").stat().st_mode & 0o777 == 0o600
    verdict = verify(Stored(found, "S1"), trusted, session="S1")
    assert (verdict.faults, verdict.files, verdict.running) == ([], 3, False)
    plain = copied(found, "S1", tmp_path)
    assert verify(Folder(plain), trusted, session="S1").faults == []
    for path in (plain / "tracks").glob("*/*"):
        media_file = read(path)
        assert media_file.length > 4.3
        assert media_file.duration == pytest.approx(5.3, abs=0.3)  # the head was filled in at the end


async def test_torn_anywhere(data_dir: Path, tmp_path: Path) -> None:
    """As a power failure leaves it, again and again: whole afterwards, proved, and gone on with."""
    async with recording(data_dir) as hub:
        shutil.copytree(hub.folder, tmp_path / "kept")
    trusted, evidence = [Keys(data_dir / "evidence").current().public], Evidence(Keys(data_dir / "evidence"))
    shutil.copy(data_dir / "recording-keys" / "S1", tmp_path / "key")
    for seed in range(12):
        dice = random.Random(seed)
        shutil.rmtree(data_dir / "recordings")
        shutil.copytree(tmp_path / "kept", data_dir / "recordings")
        folder = data_dir / "recordings" / "S1"
        for path in [folder / "journal", *sorted((folder / "tracks").glob("*/*.part"))]:
            size = path.stat().st_size
            if dice.random() < 0.7:
                os.truncate(path, dice.randint(size // 2, size))
            if dice.random() < 0.3:
                os.truncate(path, path.stat().st_size + dice.randrange(20, 10_000))
            if dice.random() < 0.2:  # a page that never reached the disk
                with path.open("r+b") as file:
                    file.seek(max(200, path.stat().st_size - 5000))
                    file.write(bytes(4096))
        if dice.random() < 0.5:
            (folder / "manifest.json").write_bytes(b"CHsealed\1\1"[: dice.randrange(10)])
        kept = cabinet(data_dir)
        assert [path.name for path in survey(data_dir / "recordings", cabinet=kept)[1]] == ["S1"]
        assert repair(folder, evidence, kept) is not None
        found = archive(data_dir)
        plain = copied(found, "S1", tmp_path / str(seed))
        scan = journal.scan((plain / "journal").read_bytes())
        assert [record["type"] for record in scan.records][-4:] == ["recovered", "closed", "key", "checkpoint"]
        assert sum(read(path).length for path in (plain / "tracks").glob("*/*.webm")) > 1.5
        kinds = {fault.kind for fault in verify(Stored(found, "S1"), trusted, session="S1").faults}
        assert kinds <= {"truncated", "dropped", "edited"}  # what was signed and lost is named, nothing else is
        (state,) = survey(data_dir / "recordings", cabinet=kept)[0]
        assert state.state == "repaired"
        before = on_disk(folder)
        repair(folder, evidence, kept)
        assert on_disk(folder).keys() == before.keys()
        assert on_disk(folder)["journal"] == before["journal"]  # once is enough


async def test_it_goes_on_after_a_repair(data_dir: Path) -> None:
    async with recording(data_dir) as hub:
        shutil.copytree(hub.folder, data_dir / "torn")
    shutil.rmtree(data_dir / "recordings")
    (data_dir / "torn").rename(data_dir / "recordings")
    feed = await SinkFeed(data_dir).start()
    # Set up otherwise meanwhile: what was begun encrypted stays so.
    async with recorder(data_dir, data_dir / "recordings", cabinet=cabinet(data_dir, "none"), checkpoint_seconds=0.2) as hub:
        zero = hub.states["S1"].started_at
        assert hub.states["S1"].state == "repaired"
        await hub.record()
        await feed.opened("S1")
        feed.peer("S1", "a", name="甲")
        await feed.play("S1", [feed.track("S1", "a", sink_feed.opus())], 2.0, zero + 9 * SECOND)
        assert (await hub.stop()).state == "complete"
    await feed.stop()
    assert all(data.startswith(MAGIC) for data in on_disk(data_dir / "recordings" / "S1").values())
    verdict = verify(Stored(archive(data_dir), "S1"), [Keys(data_dir / "evidence").current().public], session="S1")
    assert (verdict.faults, verdict.files) == ([], 4)


async def test_a_plain_one_stays_plain(data_dir: Path) -> None:
    feed = await SinkFeed(data_dir).start()
    for kept in (cabinet(data_dir, "none"), cabinet(data_dir)):
        async with recorder(data_dir, data_dir / "recordings", cabinet=kept) as hub:
            await hub.record()
            await hub.state("S1", "recording")
            await until(lambda: (data_dir / "recordings" / "S1" / "manifest.json").exists())
    await feed.stop()
    assert not any(data.startswith(MAGIC) for data in on_disk(data_dir / "recordings" / "S1").values())
    assert not (data_dir / "recording-keys").exists()
    assert isinstance(source(data_dir / "recordings" / "S1"), Folder)


def _changed(folder: Path, dice: random.Random) -> str:
    """Something is done to an encrypted recording: what."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = dice.choice([path for path in files if path.name != "journal"] if dice.random() < 0.7 else files)
    data = path.read_bytes()
    kind = dice.choice(["flip", "flip", "cut", "drop", "swap", "frame", "plain"])
    if kind == "flip":
        at = dice.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :])
    elif kind == "cut":
        path.write_bytes(data[: dice.randrange(len(data))])
    elif kind == "drop":
        path.unlink()
    elif kind == "swap":
        other = dice.choice([one for one in files if one != path])
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)
    elif kind == "frame":  # bytes of one place at another one
        at, size = dice.randrange(50, len(data) // 2), dice.randrange(1, len(data) // 2)
        path.write_bytes(data[:at] + data[at + size :] if dice.random() < 0.5 else data[:at] + data[:size] + data[at:])
    else:
        path.write_bytes(b"0000000a 00000000 a plain file")
    return f"{kind} {path.name}"


async def test_whatever_is_changed_is_named(data_dir: Path, tmp_path: Path) -> None:
    async with recording(data_dir) as hub:
        await hub.stop()
    trusted = [Keys(data_dir / "evidence").current().public]
    shutil.copytree(data_dir / "recordings" / "S1", tmp_path / "S1")
    for seed in range(100):
        dice = random.Random(seed)
        shutil.rmtree(data_dir / "recordings" / "S1")
        shutil.copytree(tmp_path / "S1", data_dir / "recordings" / "S1")
        what = _changed(data_dir / "recordings" / "S1", dice)
        assert verify(Stored(archive(data_dir), "S1"), trusted, session="S1").faults, (seed, what)


async def test_without_its_key_it_is_gone(data_dir: Path, tmp_path: Path) -> None:
    async with recording(data_dir) as hub:
        await hub.stop()
    keys = SessionKeys.of(data_dir)
    found = Archive(data_dir / "recordings", keys)
    assert found.read("S1", "manifest.json", 1 << 20).startswith(b"{")
    shutil.copytree(data_dir / "recordings" / "S1", tmp_path / "copy")
    reader = SessionKeys.of(data_dir)
    assert reader.find("S1") is not None
    assert keys.forget("S1")
    assert not (data_dir / "recording-keys" / "S1").exists()
    assert not keys.forget("S1")
    for archived in (found, Archive(data_dir / "recordings", reader), Archive(data_dir / "recordings")):
        with pytest.raises(ValueError, match=r"^The recording is encrypted, and its key is not here\.$"):
            archived.open("S1", "manifest.json")
    with pytest.raises(ValueError, match="its key is not here"):
        source(data_dir / "recordings" / "S1")
    # The recorder does not make a new key for what is there.
    assert survey(data_dir / "recordings", cabinet=cabinet(data_dir)) == ([], [data_dir / "recordings" / "S1"])
    assert repair(data_dir / "recordings" / "S1", None, cabinet(data_dir)) is None
    assert on_disk(data_dir / "recordings" / "S1") == on_disk(tmp_path / "copy")


def _started(data_dir: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(data_dir)])


async def killed(data_dir: Path, tmp_path: Path, seed: int) -> list[float]:
    """Seconds that each track has lost."""
    feed = await SinkFeed(data_dir).start()
    process = _started(data_dir)
    hub = Hub(data_dir, data_dir / "recordings")
    try:
        await hub.dial()
        await hub.record()
        await feed.opened("S1")
        feed.peer("S1", "a", name="甲")
        clips = [sink_feed.video(sink_feed.VP8), sink_feed.video(sink_feed.H264), sink_feed.opus()]
        senders = [feed.track("S1", who, clip) for who, clip in zip(("a", "b", "a"), clips, strict=True)]
        playing = asyncio.create_task(feed.play("S1", senders, 30.0, time.time_ns(), paced=True))
        tracks = data_dir / "recordings" / "S1" / "tracks"
        await until(lambda: sum(path.stat().st_size > 2000 for path in tracks.glob("*/*.part")) == 3)  # it has begun
        await asyncio.sleep(random.Random(seed).uniform(0.5, 2.5))
        process.send_signal(signal.SIGKILL)
        sent = [sender.ns(sender.index) / SECOND for sender in senders]
        process.wait()
        playing.cancel()
        await asyncio.wait([playing])
        await hub.close()
    finally:
        process.kill()
        process.wait()
        await feed.stop()
    keys = Keys(data_dir / "evidence")
    assert repair(data_dir / "recordings" / "S1", Evidence(keys), cabinet(data_dir)) is not None
    found = archive(data_dir)
    assert verify(Stored(found, "S1"), [keys.current().public], session="S1").faults == []
    plain = copied(found, "S1", tmp_path)
    names = sorted(name for name in found.paths("S1") if name.startswith("tracks/"))
    return [until_then - read(plain / name).length for until_then, name in zip(sent, names, strict=True)]


async def test_killed(data_dir: Path, tmp_path: Path) -> None:
    assert max(await killed(data_dir, tmp_path, 1)) <= 2.0  # on a machine that does other things; what is proved is less


@pytest.mark.prove
async def test_killed_at_ten_random_moments(data_dir: Path, tmp_path: Path, figure: Figure) -> None:
    worst = 0.0
    for seed in range(10):
        one = data_dir / str(seed)
        one.mkdir()
        worst = max(worst, *await killed(one, tmp_path / str(seed), seed))
    assert figure("encrypted, recorder killed at 10 random moments: lost of a track, worst", worst, "s", goal="≤ 1")
