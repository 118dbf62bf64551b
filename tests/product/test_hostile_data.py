"""A file between two people of a call, as large as they like: nobody's sound waits for it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from livekit import rtc

from tests.support.caller import Caller, longest_gap
from tests.support.hub import Hub
from tests.support.proofs import Figure

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]


@dataclass
class Heard:
    """What one listener noticed of a voice and a picture in some seconds."""

    concealed: float  # % of the samples that its jitter buffer had to make up
    delay: float  # ms a sample lay in the jitter buffer: it grows when packets come late
    gap: float  # longest time between two pictures, s


async def _sound(caller: Caller, identity: str) -> tuple[int, int, float, int]:
    participant = caller.room.remote_participants[identity]
    track = next(one.track for one in participant.track_publications.values() if one.kind == rtc.TrackKind.KIND_AUDIO)
    assert track is not None
    for one in await track.get_stats():
        if one.HasField("inbound_rtp"):
            inbound = one.inbound_rtp.inbound
            return (
                inbound.concealed_samples,
                inbound.total_samples_received,
                inbound.jitter_buffer_delay,
                inbound.jitter_buffer_emitted_count,
            )
    raise AssertionError("no statistics of an incoming track")


async def listen(caller: Caller, identity: str, seconds: float) -> Heard:
    since, before = time.monotonic(), await _sound(caller, identity)
    await asyncio.sleep(seconds)
    after = await _sound(caller, identity)
    concealed, samples, delay, emitted = (b - a for a, b in zip(before, after, strict=True))
    gap = longest_gap(caller.frames[identity], since, time.monotonic())
    return Heard(100 * concealed / max(1, samples), 1000 * delay / max(1, emitted), gap)


async def file_in_a_call(hub: Hub, size: int) -> tuple[Heard, Heard, float]:
    """``(before, meanwhile, seconds)``: carol listens to dave while alice sends bob a file."""
    arrived: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def read(reader: rtc.ByteStreamReader) -> None:
        octets = 0
        async for part in reader:
            octets += len(part)
        arrived.set_result(octets)

    async with (
        Caller(hub.url, hub.token("dave")),
        Caller(hub.url, hub.token("carol"), video=False, audio=False) as carol,
        Caller(hub.url, hub.token("alice"), video=False, audio=False) as alice,
        Caller(hub.url, hub.token("bob"), video=False, audio=False) as bob,
    ):
        tasks = []
        bob.room.register_byte_stream_handler("file", lambda reader, _: tasks.append(asyncio.create_task(read(reader))))
        await carol.sees("dave", count=15)
        await asyncio.sleep(3)
        before = await listen(carol, "dave", 6)
        began = time.monotonic()
        person = alice.room.local_participant
        writer = await person.stream_bytes("file", total_size=size, topic="file", destination_identities=["bob"])

        async def send() -> None:
            part = os.urandom(1 << 16)
            for _ in range(size // len(part)):
                await writer.write(part)
            await writer.aclose()

        sending = asyncio.create_task(send())
        meanwhile = await listen(carol, "dave", max(4.0, size / (1 << 20)))
        assert await asyncio.wait_for(arrived, 60 + size / (1 << 18)) == size
        await sending
        assert not carol.events
        return before, meanwhile, time.monotonic() - began


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub() as running:
        yield running


async def test_a_file_does_not_delay_sound(hub: Hub) -> None:
    before, meanwhile, seconds = await file_in_a_call(hub, 4 << 20)
    print(before, meanwhile, f"{seconds:.1f} s")
    assert meanwhile.concealed <= before.concealed + 5
    assert meanwhile.gap <= 1.0


@pytest.mark.prove
async def test_fifty_megabytes_do_not_delay_sound(hub: Hub, figure: Figure) -> None:
    before, meanwhile, seconds = await file_in_a_call(hub, 50 << 20)
    figure("file of 50 MiB in a call: it takes", round(seconds, 1), "s")
    figure("sound without a file: concealed", round(before.concealed, 2), "%")
    figure("sound without a file: in the jitter buffer", round(before.delay, 1), "ms")
    figure("file of 50 MiB in a call: sound in the jitter buffer", round(meanwhile.delay, 1), "ms")
    assert figure("file of 50 MiB in a call: sound that is concealed", round(meanwhile.concealed, 2), "%", goal="≤ 1 %")
    assert figure("file of 50 MiB in a call: longest time between two pictures", round(meanwhile.gap, 3), "s", goal="≤ 0.3 s")
