"""Tracks that are encrypted end to end: nothing of them is kept, and that is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import sink_feed, until
from tests.support.hub_of_recorder import recorder
from tests.support.sink_feed import SECOND, SinkFeed


@pytest.fixture
async def feed(data_dir: Path) -> AsyncIterator[SinkFeed]:
    feed = await SinkFeed(data_dir).start()
    yield feed
    await feed.stop()


async def test_an_encrypted_track_is_a_gap_with_its_reason(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        await hub.record("S1")
        await feed.opened("S1")
        start = (await hub.state("S1", "recording")).started_at
        feed.peer("S1", "p1")
        secret = feed.track("S1", "p1", sink_feed.opus(), at=start + SECOND, encrypted=True)
        feed.ends("S1", "p1", secret, "microphone", at=start + 3 * SECOND)
        plain = feed.track("S1", "p1", sink_feed.opus(), at=start + 4 * SECOND)
        await feed.play("S1", [plain], 1.0, start + 4 * SECOND)
        await until(lambda: hub.manifest()["tracks"] and hub.manifest()["tracks"][0]["segments"])
        await hub.stop("S1")
        manifest = hub.manifest()
        (track,) = manifest["tracks"]
        (gap,) = [gap for gap in manifest["gaps"] if gap["reason"] == "encrypted"]
        assert (gap["track"], gap["start_ms"], gap["end_ms"]) == (track["id"], 1000, 3000)
        assert len(track["segments"]) == 1
        assert track["segments"][0]["start_ms"] >= 3900
