"""The PyPI livekit SDK and a hub whose insides can be looked at. What both servers are asked is in the other modules."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy
import pytest
from livekit import rtc

from tests.support import until
from tests.support.caller import Caller
from tests.support.hub import Hub

pytestmark = [pytest.mark.peer, pytest.mark.timeout(90)]


async def tone_of(caller: Caller, identity: str, seconds: float = 15) -> float:
    """The strongest frequency of what this caller hears of that participant, Hz."""
    participant = caller.room.remote_participants[identity]
    track = next(
        publication.track
        for publication in participant.track_publications.values()
        if publication.track is not None and publication.kind == rtc.TrackKind.KIND_AUDIO
    )
    stream = rtc.AudioStream(track, sample_rate=48000, num_channels=1)
    samples: list[numpy.ndarray[Any, Any]] = []
    async with asyncio.timeout(seconds):
        async for event in stream:
            heard = numpy.frombuffer(event.frame.data, dtype=numpy.int16).astype(float)
            if numpy.abs(heard).max() > 500:
                samples.append(heard)
            if sum(map(len, samples)) >= 24000:
                break
    await stream.aclose()
    spectrum = numpy.abs(numpy.fft.rfft(numpy.concatenate(samples)[:24000]))
    return float(spectrum.argmax()) * 2.0


@pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
async def test_what_is_heard_is_what_was_said(hub: Hub, single: bool) -> None:
    async with (
        Caller(hub.url, hub.token("alice"), single=single, video=False) as alice,
        Caller(hub.url, hub.token("bob"), single=single, video=False) as bob,
    ):
        await until(lambda: len(bob.sounds["alice"]) > 5 and len(alice.sounds["bob"]) > 5)
        assert abs(await tone_of(bob, "alice") - 400) < 10
    await until(lambda: not hub.rooms.rooms["r"].people)
    await until(lambda: [fact[0] for fact in hub.host.facts] == ["joined", "joined", "left", "left"])


async def test_the_server_cuts_the_websocket_and_media_goes_on(hub: Hub) -> None:
    async with Caller(hub.url, hub.token("alice")) as alice, Caller(hub.url, hub.token("bob")) as bob:
        began = await bob.sees("alice")
        await hub.signalling.close()
        await until(lambda: len(hub.host.resumed) == 2, 20)
        assert await bob.sees("alice", after=began + 1, count=15)
        assert len(hub.host.facts) == 2
        await alice.room.local_participant.set_metadata("after")
        await until(lambda: bob.room.remote_participants["alice"].metadata == "after")
        assert "disconnected" not in [name for _, name in alice.events + bob.events]
