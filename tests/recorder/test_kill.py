"""``kill -9`` of the recorder at random moments: what was recorded can be played and is listed again, little is lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import sink_feed
from tests.support.hub_of_recorder import Hub
from tests.support.media_files import read
from tests.support.sink_feed import SECOND, Sender, SinkFeed

KILLS = int(os.environ.get("PROVE_KILLS", "3"))
#: Seconds a track may lose: the promise is 2; what is proved, on a machine that does nothing else, is 1.
LOST = 1.0 if KILLS > 3 else 2.0
PROGRAM = """
import asyncio, sys
from pathlib import Path
from recorder.recorder import run
asyncio.run(run(Path(sys.argv[1]), "record-0", Path(sys.argv[2]), minimum_free_bytes=0))
"""


def start(run_dir: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(run_dir), str(folder)])


@pytest.mark.parametrize("seed", range(KILLS))
async def test_killed_at_a_random_moment(data_dir: Path, seed: int) -> None:
    dice = random.Random(seed)
    folder = data_dir / "recordings"
    feed = await SinkFeed(data_dir).start()
    process = start(data_dir, folder)
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
        await asyncio.sleep(dice.uniform(1.5, 3.5))
        process.send_signal(signal.SIGKILL)
        sent = [sender.ns(sender.index) / SECOND for sender in senders]
        process.wait()
        playing.cancel()
        await asyncio.wait([playing])
        await hub.close()
        for path in sorted((folder / "S1" / "tracks").glob("*/*")):
            assert read(path).times, f"{path.name} cannot be read as it was left"

        again = start(data_dir, folder)
        hub = Hub(data_dir, folder)
        snapshot = await hub.dial(epoch=2)
        assert [(state.session, state.state) for state in snapshot.sessions] == [("S1", "repaired")]
        check(hub, folder, senders, sent)
    finally:
        for one in (process, again):
            if one is not None and one.poll() is None:
                one.kill()
                one.wait()
        await hub.close()
        await feed.stop()


def check(hub: Hub, folder: Path, senders: list[Sender], sent: list[float]) -> None:
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
    assert max(losses) <= LOST, losses
    print("lost", [round(loss, 2) for loss in losses])
    # The facts say so too.
    (recovered,) = [event for event in manifest["events"] if event["type"] == "recovered"]
    assert len(recovered["data"]["lost"]) == 4
    assert sorted(gap["track"] for gap in manifest["gaps"] if gap["reason"] == "recorder") == ["0001", "0002", "0003", "0004"]
