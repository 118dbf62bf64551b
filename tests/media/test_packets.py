"""What publishers' sender reports become for taps: the sender's clock, in the RTP time that the tap's packets have."""

from __future__ import annotations

import itertools

import pytest

from commhub.media.feedback import ntp_time, utc_ns
from commhub.wire import rtcp, rtp
from tests.media.test_forward import Simulcast, opus
from tests.support.plane import Vp8Track, until
from tests.support.stage import Stage, timestamp_of

SECOND = 1_000_000_000
THEIRS = 1_800_000_000 * SECOND + 123_456_789  # the publisher's clock: years off


def report(ssrc: int, ntp: int, rtp_time: int) -> bytes:
    return rtcp.build_sender_report(rtcp.SenderReport(ssrc, ntp, rtp_time & 0xFFFFFFFF, 1, 1))


def told(stage: Stage) -> list[tuple[int, ...]]:
    return stage.events.of("sender_report")


def test_ntp_time_and_back() -> None:
    for ns in (THEIRS, 1, 0, -1, 999_999_999, THEIRS + 1):
        assert utc_ns(ntp_time(ns)) == ns
    assert utc_ns(0) is None
    assert utc_ns(0xFFFFFFFF_FFFFFFFF) == (0x1_0000_0000 - 2_208_988_800) * SECOND


async def test_a_report_is_told_once_to_each_tap(stage: Stage) -> None:
    clock = itertools.count(100.0)
    stage.plane._clock = lambda: next(clock)
    publisher, other = stage.client(), stage.client()
    stage.audio(1, publisher)
    stage.audio(2, other)
    seen: list[bytes] = []
    for tap in (3, 4):
        stage.plane.add_tap(tap, 1, lambda packet, at: seen.append(bytes(packet)))
    for client, ssrc in ((other, 601), (publisher, 600)):
        client.send(opus(7, ssrc=ssrc))
        client.send_rtcp(report(ssrc, ntp_time(THEIRS), 48_000))
    await until(lambda: told(stage))
    assert told(stage) == [(3, 48_000, THEIRS), (4, 48_000, THEIRS)]  # nobody taps the other one
    publisher.send_rtcp(report(600, ntp_time(THEIRS), 48_000))  # the same again
    publisher.send_rtcp(report(600, 0, 50_000))  # who has no clock says zero
    publisher.send_rtcp(report(600, ntp_time(THEIRS + SECOND), 96_000))
    await until(lambda: len(told(stage)) > 2)
    assert told(stage)[2:] == [(3, 96_000, THEIRS + SECOND), (4, 96_000, THEIRS + SECOND)]


async def test_a_flood_of_reports_does_not_reach_the_recorder(stage: Stage) -> None:
    clock = [100.0]
    stage.plane._clock = lambda: clock[0]
    publisher = stage.client()
    stage.audio(1, publisher)
    stage.plane.add_tap(3, 1, lambda packet, at: None)
    publisher.send(opus(7))
    for number in range(100):
        publisher.send_rtcp(report(600, ntp_time(THEIRS + number), 48_000))
    publisher.send(opus(8))
    await until(lambda: stage.statistic("packets_in") == 2)
    clock[0] += 0.3
    publisher.send_rtcp(report(600, ntp_time(THEIRS + 777), 48_000))
    await until(lambda: len(told(stage)) == 2)
    assert told(stage) == [(3, 48_000, THEIRS), (3, 48_000, THEIRS + 777)]


async def test_nothing_is_told_behind_a_closed_gate(stage: Stage) -> None:
    clock = itertools.count(100.0)
    stage.plane._clock = lambda: next(clock)
    publisher = stage.client()
    stage.audio(1, publisher)
    stage.plane.add_tap(3, 1, lambda packet, at: None)
    stage.plane.set_tap_allowed(3, False)
    publisher.send(opus(1))
    publisher.send_rtcp(report(600, ntp_time(THEIRS), 48_000))
    publisher.send(opus(2))
    await until(lambda: stage.statistic("packets_in") == 2)
    assert told(stage) == []
    stage.plane.set_tap_allowed(3, True)  # what is known already helps from the first packet on
    publisher.send(opus(3))
    await until(lambda: told(stage) == [(3, 48_000, THEIRS)])
    stage.plane.set_open(1, False)
    publisher.send_rtcp(report(600, ntp_time(THEIRS + SECOND), 96_000))
    publisher.send(opus(4))
    await until(lambda: stage.statistic("packets_in") == 4)
    assert len(told(stage)) == 1


