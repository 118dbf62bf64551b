"""MoveParticipant: in place on one worker, by themselves to another."""

from __future__ import annotations

import time
from typing import Any

import pytest
from livekit import api
from livekit.protocol import models, rtc

from commhub.conference import CameraSeat
from commhub.errors import Forbidden
from commhub.media import messages as media
from signaling import tokens
from tests.support import until
from tests.support.house import House, Peer
from tests.support.livekit import HUB_KEY, KEYS


@pytest.fixture
async def admin(house: House) -> Any:
    async with api.LiveKitAPI(house.url, "own", "o" * 40) as client:
        yield client.room


def move(identity: str = "alice", room: str = "r", to: str = "s") -> api.MoveParticipantRequest:
    return api.MoveParticipantRequest(room=room, identity=identity, destination_room=to)


async def publish(house: House, peer: Peer, room: str = "r", cid: str = "cam") -> str:
    add = rtc.AddTrackRequest(cid=cid, type=models.TrackType.VIDEO, source=models.TrackSource.CAMERA)
    await peer.say(add_track=add)
    sid: str = (await peer.hear("track_published")).track.sid
    person = next(one for one in house.rooms.rooms[room].people.values() if sid in one.tracks)
    house.engine.listener(media.TrackBound(room, person.sid, sid, "7", "video/VP8"))
    return sid


async def in_room(house: House, identity: str, room: str) -> Peer:
    peer = await house.join(identity, token=house.token(identity, room=room))
    await peer.hear("join")
    return peer


def code(error: pytest.ExceptionInfo[api.TwirpError]) -> tuple[str, int]:
    return error.value.code, error.value.status


async def test_moved_in_place(house: House, admin: Any) -> None:
    alice, bob, carol = await in_room(house, "alice", "r"), await in_room(house, "bob", "r"), await in_room(house, "carol", "s")
    hers, his = await publish(house, alice), await publish(house, bob)
    theirs = await publish(house, carol, "s")
    sid = house.rooms.rooms["r"].by_identity["alice"]
    await until(lambda: len(house.host.facts) == 3)
    house.engine.told.clear()
    await admin.move_participant(move())

    moved = await alice.hear("room_moved")
    assert (moved.room.name, moved.participant.sid, moved.participant.identity) == ("s", sid, "alice")
    assert [track.sid for track in moved.participant.tracks] == [hers]
    assert [(one.identity, [track.sid for track in one.tracks]) for one in moved.other_participants] == [("carol", [theirs])]
    ticket = tokens.verify(moved.token, KEYS, time.time())
    assert (ticket.room, ticket.identity) == ("s", "alice")

    kinds = [type(one) for one in house.engine.told if not isinstance(one, media.UpdatePeer)]
    assert media.RemovePeer not in kinds
    at = kinds.index(media.MovePeer)
    assert media.Subscribe not in kinds[:at]
    subscribed = {(one.peer, *one.tracks) for one in house.engine.told if isinstance(one, media.Subscribe) and one.on}
    assert subscribed == {(sid, theirs), (house.rooms.rooms["s"].by_identity["carol"], hers)}

    async def sees(peer: Peer, state: Any) -> models.ParticipantInfo:
        while True:
            update: rtc.ParticipantUpdate = await peer.hear("update")
            for one in update.participants:
                if one.identity == "alice" and one.state == state and (state != models.ParticipantInfo.JOINED or one.tracks):
                    return one

    gone = await sees(bob, models.ParticipantInfo.DISCONNECTED)
    assert (gone.disconnect_reason, len(gone.tracks)) == (models.DisconnectReason.MIGRATION, 0)
    come = await sees(carol, models.ParticipantInfo.JOINED)
    assert (come.sid, [track.sid for track in come.tracks]) == (sid, [hers])
    await until(lambda: house.host.facts[3:] == [("left", "r", "alice"), ("joined", "s", "alice")])
    assert his not in house.rooms.rooms["s"].people[sid].subscribed

    # Whatever comes over the old WebSocket, or was said by the worker before it heard of the move, is about the new room.
    await alice.say(mute=rtc.MuteTrackRequest(sid=hers, muted=True))
    await until(lambda: media.Mute("s", hers, True) in house.engine.told)
    house.engine.listener(media.SectionsWanted("r", sid, 1, 2))
    assert (await alice.hear("media_sections_requirement")).num_videos == 2
    await alice.say(offer=rtc.SessionDescription(type="offer", sdp="x", id=9))
    while (await alice.hear("answer")).id != 9:
        pass
    assert house.engine.offers[-1].room == "s"
    await alice.say(leave=rtc.LeaveRequest())
    await until(lambda: "alice" not in house.rooms.rooms["s"].by_identity)
    assert house.rooms._moved == {}


