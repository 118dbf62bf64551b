"""Who comes to a running camera gets what came since its last key frame: over real sockets, with libsrtp at the other end."""

from __future__ import annotations

import itertools
import time

import pytest

from bridges.timeline import Timeline
from commhub.media import joining, uplink
from commhub.media.downlink import SQUEEZE
from commhub.wire import h264, rtcp, rtp
from commhub.wire import h265 as wire_h265
from tests.support import h265
from tests.support.fed import FedTrack, is_key, layer_of
from tests.support.plane import quiet, until
from tests.support.stage import Stage, sequence_of, sequences, timestamp_of


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    stage.plane.add_fed_receiver(5, "video", "video/H264", 90_000, 2)
    return stage


def bodies(packets: list[bytes]) -> list[int]:
    """Which packet of its layer each one is."""
    return [int.from_bytes(rtp.payload(packet)[1:5], "big") for packet in packets]


def ahead(packet: bytes, other: bytes) -> int:
    return (timestamp_of(packet) - timestamp_of(other) + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def forward(packets: list[bytes]) -> bool:
    return all(ahead(later, earlier) >= 0 for earlier, later in itertools.pairwise(packets))


async def test_a_newcomer_begins_at_the_last_key_frame_at_once(stage: Stage) -> None:
    camera = FedTrack(stage.plane, 5, timestamp=0xFFFF0000)
    camera.frames(10, key=True)
    camera.frames(25, key=True)
    subscriber = stage.client()
    stage.route(9, 5, subscriber)
    await until(lambda: len(subscriber.received) == 50)
    assert stage.events.of("key_frame_wanted") == []  # it would come too late
    camera.frames(5)
    camera.frames(5, key=True)
    await until(lambda: len(subscriber.received) == 70)
    received = subscriber.received
    assert is_key(received[0])
    assert bodies(received) == list(range(20, 90))
    assert sequences(received) == list(range(70))
    assert forward(received)
    # All of the past is over within a moment, then time goes its way.
    assert 0 < ahead(received[49], received[0]) <= 25 * 3600 // SQUEEZE + 1
    assert [ahead(later, earlier) for earlier, later in itertools.pairwise(received[48::2])] == [3600] * 10
    times = [timestamp_of(packet) for packet in received]
    assert len(set(times)) == 35  # every picture has a time of its own


async def test_what_comes_meanwhile_follows_in_order(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst takes its time on its way; nothing that comes during it is lost, doubled or early."""
    monkeypatch.setattr(joining, "AT_ONCE", 2_000)
    monkeypatch.setattr(joining, "RATE", 500_000)
    camera = FedTrack(stage.plane, 5)
    camera.frame(key=True, packets=3, size=900)
    for _ in range(10):
        camera.frame(packets=3, size=900)
    subscriber = stage.client()
    stage.route(9, 5, subscriber)
    for number in range(20):
        await quiet(0.005)
        camera.frame(key=number == 10, packets=3, size=900)
    await until(lambda: len(subscriber.received) == 93)
    assert bodies(subscriber.received) == list(range(93))
    assert sequences(subscriber.received) == list(range(93))
    assert forward(subscriber.received)


async def test_what_a_burst_lost_is_sent_again_as_it_was(stage: Stage) -> None:
    """Without RTX a repair has the nonce of the packet it repeats: one octet of difference would give the key stream away."""
    camera = FedTrack(stage.plane, 5)
    camera.frames(10, key=True)
    subscriber = stage.client()
    stage.route(9, 5, subscriber)
    await until(lambda: len(subscriber.raw) == 20)
    camera.frames(3)
    await until(lambda: len(subscriber.raw) == 26)
    sent = {sequence_of(packet): packet for packet in subscriber.raw}
    subscriber.send_rtcp(
        rtcp.build_receiver_report(1, []) + rtcp.build_nack(1, int.from_bytes(sent[min(sent)][8:12], "big"), sorted(sent))
    )
    await until(lambda: len(subscriber.raw) == 52)
    assert subscriber.raw[26:] == [sent[number] for number in sorted(sent)]


async def test_a_late_packet_of_the_burst_is_not_sent_with_another_time(stage: Stage) -> None:
    camera = FedTrack(stage.plane, 5)
    camera.frames(3, key=True)
    lost, camera.sequence = camera.sequence, camera.sequence + 1
    camera.frames(3)
    subscriber = stage.client()
    stage.route(9, 5, subscriber)
    await until(lambda: len(subscriber.received) == 12)
    late = FedTrack(stage.plane, 5, timestamp=3 * 3600)
    late.sequence = lost
    late.frame(packets=1)
    camera.frames(1)
    await until(lambda: len(subscriber.received) >= 14)
    assert 6 not in sequences(subscriber.received)


async def test_a_running_layer_is_taken_up_in_the_middle(stage: Stage) -> None:
    sub, main = FedTrack(stage.plane, 5, 0), FedTrack(stage.plane, 5, 1, ssrc=501)
    subscriber = stage.client()
    stage.route(9, 5, subscriber)
    stage.plane.set_layer(9, 0)
    began = time.time_ns()
    for number in range(20):
        for track in (sub, main):
            track.frame(key=not number, at=began + number * 40_000_000)
    await until(lambda: len(subscriber.received) == 40)
    stage.plane.set_layer(9, 2)
    await until(lambda: len(subscriber.received) == 80)
    main.frame(at=began + 20 * 40_000_000)
    await until(lambda: len(subscriber.received) == 82)
    received = subscriber.received
    assert [layer_of(packet) for packet in received] == [0] * 40 + [1] * 42
    assert is_key(received[40])
    assert sequences(received) == list(range(82))
    assert forward(received)
    assert ahead(received[40], received[39]) > 0
    assert ahead(received[81], received[38]) == pytest.approx(3600, abs=200)
    stage.plane.set_layer(9, 0, patient=True)  # a narrow line bears no burst
    await quiet()
    assert len(subscriber.received) == 82
    sub.timestamp = main.timestamp
    sub.frames(1, key=True)
    await until(lambda: len(subscriber.received) == 84)


async def test_who_looks_away_and_back_goes_on_forward(stage: Stage) -> None:
    camera = FedTrack(stage.plane, 5)
    subscriber = stage.client()
    stage.route(9, 5, subscriber)
    camera.frames(10, key=True)
    await until(lambda: len(subscriber.received) == 20)
    for _ in range(3):
        stage.plane.set_paused(9, True)
        stage.plane.set_paused(9, False)
    stage.plane.set_paused(9, True)
    await quiet()
    stage.plane.set_paused(9, False)
    await until(lambda: len(subscriber.received) == 40)
    camera.frames(2)
    await until(lambda: len(subscriber.received) == 44)
    assert sequences(subscriber.received) == list(range(44))
    assert forward(subscriber.received)
    assert is_key(subscriber.received[20])


async def test_who_leaves_in_the_middle_of_a_burst_gets_no_more(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "AT_ONCE", 1_000)
    monkeypatch.setattr(joining, "RATE", 50_000)
    camera = FedTrack(stage.plane, 5)
    camera.frame(key=True, packets=3, size=900)
    for _ in range(30):
        camera.frame(packets=3, size=900)
    subscriber, other = stage.client(), stage.client()
    stage.route(9, 5, subscriber)
    stage.route(10, 5, other, ssrc=77)
    await until(lambda: subscriber.received and other.received)
    stage.plane.remove_route(9)
    stage.plane.set_allowed(10, False)
    await quiet()
    seen = len(subscriber.received), len(other.received)
    camera.frames(5)
    await quiet()
    assert (len(subscriber.received), len(other.received)) == seen
    assert max(seen) < 93
    stage.plane.remove_receiver(5)


async def test_a_camera_that_begins_anew_is_not_mixed_with_what_was(stage: Stage) -> None:
    FedTrack(stage.plane, 5).frames(10, key=True)
    other = FedTrack(stage.plane, 5, ssrc=600, timestamp=50_000)
    other.frames(3)
    subscriber = stage.client()
    stage.route(9, 5, subscriber)
    await until(lambda: stage.events.of("key_frame_wanted"))
    assert subscriber.received == []
    other.frames(2, key=True)
    await until(lambda: len(subscriber.received) == 4)


async def test_what_is_kept_has_bounds_and_is_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = FedTrack(stage.plane, 5)
    camera.frames(3, key=True)
    assert stage.statistic("kept_octets") == 6 * 65
    camera.frame(key=True, packets=3)  # several packets, one key frame
    assert stage.statistic("kept_octets") == 3 * 65
    monkeypatch.setattr(uplink, "KEPT_OCTETS", 500)
    camera.frames(3)
    assert stage.statistic("kept_octets") == 0
    camera.frames(2)
    assert stage.statistic("kept_octets") == 0
    began = time.time_ns()
    camera.frame(key=True, at=began)
    camera.frame(at=began + 9_000_000_000)
    assert stage.statistic("kept_octets") == 4 * 65
    camera.frame(at=began + 10_100_000_000)
    assert stage.statistic("kept_octets") == 0
    subscriber = stage.client()
    stage.route(9, 5, subscriber)
    camera.frames(1, key=True)
    await until(lambda: len(subscriber.received) == 2)


async def test_who_missed_the_beginning_gets_it_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that has not read the answer yet passes over what comes; then it asks for a key frame that no camera sends."""
    monkeypatch.setattr(joining, "AGAIN", 0.02)
    camera = FedTrack(stage.plane, 5)
    camera.frames(10, key=True)
    subscriber = stage.client()
    stage.route(9, 5, subscriber)
    await until(lambda: len(subscriber.received) == 20)
    ssrc = int.from_bytes(subscriber.received[0][8:12], "big")
    lost = rtcp.build_receiver_report(1, []) + rtcp.build_pli(1, ssrc)
    await quiet(0.05)
    subscriber.send_rtcp(lost)
    await until(lambda: len(subscriber.received) == 40)
    assert is_key(subscriber.received[20])
    assert stage.events.of("key_frame_wanted") == []
    subscriber.send_rtcp(lost)  # too soon: the camera is asked
    await until(lambda: stage.events.of("key_frame_wanted") == [(5, 0)])
    camera.frames(2)
    await until(lambda: len(subscriber.received) == 44)
    assert sequences(subscriber.received) == list(range(44))
    assert forward(subscriber.received)
    assert stage.statistic("switches") == 0


async def test_of_who_sends_key_frames_when_asked_nothing_is_kept(stage: Stage) -> None:
    """A participant's encoder, forwarded from another worker."""
    stage.plane.add_fed_receiver(6, "video", "video/H264", 90_000, 1, obeys=True)
    FedTrack(stage.plane, 6).frames(5, key=True)
    assert stage.statistic("kept_octets") == 0
    subscriber = stage.client()
    stage.route(9, 6, subscriber)
    await until(lambda: stage.events.of("key_frame_wanted") == [(6, 0)])
    assert subscriber.received == []


async def test_of_h265_a_newcomer_gets_every_unit_since_the_last_key_frame(stage: Stage) -> None:
    """What left the camera is what arrives, octet for octet."""
    stage.plane.add_fed_receiver(6, "video", "video/H265", 90_000)
    line = Timeline(90_000, 600, 0xFFF0)
    film = h265.film(40, 20)

    def send(pictures: list[tuple[bytes, int, bool]]) -> None:
        for data, number, _ in pictures:
            for packet in line.packets(
                wire_h265.packets(h264.split_annex_b(data)), line.time(number * 3600, number * 40_000_000)
            ):
                stage.plane.feed(6, packet, [(time.time_ns(), 0, len(packet))])
        stage.plane.flush()

    send(film[:30])
    subscriber = stage.client()
    stage.route(9, 6, subscriber)
    wanted = h265.units(film[20:])
    await until(lambda: len(h265.received(subscriber.received)) == len(h265.units(film[20:30])))
    send(film[30:])
    await until(lambda: len(h265.received(subscriber.received)) >= len(wanted))
    assert h265.received(subscriber.received) == wanted
    assert len(h265.decode(subscriber.received)) == 20
    (counters,) = stage.plane.layers(6)
    assert (counters.width, counters.height) == (320, 180)
