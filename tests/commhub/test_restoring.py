"""`commhub recordings restore`: what is printed, how it ends, and what it does not bring back."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub import restoring
from commhub.recordings import Witness
from commhub.settings import Settings
from commhub.store import Store, tables
from recorder.keys import Keys
from recorder.uploading import Policy, Uploader
from tests.commhub.test_evidence import made
from tests.support.s3 import BUCKET, KEYS, S3, serving

ONE = "01JD00000000000000000000S1"


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with serving() as server:
        yield server


class Lost:
    def __init__(self, data_dir: Path, server: S3) -> None:
        said = {"endpoint": server.endpoint, "bucket": BUCKET, "prefix": "city/hub", "access_key": KEYS[0],
                "secret_key": KEYS[1], "allow": [f"127.0.0.1:{server.port}"]}  # fmt: skip
        recorder = {"minimum_free_bytes": 0}
        self.settings = Settings.model_validate({"data_dir": data_dir, "recordings_s3": said, "recorder": recorder})
        self.folder = self.settings.recordings_dir / ONE
        self.checkpoints = made(self.folder, Keys(self.settings.evidence_dir))
        for name in ("journal", "manifest.json"):
            os.utime(self.folder / name, (1, 1))
        uploads = Uploader(self.folder.parent, server.remote(), Policy(), lambda session: True, lambda told: None)
        uploads.look(4e9)
        shutil.rmtree(self.folder)

    async def listed(self, state: str = "") -> None:
        """The hub knows it; ``state``: of its keeping."""
        store = Store(self.settings.database_url)
        await store.open()
        witness = Witness(store)
        witness.start()
        for told in self.checkpoints:
            witness.receive(told)
        await witness.close()
        async with store.transaction() as transaction:
            row = {
                "id": ONE, "consultation_id": ONE, "org_id": ONE, "label": "internal", "title": "T", "code": "C", "started_at": 1,
                "duration_ms": 1, "state": "complete", "tracks": 0, "bytes": 0, "people": "[]",
            }  # fmt: skip
            await transaction.insert(tables.recordings, row)
            if state:
                blank = {column.name: "" for column in tables.recording_keeping.columns if column.type.python_type is str}
                numbers = {column.name: 0 for column in tables.recording_keeping.columns if column.type.python_type is int}
                values = {**blank, **numbers, "recording_id": ONE, "state": state, "asked_by": None, "deleted_by": None}
                await transaction.insert(tables.recording_keeping, {**values, "deleted_at": 1_700_000_000_000_000_000})
        await store.close()


@pytest.fixture
def lost(tmp_path: Path, server: S3) -> Lost:
    server.empty()
    return Lost(tmp_path / "data", server)


async def restored(lost: Lost, **more: bool) -> int:
    return await asyncio.to_thread(restoring.restore, ONE, lost.settings, **more)


async def test_brought_back_and_verified_with_what_the_hub_keeps(lost: Lost, capsys: pytest.CaptureFixture[str]) -> None:
    await lost.listed("kept")
    assert await restored(lost) == 0
    said = capsys.readouterr().out
    assert "录制完整 / the recording is whole" in said
    assert "已恢复 / brought back: 2 个文件 / files" in said
    assert restoring.UNKNOWN not in said
    assert (lost.folder / "journal").is_file()
    assert await restored(lost) == 0
    assert "brought back: 0 个文件" in capsys.readouterr().out


async def test_what_was_written_anew_in_the_store_is_named_and_not_put_in_place(
    lost: Lost, server: S3, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same key, even: the hub keeps the heads."""
    await lost.listed()
    made(tmp_path / ONE, Keys(lost.settings.evidence_dir), facts=30)
    for name in ("journal", "manifest.json"):
        server.put(f"city/hub/{ONE}/{name}", (tmp_path / ONE / name).read_bytes())
    assert await restored(lost) == 1
    said = capsys.readouterr()
    assert "录制已被改动" in said.out
    assert "--anyway" in said.err
    assert not lost.folder.exists()
    assert await restored(lost, anyway=True) == 1
    assert (lost.folder / "journal").is_file()


@pytest.mark.parametrize("state", ["deleting", "deleted"])
async def test_what_was_deleted_stays_deleted(lost: Lost, capsys: pytest.CaptureFixture[str], state: str) -> None:
    await lost.listed(state)
    assert await restored(lost, anyway=True) == 2
    assert "已于 2023-11-1" in capsys.readouterr().err
    assert not lost.folder.exists()


async def test_without_a_database_it_comes_and_says_so(lost: Lost, capsys: pytest.CaptureFixture[str]) -> None:
    assert await restored(lost) == 0
    assert restoring.UNKNOWN in capsys.readouterr().out


def test_what_cannot_be_done_is_a_sentence(lost: Lost, capsys: pytest.CaptureFixture[str]) -> None:
    assert restoring.restore(ONE, Settings(data_dir=lost.settings.data_dir)) == 2
    assert restoring.NO_STORE in capsys.readouterr().err
    assert restoring.restore("../x", lost.settings) == 2
    assert "no recording with such a name" in capsys.readouterr().err
    said = lost.settings.recordings_s3.model_copy(update={"allow": []})
    assert restoring.restore(ONE, lost.settings.model_copy(update={"recordings_s3": said})) == 2
    assert "is not allowed" in capsys.readouterr().err


async def test_the_database_is_only_read(lost: Lost) -> None:
    await lost.listed("kept")
    assert await restored(lost) == 0
    store = Store(lost.settings.database_url)
    async with store.reading() as reading:
        assert await reading.value(sa.select(sa.func.count()).select_from(tables.recordings)) == 1
    await store.close()
