"""Exports in the recorder: a queue, a process for each, nothing left of what is stopped."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.archive import of_export
from commhub.archive.sealed import MAGIC
from commhub.media.messages.exports import Export, ExportState
from recorder import exported
from recorder.export import work
from recorder.export.work import Maker
from recorder.exporting import Exporting, Secret, Terms, secrets
from tests.support import until
from tests.support.cabinets import archive as archive_of
from tests.support.cabinets import cabinet as cabinet_of
from tests.support.taken import AT, Recording, record

_MADE: dict[str, Recording] = {}


@pytest.fixture
async def recording(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Recording:
    if "one" not in _MADE:
        _MADE["one"] = await record(tmp_path_factory.mktemp("exporting"), data_dir)
    return _MADE["one"]


class House:
    def __init__(self, recording: Recording, folder: Path, secret: Secret = lambda session: None) -> None:
        self.folder = folder
        self.said: list[ExportState] = []
        self.terms = Terms(folder, recording.base / "recordings", recording.base / "evidence", secret=secret)
        self.exporting = Exporting(self.terms, self.said.append)

    def order(self, export: str, kind: str = "bundle", **more: object) -> None:
        self.exporting.receive(
            Export(export=export, session="S1", kind=kind, from_ms=4000, to_ms=8000, by="陈峰", at=AT, **more)  # type: ignore[arg-type]
        )

    def states(self, export: str) -> list[str]:
        return [state.state for state in self.said if state.export == export]

    async def state(self, export: str, *wanted: str) -> ExportState:
        await until(lambda: any(state.export == export and state.state in wanted for state in self.said), 60)
        return next(state for state in self.said if state.export == export and state.state in wanted)

    def left(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
async def house(recording: Recording, tmp_path: Path) -> AsyncIterator[House]:
    house = House(recording, tmp_path / "exports")
    yield house
    await house.exporting.close()


def children() -> list[int]:
    out = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"recorder.export" in (path / "cmdline").read_bytes():
                out.append(int(path.name))
        except (OSError, ValueError):
            continue
    return out


async def a_child() -> int:
    await until(lambda: bool(children()), 30)
    return children()[0]


async def test_it_is_made_and_proved(house: House, recording: Recording) -> None:
    house.order("X1")
    done = await house.state("X1", "done", "failed")
    assert (done.state, done.file, done.percent, done.began) == ("done", "bundle.zip", 100.0, 1)
    path = house.folder / "X1" / done.file
    assert path.stat().st_size == done.size
    assert exported.check(path, recording.trusted).verdict.faults == []
    assert house.left() == ["X1/bundle.zip", "X1/done.json"]


async def test_several_wait_their_turn(house: House) -> None:
    for export in ("X1", "X2", "X3"):
        house.order(export)
    await asyncio.gather(*(house.state(export, "done") for export in ("X1", "X2", "X3")))
    begun = [state.export for state in house.said if state.state == "running" and state.percent == 0 and state.began == 1]
    assert list(dict.fromkeys(begun)) == ["X1", "X2", "X3"]
    order = [(state.export, state.state) for state in house.said if state.state in ("running", "done")]
    assert order.index(("X1", "done")) < order.index(("X2", "running"))


async def test_the_same_order_again_is_the_same_export(house: House, recording: Recording) -> None:
    house.order("X1")
    house.order("X1")
    await house.state("X1", "done")
    assert house.states("X1").count("done") == 1
    made = (house.folder / "X1" / "bundle.zip").stat().st_mtime_ns
    other = House(recording, house.folder)  # a recorder that was started anew
    try:
        other.order("X1")
        assert (await other.state("X1", "done")).sha256 == next(one for one in house.said if one.state == "done").sha256
        assert (house.folder / "X1" / "bundle.zip").stat().st_mtime_ns == made
    finally:
        await other.exporting.close()


async def test_one_that_is_stopped_leaves_nothing(house: House) -> None:
    house.order("X1", "film")
    house.order("X2")
    child = await a_child()
    await house.exporting.stop("X1")
    assert child not in children()
    await house.state("X2", "done")
    assert not [name for name in house.left() if name.startswith("X1")]
    await house.exporting.stop("X2")
    assert house.left() == []
    await house.exporting.stop("../S1")  # no export's id: nothing happens
    assert house.terms.recordings.is_dir()


async def test_a_process_that_is_killed_is_begun_anew_and_then_given_up(house: House) -> None:
    house.order("X1", "film")
    os.kill(await a_child(), signal.SIGKILL)
    await until(lambda: any(state.began == 2 for state in house.said), 30)
    done = await house.state("X1", "done")
    assert done.began == 2
    house.order("X2", "film")
    for _ in range(2):
        child = await a_child()
        os.kill(child, signal.SIGKILL)
        await until(lambda child=child: child not in children(), 30)  # type: ignore[misc]
    failed = await house.state("X2", "failed", "done")
    assert (failed.state, failed.code) == ("failed", "crashed")
    assert not [name for name in house.left() if name.startswith("X2")]


async def test_a_recorder_that_ends_takes_its_process_along_and_the_next_begins_anew(house: House, recording: Recording) -> None:
    house.order("X1", "film")
    child = await a_child()
    await until(lambda: list((house.folder / "X1").glob("*.part")), 30)
    await house.exporting.close()
    assert child not in children()
    other = House(recording, house.folder)
    try:
        other.order("X1", "film")
        assert (await other.state("X1", "done", "failed")).began == 2
        assert other.left() == ["X1/done.json", "X1/film.mp4"]
    finally:
        await other.exporting.close()


async def test_the_process_ends_with_whoever_began_it() -> None:
    import sys
    from asyncio.subprocess import PIPE

    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "recorder.export", stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 30) != 0


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"limit": 4096}, "too_large"),
        ({"free": 1 << 60}, "disk_full"),
        ({"tracks": ["0009"]}, "empty"),
    ],
)
async def test_what_cannot_be_made_says_why_and_leaves_nothing(house: House, more: dict[str, object], code: str) -> None:
    house.order("X1", "film", **more)
    failed = await house.state("X1", "failed", "done")
    assert (failed.state, failed.code) == ("failed", code)
    assert failed.text_zh
    assert house.left() == []


async def test_of_an_encrypted_recording_it_is_encrypted_and_proved(tmp_path: Path, data_dir: Path) -> None:
    cabinet = cabinet_of(tmp_path / "data")
    recording = await record(tmp_path / "data", data_dir, 4, cabinet=cabinet)
    journal = await asyncio.to_thread((recording.folder / "journal").read_bytes)
    assert b"opened" not in journal
    archive = archive_of(tmp_path / "data")
    house = House(recording, tmp_path / "exports", secrets(cabinet.keys))
    try:
        for kind in ("bundle", "film", "tracks"):
            house.exporting.receive(Export(export=kind, session="S1", kind=kind, from_ms=1000, to_ms=2000, by="陈峰", at=AT))
            done = await house.state(kind, "done", "failed")
            assert (done.state, done.text) == ("done", "")
            path = house.folder / kind / done.file
            assert (await asyncio.to_thread(path.read_bytes))[:8] == MAGIC
            plain = tmp_path / done.file
            with archive.made("S1", of_export(kind, done.file), path) as reader:
                plain.write_bytes(reader.read())
            assert (plain.stat().st_size, hashlib.sha256(plain.read_bytes()).hexdigest()) == (done.size, done.sha256)
            assert exported.check(plain, recording.trusted).verdict.faults == []
        again = House(recording, house.folder, secrets(cabinet.keys))  # a recorder that was started anew
        again.exporting.receive(Export(export="film", session="S1", kind="film", by="陈峰", at=AT))
        assert (await again.state("film", "done")).began == 0
        await again.exporting.close()
        assert cabinet.keys is not None
        cabinet.keys.forget("S1")
        with pytest.raises(ValueError, match="its key is not here"):
            archive.made("S1", of_export("film", "film.mp4"), house.folder / "film" / "film.mp4")
    finally:
        await house.exporting.close()


@pytest.mark.parametrize("kind", ["bundle", "film", "tracks"])
async def test_no_plain_byte_lies_there_while_it_is_made(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Looked at whenever it says how far it is, and whenever it takes something away."""
    if "sealed" not in _MADE:
        _MADE["sealed"] = await record(tmp_path / "data", data_dir, 4, cabinet=cabinet_of(tmp_path / "data"))
    recording, out = _MADE["sealed"], tmp_path / "X1"
    seen: set[str] = set()

    def look(percent: float = 0.0) -> None:
        for path in out.iterdir():
            seen.add(path.name)
            assert MAGIC.startswith(path.read_bytes()[: len(MAGIC)]), path.name

    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        look()
        os.unlink(path)

    monkeypatch.setattr(work, "CHECKED", 0.0)
    monkeypatch.setattr(Path, "unlink", unlink)
    made = Maker(recording.work(out, kind, from_ms=1100, to_ms=2900), look, archive_of(recording.base)).make()
    look()
    assert seen == {made.file, f"{made.file}.part"} | {"film": {"drawn.part"}, "tracks": {"cut.part"}, "bundle": set()}[kind]


async def test_a_recording_that_is_gone_says_so(house: House) -> None:
    house.exporting.receive(Export(export="X1", session="S9", kind="bundle"))
    assert (await house.state("X1", "failed")).code == "gone"


@pytest.mark.parametrize("export", ["../S1", "", "a/b", "x" * 41, "X\n"])
async def test_an_export_with_a_strange_name_is_refused(house: House, export: str) -> None:
    house.order(export)
    assert [(state.state, state.code) for state in house.said] == [("failed", "invalid")]
    assert not house.folder.exists()
