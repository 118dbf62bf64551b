"""``kill -9`` of the recorder at random moments: what was recorded can be played and is listed again, little is lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import sink_feed
from tests.support.hub_of_recorder import Hub
from tests.support.media_files import read
from tests.support.proofs import Figure
from tests.support.sink_feed import SECOND, Sender, SinkFeed

KILLS = 20  # of a proof
LOST = 2.0  # seconds a track may lose on a machine that does other things; what is proved on one that does not is 1
PROGRAM = """
import asyncio, sys
from pathlib import Path
from recorder.recorder import run
asyncio.run(run(Path(sys.argv[1]), "record-0", Path(sys.argv[2]), minimum_free_bytes=0, cluster_ms=int(sys.argv[3])))
"""


def start(run_dir: Path, folder: Path, piece_ms: int = 500) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(run_dir), str(folder), str(piece_ms)])


@dataclass
class Killed:
    """Seconds that pictures and sounds have lost, from the kill until the recording is listed again, and CPU seconds a second."""

    pictures: list[float]
    sounds: list[float]
    listed: float
    load: float


@pytest.mark.parametrize("seed", range(3))
async def test_killed_at_a_random_moment(data_dir: Path, seed: int) -> None:
    found = await killed(data_dir, seed)
    assert max(found.pictures + found.sounds) <= LOST, found


@pytest.mark.prove
async def test_killed_at_twenty_random_moments(data_dir: Path, figure: Figure) -> None:
    found = [await killed(made(data_dir / str(seed)), seed) for seed in range(KILLS)]
    worst = max(loss for one in found for loss in one.pictures)
    assert figure("recorder killed at 20 random moments: lost of a picture, worst", worst, "s", goal="≤ 1")
    worst = max(loss for one in found for loss in one.sounds)
    assert figure("recorder killed at 20 random moments: lost of a sound alone, worst", worst, "s", goal="≤ 1")
    slowest = max(one.listed for one in found)
    assert figure("recorder killed at 20 random moments: from its start until listed, worst", slowest, "s", goal="≤ 5")


@pytest.mark.prove
async def test_smaller_pieces(data_dir: Path, figure: Figure) -> None:
    """What a writer that flushes more often would gain, and cost."""
    for piece in (500, 250, 100):
        found = [await killed(made(data_dir / f"{piece}-{seed}"), seed, piece) for seed in range(6)]
        lost = max(loss for one in found for loss in one.pictures + one.sounds)
        figure(f"pieces of {piece} ms: lost of a track when the recorder is killed, worst of 6", lost, "s")
        figure(f"pieces of {piece} ms: CPU of a recorder with four tracks", 100 * min(one.load for one in found), "% of a core")


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def spent(pid: int) -> float:
    """CPU seconds of a process (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def killed(data_dir: Path, seed: int, piece_ms: int = 500) -> Killed:
    dice = random.Random(seed)
    folder = data_dir / "recordings"
    feed = await SinkFeed(data_dir).start()
    process = start(data_dir, folder, piece_ms)
    hub = Hub(data_dir, folder)
    again: subprocess.Popen[bytes] | None = None
    try:
        await hub.dial()
        await hub.record()
        await feed.opened("S1")
        for who in ("a", "b", "c"):
            feed.peer("S1", who, name=who, kind="person")
        # Opened before anything is encoded: what takes long must not eat into the pace.
        clips = [sink_feed.video(sink_feed.VP8), sink_feed.opus(), sink_feed.video(sink_feed.H264), sink_feed.opus()]
        senders = [feed.track("S1", who, clip) for who, clip in zip(("a", "a", "b", "c"), clips, strict=True)]
        playing = asyncio.create_task(feed.play("S1", senders, 30.0, time.time_ns(), paced=True))
        before, began = spent(process.pid), time.monotonic()
        await asyncio.sleep(dice.uniform(1.5, 3.5))
        load = (spent(process.pid) - before) / (time.monotonic() - began)
        process.send_signal(signal.SIGKILL)
        sent = [sender.ns(sender.index) / SECOND for sender in senders]
        process.wait()
        playing.cancel()
        await asyncio.wait([playing])
        await hub.close()
        for path in sorted((folder / "S1" / "tracks").glob("*/*")):
            assert read(path).times, f"{path.name} cannot be read as it was left"

        again, began = start(data_dir, folder), time.monotonic()
        hub = Hub(data_dir, folder)
        snapshot = await hub.dial(epoch=2)
        listed = time.monotonic() - began
        assert [(state.session, state.state) for state in snapshot.sessions] == [("S1", "repaired")]
        losses = check(hub, folder, senders, sent)
        return Killed(losses[0::2], losses[1::2], listed, load)
    finally:
        for one in (process, again):
            if one is not None and one.poll() is None:
                one.kill()
                one.wait()
        await hub.close()
        await feed.stop()


def check(hub: Hub, folder: Path, senders: list[Sender], sent: list[float]) -> list[float]:
    manifest = hub.manifest()
    assert manifest["state"] == "repaired"
    assert [track["kind"] for track in manifest["tracks"]] == ["video", "audio", "video", "audio"]
    losses = []
    for track, sender, until in zip(manifest["tracks"], senders, sent, strict=True):
        (segment,) = track["segments"]
        assert not segment["file"].endswith(".part")
        media = read(folder / "S1" / "tracks" / track["id"] / segment["file"])
        assert media.duration is not None
        assert media.duration == pytest.approx(segment["duration_ms"] / 1000, abs=0.1)
        assert len(media.times) == sender.clip.before(round((media.times[-1] + 0.001) * sender.clip.codec.clock_rate))
        losses.append(until - media.duration)
    # The facts say so too.
    (recovered,) = [event for event in manifest["events"] if event["type"] == "recovered"]
    assert len(recovered["data"]["lost"]) == 4
    assert sorted(gap["track"] for gap in manifest["gaps"] if gap["reason"] == "recorder") == ["0001", "0002", "0003", "0004"]
    return losses
