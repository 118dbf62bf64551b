"""A session that is lost here comes back from the store (moto), verified; what is another one does not take its place."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from commhub.archive import Archive
from commhub.archive.placed import Refused, load
from commhub.media import messages
from recorder import repair
from recorder.restoring import ASIDE, Restoring, Wrong
from recorder.uploading import Policy, Uploader
from recorder.verify import Source, verify
from tests.support import sink_feed
from tests.support.cabinets import cabinet
from tests.support.hub_of_recorder import recorder
from tests.support.s3 import S3, serving
from tests.support.sink_feed import SECOND, SinkFeed
from tests.support.taken import Recording, record


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with serving() as server:
        yield server


_MADE: dict[str, Recording] = {}


class Lost:
    """A recording that lies in the store, too; each test may do with its copy what it likes."""

    def __init__(self, recording: Recording, base: Path, server: S3) -> None:
        shutil.copytree(recording.base, base)
        self.recording, self.server = Recording(base), server
        self.folder, self.recordings = self.recording.folder, base / "recordings"
        self.upload()
        self.before = self.files()

    def upload(self) -> int:
        uploader = Uploader(self.recordings, self.server.remote(), Policy(), lambda session: True, lambda told: None)
        uploader.look(4e9)
        return uploader.uploaded

    def files(self) -> dict[str, bytes]:
        found = (path for path in self.folder.rglob("*") if path.is_file() and path.name != ".stored")
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}

    def restoring(self, **more: int) -> Restoring:
        def check(source: Source) -> object:
            return verify(source, self.recording.trusted, (), "S1")

        return Restoring(
            self.recordings, self.server.remote(), cabinet(self.recording.base).keys, check, **more  # type: ignore[arg-type]
        )  # fmt: skip

    def name(self, path: str) -> str:
        return self.server.remote().name("S1", path)

    def aside(self) -> list[Path]:
        return list((self.recordings / ASIDE).rglob("*"))


@pytest.fixture
async def lost(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, data_dir: Path, server: S3) -> Lost:
    if "one" not in _MADE:
        base = tmp_path_factory.mktemp("restored")
        _MADE["one"] = await record(base, data_dir, 6, cabinet=cabinet(base))
        for name in ("journal", "manifest.json"):
            os.utime(_MADE["one"].folder / name, (1, 1))
    server.empty()
    return await asyncio.to_thread(Lost, _MADE["one"], tmp_path / "hub", server)


def test_a_folder_that_is_gone_comes_back_as_it_was(lost: Lost) -> None:
    shutil.rmtree(lost.folder)
    told: list[str] = []
    done = lost.restoring().restore("S1", tell=told.append)
    assert (done.verdict.faults, done.files, done.bytes) == ([], len(lost.before), sum(map(len, lost.before.values())))
    assert lost.files() == lost.before
    assert told[0] == "journal"
    assert sorted(told) == sorted(lost.before)
    assert lost.aside() == []
    media = {name for name in lost.before if name.startswith("tracks/")}
    assert load(lost.folder).keys() == media
    closed, broken = repair.survey(lost.recordings, cabinet=cabinet(lost.recording.base))
    assert ([state.session for state in closed], broken) == (["S1"], [])
    for name in ("journal", "manifest.json"):
        os.utime(lost.folder / name, (1, 1))
    assert lost.upload() == sum(len(lost.before[name]) for name in lost.before.keys() - media)  # no medium goes there twice


def test_what_is_missing_among_what_is_here(lost: Lost) -> None:
    gone = [name for name in lost.before if name.startswith("tracks/000")][:2]
    for name in gone:
        (lost.folder / name).unlink()
    inodes = {name: (lost.folder / name).stat().st_ino for name in lost.files()}
    done = lost.restoring().restore("S1")
    assert (done.files, lost.files()) == (2, lost.before)
    assert all((lost.folder / name).stat().st_ino == inode for name, inode in inodes.items())  # those are not touched
    assert lost.restoring().restore("S1").files == 0


@pytest.mark.parametrize("how", ["edited", "dropped", "truncated"])
def test_what_is_not_what_was_recorded_takes_no_place(lost: Lost, how: str) -> None:
    name = next(name for name in sorted(lost.before) if name.startswith("tracks/"))
    data = bytearray(lost.before[name])
    data[len(data) // 2] ^= 1
    if how == "dropped":
        lost.server.delete(lost.name(name))
    else:
        lost.server.put(lost.name(name), bytes(data) if how == "edited" else bytes(lost.before[name][: len(data) // 2]))
    shutil.rmtree(lost.folder)
    with pytest.raises(Wrong) as raised:
        lost.restoring().restore("S1")
    assert name in [fault.file for fault in raised.value.verdict.faults]
    assert not lost.folder.exists()
    assert lost.aside() == []
    done = lost.restoring().restore("S1", anyway=True)
    assert done.verdict.faults
    assert ((lost.folder / name).exists(), (lost.folder / "journal").exists()) == (how != "dropped", True)


def test_without_its_key_nothing_comes(lost: Lost) -> None:
    shutil.rmtree(lost.folder)
    keys = cabinet(lost.recording.base).keys
    assert keys is not None
    keys.forget("S1")
    told: list[str] = []
    with pytest.raises(ValueError, match="its key is not here"):
        lost.restoring().restore("S1", tell=told.append)
    assert (told, lost.folder.exists(), lost.aside()) == (["journal"], False, [])


def test_names_in_a_bucket_are_anybodys(lost: Lost) -> None:
    for name in (".stored", "reserve", "tracks/0001/.hidden", "tracks/0001/a b.webm", "a/b/c/d/e.webm"):
        lost.server.put(lost.name(name), b"x")
    shutil.rmtree(lost.folder)
    assert lost.restoring().restore("S1").verdict.faults == []
    assert lost.files() == lost.before


def test_a_store_that_fails_in_the_middle_leaves_nothing(lost: Lost, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(lost.folder)
    restoring, read, count = lost.restoring(), lost.server.remote().read, [0]

    def failing(name: str, offset: int, size: int) -> bytes:
        count[0] += 1
        if count[0] == 3:
            raise Refused("The store is gone.")
        return read(name, offset, size)

    monkeypatch.setattr(restoring._store, "read", failing)
    with pytest.raises(Refused, match="The store is gone"):
        restoring.restore("S1")
    assert (lost.folder.exists(), lost.aside()) == (False, [])
    monkeypatch.setattr(restoring._store, "read", lambda name, offset, size: read(name, offset, size)[:-1])
    with pytest.raises(Refused, match=r"^Of journal the store gives \d+ bytes of \d+\.$"):
        restoring.restore("S1")
    monkeypatch.undo()
    assert restoring.restore("S1").verdict.faults == []


@pytest.mark.parametrize(
    ("session", "sentence"),
    [
        ("../S1", "There is no recording with such a name."),
        ("S9", "The store has nothing of such a recording."),
        ("S", "The store has nothing of such a recording."),
    ],
)
def test_what_there_is_not(lost: Lost, session: str, sentence: str) -> None:
    with pytest.raises(ValueError) as raised:
        lost.restoring().restore(session)
    assert str(raised.value) == sentence


def test_a_disk_without_room_is_not_filled(lost: Lost) -> None:
    shutil.rmtree(lost.folder)
    with pytest.raises(ValueError, match=r"^The disk has no room for it: \d+ bytes are needed, 0 are free\.$"):
        lost.restoring(floor=1 << 60).restore("S1")
    assert not lost.folder.exists()


def test_one_that_goes_on_is_left_alone(lost: Lost) -> None:
    (lost.folder / "reserve").touch()
    with pytest.raises(ValueError, match="still goes on"):
        lost.restoring().restore("S1")


async def test_one_that_nobody_ended_is_repaired_as_after_a_crash(tmp_path: Path, data_dir: Path, server: S3) -> None:
    """The machine was lost while it was recorded: what the store has of it is there, signed and readable."""
    server.empty()
    feed, recordings = await SinkFeed(data_dir).start(), tmp_path / "recordings"
    keeping = cabinet(tmp_path)
    async with recorder(data_dir, recordings, checkpoint_seconds=0.1, segment_minutes=0.03, cabinet=keeping) as hub:
        assert hub.link is not None
        hub.link.tell(messages.Record("S1", "R1", "media-0", "会商", {}))
        await feed.opened("S1")
        zero = (await hub.state("S1", "recording")).started_at
        feed.peer("S1", "a", name="甲")
        sender = feed.track("S1", "a", sink_feed.opus())
        for second in range(6):
            await feed.play("S1", [sender], 1.0, zero + second * SECOND)
            await asyncio.sleep(0.15)
        uploader = Uploader(recordings, server.remote(), Policy(), lambda session: True, lambda told: None)
        await asyncio.to_thread(uploader.look, 4e9)
        await hub.stop("S1")
    await feed.stop()
    await asyncio.to_thread(shutil.rmtree, recordings / "S1")
    recording = Recording(tmp_path)

    def restore() -> None:
        def check(source: Source) -> object:
            return verify(source, recording.trusted, (), "S1")

        Restoring(recordings, server.remote(), keeping.keys, check).restore("S1", anyway=True)  # type: ignore[arg-type]

    await asyncio.to_thread(restore)
    assert repair.left_open(recording.folder)
    manifest = await asyncio.to_thread(repair.repair, recording.folder, None, keeping)
    assert manifest is not None
    assert manifest.state == "repaired"
    archive = Archive(recordings, keeping.keys)
    media = [path for path in archive.paths("S1") if path.startswith("tracks/")]
    assert len(media) >= 2
    assert all(archive.read("S1", path, 1 << 24)[:4] == b"\x1aE\xdf\xa3" for path in media)
