from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from commhub.errors import HubError
from commhub.media import messages as m
from commhub.media.link import records
from tests.support.engine import Bench, FakeLink, settled


@pytest.fixture
async def recorder(bench: Bench) -> AsyncIterator[FakeLink]:
    link = FakeLink()
    bench.publish()
    bench.engine.recorder(cast(Any, link), m.OpenSink("r", "s"))
    yield link
    bench.engine.link_closed(cast(Any, link))


async def test_a_sink_hears_first_what_is_there(bench: Bench, recorder: FakeLink) -> None:
    assert [(one.peer, one.identity, one.present) for one in recorder.of(m.SinkPeer)] == [
        ("PA_a", "id-PA_a", True),
        ("PA_b", "id-PA_b", True),
    ]
    tracks = recorder.of(m.SinkTrack)
    assert [(one.handle, one.track, one.kind, one.source, one.open) for one in tracks] == [
        (1, "TR_audio_PA_a", "audio", "microphone", True),
        (2, "TR_video_PA_a", "video", "camera", True),
    ]
    assert tracks[0].codec == m.Codec("audio/opus", 48_000, 2, "minptime=10;useinbandfec=1")
    assert bench.engine.snapshot().rooms[0].sinks == ["s"]


async def test_a_sink_hears_every_change(bench: Bench, recorder: FakeLink) -> None:
    recorder.told.clear()
    bench.join("PA_c", about={"name": "赵"})
    bench.tell(m.Mute("r", "TR_audio_PA_a", True))
    bench.engine.audio_levels([(bench.receiver("TR_video_PA_a"), 10)])
    bench.tell(m.Withdraw("r", "PA_a", "TR_video_PA_a"))
    bench.tell(m.RemovePeer("r", "PA_a", "left"))
    bench.tell(m.CloseRoom("r"))
    said = [type(one).__name__ for one in recorder.told]
    assert said[:4] == ["SinkPeer", "SinkMuted", "SinkSpeakers", "SinkTrack"]
    assert recorder.of(m.SinkPeer)[0].about == {"name": "赵"}
    ended = recorder.of(m.SinkTrack)
    assert [(one.track, one.open) for one in ended] == [("TR_video_PA_a", False), ("TR_audio_PA_a", False)]
    assert [(one.peer, one.present, one.reason) for one in recorder.of(m.SinkPeer)[1:]] == [
        ("PA_a", False, "left"),
        ("PA_b", False, "closed"),
        ("PA_c", False, "closed"),
    ]
    assert recorder.told[-1] == m.SinkClosed("s", "closed")
    assert bench.plane.taps == {}


async def test_packets_leave_in_batches(bench: Bench, recorder: FakeLink) -> None:
    (audio, feed_audio), (video, feed_video) = bench.plane.taps.values()
    assert (audio, video) == (bench.receiver("TR_audio_PA_a"), bench.receiver("TR_video_PA_a"))
    feed_audio(b"a1", 11)
    feed_video(bytearray(b"v1"), 12)
    assert recorder.batches == []
    await asyncio.sleep(0.03)
    (sent,) = recorder.batches
    assert [(handle, at, bytes(data)) for handle, at, data in records(sent)] == [(1, 11, b"a1"), (2, 12, b"v1")]
    for _ in range(100):
        feed_video(bytes(1200), 13)
    assert [len(one) <= 60_000 for one in recorder.batches] == [True, True, True]
    await asyncio.sleep(0.03)
    assert sum(1 for one in recorder.batches[1:] for _ in records(one)) == 100


async def test_what_the_recorder_could_not_take_is_told(bench: Bench, recorder: FakeLink) -> None:
    (_, feed_audio), (_, feed_video) = bench.plane.taps.values()
    recorder.full = True
    for _ in range(3):
        feed_audio(b"a", 1)
    feed_video(b"v", 1)
    feed_video(bytes(3000), 1)  # no packet of ours is that large
    await asyncio.sleep(0.03)
    bench.engine.tick()
    bench.engine.tick()
    assert [(one.handle, one.packets) for one in recorder.of(m.SinkGap)] == [(1, 3), (2, 2)]


