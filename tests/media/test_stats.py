"""How everybody in a room sends and receives, as a worker tells it."""

from __future__ import annotations

import random
import time

import pytest

from commhub.errors import NotFound
from commhub.media.messages import AskStats, Mute, PeerStats, RoomStats
from commhub.media.plane import Contact, LayerCounters, Reception, RouteCounters
from commhub.wire import rtcp
from tests.support.engine import Bench, watching
from tests.support.plane import Vp8Track, until
from tests.support.stage import OUT, Stage, sequence_of

VIDEO = "TR_video_PA_a"


def ask(bench: Bench) -> tuple[RoomStats, dict[str, PeerStats]]:
    answer = bench.engine.command(AskStats("r"))
    assert isinstance(answer, RoomStats)
    return answer, {one.peer: one for one in answer.peers}


async def test_rates_are_between_two_looks(bench: Bench) -> None:
    route = await watching(bench)
    receiver = bench.receiver(VIDEO)
    bench.plane.receptions[receiver] = Reception(1000, 1000, 0, 1_000_000, 5)
    bench.plane.route_counters[route] = RouteCounters(octets=500_000, nacks=10)
    first, people = ask(bench)
    assert first.seconds == 0
    assert people["PA_a"].up[-1].bitrate == 0
    assert people["PA_b"].down[0].bitrate == 0
    bench.now += 2
    bench.plane.receptions[receiver] = Reception(1200, 1150, 10, 1_500_000, 65, jitter_ms=12.34)
    bench.plane.layer_counters[receiver] = [
        LayerCounters(bitrate=150_000, width=320, height=180, last_at=bench.now - 0.25),
        LayerCounters(bitrate=1_850_000, width=1280, height=720, last_at=bench.now - 0.5),
    ]
    bench.plane.route_counters[route] = RouteCounters(
        octets=1_000_000, nacks=14, lost=20, highest=160, jitter_ms=3.0, rtt_ms=40.0, layer=1
    )
    second, people = ask(bench)
    assert second.seconds == 2.0
    (up,) = [one for one in people["PA_a"].up if one.track == VIDEO]
    assert (up.bitrate, up.loss, up.gone, up.nacks, up.jitter_ms) == (2_000_000, 0.25, 0.05, 30.0, 12.3)
    assert (up.age, up.layers, up.width, up.height) == (0.25, [150_000, 1_850_000], 1280, 720)
    (down,) = people["PA_b"].down
    assert (down.track, down.bitrate, down.loss, down.upstream, down.nacks) == (VIDEO, 2_000_000, 0.125, 0.05, 2.0)
    assert (down.layer, down.wanted, down.flows, down.seen, down.paused) == (1, 1, True, True, False)
    assert (people["PA_b"].rtt_ms, people["PA_a"].rtt_ms) == (40.0, 0.0)


async def test_a_stream_that_began_anew_counts_from_nothing(bench: Bench) -> None:
    await watching(bench)
    receiver = bench.receiver(VIDEO)
    bench.plane.receptions[receiver] = Reception(1000, 900, 50, 1_000_000, 5)
    ask(bench)
    bench.now += 1
    bench.plane.receptions[receiver] = Reception(20, 20, 50, 1_100_000, 5)
    (up,) = [one for one in ask(bench)[1]["PA_a"].up if one.track == VIDEO]
    assert (up.loss, up.gone, up.bitrate) == (0.0, 0.0, 800_000)


async def test_who_is_muted_or_sends_nothing_does_not_flow(bench: Bench) -> None:
    await watching(bench)
    receiver = bench.receiver(VIDEO)
    assert not ask(bench)[1]["PA_b"].down[0].flows  # never a packet
    bench.plane.layer_counters[receiver] = [LayerCounters(last_at=bench.now)]
    bench.now += 1
    assert ask(bench)[1]["PA_b"].down[0].flows
    bench.now += 5
    assert not ask(bench)[1]["PA_b"].down[0].flows
    bench.plane.layer_counters[receiver] = [LayerCounters(last_at=bench.now)]
    bench.tell(Mute("r", VIDEO, True))
    bench.now += 1
    people = ask(bench)[1]
    assert not people["PA_b"].down[0].flows
    assert next(one for one in people["PA_a"].up if one.track == VIDEO).muted


async def test_the_path_is_told_and_when_it_was_heard(bench: Bench) -> None:
    await watching(bench)
    connection = bench.engine.rooms["r"].peers["PA_b"].connection
    assert connection is not None
    assert ask(bench)[1]["PA_b"].over == ""
    bench.plane.contacts[connection.transports[0].number] = Contact("tcp", bench.now - 3)
    bench.now += 1
    told = ask(bench)[1]["PA_b"]
    assert (told.over, told.heard) == ("tcp", 4.0)


async def test_who_asks_again_at_once_gets_the_same_and_after_a_while_begins_anew(bench: Bench) -> None:
    first, _ = ask(bench)
    bench.now += 0.2
    assert ask(bench)[0] is first
    bench.now += 1
    assert ask(bench)[0].seconds == 1.2
    bench.now += 60
    assert ask(bench)[0].seconds == 0
    with pytest.raises(NotFound):
        bench.engine.command(AskStats("elsewhere"))


async def test_the_plane_counts_what_was_lost_on_the_way() -> None:
    """A third of the packets is lost by a seed, none of them repaired; the subscriber asks for some that were there."""
    stage, seeded = Stage(), random.Random(3)
    try:
        publisher, subscriber = stage.client(), stage.client()
        stage.video(1, publisher, ssrcs={77: 0})
        stage.route(5, 1, subscriber, OUT)
        track = Vp8Track(77)
        sent = [packet for number in range(40) for packet in track.frame(key=number == 0)]
        kept = [packet for number, packet in enumerate(sent) if number < 3 or number == len(sent) - 1 or seeded.random() > 1 / 3]
        for packet in kept:
            publisher.send(packet)
        await until(lambda: stage.plane.reception(1).received == len(kept))
        found = stage.plane.reception(1)
        assert (found.expected, found.expected - found.received) == (len(sent), len(sent) - len(kept))
        assert found.octets > 0
        await until(lambda: stage.plane.reception(1).nacks >= len(sent) - len(kept))
        await until(lambda: len(subscriber.received) == len(kept))
        asked = [sequence_of(packet) for packet in subscriber.received[-5:]]
        subscriber.send_rtcp(rtcp.build_nack(1, OUT, asked))
        await until(lambda: stage.plane.counters(5).nacks == 5)
        assert stage.plane.counters(5).resent == 5
        contact = stage.plane.contact(publisher.number)
        assert contact.over == "udp"
        assert abs(contact.heard - time.monotonic()) < 60
        assert stage.plane.contact(99) == Contact()
        stage.plane.remove_receiver(1)
        assert stage.plane.reception(1) == Reception()
        assert stage.statistic("lost") >= 0
    finally:
        stage.close()
