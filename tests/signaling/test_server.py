"""WebSocket and validate over real sockets on loopback; the engine is scripted."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import aiohttp
import pytest
from livekit.protocol import models, rtc

from commhub.conference import CameraSeat
from commhub.errors import Conflict, Forbidden, HubError, NotFound, Unavailable
from commhub.guard import Entries, Limits, Origins, Pace
from commhub.media import messages as media
from signaling import messages, server, tokens
from signaling.outs import Terms
from signaling.rooms import Rooms
from signaling.server import HTTP_LIMITS
from tests.support import until
from tests.support.house import House, Peer, join_parameter
from tests.support.livekit import HUB_KEY, KEYS, OpenHost, ScriptedEngine

# ---------------------------------------------------------------------------------------------- entering


async def test_join_v1_with_the_offer_inside(house: House) -> None:
    peer = await house.join()
    join = await peer.hear("join")
    assert len(peer.heard) == 1
    assert join.participant.identity == "alice"
    refreshed = await peer.hear("refresh_token")
    assert tokens.verify(refreshed, KEYS, time.time()).identity == "alice"
    answer = await peer.hear("answer")
    assert (answer.sdp, answer.id) == ("answer", 1)
    assert house.rooms.present("r")[0].identity == "alice"
    await until(lambda: house.host.facts == [("joined", "r", "alice")])


async def test_join_v0_by_query_and_bearer(house: House) -> None:
    headers = {"Authorization": f"Bearer {house.token()}"}
    ws = await house.client.ws_connect("/rtc", params={"auto_subscribe": "1", "sdk": "python"}, headers=headers)
    assert (await Peer(ws).hear("join")).subscriber_primary
    assert [type(command) for command in house.engine.told][:2] == [media.OpenRoom, media.AddPeer]


@pytest.mark.parametrize("path", ["/rtc/validate", "/rtc/v1/validate"])
async def test_validate_answers_browsers_from_everywhere(house: House, path: str) -> None:
    async with house.client.get(path, params={"access_token": house.token()}) as answer:
        assert (answer.status, await answer.text()) == (200, "success")
    assert house.rooms.rooms == {}  # it only asks
    async with house.client.get(path, params={"access_token": house.token(ttl=-5)}) as answer:
        assert answer.status == 401
        assert "The token has expired." in await answer.text()
        assert "令牌已过期" in await answer.text()
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    async with house.client.options(path) as answer:
        assert answer.status == 204
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (Forbidden("You are not invited."), 403),
        (Conflict("The room is locked."), 403),
        (NotFound("requested room does not exist"), 404),
        (Unavailable("Later."), 503),
    ],
)
async def test_what_the_host_refuses(house: House, refused: HubError, status: int) -> None:
    house.host.refuse = refused
    for path in ("/rtc/v1/validate", "/rtc/validate"):
        async with house.client.get(path, params={"access_token": house.token()}) as answer:
            assert (answer.status, await answer.text()) == (status, refused.message)
    with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
        await house.join()
    assert failed.value.status == status


async def test_wrong_tokens_do_not_open_a_websocket(house: House) -> None:
    wrong = {
        house.token(ttl=-1): 401,
        "junk": 401,
        house.token(roomJoin=False): 403,
        tokens.mint("own", KEYS, now=time.time(), ttl=60, grants={"roomJoin": True, "room": "r"}): 400,
    }
    for token, status in wrong.items():
        for path in ("/rtc/v1", "/rtc"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
                await house.join(token=token, path=path)
            assert failed.value.status == status
    with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
        await house.join(path="/rtc", room="another")
    assert failed.value.status == 403
    async with house.client.get("/rtc", params={"access_token": house.token()}) as answer:
        assert answer.status == 400
    assert house.rooms.rooms == {}


async def test_a_key_reaches_its_own_rooms_only(house: House) -> None:
    await (await house.join()).hear("join")
    with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
        await house.join(token=house.token("bob", key="other"))
    assert failed.value.status == 403
    await (await house.join(token=house.token("carol", key="wide"))).hear("join")
    assert house.host.used == []  # it is no consultation


async def test_a_consultation_is_the_hubs(house: House) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
        await house.join(token=house.token("p:t", key=HUB_KEY))
    assert failed.value.status == 404  # nobody but the hub makes it
    await house.rooms.open("r", key=HUB_KEY)
    await house.rooms.open("r", key=HUB_KEY)
    await (await house.join(token=house.token("p:t", key=HUB_KEY))).hear("join")
    await (await house.join(token=house.token("bot", key="wide"))).hear("join")
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await house.join(token=house.token("spy", key="own"))
    assert house.host.used == [("wide", "r", "join")]
    kinds = {presence.identity: presence.kind for presence in house.rooms.present("r")}
    assert kinds == {"p:t": "person", "bot": "service"}


async def test_room_config_of_the_token_that_makes_the_room(house: House) -> None:
    token = tokens.mint(
        "own",
        KEYS,
        now=time.time(),
        ttl=60,
        identity="alice",
        grants={"roomJoin": True, "room": "r"},
        room_config={"maxParticipants": 1, "emptyTimeout": 7, "metadata": "m", "departureTimeout": "x"},
    )
    join = await (await house.join(token=token)).hear("join")
    assert (join.room.max_participants, join.room.empty_timeout, join.room.metadata) == (1, 7, "m")
    async with house.client.get("/rtc/v1/validate", params={"access_token": house.token("bob")}) as answer:
        assert answer.status == 403
        assert "The room is full." in await answer.text()


# ---------------------------------------------------------------------------------------------- talking


async def test_messages_arrive_in_order_while_an_offer_is_negotiated(house: House) -> None:
    gate = asyncio.Event()
    offered = house.engine.offer

    async def slow(offer: media.Offer | media.Restart) -> media.Answer:
        await gate.wait()
        return await offered(offer)

    house.engine.offer = slow  # type: ignore[method-assign]
    peer = await house.join()
    await peer.say(offer=rtc.SessionDescription(type="offer", sdp="second", id=2))
    await peer.say(ping_req=rtc.Ping(timestamp=1))
    assert (await peer.hear("pong_resp")).last_ping_timestamp == 1
    gate.set()
    assert [(await peer.hear("answer")).id for _ in range(2)] == [1, 2]
    assert [offer.sdp for offer in house.engine.offers] == ["offer", "second"]


async def test_json_is_answered_in_json(house: House) -> None:
    peer = await house.join()
    await peer.hear("answer")
    await peer.ws.send_str('{"pingReq": {"timestamp": "9"}}')
    assert '"lastPingTimestamp": "9"' in await peer.ws.receive_str()


@pytest.mark.parametrize("frame", [b"\xff\xff\xff\xff", "{", b"\0" * 300_000])
async def test_malformed_ends_that_peer_only(house: House, frame: bytes | str) -> None:
    good, bad = await house.join("good"), await house.join("bad")
    await bad.hear("answer")
    await (bad.ws.send_bytes(frame) if isinstance(frame, bytes) else bad.ws.send_str(frame))
    leave = await bad.hear("leave")
    assert (leave.reason, leave.action) == (models.DisconnectReason.STATE_MISMATCH, rtc.LeaveRequest.DISCONNECT)
    await bad.closed()
    await good.say(ping=1)
    await good.hear("pong")
    assert house.signalling.malformed == 1
    assert [presence.identity for presence in house.rooms.present("r")] == ["good"]


async def test_a_bad_offer_ends_that_peer_only(house: House) -> None:
    house.engine.answer = lambda offer: HubError("The offer is no SDP.", code="bad_sdp", status=400)
    peer = await house.join()
    assert (await peer.hear("leave")).action == rtc.LeaveRequest.DISCONNECT
    await peer.closed()
    assert house.rooms.present("r") == []


@pytest.mark.parametrize("join", ["", "%%%", "AAAA" * 20_000])
async def test_join_requests_nobody_can_read(house: House, join: str) -> None:
    with pytest.raises((aiohttp.WSServerHandshakeError, aiohttp.ClientError)) as failed:
        await house.join(join_request=join)
    assert getattr(failed.value, "status", 400) in (400, 414)


async def test_nothing_is_unpacked_for_a_stranger(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """700 octets may unpack to 262,144 messages."""
    read: list[str] = []
    parse = messages.parse_join

    def note(parameter: str) -> rtc.JoinRequest:
        read.append(parameter)
        return parse(parameter)

    monkeypatch.setattr(messages, "parse_join", note)
    for token in ("nonsense", house.token(ttl=-1)):
        with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
            await house.join(token=token)
        assert failed.value.status == 401
    assert read == []
    await (await house.join()).hear("join")
    assert len(read) == 1


async def test_one_identity_that_connects_again_and_again_waits(house: House) -> None:
    """Also who only says that he comes back: no bound of the address holds for those."""
    house.signalling._entries = Entries(Limits(), Origins(), lambda: 1000.0)
    for _ in range(60):
        assert house.signalling._entries.again("own alice") == 0
    with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
        await house.join("alice", join_request=resume_parameter("PA_nobody"))
    assert failed.value.headers is not None
    assert (failed.value.status, failed.value.headers["Retry-After"]) == (429, "1")
    await (await house.join("bob", join_request=resume_parameter("PA_nobody"))).hear("leave")


async def test_a_flood_is_slowed_then_cut(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "PATIENCE", 1.0)
    peer = await house.join()
    await peer.hear("answer")
    began = asyncio.get_running_loop().time()
    packed = rtc.SignalRequest(ping=1).SerializeToString()
    for _ in range(2100):
        await peer.ws.send_bytes(packed)
    assert (await peer.hear("leave", 10)).reason == models.DisconnectReason.STATE_MISMATCH
    assert asyncio.get_running_loop().time() - began > 0.9


async def test_large_descriptions_are_slowed_sooner(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    take = Pace.take

    def note(pace: Pace, octets: int, now: float) -> float:
        waited.append(take(pace, octets, now))
        return 0.0

    monkeypatch.setattr(Pace, "take", note)
    peer = await house.join()
    await peer.hear("answer")
    large = rtc.SignalRequest(offer=rtc.SessionDescription(type="offer", sdp="x" * 200_000, id=2)).SerializeToString()
    for _ in range(4):
        await peer.ws.send_bytes(large)
    await until(lambda: len(waited) == 8)
    assert waited[0] == 0
    assert waited[-1] > 2


async def test_what_is_more_work_counts_for_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def note(pace: Pace, octets: int, now: float) -> float:
        taken.append(octets)
        return 0.0

    peer, *others = [await house.join(f"p{number}") for number in range(40)]
    await peer.hear("answer")
    await peer.say(add_track=rtc.AddTrackRequest(cid="c", type=models.TrackType.AUDIO))
    track = (await peer.hear("track_published")).track.sid
    sid = house.rooms.rooms["r"].by_identity["p0"]
    house.engine.listener(media.TrackBound("r", sid, track, "0", "audio/opus"))
    monkeypatch.setattr(Pace, "take", note)
    await peer.say(mute=rtc.MuteTrackRequest(sid=track, muted=True))  # forty hear of it
    await until(lambda: len(taken) == 2)
    assert taken[1] == 42 * Pace.WEIGHT // 25
    await peer.ws.send_str('{"ping": "1"}')
    await until(lambda: len(taken) == 3)
    assert taken[2] == 4 * 13
    assert len(others) == 39


# ---------------------------------------------------------------------------------------------- coming back


def resume_parameter(sid: str) -> str:
    return join_parameter(rtc.JoinRequest(reconnect=True, participant_sid=sid))


@pytest.mark.parametrize("path", ["/rtc/v1", "/rtc"])
async def test_resume_on_either_path(house: House, path: str) -> None:
    peer = await house.join(path=path)
    sid = (await peer.hear("join")).participant.sid
    await peer.ws.close()
    query = {"join_request": resume_parameter(sid)} if path == "/rtc/v1" else {"reconnect": "1", "sid": sid}
    again = await house.join(path=path, **query)
    await again.hear("reconnect")
    assert len(again.heard) == 1
    assert house.host.resumed == ["alice"]
    await asyncio.sleep(1.2)
    assert house.rooms.present("r")  # the time to come back has stopped


async def test_a_resume_takes_over_from_a_socket_that_is_still_open(house: House) -> None:
    first = await house.join()
    sid = (await first.hear("join")).participant.sid
    second = await house.join(join_request=resume_parameter(sid))
    await second.hear("reconnect")
    await first.closed()
    await second.say(ping=1)
    await second.hear("pong")
    assert house.rooms.rooms["r"].people[sid].present


@pytest.mark.parametrize("sid", ["PA_nobody", "somebody else's"])
async def test_resume_of_an_unknown_session_starts_anew(house: House, sid: str) -> None:
    bob = await house.join("bob")
    theirs = (await bob.hear("join")).participant.sid
    peer = await house.join(join_request=resume_parameter(theirs if sid == "somebody else's" else sid))
    leave = await peer.hear("leave")
    assert len(peer.heard) == 1
    assert (leave.reason, leave.action) == (models.DisconnectReason.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
    await peer.closed()
    await bob.say(ping=1)
    await bob.hear("pong")


async def test_gone_without_a_word(house: House) -> None:
    peer, other = await house.join(), await house.join("bob")
    await peer.hear("answer")
    await other.hear("answer")
    await peer.ws.close()
    gone = (await other.hear("update")).participants[0]
    assert gone.disconnect_reason == models.DisconnectReason.SIGNAL_CLOSE
    await until(lambda: ("left", "r", "alice") in house.host.facts)


async def test_leave_closes_and_tells_the_host(house: House) -> None:
    peer = await house.join()
    await peer.say(leave=rtc.LeaveRequest())
    await peer.hear("leave")
    assert await peer.closed() == 1000
    await until(lambda: house.host.facts == [("joined", "r", "alice"), ("left", "r", "alice")])


async def test_the_worker_dies_and_another_comes(house: House) -> None:
    house.rooms.terms = replace(house.rooms.terms, away=30)
    await house.rooms.open("r", key=HUB_KEY)
    await house.rooms.add_camera("r", CameraSeat("cam", "cam:1", "Gate", "Harbour"))
    house.rooms.set_recording("r", True)
    peer = await house.join(token=house.token("p:t", key=HUB_KEY))
    await peer.hear("answer")
    house.engine.lost("media-0", ["r"])
    leave = await peer.hear("leave", 1)
    assert leave.action == rtc.LeaveRequest.RECONNECT
    await peer.closed()
    with pytest.raises(aiohttp.WSServerHandshakeError) as failed:  # nobody waits longer than their patience
        await house.join(token=house.token("p:t", key=HUB_KEY))
    assert failed.value.status == 503
    house.engine.told.clear()
    joining = asyncio.create_task(house.join(token=house.token("p:t", key=HUB_KEY)))
    await asyncio.sleep(0.1)
    house.engine.ready("media-0")
    join = await (await joining).hear("join")
    assert join.room.active_recording
    assert [type(command) for command in house.engine.told[:3]] == [media.OpenRoom, media.AddPeer, media.AttachSource]
    assert house.host.facts.count(("joined", "r", "p:t")) == 1
    assert ("left", "r", "p:t") not in house.host.facts


async def test_a_restarted_hub_takes_the_workers_rooms(house: House) -> None:
    await house.rooms.open("r", key=HUB_KEY)
    peer = await house.join(token=house.token("p:t", key=HUB_KEY))
    sid = (await peer.hear("join")).participant.sid
    await peer.hear("answer")
    record = next(one.record for one in house.engine.told if isinstance(one, media.AddPeer))
    state = media.PeerState(sid, "p:t", "client", False, True, record=record)
    engine = ScriptedEngine()
    rooms = Rooms(engine, OpenHost(), KEYS, Terms(hub_key=HUB_KEY), settle=5)
    await rooms.start()
    await rooms.open("r", key=HUB_KEY)  # the hub's records say that it is live
    ticket = tokens.verify(house.token("p:t", key=HUB_KEY), KEYS, time.time())
    admitted = asyncio.create_task(rooms.admit(ticket, resuming=True))
    await asyncio.sleep(0.05)
    assert not admitted.done()  # nobody is refused before the worker has told who is there
    engine.found(media.WorkerSnapshot("media-0", [media.RoomState("r", [state])], []))
    engine.ready("media-0")
    assert await admitted == "r"
    assert engine.told == []  # nothing is placed again
    assert rooms.rooms["r"].info.sid == house.rooms.rooms["r"].info.sid
    heard: list[rtc.SignalResponse] = []

    class Ear:
        def send(self, response: rtc.SignalResponse, packed: bytes) -> None:
            heard.append(response)

        def close(self) -> None: ...

    assert rooms.resume("r", ticket, rtc.JoinRequest(reconnect=True, participant_sid=sid), Ear())
    assert heard[0].WhichOneof("message") == "reconnect"
    await rooms.close_all()


# ---------------------------------------------------------------------------------------------- the hub's own hand


async def test_removed_people_do_not_come_back_with_their_token(house: House) -> None:
    token = house.token()
    peer = await house.join(token=token)
    refreshed = await peer.hear("refresh_token")
    await house.rooms.remove("r", "alice")
    leave = await peer.hear("leave")
    assert (leave.reason, leave.action) == (models.DisconnectReason.PARTICIPANT_REMOVED, rtc.LeaveRequest.DISCONNECT)
    for dead in (token, refreshed):
        with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
            await house.join(token=dead)
        assert failed.value.status == 401
    await (await house.join()).hear("join")  # a new one from the hub works
    with pytest.raises(NotFound):
        await house.rooms.remove("r", "nobody")


async def test_who_is_on_the_way_back_can_be_removed(house: House) -> None:
    token = house.token()
    peer = await house.join(token=token)
    await peer.hear("join")
    house.engine.lost("media-0", ["r"])
    await peer.hear("leave")
    await house.rooms.remove("r", "alice")
    house.engine.ready("media-0")
    with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
        await house.join(token=token)
    assert failed.value.status == 401


async def test_a_client_that_does_not_read_is_cut(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_QUEUE_FRAMES", 20)
    deaf, good = await house.join("deaf"), await house.join("good")
    sid = (await deaf.hear("join")).participant.sid
    await good.hear("join")
    assert deaf.ws._conn is not None
    assert deaf.ws._conn.transport is not None
    deaf.ws._conn.transport.pause_reading()
    room = house.rooms.rooms["r"]
    for _ in range(600):
        house.rooms.act("r", room.set_metadata("x" * 20_000))
        await asyncio.sleep(0)
        if not room.people[sid].present:
            break
    assert not room.people[sid].present
    await good.say(ping=1)
    await good.hear("pong", 10)
    deaf.ws._conn.transport.abort()  # it would wait for a good-bye that it does not read


async def test_mute_from_the_hub(house: House) -> None:
    peer = await house.join()
    await peer.say(add_track=rtc.AddTrackRequest(cid="m", source=models.TrackSource.MICROPHONE))
    track = (await peer.hear("track_published")).track.sid
    await house.rooms.mute("r", "alice", "microphone")
    assert (await peer.hear("mute")).sid == track
    for source, muted, error in (("camera", True, NotFound), ("microphone", False, Conflict)):
        with pytest.raises(error):
            await house.rooms.mute("r", "alice", source, muted)


async def test_closing_a_consultation(house: House) -> None:
    await house.rooms.open("r", key=HUB_KEY)
    peer = await house.join(token=house.token("p:t", key=HUB_KEY))
    await peer.hear("join")
    await house.rooms.close("r")
    assert (await peer.hear("leave")).reason == models.DisconnectReason.ROOM_DELETED
    assert house.rooms.present("r") == []
    assert isinstance(house.engine.told[-1], media.CloseRoom)


def test_the_request_line_holds_a_join_request() -> None:
    assert HTTP_LIMITS["max_line_size"] > 64 * 1024