async def test_a_sink_wants_the_best_layer_and_key_frames(bench: Bench, recorder: FakeLink) -> None:
    await settled()
    bench.pass_time(5)
    assert bench.of(m.Wanted) == []
    bench.engine.recorder(cast(Any, recorder), m.KeyFrameWanted(2))
    bench.engine.recorder(cast(Any, recorder), m.KeyFrameWanted(77))
    assert bench.plane.of("request_key_frame") == [(bench.receiver("TR_video_PA_a"),)]


async def test_a_publishers_clock_is_told_of_its_track(bench: Bench, recorder: FakeLink) -> None:
    audio, video = bench.plane.taps
    before = time.time_ns()
    bench.engine.sender_report(video, 90_000, 77)
    bench.engine.sender_report(audio, 48_000, -5)
    bench.engine.sender_report(4711, 1, 1)
    clocks = recorder.of(m.SinkClock)
    assert [(one.handle, one.rtp_time, one.ntp) for one in clocks] == [(2, 90_000, 77), (1, 48_000, -5)]
    assert all(before <= one.at <= time.time_ns() for one in clocks)


async def test_gate_two_holds_for_sinks(bench: Bench, recorder: FakeLink) -> None:
    _, tap = bench.plane.taps
    bench.tell(m.Allow("r", "s", "TR_video_PA_a", False))
    assert bench.plane.state[tap] == {"allowed": False}
    bench.tell(m.Allow("r", "s", "TR_video_PA_a", True))
    assert bench.plane.state[tap] == {"allowed": True}


async def test_a_word_about_all_sinks_holds_for_each_also_for_who_comes_later(bench: Bench, recorder: FakeLink) -> None:
    sound, _ = bench.plane.taps
    bench.tell(m.Allow("r", "", "TR_audio_PA_a", False))
    assert bench.plane.state[sound] == {"allowed": False}
    before = set(bench.plane.taps)
    link = FakeLink()
    bench.engine.recorder(cast(Any, link), m.OpenSink("r", "later"))
    later = [tap for tap in bench.plane.taps if tap not in before]
    assert [bench.plane.state.get(tap, {}).get("allowed", True) for tap in later] == [False, True]
    bench.tell(m.Allow("r", "", "TR_audio_PA_a", True))
    assert [bench.plane.state[tap] for tap in (sound, later[0])] == [{"allowed": True}, {"allowed": True}]
    bench.engine.link_closed(cast(Any, link))


async def test_the_end_of_a_recorder_is_told_to_the_hub(bench: Bench, recorder: FakeLink) -> None:
    bench.engine.link_closed(cast(Any, recorder))
    assert bench.of(m.SinkEnded) == [m.SinkEnded("r", "s")]
    assert bench.plane.taps == {}
    assert bench.engine.snapshot().rooms[0].sinks == []


async def test_hidden_people_are_not_shown_to_a_sink(bench: Bench, recorder: FakeLink) -> None:
    bench.join("PA_h", hidden=True)
    assert "PA_h" not in [one.peer for one in recorder.of(m.SinkPeer)]


async def test_nor_are_those_who_were_there_before_it(bench: Bench) -> None:
    bench.publish()
    bench.join("PA_h", hidden=True)
    link = FakeLink()
    bench.engine.recorder(cast(Any, link), m.OpenSink("r", "s"))
    assert [one.peer for one in link.of(m.SinkPeer)] == ["PA_a", "PA_b"]
    bench.engine.link_closed(cast(Any, link))


async def test_a_sink_of_a_room_that_is_not_here() -> None:
    bench = Bench()
    with pytest.raises(HubError) as caught:
        bench.engine.recorder(cast(Any, FakeLink()), m.OpenSink("elsewhere", "s"))
    assert caught.value.code == "no_room"


