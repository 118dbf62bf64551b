"""What is made of a session is written at any place, and read as it was written: encrypted, if the session is."""

from __future__ import annotations

import errno
import io
import os
import random
from pathlib import Path

import pytest

from commhub.archive import Archive, SessionKeys, of_export
from commhub.archive.sealed import LIMIT, MAGIC

NAME = of_export("X1", "film.mp4")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    keys = SessionKeys.of(tmp_path)
    keys.make("S1", "aes-256-gcm")
    keys.make("S2", "sm4-gcm")
    return Archive(tmp_path / "recordings", keys)


def read(archive: Archive, session: str, path: Path, name: str = NAME) -> bytes:
    with archive.made(session, name, path) as reader:
        return reader.read()


@pytest.mark.parametrize("session", ["S1", "S2", "plain"])
@pytest.mark.parametrize("seed", range(4))
def test_written_at_any_place(archive: Archive, tmp_path: Path, session: str, seed: int) -> None:
    chance, model, path = random.Random(seed), io.BytesIO(), tmp_path / "draft"
    with archive.draft(session, NAME, path) as file:
        for _ in range(chance.randrange(1, 30)):
            size = len(model.getvalue())
            if chance.random() < 0.4:
                at = chance.choice([0, size, chance.randrange(size + 1), max(0, size - 40)])
                assert file.seek(at) == model.seek(at)
            data = chance.randbytes(chance.choice([0, 1, 8, 300, 70_000, LIMIT, 3 * LIMIT + 5]))
            file.write(data)
            model.write(data)
            assert file.tell() == model.tell()
    said = model.getvalue()
    assert read(archive, session, path) == said
    with archive.made(session, NAME, path) as reader:
        assert reader.size == len(said)
        for _ in range(12):
            at, count = chance.randrange(len(said) + 1), chance.randrange(1, 2 * LIMIT)
            assert reader.read_at(at, count) == said[at : at + count]


def test_nothing_plain_lies_there_whenever_one_looks(archive: Archive, tmp_path: Path) -> None:
    path, words = tmp_path / "draft", b"what somebody said " * 40_000
    with archive.draft("S1", NAME, path) as file:
        for at in range(0, len(words), 50_000):
            file.write(words[at : at + 50_000])
            lies = path.read_bytes()
            assert MAGIC.startswith(lies[: len(MAGIC)])
            assert b"somebody" not in lies
        file.seek(0)
        file.write(b"another beginning")
    assert b"somebody" not in path.read_bytes()
    assert b"beginning" not in path.read_bytes()


def test_without_its_end_it_is_none(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "draft"
    with archive.draft("S1", NAME, path) as file:
        file.write(bytes(3 * LIMIT))
    whole = path.read_bytes()
    for cut in (*range(1, 60), LIMIT, 2 * LIMIT, len(whole) - 20, len(whole)):
        path.write_bytes(whole[:-cut])
        with pytest.raises(ValueError, match=r"^An? .*encrypted.*\.$"):
            read(archive, "S1", path)


def test_it_is_its_sessions_and_its_exports(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "draft"
    with archive.draft("S1", NAME, path) as file:
        file.write(b"film")
    with pytest.raises(ValueError, match="is in another one's place"):
        read(archive, "S1", path, of_export("X2", "film.mp4"))
    with pytest.raises(ValueError, match="not what was written"):
        read(archive, "S2", path)
    with pytest.raises(ValueError, match="its key is not here"):
        read(archive, "plain", path)
    SessionKeys.of(tmp_path).forget("S1")
    assert not archive.encrypts("S1")
    with pytest.raises(ValueError, match="its key is not here"):
        read(archive, "S1", path)


def test_what_is_plain_is_not_taken_for_it(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "draft"
    path.write_bytes(bytes(5000))
    with pytest.raises(ValueError, match="is not encrypted"):
        read(archive, "S1", path)
    assert read(archive, "plain", path) == bytes(5000)


def test_bounds(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with archive.draft("S1", NAME, tmp_path / "one") as file:
        file.write(b"x")
        with pytest.raises(OSError, match="before its beginning"):
            file.seek(-1)
    holed = archive.draft("S1", NAME, tmp_path / "two")
    holed.seek(10)
    holed.write(b"x")
    with pytest.raises(OSError, match="has no holes"):
        holed.close()
    monkeypatch.setattr("commhub.archive.writing._PATCHES", 100)
    patched = archive.draft("S1", NAME, tmp_path / "three")
    patched.write(bytes(3 * LIMIT))
    patched.seek(0)
    patched.write(bytes(101))
    with pytest.raises(OSError) as raised:
        patched.close()
    assert raised.value.errno == errno.EFBIG
    with pytest.raises(FileExistsError):
        archive.draft("S1", NAME, tmp_path / "one")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
def test_a_disk_that_takes_nothing_is_said(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def full(path: Path, mode: str = "r", *more: object) -> object:
        return opened(Path("/dev/full"), "r+b", 0) if mode == "xb" else opened(path, mode)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError) as raised, archive.draft("S1", NAME, tmp_path / "draft") as file:
        file.write(bytes(LIMIT))
    assert raised.value.errno == errno.ENOSPC
