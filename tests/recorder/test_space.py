"""What the recorder leaves out when the disk gets full: the table, and what becomes of tracks."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import pytest

from commhub.media.messages import Record, SinkLayer
from commhub.wire import journal
from recorder import space
from recorder.space import FULL, STEPS, Guard, Kind
from tests.support import until
from tests.support.hub_of_recorder import Hub, recorder
from tests.support.sink_feed import VP8, SinkFeed, opus, video

MIB = 1 << 20


@pytest.mark.parametrize(
    ("percents", "steps"),
    [
        ([50, 11, 10, 11, 13], ["ample", "ample", "low", "low", "ample"]),
        ([5, 6.9, 7, 12], ["cameras", "cameras", "low", "ample"]),
        ([4, 3, 2, 1, 0.5], ["pictures", "feeds", "evidence", "sound", "sound"]),
        ([1, 2.9, 3, 3.9, 4, 5], ["sound", "sound", "evidence", "evidence", "feeds", "pictures"]),
        ([4, 6, 7, 12], ["pictures", "cameras", "low", "ample"]),
        ([-0.1, 1, 1.9, 2, 4], ["full", "full", "full", "sound", "feeds"]),
        ([-0.1, 60], ["full", "ample"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("floor", [0, 100_000 * MIB])
def test_steps_and_the_way_back(percents: list[float], steps: list[str], floor: int) -> None:
    guard, total = Guard(floor, 1), floor + 1_000_000
    assert [guard.look(floor + round(percent * 10_000), total).name for percent in percents] == steps


@pytest.mark.parametrize(
    ("percents", "steps"),
    [
        ([10, 8, 9.9, 10, 12], ["low", "copies", "copies", "low", "ample"]),
        ([5, 7, 9, 10], ["cameras", "copies", "copies", "low"]),
    ],
)
def test_with_a_store_what_lies_there_goes_first(percents: list[float], steps: list[str]) -> None:
    guard = Guard(0, 1, store=True)
    assert [guard.look(round(percent * 10_000), 1_000_000).name for percent in percents] == steps


def test_nothing_else_is_left_out_while_copies_are_dropped() -> None:
    guard = Guard(0, 1, store=True)
    assert [guard.look(left * 1000, 1_000_000, easing=True).name for left in (90, 50, 30, 21, 20)] == [
        "low", "copies", "copies", "copies", "evidence",
    ]  # fmt: skip
    guard = Guard(0, 1, store=True)
    assert guard.look(40_000, 1_000_000).name == "pictures"  # nothing to drop
    assert guard.look(40_000, 1_000_000, easing=True).name == "pictures"
    assert guard.look(-1, 1_000_000, easing=True) is FULL


def test_so_much_is_dropped_that_nothing_else_has_to_be() -> None:
    guard = Guard(1000, 1, store=True)
    for left, wanted in ((90_000, 0), (80_000, 25_000), (95_000, 10_000), (100_000, 0), (0, 105_000), (-1, 105_001)):
        free, total = 1000 + left, 1_001_000
        assert guard.wanted(free, total) == pytest.approx(wanted, abs=1), left
        guard.look(free, total)
    assert Guard(0, 1).wanted(0, 1000) == 0


def test_each_step_leaves_out_what_the_one_before_did_and_sound_is_never_left_out() -> None:
    for before, after in itertools.pairwise(STEPS[:-1]):
        assert before.lower <= after.lower
        assert before.without <= after.without
        assert after.below < before.below
        assert after.below < after.above
    assert STEPS[-2].without == set(Kind)
    assert space.kind("microphone", False) is space.kind("screen_share", False) is space.kind("screen_share_audio", True) is None
    assert [space.kind(one, must) for one in ("camera_feed", "camera") for must in (False, True)] == [
        Kind.FEED, Kind.EVIDENCE, Kind.FACE, Kind.FACE
    ]  # fmt: skip


def test_a_disk_that_took_no_more_is_full_until_there_is_room_to_begin() -> None:
    guard = Guard(0, 256 << 10)
    guard.hit()
    assert guard.look(0, 64 * MIB) is FULL
    assert guard.look(600 << 10, 64 * MIB) is FULL  # room for one, and no two per cent
    assert guard.look(3 * MIB, 64 * MIB).name == "feeds"


def facts(hub: Hub, session: str, kind: str) -> list[dict[str, Any]]:
    data = (hub.folder / session / "journal").read_bytes()
    return [record for record in journal.scan(data).records if record["type"] == kind]


async def test_how_large_it_has_become_is_told_while_it_runs(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.recorder._SPACE", 0.02)
    monkeypatch.setattr("recorder.recorder._COUNT", 0.05)
    async with recorder(data_dir, data_dir / "recordings") as hub:
        feed = await SinkFeed(data_dir).start()
        await hub.record("S1", "R1")
        await feed.opened("S1")
        sender, now = feed.track("S1", "a", video(VP8)), time.time_ns()
        now = await feed.play("S1", [sender], 2.0, now)
        await until(lambda: hub.states["S1"].bytes > 1_000, what="its size")
        assert hub.states["S1"].state == "recording"
        before = hub.states["S1"].bytes
        await feed.play("S1", [sender], 2.0, now)
        await until(lambda: hub.states["S1"].bytes > before, what="more")
        await feed.stop()


async def test_tracks_are_thinned_in_the_order_of_the_table_and_come_back(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [500]  # per mille
    monkeypatch.setattr("recorder.recorder._SPACE", 0.02)
    monkeypatch.setattr("recorder.recorder.disk_space", lambda path: (left[0] * MIB, 1000 * MIB))
    async with recorder(data_dir, data_dir / "recordings") as hub:
        feed = await SinkFeed(data_dir).start()
        assert hub.link is not None
        hub.link.tell(Record("S1", "R1", "media-0", "会商", {}))
        hub.link.tell(Record("S2", "R2", "media-0", "必录", {}, evidence=True))
        handles: dict[int, str] = {}
        senders: dict[str, list[Any]] = {}
        for session in ("S1", "S2"):
            await feed.opened(session)
            feed.peer(session, "k", kind="camera", name="大堤")
            feed.peer(session, "p", name="甲", kind="person")
            senders[session] = [
                feed.track(session, "k", video(VP8), "camera"), feed.track(session, "p", video(VP8), "camera"),
                feed.track(session, "p", opus()),
            ]  # fmt: skip
            handles |= {
                one.handle: f"{session} {what}" for one, what in zip(senders[session], ("feed", "face", "sound"), strict=True)
            }

        def capped() -> dict[str, int]:
            return {handles[one.handle]: one.most for one in feed.heard if isinstance(one, SinkLayer)}

        async def at(permille: int, step: str) -> None:
            left[0] = permille
            await until(lambda: bool(hub.space) and hub.space[-1].level == step, what=step)

        now = time.time_ns()

        async def play(seconds: float = 1.0) -> None:
            nonlocal now
            for session in ("S1", "S2"):
                behind = await feed.play(session, senders[session], seconds, now)
            now = behind

        await play()
        await at(100, "low")
        await play()
        assert capped() == {}  # an alarm, and nothing less is recorded
        await at(50, "cameras")
        await until(lambda: capped() == {"S1 feed": 0}, what="the cameras' layers")
        await at(40, "pictures")
        await until(lambda: set(capped()) == {"S1 feed", "S1 face", "S2 feed", "S2 face"}, what="all layers")
        await at(30, "feeds")
        await play()
        await at(10, "sound")
        await play()
        await at(500, "ample")
        await until(lambda: set(capped().values()) == {2}, what="the best layers again")
        await play()
        for session in ("S1", "S2"):
            await hub.stop(session)
        await feed.stop()
    steps = ["low", "cameras", "pictures", "feeds", "sound", "ample"]
    for session in ("S1", "S2"):
        assert [one["step"] for one in facts(hub, session, "thinned")] == steps
        manifest = hub.manifest(session)
        gaps = {one["id"]: [gap for gap in manifest["gaps"] if gap["track"] == one["id"]] for one in manifest["tracks"]}
        sources = {one["id"]: one["source"] for one in manifest["tracks"]}
        for track, found in gaps.items():
            reasons = [gap["reason"] for gap in found if gap["reason"] == "disk_low"]
            assert len(reasons) == (0 if sources[track] == "microphone" else 1), sources[track]
        assert [event["type"] for event in manifest["events"] if event["type"] == "thinned"] == ["thinned"] * 6
    lengths = {
        (session, track["source"]): sum(segment["duration_ms"] for segment in track["segments"])
        for session in ("S1", "S2")
        for track in hub.manifest(session)["tracks"]
    }
    assert lengths["S1", "microphone"] > 4_500  # nothing of it is left out
    first = {session: min(gap["start_ms"] for gap in hub.manifest(session)["gaps"]) for session in ("S1", "S2")}
    assert first["S1"] < first["S2"]  # what must be recorded, later
