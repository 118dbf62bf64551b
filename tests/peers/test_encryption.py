"""End-to-end encryption by PyPI livekit SDKs: passed through untouched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy
import pytest
from livekit import rtc

from tests.support import until
from tests.support.caller import Caller
from tests.support.hub import Hub

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


class Secret(Caller):
    """A caller with a key of the room, or with another one."""

    def __init__(self, url: str, token: str, key: bytes, *, single: bool, speaks: bool = True) -> None:
        super().__init__(url, token, single=single, video=speaks, audio=speaks)
        self.options.encryption = rtc.E2EEOptions(
            key_provider_options=rtc.e2ee.KeyProviderOptions(shared_key=key), encryption_type=rtc.EncryptionType.GCM
        )


async def loudness(caller: Caller, identity: str) -> AsyncIterator[float]:
    publications = caller.room.remote_participants[identity].track_publications.values()
    track = next(one.track for one in publications if one.track is not None and one.kind == rtc.TrackKind.KIND_AUDIO)
    stream = rtc.AudioStream(track, sample_rate=48000, num_channels=1)
    try:
        async for event in stream:
            yield float(numpy.abs(numpy.frombuffer(event.frame.data, dtype=numpy.int16).astype(float)).max())
    finally:
        await stream.aclose()


@pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
async def test_only_who_has_the_key_sees_and_hears(hub: Hub, single: bool) -> None:
    heard: list[bytes] = []
    async with (
        Secret(hub.url, hub.token("alice"), b"the key", single=single) as alice,
        Secret(hub.url, hub.token("bob"), b"the key", single=single, speaks=False) as bob,
        Secret(hub.url, hub.token("eve"), b"not the key", single=single, speaks=False) as eve,
    ):
        await bob.sees("alice", count=10, within=30)
        async with asyncio.timeout(20):
            async for peak in loudness(bob, "alice"):
                if peak > 4000:
                    break
        seen = bob.room.remote_participants["alice"].track_publications.values()
        assert {one.encryption_type for one in seen} == {rtc.EncryptionType.GCM}
        peaks: list[float] = []
        async with asyncio.timeout(20):
            async for peak in loudness(eve, "alice"):
                peaks.append(peak)
                if len(peaks) > 100:
                    break
        assert max(peaks) < 1000
        await bob.sees("alice", after=bob.frames["alice"][-1], count=10)
        assert eve.frames["alice"] == []
        bob.room.on("data_received", lambda packet: heard.append(packet.data))
        await alice.room.local_participant.publish_data(b"secret", reliable=True)
        await until(lambda: heard == [b"secret"])
