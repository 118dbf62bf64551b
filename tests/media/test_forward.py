"""The data plane over real loopback sockets, with libsrtp on the far side: what goes through it."""

from __future__ import annotations

import asyncio
import itertools
import random
import time

import pytest

from commhub.media import plane
from commhub.media.forward import Forwarder
from commhub.media.hushing import FRAMES, OPUS_SILENCE
from commhub.wire import rtcp, rtp
from tests.support.plane import CM, EXTENSIONS, GCM, Events, Vp8Track, quiet, until
from tests.support.stage import OUT, Stage, body_of, sequence_of, sequences, timestamp_of, vp8_of

MID, TIME, LEVEL = 11, 12, 13
THEIRS = {plane.MID: MID, plane.ABS_SEND_TIME: TIME}


def opus(sequence: int, *, ssrc: int = 600, level: int | None = 30, size: int = 40) -> bytes:
    values = [(EXTENSIONS[plane.MID], b"a")]
    if level is not None:
        values.append((EXTENSIONS[plane.AUDIO_LEVEL], bytes((0x80 | level,))))
    body = sequence.to_bytes(4, "big") * (size // 4)
    return rtp.build(body, ssrc=ssrc, sequence=sequence, timestamp=sequence * 960, payload_type=111, values=values)


@pytest.mark.parametrize("profile", [GCM, CM])
async def test_video_is_forwarded_from_a_key_frame_on(stage: Stage, profile: str) -> None:
    publisher, subscriber = stage.client(profile), stage.client(profile)
    began = time.monotonic()
    stage.video(7, publisher)
    stage.route(9, 7, subscriber, mid="3", extensions=THEIRS)
    track = Vp8Track(5555, sequence=65530)
    for packet in track.frame():
        publisher.send(packet)  # nobody can begin here
    await until(lambda: stage.events.of("first_packet") == [(7, 0)])
    await until(lambda: rtcp.KeyFrameRequest(5555) in publisher.reports)
    sent = [packet for number in range(10) for packet in track.frame(key=number == 0)]
    for packet in sent:
        publisher.send(packet)
    await until(lambda: len(subscriber.received) == 30)
    assert [rtp.payload(p) for p in subscriber.received] == [rtp.payload(p) for p in sent]
    assert sequences(subscriber.received) == list(range(30))
    for ours, theirs in zip(subscriber.received, sent, strict=True):
        values = rtp.extensions(ours, rtp.header_size(ours, len(ours)))
        assert values[MID] == b"3"
        assert len(values[TIME]) == 3
        assert set(values) == {MID, TIME}
        assert ours[8:12] == OUT.to_bytes(4, "big")
        assert ours[1] == (theirs[1] & 0x80) | 120
        assert timestamp_of(ours) == timestamp_of(theirs)
    assert stage.plane.counters(9).packets == 30
    assert stage.plane.counters(9).layer == 0
    layer = stage.plane.layers(7)[0]
    assert (layer.width, layer.height, layer.packets) == (640, 480, 33)
    assert began - 0.1 < layer.last_at < time.monotonic() + 0.1


async def test_absolute_send_time_is_the_time(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.audio(1, publisher)
    stage.route(1, 1, subscriber, extensions=THEIRS)
    before = time.time()
    publisher.send(opus(1))
    await until(lambda: subscriber.received)
    data = subscriber.received[0]
    sent = int.from_bytes(rtp.extensions(data, rtp.header_size(data, len(data)))[TIME], "big") / 262144
    assert (sent - before % 64 + 1) % 64 < 2 + time.time() - before


@pytest.mark.parametrize(
    "numbers", [{plane.AUDIO_LEVEL: LEVEL}, {plane.MID: MID, plane.AUDIO_LEVEL: 20, plane.ABS_SEND_TIME: TIME}]
)
async def test_audio_begins_at_once_and_keeps_its_level(stage: Stage, numbers: dict[str, int]) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.audio(1, publisher)
    stage.route(1, 1, subscriber, mid="8", extensions=numbers)
    for number in range(5):
        publisher.send(opus(number, level=20 + number))
    await until(lambda: len(subscriber.received) == 5)
    for number, data in enumerate(subscriber.received):
        values = rtp.extensions(data, rtp.header_size(data, len(data)))
        assert set(values) == set(numbers.values())
        assert values[numbers[plane.AUDIO_LEVEL]] == bytes((0x80 | 20 + number,))
    await until(lambda: stage.events.of("audio_levels"))
    assert stage.events.of("audio_levels")[0] == ([(1, 20)],)
    await until(lambda: stage.events.of("audio_levels")[-1] == ([],))  # and then silence, once
    said = len(stage.events.of("audio_levels"))
    await quiet(0.25)
    assert len(stage.events.of("audio_levels")) == said


async def test_a_route_without_extensions_has_a_bare_header(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.audio(1, publisher)
    stage.route(1, 1, subscriber)
    publisher.send(opus(9))
    await until(lambda: subscriber.received)
    assert rtp.header_size(subscriber.received[0], 100) == 12


# ------------------------------------------------------------------------------------------------------- layers


class Simulcast:
    """Three VP8 layers from one source of time; each has its own time stamps and numbers, as libwebrtc makes them."""

    def __init__(self, stage: Stage, layers: int = 3) -> None:
        self.publisher = stage.client()
        stage.video(1, self.publisher, layers=layers, rids={"q": 0, "h": 1, "f": 2})
        rng = random.Random(4)
        self.offsets = [rng.randrange(1 << 32) for _ in range(layers)]
        self.tracks = [
            Vp8Track(100 + n, rid="qhf"[n], sequence=rng.randrange(1 << 16), timestamp=self.offsets[n], seed=n)
            for n in range(layers)
        ]
        self.frames = 0

    def frame(self, layers: tuple[int, ...] = (0, 1, 2), key: tuple[int, ...] = ()) -> None:
        for number in layers:
            track = self.tracks[number]
            track.timestamp = self.offsets[number] + self.frames * 3000 & 0xFFFFFFFF
            for packet in track.frame(2, key=number in key, size=50 * (number + 1)):
                self.publisher.send(packet)
        self.frames += 1

    def clocks(self) -> None:
        """A sender report per layer, each at a moment of its own."""
        for number, track in enumerate(self.tracks):
            seconds = self.frames / 30 + number * 0.5
            report = rtcp.SenderReport(
                track.ssrc, int(seconds * (1 << 32)), self.offsets[number] + int(seconds * 90000) & 0xFFFFFFFF, 1, 1
            )
            self.publisher.send_rtcp(rtcp.build_sender_report(report))


@pytest.mark.parametrize("with_reports", [True, False])
async def test_layers_switch_at_key_frames_into_one_continuous_stream(stage: Stage, with_reports: bool) -> None:
    simulcast, subscriber = Simulcast(stage), stage.client()
    stage.route(5, 1, subscriber, extensions=THEIRS)
    start = time.monotonic()
    simulcast.frame(key=(0, 1, 2))
    await until(lambda: len(stage.events.of("first_packet")) == 3)
    await quiet(0.02)
    begun = len(subscriber.received)
    if with_reports:
        simulcast.clocks()
    for _ in range(3):
        simulcast.frame(key=(2,))
        await quiet(0.03)
    assert stage.plane.counters(5).layer == 2
    stage.plane.set_layer(5, 0)
    simulcast.frame()  # no key frame yet: goes on with the high one
    await quiet(0.03)
    assert stage.plane.counters(5).layer == 2
    await until(lambda: rtcp.KeyFrameRequest(100) in simulcast.publisher.reports)
    for _ in range(3):
        simulcast.frame(key=(0,))
        await quiet(0.03)
    assert stage.plane.counters(5).layer == 0
    stage.plane.set_layer(5, 1)
    for _ in range(3):
        simulcast.frame(key=(1,))
        await quiet(0.03)
    assert stage.plane.counters(5).layer == 1
    received = subscriber.received
    assert sequences(received) == list(range(len(received)))
    pictures = [vp8_of(packet).picture_id for packet in received]
    steps = [later - earlier & 0x7FFF for earlier, later in itertools.pairwise(pictures)]
    assert set(steps) <= {0, 1}
    tl0 = [vp8_of(packet).tl0 for packet in received]
    assert [later - earlier & 0xFF for earlier, later in itertools.pairwise(tl0)] == steps
    times = [timestamp_of(packet) for packet in received]
    ticks = [later - earlier & 0xFFFFFFFF for earlier, later in itertools.pairwise(times)]
    moving = [tick for tick, step in zip(ticks, steps, strict=True) if step]
    assert all(tick == 0 for tick, step in zip(ticks, steps, strict=True) if not step)
    if with_reports:  # exact to a tick: the layers' clocks are known
        known = [tick for tick, step in zip(ticks[begun:], steps[begun:], strict=True) if step]
        assert all(abs(tick - 3000) <= 1 or tick == 1 for tick in known)
    else:
        assert all(0 < tick < 90000 * max(1, time.monotonic() - start) for tick in moving)
    sizes = {len(body_of(packet)) for packet in received}
    assert len(sizes) >= 3  # pictures of all three layers


async def test_the_layer_that_has_gone_is_left(stage: Stage) -> None:
    simulcast, subscriber = Simulcast(stage), stage.client()
    stage.route(5, 1, subscriber)
    simulcast.frame(key=(0, 1, 2))
    simulcast.frame(key=(0, 1, 2))
    await until(lambda: stage.plane.counters(5).layer == 2)
    simulcast.publisher.send_rtcp(rtcp.build_bye([102]))
    await until(lambda: rtcp.KeyFrameRequest(101) in simulcast.publisher.reports)
    simulcast.frame((0, 1), key=(1,))
    await until(lambda: stage.plane.counters(5).layer == 1)
    simulcast.frame((0, 1, 2), key=(2,))  # it comes back
    await until(lambda: stage.plane.counters(5).layer == 2)
    assert stage.events.of("first_packet").count((1, 2)) == 2
    assert sequences(subscriber.received) == list(range(len(subscriber.received)))


async def test_silent_layer_is_left_while_another_lives(stage: Stage) -> None:
    simulcast, subscriber = Simulcast(stage), stage.client()
    stage.route(5, 1, subscriber)
    simulcast.frame(key=(0, 1, 2))
    await until(lambda: stage.plane.counters(5).layer == 2)
    deadline = time.monotonic() + 20
    while stage.plane.counters(5).layer != 1:
        assert time.monotonic() < deadline
        simulcast.frame((0, 1), key=(0, 1))
        await asyncio.sleep(0.05)


async def test_only_a_low_layer_is_better_than_none(stage: Stage) -> None:
    simulcast, subscriber = Simulcast(stage), stage.client()
    stage.route(5, 1, subscriber)
    stage.plane.set_layer(5, 0)
    simulcast.frame((2,), key=(2,))
    await until(lambda: stage.plane.counters(5).layer == 2)


# -------------------------------------------------------------------------------------------------------- gates


async def test_both_gates_close_and_open_without_a_hole(stage: Stage) -> None:
    publisher, subscriber, other = stage.client(), stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    stage.route(6, 1, other)
    track = Vp8Track(100)

    async def frames(key: bool, here: int, there: int) -> None:
        for packet in track.frame(key=key):
            publisher.send(packet)
        await until(lambda: (len(subscriber.received), len(other.received)) == (here, there))
        await quiet(0.01)
        assert (len(subscriber.received), len(other.received)) == (here, there)

    await frames(True, 3, 3)
    stage.plane.set_open(1, False)
    await frames(True, 3, 3)
    stage.plane.set_open(1, True)
    await frames(False, 3, 3)  # not before a key frame
    await until(lambda: publisher.reports)
    await frames(True, 6, 6)
    stage.plane.set_allowed(5, False)
    await frames(True, 6, 9)
    stage.plane.set_allowed(5, True)
    stage.plane.set_paused(6, True)
    await frames(True, 9, 9)
    stage.plane.set_paused(6, False)
    await frames(True, 12, 12)
    for client in (subscriber, other):
        assert sequences(client.received) == list(range(12))
        pictures = [vp8_of(packet).picture_id for packet in client.received[::3]]
        assert [later - pictures[0] & 0x7FFF for later in pictures] == [0, 1, 2, 3]


async def test_what_was_said_behind_a_closed_gate_cannot_be_asked_for(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.audio(1, publisher)
    stage.route(5, 1, subscriber)
    publisher.send(opus(0))
    await until(lambda: subscriber.received)
    stage.plane.set_open(1, False)
    for number in range(1, 5):
        publisher.send(opus(number))
    await until(lambda: stage.statistic("packets_in") == 5)
    stage.plane.set_open(1, True)
    publisher.send(opus(5))
    await until(lambda: len(subscriber.received) == 2 + FRAMES)
    assert sequences(subscriber.received) == [0, 1, 2, 3, 4]
    assert [rtp.payload(packet) for packet in subscriber.received[1:-1]] == [OPUS_SILENCE] * FRAMES  # a voice ends in silence
    assert rtp.payload(subscriber.received[-1])[:4] == b"\0\0\0\x05"
    first = sequence_of(subscriber.received[0])
    subscriber.send_rtcp(rtcp.build_nack(1, OUT, [first + n & 0xFFFF for n in range(-5, 20)]))
    await until(lambda: stage.statistic("nacks_in") == 25)
    await quiet()
    assert len(subscriber.raw) == 2 + FRAMES + 2
    again = sorted([subscriber.raw[0], subscriber.raw[4]])
    assert sorted(subscriber.raw[5:]) == again  # octet for octet: a nonce may not seal anything else


# ------------------------------------------------------------------------------------------------------ endings


async def test_a_reused_ssrc_goes_on_counting(stage: Stage) -> None:
    """A nonce may never repeat: the numbers of an SSRC go on even when its route was removed."""
    publisher, subscriber = stage.client(), stage.client()
    stage.audio(1, publisher)
    stage.route(5, 1, subscriber)
    publisher.send(opus(0))
    publisher.send(opus(1))
    await until(lambda: len(subscriber.received) == 2)
    stage.plane.remove_route(5)
    publisher.send(opus(2))
    await until(lambda: stage.statistic("packets_in") == 3)
    stage.route(6, 1, subscriber)
    publisher.send(opus(3))
    await until(lambda: len(subscriber.received) == 3)
    assert sequences(subscriber.received) == [0, 1, 2]


async def test_commands_about_nobody_are_ignored(stage: Stage) -> None:
    forwarder = stage.plane
    forwarder.set_path(77, plane.Path(0, "127.0.0.1", 9))
    forwarder.set_path(77, plane.Path(9, "127.0.0.1", 9, 4))
    forwarder.set_keys(77, GCM, bytes(28), bytes(28))
    forwarder.send_dtls(77, b"x")
    forwarder.send(plane.Path(0, "127.0.0.1", 9, 55), b"x")
    stage.plane.add_receiver(1, plane.ReceiverSpec(77, "audio", 48000, {}))
    stage.plane.add_route(1, plane.RouteSpec(77, 77, 1, 1))
    forwarder.add_tap(1, 77, lambda packet, at: None)
    for command in (forwarder.remove_route, forwarder.remove_receiver, forwarder.remove_tap, forwarder.remove_transport):
        command(77)
    forwarder.set_open(77, False)
    forwarder.set_allowed(77, False)
    forwarder.set_paused(77, True)
    forwarder.set_layer(77, 1)
    forwarder.set_tap_allowed(77, False)
    forwarder.request_key_frame(77)
    forwarder.feed(77, b"x", [(1, 0, 1)])
    forwarder.feed_clock(77, 1, 1)
    assert forwarder.layers(77) == []
    assert forwarder.counters(77) == plane.RouteCounters()


async def test_removing_ends_everything_below(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.audio(1, publisher)
    stage.route(5, 1, subscriber)
    stage.plane.add_tap(3, 1, lambda packet, at: None)
    publisher.send(opus(0))
    await until(lambda: subscriber.received)
    stage.plane.remove_transport(publisher.number)
    figures = stage.plane.statistics()
    assert [figures[name] for name in ("transports", "receivers", "routes", "taps")] == [1, 0, 0, 0]
    publisher.send(opus(1))
    await until(lambda: stage.statistic("unknown_path") == 1)
    assert len(subscriber.received) == 1


async def test_a_receiver_made_again_knows_its_streams(stage: Stage) -> None:
    """Browsers name a stream (MID, RID) only until the first report; a later receiver of the line must still find it."""
    publisher, subscriber = stage.client(), stage.client()
    for receiver, mid in ((1, "v"), (2, "w")):
        stage.video(receiver, publisher, mid=mid, layers=2, rids={"q": 0, "h": 1})
    track = Vp8Track(100, rid="h", mid="w")
    for packet in track.frame():
        publisher.send(packet)
    await until(lambda: stage.events.of("first_packet") == [(2, 1)])
    stage.plane.remove_receiver(2)
    stage.video(3, publisher, mid="w", layers=2, rids={"q": 0, "h": 1})
    stage.route(5, 3, subscriber)
    for packet in track.frame(key=True):
        publisher.send(rtp.build(rtp.payload(packet), ssrc=100, sequence=sequence_of(packet), timestamp=1, payload_type=96))
    await until(lambda: len(subscriber.received) == 3)
    assert stage.plane.counters(5).layer == 1


async def test_keys_may_come_after_routes(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.plane.remove_transport(subscriber.number)
    stage.plane.add_transport(subscriber.number)
    stage.audio(1, publisher)
    stage.route(5, 1, subscriber)
    publisher.send(opus(0))
    await until(lambda: stage.statistic("packets_in") == 1)
    stage.plane.set_path(subscriber.number, plane.Path(0, *subscriber.socket.getsockname()))
    publisher.send(opus(1))
    await until(lambda: stage.statistic("packets_in") == 2)
    assert stage.statistic("packets_out") == 0
    stage.plane.set_keys(subscriber.number, GCM, subscriber.ours, subscriber.theirs)
    publisher.send(opus(2))
    await until(lambda: len(subscriber.received) == 1)


async def test_a_peer_that_moves_takes_its_media_along(stage: Stage) -> None:
    publisher, subscriber, elsewhere = stage.client(), stage.client(), stage.client()
    stage.audio(1, publisher)
    stage.route(5, 1, subscriber)
    publisher.send(opus(0))
    await until(lambda: subscriber.received)
    stage.plane.set_path(subscriber.number, plane.Path(0, *elsewhere.socket.getsockname()))
    publisher.send(opus(1))
    await until(lambda: elsewhere.raw)
    await quiet()
    assert len(subscriber.received) == 1
    assert subscriber.inbound.unprotect(elsewhere.raw[0])


async def test_silence_is_told_once(stage: Stage) -> None:
    events = Events()
    clock = [100.0]
    forwarder = Forwarder(events, silence=2.0, clock=lambda: clock[0])
    port = forwarder.open([plane.Address("127.0.0.1", "10.0.0.1")], 0)
    assert port[0][0] == "10.0.0.1"
    forwarder.add_transport(1)
    forwarder.set_path(1, plane.Path(0, "127.0.0.1", 9))
    for _ in range(120):
        clock[0] += 0.05
        forwarder.tick(clock[0])
    await asyncio.sleep(0)
    assert events.of("path_silent") == [(1,)]
    forwarder.set_path(1, plane.Path(0, "127.0.0.1", 9))  # an authenticated check came
    for _ in range(100):
        clock[0] += 0.05
        forwarder.tick(clock[0])
    await asyncio.sleep(0)
    assert events.of("path_silent") == [(1,), (1,)]
    forwarder.close()


async def test_a_sources_clock_is_told_in_ntp_time(stage: Stage) -> None:
    """RFC 3550 §6.4.1: 32 bits of seconds since 1900, then 32 bits of fraction."""
    forwarder = stage.plane
    forwarder.add_fed_receiver(5, "video", "video/H264", 90_000)
    forwarder.feed_clock(5, 90_000, 1_700_000_000_500_000_000)
    clock = forwarder._receivers[5].layers[0].sr
    assert clock is not None
    assert clock[:2] == ((1_700_000_000 + 2_208_988_800) << 32 | 1 << 31, 90_000)


async def test_another_source_goes_on_under_the_same_ssrc(stage: Stage) -> None:
    """A section whose track is exchanged (WHEP): to its receiver it is one stream, numbers and time never go back."""
    first, second, subscriber = stage.client(), stage.client(), stage.client()
    stage.video(7, first)
    stage.route(9, 7, subscriber)
    track = Vp8Track(5555, timestamp=0xF0000000)
    for number in range(5):
        for packet in track.frame(key=number == 0):
            first.send(packet)
    await until(lambda: len(subscriber.received) == 15)
    stage.plane.remove_receiver(7)
    stage.video(8, second)
    stage.route(10, 8, subscriber)
    other = Vp8Track(6666, sequence=40_000, timestamp=77, seed=2)
    for number in range(5):
        for packet in other.frame(key=number == 0):
            second.send(packet)
    await until(lambda: len(subscriber.received) == 30)
    assert sequences(subscriber.received) == list(range(30))
    times = [timestamp_of(packet) for packet in subscriber.received]
    steps = [later - earlier & 0xFFFFFFFF for earlier, later in itertools.pairwise(times)]
    assert all(step < 2 * 90_000 for step in steps)
    assert steps[14] > 0
    ids = [vp8_of(packet).picture_id for packet in subscriber.received]
    assert [later - earlier & 0x7FFF for earlier, later in itertools.pairwise(ids[::3])] == [1] * 9
