"""Evidence bundles: whole and as clips, verified by what is in them, every change named."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from recorder import exported
from recorder.bundles import Bundle
from recorder.faults import Verdict
from recorder.verify import Folder, verify
from tests.support.taken import Recording, copied

Members = dict[str, bytes]


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as zip:
        return {name: zip.read(name) for name in zip.namelist()}


def write(path: Path, found: Members) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as zip:
        for name, data in found.items():
            zip.writestr(name, data)
    return path


def check(path: Path, recording: Recording) -> Verdict:
    return exported.check(path, recording.trusted).verdict


def named(path: Path, recording: Recording) -> list[tuple[str, str]]:
    return [(fault.kind, fault.file) for fault in check(path, recording).faults]


def test_a_clip_has_whole_files_that_overlap_and_the_whole_journal(recording: Recording, tmp_path: Path) -> None:
    path, _ = recording.make(tmp_path / "x", "bundle")
    found = members(path)
    media = {name for name in found if name.startswith("tracks/")}
    assert 0 < len(media) < len(list(recording.folder.glob("tracks/*/*")))
    assert all(found[name] == (recording.folder / name).read_bytes() for name in {*media, "journal", "manifest.json"})
    verdict = check(path, recording)
    assert (verdict.faults, verdict.files, verdict.session) == ([], len(media), "S1")


def test_a_bundle_of_everything_unpacked_is_the_recording(recording: Recording, tmp_path: Path) -> None:
    path, _ = recording.make(tmp_path / "x", "bundle", from_ms=0, to_ms=0)
    assert check(path, recording).faults == []
    with zipfile.ZipFile(path) as zip:
        zip.extractall(tmp_path / "unpacked")
    assert verify(Folder(tmp_path / "unpacked"), recording.trusted).faults == []


def test_its_own_verifier_needs_nothing_of_this_project(recording: Recording, tmp_path: Path) -> None:
    path, _ = recording.make(tmp_path / "x", "bundle")
    alone = tmp_path / "verify.pyz"
    alone.write_bytes(members(path)["verify.pyz"])
    command = [sys.executable, "-I", str(alone), str(path), "--keys", str(recording.history)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "导出完整" in ended.stdout
    with zipfile.ZipFile(alone) as zip:
        mine = {name for name in zip.namelist() if not name.startswith(("commhub/", "recorder/"))}
    assert mine == {"__main__.py"}
    changed = members(path)
    changed["report.html"] += b" "
    ended = subprocess.run(
        [*command[:3], str(write(tmp_path / "y.zip", changed)), *command[4:]], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (ended.returncode, "report.html：" in ended.stdout) == (1, True)


def test_report_and_player_hold_no_word_as_markup(recording: Recording, tmp_path: Path) -> None:
    path, _ = recording.make(tmp_path / "x", "bundle")
    found = members(path)
    for name in ("report.html", "index.html"):
        assert b"<script>alert" not in found[name], name
    assert b"</script>" not in found["data.js"]
    data = json.loads(found["data.js"].decode().removeprefix("window.RECORDING = ").removesuffix(";\n"))
    assert data["tracks"][0]["name"] == "王建国</script>"
    assert b"http" not in found["index.html"].replace(b"http-equiv", b"")
    report = found["report.html"].decode()
    for word in ("李敏", "王建国&lt;/script&gt;", "陈峰 市城运中心", "如何核验", "0:00:04.0 – 0:00:08.0"):
        assert word in report
    assert "-1:59" not in report
    assert all(name.isascii() and ".." not in name and not name.startswith("/") for name in found)


def _edit(name: str, at: float = 0.6) -> Callable[[Members], None]:
    def change(found: Members) -> None:
        data = bytearray(found[name])
        data[int(len(data) * at)] ^= 0x10
        found[name] = bytes(data)

    return change


CHANGES: dict[str, tuple[Callable[[Members], object], str, str]] = {
    "media": (_edit("tracks/0001/0002.webm"), "edited", "tracks/0001/0002.webm"),
    "journal": (_edit("journal"), "edited", "journal"),
    "manifest": (_edit("manifest.json"), "replaced", "manifest.json"),
    "player": (_edit("index.html"), "edited", "index.html"),
    "what the player shows": (_edit("data.js"), "edited", "data.js"),
    "verifier": (_edit("verify.pyz"), "edited", "verify.pyz"),
    "keys": (_edit("keys/history.json"), "edited", "keys/history.json"),
    "recipe": (lambda m: m.update({"export.json": m["export.json"].replace(b"8000", b"9000")}), "edited", "export.json"),
    "a file dropped": (lambda m: m.pop("tracks/0003/0002.webm"), "dropped", "tracks/0003/0002.webm"),
    "report dropped": (lambda m: m.pop("report.html"), "dropped", "report.html"),
    "recipe dropped": (lambda m: m.pop("export.json"), "dropped", "tracks/0001/0001.webm"),
    "a file added": (lambda m: m.update({"tracks/0001/0099.webm": b"x"}), "added", "tracks/0001/0099.webm"),
    "a note added": (lambda m: m.update({"note.txt": b"x"}), "added", "note.txt"),
    "media cut": (lambda m: m.update({"tracks/0004/0002.webm": m["tracks/0004/0002.webm"][:-900]}), "truncated",
                  "tracks/0004/0002.webm"),
    "journal cut": (lambda m: m.update({"journal": m["journal"][: len(m["journal"]) // 2]}), "truncated", "journal"),
    "files exchanged": (
        lambda m: m.update({"tracks/0001/0002.webm": m["tracks/0003/0002.webm"],
                            "tracks/0003/0002.webm": m["tracks/0001/0002.webm"]}),
        "reordered", "tracks/0001/0002.webm",
    ),
    "pages exchanged": (
        lambda m: m.update({"report.html": m["index.html"], "index.html": m["report.html"]}), "reordered", "report.html",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_named(recording: Recording, tmp_path: Path, change: str) -> None:
    path, _ = recording.make(tmp_path / "x", "bundle")
    found = members(path)
    act, kind, file = CHANGES[change]
    act(found)
    assert (kind, file) in named(write(tmp_path / "y.zip", found), recording)


@pytest.mark.parametrize("kind", ["bundle", "tracks"])
def test_a_bit_of_the_zip_itself_is_named_by_the_file_it_is_in(recording: Recording, tmp_path: Path, kind: str) -> None:
    path, _ = recording.make(tmp_path / "x", kind)
    data, chance = path.read_bytes(), random.Random(7)
    with zipfile.ZipFile(path) as zip:
        infos = zip.infolist()
    for info in infos:
        begin = info.header_offset + 30 + len(info.filename)
        at = begin + chance.randrange(20, max(21, info.compress_size))
        changed = tmp_path / "y.zip"
        changed.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        try:
            found = named(changed, recording)
        except ValueError:
            continue  # of the extra field: nothing of it can be read
        assert info.filename in [file for _, file in found], (info.filename, at)


def test_two_files_of_one_name_are_named(recording: Recording, tmp_path: Path) -> None:
    path, _ = recording.make(tmp_path / "x", "bundle")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as zip:
        zip.writestr("report.html", members(path)["report.html"])
    assert ("added", "report.html") in named(path, recording)


def test_what_is_no_zip_is_refused_with_a_sentence(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK\3\4 nothing")
    with pytest.raises(ValueError, match=r"^The bundle is no zip\.$"):
        check(path, recording)
    write(path, {"export.json": b"[]", "journal": b""})
    assert named(path, recording) == [("edited", "export.json")]


def test_a_zip_bomb_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recorder import bundles

    monkeypatch.setattr(bundles, "LIMIT", 1 << 16)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zip:
        zip.writestr("journal", bytes(10 << 20))
    path = tmp_path / "x.zip"
    path.write_bytes(out.getvalue())
    with pytest.raises(ValueError, match=r"^A file of the bundle is larger than the limit\.$"), Bundle(path).read("journal"):
        pass


def test_tracks_are_cut_at_key_frames_and_prove_what_they_are(recording: Recording, tmp_path: Path) -> None:
    import av

    path, _ = recording.make(tmp_path / "x", "tracks", from_ms=4100, to_ms=6900)
    assert check(path, recording).faults == []
    found = exported.check(path, recording.trusted, Folder(recording.folder))
    assert found.compared
    assert found.verdict.faults == []
    contents = json.loads(members(path)["contents.json"])
    assert [one["track"] for one in contents["tracks"]] == ["0001", "0002", "0003", "0004"]
    for track in contents["tracks"]:
        assert track["files"][0]["start_ms"] <= 4100 + 60
        assert track["files"][-1]["end_ms"] >= 6850
        for file in track["files"]:
            with av.open(io.BytesIO(members(path)[file["file"]]), "r") as media:
                stream = media.streams[0]
                first = next(packet for packet in media.demux(stream) if packet.size)
                assert first.is_keyframe
                media.seek(0)
                assert len(list(media.decode(stream))) > 5


def test_a_tampered_copy_makes_a_bundle_that_says_so(recording: Recording, tmp_path: Path) -> None:
    other = copied(recording, tmp_path / "other")
    file = other.folder / "tracks" / "0001" / "0002.webm"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    path, _ = other.make(tmp_path / "x", "bundle")
    assert ("edited", "tracks/0001/0002.webm") in named(path, other)
