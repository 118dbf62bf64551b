"""Two streams of one camera are two layers of one picture: over real sockets, and as the engine tells of them."""

from __future__ import annotations

import itertools
from typing import Any, cast

from commhub.media import messages as m
from tests.support.client import Offer
from tests.support.engine import H264, Bench, FakeLink, batch, camera, settled
from tests.support.fed import FedTrack, is_key, layer_of
from tests.support.plane import until
from tests.support.stage import Stage, sequences, timestamp_of

SUB, MAIN = 0, 1
LOW, HIGH = 0, 2


def steps(packets: list[bytes]) -> list[int]:
    times = [timestamp_of(packet) for packet in packets]
    return [later - earlier & 0xFFFFFFFF for earlier, later in itertools.pairwise(times)]


async def test_a_viewer_goes_from_layer_to_layer_at_key_frames(stage: Stage) -> None:
    """One stream to its receiver: no hole in the numbers, time goes on as the camera's one clock says."""
    subscriber = stage.client()
    stage.plane.add_fed_receiver(5, "video", "video/H264", 90_000, 2)
    stage.route(9, 5, subscriber)
    stage.plane.set_layer(9, LOW)
    sub, main = FedTrack(stage.plane, 5, SUB, timestamp=90_000), FedTrack(stage.plane, 5, MAIN, ssrc=501, timestamp=90_000)
    sub.frames(3, key=True)
    await until(lambda: len(subscriber.received) == 6)
    stage.plane.set_layer(9, HIGH)
    main.timestamp = sub.timestamp
    main.frame()  # nobody can begin here
    sub.frame()
    await until(lambda: len(subscriber.received) == 8)
    main.frames(3, key=True)
    sub.frames(3)
    await until(lambda: len(subscriber.received) == 14)
    assert [layer_of(packet) for packet in subscriber.received] == [SUB] * 8 + [MAIN] * 6
    assert is_key(subscriber.received[8])
    assert sequences(subscriber.received) == list(range(14))
    assert steps(subscriber.received)[1::2] == [3600] * 6
    stage.plane.set_layer(9, LOW, patient=True)
    sub.timestamp = main.timestamp
    sub.frames(2, key=True)
    await until(lambda: len(subscriber.received) == 18)
    assert [layer_of(packet) for packet in subscriber.received[14:]] == [SUB] * 4
    assert steps(subscriber.received)[13] == 3600


async def test_a_layer_that_is_not_there_yet_is_shown_as_the_other_one(stage: Stage) -> None:
    subscriber = stage.client()
    stage.plane.add_fed_receiver(5, "video", "video/H264", 90_000, 2)
    stage.route(9, 5, subscriber)
    stage.plane.set_layer(9, LOW)
    await until(lambda: {(5, SUB), (5, MAIN)} == set(stage.events.of("key_frame_wanted")))  # whichever comes
    main = FedTrack(stage.plane, 5, MAIN, ssrc=501, timestamp=7200)
    main.frames(2, key=True)
    await until(lambda: len(subscriber.received) == 4)
    sub = FedTrack(stage.plane, 5, SUB, timestamp=main.timestamp)
    sub.frames(2, key=True)
    await until(lambda: len(subscriber.received) == 8)
    assert [layer_of(packet) for packet in subscriber.received] == [MAIN] * 4 + [SUB] * 4
    assert steps(subscriber.received)[1::2] == [3600] * 3


async def test_layers_whose_clocks_differ_are_put_together_by_their_reports(stage: Stage) -> None:
    subscriber = stage.client()
    stage.plane.add_fed_receiver(5, "video", "video/H264", 90_000, 2)
    stage.route(9, 5, subscriber)
    stage.plane.set_layer(9, LOW)
    second = 1_000_000_000
    stage.plane.feed_clock(5, 90_000, 1_700_000_000 * second, SUB)
    stage.plane.feed_clock(5, 95_000, 1_700_000_000 * second, MAIN)
    sub = FedTrack(stage.plane, 5, SUB, timestamp=90_000)
    sub.frames(2, key=True)
    stage.plane.set_layer(9, HIGH)
    FedTrack(stage.plane, 5, MAIN, ssrc=501, timestamp=95_000 + 2 * 3600).frames(2, key=True)
    await until(lambda: len(subscriber.received) == 8)
    assert steps(subscriber.received)[1::2] == [3600] * 3


# ---- as the engine tells of them


def two(bench: Bench, link: FakeLink, *layers: str) -> None:
    sizes = {"sub": (704, 576), "main": (2560, 1440), "": (0, 0)}
    streams = [m.SourceStream(number, "video", H264, *sizes[layer], layer=layer) for number, layer in enumerate(layers, 1)]
    bench.engine.bridge(cast(Any, link), m.PushSource("C1", streams))


def watch(bench: Bench, quality: int, *, enabled: bool = True) -> None:
    bench.tell(m.Shape("r", "PA_b", ["TR_PA_cam"], enabled=enabled, quality=quality))


async def test_two_streams_are_one_track_and_one_receiver(bench: Bench) -> None:
    link = FakeLink()
    camera(bench)
    two(bench, link, "main", "sub")
    assert len(bench.plane.receivers) == 1
    receiver = bench.receiver("TR_PA_cam")
    assert len(bench.of(m.TrackBound)) == 1
    (told,) = bench.of(m.TrackLayers)
    assert [(layer.quality, layer.width, layer.height) for layer in told.layers] == [(LOW, 704, 576), (HIGH, 2560, 1440)]
    bench.engine.sources.batch(cast(Any, link), batch((1, b"main"), (2, b"sub")))
    assert bench.plane.of("feed") == [(receiver, b"main", 5, MAIN), (receiver, b"sub", 5)]
    bench.engine.bridge(cast(Any, link), m.SourceClock(1, 90_000, 77))
    assert bench.plane.of("feed_clock") == [(receiver, 90_000, 77, MAIN)]
    bench.engine.key_frame_wanted(receiver, MAIN)
    bench.engine.key_frame_wanted(receiver, SUB)
    assert link.told == [m.KeyFrameWanted(1), m.KeyFrameWanted(2)]


