"""The recorder between a hub and a media worker, with real RTP."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest
from livekit.protocol.models import DataPacket, DataStream

from commhub.errors import HubError
from commhub.media import messages
from commhub.media.messages import Codec
from commhub.wire import journal
from recorder.session import Session
from tests.support import sink_feed, until
from tests.support.hub_of_recorder import Hub, recorder
from tests.support.media_files import Media, read
from tests.support.sink_feed import SECOND, Clip, SinkFeed


def media_of(hub: Hub, session: str = "S1") -> list[list[Media]]:
    """What stands in every track's files; the manifest must say the same."""
    out = []
    for track in hub.manifest(session)["tracks"]:
        found = []
        for segment in track["segments"]:
            path = hub.folder / session / "tracks" / track["id"] / segment["file"]
            media = read(path)
            assert media.duration is not None
            assert segment["bytes"] == path.stat().st_size
            assert segment["duration_ms"] / 1000 == pytest.approx(media.duration, abs=0.1)
            assert media.codec in track["codec"]
            found.append(media)
        out.append(found)
    return out


def spans(track: dict[str, Any]) -> list[int]:
    """Start and end of every file, ms."""
    return [ms for one in track["segments"] for ms in (one["start_ms"], one["start_ms"] + one["duration_ms"])]


def events(hub: Hub, *leave: str) -> list[tuple[str, str]]:
    return [(one["type"], one["identity"]) for one in hub.manifest()["events"] if one["type"] not in leave]


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
async def feed(data_dir: Path) -> Any:
    feed = await SinkFeed(data_dir).start()
    yield feed
    await feed.stop()


async def started(hub: Hub, feed: SinkFeed, session: str = "S1") -> int:
    """A recording that runs; its time zero (UTC ns)."""
    await hub.record(session)
    await feed.opened(session)
    return (await hub.state(session, "recording")).started_at


