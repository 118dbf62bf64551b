"""LiveKit's RoomService: with LiveKit's own client, and by hand."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from livekit import api
from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import twirp
from tests.support.house import House
from tests.support.livekit import HUB_KEY


@pytest.fixture
async def admin(house: House) -> AsyncIterator[api.LiveKitAPI]:
    """LiveKit's own client."""
    async with api.LiveKitAPI(house.url, "own", "o" * 40) as client:
        yield client


async def test_room_service_with_livekits_client(house: House, admin: api.LiveKitAPI) -> None:
    made = await admin.room.create_room(api.CreateRoomRequest(name="r", empty_timeout=9, metadata="m"))
    assert (made.name, made.empty_timeout, made.metadata, made.turn_password) == ("r", 9, "m", "")
    peer = await house.join()
    await peer.say(add_track=rtc.AddTrackRequest(cid="m", source=models.TrackSource.MICROPHONE))
    track = (await peer.hear("track_published")).track.sid
    sid = next(iter(house.rooms.rooms["r"].people))
    house.engine.listener(media.TrackBound("r", sid, track, "0", "audio/opus"))

    rooms = (await admin.room.list_rooms(api.ListRoomsRequest())).rooms
    assert [(room.name, room.num_participants, room.num_publishers) for room in rooms] == [("r", 1, 1)]
    assert not (await admin.room.list_rooms(api.ListRoomsRequest(names=["other"]))).rooms
    people = (await admin.room.list_participants(api.ListParticipantsRequest(room="r"))).participants
    assert [(one.identity, one.tracks[0].sid) for one in people] == [("alice", track)]
    who = api.RoomParticipantIdentity(room="r", identity="alice")
    assert (await admin.room.get_participant(who)).sid == sid
    muted = await admin.room.mute_published_track(
        api.MuteRoomTrackRequest(room="r", identity="alice", track_sid=track, muted=True)
    )
    assert muted.track.muted
    assert (await peer.hear("mute")).muted
    changed = await admin.room.update_participant(
        api.UpdateParticipantRequest(room="r", identity="alice", metadata="new", attributes={"a": "1"})
    )
    assert (changed.metadata, dict(changed.attributes)) == ("new", {"a": "1"})
    await admin.room.update_room_metadata(api.UpdateRoomMetadataRequest(room="r", metadata="mm"))
    assert (await peer.hear("room_update")).room.metadata == "mm"
    await admin.room.send_data(api.SendDataRequest(room="r", data=b"x", topic="t", destination_identities=["alice"]))
    sent = house.engine.told[-1]
    assert isinstance(sent, media.SendData)
    packet = models.DataPacket.FromString(sent.packet)
    assert (sent.to, sent.reliable, packet.user.payload, packet.user.topic) == ([sid], True, b"x", "t")
    await admin.room.update_subscriptions(
        api.UpdateSubscriptionsRequest(room="r", identity="alice", track_sids=[track], subscribe=False)
    )
    await admin.room.remove_participant(who)
    assert (await peer.hear("leave")).reason == models.DisconnectReason.PARTICIPANT_REMOVED
    await admin.room.delete_room(api.DeleteRoomRequest(room="r"))
    assert not (await admin.room.list_rooms(api.ListRoomsRequest())).rooms


async def test_a_large_request_holds_nobody_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bool] = []
    parse = twirp._parse

    def note(kind: Any, body: bytes, json: bool) -> Any:
        read.append(threading.current_thread() is threading.main_thread())
        return parse(kind, body, json)

    monkeypatch.setattr(twirp, "_parse", note)
    token = house.token("tool", roomList=True)
    for names in (["x"], ["x"] * 20_000):
        headers = {"Authorization": f"Bearer {token}"}
        async with house.client.post("/twirp/livekit.RoomService/ListRooms", json={"names": names}, headers=headers) as answer:
            assert answer.status == 200
    assert read == [True, False]


