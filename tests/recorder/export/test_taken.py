"""What is taken out of recordings that lie in an S3 store only, and of those that still run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commhub.archive import Archive, s3
from commhub.archive.placed import Refused
from commhub.media import messages
from commhub.media.messages.exports import Export, ExportState
from recorder import exported
from recorder.export.taken import Taken, Trouble, clock
from recorder.export.work import Maker
from recorder.exporting import Exporting, Terms, secrets
from recorder.stored import Stored
from recorder.uploading import Policy, Uploader
from tests.support import sink_feed, until
from tests.support.cabinets import archive as archive_of
from tests.support.cabinets import cabinet
from tests.support.hub_of_recorder import recorder
from tests.support.s3 import S3, serving
from tests.support.sink_feed import SECOND, SinkFeed
from tests.support.taken import AT, Recording, copied, record

KINDS = ("film", "tracks", "bundle")


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with serving() as server:
        yield server


_AWAY: dict[str, Recording] = {}


@pytest.fixture
async def away(tmp_path_factory: pytest.TempPathFactory, data_dir: Path, server: S3) -> Recording:
    """Encrypted; its media lie in the store only."""
    if "one" not in _AWAY:
        base = tmp_path_factory.mktemp("away")
        made = await record(base, data_dir, 6, cabinet=cabinet(base))
        for name in ("journal", "manifest.json"):
            os.utime(made.folder / name, (1, 1))
        uploader = Uploader(base / "recordings", server.remote(), Policy(0.0), lambda session: True, lambda told: None)
        await asyncio.to_thread(uploader.look, 4e9)
        assert not list(made.folder.glob("tracks/*/*"))
        _AWAY["one"] = made
    return _AWAY["one"]


def work(recording: Recording, server: S3, out: Path, kind: str) -> Any:
    """As the recorder tells its process."""
    key = cabinet(recording.base).keys
    found = key.find("S1") if key is not None else None
    assert found is not None
    store = msgspec.to_builtins(server.terms())
    made = recording.work(out, kind, from_ms=1500, to_ms=4500)
    return msgspec.structs.replace(made, store=store, secret=(found.algorithm, found.data.hex()))


def plain(recording: Recording, made: Path, to: Path) -> Path:
    with archive_of(recording.base).made("S1", f"exports/X1/{made.name}", made) as reader:
        to.write_bytes(reader.read())
    return to


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_in_the_store_only(away: Recording, server: S3, tmp_path: Path, kind: str) -> None:
    made = Maker(work(away, server, tmp_path / "x", kind), lambda percent: None).make()
    path = plain(away, tmp_path / "x" / made.file, tmp_path / made.file)
    archive = Archive(away.base / "recordings", cabinet(away.base).keys, server.remote())
    found = exported.check(path, away.trusted, Stored(archive, "S1"))
    assert (found.compared, found.verdict.faults) == (True, [])
    assert (made.text, made.size) == ("", path.stat().st_size)


async def test_the_recorders_own_process_reads_there_too(away: Recording, server: S3, tmp_path: Path) -> None:
    """Within its bounds, with the one key it gets, through a gate of its own."""
    said: list[ExportState] = []
    terms = Terms(
        tmp_path, away.base / "recordings", away.base / "evidence", secret=secrets(cabinet(away.base).keys), store=server.terms()
    )
    exporting = Exporting(terms, said.append)
    try:
        exporting.receive(Export(export="X1", session="S1", kind="film", from_ms=2000, to_ms=3000, by="陈峰", at=AT))
        await until(lambda: bool(said) and said[-1].state in ("done", "failed"), 120)
    finally:
        await exporting.close()
    assert (said[-1].state, said[-1].code) == ("done", "")
    path = plain(away, tmp_path / "X1" / "film.mp4", tmp_path / "film.mp4")
    assert exported.check(path, away.trusted).verdict.faults == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_fails_in_the_middle_makes_no_export_with_holes(
    away: Recording, server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It comes back later; what was to be read meanwhile would be missing, and nobody would know."""
    read, asked = s3.Remote.read, [0]

    def failing(remote: s3.Remote, name: str, offset: int, count: int) -> bytes:
        asked[0] += 1
        if asked[0] == 2:
            raise Refused("The store is being served.")
        return read(remote, name, offset, count)

    monkeypatch.setattr(s3.Remote, "read", failing)
    with pytest.raises(Trouble) as raised:
        Maker(work(away, server, tmp_path / "x", kind), lambda percent: None).make()
    assert raised.value.code == "unreadable"
    assert raised.value.text.startswith("tracks/")
    assert "The store is being served. Ask again when it can." in raised.value.text
    assert "恢复后可重新申请" in raised.value.text_zh
    assert list((tmp_path / "x").iterdir()) == []
    Maker(work(away, server, tmp_path / "x", kind), lambda percent: None).make()