async def test_layers_tell_one_clock(stage: Stage) -> None:
    """Every layer counts its RTP time from elsewhere; the tap's packets and what is told last agree all the time."""
    clock = itertools.count(100.0)
    stage.plane._clock = lambda: next(clock)
    simulcast = Simulcast(stage)
    seen: list[bytes] = []
    stage.plane.add_tap(3, 1, lambda packet, at: seen.append(bytes(packet)))

    def reports() -> None:
        for number, track in enumerate(simulcast.tracks):
            moment = simulcast.frames * 3000 + 1000 * number
            ntp = ntp_time(THEIRS + moment * SECOND // 90_000)
            simulcast.publisher.send_rtcp(report(track.ssrc, ntp, simulcast.offsets[number] + moment))

    sent = 0
    for layers in ((0,), (0, 1), (0, 1, 2), (0, 1, 2)):
        stage.plane.set_tap_layer(3, max(layers))  # else the best one is waited for at the beginning
        simulcast.frame(layers, key=layers)
        reports()
        sent += 2 * len(layers)
        await until(lambda: stage.statistic("packets_in") == sent)  # noqa: B023
        count = len(seen)
        simulcast.frame(layers)
        sent += 2 * len(layers)
        await until(lambda: stage.statistic("packets_in") == sent and len(seen) > count)  # noqa: B023
        # The packet just seen was taken so many thirtieths of a second after the publisher's clock stood at THEIRS.
        _, rtp_time, ntp = told(stage)[-1]
        ticks = (timestamp_of(seen[-1]) - rtp_time + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
        assert ntp + ticks * SECOND // 90_000 == pytest.approx(THEIRS + (simulcast.frames - 1) * SECOND // 30, abs=20_000)
    assert len(told(stage)) >= 4
    times = [rtp_time for _, rtp_time, _ in told(stage)]
    assert len(set(times)) == len(times)


async def test_a_source_that_begins_again_is_told_in_the_taps_time(stage: Stage) -> None:
    plane = stage.plane
    plane.add_fed_receiver(5, "audio", "audio/opus", 48_000)
    seen: list[bytes] = []
    plane.add_tap(3, 5, lambda packet, at: seen.append(bytes(packet)))

    def feed(ssrc: int, sequence: int, timestamp: int) -> None:
        packet = rtp.build(b"x", ssrc=ssrc, sequence=sequence, timestamp=timestamp, payload_type=96)
        plane.feed(5, packet, [(THEIRS, 0, len(packet))])

    feed(1, 10, 1000)
    plane.feed_clock(5, 1000, 77)
    feed(2, 900, 5_000_000)
    plane.feed_clock(5, 5_000_000 + 48_000, 77 + SECOND)
    await until(lambda: len(told(stage)) == 1)
    plane._clock = lambda: 1e9
    plane.feed_clock(5, 5_000_000 + 96_000, 77 + 2 * SECOND)
    await until(lambda: len(told(stage)) == 2)
    first, again = (timestamp_of(packet) for packet in seen)
    assert told(stage) == [(3, first, 77), (3, again + 96_000, 77 + 2 * SECOND)]
    assert again != 5_000_000


async def test_a_layer_without_a_report_tells_nothing(stage: Stage) -> None:
    publisher = stage.client()
    stage.video(1, publisher)
    stage.plane.add_tap(3, 1, lambda packet, at: None)
    for packet in Vp8Track(5555).frame(key=True):
        publisher.send(packet)
    publisher.send_rtcp(report(4711, ntp_time(THEIRS), 48_000))  # of a stream that nobody knows
    publisher.send(Vp8Track(5555, sequence=3).packet(b"\x10\x01"))
    await until(lambda: stage.statistic("packets_in") == 4)
    assert told(stage) == []
