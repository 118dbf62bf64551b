"""Fed receivers (Sources) and taps (Sinks): plain RTP in, plain RTP out, no browser."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from commhub.wire import rtcp, rtp
from tests.support.plane import Vp8Track, until
from tests.support.stage import Stage, body_of, sequences, timestamp_of, vp8_of

NOW = time.time_ns()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    failed = stage.statistic("failed")
    stage.close()
    assert failed == 0


class Recorded:
    """A tap's sink."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.times: list[int] = []

    def __call__(self, packet: bytes | bytearray | memoryview, at: int) -> None:
        self.packets.append(bytes(packet))
        self.times.append(at)


def h264(sequence: int, *, key: bool = False, ssrc: int = 1, timestamp: int | None = None) -> bytes:
    payload = (b"\x67" if key else b"\x61") + sequence.to_bytes(4, "big")
    return rtp.build(
        payload,
        ssrc=ssrc,
        sequence=sequence,
        timestamp=sequence * 3600 if timestamp is None else timestamp,
        payload_type=96,
        marker=True,
    )


def feed(stage: Stage, *packets: bytes, receiver: int = 1) -> None:
    for number, packet in enumerate(packets):
        stage.plane.feed(receiver, memoryview(packet), NOW + number)
    stage.plane.flush()


async def test_a_source_reaches_subscribers_and_sinks(stage: Stage) -> None:
    subscriber, tap = stage.client(), Recorded()
    stage.plane.add_fed_receiver(1, "video", "video/H264", 90000)
    stage.route(5, 1, subscriber, payload_type=102)
    stage.plane.add_tap(3, 1, tap)
    await until(lambda: stage.events.of("key_frame_wanted") == [(1,)])
    packets = [h264(10), h264(11, key=True), h264(12), h264(13)]
    feed(stage, *packets)
    assert [rtp.payload(p) for p in tap.packets] == [rtp.payload(p) for p in packets[1:]]
    assert tap.times == [NOW + 1, NOW + 2, NOW + 3]
    assert [timestamp_of(p) for p in tap.packets] == [timestamp_of(p) for p in packets[1:]]
    assert all(p[1] == 0x80 | 96 for p in tap.packets)
    await until(lambda: len(subscriber.received) == 3)
    assert [rtp.payload(p) for p in subscriber.received] == [rtp.payload(p) for p in packets[1:]]
    assert all(p[1] == 0x80 | 102 for p in subscriber.received)
    await until(lambda: stage.events.of("first_packet") == [(1, 0)])


async def test_wishes_for_a_key_frame_are_throttled(stage: Stage) -> None:
    stage.plane.add_fed_receiver(1, "video", "video/H264", 90000)
    feed(stage, h264(1))
    for _ in range(10):
        stage.plane.request_key_frame(1)
        await asyncio.sleep(0.01)
    assert stage.events.of("key_frame_wanted") == [(1,)]
    feed(stage, h264(2, key=True))
    await asyncio.sleep(0.5)
    assert stage.events.of("key_frame_wanted") == [(1,)]
    stage.plane.request_key_frame(1)
    await until(lambda: stage.events.of("key_frame_wanted") == [(1,), (1,)])


async def test_a_source_that_begins_again_is_one_stream_for_viewers(stage: Stage) -> None:
    tap = Recorded()
    stage.plane.add_fed_receiver(1, "video", "video/H264", 90000)
    stage.plane.add_tap(3, 1, tap)
    feed(stage, h264(65534, key=True), h264(65535))
    again = [h264(500, timestamp=77), h264(501, key=True, timestamp=4000), h264(502, timestamp=7600)]
    for number, packet in enumerate(again):
        stage.plane.feed(1, memoryview(packet), NOW + 2_000_000_000 + number * 40_000_000)
    assert sequences(tap.packets) == [0, 1, 2, 3]
    gap = timestamp_of(tap.packets[2]) - timestamp_of(tap.packets[1]) & 0xFFFFFFFF
    assert abs(gap - int(2.04 * 90000)) < 100  # two seconds and a picture later
    assert timestamp_of(tap.packets[3]) - timestamp_of(tap.packets[2]) == 3600
    feed(stage, h264(9, key=True, ssrc=2), h264(10, ssrc=2))  # another SSRC
    assert sequences(tap.packets) == list(range(6))


async def test_torn_feeding_is_dropped(stage: Stage) -> None:
    tap = Recorded()
    stage.plane.add_fed_receiver(1, "video", "video/H264", 90000)
    stage.plane.add_tap(3, 1, tap)
    feed(stage, b"", b"\x80", b"\x40" + bytes(11), b"\xa0" + bytes(11), h264(1, key=True), h264(1, key=True))
    assert len(tap.packets) == 1
    assert stage.statistic("malformed") == 4
    assert stage.statistic("replayed") == 1