async def test_what_room_service_refuses(house: House, admin: api.LiveKitAPI) -> None:
    async def code(call: Any) -> tuple[str, int]:
        with pytest.raises(api.TwirpError) as failed:
            await call
        return failed.value.code, failed.value.status

    await house.rooms.open("c", key=HUB_KEY)
    room = admin.room
    assert await code(room.list_participants(api.ListParticipantsRequest(room="none"))) == ("not_found", 404)
    assert await code(room.list_participants(api.ListParticipantsRequest(room="c"))) == ("not_found", 404)
    assert await code(room.delete_room(api.DeleteRoomRequest(room="c"))) == ("not_found", 404)
    assert await code(room.create_room(api.CreateRoomRequest(name="c"))) == ("permission_denied", 403)
    assert await code(room.create_room(api.CreateRoomRequest(name=""))) == ("invalid_argument", 400)
    await room.create_room(api.CreateRoomRequest(name="r"))
    missing = api.RoomParticipantIdentity(room="r", identity="nobody")
    assert await code(room.get_participant(missing)) == ("not_found", 404)
    assert await code(room.remove_participant(missing)) == ("not_found", 404)
    unmute = api.MuteRoomTrackRequest(room="r", identity="x", track_sid="TR", muted=False)
    assert await code(room.mute_published_track(unmute)) == ("failed_precondition", 412)
    assert not [one for one in (await room.list_rooms(api.ListRoomsRequest())).rooms if one.name == "c"]


async def test_a_wide_key_on_a_consultation_is_audited(house: House) -> None:
    await house.rooms.open("c", key=HUB_KEY)
    async with api.LiveKitAPI(house.url, "wide", "w" * 40) as wide:
        assert [one.name for one in (await wide.room.list_rooms(api.ListRoomsRequest())).rooms] == ["c"]
        await wide.room.list_participants(api.ListParticipantsRequest(room="c"))
        await wide.room.delete_room(api.DeleteRoomRequest(room="c"))
    assert house.host.used == [("wide", "c", "ListParticipants"), ("wide", "c", "DeleteRoom")]
    assert "c" in house.rooms.rooms  # only the hub ends a consultation


async def test_twirp_in_json_and_its_errors(house: House) -> None:
    base = "/twirp/livekit.RoomService/"
    may = {"Authorization": f"Bearer {house.token(roomCreate=True, roomList=True, roomAdmin=True)}"}

    async def post(method: str, status: int, **kwargs: Any) -> Any:
        async with house.client.post(base + method, **kwargs) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    made = await post("CreateRoom", 200, json={"name": "r", "emptyTimeout": 5, "unknown": 1}, headers=may)
    assert (made["name"], made["empty_timeout"], made["num_participants"]) == ("r", 5, 0)
    assert (await post("ListRooms", 200, json={}, headers=may))["rooms"][0]["name"] == "r"
    assert (await post("ListRooms", 401, json={}))["code"] == "unauthenticated"
    expired = {"Authorization": f"Bearer {house.token(ttl=-1)}"}
    assert (await post("ListRooms", 401, json={}, headers=expired))["msg"] == "The token has expired."
    none = {"Authorization": f"Bearer {house.token()}"}
    for method, body in (("ListRooms", {}), ("CreateRoom", {"name": "x"}), ("ListParticipants", {"room": "r"})):
        assert (await post(method, 403, json=body, headers=none))["code"] == "permission_denied"
    other = {"Authorization": f"Bearer {house.token(room='s', roomAdmin=True)}"}
    assert (await post("ListParticipants", 403, json={"room": "r"}, headers=other))["code"] == "permission_denied"
    assert (await post("Nonsense", 404, json={}, headers=may))["code"] == "bad_route"
    assert (await post("ListRooms", 404, data=b"x", headers=may))["code"] == "bad_route"
    assert (await post("ListRooms", 400, json=5, headers=may))["code"] == "invalid_argument"
    proto = {**may, "Content-Type": "application/protobuf"}
    assert (await post("ListRooms", 400, data=b"\xff\xff", headers=proto))["code"] == "invalid_argument"
    big = await post("ListRooms", 413, data=b"\0" * 1_100_000, headers=proto)
    assert (big["code"], big["meta"]["code"]) == ("resource_exhausted", "too_long")
    assert (await post("PerformRpc", 403, json={}, headers=may))["code"] == "permission_denied"


