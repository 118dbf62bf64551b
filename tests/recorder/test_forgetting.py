"""Deleted sessions are taken away, also when the recorder dies half-way."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from commhub.media.messages import Forget
from recorder import forgetting, repair
from tests.support import until
from tests.support.hub_of_recorder import Hub, recorder
from tests.support.sink_feed import VP8, SinkFeed, video

#: Takes a session away, and is killed after so many files.
KILLED = """
import os, signal, sys
from pathlib import Path
from recorder import forgetting
left, real = int(sys.argv[3]), os.unlink
def unlink(*args, **more):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*args, **more)
os.unlink = unlink
forgetting.forget(Path(sys.argv[1]), sys.argv[2])
"""


def session(folder: Path, name: str) -> Path:
    for file in ("journal", "manifest.json", "tracks/0001/0001.webm", "tracks/0001/0002.webm", "tracks/0002/0001.mp4"):
        path = folder / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder / name


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_forgotten_is_gone_and_nothing_else(tmp_path: Path) -> None:
    session(tmp_path, "S1")
    other = session(tmp_path, "S2")
    for _ in range(2):
        forgetting.forget(tmp_path, "S1")
    assert files(tmp_path) == files(other)


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("then", ["named again", "started again"])
async def test_a_kill_half_way_leaves_no_half_recording(tmp_path: Path, after: int, then: str) -> None:
    session(tmp_path, "S1")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(tmp_path), "S1", str(after))
    assert await process.wait() == -signal.SIGKILL
    assert len(files(tmp_path)) == 5 - after
    assert repair.survey(tmp_path) == ([], [])  # nobody takes it for a recording
    if then == "named again":
        forgetting.forget(tmp_path, "S1")
    else:
        forgetting.sweep(tmp_path, lambda name: name == "S2")
        assert len(files(tmp_path)) == 5 - after  # another recorder's
        forgetting.sweep(tmp_path, lambda name: name == "S1")
    assert files(tmp_path) == []


def test_a_disk_that_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session(tmp_path, "S1")

    def refuse(path: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(OSError):
        forgetting.forget(tmp_path, "S1")


async def forget(hub: Hub, name: str) -> None:
    assert hub.link is not None
    hub.link.tell(Forget(name))
    await until(lambda: name in hub.forgotten)


async def test_the_recorder_forgets_what_it_is_told(data_dir: Path) -> None:
    folder = data_dir / "recordings"
    async with recorder(data_dir, folder) as hub:
        feed = await SinkFeed(data_dir).start()
        for name in ("S1", "S2"):
            await hub.record(name, f"R{name}")
            await feed.opened(name)
            feed.peer(name, "a", name="甲")
            await feed.play(name, [feed.track(name, "a", video(VP8))], 1.0, time.time_ns())
            await hub.stop(name)
        await feed.stop()
        await forget(hub, "S1")
        assert not (folder / "S1").exists()
        await forget(hub, "S1")  # told twice: it is gone
        await forget(hub, "S9")  # never was here
        assert (folder / "S2" / "manifest.json").is_file()
    async with recorder(data_dir, folder) as hub:
        assert set(hub.states) == {"S2"}


async def test_names_that_are_no_sessions_reach_no_folder(data_dir: Path) -> None:
    folder = data_dir / "recordings"
    kept = session(data_dir, "elsewhere")
    async with recorder(data_dir, folder) as hub:
        assert hub.link is not None
        for name in ("../elsewhere", "", ".", ".forgotten", "/etc"):
            hub.link.tell(Forget(name))
        await forget(hub, "S1")
        assert hub.forgotten == ["S1"]
    assert len(files(kept)) == 5