@pytest.mark.parametrize(
    ("only", "tracks", "people"),
    [
        ([m.Pick(identity="id-PA_a")], ["TR_audio_PA_a", "TR_video_PA_a"], ["id-PA_a"]),
        ([m.Pick(identity="id-PA_a", source="camera")], ["TR_video_PA_a"], ["id-PA_a"]),
        ([m.Pick(kind="audio")], ["TR_audio_PA_a", "TR_audio_PA_b"], ["id-PA_a", "id-PA_b"]),
        ([m.Pick(track="TR_video_PA_b"), m.Pick(identity="id-PA_a", kind="audio")], ["TR_audio_PA_a", "TR_video_PA_b"], None),
    ],
)
async def test_a_sink_of_parts_hears_of_nothing_else(
    bench: Bench, only: list[m.Pick], tracks: list[str], people: list[str] | None
) -> None:
    link = FakeLink()
    bench.publish()
    bench.engine.recorder(cast(Any, link), m.OpenSink("r", "s", only))
    bench.publish("PA_b")
    bench.engine.audio_levels([(bench.receiver("TR_audio_PA_b"), 10)])
    assert sorted(one.track for one in link.of(m.SinkTrack)) == tracks
    if people is not None:
        assert sorted(one.identity for one in link.of(m.SinkPeer)) == people
        heard = {speaker.identity for told in link.of(m.SinkSpeakers) for speaker in told.speakers}
        assert heard <= set(people)
    assert len(bench.plane.taps) == len(tracks)
    bench.engine.link_closed(cast(Any, link))


def taps_layer(bench: Bench) -> int | None:
    """Of the tap of the video."""
    tap = next(tap for tap, (receiver, _) in bench.plane.taps.items() if receiver == bench.receiver("TR_video_PA_a"))
    layer: int | None = bench.plane.state.get(tap, {}).get("layer")
    return layer


async def test_a_recording_of_what_is_watched_does_not_ask_for_more(bench: Bench) -> None:
    bench.publish()
    link = FakeLink()
    bench.engine.recorder(cast(Any, link), m.OpenSink("r", "s", layers="watched"))
    await settled()
    assert taps_layer(bench) == 0
    bench.pass_time(1)
    assert bench.take(m.Wanted)[-1].codecs == [("video/VP8", [0])]
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    await settled()
    assert taps_layer(bench) == 2
    assert bench.take(m.Wanted)[-1].codecs == [("video/VP8", [0, 1, 2])]
    bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], quality=1))
    await settled()
    bench.pass_time(5)
    assert taps_layer(bench) == 2  # each change is another file
    bench.pass_time(6)
    assert taps_layer(bench) == 1
    bench.engine.link_closed(cast(Any, link))


async def test_a_recording_asks_for_the_best_layer(bench: Bench, recorder: FakeLink) -> None:
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], quality=0))
    await settled()
    bench.pass_time(2)
    assert bench.of(m.Wanted) == []
    assert taps_layer(bench) is None
    bench.engine.recorder(cast(Any, recorder), m.CloseSink("r", "s"))
    await settled()
    bench.pass_time(2)
    assert bench.take(m.Wanted)[-1].codecs == [("video/VP8", [0])]


async def test_a_recorder_whose_disk_gets_full_takes_less_and_makes_nobody_send_more(bench: Bench, recorder: FakeLink) -> None:
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], quality=0))
    await settled()
    bench.pass_time(2)
    bench.take(m.Wanted)
    for handle, most in ((1, 0), (2, 0), (77, 0)):  # sound has no layers; nobody has the last one
        bench.engine.recorder(cast(Any, recorder), m.SinkLayer(handle, most))
    await settled()
    bench.pass_time(2)
    assert taps_layer(bench) == 0
    assert bench.take(m.Wanted)[-1].codecs == [("video/VP8", [0])]
    bench.engine.recorder(cast(Any, recorder), m.SinkLayer(2, 9))
    await settled()
    bench.pass_time(2)
    assert taps_layer(bench) == 2
    assert bench.take(m.Wanted)[-1].codecs == [("video/VP8", [0, 1, 2])]