async def test_unmuting_from_afar_only_where_that_is_set(house: House, admin: api.LiveKitAPI) -> None:
    peer = await house.join()
    await peer.say(add_track=rtc.AddTrackRequest(cid="m", source=models.TrackSource.MICROPHONE, muted=True))
    track = (await peer.hear("track_published")).track.sid
    unmute = api.MuteRoomTrackRequest(room="r", identity="alice", track_sid=track, muted=False)
    with pytest.raises(api.TwirpError, match="remote unmute not enabled"):
        await admin.room.mute_published_track(unmute)
    house.rooms.terms = replace(house.rooms.terms, remote_unmute=True)
    assert not (await admin.room.mute_published_track(unmute)).track.muted
    assert not (await peer.hear("mute")).muted
    assert media.Mute("r", track, False) in house.engine.told


async def test_nobody_dispatches_agents_here_and_tools_may_ask(house: House, admin: api.LiveKitAPI) -> None:
    await admin.room.create_room(api.CreateRoomRequest(name="r"))
    assert await admin.agent_dispatch.list_dispatch("r") == []
    with pytest.raises(api.TwirpError) as failed:
        await admin.agent_dispatch.create_dispatch(api.CreateAgentDispatchRequest(room="r", agent_name="a"))
    assert (failed.value.code, failed.value.status) == ("unimplemented", 501)


async def test_no_answer_holds_a_credential(house: House, admin: api.LiveKitAPI) -> None:
    made = await admin.room.create_room(api.CreateRoomRequest(name="r"))
    house.rooms.rooms["r"].info.turn_password = "secret"
    rooms = (await admin.room.list_rooms(api.ListRoomsRequest())).rooms
    changed = await admin.room.update_room_metadata(api.UpdateRoomMetadataRequest(room="r", metadata="m"))
    again = await admin.room.create_room(api.CreateRoomRequest(name="r"))
    assert [one.turn_password for one in (made, *rooms, changed, again)] == [""] * 4


async def test_a_full_room_says_so_everywhere(house: House, admin: api.LiveKitAPI) -> None:
    await admin.room.create_room(api.CreateRoomRequest(name="r", max_participants=1))
    await (await house.join("alice")).hear("join")
    async with house.client.get("/rtc/validate", params={"access_token": house.token("bob")}) as answer:
        assert (answer.status, "The room is full." in await answer.text()) == (403, True)
    for path in ("/rtc", "/rtc/v1"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
            await house.join("bob", path=path)
        assert failed.value.status == 403
    await (await house.join("alice")).hear("join")  # whoever is in it may start anew


async def test_whom_the_hub_itself_hides_is_in_no_list_and_on_no_socket(house: House) -> None:
    await house.rooms.open("c", key=HUB_KEY)
    alice = await house.join(token=house.token("alice", key=HUB_KEY, room="c"))
    async with api.LiveKitAPI(house.url, "wide", "w" * 40) as wide:
        before = (await wide.room.list_participants(api.ListParticipantsRequest(room="c"))).participants
        monitor = await house.join(token=house.token("boss:ear", key=HUB_KEY, room="c", hidden=True, canPublish=False))
        assert (await wide.room.list_participants(api.ListParticipantsRequest(room="c"))).participants == before
        who = api.RoomParticipantIdentity(room="c", identity="boss:ear")
        with pytest.raises(api.TwirpError) as missing:
            await wide.room.get_participant(who)
        assert missing.value.code == "not_found"
        assert [one.num_participants for one in (await wide.room.list_rooms(api.ListRoomsRequest())).rooms] == [1]
    await monitor.say(add_track=rtc.AddTrackRequest(cid="m", source=models.TrackSource.MICROPHONE))
    await alice.say(ping_req=rtc.Ping(timestamp=1))
    await alice.hear("pong_resp")  # up to the answer to her ping: everything that was said to her
    assert not [word for word in alice.heard if b"boss" in word.SerializeToString()]
    assert {word.WhichOneof("message") for word in alice.heard} <= {"join", "answer", "pong_resp", "refresh_token", "room_update"}
