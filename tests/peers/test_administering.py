"""What RoomService does, as the clients in the room notice it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit import api

from tests.peers.test_joining import refused
from tests.support.peers.meeting import KINDS, MARKS, SINGLES, Meeting
from tests.support.peers.peer import Peer

pytestmark = MARKS


@pytest.mark.parametrize("client", SINGLES)
async def test_removed(meet: Meeting, client: str) -> None:
    bob = await meet("python-single", "bob")
    token = meet.server.token("alice", meet.room)
    alice = await meet.make(client, "alice")
    await alice.join(meet.server.url, token)
    await bob.heard("ParticipantConnected alice")
    await meet.admin.room.remove_participant(api.RoomParticipantIdentity(room=meet.room, identity="alice"))
    await alice.heard("Disconnected PARTICIPANT_REMOVED")
    await bob.heard("ParticipantDisconnected alice")
    again = await meet.make(client, "alice")
    if meet.expected("a removed participant's token") == "opens":
        await again.join(meet.server.url, token)
    else:
        error = await refused(meet, client, token)
        assert meet.expected("a removed participant's token") in error.message


@pytest.mark.parametrize("client", SINGLES)
async def test_rights_that_were_taken_and_the_token_from_before(meet: Meeting, client: str) -> None:
    bob = await meet("python-single", "bob")
    token = meet.server.token("alice", meet.room)
    first = await meet.make(client, "alice")
    await first.join(meet.server.url, token)
    await asyncio.sleep(1.1)  # tokens say the second they were made in
    none = api.ParticipantPermission(can_publish=False, can_subscribe=True)
    await meet.admin.room.update_participant(api.UpdateParticipantRequest(room=meet.room, identity="alice", permission=none))
    await first.close()
    await bob.heard("ParticipantDisconnected alice")
    mark = len(await bob.told())
    again = await meet.make(client, "alice")
    await again.join(meet.server.url, token)
    await bob.heard("ParticipantConnected alice", since=mark)
    alice = await meet.admin.room.get_participant(api.RoomParticipantIdentity(room=meet.room, identity="alice"))
    assert alice.permission.can_publish is meet.expected("rights that were taken, and the token from before")


@pytest.mark.parametrize("client", SINGLES)
async def test_muted_by_an_admin(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    sid = await alice.publish("microphone")
    await bob.sees("alice", "microphone")
    ask = api.MuteRoomTrackRequest(room=meet.room, identity="alice", track_sid=sid, muted=True)
    await meet.admin.room.mute_published_track(ask)
    await bob.heard("TrackMuted alice microphone")
    if client != "node-single":  # it does not tell of its own tracks
        await alice.heard("TrackMuted alice microphone")
    await alice.becomes("me/tracks/microphone/muted", True)
    ask.muted = False
    with pytest.raises(api.TwirpError) as caught:
        await meet.admin.room.mute_published_track(ask)
    assert (caught.value.code, caught.value.status) == ("failed_precondition", 412)


@pytest.mark.parametrize("client", SINGLES)
async def test_described_by_an_admin(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    change = api.UpdateParticipantRequest(
        room=meet.room, identity="alice", name="Anna", metadata="desk 3", attributes={"seat": "3"}
    )
    await meet.admin.room.update_participant(change)
    for one in (alice, bob):
        await one.heard(
            "ParticipantNameChanged alice Anna", "ParticipantMetadataChanged alice desk 3",
            'ParticipantAttributesChanged alice {"seat":"3"}',
        )  # fmt: skip
    await meet.admin.room.update_room_metadata(api.UpdateRoomMetadataRequest(room=meet.room, metadata="flood"))
    for one in (alice, bob):
        await one.heard("RoomMetadataChanged flood")
        await one.becomes("room/metadata", "flood")


@pytest.mark.parametrize("client", KINDS)
async def test_rights_taken_and_given(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    await alice.publish("camera", width=320, height=180)
    await bob.publish("microphone")
    await bob.sees("alice")
    await alice.sees("bob", "microphone")

    async def permit(publish: bool, subscribe: bool) -> None:
        may = api.ParticipantPermission(can_publish=publish, can_subscribe=subscribe, can_publish_data=True)
        await meet.admin.room.update_participant(api.UpdateParticipantRequest(room=meet.room, identity="alice", permission=may))

    await permit(publish=False, subscribe=True)
    await bob.heard("TrackUnpublished alice camera")
    await alice.sees("bob", "microphone")
    await permit(publish=True, subscribe=False)
    await alice.silent("bob", "microphone")
    await permit(publish=True, subscribe=True)
    await alice.sees("bob", "microphone")


@pytest.mark.parametrize("client", SINGLES)
async def test_data_from_the_server(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    send = api.SendDataRequest(room=meet.room, data=b"order", topic="t", kind=api.DataPacket.Kind.RELIABLE,
                               destination_identities=["alice"])  # fmt: skip
    await meet.admin.room.send_data(send)
    await alice.heard("DataReceived - reliable t order")
    del send.destination_identities[:]
    send.data = b"everybody"
    await meet.admin.room.send_data(send)
    for one in (alice, bob):
        await one.heard("DataReceived - reliable t everybody")
    assert "DataReceived - reliable t order" not in await bob.events()


@pytest.mark.parametrize("client", SINGLES)
async def test_subscribed_by_an_admin(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice", autoSubscribe=False)
    bob = await meet("python-single", "bob")
    sid = await bob.publish("microphone")
    await alice.becomes("others/bob/tracks/microphone/subscribed", False)
    ask = api.UpdateSubscriptionsRequest(room=meet.room, identity="alice", track_sids=[sid], subscribe=True)
    await meet.admin.room.update_subscriptions(ask)
    await alice.heard("TrackSubscribed bob microphone")
    await alice.sees("bob", "microphone")
    ask.subscribe = False
    await meet.admin.room.update_subscriptions(ask)
    await alice.silent("bob", "microphone")


@pytest.mark.parametrize("client", SINGLES)
async def test_the_room_is_deleted(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    await meet.admin.room.delete_room(api.DeleteRoomRequest(room=meet.room))
    await alice.heard("Disconnected ROOM_DELETED")
    listed = await meet.admin.room.list_rooms(api.ListRoomsRequest(names=[meet.room]))
    assert not listed.rooms


async def _answer(asked: Any) -> str:
    try:
        await asked
    except api.TwirpError as error:
        return f"{error.status} {error.code}"
    return "200"


@pytest.mark.parametrize("client", SINGLES)
async def test_moved_to_another_room(meet: Meeting, client: str) -> None:
    alice: Peer = await meet(client, "alice")
    other = f"{meet.room}-other"
    carol = await meet("python-single", "carol", room=other)
    move = api.MoveParticipantRequest(room=meet.room, identity="alice", destination_room=other)
    answer = await _answer(meet.admin.room.move_participant(move))
    assert answer == meet.expected("moving a participant")
    if answer == "200":
        await carol.heard("ParticipantConnected alice")
        await alice.becomes("others/carol/name", "Carol")
        await alice.becomes("room/name", other)
        await alice.publish("microphone")
        await carol.sees("alice", "microphone")
