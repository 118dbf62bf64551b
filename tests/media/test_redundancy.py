"""Redundant audio through the data plane: losses on the way in are mended, and who takes it gets redundancy again."""

from __future__ import annotations

from commhub.media import plane, redundancy
from commhub.media.srtp import Window
from commhub.wire import red, rtcp, rtp
from commhub.wire.red import Block
from tests.support.plane import EXTENSIONS, quiet, until
from tests.support.stage import Stage, sequences, timestamp_of

OPUS, RED = 111, 63
MIMES = {OPUS: "audio/opus", RED: redundancy.MIME}


def frame(number: int) -> bytes:
    return number.to_bytes(2, "big") * 10


def packet(number: int, *, depth: int = 2) -> bytes:
    """As libwebrtc sends it: the frames before, then its own."""
    earlier = [Block(960 * back, frame(number - back)) for back in range(min(depth, number), 0, -1)]
    values = [(EXTENSIONS[plane.MID], b"a")]
    return rtp.build(
        red.build(OPUS, frame(number), earlier),
        ssrc=600,
        sequence=number + 1000,
        timestamp=number * 960,
        payload_type=RED,
        values=values,
    )


async def test_plain_for_one_and_redundant_for_the_other(stage: Stage) -> None:
    publisher, plain, redundant = stage.client(), stage.client(), stage.client()
    stage.audio(7, publisher, payload_types=MIMES)
    stage.route(8, 7, plain, payload_type=120)
    stage.route(9, 7, redundant, payload_type=100, red=101)
    for number in range(5):
        publisher.send(packet(number))
    await until(lambda: len(plain.received) == len(redundant.received) == 5)
    assert [rtp.payload(one) for one in plain.received] == [frame(number) for number in range(5)]
    assert {one[1] & 0x7F for one in plain.received} == {120}
    found = [red.parse(rtp.payload(one)) for one in redundant.received]
    assert {one[1] & 0x7F for one in redundant.received} == {100}
    assert {one.payload_type for one in found} == {101}
    assert [one.primary for one in found] == [frame(number) for number in range(5)]
    assert found[0].earlier == []
    assert found[4].earlier == [Block(960, frame(3))]


async def test_what_was_lost_on_the_way_in_is_mended_for_everybody(stage: Stage) -> None:
    publisher, plain = stage.client(), stage.client()
    stage.audio(7, publisher, payload_types=MIMES)
    stage.route(8, 7, plain, payload_type=120)
    tapped: list[bytes] = []
    stage.plane.add_tap(1, 7, lambda data, at: tapped.append(data))
    for number in (0, 1, 4, 5):
        publisher.send(packet(number))
    await until(lambda: len(plain.received) == 6)
    ordered = sorted(plain.received, key=lambda one: timestamp_of(one))
    assert [rtp.payload(one) for one in ordered] == [frame(number) for number in range(6)]
    assert sequences(ordered) == [0, 1, 2, 3, 4, 5]
    assert [rtp.payload(one) for one in tapped] == [rtp.payload(one) for one in plain.received]
    assert {one[1] & 0x7F for one in tapped} == {OPUS}
    publisher.send(packet(3))  # it was only late
    await quiet()
    assert len(plain.received) == 6


async def test_a_redundant_packet_sent_again_is_what_it_was(stage: Stage) -> None:
    publisher, redundant = stage.client(), stage.client()
    stage.audio(7, publisher, payload_types=MIMES)
    stage.route(9, 7, redundant, payload_type=100, red=101)
    for number in (0, 1, 5, 6):  # more is lost than is repeated
        publisher.send(packet(number))
    await until(lambda: len(redundant.received) == 6)
    raw = list(redundant.raw)
    publisher.send(packet(2))  # changes what lies before packets that were sent
    await until(lambda: len(redundant.received) == 7)
    ssrc = int.from_bytes(redundant.received[0][8:12], "big")
    wanted = [int.from_bytes(one[2:4], "big") for one in redundant.received[2:6]]
    redundant.send_rtcp(rtcp.build_nack(1, ssrc, wanted))
    await until(lambda: len(redundant.raw) == 11)
    assert sorted(redundant.raw[7:]) == sorted(raw[2:6])


async def test_torn_packets_are_counted(stage: Stage) -> None:
    publisher, plain = stage.client(), stage.client()
    stage.audio(7, publisher, payload_types=MIMES)
    stage.route(8, 7, plain, payload_type=120)
    publisher.send(rtp.build(b"\xef", ssrc=600, sequence=1, timestamp=0, payload_type=RED))
    await until(lambda: stage.statistic("malformed") == 1)
    assert not plain.received


def test_blocks_belong_to_the_packets_right_before() -> None:
    window = Window()
    for index in (10, 12):
        window.accept(window.index(index))
    payload = red.build(OPUS, b"p", [Block(1920, b"x"), Block(960, b"y")])
    assert redundancy.unwrap(window, 12, 5000, 0x80 | RED, payload) == [
        (11, OPUS, 4040, b"y"),
        (12, 0x80 | OPUS, 5000, b"p"),
    ]
    assert not window.fresh(11)
