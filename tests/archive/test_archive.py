"""A session's files are read by their names, and nothing else of the disk is."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest

from commhub.archive import Archive, SessionKeys

DATA = bytes(range(256)) * 4000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    for name in ("S1/journal", "S1/manifest.json", "S1/reserve", "S1/tracks/0001/0001.webm", "S1/tracks/0001/0002.webm.part"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DATA)
    return folder


def test_read_anywhere(folder: Path) -> None:
    with Archive(folder).open("S1", "tracks/0001/0001.webm") as reader:
        assert reader.size == len(DATA)
        assert reader.read() == DATA
        for offset, count in ((0, 1), (100, 300), (len(DATA) - 5, 50), (len(DATA), 5), (len(DATA) + 9, 5), (7, 0)):
            assert reader.read_at(offset, count) == DATA[offset : offset + count]
    with pytest.raises(OSError, match="descriptor"):
        reader.read_at(0, 1)


def test_as_a_file(folder: Path) -> None:
    with Archive(folder).open("S1", "journal").file() as file:
        assert file.seekable()
        assert file.readable()
        assert not file.writable()
        assert file.read(3) == DATA[:3]
        assert file.seek(-7, os.SEEK_END) == len(DATA) - 7
        assert file.read() == DATA[-7:]
        assert file.seek(1000) == 1000
        assert file.read(70_000) == DATA[1000:71_000]
        with pytest.raises(OSError, match="beginning"):
            file.seek(-1)


def test_by_pyav(folder: Path) -> None:
    path = folder / "S1" / "tracks" / "0002" / "0001.webm"
    path.parent.mkdir()
    with av.open(str(path), "w", format="webm") as out:
        stream = out.add_stream("libopus", rate=48000)
        for _ in range(50):
            frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
            frame.sample_rate = 48000
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with Archive(folder).open("S1", "tracks/0002/0001.webm").file() as file, av.open(file, "r") as found:
        assert found.duration is not None
        assert found.duration > 950_000
        assert sum(frame.samples for frame in found.decode(audio=0)) >= 47_000


def test_by_many_threads_at_once(folder: Path) -> None:
    with Archive(folder).open("S1", "journal") as reader, ThreadPoolExecutor(8) as threads:
        pieces = list(threads.map(lambda at: reader.read_at(at, 777), range(0, len(DATA), 777)))
    assert b"".join(pieces) == DATA


def test_it_is_as_long_as_when_it_was_opened(folder: Path) -> None:
    path = folder / "S1" / "tracks" / "0001" / "0002.webm.part"
    archive = Archive(folder)
    with archive.open("S1", "tracks/0001/0002.webm.part") as reader:
        with path.open("ab") as file:
            file.write(b"more")
        assert reader.read() == DATA
    before = archive.stamp("S1", "tracks/0001/0002.webm.part")
    with path.open("ab") as file:
        file.write(b"more")
    assert archive.stamp("S1", "tracks/0001/0002.webm.part") != before


def test_what_was_being_written_may_be_finished_now(folder: Path) -> None:
    archive = Archive(folder)
    (folder / "S1/tracks/0001/0002.webm.part").rename(folder / "S1/tracks/0001/0002.webm")
    with archive.open("S1", "tracks/0001/0002.webm.part") as reader:
        assert reader.read() == DATA


def test_names(folder: Path) -> None:
    (folder / "S1" / "tracks" / "link.webm").symlink_to(folder / "S1" / "journal")
    (folder / "S1" / "没有.txt").touch()
    (folder / "lost+found").mkdir()
    assert Archive(folder).paths("S1") == [
        "journal", "manifest.json", "reserve", "tracks/0001/0001.webm", "tracks/0001/0002.webm.part",
    ]  # fmt: skip
    assert Archive(folder).sessions() == ["S1"]
    assert Archive(folder).paths("S2") == []
    assert Archive(folder).paths("..") == []
    assert Archive(folder / "nothing").sessions() == []


@pytest.mark.parametrize(
    ("session", "path"),
    [
        ("S1", "../S1/journal"),
        ("..", "secret"),
        ("S1", "/etc/passwd"),
        ("S1", "tracks/0001/link.webm"),
        ("S1", "away/secret"),
        ("S1", "tracks"),
        ("S1", "tracks/0001/pipe"),
        ("S1", ""),
        ("", "journal"),
        ("S1", "journal\n"),
        ("S1", "journal/x"),
        ("S9", "journal"),
        ("S1", "tracks/0001/0001.webm.part.part"),
    ],
)
def test_nothing_else_of_the_disk(folder: Path, session: str, path: str) -> None:
    (folder / "secret").write_text("secret")
    (folder / "S1" / "tracks" / "0001" / "link.webm").symlink_to(folder / "secret")
    (folder / "S1" / "away").symlink_to(folder)
    os.mkfifo(folder / "S1" / "tracks" / "0001" / "pipe")
    with pytest.raises(OSError) as raised:
        Archive(folder).open(session, path)
    # A link in a file's place is refused by the kernel.
    assert isinstance(raised.value, FileNotFoundError) or path.endswith("link.webm")


def test_what_was_made_of_an_encrypted_session_is_encrypted(tmp_path: Path) -> None:
    keys = SessionKeys.of(tmp_path)
    keys.make("S1", "aes-256-gcm")
    archive = Archive(tmp_path / "recordings", keys)
    wrapped = archive.wrap("S1", "0001~1.jpg", b"a picture")
    assert b"picture" not in wrapped
    assert archive.unwrap("S1", "0001~1.jpg", wrapped) == b"a picture"
    assert archive.wrap("S2", "0001~1.jpg", b"a picture") == archive.unwrap("S2", "0001~1.jpg", b"a picture") == b"a picture"
    for session, name, data in (("S1", "other.jpg", wrapped), ("S1", "0001~1.jpg", b"a picture"), ("S2", "0001~1.jpg", wrapped)):
        with pytest.raises(ValueError, match="encrypted"):
            archive.unwrap(session, name, data)
    keys.forget("S1")
    with pytest.raises(ValueError, match="its key is not here"):
        archive.unwrap("S1", "0001~1.jpg", wrapped)


def test_small_files_only(folder: Path) -> None:
    assert Archive(folder).read("S1", "manifest.json", len(DATA)) == DATA
    with pytest.raises(ValueError, match=r"^A file of a recording is larger than the limit\.$"):
        Archive(folder).read("S1", "manifest.json", len(DATA) - 1)