async def test_a_websocket_that_was_away_while_its_participant_moved(house: House, admin: Any) -> None:
    alice = await house.join("alice")
    first = await alice.hear("refresh_token")
    sid = house.rooms.rooms["r"].by_identity["alice"]
    await alice.ws.close()
    await until(lambda: not house.rooms.rooms["r"].people[sid].present)
    await admin.move_participant(move())
    back = await house.join("alice", token=first, path="/rtc", reconnect="1", sid=sid)
    await back.hear("reconnect")
    moved = await back.hear("room_moved")
    assert (moved.room.name, tokens.verify(moved.token, KEYS, time.time()).room) == ("s", "s")
    assert house.rooms.rooms["s"].people[sid].present


async def test_nobody_else_resumes_the_session_of_somebody_who_was_moved(house: House, admin: Any) -> None:
    """Whoever was in the first room knows the sid; a token for that room is all a thief needs beside it."""
    alice, bob = await in_room(house, "alice", "r"), await in_room(house, "bob", "r")
    sid = house.rooms.rooms["r"].by_identity["alice"]
    await admin.move_participant(move())
    await alice.hear("room_moved")
    thief = await house.join("bob", path="/rtc", reconnect="1", sid=sid)
    assert (await thief.hear("leave")).reason == models.DisconnectReason.STATE_MISMATCH
    assert [one.WhichOneof("message") for one in thief.heard] == ["leave"]
    await alice.say(ping_req=rtc.Ping(timestamp=1))
    await alice.hear("pong_resp")
    assert not bob.ws.closed


async def test_the_moved_token_holds_no_admins_rights(house: House, admin: Any) -> None:
    alice = await house.join("alice", token=house.token("alice", roomAdmin=True, roomCreate=True, canPublish=False))
    await admin.move_participant(move())
    ticket = tokens.verify((await alice.hear("room_moved")).token, KEYS, time.time())
    assert ticket.grants == {"roomJoin": True, "room": "s", "canPublish": False}


async def test_to_another_worker_they_go_by_themselves(house: House, admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = await in_room(house, "alice", "r")
    await in_room(house, "carol", "s")
    monkeypatch.setattr(house.engine, "worker_of", lambda room: {"r": "media-0", "s": "media-1"}[room])
    await alice.hear("refresh_token")
    await admin.move_participant(move())
    token = await alice.hear("refresh_token")
    assert tokens.verify(token, KEYS, time.time()).room == "s"
    left = await alice.hear("leave")
    assert (left.action, left.reason) == (rtc.LeaveRequest.RECONNECT, models.DisconnectReason.MIGRATION)
    again = await house.join("alice", token=token)
    assert (await again.hear("join")).room.name == "s"


async def test_a_destination_that_is_nowhere_is_placed_beside(house: House, admin: Any) -> None:
    await in_room(house, "alice", "r")
    house.engine.told.clear()
    await admin.move_participant(move())
    assert media.OpenRoom("s", "r") in house.engine.told
    assert house.rooms.rooms["s"].key == "own"


async def test_an_identity_that_is_in_the_destination_goes(house: House, admin: Any) -> None:
    await in_room(house, "alice", "r")
    other = await in_room(house, "alice", "s")
    await admin.move_participant(move())
    assert (await other.hear("leave")).reason == models.DisconnectReason.DUPLICATE_IDENTITY
    assert len(house.rooms.rooms["s"].people) == 1


async def test_what_a_move_refuses(house: House, admin: Any) -> None:
    await in_room(house, "alice", "r")

    async def refused(request: api.MoveParticipantRequest) -> tuple[str, int]:
        with pytest.raises(api.TwirpError) as failed:
            await admin.move_participant(request)
        return code(failed)

    assert await refused(move("nobody")) == ("not_found", 404)
    assert await refused(move(to="r")) == ("invalid_argument", 400)
    await house.rooms.open("c", key=HUB_KEY)
    assert await refused(move(to="c")) == ("permission_denied", 403)
    assert house.host.used == []  # nothing happened to the consultation
    await admin.create_room(api.CreateRoomRequest(name="s", max_participants=1))
    await in_room(house, "carol", "s")
    assert await refused(move()) == ("resource_exhausted", 429)
    await house.rooms.add_camera("s", CameraSeat("cam", "cam:1", "Camera", "org"))
    assert await refused(move("cam:1", "s", "r")) == ("invalid_argument", 400)
    house.host.refuse = Forbidden("You are not invited.", "未受邀请。")
    assert await refused(move(to="t")) == ("permission_denied", 403)
    assert "t" not in house.rooms.rooms
    assert [one.identity for one in house.rooms.present("r")] == ["alice"]
    for grants in ({"roomAdmin": True}, {"roomAdmin": True, "destinationRoom": "t"}, {"destinationRoom": "s"}):
        headers = {"Authorization": f"Bearer {house.token(**grants)}"}
        body = {"room": "r", "identity": "alice", "destination_room": "s"}
        async with house.client.post("/twirp/livekit.RoomService/MoveParticipant", json=body, headers=headers) as answer:
            assert answer.status == 403