def test_a_store_that_is_not_there_is_named(away: Recording, tmp_path: Path) -> None:
    nowhere = S3()
    with pytest.raises(Trouble) as raised:
        Maker(work(away, nowhere, tmp_path / "x", "tracks"), lambda percent: None).make()
    assert raised.value.code == "unreadable"
    assert "None" not in raised.value.text
    forbidden = work(away, nowhere, tmp_path / "x", "film")
    terms = {**forbidden.store, "allow": []}
    with pytest.raises(Trouble, match="is not allowed"):
        Maker(msgspec.structs.replace(forbidden, store=terms), lambda percent: None).make()


def test_a_changed_byte_is_said_and_nothing_is_made(recording: Recording, tmp_path: Path) -> None:
    other = copied(recording, tmp_path / "other")
    (other.folder / "tracks" / "0001" / "0002.webm").unlink()
    with pytest.raises(Trouble, match=r"^tracks/0001/0002\.webm of the recording cannot be read: "):
        other.make(tmp_path / "x", "film")
    assert list((tmp_path / "x").iterdir()) == []


def test_a_time_after_the_end_is_said(recording: Recording, tmp_path: Path) -> None:
    taken = Taken(Archive(recording.base / "recordings"), "S1")
    with pytest.raises(Trouble) as raised:
        recording.make(tmp_path / "x", "film", from_ms=taken.to_ms + 60_000, to_ms=taken.to_ms + 70_000)
    assert (raised.value.code, clock(taken.to_ms) in raised.value.text) == ("beyond", True)
    _, made = recording.make(tmp_path / "x", "tracks", from_ms=taken.to_ms - 3000, to_ms=taken.to_ms + 60_000)
    assert made.text == f"It ends at {clock(taken.to_ms)}, as the recording does."
    _, made = recording.make(tmp_path / "x", "tracks", from_ms=taken.to_ms - 3000, to_ms=taken.to_ms + 500)
    assert made.text == ""


async def test_of_one_that_runs_what_is_signed_until_now(tmp_path: Path, data_dir: Path) -> None:
    feed = await SinkFeed(data_dir).start()
    recording = Recording(tmp_path)
    async with recorder(
        data_dir, tmp_path / "recordings", checkpoint_seconds=0.2, segment_minutes=0.05, cabinet=cabinet(tmp_path)
    ) as hub:
        assert hub.link is not None
        hub.link.tell(messages.Record("S1", "R1", "media-0", "会商", {}))
        await feed.opened("S1")
        zero = (await hub.state("S1", "recording")).started_at
        feed.peer("S1", "a", name="甲")
        senders = [feed.track("S1", "a", clip) for clip in (sink_feed.video(sink_feed.VP8, 320, 180), sink_feed.opus())]
        for second in range(5):
            await feed.play("S1", senders, 1.0, zero + second * SECOND)
            await asyncio.sleep(1)

        def make(kind: str, from_ms: int, to_ms: int) -> tuple[Path, Any]:
            out = tmp_path / f"{kind}-{to_ms}"
            order = recording.work(out, kind, from_ms=from_ms, to_ms=to_ms)
            made = Maker(order, lambda percent: None, archive_of(tmp_path)).make()
            return plain(recording, out / made.file, tmp_path / f"{out.name}-{made.file}"), made

        for kind in KINDS:
            path, made = await asyncio.to_thread(make, kind, 500, 3000)
            assert (made.text, exported.check(path, recording.trusted).verdict.faults) == ("", [])
            path, made = await asyncio.to_thread(make, kind, 500, 600_000)
            assert made.text.endswith("the recording still runs.")
            assert made.text_zh.startswith("录制仍在进行")
            assert exported.check(path, recording.trusted).verdict.faults == []
        with pytest.raises(Trouble) as raised:
            await asyncio.to_thread(make, "tracks", 600_000, 700_000)
        assert raised.value.code == "not_yet"
        assert "目前可导出到 0:00:" in raised.value.text_zh
        await hub.stop("S1")
    await feed.stop()
