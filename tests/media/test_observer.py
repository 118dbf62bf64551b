from __future__ import annotations

from commhub.media import messages as m
from commhub.media.plane import Reception, RouteCounters
from tests.support.engine import Bench, watching


async def test_speakers_are_told_by_change(bench: Bench) -> None:
    bench.publish()
    receiver = bench.receiver("TR_audio_PA_a")
    for _ in range(8):
        bench.engine.audio_levels([(receiver, 10)])
        bench.pass_time(0.1)
    (told,) = bench.take(m.Speakers)
    assert [(one.peer, one.identity, one.active) for one in told.speakers] == [("PA_a", "id-PA_a", True)]
    assert 0.5 < told.speakers[0].level <= 0.75
    bench.pass_time(3)
    assert [one.active for event in bench.of(m.Speakers) for one in event.speakers][-1] is False
    assert bench.engine.observer._speakers["r"].active() == {}


async def test_background_noise_is_no_speech(bench: Bench) -> None:
    bench.publish()
    for _ in range(20):
        bench.engine.audio_levels([(bench.receiver("TR_audio_PA_a"), 50)])
        bench.pass_time(0.1)
    assert bench.of(m.Speakers) == []


async def test_who_mutes_stops_speaking_at_once(bench: Bench) -> None:
    bench.publish()
    for _ in range(8):
        bench.engine.audio_levels([(bench.receiver("TR_audio_PA_a"), 10)])
        bench.pass_time(0.1)
    bench.take(m.Speakers)
    bench.tell(m.Mute("r", "TR_audio_PA_a", True))
    assert bench.take(m.Speakers) == [m.Speakers("r", [m.Speaker("PA_a", "id-PA_a", 0.0, False)])]


async def test_quality_follows_loss(bench: Bench) -> None:
    route = await watching(bench)
    room = bench.engine.rooms["r"]
    room.peers["PA_a"].connected = room.peers["PA_b"].connected = True
    bench.pass_time(6)
    assert [(one.peer, one.quality) for one in bench.take(m.Quality)[0].peers] == [("PA_a", 2), ("PA_b", 2)]
    receiver = bench.receiver("TR_video_PA_a")
    bench.plane.route_counters[route] = RouteCounters(packets=1000, lost=250, highest=1000, rtt_ms=200)
    bench.plane.receptions[receiver] = Reception(expected=1000, received=900, lost=50, nacks=100)
    bench.pass_time(6)
    assert {one.peer: one.quality for event in bench.take(m.Quality) for one in event.peers} == {"PA_a": 1, "PA_b": 0}
    bench.plane.receptions[receiver] = Reception(expected=2000, received=1900, lost=50, nacks=100)
    room.peers["PA_b"].connected = False
    bench.pass_time(6)
    assert {one.peer: one.quality for event in bench.take(m.Quality) for one in event.peers} == {"PA_a": 2, "PA_b": 3}
