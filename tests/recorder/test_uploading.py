"""Recordings go into an S3 store (moto, which nobody here wrote), whatever happens to it; what is not there is not dropped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from commhub.archive import Archive, SessionKeys
from commhub.archive.placed import STORED, load
from commhub.media.messages import Uploads
from recorder.keys import Keys
from recorder.stored import Stored
from recorder.uploading import LOOK, Policy, Uploader
from recorder.verify import verify
from tests.support import sink_feed, until
from tests.support.cabinets import cabinet
from tests.support.hub_of_recorder import recorder
from tests.support.s3 import S3, serving
from tests.support.sink_feed import SinkFeed

DAY = 86_400.0


@pytest.fixture(scope="module")
def one() -> Iterator[S3]:
    with serving() as server:
        yield server


@pytest.fixture
def server(one: S3) -> S3:
    """Empty, and there, whatever a test before has done to it."""
    one.empty()
    return one


class Hall:
    """Recordings by hand, and somebody who uploads them. ``now`` is ahead of the files' times, so that closed ones are quiet."""

    def __init__(self, folder: Path, server: S3, **policy: float) -> None:
        self.folder, self.server, self.policy = folder, server, Policy(**policy)
        self.now = 4e9
        self.told: list[Uploads] = []
        self.again()

    def again(self) -> None:
        """A new process."""
        self.uploader = Uploader(
            self.folder, self.server.remote(), self.policy, lambda session: session != "other", self.told.append
        )

    def write(self, session: str, *names: str, running: bool = False) -> None:
        for name in (*names, "journal", "manifest.json"):
            path = self.folder / session / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{session} {name} ".encode() * 1000 + os.urandom(8))
        reserve = self.folder / session / "reserve"
        reserve.touch() if running else reserve.unlink(missing_ok=True)

    def look(self, later: float = 0.0) -> float:
        self.now += later
        return self.uploader.look(self.now)

    def there(self, session: str = "S1") -> dict[str, bytes]:
        prefix = f"city/hub/{session}/"
        return {name.removeprefix(prefix): data for name, data in self.server.objects().items() if name.startswith(prefix)}

    def here(self, session: str = "S1", *, all: bool = False) -> dict[str, bytes]:
        root = self.folder / session
        found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        return {name: data for name, data in found.items() if all or (name not in ("reserve", STORED) and ".part" not in name)}

    def archive(self) -> Archive:
        return Archive(self.folder, None, self.server.remote())


@pytest.fixture
def hall(tmp_path: Path, server: S3) -> Hall:
    return Hall(tmp_path / "recordings", server, keep_days=3.0, alarm_seconds=60.0)


def test_segments_as_they_close(hall: Hall) -> None:
    hall.write("S1", "tracks/0001/0001.webm", "tracks/0001/0002.webm.part", running=True)
    hall.write("other", "tracks/0001/0001.webm")
    assert hall.look() == LOOK
    assert hall.there() == hall.here()
    assert hall.there("other") == {}
    uploaded = hall.uploader.uploaded
    hall.look()
    hall.again()
    hall.look()
    assert (hall.uploader.uploaded, uploaded > 50_000) == (0, True)  # nothing twice, not by the next process either
    # The next one closes; journal and manifest go with it.
    hall.write("S1", "tracks/0001/0002.webm", running=True)
    hall.look()
    assert hall.there() == hall.here()
    hall.write("S1")  # the end
    hall.look()
    assert hall.there() == hall.here()


