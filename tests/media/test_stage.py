from __future__ import annotations

from commhub.media import messages as m
from commhub.media.plane import LayerCounters, RouteCounters
from tests.support.client import Offer
from tests.support.engine import Bench, settled, watching


async def test_gates_and_mute(bench: Bench) -> None:
    route = await watching(bench)
    receiver = bench.receiver("TR_video_PA_a")
    assert bench.plane.state[route]["allowed"]
    bench.tell(m.Allow("r", "PA_b", "TR_video_PA_a", False))
    assert not bench.plane.state[route]["allowed"]
    bench.tell(m.Allow("r", "PA_b", "TR_video_PA_a", True))
    assert bench.plane.state[route]["allowed"]
    bench.tell(m.Mute("r", "TR_video_PA_a", True))
    assert not bench.plane.state[receiver]["open"]
    bench.tell(m.Open("r", "TR_video_PA_a", False))
    bench.tell(m.Mute("r", "TR_video_PA_a", False))
    assert not bench.plane.state[receiver]["open"]
    bench.tell(m.Open("r", "TR_video_PA_a", True))
    assert bench.plane.state[receiver]["open"]
    assert (receiver,) in bench.plane.of("request_key_frame")


async def test_a_gate_shut_before_holds_from_the_first_packet(bench: Bench) -> None:
    bench.tell(m.Allow("r", "PA_b", "TR_video_PA_a", False))
    assert not bench.plane.state[await watching(bench)]["allowed"]


async def test_what_was_muted_when_announced_stays_shut(bench: Bench) -> None:
    bench.announce("PA_a", "TR", "audio", "mic", muted=True)
    bench.offer("PA_a", Offer().send("audio", "mic"))
    assert not bench.plane.state[bench.receiver("TR")]["open"]


async def test_who_may_not_subscribe_gets_nothing(bench: Bench) -> None:
    route = await watching(bench)
    bench.tell(m.UpdatePeer("r", "PA_b", may_subscribe=False))
    assert not bench.plane.state[route]["allowed"]
    bench.tell(m.UpdatePeer("r", "PA_b", may_subscribe=True))
    assert bench.plane.state[route]["allowed"]


async def test_the_view_decides_layer_and_pause(bench: Bench) -> None:
    route = await watching(bench)
    assert bench.plane.state[route] == {"allowed": True, "layer": 2, "temporal": 99, "paused": False}
    bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], quality=0))
    assert bench.plane.state[route]["layer"] == 0
    bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], enabled=False, quality=2))
    assert bench.plane.state[route]["paused"]


async def test_publishers_hear_what_is_wanted(bench: Bench) -> None:
    await watching(bench)
    assert bench.take(m.Wanted) == []  # everything is what a client sends by itself
    bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], quality=0))
    await settled()
    assert bench.take(m.Wanted) == []
    bench.pass_time(0.7)
    assert bench.take(m.Wanted) == [m.Wanted("r", "PA_a", "TR_video_PA_a", [("video/VP8", [0])])]
    bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], quality=1))
    await settled()
    assert bench.take(m.Wanted) == [m.Wanted("r", "PA_a", "TR_video_PA_a", [("video/VP8", [0, 1])])]
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"], False))
    await settled()
    bench.pass_time(1)
    assert bench.take(m.Wanted) == []
    bench.pass_time(3)
    assert bench.take(m.Wanted) == [m.Wanted("r", "PA_a", "TR_video_PA_a", [("video/VP8", [])])]


async def test_a_short_look_away_does_not_reach_the_publisher(bench: Bench) -> None:
    await watching(bench)
    for enabled in (False, True):
        bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], enabled=enabled))
        await settled()
        bench.pass_time(0.3)
    bench.pass_time(10)
    assert bench.of(m.Wanted) == []


async def test_a_narrow_subscriber_gets_a_lower_layer_and_then_nothing(bench: Bench) -> None:
    bench.publish()
    bench.join("PA_c")
    bench.publish("PA_c")
    videos = ["TR_video_PA_a", "TR_video_PA_c"]
    bench.tell(m.Subscribe("r", "PA_b", videos))
    bench.offer("PA_b", Offer().receive("video", 2))
    first, second = (bench.subscription("PA_b", name).route for name in videos)
    for name in videos:
        bench.plane.layer_counters[bench.receiver(name)] = [LayerCounters(bitrate=b) for b in (150_000, 500_000, 1_700_000)]
    transport = bench.plane.routes[first].transport

    def report(estimate: int, times: int = 4) -> None:
        for _ in range(times):
            bench.now += 1
            for route in (first, second):
                counters = bench.plane.route_counters.setdefault(route, RouteCounters())
                layer = bench.plane.state[route]["layer"]
                if not bench.plane.state[route]["paused"]:
                    counters.octets += (150_000, 500_000, 1_700_000)[layer] // 8
            bench.engine.bandwidth(transport, estimate)

    report(5_000_000)
    assert [bench.plane.state[route]["layer"] for route in (first, second)] == [2, 2]
    report(1_200_000)
    assert [bench.plane.state[route]["layer"] for route in (first, second)] == [1, 1]
    report(200_000, 5)
    assert bench.plane.state[first] == {"allowed": True, "layer": 0, "temporal": 99, "paused": False}
    assert bench.plane.state[second]["paused"]
    assert bench.of(m.Paused) == [m.Paused("r", "PA_b", "TR_video_PA_c", True)]