async def test_gates_hold_for_taps(stage: Stage) -> None:
    tap = Recorded()
    stage.plane.add_fed_receiver(1, "audio", "audio/opus", 48000)
    stage.plane.add_tap(3, 1, tap)
    feed(stage, h264(1))
    stage.plane.set_tap_allowed(3, False)
    feed(stage, h264(2))
    stage.plane.set_tap_allowed(3, True)
    feed(stage, h264(3))
    stage.plane.set_open(1, False)
    feed(stage, h264(4))
    stage.plane.set_open(1, True)
    feed(stage, h264(5))
    assert [rtp.payload(p)[-1] for p in tap.packets] == [1, 3, 5]
    assert sequences(tap.packets) == [0, 1, 2]


async def test_a_tap_takes_the_best_layer_and_stays_continuous(stage: Stage) -> None:
    publisher, tap = stage.client(), Recorded()
    stage.video(1, publisher, layers=2, rids={"q": 0, "h": 1})
    stage.plane.add_tap(3, 1, tap)
    low, high = Vp8Track(100, rid="q"), Vp8Track(200, rid="h", seed=9, sequence=500)
    for packet in low.frame(2, key=True):
        publisher.send(packet)
    await until(lambda: len(tap.packets) == 2)
    for packet in high.frame(2, key=True):
        publisher.send(packet)
    await until(lambda: len(tap.packets) == 4)
    for packet in (*low.frame(2), *high.frame(2)):
        publisher.send(packet)
    await until(lambda: len(tap.packets) == 6)
    assert sequences(tap.packets) == list(range(6))
    pictures = [vp8_of(packet).picture_id for packet in tap.packets]
    assert [number - pictures[0] & 0x7FFF for number in pictures] == [0, 0, 1, 1, 2, 2]
    assert abs(tap.times[0] - time.time_ns()) < 5e9
    assert len({packet[8:12] for packet in tap.packets}) == 1


async def test_a_sink_that_fails_hurts_nobody_else(stage: Stage) -> None:
    subscriber, tap = stage.client(), Recorded()

    def broken(packet: bytes | bytearray | memoryview, at: int) -> None:
        raise RuntimeError("disk full")

    stage.plane.add_fed_receiver(1, "audio", "audio/opus", 48000)
    stage.plane.add_tap(2, 1, broken)
    stage.plane.add_tap(3, 1, tap)
    stage.route(5, 1, subscriber)
    feed(stage, h264(1), h264(2))
    await until(lambda: len(subscriber.received) == 2)
    assert len(tap.packets) == 2
    assert stage.statistic("failed") == 2
    stage.plane._count["failed"] = 0


async def test_a_sources_clock_becomes_sender_reports(stage: Stage) -> None:
    subscriber = stage.client()
    stage.plane.add_fed_receiver(1, "video", "video/H264", 90000)
    stage.route(5, 1, subscriber)
    feed(stage, h264(1, key=True))
    stage.plane.feed_clock(1, 3600, 0xE000000000000000)
    await until(lambda: [r for r in subscriber.reports if isinstance(r, rtcp.SenderReport)])
    report = next(r for r in subscriber.reports if isinstance(r, rtcp.SenderReport))
    elapsed = (report.ntp - 0xE000000000000000) / (1 << 32)
    assert 0 <= elapsed < 2
    assert abs(report.rtp_time - 3600 - elapsed * 90000) < 10


async def test_a_source_without_a_clock_gets_the_ingress_clock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.media.feedback.SR_PATIENCE", 0.1)
    subscriber = stage.client()
    stage.plane.add_fed_receiver(1, "video", "video/H264", 90000)
    stage.route(5, 1, subscriber)
    stage.plane.feed(1, memoryview(h264(1, key=True)), time.time_ns() - 1_000_000_000)
    await until(lambda: [r for r in subscriber.reports if isinstance(r, rtcp.SenderReport)])
    report = next(r for r in subscriber.reports if isinstance(r, rtcp.SenderReport))
    assert abs(report.ntp / (1 << 32) - 2_208_988_800 - time.time()) < 1
    assert 90000 <= report.rtp_time - 3600 < 4 * 90000  # one second and a little later than its packet


async def test_vp8_from_a_source_keeps_its_body(stage: Stage) -> None:
    tap = Recorded()
    stage.plane.add_fed_receiver(1, "video", "video/VP8", 90000)
    stage.plane.add_tap(3, 1, tap)
    packets = Vp8Track(9).frame(3, key=True)
    feed(stage, *packets)
    assert [body_of(p) for p in tap.packets] == [body_of(p) for p in packets]
    assert (stage.plane.layers(1)[0].width, stage.plane.layers(1)[0].height) == (640, 480)