def test_what_is_torn_of_the_notes_is_put_there_again(hall: Hall) -> None:
    hall.write("S1", "tracks/0001/0001.webm", "tracks/0001/0002.webm")
    hall.look()
    notes = hall.folder / "S1" / STORED
    notes.write_bytes(notes.read_bytes()[: notes.stat().st_size // 2])
    hall.again()
    hall.look()
    assert len(load(hall.folder / "S1")) == 4
    (hall.folder / "S1" / "tracks/0001/0001.webm").write_bytes(b"repaired meanwhile")
    hall.again()
    hall.look()
    assert hall.there() == hall.here()


def test_dropped_here_after_its_days_and_read_there(hall: Hall) -> None:
    hall.write("S1", "tracks/0001/0001.webm", "tracks/0002/0001.mp4")
    before = hall.here()
    hall.look()
    due = max(one.at for one in load(hall.folder / "S1").values()) / 1e9
    hall.now = due + 2.9 * DAY
    hall.look()
    assert hall.here() == before
    hall.now = due + 3.1 * DAY
    hall.look()
    assert hall.here().keys() == {"journal", "manifest.json"}
    archive = hall.archive()
    assert archive.paths("S1") == ["journal", "manifest.json", "tracks/0001/0001.webm", "tracks/0002/0001.mp4"]
    for name, data in before.items():
        with archive.open("S1", name) as reader:
            assert (reader.size, reader.read()) == (len(data), data)
            assert reader.read_at(1000, 77) == data[1000:1077]
        assert archive.stamp("S1", name)[1] == len(data)
    with pytest.raises(FileNotFoundError):
        archive.open("S1", "tracks/0001/0009.webm")
    with pytest.raises(FileNotFoundError):
        Archive(hall.folder).open("S1", "tracks/0001/0001.webm")
    hall.again()
    assert hall.look() == LOOK  # what is not here any more is missed by nobody
    assert hall.there() == before


def test_a_store_that_fails_is_asked_again_and_somebody_is_told(hall: Hall) -> None:
    hall.write("S1", "tracks/0001/0001.webm", "tracks/0001/0002.webm")
    before = hall.here()
    hall.server.kill()
    pauses = [hall.look(5.0) for _ in range(8)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert hall.told == []
    hall.look(30)
    (told,) = hall.told
    assert (told.failing, told.files, told.reason != "") == (True, 2, True)
    assert told.bytes == sum(len(data) for name, data in before.items() if name.startswith("tracks"))
    assert hall.uploader.counters()["upload_failing_seconds"] != 0
    hall.look(10)
    assert len(hall.told) == 1  # once a minute
    hall.look(70)
    assert len(hall.told) == 2
    hall.look(30 * DAY)
    assert hall.here() == before  # kept, whatever was to be dropped
    hall.again()  # and over a new process
    hall.server.start()
    assert hall.look() == LOOK
    assert hall.there() == before
    hall.told.clear()


def test_it_says_when_it_goes_on(hall: Hall) -> None:
    hall.write("S1", "tracks/0001/0001.webm")
    hall.server.kill()
    hall.look()
    hall.look(61)
    assert [told.failing for told in hall.told] == [True]
    hall.server.start(bucket=False)
    hall.look(10)  # there, but without its bucket
    assert hall.uploader.counters()["upload_waiting_files"] == 1
    hall.server.make_bucket()
    assert hall.look(10) == LOOK
    assert [told.failing for told in hall.told] == [True, False]
    assert hall.uploader.counters()["upload_failing_seconds"] == 0


def test_what_the_store_has_lost_is_not_dropped_but_put_there_again(hall: Hall) -> None:
    hall.write("S1", "tracks/0001/0001.webm", "tracks/0001/0002.webm")
    before = hall.here()
    hall.look()
    hall.server.kill()  # what it held was in memory
    hall.server.start()
    assert hall.there() == {}
    hall.look(4 * DAY)
    assert hall.here() == before
    hall.look()
    assert hall.there() == before
    hall.now = 4e9 + 9 * DAY
    hall.look()
    hall.look()
    assert hall.here().keys() == {"journal", "manifest.json"}
    assert hall.there() == before


def test_one_file_that_is_refused_holds_up_no_other(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    hall.write("S1", "tracks/0001/0001.webm")
    hall.write("S2", "tracks/0001/0001.webm")
    (hall.folder / "S1" / "tracks" / "0001" / "0001.webm").chmod(0)
    if os.access(hall.folder / "S1" / "tracks" / "0001" / "0001.webm", os.R_OK):  # root may read everything
        put = hall.server.remote().put

        def refusing(name: str, path: Path, size: int) -> object:
            if "S1" in name:
                raise PermissionError(13, "Permission denied")
            return put(name, path, size)

        monkeypatch.setattr(hall.uploader._store, "put", refusing)
    assert hall.look() < LOOK
    assert hall.there("S2") == hall.here("S2")


def test_what_goes_on_is_looked_at_again(hall: Hall) -> None:
    hall.write("S1", "tracks/0001/0001.webm")
    hall.look()
    hall.write("S1", "tracks/0001/0002.webm", running=True)
    hall.look(4 * DAY)
    assert hall.there() == hall.here()
    assert "tracks/0001/0001.webm" in hall.here()


def test_deleted_ones_are_deleted_there(hall: Hall) -> None:
    hall.write("S1", "tracks/0001/0001.webm")
    hall.write("S2", "tracks/0001/0001.webm")
    hall.look()
    hall.server.kill()
    hall.uploader.forget("S1")
    for path in sorted((hall.folder / "S1").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (hall.folder / "S1").rmdir()
    assert hall.look() < LOOK  # the store is not there
    hall.server.start()
    hall.again()  # remembered over a restart
    hall.server.put("city/hub/S1/journal", b"x")
    assert hall.look() == LOOK
    assert hall.there("S1") == {}
    assert not list((hall.folder / ".gone").iterdir())


async def test_an_encrypted_recording_goes_there_as_it_lies(data_dir: Path, server: S3) -> None:
    """By the recorder itself, while it records; dropped here, it is played and proved from there."""
    feed = await SinkFeed(data_dir).start()
    folder, policy = data_dir / "recordings", Policy(keep_days=0.0)
    async with recorder(
        data_dir,
        folder,
        cabinet=cabinet(data_dir),
        uploads=(server.remote(), policy),
        checkpoint_seconds=0.2,
        segment_minutes=0.03,
    ) as hub:
        await hub.record()
        await feed.opened("S1")
        zero = (await hub.state("S1", "recording")).started_at
        feed.peer("S1", "a", name="甲")
        await feed.play("S1", [feed.track("S1", "a", sink_feed.opus())], 5.0, zero)
        await until(lambda: any("tracks" in name for name in server.objects()), 30)
        assert (await hub.stop()).state == "complete"
    await feed.stop()
    for path in (folder / "S1").iterdir():
        if path.is_file():
            os.utime(path, (1, 1))
    uploader = Uploader(folder, server.remote(), policy, lambda session: True, lambda told: None)
    await asyncio.to_thread(uploader.look, 4e9)
    assert not list((folder / "S1" / "tracks").glob("*/*"))
    objects = server.objects()
    assert sum(name.endswith(".webm") for name in objects) >= 2
    assert all(data.startswith(b"CHsealed") for data in objects.values())
    key = (data_dir / "recording-keys" / "S1").read_bytes()
    assert not any(key in data for data in objects.values())
    archive = Archive(folder, SessionKeys.of(data_dir), server.remote())
    verdict = await asyncio.to_thread(verify, Stored(archive, "S1"), [Keys(data_dir / "evidence").current().public], (), "S1")
    assert verdict.faults == []
    assert verdict.files >= 2
    # Deleting the key deletes what is there, too.
    SessionKeys.of(data_dir).forget("S1")
    with pytest.raises(ValueError, match="its key is not here"):
        archive.open("S1", "journal")
