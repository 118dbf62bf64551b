"""The PyPI livekit SDK (Rust core) against our signalling and engine."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy
import pytest
from livekit import api, rtc

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
async def test_two_callers_see_hear_and_tell_each_other(hub: Hub, single: bool) -> None:
    data: list[tuple[str, bytes, str | None]] = []
    texts: list[tuple[str, str]] = []
    async with (
        Caller(hub.url, hub.token("alice"), single=single) as alice,
        Caller(hub.url, hub.token("bob"), single=single) as bob,
    ):
        await asyncio.gather(alice.sees("bob", count=15), bob.sees("alice", count=15))
        assert abs(await tone_of(bob, "alice") - 400) < 10

        bob.room.on("data_received", lambda packet: data.append((packet.participant.identity, packet.data, packet.topic)))
        await alice.room.local_participant.publish_data(b"reliable", reliable=True, topic="t")
        await alice.room.local_participant.publish_data(b"lossy", reliable=False)
        await until(lambda: len(data) == 2)
        assert data == [("alice", b"reliable", "t"), ("alice", b"lossy", data[1][2])]

        async def read(reader: rtc.TextStreamReader, identity: str) -> None:
            texts.append((identity, await reader.read_all()))

        tasks = []
        bob.room.register_text_stream_handler("lk.chat", lambda reader, who: tasks.append(asyncio.create_task(read(reader, who))))
        await alice.room.local_participant.send_text("东口积水" * 5000, topic="lk.chat")
        await until(lambda: texts == [("alice", "东口积水" * 5000)])

        async def echo(call: rtc.RpcInvocationData) -> str:
            return f"{call.caller_identity}:{call.payload}"

        bob.room.local_participant.register_rpc_method("echo", echo)
        answer = await alice.room.local_participant.perform_rpc(destination_identity="bob", method="echo", payload="x")
        assert answer == "alice:x"

        await alice.room.local_participant.set_metadata("m")
        await alice.room.local_participant.set_attributes({"seat": "3"})
        await until(lambda: bob.room.remote_participants["alice"].attributes == {"seat": "3"})
        assert bob.room.remote_participants["alice"].metadata == "m"

        def there(kind: int) -> list[Any]:
            return [one for one in bob.room.remote_participants["alice"].track_publications.values() if one.kind == kind]

        (microphone,) = [one for one in alice.room.local_participant.track_publications.values() if one.kind == 1]
        assert isinstance(microphone.track, rtc.LocalAudioTrack)
        microphone.track.mute()
        await until(lambda: there(1)[0].muted)
        microphone.track.unmute()
        await until(lambda: not there(1)[0].muted)
        (camera,) = [one for one in alice.room.local_participant.track_publications.values() if one.kind == 2]
        await alice.room.local_participant.unpublish_track(camera.sid)
        await until(lambda: not there(2))
        assert alice.events == bob.events == []
    await until(lambda: not hub.rooms.rooms["r"].people)
    await until(lambda: [fact[0] for fact in hub.host.facts] == ["joined", "joined", "left", "left"])


@pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
async def test_more_people_than_the_first_offer_has_sections_for(hub: Hub, single: bool) -> None:
    names = [f"p{number}" for number in range(5)]
    callers = [Caller(hub.url, hub.token(name), single=single) for name in names]
    try:
        for caller in callers:
            await caller.__aenter__()
        await asyncio.gather(
            *(
                caller.sees(other, count=5, within=40)
                for caller, name in zip(callers, names, strict=True)
                for other in names
                if other != name
            )
        )
    finally:
        for caller in callers:
            await caller.__aexit__(None, None, None)


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


async def test_what_admins_do_reaches_the_client(hub: Hub) -> None:
    async with (
        Caller(hub.url, hub.token("alice")) as alice,
        Caller(hub.url, hub.token("bob"), video=False) as bob,
        api.LiveKitAPI(hub.base, "own", "o" * 40) as admin,
    ):
        await bob.sees("alice")
        camera = next(one for one in alice.room.local_participant.track_publications.values() if one.kind == 2)
        await admin.room.mute_published_track(
            api.MuteRoomTrackRequest(room="r", identity="alice", track_sid=camera.sid, muted=True)
        )
        seen = bob.room.remote_participants["alice"].track_publications
        await until(lambda: seen[camera.sid].muted)
        data: list[bytes] = []
        bob.room.on("data_received", lambda packet: data.append(packet.data))
        await admin.room.send_data(api.SendDataRequest(room="r", data=b"order", destination_identities=["bob"]))
        await until(lambda: data == [b"order"])
        deny = api.UpdateParticipantRequest(
            room="r", identity="bob", permission=api.ParticipantPermission(can_publish=False, can_subscribe=True)
        )
        await admin.room.update_participant(deny)
        await until(lambda: not alice.room.remote_participants["bob"].track_publications)
        await admin.room.remove_participant(api.RoomParticipantIdentity(room="r", identity="bob"))
        await until(lambda: [name for _, name in bob.events] == ["disconnected"])
        await until(lambda: not alice.room.remote_participants)


async def test_refused_tokens_say_why(hub: Hub) -> None:
    room = rtc.Room()
    with pytest.raises(rtc.ConnectError, match="401"):
        await room.connect(hub.url, "junk")
