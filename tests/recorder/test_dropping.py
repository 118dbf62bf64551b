"""A disk that gets full: what lies in the store (moto), too, is dropped here first, and nothing that does not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commhub.archive import Archive
from commhub.media import messages
from recorder.dropping import Dropping
from recorder.uploading import LOOK, Policy
from tests.recorder.test_space import facts
from tests.recorder.test_uploading import Hall
from tests.support import sink_feed, until
from tests.support.hub_of_recorder import recorder
from tests.support.s3 import S3, serving
from tests.support.sink_feed import SinkFeed

MIB = 1 << 20


@pytest.fixture(scope="module")
def one() -> Iterator[S3]:
    with serving() as server:
        yield server


@pytest.fixture
def server(one: S3) -> S3:
    one.empty()
    return one


@pytest.fixture
def hall(tmp_path: Path, server: S3) -> Hall:
    hall = Hall(tmp_path / "recordings", server)
    for number, session in enumerate(("S3", "S1", "S2")):  # in the order in which they ended
        hall.write(session, "tracks/0001/0001.webm", "tracks/0001/0002.webm", running=session == "S3")
        for age, path in enumerate(sorted((hall.folder / session).rglob("*"))):
            os.utime(path, (1000 * number + age, 1000 * number + age))
    return hall


def here(hall: Hall) -> list[str]:
    return sorted(str(path.relative_to(hall.folder)) for path in hall.folder.glob("*/tracks/*/*"))


def size(hall: Hall, session: str = "S1") -> int:
    return (hall.folder / session / "tracks/0001/0001.webm").stat().st_size


def test_what_ended_goes_first_the_oldest_first_and_no_more_than_is_wanted(hall: Hall) -> None:
    assert hall.look() == LOOK
    before, everything = hall.here("S1"), here(hall)
    assert len(everything) == 6
    hall.uploader.make_room(1)
    hall.look()
    assert here(hall) == [name for name in everything if name != "S1/tracks/0001/0001.webm"]
    assert not hall.uploader.dropping.busy
    hall.look()
    assert len(here(hall)) == 5  # once
    hall.uploader.make_room(size(hall, "S2") + 1)
    hall.look()
    assert here(hall) == [name for name in everything if "S1" not in name and name != "S2/tracks/0001/0001.webm"]
    hall.uploader.make_room(2 * size(hall, "S3"))
    hall.look()
    assert here(hall) == ["S3/tracks/0001/0002.webm"]  # of what still runs at last
    archive = hall.archive()
    for name, data in before.items():
        assert archive.read("S1", name, 1 << 20) == data
    assert archive.read("S3", "tracks/0001/0001.webm", 1 << 20) == hall.there("S3")["tracks/0001/0001.webm"]
    assert hall.uploader.dropping.dropped > 0


def test_what_is_not_there_stays(hall: Hall) -> None:
    hall.look()
    hall.write("S4", "tracks/0001/0001.webm")  # not uploaded yet
    hall.write("S1", "tracks/0001/0001.webm")  # another one than was compared
    missing = hall.server.remote().name("S2", "tracks/0001/0001.webm")
    hall.server.put(missing, b"another one")
    dropping = Dropping(hall.folder, hall.server.remote(), lambda session: session != "S3")
    assert dropping.want(1 << 40)
    dropping.look(0, lambda: False)
    assert not dropping.busy  # nothing more can be dropped: nobody waits
    assert here(hall) == [
        "S1/tracks/0001/0001.webm", "S2/tracks/0001/0001.webm", "S3/tracks/0001/0001.webm", "S3/tracks/0001/0002.webm",
        "S4/tracks/0001/0001.webm",
    ]  # fmt: skip
    # What the store has lost is put there again, and is a copy then.
    hall.again()
    hall.look()
    assert hall.there("S2")["tracks/0001/0001.webm"] == hall.here("S2")["tracks/0001/0001.webm"]
    dropping.more()
    dropping.look(0, lambda: False)
    assert here(hall) == ["S3/tracks/0001/0001.webm", "S3/tracks/0001/0002.webm"]


def test_a_store_that_fails_costs_nothing_here_and_is_not_waited_for(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    hall.look()
    everything = here(hall)
    hall.server.kill()
    hall.uploader.make_room(1 << 40)
    assert hall.look() < LOOK
    assert here(hall) == everything
    begun = time.monotonic()
    monkeypatch.setattr("recorder.dropping.time.monotonic", lambda: begun + 6)
    assert not hall.uploader.dropping.busy
    monkeypatch.undo()
    hall.server.start()
    hall.look()  # it lost everything with its memory, and has it again
    hall.look()
    assert here(hall) == []


async def test_before_anything_less_is_recorded(data_dir: Path, server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the recorder itself: a full disk is as full as its recordings make it."""
    folder = data_dir / "recordings"
    others = [0]

    def disk(path: Path) -> tuple[int, int]:
        lies = 0
        for one in folder.glob("*/tracks/*/*"):
            with contextlib.suppress(FileNotFoundError):  # it was dropped just now
                lies += one.stat().st_size
        return 100 * MIB - lies - others[0], 100 * MIB

    monkeypatch.setattr("recorder.recorder._SPACE", 0.02)
    monkeypatch.setattr("recorder.recorder.disk_space", disk)
    monkeypatch.setattr("recorder.uploading.LOOK", 0.2)
    for number in range(20):  # 20 MiB that are over
        path = folder / "S0" / "tracks" / "0001" / f"{number:04}.webm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(MIB))
    for name in ("journal", "manifest.json"):
        (folder / "S0" / name).write_bytes(b"x")
        os.utime(folder / "S0" / name, (1, 1))
    feed = await SinkFeed(data_dir).start()
    async with recorder(data_dir, folder, uploads=(server.remote(), Policy())) as hub:
        await until(lambda: len(server.objects()) == 22, 60, what="what is over in the store")
        assert hub.link is not None
        hub.link.tell(messages.Record("S1", "R1", "media-0", "会商", {}))
        await feed.opened("S1")
        feed.peer("S1", "k", kind="camera", name="大堤")
        sender = feed.track("S1", "k", sink_feed.video(sink_feed.VP8), "camera")
        now = await feed.play("S1", [sender], 2.0, time.time_ns())
        others[0] = 76 * MIB  # at once: four per cent are left
        await until(lambda: disk(folder)[0] > 10 * MIB, 30, what="room")
        await until(lambda: bool(hub.space) and hub.space[-1].level in ("low", "ample"), 30, what="the step to be over")
        await feed.play("S1", [sender], 2.0, now)
        others[0] = 84 * MIB
        await until(lambda: disk(folder)[0] > 10 * MIB, 30, what="room")
        others[0] = 91 * MIB
        await until(lambda: not list((folder / "S0").glob("tracks/*/*")), 30, what="all of it dropped")
        assert {one.level for one in hub.space} <= {"ample", "low", "copies"}
        others[0] = 96 * MIB  # more than is to be had by that
        await until(lambda: hub.space[-1].level not in ("ample", "low", "copies"), 30, what="less")
        await hub.stop("S1")
    await feed.stop()
    steps = [one["step"] for one in facts(hub, "S1", "thinned")]
    assert steps[0] == "copies"
    assert steps.index("copies") < min(steps.index(step) for step in steps if step not in ("ample", "low", "copies"))
    first = [space.level for space in hub.space]
    assert "cameras" not in first[: first.index("copies")]
    archive = Archive(folder, None, server.remote())
    found = await asyncio.to_thread(archive.read, "S0", "tracks/0001/0000.webm", 2 * MIB)
    assert len(found) == MIB
