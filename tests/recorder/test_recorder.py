"""The recorder between a hub and a media worker, with real RTP."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support import sink_feed
from tests.support.hub_of_recorder import recorder
from tests.support.media_files import read
from tests.support.sink_feed import SinkFeed


async def test_every_track_of_a_room_is_in_its_own_file(data_dir: Path) -> None:
    feed = await SinkFeed(data_dir).start()
    async with recorder(data_dir, data_dir / "recordings") as hub:
        await hub.record(code="HS-1122-001")
        await feed.opened("S1")
        feed.peer("S1", "p1:t1", name="林晓", org="应急管理局", kind="person")
        feed.peer("S1", "c1:bridge", name="长江大道", org="城管局", kind="camera")
        senders = [
            feed.track("S1", "p1:t1", sink_feed.video(sink_feed.VP8)),
            feed.track("S1", "p1:t1", sink_feed.opus()),
            feed.track("S1", "c1:bridge", sink_feed.video(sink_feed.H264)),
        ]
        await feed.play("S1", senders, 6.0, time.time_ns())
        state = await hub.stop()
        assert (state.state, state.tracks, state.people) == ("complete", 3, ["林晓"])
        found = hub.manifest()
        assert [(t["identity"], t["source"], t["codec"], t["name"]) for t in found["tracks"]] == [
            ("p1:t1", "camera", "vp8", "林晓"),
            ("p1:t1", "microphone", "opus", "林晓"),
            ("c1:bridge", "camera_feed", "h264", "长江大道"),
        ]
        for track in found["tracks"]:
            (segment,) = track["segments"]
            path = data_dir / "recordings" / "S1" / "tracks" / track["id"] / segment["file"]
            media = read(path)
            assert media.duration is not None
            assert abs(media.duration - 6.0) < 0.1
            assert abs(segment["duration_ms"] - 6000) < 100
            assert segment["bytes"] == path.stat().st_size
            assert len(media.times) == (300 if track["kind"] == "audio" else 90)
        assert [event["type"] for event in found["events"]][:2] == ["joined", "joined"]
    await feed.stop()