async def test_every_track_of_a_room_is_in_its_own_file(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        await hub.record(code="HS-1122-001")
        await feed.opened("S1")
        feed.peer("S1", "p1:t1", name="林晓", org="应急管理局", kind="person")
        feed.peer("S1", "c1:bridge", name="长江大道", org="城管局", kind="camera")
        senders = [
            feed.track("S1", "p1:t1", sink_feed.video(sink_feed.VP8)),
            feed.track("S1", "p1:t1", sink_feed.opus()),
            feed.track("S1", "c1:bridge", sink_feed.video(sink_feed.H264)),
            feed.track("S1", "p1:t1", sink_feed.video(sink_feed.VP9), "screen_share"),
            feed.track("S1", "p1:t1", sink_feed.video(sink_feed.AV1), "screen_share", sid="TR_second"),
        ]
        await feed.play("S1", senders, 6.0, time.time_ns())
        state = await hub.stop()
        assert (state.state, state.tracks, state.people, state.about) == ("complete", 5, ["林晓"], {"code": "HS-1122-001"})
        found = hub.manifest()
        assert [(t["identity"], t["source"], t["ordinal"], t["codec"], t["name"]) for t in found["tracks"]] == [
            ("p1:t1", "camera", 0, "vp8", "林晓"),
            ("p1:t1", "microphone", 0, "opus", "林晓"),
            ("c1:bridge", "camera_feed", 0, "h264", "长江大道"),
            ("p1:t1", "screen_share", 0, "vp9", "林晓"),
            ("p1:t1", "screen_share", 1, "av1", "林晓"),
        ]
        assert [one["segments"][0]["mime"] for one in found["tracks"]] == [
            'video/webm; codecs="vp8"', 'audio/webm; codecs="opus"', 'video/mp4; codecs="avc1.42c01f"',
            'video/webm; codecs="vp9"', 'video/mp4; codecs="av01.0.00M.08"',
        ]  # fmt: skip
        for files in media_of(hub):
            assert [len(one.times) for one in files] in ([90], [300])
            assert files[0].duration == pytest.approx(6.0, abs=0.1)
        assert events(hub, "published", "unpublished") == [("joined", "p1:t1"), ("joined", "c1:bridge")]
        assert sorted(path.name for path in (hub.folder / "S1").iterdir()) == ["journal", "manifest.json", "tracks"]


async def test_while_it_runs_the_manifest_follows(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        feed.peer("S1", "a", name="甲")
        sender = feed.track("S1", "a", sink_feed.opus())
        await feed.play("S1", [sender], 4.0, zero + SECOND)
        await until(lambda: bool(hub.manifest()["tracks"]))
        (segment,) = hub.manifest()["tracks"][0]["segments"]
        assert segment["file"] == "0001.webm.part"
        assert segment["duration_ms"] >= 3000
        assert len(read(hub.folder / "S1" / "tracks" / "0001" / segment["file"]).times) >= 150


async def test_chat_speakers_and_the_hubs_facts_stand_at_their_seconds(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        feed.peer("S1", "a", name="甲", at=zero - SECOND)

        def at(ms: int) -> int:
            return zero + ms * 1_000_000

        header = DataStream.Header(stream_id="s1", topic="lk.chat", inline_content="已到现场".encode())
        header.text_header.operation_type = DataStream.CREATE
        packet = DataPacket(stream_header=header).SerializeToString()
        for ms, active in ((1000, True), (1800, False), (2000, True), (3000, False)):
            feed.tell("S1", messages.SinkSpeakers("S1", [messages.Speaker("PA_a", "a", 0.5, active)], at(ms)))
        feed.tell("S1", messages.SinkData("S1", "a", True, packet, at(1500)))
        feed.tell("S1", messages.SinkData("S1", "a", True, b"\xff\xff", at(1600)))
        assert hub.link is not None
        hub.link.tell(messages.Mark("S1", "consultation.locked", at(2500), {"identity": "a", "locked": True}))
        await asyncio.sleep(0.1)
        await hub.stop()
        found = hub.manifest()
        assert found["speakers"] == [{"identity": "a", "name": "甲", "org_name": "", "spans": [[1000, 3000]]}]
        assert [(one["at_ms"], one["type"], one["name"], one["text"]) for one in found["events"]] == [
            (0, "joined", "甲", ""), (1500, "chat", "甲", "已到现场"), (2500, "consultation.locked", "甲", ""),
        ]  # fmt: skip


async def test_mute_ends_a_file_and_is_an_event(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        sender = feed.track("S1", "a", sink_feed.opus())
        await feed.play("S1", [sender], 2.0, zero)
        await asyncio.sleep(0.1)
        feed.tell("S1", messages.SinkMuted("S1", "TR_a_microphone", True, zero + 2 * SECOND))
        await asyncio.sleep(0.1)
        await feed.play("S1", [sender], 2.0, zero + 2 * SECOND)  # of a client that goes on
        await asyncio.sleep(0.1)
        feed.tell("S1", messages.SinkMuted("S1", "TR_a_microphone", False, zero + 4 * SECOND))
        await asyncio.sleep(0.1)
        await feed.play("S1", [sender], 2.0, zero + 4 * SECOND)
        await hub.stop()
        (track,) = hub.manifest()["tracks"]
        assert spans(track) == pytest.approx([0, 2000, 4000, 6000], abs=10)
        assert ("muted", "a") in events(hub)
        assert ("unmuted", "a") in events(hub)
        assert hub.manifest()["gaps"] == []
        assert [len(one.times) for one in media_of(hub)[0]] == [100, 100]


async def test_files_roll_by_time_and_by_size_without_a_hole(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings", segment_minutes=0.05) as hub:
        zero = await started(hub, feed)
        sound, picture = feed.track("S1", "a", sink_feed.opus()), feed.track("S1", "a", sink_feed.video(sink_feed.VP8))
        await feed.play("S1", [sound, picture], 8.0, zero)
        picture.change(sink_feed.video(sink_feed.VP8, 640, 360))
        await feed.play("S1", [sound, picture], 2.0, zero + 8 * SECOND)
        await hub.stop()
        heard, seen = hub.manifest()["tracks"]
        for track, step in ((heard, 3000), (seen, 4000)):
            assert spans(track)[2::2] == pytest.approx(spans(track)[1:-1:2], abs=40)
            assert spans(track)[1] == pytest.approx(step, abs=40)
            assert spans(track)[-1] == pytest.approx(10_000, abs=60)
        assert [(one["width"], one["height"]) for one in seen["segments"]] == [(320, 180), (320, 180), (640, 360)]
        assert [one["file"] for one in heard["segments"]] == [f"{n:04d}.webm" for n in range(1, 5)]
        assert sum(len(one.times) for one in media_of(hub)[0]) == 500


async def test_a_worker_that_dies_costs_a_gap_and_the_track_goes_on(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        feed.peer("S1", "a", name="甲")
        feed.peer("S1", "b", name="乙")
        sender = feed.track("S1", "a", sink_feed.video(sink_feed.H264))
        await feed.play("S1", [sender], 2.0, zero)
        await asyncio.sleep(0.1)
        await feed.stop()
        await asyncio.sleep(0.3)
        again = await SinkFeed(data_dir, rooms=set()).start()
        await asyncio.sleep(0.5)
        again.rooms = {"R1"}  # the hub makes the room on the new worker
        await again.opened("S1")
        again.peer("S1", "a", name="甲", peer="PA_new")
        fresh = again.track("S1", "a", sink_feed.video(sink_feed.H264), sid="TR_new", peer="PA_new")
        await again.play("S1", [fresh], 2.0, zero + 5 * SECOND)
        await hub.stop()
        found = hub.manifest()
        (track,) = found["tracks"]
        assert spans(track) == pytest.approx([0, 2000, 5000, 7000], abs=40)
        (gap,) = found["gaps"]
        assert (gap["track"], gap["reason"]) == ("0001", "worker_lost")
        assert (gap["start_ms"], gap["end_ms"]) == pytest.approx((2000, 5000), abs=40)
        assert events(hub).count(("joined", "a")) == 1  # nobody came again
        await again.stop()


async def test_a_recording_moves_to_another_worker(data_dir: Path, feed: SinkFeed) -> None:
    other = await SinkFeed(data_dir, "media-1").start()
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        sender = feed.track("S1", "a", sink_feed.opus())
        await feed.play("S1", [sender], 2.0, zero)
        await asyncio.sleep(0.1)
        await hub.record(worker="media-1")
        await other.opened("S1")
        await until(lambda: any(isinstance(one, messages.CloseSink) for one in feed.heard))
        moved = other.track("S1", "a", sink_feed.opus(), sid="TR_2")
        await other.play("S1", [moved], 2.0, zero + 3 * SECOND)
        await hub.stop()
        (track,) = hub.manifest()["tracks"]
        assert spans(track) == pytest.approx([0, 2000, 3000, 5000], abs=40)
        assert [gap["reason"] for gap in hub.manifest()["gaps"]] == ["worker_moved"]
    await other.stop()


async def test_the_hub_is_not_missed(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        sender = feed.track("S1", "a", sink_feed.opus())
        await hub.close()
        await feed.play("S1", [sender], 3.0, zero)
        hub.states.clear()
        snapshot = await hub.dial(epoch=2)
        assert [(one.session, one.state, one.tracks) for one in snapshot.sessions] == [("S1", "recording", 1)]
        with pytest.raises(HubError) as refused:
            await Hub(data_dir, hub.folder).dial(epoch=1)
        assert refused.value.code == "stale_epoch"
        await hub.record()  # idempotent
        await hub.stop()
        assert [len(one.times) for one in media_of(hub)[0]] == [150]
        assert [len(track["segments"]) for track in hub.manifest()["tracks"]] == [1]


async def test_what_a_shutdown_ended_goes_on_when_it_is_ordered_again(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        feed.peer("S1", "a", name="甲")
        sender = feed.track("S1", "a", sink_feed.opus())
        await feed.play("S1", [sender], 2.0, zero)
    assert hub.manifest()["state"] == "complete"
    feed.sinks.clear()
    async with recorder(data_dir, data_dir / "recordings") as hub:
        assert (hub.states["S1"].state, hub.states["S1"].code) == ("complete", "shutdown")
        await started(hub, feed)
        feed.peer("S1", "a", name="甲")
        sender = feed.track("S1", "a", sink_feed.opus())
        await feed.play("S1", [sender], 2.0, zero + 6 * SECOND)
        state = await hub.stop()
        assert state.code == ""
        (track,) = hub.manifest()["tracks"]
        assert spans(track) == pytest.approx([0, 2000, 6000, 8000], abs=40)
        assert [one["file"] for one in track["segments"]] == ["0001.webm", "0002.webm"]
        await hub.record()  # that is over
        await asyncio.sleep(0.2)
        assert hub.states["S1"].state == "complete"


async def test_sound_and_picture_of_one_person_stand_together(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        sound, picture = feed.track("S1", "a", sink_feed.opus()), feed.track("S1", "a", sink_feed.video(sink_feed.VP8))
        picture.delay = 120_000_000
        for second in range(6):
            await feed.play("S1", [sound, picture], 1.0, zero + (second + 1) * SECOND)
            for sender in (sound, picture):
                rtp = (sender.origin + second * sender.clip.codec.clock_rate) & 0xFFFFFFFF
                feed.tell("S1", messages.SinkClock(sender.handle, rtp, 7 * zero + second * SECOND, zero))
            await asyncio.sleep(0.05)
        await hub.stop()
        heard, seen = hub.manifest()["tracks"]
        assert abs(spans(heard)[0] - spans(seen)[0]) <= 40
        assert spans(heard)[0] == pytest.approx(1000, abs=5)


async def test_packets_that_overtake_their_track_are_not_lost(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        clip = sink_feed.video(sink_feed.VP8)
        sender = sink_feed.Sender(clip, 1)
        await feed.play("S1", [sender], 1.0, zero)
        await asyncio.sleep(0.1)
        feed.track("S1", "a", clip)  # handle 1
        await asyncio.sleep(0.1)
        await feed.play("S1", [sender], 1.0, zero + SECOND)
        await hub.stop()
        assert [len(one.times) for one in media_of(hub)[0]] == [30]


async def test_loss_and_disorder_on_the_way(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        sound, picture = feed.track("S1", "a", sink_feed.opus()), feed.track("S1", "a", sink_feed.video(sink_feed.VP8))
        held: list[bytes] = []

        def spoil(sender: sink_feed.Sender, packets: list[bytes]) -> list[bytes]:
            if sender is sound and sender.index % 10 == 5:
                held.extend(packets)
                return []
            if sender is sound and sender.index % 10 == 8 and held:
                late, held[:] = held[:], []
                return [*packets, *late]
            if sender is picture and sender.index == 40:
                return packets[:-1]
            return packets

        await feed.play("S1", [sound, picture], 6.0, zero, spoil=spoil)
        await until(lambda: any(isinstance(one, messages.KeyFrameWanted) for one in feed.heard))
        await hub.stop()
        (heard,), (seen,) = media_of(hub)
        assert len(heard.times) == 300
        assert len(seen.times) == 69  # 2.6 s … 4 s wait for the next key frame
        (gap,) = hub.manifest()["gaps"]
        assert (gap["track"], gap["reason"]) == (hub.manifest()["tracks"][1]["id"], "loss")
        assert (gap["start_ms"], gap["end_ms"]) == pytest.approx((2600, 4000), abs=80)
        wanted = [one for one in feed.heard if isinstance(one, messages.KeyFrameWanted)]
        assert picture.handle in {one.handle for one in wanted}


async def test_a_room_that_is_closed_and_opened_again(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        feed.peer("S1", "a", name="甲")
        sender = feed.track("S1", "a", sink_feed.opus())
        await feed.play("S1", [sender], 1.0, zero)
        feed.rooms = set()
        feed.tell("S1", messages.SinkClosed("S1", "empty"))
        await asyncio.sleep(0.5)
        feed.sinks.clear()
        feed.rooms = {"R1"}
        await feed.opened("S1")
        feed.peer("S1", "a", name="甲")
        sender = feed.track("S1", "a", sink_feed.opus())
        await feed.play("S1", [sender], 1.0, zero + 5 * SECOND)
        await hub.stop()
        assert spans(hub.manifest()["tracks"][0]) == pytest.approx([0, 1000, 5000, 6000], abs=40)
        assert events(hub, "published", "unpublished") == [("joined", "a"), ("left", "a"), ("joined", "a")]


async def test_who_does_not_come_back_with_the_worker_has_left(
    data_dir: Path, feed: SinkFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.session._CONFIRM", 0.3)
    async with recorder(data_dir, data_dir / "recordings") as hub:
        await started(hub, feed)
        for who in ("a", "b"):
            feed.peer("S1", who, name=who)
        await asyncio.sleep(0.1)
        await feed.stop()
        again = await SinkFeed(data_dir).start()
        await again.opened("S1")
        again.peer("S1", "a", name="a")
        again.track("S1", "a", sink_feed.opus())
        await asyncio.sleep(0.6)
        await hub.stop()
        assert events(hub, "published", "unpublished", "worker_lost") == [("joined", "a"), ("joined", "b"), ("left", "b")]
        await again.stop()


async def test_names_from_outside_make_no_paths(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        await hub.record("../../outside")
        state = await hub.state("../../outside", "failed")
        assert (state.code, state.text) == ("invalid", "A recording's id has a wrong form.")
        zero = await started(hub, feed)
        feed.peer("S1", "../../../tmp/x\0", name="../../..")
        sender = feed.track("S1", "../../../tmp/x\0", sink_feed.opus(), "../../up", sid="../TR")
        await feed.play("S1", [sender], 1.0, zero)
        await hub.stop()
        files = [name for name in files_below(data_dir) if not name.startswith("evidence/")]
        assert files == [f"recordings/S1/{name}" for name in ("journal", "manifest.json", "tracks/0001/0001.webm")]
        assert hub.manifest()["tracks"][0]["identity"] == "../../../tmp/x\0"


async def test_a_codec_that_cannot_be_recorded_is_a_gap(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        strange = Clip(Codec("audio/PCMA", 8000), [(0, [b"x" * 160])], 160)
        feed.track("S1", "a", strange, at=zero + SECOND)
        sender = feed.track("S1", "b", sink_feed.opus())
        await feed.play("S1", [sender], 2.0, zero)
        await hub.stop()
        assert [one["identity"] for one in hub.manifest()["tracks"]] == ["b"]
        assert [(one["start_ms"], one["reason"]) for one in hub.manifest()["gaps"]] == [(1000, "codec")]


async def test_torn_batches_and_strange_orders_harm_nobody(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        sender = feed.track("S1", "a", sink_feed.opus())
        packets = feed.sinks["S1"].packets
        assert packets is not None
        for batch in (b"x", b"\x01\0\0\0" + b"\0" * 8 + b"\xff\xff", b"\x01\0\0\0" + b"\0" * 8 + b"\x02\0ab"):
            packets.send(batch)
        for message in (
            messages.SinkMuted("S1", "TR_nobody", True, 0),
            messages.SinkGap("S1", 77, 5, 0),
            messages.SinkClock(77, 1, 1, 1),
            messages.SinkClosed("S9", ""),
            messages.SinkPeer("S1", "PA_x", "ghost", False, 0),
        ):
            feed.tell("S1", message)
        await feed.play("S1", [sender], 2.0, zero)
        assert (await hub.stop("S7")).code == "not_found"
        await hub.stop()
        assert [len(one.times) for one in media_of(hub)[0]] == [100]


async def test_two_rooms_of_one_worker(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        await hub.record("S1", "R1")
        await hub.record("S2", "R2")
        await feed.opened("S1")
        await feed.opened("S2")
        first, second = feed.track("S1", "a", sink_feed.opus()), feed.track("S2", "a", sink_feed.opus())
        now = time.time_ns()
        await feed.play("S1", [first, second], 2.0, now)
        await hub.stop("S1")
        await feed.play("S2", [second], 1.0, now + 2 * SECOND)
        await hub.stop("S2")
        assert [[len(one.times) for one in files] for files in media_of(hub, "S1") + media_of(hub, "S2")] == [[100], [150]]


async def test_one_recordings_trouble_is_its_own(data_dir: Path, feed: SinkFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Session.tick

    def tick(session: Session, now: float) -> None:
        if session.id == "S1":
            raise RuntimeError("unforeseen")
        real(session, now)

    monkeypatch.setattr(Session, "tick", tick)
    async with recorder(data_dir, data_dir / "recordings") as hub:
        for name in ("S1", "S2"):
            await hub.record(name, f"R{name}")
            await feed.opened(name)
        sender = feed.track("S2", "a", sink_feed.opus())
        await feed.play("S2", [sender], 2.3, time.time_ns())
        await until((data_dir / "recordings" / "S2" / "manifest.json").exists)
        await until(lambda: any(track["segments"][0]["duration_ms"] > 2200 for track in hub.manifest("S2")["tracks"]))
        for name in ("S1", "S2"):
            assert (await hub.stop(name)).state == "complete"


async def test_an_order_while_it_ends_begins_it_again_when_it_may(data_dir: Path, feed: SinkFeed) -> None:
    async with recorder(data_dir, data_dir / "recordings") as hub:
        await started(hub, feed)
        assert hub.link is not None
        hub.link.tell(messages.StopRecord("S1", "shutdown"))
        hub.link.tell(messages.Record("S1", "R1", "media-0"))
        await until(
            lambda: [state.state for state in hub.said] == ["recording", "recording", "complete", "recording", "recording"]
        )
        await hub.stop()
        assert [one["type"] for one in hub.manifest()["events"]] == ["continued"]


async def test_who_drops_out_and_comes_back_as_another_codec_and_size_is_one_track(data_dir: Path, feed: SinkFeed) -> None:
    """As LiveKit's clients do it: new sids, after five seconds; and in between another size of the same codec."""
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        feed.peer("S1", "a", name="甲", kind="person", peer="PA_1")
        first = feed.track("S1", "a", sink_feed.video(sink_feed.VP8), sid="TR_1", peer="PA_1")
        at = await feed.play("S1", [first], 3.0, zero)
        first.change(sink_feed.video(sink_feed.VP8, 640, 360))
        at = await feed.play("S1", [first], 2.0, at)
        feed.tell("S1", messages.SinkPeer("S1", "PA_1", "a", False, at, {}, "lost"))
        feed.ends("S1", "a", first, "camera", sid="TR_1", at=at)
        back = at + 5 * SECOND
        feed.peer("S1", "a", name="甲", kind="person", peer="PA_2", at=back)
        second = feed.track("S1", "a", sink_feed.video(sink_feed.H264, 480, 270), sid="TR_2", peer="PA_2", at=back)
        await feed.play("S1", [second], 3.0, back)
        await hub.stop()
        (track,) = hub.manifest()["tracks"]
        assert (track["identity"], track["source"], track["ordinal"]) == ("a", "camera", 0)
        made = [(one["file"].partition(".")[2], one["width"], one["height"]) for one in track["segments"]]
        assert made == [("webm", 320, 180), ("webm", 640, 360), ("mp4", 480, 270)]
        assert spans(track) == pytest.approx([0, 3000, 3000, 5000, 10_000, 13_000], abs=80)
        files = [read(hub.folder / "S1" / "tracks" / track["id"] / one["file"]) for one in track["segments"]]
        assert [(media.codec, len(media.times)) for media in files] == [("vp8", 45), ("vp8", 30), ("h264", 45)]
        left = [event["at_ms"] for event in hub.manifest()["events"] if event["type"] in ("left", "joined")]
        assert left[1:] == pytest.approx([5000, 10_000], abs=5)


async def test_how_tracks_come_is_a_fact(data_dir: Path, feed: SinkFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.session._QUALITY", 0.5)
    dice = random.Random(4)
    async with recorder(data_dir, data_dir / "recordings") as hub:
        zero = await started(hub, feed)
        feed.peer("S1", "a", name="甲")
        senders = [feed.track("S1", "a", sink_feed.video(sink_feed.VP8)), feed.track("S1", "a", sink_feed.opus())]
        sent = dict.fromkeys((sender.handle for sender in senders), 0)
        lost = dict(sent)

        def spoil(sender: sink_feed.Sender, packets: list[bytes]) -> list[bytes]:
            kept = [packet for packet in packets if sender.index < 5 or dice.random() > 0.1]
            sent[sender.handle] += len(kept)
            lost[sender.handle] += len(packets) - len(kept)
            return kept

        await feed.play("S1", senders, 4.0, zero, spoil=spoil)
        await feed.play("S1", senders, 0.2, zero + 4 * SECOND)
        await asyncio.sleep(1.2)
        await hub.stop()
        manifest = hub.manifest()
    records = journal.scan((data_dir / "recordings" / "S1" / "journal").read_bytes()).records
    facts = [one["tracks"] for one in records if one["type"] == "quality"]
    for track, sender in zip(("0001", "0002"), senders, strict=True):
        counts = [sum(column) for column in zip(*(one[track] for one in facts if track in one), strict=True)]
        assert counts[0] >= sent[sender.handle]
        assert counts[2] == lost[sender.handle]
    assert {one["data"]["track"] for one in manifest["events"] if one["type"] == "quality"} == {"0001", "0002"}
