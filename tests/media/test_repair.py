"""Loss and feedback: NACK, RTX, padding, replay, key-frame requests, reports, transport feedback, sender reports."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from commhub.media import plane
from commhub.wire import rtcp, rtp
from tests.support.plane import EXTENSIONS, Client, Vp8Track, quiet, until
from tests.support.stage import OUT, Stage, body_of, sequence_of, sequences, timestamp_of

RTX = 0x51515151


def as_rtx(packet: bytes, sequence: int, *, rid: str = "", ssrc: int = RTX) -> bytes:
    """What a browser resends (RFC 4588)."""
    values = [(EXTENSIONS[plane.MID], b"v")]
    if rid:
        values.append((EXTENSIONS[plane.REPAIRED_RID], rid.encode()))
    return rtp.build(
        packet[2:4] + rtp.payload(packet),
        ssrc=ssrc,
        sequence=sequence,
        timestamp=timestamp_of(packet),
        payload_type=97,
        marker=bool(packet[1] >> 7),
        values=values,
    )


class LossyPublisher:
    """Loses packets on the way, and resends what it is asked for as RTX, which may be lost as well."""

    def __init__(self, stage: Stage, loss: float, seed: int) -> None:
        self.client = stage.client()
        self.track = Vp8Track(5555, sequence=65000)
        self.random = random.Random(seed)
        self.loss = loss
        self.sent: list[bytes] = []
        self.by_number: dict[int, bytes] = {}
        self.rtx = 0

    def send(self, packet: bytes, *, sure: bool = False) -> None:
        self.sent.append(packet)
        self.by_number[sequence_of(packet)] = packet
        if sure or self.random.random() >= self.loss:
            self.client.send(packet)

    def answer(self) -> None:
        reports, self.client.reports = self.client.reports, []
        for report in reports:
            if isinstance(report, rtcp.Nack):
                assert report.ssrc == 5555
                for number in report.lost:
                    packet = as_rtx(self.by_number[number], self.rtx)
                    self.rtx += 1
                    if self.random.random() >= self.loss:
                        self.client.send(packet)


@pytest.mark.parametrize("seed", [1, 2])
async def test_uplink_loss_is_repaired_by_rtx(stage: Stage, seed: int) -> None:
    publisher, subscriber = LossyPublisher(stage, 0.1, seed), stage.client()
    stage.video(1, publisher.client)
    stage.route(5, 1, subscriber)
    for number in range(60):
        for packet in publisher.track.frame(key=number == 0):
            publisher.send(packet, sure=number in (0, 59))
        await asyncio.sleep(0.004)
        publisher.answer()

    def repaired() -> bool:
        publisher.answer()
        return len(subscriber.received) == 180

    await until(repaired, 5)
    first = sequence_of(subscriber.received[0])
    in_order = sorted(subscriber.received, key=lambda packet: sequence_of(packet) - first & 0xFFFF)
    assert sequences(in_order) == list(range(180))
    assert [body_of(packet) for packet in in_order] == [body_of(packet) for packet in publisher.sent]
    assert stage.statistic("restored") > 5
    assert stage.plane.layers(1)[0].lost == 0


async def test_a_repair_that_comes_late_still_reaches_the_viewer(stage: Stage) -> None:
    """Repairs that are lost too, or a sender that is busy: hundreds of packets may have passed meanwhile."""
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    track = Vp8Track(5555, sequence=65400)
    sent = [packet for number in range(100) for packet in track.frame(key=number == 0)]
    for place, packet in enumerate(sent):
        if place != 4:
            publisher.send(packet)
        if place % 60 == 0:
            await until(lambda: stage.statistic("packets_in") >= place)  # noqa: B023
    await until(lambda: len(subscriber.received) == 299)
    publisher.send(as_rtx(sent[4], 0))
    await until(lambda: len(subscriber.received) == 300)
    assert subscriber.refused == 0
    assert body_of(subscriber.received[-1]) == body_of(sent[4])
    assert sequence_of(subscriber.received[-1]) == sequence_of(subscriber.received[0]) + 4 & 0xFFFF


async def test_reordering_is_not_loss(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    track = Vp8Track(5555)
    packets = track.frame(8, key=True)
    for place in (0, 2, 1, 4, 3, 6, 5, 7):
        publisher.send(packets[place])
    await until(lambda: len(subscriber.received) == 8)
    await quiet(0.06)
    assert stage.statistic("nacks_out") == 0
    assert sequences(subscriber.received) == [0, 2, 1, 4, 3, 6, 5, 7]


async def test_a_key_frame_whose_first_packet_comes_late_still_begins(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    track = Vp8Track(5555)
    for packet in track.frame(2):
        publisher.send(packet)
    packets = track.frame(4, key=True)
    for place in (1, 2, 0, 3):
        publisher.send(packets[place])
    await until(lambda: len(subscriber.received) == 4)
    assert sequences(subscriber.received) == [0, 1, 2, 3]
    assert [body_of(p) for p in subscriber.received] == [body_of(p) for p in packets]


async def test_a_key_frame_that_comes_too_late_is_not_begun_with(stage: Stage) -> None:
    """What follows it was sent before: it would come twice."""
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    track = Vp8Track(5555)
    for packet in track.frame(2, key=True):
        publisher.send(packet)
    late = track.frame(2, key=True)
    for packet in (late[1], *track.frame(2)):
        publisher.send(packet)
    await until(lambda: len(subscriber.received) == 5)
    stage.plane.set_paused(5, True)
    stage.plane.set_paused(5, False)
    publisher.send(late[0])
    await until(lambda: stage.statistic("packets_in") == 6)
    for packet in track.frame(2, key=True):
        publisher.send(packet)
    await until(lambda: len(subscriber.received) == 7)
    assert len({body_of(packet) for packet in subscriber.received}) == 7
    assert sequences(subscriber.received) == [0, 1, 3, 4, 5, 6, 7]


async def test_asking_has_an_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.media.uplink.NACK_RETRY", 0.02)
    publisher = stage.client()
    stage.video(1, publisher)
    track = Vp8Track(5555)
    packets = track.frame(5, key=True)
    for packet in (*packets[:2], *packets[4:]):
        publisher.send(packet)
    await until(lambda: stage.plane.layers(1)[0].lost == 2, 5)
    asked = [report for report in publisher.reports if isinstance(report, rtcp.Nack)]
    assert {tuple(report.lost) for report in asked} == {(2, 3)}
    assert len(asked) == 8


async def test_a_great_gap_asks_for_a_key_frame_instead(stage: Stage) -> None:
    publisher = stage.client()
    stage.video(1, publisher)
    track = Vp8Track(5555)
    for packet in track.frame(2, key=True):
        publisher.send(packet)
    track.sequence += 900
    for packet in track.frame(2):
        publisher.send(packet)
    await until(lambda: rtcp.KeyFrameRequest(5555) in publisher.reports)
    assert not [report for report in publisher.reports if isinstance(report, rtcp.Nack)]


async def test_a_leap_of_sequence_numbers_costs_the_viewer_one(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    track = Vp8Track(5555, sequence=65000)
    for packet in track.frame(2, key=True):
        publisher.send(packet)
    track.sequence = 9000
    for packet in track.frame(2, key=True):
        publisher.send(packet)
    await until(lambda: len(subscriber.received) == 4)
    assert sequences(subscriber.received) == [0, 1, 3, 4]


async def test_padding_probes_leave_no_holes(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    track = Vp8Track(5555)
    expected = []
    for number in range(20):
        packets = track.frame(2, key=number == 0)
        expected += packets
        for packet in packets:
            publisher.send(packet)
        for _ in range(number % 4):
            publisher.send(track.packet(b"", padding=200))
    await until(lambda: len(subscriber.received) == 40)
    assert sequences(subscriber.received) == list(range(40))
    assert [body_of(p) for p in subscriber.received] == [body_of(p) for p in expected]
    assert not any(packet[0] & 0x20 for packet in subscriber.received)


async def test_padding_that_overtook_is_passed_on_empty(stage: Stage) -> None:
    """Its place is a hole in what was sent already; an empty packet closes it."""
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    track = Vp8Track(5555)
    for packet in track.frame(2, key=True):
        publisher.send(packet)
    late = track.packet(b"", padding=100)
    for packet in track.frame(2):
        publisher.send(packet)
    publisher.send(late)
    await until(lambda: len(subscriber.received) == 5)
    assert sequences(subscriber.received) == [0, 1, 3, 4, 2]
    assert rtp.payload(subscriber.received[4]) == b""


async def test_padding_behind_a_payload_is_cut_off(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    packet = Vp8Track(5555).frame(1, key=True)[0]
    publisher.send(bytes((packet[0] | 0x20,)) + packet[1:] + b"\0\0\0\x04")
    torn = Vp8Track(5555, sequence=1).frame(1)[0]
    publisher.send(bytes((torn[0] | 0x20,)) + torn[1:] + b"\xff")
    await until(lambda: stage.statistic("malformed") == 1)
    assert [rtp.payload(p) for p in subscriber.received] == [rtp.payload(packet)]


async def test_replays_and_needless_repairs_are_refused(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    track = Vp8Track(5555)
    packets = track.frame(3, key=True)
    sealed = [publisher.outbound.protect(packet) for packet in packets]
    for data in (*sealed, *sealed, *sealed):
        publisher.socket.sendto(data, publisher.target)
    for number, packet in enumerate(packets):
        publisher.send(as_rtx(packet, number))  # a probe that repeats old packets
    publisher.send(rtp.build(b"", ssrc=RTX, sequence=9, timestamp=0, payload_type=97, values=[(EXTENSIONS[plane.MID], b"v")]))
    await until(lambda: stage.statistic("packets_in") == 7)
    assert stage.statistic("replayed") == 6
    assert len(subscriber.received) == 3
    assert stage.statistic("restored") == 0


async def test_repairs_find_their_layer_by_repaired_rid(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher, layers=2, rids={"q": 0, "h": 1})
    stage.route(5, 1, subscriber)
    tracks = [Vp8Track(100, rid="q"), Vp8Track(200, rid="h", seed=2)]
    frames = [track.frame(3, key=True) for track in tracks]
    for packet in (*frames[0], frames[1][0], frames[1][2]):
        publisher.send(packet)
    await until(lambda: [r for r in publisher.reports if isinstance(r, rtcp.Nack)])
    publisher.send(as_rtx(frames[1][1], 1, rid="h", ssrc=201))
    await until(lambda: stage.statistic("restored") == 1)
    bodies = {body_of(packet) for packet in subscriber.received}
    assert bodies >= {body_of(packet) for packet in frames[1]}


# ----------------------------------------------------------------------------------------------------- downlink


async def call(stage: Stage, **more: int) -> tuple[Client, Client, list[bytes]]:
    """A publisher, a subscriber and ten frames that arrived."""
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber, mid="v", extensions={plane.ABS_SEND_TIME: 3, plane.MID: 1}, **more)
    track = Vp8Track(5555)
    for number in range(10):
        for packet in track.frame(key=number == 0):
            publisher.send(packet)
    await until(lambda: len(subscriber.received) == 30)
    return publisher, subscriber, list(subscriber.received)


async def test_downlink_loss_is_repaired_by_rtx(stage: Stage) -> None:
    _, subscriber, before = await call(stage, rtx_ssrc=0x999, rtx_payload_type=121)
    lost = [before[n] for n in (3, 4, 20)]
    subscriber.send_rtcp(rtcp.build_nack(1, OUT, [sequence_of(packet) for packet in lost]))
    await until(lambda: len(subscriber.received) == 33)
    again = subscriber.received[30:]
    assert sequences(again) == [0, 1, 2]
    for packet, original in zip(again, lost, strict=True):
        assert packet[8:12] == b"\0\0\x09\x99"
        assert packet[1] == (original[1] & 0x80) | 121
        assert timestamp_of(packet) == timestamp_of(original)
        assert rtp.payload(packet) == original[2:4] + rtp.payload(original)


async def test_without_rtx_the_same_octets_go_again(stage: Stage) -> None:
    """The same nonce may only ever seal the same packet, header extensions and all."""
    _, subscriber, before = await call(stage)
    subscriber.send_rtcp(rtcp.build_nack(1, OUT, [sequence_of(before[n]) for n in (3, 4, 20)]))
    await until(lambda: len(subscriber.raw) == 33)
    assert subscriber.raw[30:] == [subscriber.raw[n] for n in (3, 4, 20)]


async def test_a_storm_of_nacks_is_bounded(stage: Stage) -> None:
    _, subscriber, before = await call(stage)
    everything = [sequence_of(packet) for packet in before]
    start = time.monotonic()
    for _ in range(50):
        subscriber.send_rtcp(rtcp.build_nack(1, OUT, everything * 3))
    await until(lambda: stage.statistic("nacks_in") == 50 * 90)
    rounds = 1 + int((time.monotonic() - start) / 0.08)
    assert 30 <= stage.statistic("resent") <= 30 * rounds  # each once per 80 ms
    await asyncio.sleep(0.09)
    before_again = stage.statistic("resent")
    subscriber.send_rtcp(rtcp.build_nack(1, OUT, everything[:2]))
    await until(lambda: stage.statistic("resent") == before_again + 2)


async def test_nacks_for_what_was_never_sent_are_ignored(stage: Stage) -> None:
    _, subscriber, before = await call(stage)
    last = sequence_of(before[-1])
    subscriber.send_rtcp(rtcp.build_nack(1, OUT, [last + n & 0xFFFF for n in (1, 2, 30000)]))
    subscriber.send_rtcp(rtcp.build_nack(1, OUT, [sequence_of(before[0]) - 1 & 0xFFFF]))
    subscriber.send_rtcp(rtcp.build_nack(1, 0xDEAD, [1]))
    await until(lambda: stage.statistic("nacks_in") == 4)
    assert stage.statistic("resent") == 0


# ------------------------------------------------------------------------------------------------------ reports


async def test_key_frame_requests_are_throttled_and_repeated(stage: Stage) -> None:
    publisher, subscriber, _ = await call(stage)
    publisher.reports.clear()
    clock = [time.monotonic() + 5]
    stage.plane._clock = lambda: clock[0]
    stage.plane._timer.cancel()

    def asked() -> int:
        return publisher.reports.count(rtcp.KeyFrameRequest(5555))

    async def passes(seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            clock[0] += 0.05
            stage.plane.tick(clock[0])
            await asyncio.sleep(0)
        await quiet()

    for _ in range(20):
        subscriber.send_rtcp(rtcp.build_pli(1, OUT))
        subscriber.send_rtcp(rtcp.build_fir(1, OUT, 3))
    await until(lambda: stage.statistic("plis_in") == 40)
    await until(lambda: asked() == 1)
    await passes(0.4)
    assert asked() == 1
    await passes(0.15)
    assert asked() == 2  # again while none comes
    track = Vp8Track(5555, sequence=30, timestamp=30000)
    for packet in track.frame(key=True):
        publisher.send(packet)
    await until(lambda: len(subscriber.received) == 33)
    await passes(3)
    assert asked() == 2


async def test_bandwidth_estimates_are_told(stage: Stage) -> None:
    _, subscriber, _ = await call(stage)
    subscriber.send_rtcp(rtcp.build_receiver_report(1, []) + rtcp.build_remb(1, 750_000, [OUT]))
    await until(lambda: stage.events.of("bandwidth") == [(subscriber.number, 750_000)])


async def test_sender_reports_carry_the_publishers_clock(stage: Stage) -> None:
    publisher, subscriber, before = await call(stage)
    ntp, began = 0xE0000000_00000000, time.monotonic()
    publisher.send_rtcp(rtcp.build_sender_report(rtcp.SenderReport(5555, ntp, 123_000, 30, 3000)))

    def sent() -> list[rtcp.SenderReport]:
        return [report for report in subscriber.reports if isinstance(report, rtcp.SenderReport)]

    await until(sent)
    report = sent()[0]
    elapsed = (report.ntp - ntp) / (1 << 32)
    assert 0 <= elapsed <= time.monotonic() - began
    offset = timestamp_of(before[0]) - 0  # the publisher's first time stamp was 0
    assert abs((report.rtp_time - 123_000 - offset) - elapsed * 90000) < 10
    assert (report.ssrc, report.packets) == (OUT, 30)
    subscriber.send_rtcp(rtcp.build_receiver_report(1, [rtcp.Report(OUT, 64, 5, 9, 900, report.ntp >> 16 & 0xFFFFFFFF, 0)]))
    await until(lambda: (stage.plane.counters(5).lost, stage.plane.counters(5).highest) == (5, 9))
    counters = stage.plane.counters(5)
    assert counters.jitter_ms == 10
    assert 0 < counters.rtt_ms < (time.monotonic() - began) * 1000
    await until(lambda: len(sent()) >= 2)  # every second or so


async def test_receiver_reports_tell_the_publisher_its_loss(stage: Stage) -> None:
    publisher = stage.client()
    stage.video(1, publisher, nack=False)
    track = Vp8Track(5555, sequence=65500)
    packets = [packet for _ in range(25) for packet in track.frame(4)]
    publisher.send_rtcp(rtcp.build_sender_report(rtcp.SenderReport(5555, 0x0001_2345_6789_0000, 1, 1, 1)))
    for place, packet in enumerate(packets):
        if place % 4 != 1:
            publisher.send(packet)
    found: list[rtcp.Report] = []

    def reported() -> bool:
        found[:] = [b for r in publisher.reports if isinstance(r, rtcp.ReceiverReport) for b in r.reports]
        return bool(found)

    await until(reported)
    report = found[0]
    assert report.ssrc == 5555
    assert report.highest == 65500 + 99
    assert report.lost == 25
    assert 60 <= report.fraction <= 66
    assert report.dlsr == 0  # that report came before the stream was known
    publisher.send_rtcp(rtcp.build_sender_report(rtcp.SenderReport(5555, 0x0001_2345_6789_0000, 1, 1, 1)))
    await until(lambda: reported() and found[-1].lsr == 0x2345_6789)
    assert found[-1].fraction == 0  # since the last report


async def test_transport_feedback_says_when_packets_came(stage: Stage) -> None:
    publisher = stage.client()
    stage.audio(1, publisher)
    arrivals: dict[int, tuple[float, float]] = {}  # before and after the call
    for number in range(40):
        if number in (7, 8, 9):
            continue
        values = [(EXTENSIONS[plane.MID], b"a"), (EXTENSIONS[plane.TRANSPORT_CC], (65520 + number & 0xFFFF).to_bytes(2, "big"))]
        before = time.time()
        publisher.send(rtp.build(b"x", ssrc=6, sequence=number, timestamp=number, payload_type=111, values=values))
        arrivals[65520 + number & 0xFFFF] = before, time.time()
        time.sleep(0.002)  # noqa: ASYNC251  the plane cannot look meanwhile: only the kernel knows when they came
    said: dict[int, int] = {}
    counts: list[int] = []

    def told() -> bool:
        for report in publisher.reports:
            if isinstance(report, rtcp.TransportFeedback) and report.count not in counts:
                counts.append(report.count)
                said.update({number: at for number, at in report.packets if at is not None})
        return len(said) == 37

    await until(told)
    assert counts == list(range(len(counts)))
    assert set(said) == set(arrivals)
    first = 65520
    for number, at in said.items():
        earliest = (arrivals[number][0] - arrivals[first][1]) * 1e6
        latest = (arrivals[number][1] - arrivals[first][0]) * 1e6
        assert earliest - 1000 < at - said[first] < latest + 1000
