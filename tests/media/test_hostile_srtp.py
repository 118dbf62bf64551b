"""Packets that were recorded and are sent again, at once or much later: authentic, and refused all the same."""

from __future__ import annotations

import asyncio

import pytest

from commhub.wire import rtcp, rtp
from tests.support.plane import CM, GCM, Client, Vp8Track, quiet, until
from tests.support.stage import Stage

BOTH = pytest.mark.parametrize("profile", [GCM, CM])


def voice(stage: Stage, profile: str) -> tuple[Client, Client, Vp8Track]:
    publisher, subscriber = stage.client(profile), stage.client()
    stage.audio(1, publisher)
    stage.route(5, 1, subscriber)
    return publisher, subscriber, Vp8Track(7777, mid="a")


async def say(publisher: Client, track: Vp8Track, count: int) -> list[bytes]:
    """So many packets; as they were on the wire."""
    sent = []
    for number in range(count):
        sent.append(publisher.outbound.protect(track.packet(b"%d" % number, payload_type=111)))
        publisher.socket.sendto(sent[-1], publisher.target)
        if number % 50 == 49:
            await asyncio.sleep(0.001)
    return sent


@BOTH
async def test_a_packet_is_taken_once(stage: Stage, profile: str) -> None:
    publisher, subscriber, track = voice(stage, profile)
    recorded = await say(publisher, track, 20)
    await until(lambda: len(subscriber.received) == 20)
    for packet in recorded * 3:
        publisher.socket.sendto(packet, publisher.target)
    await until(lambda: stage.statistic("replayed") == 60)
    await quiet()
    assert len(subscriber.received) == 20


@BOTH
async def test_a_packet_older_than_the_window_is_refused(stage: Stage, profile: str) -> None:
    publisher, subscriber, track = voice(stage, profile)
    held = publisher.outbound.protect(track.packet(b"never came", payload_type=111))  # recorded, and kept from arriving
    await say(publisher, track, 1500)
    await until(lambda: len(subscriber.received) == 1500)
    publisher.socket.sendto(held, publisher.target)
    await until(lambda: stage.statistic("replayed") == 1)
    await quiet()
    assert len(subscriber.received) == 1500


@BOTH
async def test_a_packet_of_an_earlier_round_of_sequence_numbers_is_not_authentic(stage: Stage, profile: str) -> None:
    """After a wrap the number is new again, but the roll-over counter in the nonce is not."""
    publisher, subscriber, track = voice(stage, profile)
    track.sequence = 65_530
    recorded = await say(publisher, track, 3)
    await until(lambda: len(subscriber.received) == 3)
    for number in range(1, 70):  # in leaps of less than half the numbers, as a sender with losses does
        track.sequence = (65_530 + number * 1_000) & 0xFFFF
        await say(publisher, track, 1)
    await until(lambda: len(subscriber.received) == 72)
    before = stage.statistic("unauthentic") + stage.statistic("replayed")
    for packet in recorded:
        publisher.socket.sendto(packet, publisher.target)
    await until(lambda: stage.statistic("unauthentic") + stage.statistic("replayed") == before + 3)
    await quiet()
    assert len(subscriber.received) == 72


@BOTH
async def test_a_packet_for_somebody_else_is_not_authentic(stage: Stage, profile: str) -> None:
    publisher, subscriber, track = voice(stage, profile)
    other = stage.client(profile)
    stage.audio(2, other)
    packet = publisher.outbound.protect(track.packet(b"x", payload_type=111))
    other.socket.sendto(packet, other.target)
    await until(lambda: stage.statistic("unauthentic") == 1)
    publisher.socket.sendto(packet, publisher.target)
    await until(lambda: len(subscriber.received) == 1)


@BOTH
async def test_a_report_is_taken_once(stage: Stage, profile: str) -> None:
    """A key frame request that is sent again asks nobody for a key frame."""
    publisher, subscriber = stage.client(), stage.client(profile)
    stage.video(1, publisher)
    stage.route(5, 1, subscriber, ssrc=99)
    for packet in Vp8Track(5555).frame(3, key=True):
        publisher.send(packet)
    await until(lambda: len(subscriber.received) == 3)
    reports = [rtcp.build_receiver_report(1, []) + rtcp.build_pli(1, 99)] * 1100
    recorded = [subscriber.outbound.protect_rtcp(one) for one in reports]
    for packet in recorded[:3]:
        subscriber.socket.sendto(packet, subscriber.target)
    await until(lambda: stage.statistic("plis_in") == 3)
    for packet in recorded[:3] * 2:
        subscriber.socket.sendto(packet, subscriber.target)
    await until(lambda: stage.statistic("unauthentic") == 6)
    subscriber.socket.sendto(recorded[-1], subscriber.target)
    await until(lambda: stage.statistic("plis_in") == 4)
    subscriber.socket.sendto(recorded[4], subscriber.target)  # never came, but older than the window by now
    await until(lambda: stage.statistic("unauthentic") == 7)
    assert stage.statistic("plis_in") == 4


async def test_a_forged_number_does_not_move_the_window(stage: Stage) -> None:
    """Only what is authentic counts: else one forged packet would lock the sender out."""
    publisher, subscriber, track = voice(stage, GCM)
    await say(publisher, track, 5)
    await until(lambda: len(subscriber.received) == 5)
    forged = rtp.build(b"y" * 40, ssrc=7777, sequence=30_000, timestamp=0, payload_type=111)
    publisher.socket.sendto(forged, publisher.target)
    await until(lambda: stage.statistic("unauthentic") == 1)
    await say(publisher, track, 5)
    await until(lambda: len(subscriber.received) == 10)
