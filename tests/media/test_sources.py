from __future__ import annotations

from typing import Any, cast

import pytest

from commhub.media import messages as m
from tests.support.client import Offer
from tests.support.engine import Bench, FakeLink, batch, camera, push


@pytest.mark.parametrize("pushed_first", [True, False])
async def test_a_camera_is_bound_when_its_source_is_there(bench: Bench, pushed_first: bool) -> None:
    link = FakeLink()
    if pushed_first:
        push(bench, link)
    camera(bench)
    if not pushed_first:
        push(bench, link)
    assert bench.of(m.TrackBound) == [m.TrackBound("r", "PA_cam", "TR_PA_cam", "video", "video/H264")]
    assert list(bench.plane.receivers.values()) == ["video/H264"]
    bench.engine.sources.batch(cast(Any, link), batch((1, b"rtp"), (99, b"unknown")))
    assert bench.plane.of("feed") == [(bench.receiver("TR_PA_cam"), b"rtp", 5)]
    assert bench.plane.of("flush") == [()]
    assert bench.engine.sources.refused == 1
    assert bench.engine.snapshot().sources == ["C1"]


async def test_one_source_in_two_rooms_is_one_receiver(bench: Bench) -> None:
    bench.tell(m.AddPeer("r2", "PA_z", "z"))
    link = FakeLink()
    camera(bench)
    camera(bench, "r2", "PA_cam2")
    push(bench, link)
    assert len(bench.plane.receivers) == 1
    bench.tell(m.Subscribe("r", "PA_b", ["TR_PA_cam"]))
    bench.tell(m.Subscribe("r2", "PA_z", ["TR_PA_cam2"]))
    bench.offer("PA_b", Offer().receive("video"))
    bench.engine.command(m.Offer("r2", "PA_z", Offer().receive("video").text()))
    assert [route.payload_type for route in bench.plane.routes.values()] == [102, 102]
    # Gate one of a room shuts the camera there, and nowhere else.
    bench.tell(m.Open("r", "TR_PA_cam", False))
    here, there = bench.plane.routes
    assert (bench.plane.state[here]["allowed"], bench.plane.state[there]["allowed"]) == (False, True)
    assert "open" not in bench.plane.state.get(bench.receiver("TR_PA_cam"), {})
    bench.tell(m.CloseRoom("r2"))
    assert len(bench.plane.receivers) == 1


async def test_a_bridge_that_comes_back_feeds_the_same_receiver(bench: Bench) -> None:
    first, second = FakeLink(), FakeLink()
    camera(bench)
    push(bench, first)
    receiver = bench.receiver("TR_PA_cam")
    bench.events.clear()
    bench.engine.link_closed(cast(Any, first))
    assert bench.events == []
    assert bench.engine.snapshot().sources == []
    push(bench, second, handle=7)
    assert bench.of(m.TrackBound) == []
    bench.engine.sources.batch(cast(Any, second), batch((7, b"rtp")))
    assert bench.plane.of("feed") == [(receiver, b"rtp", 5)]
    bench.engine.key_frame_wanted(receiver, 0)
    assert second.told == [m.KeyFrameWanted(7)]


async def test_another_codec_is_another_track_to_bind(bench: Bench) -> None:
    link = FakeLink()
    camera(bench)
    push(bench, link)
    push(bench, link, 2, m.Codec("video/VP8", 90_000))
    assert [event.mime for event in bench.of(m.TrackBound)] == ["video/H264", "video/VP8"]
    assert bench.of(m.TrackEnded) == [m.TrackEnded("r", "PA_cam", "TR_PA_cam")]
    assert list(bench.plane.receivers.values()) == ["video/VP8"]


async def test_the_hub_ends_a_source_for_good(bench: Bench) -> None:
    link = FakeLink()
    camera(bench)
    push(bench, link)
    bench.engine.bridge(cast(Any, link), m.EndSource("C1"))
    assert len(bench.plane.receivers) == 1  # its bridge only pauses it
    bench.tell(m.EndSource("C1"))
    assert bench.plane.receivers == {}
    assert bench.of(m.TrackEnded) == [m.TrackEnded("r", "PA_cam", "TR_PA_cam")]


async def test_demand_follows_viewers_and_recorders(bench: Bench) -> None:
    link, recorder = FakeLink(), FakeLink()
    camera(bench)
    bench.pass_time(60)
    assert bench.take(m.Demand) == []  # nobody could have subscribed yet
    push(bench, link)
    bench.pass_time(3)
    assert bench.take(m.Demand) == []
    bench.pass_time(3)
    assert bench.take(m.Demand) == [m.Demand("C1", False, "media-0")]
    bench.tell(m.Subscribe("r", "PA_b", ["TR_PA_cam"]))
    bench.pass_time(0.5)
    assert bench.take(m.Demand) == [m.Demand("C1", True, "media-0")]
    bench.engine.recorder(cast(Any, recorder), m.OpenSink("r", "s"))
    bench.tell(m.Subscribe("r", "PA_b", ["TR_PA_cam"], False))
    bench.pass_time(20)
    assert bench.take(m.Demand) == []
    bench.engine.recorder(cast(Any, recorder), m.CloseSink("r", "s"))
    bench.pass_time(6)
    assert bench.take(m.Demand) == [m.Demand("C1", False, "media-0")]
    bench.engine.sources.retell()
    assert bench.take(m.Demand) == [m.Demand("C1", False, "media-0")]


async def test_the_cameras_clock_reaches_plane_and_recorder(bench: Bench) -> None:
    link, recorder = FakeLink(), FakeLink()
    camera(bench)
    push(bench, link)
    bench.engine.recorder(cast(Any, recorder), m.OpenSink("r", "s"))
    bench.engine.bridge(cast(Any, link), m.SourceClock(1, 90_000, 77))
    bench.engine.bridge(cast(Any, link), m.SourceClock(9, 90_000, 77))
    assert bench.plane.of("feed_clock") == [(bench.receiver("TR_PA_cam"), 90_000, 77)]
    ((tap, _),) = bench.plane.taps.items()
    bench.engine.sender_report(tap, 91_000, 77)  # the plane knows the time stamps that the tap has
    assert [(one.handle, one.rtp_time, one.ntp) for one in recorder.of(m.SinkClock)] == [(1, 91_000, 77)]
