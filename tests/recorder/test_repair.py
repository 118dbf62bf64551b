"""Recordings that nobody closed: torn anywhere, they are whole again at the next start."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
from pathlib import Path

import pytest

from commhub.wire import journal
from recorder.keys import Keys
from recorder.manifest import Manifest
from recorder.notary import Evidence
from recorder.repair import repair, survey
from recorder.verify import Folder, verify
from recorder.whole import final_name
from tests.support import sink_feed, until
from tests.support.hub_of_recorder import recorder
from tests.support.media_files import read
from tests.support.sink_feed import SECOND, SinkFeed


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
async def torn(kept: Path, data_dir: Path, tmp_path: Path) -> Path:
    """A folder of recordings as a killed recorder leaves it: S1 with three tracks of 5.3 s. Made once."""
    if not (kept / "S1").exists():
        feed = await SinkFeed(data_dir).start()
        async with recorder(data_dir, data_dir / "recordings") as hub:
            await hub.record()
            await feed.opened("S1")
            zero = (await hub.state("S1", "recording")).started_at
            feed.peer("S1", "a", name="甲")
            clips = [sink_feed.video(sink_feed.VP8), sink_feed.video(sink_feed.H264), sink_feed.opus()]
            senders = [feed.track("S1", who, clip) for who, clip in zip(("a", "b", "a"), clips, strict=True)]
            await feed.play("S1", senders, 5.3, zero)
            parts = hub.folder / "S1" / "tracks"
            await until(lambda: sum(path.stat().st_size > 10_000 for path in parts.glob("*/*.part")) == 3)
            await until(lambda: (hub.folder / "S1" / "reserve").exists())
            await until(lambda: told(hub.folder / "S1") == 3)
            shutil.copytree(hub.folder, kept, dirs_exist_ok=True)
        await feed.stop()
    folder = tmp_path / "recordings"
    shutil.copytree(kept, folder)
    return folder


def told(folder: Path) -> int:
    """How many tracks the journal on disk knows."""
    found = Manifest()
    for record in journal.scan((folder / "journal").read_bytes()).records if (folder / "journal").exists() else ():
        found.apply(record)
    return len(found.document(0)["tracks"])


def whole(folder: Path, manifest: Manifest | None) -> dict[str, float]:
    """Seconds per track; every file can be played and the manifest on disk says what is there."""
    assert manifest is not None
    written = json.loads((folder / "manifest.json").read_bytes())
    assert written == json.loads(json.dumps(manifest.document(manifest.ended_at)))
    assert written["state"] == "repaired"
    assert not (folder / "reserve").exists()
    out: dict[str, float] = {}
    for track in written["tracks"]:
        for segment in track["segments"]:
            media = read(folder / "tracks" / track["id"] / segment["file"])
            assert media.duration == pytest.approx(segment["duration_ms"] / 1000, abs=0.1)
            out[track["id"]] = out.get(track["id"], 0.0) + media.length
            assert segment["start_ms"] + segment["duration_ms"] <= written["duration_ms"] + 50
    # The journal alone tells the same.
    again = Manifest()
    for record in journal.scan((folder / "journal").read_bytes()).records:
        again.apply(record)
    assert again.document(again.ended_at) == manifest.document(manifest.ended_at)
    return out


def test_as_a_kill_leaves_it(torn: Path) -> None:
    closed, broken = survey(torn)
    assert (closed, [path.name for path in broken]) == ([], ["S1"])
    seconds = whole(torn / "S1", repair(torn / "S1"))
    assert len(seconds) == 3
    assert min(seconds.values()) > 4.3
    (state,) = survey(torn)[0]
    assert (state.session, state.state, state.tracks, state.people) == ("S1", "repaired", 3, ["甲"])


@pytest.mark.parametrize("seed", range(25))
def test_torn_anywhere(torn: Path, seed: int) -> None:
    """As a power failure leaves it: every file ends somewhere, or in zeros."""
    dice = random.Random(seed)
    folder = torn / "S1"
    paths = [folder / "journal", *sorted((folder / "tracks").glob("*/*.part"))]
    cut = {}
    for path in paths:
        size = path.stat().st_size
        floor = 0 if path.name != "journal" else size // 2
        cut[path.parent.name] = dice.randint(floor, size)
        if dice.random() < 0.7:
            os.truncate(path, cut[path.parent.name])
        if dice.random() < 0.3:
            os.truncate(path, path.stat().st_size + dice.randrange(20, 10_000))
    if dice.random() < 0.5:
        (folder / "manifest.json").write_bytes(b'{"state": "compl'[: dice.randrange(16)])
    before = (folder / "journal").read_bytes()
    manifest = repair(folder)
    whole(folder, manifest)
    after = (folder / "journal").read_bytes()
    records, kept = journal.scan(after).records, journal.scan(before).records
    assert journal.scan(after).damaged == 0
    assert records[: len(kept)] == kept
    assert [record["type"] for record in records[-2:]] == ["recovered", "closed"]
    # Once is enough.
    assert survey(torn)[1] == []
    repair(folder)
    assert (folder / "journal").read_bytes() == after


def test_what_was_renamed_but_not_journalled_counts(torn: Path) -> None:
    path = next((torn / "S1" / "tracks" / "0003").glob("*.part"))
    path.rename(path.with_name(path.name.removesuffix(".part")))
    assert len(whole(torn / "S1", repair(torn / "S1"))) == 3


def test_what_the_journal_does_not_know_is_kept_aside(torn: Path) -> None:
    stray = torn / "S1" / "tracks" / "0001" / "0009.webm.part"
    shutil.copy(next((torn / "S1" / "tracks" / "0001").glob("*.part")), stray)
    empty = torn / "S1" / "tracks" / "0002" / "0007.mp4.part"
    empty.touch()
    manifest = repair(torn / "S1")
    assert len(whole(torn / "S1", manifest)) == 3
    assert stray.with_name("0009.webm").exists()
    assert empty.exists()
    assert manifest is not None
    (recovered,) = [one for one in manifest.document(0)["events"] if one["type"] == "recovered"]
    assert recovered["data"]["orphans"] == ["0009.webm.part"]


def test_a_file_that_was_only_begun_is_left_and_known(torn: Path) -> None:
    part = next((torn / "S1" / "tracks" / "0003").glob("*.part"))
    os.truncate(part, 60)
    manifest = repair(torn / "S1")
    assert manifest is not None
    (recovered,) = [one for one in manifest.document(0)["events"] if one["type"] == "recovered"]
    assert recovered["data"]["orphans"] == [part.name]  # or it would look as if somebody had added it
    assert part.stat().st_size == 60


def test_a_link_in_place_of_a_file_is_not_followed(torn: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.webm"
    path = next((torn / "S1" / "tracks" / "0001").glob("*.part"))
    shutil.move(path, outside)
    before = outside.read_bytes()
    path.symlink_to(outside)
    repair(torn / "S1")
    assert outside.read_bytes() == before


def test_folders_that_are_no_recordings_are_left_alone(torn: Path) -> None:
    (torn / "lost+found").mkdir()
    (torn / "S2").mkdir()
    (torn / "S2" / "journal").write_bytes(b"")
    shutil.copytree(torn / "S1", torn / "S3")  # its journal says S1
    (torn / "S4").symlink_to(torn / "S1")
    broken = survey(torn)[1]
    assert [path.name for path in broken] == ["S1", "S2", "S3"]
    assert [repair(path) is None for path in broken] == [False, True, True]
    assert survey(torn / "nothing") == ([], [])


async def test_the_hub_hears_of_it_and_may_let_it_go_on(torn: Path, data_dir: Path) -> None:
    feed = await SinkFeed(data_dir).start()
    async with recorder(data_dir, torn) as hub:
        assert (hub.states["S1"].state, hub.states["S1"].tracks) == ("repaired", 3)
        zero = hub.states["S1"].started_at
        await hub.record()
        await feed.opened("S1")
        assert (await hub.state("S1", "recording")).started_at == zero
        feed.peer("S1", "a", name="甲")
        sender = feed.track("S1", "a", sink_feed.opus())
        now = zero + 9 * SECOND
        await feed.play("S1", [sender], 2.0, now)
        assert (await hub.stop()).state == "complete"
        found = hub.manifest()
        (track,) = [one for one in found["tracks"] if one["kind"] == "audio"]
        assert [one["file"] for one in track["segments"]] == ["0001.webm", "0002.webm"]
        assert track["segments"][1]["start_ms"] == pytest.approx((now - zero) // 1_000_000, abs=40)
        (gap,) = [one for one in found["gaps"] if one["track"] == track["id"]]
        assert (gap["reason"], gap["end_ms"]) == ("recorder", track["segments"][1]["start_ms"])
        assert gap["start_ms"] == pytest.approx(track["segments"][0]["duration_ms"], abs=40)
        assert [one["type"] for one in found["events"] if one["type"] in ("recovered", "continued")] == ["recovered", "continued"]
    await feed.stop()


async def test_what_is_left_open_later_is_repaired_too(torn: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brought back from elsewhere while the recorder runs; what holds no recording is looked at once."""
    monkeypatch.setattr("recorder.recorder.LOOK", 0.05)
    folder = data_dir / "recordings"
    async with recorder(data_dir, folder) as hub:
        (folder / "S7").mkdir()
        (folder / "S7" / "journal").write_bytes(b"nothing")
        shutil.copytree(torn / "S1", folder / "S1")
        state = await hub.state("S1", "repaired")
        assert state.tracks == 3
        assert not (folder / "S1" / "reserve").exists()
        # A recording that runs is left alone.
        await hub.record("S2")
        await hub.state("S2", "recording")
        await asyncio.sleep(0.3)
        assert hub.states["S2"].state == "recording"
        assert (folder / "S2" / "reserve").exists()


