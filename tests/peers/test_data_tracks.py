"""Data tracks between PyPI livekit SDKs through our engine."""

from __future__ import annotations

import asyncio

import pytest
from livekit import rtc
from livekit.rtc.participant import PublishDataTrackError

from tests.support import until
from tests.support.caller import Caller
from tests.support.hub import Hub

pytestmark = [pytest.mark.peer, pytest.mark.timeout(90)]


@pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
async def test_frames_of_a_data_track_reach_who_subscribed(hub: Hub, single: bool) -> None:
    found: list[rtc.RemoteDataTrack] = []
    gone: list[str] = []
    got: list[bytes] = []
    async with (
        Caller(hub.url, hub.token("alice"), video=False, audio=False, single=single) as alice,
        Caller(hub.url, hub.token("bob"), video=False, audio=False, single=single) as bob,
    ):
        bob.room.on("data_track_published", found.append)
        bob.room.on("data_track_unpublished", gone.append)
        track = await alice.room.local_participant.publish_data_track(name="positions")
        await until(lambda: found)
        assert (found[0].publisher_identity, found[0].info.name) == ("alice", "positions")
        stream = found[0].subscribe()

        async def read() -> None:
            async for frame in stream:
                got.append(frame.payload)

        reader = asyncio.create_task(read())

        async def send() -> None:
            for number in range(200):
                track.try_push(rtc.DataTrackFrame(payload=number.to_bytes(2, "big") + bytes(3000)))
                await asyncio.sleep(0.02)

        sender = asyncio.create_task(send())
        await until(lambda: len(got) > 20, 15)
        sender.cancel()
        assert all(len(payload) == 3002 for payload in got)
        assert [payload[:2] for payload in got] == sorted(payload[:2] for payload in got)
        with pytest.raises(PublishDataTrackError):
            await alice.room.local_participant.publish_data_track(name="positions")
        await track.unpublish()
        await until(lambda: gone)
        reader.cancel()


async def test_without_the_right_no_data_track(hub: Hub) -> None:
    async with Caller(hub.url, hub.token("alice", canPublishData=False), video=False, audio=False) as alice:
        with pytest.raises(PublishDataTrackError):
            await alice.room.local_participant.publish_data_track(name="positions")
