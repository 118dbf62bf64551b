"""Off the record: no byte of media, no word."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from commhub.media import messages
from commhub.wire import journal
from tests.support import sink_feed, until
from tests.support.hub_of_recorder import Hub, recorder
from tests.support.media_files import read
from tests.support.sink_feed import SECOND, SinkFeed


def kept(folder: Path) -> int:
    """Bytes of media."""
    return sum(path.stat().st_size for path in folder.glob("S1/tracks/*/*"))


def told(folder: Path, kind: str) -> int:
    path = folder / "S1" / "journal"
    return sum(record["type"] == kind for record in journal.scan(path.read_bytes()).records) if path.exists() else 0


def hold(hub: Hub, paused: bool) -> None:
    assert hub.link is not None
    hub.link.tell(messages.Record("S1", "R1", "media-0", "会商", {}, paused=paused))


async def test_not_a_byte_and_not_a_word(data_dir: Path) -> None:
    feed = await SinkFeed(data_dir).start()
    async with recorder(data_dir, data_dir / "recordings") as hub:
        await hub.record()
        await feed.opened("S1")
        zero = (await hub.state("S1", "recording")).started_at
        feed.peer("S1", "a", name="甲")
        senders = [feed.track("S1", "a", sink_feed.video(sink_feed.VP8)), feed.track("S1", "a", sink_feed.opus())]
        await feed.play("S1", senders, 3.0, zero)
        await until(lambda: kept(hub.folder) > 10_000)
        hold(hub, True)
        await until(lambda: told(hub.folder, "off_record") == 1)
        await until(lambda: not list(hub.folder.glob("S1/tracks/*/*.part")))
        before = kept(hub.folder)
        await feed.play("S1", senders, 3.0, zero + 3 * SECOND)
        # Who comes, turns a microphone on, speaks or writes meanwhile is not kept either.
        late = feed.track("S1", "b", sink_feed.opus())
        feed.tell("S1", messages.SinkMuted("S1", "TR_a_microphone", True, time.time_ns()))
        feed.tell("S1", messages.SinkMuted("S1", "TR_a_microphone", False, time.time_ns()))
        speakers = [messages.common.Speaker("PA_a", "a", 0.8, True)]
        feed.tell("S1", messages.SinkSpeakers("S1", speakers, time.time_ns()))
        feed.tell("S1", messages.SinkData("S1", "a", True, b"canary", time.time_ns()))
        await feed.play("S1", [*senders, late], 2.0, zero + 6 * SECOND)
        feed.peer("S1", "c", name="丙")
        await until(lambda: told(hub.folder, "joined") >= 2)
        await asyncio.sleep(0.7)  # longer than a piece
        assert kept(hub.folder) == before
        assert told(hub.folder, "speaking") == 0
        hold(hub, False)
        await until(lambda: told(hub.folder, "on_record") == 1)
        await feed.play("S1", [*senders, late], 2.0, zero + 8 * SECOND)
        await hub.stop()
        manifest = hub.manifest()
    await feed.stop()
    spans = [[(one["start_ms"], one["duration_ms"]) for one in track["segments"]] for track in manifest["tracks"]]
    assert [len(one) for one in spans] == [2, 2, 1]
    for (start, length), (again, _) in spans[:2]:
        assert start + length == pytest.approx(3000, abs=60)
        assert again == pytest.approx(8000, abs=60)
    assert spans[2][0][0] == pytest.approx(8000, abs=60)
    media = [
        read(hub.folder / "S1" / "tracks" / track["id"] / one["file"])
        for track in manifest["tracks"]
        for one in track["segments"]
    ]
    assert sum(one.length for one in media) == pytest.approx(3 + 2 + 3 + 2 + 2, abs=0.5)
    gaps = [(one["track"], one["reason"]) for one in manifest["gaps"]]
    assert gaps.count(("0001", "off_record")) == 1
    assert [one["type"] for one in manifest["events"] if one["type"].endswith("_record")] == ["off_record", "on_record"]