async def test_repaired_is_proved(data_dir: Path, tmp_path: Path) -> None:
    """What was signed before the end that nobody wrote still counts; what was lost is no change, what was changed is."""
    made = data_dir / "recordings"
    feed = await SinkFeed(data_dir).start()
    async with recorder(data_dir, made, checkpoint_seconds=0.1) as hub:
        await hub.record()
        await feed.opened("S1")
        zero = (await hub.state("S1", "recording")).started_at
        feed.peer("S1", "a", name="甲")
        senders = [feed.track("S1", "a", sink_feed.video(sink_feed.VP8)), feed.track("S1", "a", sink_feed.opus())]
        await feed.play("S1", senders, 6.0, zero)
        await until(lambda: sum(path.stat().st_size for path in (made / "S1" / "tracks").glob("*/*.part")) > 50_000)
        await until(lambda: hub.checkpoints and hub.checkpoints[-1].number > 3)
        shutil.copytree(made / "S1", tmp_path / "S1")
    await feed.stop()
    keys = Keys(data_dir / "evidence")
    trusted = [keys.current().public]
    folder = tmp_path / "S1"
    part = next((folder / "tracks" / "0002").glob("*.part"))
    os.truncate(part, part.stat().st_size * 2 // 3)  # the page cache was lost
    spoilt = next((folder / "tracks" / "0001").glob("*.part"))
    assert repair(folder, Evidence(keys)) is not None
    assert verify(Folder(folder), trusted, session="S1").faults == []
    path = final_name(spoilt)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    (fault,) = verify(Folder(folder), trusted).faults
    assert (fault.kind, fault.file) == ("edited", "tracks/0001/0001.webm")


async def test_what_goes_on_after_a_repair_is_one_chain(data_dir: Path, tmp_path: Path) -> None:
    made, again = data_dir / "recordings", data_dir / "again"
    feed = await SinkFeed(data_dir).start()
    async with recorder(data_dir, made, checkpoint_seconds=0.1) as hub:
        await hub.record()
        await feed.opened("S1")
        zero = (await hub.state("S1", "recording")).started_at
        feed.peer("S1", "a", name="甲")
        await feed.play("S1", [feed.track("S1", "a", sink_feed.opus())], 4.0, zero)
        await until(lambda: bool(hub.checkpoints) and hub.checkpoints[-1].number > 2)
        await until(lambda: sum(path.stat().st_size for path in (made / "S1" / "tracks").glob("*/*.part")) > 5_000)
        shutil.copytree(made, again)
    async with recorder(data_dir, again, checkpoint_seconds=0.1) as hub:
        assert hub.states["S1"].state == "repaired"
        before = len(hub.checkpoints)
        feed.sinks.clear()
        await hub.record()
        await feed.opened("S1")
        feed.peer("S1", "a", name="甲")
        await feed.play("S1", [feed.track("S1", "a", sink_feed.opus())], 2.0, zero + 9 * SECOND)
        await until(lambda: len(hub.checkpoints) > before + 2)
        await hub.stop()
    await feed.stop()
    verdict = verify(Folder(again / "S1"), [Keys(data_dir / "evidence").current().public], session="S1")
    assert verdict.faults == []
    assert (verdict.files, verdict.running) == (2, False)
