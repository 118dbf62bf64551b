"""Films: who is in them, what is heard, and that they are the ones that were exported."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from commhub.archive import Archive
from recorder import exported
from recorder.export.film import Film
from recorder.export.taken import Taken
from recorder.faults import Fault
from recorder.verify import Folder
from tests.support.proofs import Figure
from tests.support.taken import Recording, copied, record, seen


def test_a_clip_has_everybody_in_tiles_with_name_and_watermark(recording: Recording, tmp_path: Path) -> None:
    path, made = recording.make(tmp_path / "x", "film")
    found = seen(path)
    assert (path.name, found.width, found.height) == ("film.mp4", 1280, 720)
    assert found.seconds == pytest.approx(4.0, abs=0.1)
    for luma in found.lumas:
        for left in (0, 640):  # the bar of the test picture moves through both tiles
            assert luma[200:500, left : left + 640].max() > 120
        assert luma[500:530, 0:90].max() > 200  # a name
        assert luma[692:720, 1000:1280].max() > 200  # the time of day
        assert 40 < luma[80:130, 60:640].max() < 160  # the watermark, over what is black
        assert luma[0:60].max() < 40  # and nothing else
    assert made.size == path.stat().st_size


def test_sound_is_where_it_was_and_mixed(recording: Recording, tmp_path: Path) -> None:
    path, _ = recording.make(tmp_path / "x", "film", tracks=["0003", "0004"])
    found = seen(path)
    assert len(found.sound) / found.rate == pytest.approx(4.0, abs=0.1)
    middle = found.sound[found.rate : 2 * found.rate]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)
    assert 0.2 < np.abs(middle).max() <= 1.0


def test_chat_stands_beside_it(recording: Recording, tmp_path: Path) -> None:
    taken = Taken(Archive(recording.base / "recordings"), "S1", 4000, 5000)
    words = {"type": "chat", "identity": "b", "name": "李敏", "text": "泵站已开机 " * 20, "at_ms": 4200, "data": {}}
    taken.document["events"].append(words)
    path = tmp_path / "film.mp4"
    with path.open("xb") as file:
        Film(taken, "speaker", [], True, "陈峰", "2026").write(file, lambda percent: None)
    luma = seen(path).lumas[0]
    assert luma[0:200, 970:1270].max() > 180
    assert luma[300:680, 970:1270].max() < 60


def test_what_is_missing_is_shown_as_missing(recording: Recording, tmp_path: Path) -> None:
    taken = Taken(Archive(recording.base / "recordings"), "S1", 4000, 5000)
    taken.document["gaps"] = [{"track": "0001", "start_ms": 0, "end_ms": 9000, "reason": "link"}]
    for track in taken.document["tracks"]:
        if track["id"] == "0001":
            track["segments"] = []
    path = tmp_path / "film.mp4"
    with path.open("xb") as file:
        Film(taken, "grid", [], False, "", "").write(file, lambda percent: None)
    luma = seen(path).lumas[0]
    assert luma[300:380, 200:440].max() > 180  # the words
    assert luma[200:280, 20:600].max() < 60


def test_a_film_is_the_one_that_was_exported_and_matches_its_sources(recording: Recording, tmp_path: Path) -> None:
    path, _ = recording.make(tmp_path / "x", "film")
    found = exported.check(path, recording.trusted, Folder(recording.folder))
    assert found.compared
    assert found.verdict.faults == []
    assert found.signed is not None
    assert (found.signed.recipe["by"], found.signed.recipe["from_ms"]) == ("陈峰 市城运中心", 4000)


def faults(path: Path, recording: Recording) -> list[tuple[str, str]]:
    return [(fault.kind, fault.file) for fault in exported.check(path, recording.trusted).verdict.faults]


def test_a_film_that_was_changed_is_named(recording: Recording, tmp_path: Path) -> None:
    path, _ = recording.make(tmp_path / "x", "film")
    whole = path.read_bytes()
    end = whole.rindex(exported.MARK) - 8
    for at in (100, end // 2, end - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert faults(path, recording) == [("edited", "film.mp4")], at
    path.write_bytes(whole[: end - 1000] + whole[end:])
    assert faults(path, recording) == [("truncated", "film.mp4")]
    path.write_bytes(whole[:end])
    assert faults(path, recording) == [("unsigned", "film.mp4")]
    path.write_bytes(whole[:end] + b"\0\0\0\x10free12345678" + whole[end:])
    assert faults(path, recording) == [("edited", "film.mp4")]
    path.write_bytes(whole.replace(b'"from_ms": 4000', b'"from_ms": 5000'))
    assert faults(path, recording) == [("edited", "film.mp4")]
    path.write_bytes(whole[:end] + exported.behind(b"{}"))
    assert faults(path, recording) == [("edited", "film.mp4")]


async def test_a_film_of_another_house_is_not_believed(recording: Recording, tmp_path: Path, data_dir: Path) -> None:
    from recorder.keys import Keys

    other = Keys(tmp_path / "other")
    other.current()
    path, _ = recording.make(tmp_path / "x", "film", to_ms=4500)
    verdict = exported.check(path, [other.history[0].key]).verdict
    assert [(fault.kind, fault.file) for fault in verdict.faults] == [("unknown_key", "film.mp4")]


def test_sources_that_were_changed_are_named(recording: Recording, tmp_path: Path) -> None:
    other = copied(recording, tmp_path / "other")
    path, _ = other.make(tmp_path / "x", "film")
    file = other.folder / "tracks" / "0002" / "0002.mp4"
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    file.write_bytes(data)
    verdict = exported.check(path, other.trusted, Folder(other.folder)).verdict
    assert [(fault.kind, fault.file) for fault in verdict.faults] == [("edited", "tracks/0002/0002.mp4")]
    file.unlink()
    verdict = exported.check(path, other.trusted, Folder(other.folder)).verdict
    assert Fault("dropped", "tracks/0002/0002.mp4", 3.0).file in [fault.file for fault in verdict.faults]


def clip(recording: Recording, out: Path) -> float:
    began = time.monotonic()
    path, _ = recording.make(out, "film", from_ms=1000, to_ms=11_000)
    assert exported.check(path, recording.trusted, Folder(recording.folder)).verdict.faults == []
    return time.monotonic() - began


def test_a_clip_of_ten_seconds_of_four_tracks(recording: Recording, tmp_path: Path) -> None:
    clip(recording, tmp_path / "x")


@pytest.mark.prove
async def test_how_long_a_clip_of_ten_seconds_takes(figure: Figure, tmp_path: Path, data_dir: Path) -> None:
    recording = await record(tmp_path / "base", data_dir, size=(1280, 720))
    seconds = min(clip(recording, tmp_path / f"x{n}") for n in range(3))
    assert figure("export: clip of 10 s, 4 tracks (two of 720p), film made and verified", seconds, "s", goal="≤ 5 s")
