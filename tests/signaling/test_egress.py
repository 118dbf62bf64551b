"""LiveKit's Egress service over real HTTP; the recorder's side is scripted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from livekit.protocol import egress as protocol
from livekit.protocol import models, rtc
from livekit.protocol import room as rooms_protocol

from commhub.conference import EgressFile, EgressOrder, Part
from commhub.errors import NotFound
from commhub.media import messages as media
from signaling import tokens
from signaling.egress import ALL_TRACKS, AS_SENT, Egress
from signaling.outs import Terms
from signaling.room_service import RoomService
from signaling.rooms import Rooms
from signaling.twirp import Twirp
from tests.support import until
from tests.support.livekit import HUB_KEY, KEYS, OpenHost, ScriptedEngine, ticket

FILE = {"file": {"filepath": "x.mp4"}}
FILES = {"file_outputs": [{"filepath": "x.mp4"}]}


class Orders:
    """As :class:`commhub.conference.Egresses` says."""

    def __init__(self) -> None:
        self.orders: list[EgressOrder] = []
        self.ended: list[str] = []
        self.changed: Any = None

    async def start(self, order: EgressOrder) -> EgressOrder:
        order = replace(order, id=f"01K{len(self.orders):023}", started_at=5)
        self.orders.insert(0, order)
        self.changed(order)
        return order

    async def stop(self, id: str) -> EgressOrder:
        (order,) = [one for one in self.orders if one.id == id]
        return self.turn(order, "ending")

    def turn(self, order: EgressOrder, state: str, *files: EgressFile) -> EgressOrder:
        turned = replace(order, state=state, files=files)
        self.orders[self.orders.index(order)] = turned
        self.changed(turned)
        return turned

    async def find(self, *, id: str = "", room: str = "", active: bool = False) -> list[EgressOrder]:
        return [
            one
            for one in self.orders
            if (not id or one.id == id) and (not room or one.room == room) and not (active and one.over)
        ]

    def room_ended(self, room: str) -> None:
        self.ended.append(room)


class Place:
    def __init__(self, client: TestClient[web.Request, web.Application], rooms: Rooms, egress: Egress, orders: Orders) -> None:
        self.client, self.rooms, self.egress, self.orders = client, rooms, egress, orders
        self.told: list[tuple[str, dict[str, Any]]] = []

    async def call(
        self, method: str, request: dict[str, Any], *, key: str = "own", service: str = "Egress", **grants: object
    ) -> tuple[int, dict[str, Any]]:
        token = tokens.mint(key, KEYS, now=time.time(), ttl=60, identity="tool", grants={"roomRecord": True, **grants})
        headers = {"Authorization": f"Bearer {token}"}
        async with self.client.post(f"/twirp/livekit.{service}/{method}", json=request, headers=headers) as answer:
            return answer.status, await answer.json()

    async def ok(self, method: str, request: dict[str, Any], **more: Any) -> dict[str, Any]:
        status, answer = await self.call(method, request, **more)
        assert status == 200, answer
        return answer

    def publish(self, identity: str, source: models.TrackSource, *, room: str = "r") -> str:
        """A bound track of somebody who is in the room: its sid."""
        known = self.rooms.rooms[room]
        sid = known.by_identity.get(identity)
        if sid is None:
            join = rtc.JoinRequest(connection_settings=rtc.ConnectionSettings(auto_subscribe=True))
            sid, outs = known.join(ticket(identity, room=room), join, self.rooms.now(), dual=False)
            self.rooms.act(room, outs)
            self.rooms.act(room, known.event(media.PeerConnected(room, sid), self.rooms.now()))
        video = source in (models.TrackSource.CAMERA, models.TrackSource.SCREEN_SHARE)
        kind = models.TrackType.VIDEO if video else models.TrackType.AUDIO
        before = set(known.people[sid].tracks)
        add = rtc.AddTrackRequest(cid=f"cid {source}", type=kind, source=source)
        self.rooms.act(room, known.receive(sid, rtc.SignalRequest(add_track=add), self.rooms.now()))
        (track,) = set(known.people[sid].tracks) - before
        bound = media.TrackBound(room, sid, track, str(source), "video/VP8" if video else "audio/opus")
        self.rooms.act(room, known.event(bound, self.rooms.now()))
        return track


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    engine, orders = ScriptedEngine(), Orders()
    hearing: list[Any] = []

    def report(kind: str, **what: Any) -> None:
        for hear in hearing:
            hear(kind, **what)

    rooms = Rooms(
        engine,
        OpenHost(),
        KEYS,
        Terms(hub_key=HUB_KEY),
        settle=0.2,
        report=report,
    )
    told: list[tuple[str, dict[str, Any]]] = []
    egress = Egress(rooms, orders, lambda kind, **what: told.append((kind, what)))
    hearing.append(egress.heard)
    app = web.Application()
    app.add_routes(Twirp(rooms, [*RoomService(rooms).services(), egress.service()]).routes())
    async with TestClient(TestServer(app)) as client:
        await rooms.start()
        engine.ready("media-0")
        found = Place(client, rooms, egress, orders)
        found.told = told
        await found.ok("CreateRoom", {"name": "r"}, service="RoomService", roomCreate=True)
        yield found
        await egress.close()
        await rooms.close_all()


async def test_a_track(place: Place) -> None:
    track = place.publish("alice", models.TrackSource.MICROPHONE)
    answer = await place.ok("StartTrackEgress", {"room_name": "r", "track_id": track, **FILE})
    (order,) = place.orders.orders
    assert order.parts == (Part("alice", "microphone", "audio"),)
    assert (order.key, order.room, order.kind, order.details) == ("own", "r", "track", AS_SENT)
    assert answer["egress_id"] == f"EG_{order.id}"
    assert (answer["status"], answer["room_name"], answer["track"]["track_id"]) == ("EGRESS_STARTING", "r", track)
    assert answer["room_id"] == place.rooms.rooms["r"].info.sid
    file = EgressFile("01K/tracks/0001/0001.webm", 7, 9, 100)
    place.orders.turn(order, "complete", file)
    (listed,) = (await place.ok("ListEgress", {"room_name": "r"}))["items"]
    assert listed["status"] == "EGRESS_COMPLETE"
    (found,) = listed["file_results"]
    assert found == {
        "filename": "01K/tracks/0001/0001.webm", "started_at": "7", "ended_at": "16", "duration": "9", "size": "100",
        "location": "01K/tracks/0001/0001.webm",
    }  # fmt: skip
    assert [kind for kind, _ in place.told] == ["egress_started", "egress_ended"]
    assert place.told[1][1]["egress_info"].status == protocol.EgressStatus.EGRESS_COMPLETE


async def test_who_and_what(place: Place) -> None:
    microphone, camera = (place.publish("alice", source) for source in (models.TrackSource.MICROPHONE, models.TrackSource.CAMERA))
    await place.ok("StartParticipantEgress", {"room_name": "r", "identity": "alice", **FILES})
    await place.ok("StartParticipantEgress", {"room_name": "r", "identity": "alice", "screen_share": True, **FILES})
    both = {"room_name": "r", "audio_track_id": microphone, "video_track_id": camera, **FILES}
    await place.ok("StartTrackCompositeEgress", both)
    whole = await place.ok("StartRoomCompositeEgress", {"room_name": "r", **FILES})
    assert whole["details"] == ALL_TRACKS
    await place.ok("StartRoomCompositeEgress", {"room_name": "r", "audio_only": True, **FILES})
    output = {"outputs": [{"file": {"filepath": "x"}}], "preset": "PASSTHROUGH"}
    media_source = {"participant_video": {"identity": "alice"}, "audio": {"routes": [{"track_id": microphone}]}}
    await place.ok("StartEgress", {"room_name": "r", "media": media_source, **output})
    await place.ok("StartEgress", {"room_name": "r", "media": {"audio": {"capture_all": True}}, **output})
    await place.ok("StartEgress", {"room_name": "r", "template": {"video_only": True}, **output})
    assert [order.parts for order in reversed(place.orders.orders)] == [
        (Part("alice", "camera", "video"), Part("alice", "microphone", "audio")),
        (Part("alice", "screen_share", "video"), Part("alice", "screen_share_audio", "audio")),
        (Part("alice", "microphone", "audio"), Part("alice", "camera", "video")),
        (),
        (Part(kind="audio"),),
        (Part("alice", "camera", "video"), Part("alice", "microphone", "audio")),
        (Part(kind="audio"),),
        (Part(kind="video"),),
    ]


@pytest.mark.parametrize(
    ("method", "request_", "status", "code", "sentence"),
    [
        ("StartRoomCompositeEgress", {"stream_outputs": [{"urls": ["rtmp://x"]}]}, 501, "unimplemented", "Streams to other"),
        ("StartRoomCompositeEgress", {"segment_outputs": [{}]}, 501, "unimplemented", "Segmented files"),
        ("StartRoomCompositeEgress", {"image_outputs": [{}]}, 501, "unimplemented", "Images"),
        ("StartRoomCompositeEgress", {"custom_base_url": "https://x", **FILES}, 501, "unimplemented", "Layouts"),
        ("StartRoomCompositeEgress", {"file": {"s3": {"bucket": "b"}}}, 501, "unimplemented", "Uploads"),
        ("StartTrackEgress", {"track_id": "TR_x", "websocket_url": "wss://x"}, 501, "unimplemented", "not sent to a WebSocket"),
        ("StartTrackEgress", {"track_id": "TR_x"}, 400, "invalid_argument", "The request has no output."),
        ("StartTrackEgress", {"track_id": "TR_x", **FILE}, 404, "not_found", "There is no track TR_x"),
        ("StartTrackCompositeEgress", FILES, 400, "invalid_argument", "Neither an audio nor a video"),
        ("StartParticipantEgress", {"identity": "nobody", **FILES}, 404, "not_found", "not in the room"),
        ("StartEgress", {"outputs": [{"file": {}}]}, 400, "invalid_argument", "has no source"),
        ("StartEgress", {"web": {"url": "x"}, "outputs": [{"file": {}}]}, 501, "unimplemented", "Web pages"),
        ("StartEgress", {"media": {}, "outputs": [{"file": {}}]}, 400, "invalid_argument", "names neither video nor audio"),
        ("StartEgress", {"media": {}, "outputs": [{"file": {}, "storage": {}}]}, 501, "unimplemented", "Uploads"),
        ("StartWebEgress", {"url": "https://x"}, 501, "unimplemented", "Web pages are not recorded"),
        ("UpdateLayout", {"egress_id": "EG_x"}, 501, "unimplemented", "UpdateLayout is not offered."),
        ("UpdateStream", {"egress_id": "EG_x"}, 501, "unimplemented", "UpdateStream is not offered."),
        ("StopEgress", {"egress_id": "EG_x"}, 404, "not_found", "There is no such egress."),
        ("StopEgress", {}, 404, "not_found", "There is no such egress."),
    ],
)
async def test_what_is_refused(
    place: Place, method: str, request_: dict[str, Any], status: int, code: str, sentence: str
) -> None:
    named = {} if method in ("StartWebEgress", "StopEgress", "UpdateLayout", "UpdateStream") else {"room_name": "r"}
    got, answer = await place.call(method, {**named, **request_})
    assert (got, answer["code"]) == (status, code)
    assert sentence in answer["msg"]
    assert place.orders.orders == []


async def test_who_may(place: Place) -> None:
    track = place.publish("alice", models.TrackSource.CAMERA)
    asked = {"room_name": "r", "track_id": track, **FILE}
    assert (await place.call("StartTrackEgress", asked, roomRecord=False))[0] == 403
    assert (await place.call("StartTrackEgress", asked, key="other"))[0] == 404
    answer = await place.ok("StartTrackEgress", asked, key="wide")
    assert (await place.ok("ListEgress", {}, key="other"))["items"] == []
    assert (await place.call("ListEgress", {}, roomRecord=False))[0] == 403
    for key in ("other", "own"):  # it is the wide key's
        assert (await place.call("StopEgress", {"egress_id": answer["egress_id"]}, key=key))[0] == 404
    stopped = await place.ok("StopEgress", {"egress_id": answer["egress_id"]}, key="wide")
    assert stopped["status"] == "EGRESS_ENDING"
    place.orders.turn(place.orders.orders[0], "complete")
    status, refused = await place.call("StopEgress", {"egress_id": answer["egress_id"]}, key="wide")
    assert (status, refused["code"]) == (412, "failed_precondition")


async def test_no_credential_is_kept(place: Place) -> None:
    asked = {"room_name": "r", **FILES, "webhooks": [{"url": "https://x", "signing_key": "secret-key"}]}
    await place.ok("StartRoomCompositeEgress", asked)
    assert b"secret-key" not in place.orders.orders[0].request


async def test_a_room_that_records_by_itself(place: Place) -> None:
    wanted = {"room": FILES, "participant": FILES, "tracks": {"filepath": "x"}}
    await place.ok("CreateRoom", {"name": "auto", "egress": wanted}, service="RoomService", roomCreate=True)
    await until(lambda: [order.kind for order in place.orders.orders] == ["room_composite"])
    track = place.publish("alice", models.TrackSource.CAMERA, room="auto")
    await until(lambda: len(place.orders.orders) == 3)
    kinds = {order.kind: order.parts for order in place.orders.orders}
    assert kinds["participant"][0] == Part("alice", "camera", "video")
    assert kinds["track"] == (Part("alice", "camera", "video"),)
    room = place.rooms.rooms["auto"]
    sid = room.by_identity["alice"]
    assert track in room.people[sid].tracks
    place.rooms.act("auto", room.event(media.TrackEnded("auto", sid, track), place.rooms.now()))
    place.rooms.act("auto", room.event(media.TrackBound("auto", sid, track, "7", "video/VP8"), place.rooms.now()))
    await asyncio.sleep(0.05)
    assert len(place.orders.orders) == 3  # it runs already
    await place.ok("DeleteRoom", {"room": "auto"}, service="RoomService", roomCreate=True)
    assert place.orders.ended == ["auto"]


async def test_what_a_room_cannot_record_by_itself(place: Place) -> None:
    asked: list[dict[str, Any]] = [{"room": {"stream_outputs": [{}]}}, {"tracks": {"s3": {"bucket": "b"}}}]
    for wanted in asked:
        status, answer = await place.call(
            "CreateRoom", {"name": "auto", "egress": wanted}, service="RoomService", roomCreate=True
        )
        assert (status, answer["code"]) == (501, "unimplemented")
    with pytest.raises(NotFound):
        place.rooms.find("auto")


def test_the_wish_of_a_token() -> None:
    from signaling.messages import room_egress

    packed = room_egress({"room": {"fileOutputs": [{"filepath": "x"}]}})
    assert rooms_protocol.RoomEgress.FromString(packed).room.file_outputs[0].filepath == "x"
    for wrong in (None, 7, "x", {"room": 7}, {"room": {"fileOutputs": "x"}}):
        assert room_egress(wrong) == b""