async def test_one_of_two_streams_is_announced_as_both(bench: Bench) -> None:
    """The other one is pulled when somebody asks for it; its size is not known before."""
    link = FakeLink()
    camera(bench)
    two(bench, link, "sub")
    (told,) = bench.take(m.TrackLayers)
    assert [(layer.quality, layer.width, layer.height) for layer in told.layers] == [(LOW, 704, 576), (HIGH, 1920, 1080)]
    receiver = bench.receiver("TR_PA_cam")
    two(bench, link, "sub", "main")
    (told,) = bench.take(m.TrackLayers)
    assert [(layer.quality, layer.width, layer.height) for layer in told.layers] == [(LOW, 704, 576), (HIGH, 2560, 1440)]
    assert bench.receiver("TR_PA_cam") == receiver
    two(bench, link, "main")  # the other one is no longer pulled
    assert bench.take(m.TrackLayers) == []
    bench.engine.sources.batch(cast(Any, link), batch((1, b"x")))
    assert bench.plane.of("feed") == [(receiver, b"x", 5, MAIN)]
    bench.engine.sources.retell()
    assert len(bench.take(m.TrackLayers)) == 1


async def test_a_camera_with_one_stream_has_no_layers(bench: Bench) -> None:
    link = FakeLink()
    camera(bench)
    two(bench, link, "")
    assert bench.of(m.TrackLayers) == []
    before = bench.receiver("TR_PA_cam")
    two(bench, link, "main", "sub")  # a device that was set up anew
    assert bench.receiver("TR_PA_cam") != before
    assert len(bench.take(m.TrackLayers)) == 1


async def test_only_the_layers_that_somebody_takes_are_demanded(bench: Bench) -> None:
    link, recorder = FakeLink(), FakeLink()
    camera(bench)
    two(bench, link, "main", "sub")
    bench.tell(m.Subscribe("r", "PA_b", ["TR_PA_cam"]))
    watch(bench, LOW)
    await settled()
    assert bench.take(m.Demand) == [m.Demand("C1", True, "media-0", ("sub",))]
    watch(bench, HIGH)
    await settled()
    watch(bench, LOW)
    bench.pass_time(1)
    assert bench.take(m.Demand) == []  # what is large for a moment only is not worth another stream
    watch(bench, HIGH)
    bench.pass_time(1)
    assert bench.take(m.Demand) == [m.Demand("C1", True, "media-0", ("main", "sub"))]
    bench.pass_time(6)
    assert bench.take(m.Demand) == [m.Demand("C1", True, "media-0", ("main",))]
    watch(bench, LOW)
    bench.pass_time(3)
    watch(bench, HIGH)
    bench.pass_time(6)
    both, less = bench.take(m.Demand)
    assert (both.layers, less.layers) == (("main", "sub"), ("main",))  # a view that was small for a moment
    watch(bench, HIGH, enabled=False)  # it is ready for who scrolls back
    bench.pass_time(6)
    assert bench.take(m.Demand)[-1].layers == ("sub",)
    bench.engine.recorder(cast(Any, recorder), m.OpenSink("r", "s"))
    await settled()
    bench.tell(m.Subscribe("r", "PA_b", ["TR_PA_cam"], False))
    bench.pass_time(6)
    assert bench.take(m.Demand)[-1].layers == ("main",)
    bench.engine.recorder(cast(Any, recorder), m.CloseSink("r", "s"))
    bench.engine.recorder(cast(Any, recorder), m.OpenSink("r", "t", layers="watched"))
    bench.pass_time(6)
    assert bench.take(m.Demand)[-1].layers == ("sub",)  # nobody watches
    bench.engine.recorder(cast(Any, recorder), m.CloseSink("r", "t"))
    bench.pass_time(6)
    assert bench.take(m.Demand) == [m.Demand("C1", False, "media-0")]


async def test_too_little_bandwidth_is_demand_for_the_smaller_layer(bench: Bench) -> None:
    link = FakeLink()
    camera(bench)
    two(bench, link, "main", "sub")
    bench.tell(m.Subscribe("r", "PA_b", ["TR_PA_cam"]))
    bench.offer("PA_b", Offer().receive("video"))
    await settled()
    bench.pass_time(1)
    bench.subscription("PA_b", "TR_PA_cam").cap = 0
    bench.pass_time(0.5)
    assert bench.take(m.Demand)[-1].layers == ("main", "sub")
    bench.pass_time(6)
    assert bench.take(m.Demand)[-1].layers == ("sub",)


async def test_the_larger_stream_is_asked_for_as_soon_as_it_is_sure(bench: Bench) -> None:
    link = FakeLink()
    camera(bench)
    two(bench, link, "main", "sub")
    bench.tell(m.Subscribe("r", "PA_b", ["TR_PA_cam"]))
    watch(bench, LOW)
    await settled()
    bench.pass_time(1)
    assert bench.take(m.Demand)[-1].layers == ("sub",)
    watch(bench, HIGH)
    await settled()
    bench.pass_time(0.2)
    assert bench.take(m.Demand) == []
    bench.pass_time(0.2)
    assert bench.take(m.Demand) == [m.Demand("C1", True, "media-0", ("main", "sub"))]
