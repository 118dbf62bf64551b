"""LiveKit's Ingress service over real HTTP, with stream keys that WHIP takes; the bridge's side is scripted."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from commhub.conference import CameraSeat, IngressState, IngressWay
from commhub.errors import Forbidden, NotFound
from commhub.media import messages as media
from signaling import tokens
from signaling.ingress import Ingress
from signaling.outs import Terms
from signaling.rooms import Rooms
from signaling.twirp import Twirp
from signaling.whip import Whip
from tests.signaling.test_whip import ENCODER, Engine
from tests.support import until
from tests.support.livekit import HUB_KEY, KEYS, OpenHost

WHIP = {"input_type": "WHIP_INPUT", "room_name": "r", "participant_identity": "encoder", "name": "obs"}
URL = {"input_type": "URL_INPUT", "room_name": "r", "participant_identity": "camera"}


class Ways:
    """As :class:`commhub.conference.Ingresses` says."""

    def __init__(self) -> None:
        self.ways: dict[str, IngressWay] = {}
        self.states: dict[str, IngressState] = {}
        self.ended: list[tuple[str, str]] = []
        self.changed: Any = None

    async def create(self, way: IngressWay) -> IngressWay:
        way = replace(way, id=f"01K{len(self.ways):023}", stream_key=f"key-{len(self.ways)}")
        self.ways[way.id] = way
        return way

    async def update(self, way: IngressWay) -> IngressWay:
        self.ways[way.id] = way
        return way

    async def delete(self, way: IngressWay) -> None:
        del self.ways[way.id]

    async def find(self, *, id: str = "", room: str = "") -> list[IngressWay]:
        return [one for one in self.ways.values() if (not id or one.id == id) and (not room or one.room == room)]

    async def by_stream_key(self, stream_key: str) -> IngressWay | None:
        return next((one for one in self.ways.values() if one.stream_key == stream_key), None)

    def state(self, way: IngressWay) -> IngressState:
        return self.states.get(way.id, IngressState())

    async def end(self, room: str, identity: str = "") -> None:
        self.ended.append((room, identity))


class Place:
    def __init__(self, client: TestClient[web.Request, web.Application], rooms: Rooms, ways: Ways, engine: Engine) -> None:
        self.client, self.rooms, self.ways, self.engine = client, rooms, ways, engine
        self.told: list[tuple[str, dict[str, Any]]] = []

    async def call(
        self, method: str, request: dict[str, Any], *, key: str = "own", **grants: object
    ) -> tuple[int, dict[str, Any]]:
        token = tokens.mint(key, KEYS, now=time.time(), ttl=60, identity="tool", grants={"ingressAdmin": True, **grants})
        headers = {"Authorization": f"Bearer {token}"}
        async with self.client.post(f"/twirp/livekit.Ingress/{method}", json=request, headers=headers) as answer:
            return answer.status, await answer.json()

    async def ok(self, method: str, request: dict[str, Any], **more: Any) -> dict[str, Any]:
        status, answer = await self.call(method, request, **more)
        assert status == 200, answer
        return answer

    async def encode(self, stream_key: str) -> int:
        headers = {"Authorization": f"Bearer {stream_key}", "Content-Type": "application/sdp"}
        async with self.client.post("/w", data=ENCODER, headers=headers) as answer:
            return answer.status

    async def state(self, **more: Any) -> dict[str, Any]:
        (found,) = (await self.ok("ListIngress", {}, **more))["items"]
        state: dict[str, Any] = found["state"]
        return state

    def person(self) -> Any:
        (person,) = self.rooms.rooms["r"].people.values()
        return person

    async def begin(self, stream_key: str) -> str:
        """An encoder whose media is there: its sid."""
        assert await self.encode(stream_key) == 201
        person = self.person()
        self.engine.listener(media.PeerConnected("r", person.sid))
        for number, track in enumerate(list(person.tracks)):
            mime = "audio/opus" if number == 0 else "video/VP8"
            self.engine.listener(media.TrackBound("r", person.sid, track, str(number), mime))
        sid: str = person.sid
        return sid


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    engine, ways = Engine(), Ways()
    hearing: list[Any] = []

    def report(kind: str, **what: Any) -> None:
        for hear in hearing:
            hear(kind, **what)

    rooms = Rooms(engine, OpenHost(), KEYS, Terms(hub_key=HUB_KEY, away=0.6), settle=0.2, report=report)
    told: list[tuple[str, dict[str, Any]]] = []
    ingress = Ingress(rooms, ways, "https://hub.example/w", lambda kind, **what: told.append((kind, what)))
    hearing.append(ingress.heard)
    app = web.Application()
    app.add_routes([*Twirp(rooms, [ingress.service()]).routes(), *Whip(rooms, streams=ingress).routes()])
    async with TestClient(TestServer(app)) as client:
        await rooms.start()
        engine.ready("media-0")
        found = Place(client, rooms, ways, engine)
        found.told = told
        yield found
        await ingress.close()
        await rooms.close_all()


async def test_an_encoder_by_its_stream_key(place: Place) -> None:
    made = await place.ok("CreateIngress", {**WHIP, "participant_metadata": "m"})
    assert (made["url"], made["stream_key"], made["reusable"]) == ("https://hub.example/w", "key-0", True)
    assert made["ingress_id"].startswith("IN_01K")
    assert made["state"]["status"] == "ENDPOINT_INACTIVE"
    assert await place.encode("key-0") == 201
    assert (await place.state())["status"] == "ENDPOINT_BUFFERING"
    sid = await place.begin("key-0")
    person = place.person()
    assert (person.identity, person.info.metadata, person.ticket.key) == ("encoder", "m", "own")
    state = await place.state()
    assert (state["status"], state["resource_id"]) == ("ENDPOINT_PUBLISHING", sid)
    assert state["video"]["mime_type"] == "video/VP8"
    assert len(state["tracks"]) == 2
    await until(lambda: [kind for kind, _ in place.told] == ["ingress_started"])
    assert place.told[0][1]["ingress_info"].stream_key == ""
    await place.ok("DeleteIngress", {"ingress_id": made["ingress_id"]})
    assert place.rooms.rooms["r"].people == {}
    assert await place.encode("key-0") == 401


async def test_disabled_and_removed(place: Place) -> None:
    made = await place.ok("CreateIngress", WHIP)
    await place.begin("key-0")
    await place.ok("UpdateIngress", {"ingress_id": made["ingress_id"], "enabled": False, "name": "again"})
    assert place.rooms.rooms["r"].people == {}
    assert await place.encode("key-0") == 403
    enabled = await place.ok("UpdateIngress", {"ingress_id": made["ingress_id"], "enabled": True})
    assert (enabled["name"], enabled["enabled"]) == ("again", True)
    await place.begin("key-0")
    await place.rooms.remove("r", "encoder")
    await until(lambda: not place.ways.ways[made["ingress_id"].removeprefix("IN_")].enabled)
    assert await place.encode("key-0") == 403


async def test_with_its_api_key_a_stream_key_is_dead(place: Place) -> None:
    await place.ok("CreateIngress", WHIP)
    place.rooms.keys = tokens.Keys({name: key for name, key in KEYS.items() if name != "own"})
    assert await place.encode("key-0") == 401
    with pytest.raises(Forbidden):
        await place.rooms.provide("r", key="own")
    assert not place.rooms.reaches("r", "own")


async def test_a_camera_that_takes_somebody_s_identity_and_goes(place: Place) -> None:
    await place.ok("CreateIngress", WHIP)
    sid = await place.begin("key-0")
    assert place.rooms.reaches("r", "own")
    assert not place.rooms.reaches("r", "other")
    with pytest.raises(NotFound):
        await place.rooms.remove_camera("r", "encoder")  # it is no camera
    assert place.person().sid == sid
    await place.rooms.add_camera("r", CameraSeat("IN_x", "encoder", "", "", kind="ingress"))
    assert sid not in place.rooms._sockets  # it was told to go
    await place.rooms.remove_camera("r", "encoder")
    assert place.rooms.rooms["r"].people == {}


async def test_a_camera(place: Place) -> None:
    made = await place.ok("CreateIngress", {**URL, "url": "rtsp://ad%40min:pass%3Aword@192.0.2.1:8554/live?x=1"})
    (way,) = place.ways.ways.values()
    assert (way.url, way.user, way.password) == ("rtsp://192.0.2.1:8554/live?x=1", "ad@min", "pass:word")
    assert (made["url"], made["stream_key"]) == ("rtsp://192.0.2.1:8554/live?x=1", "")
    place.ways.states[way.id] = IngressState("error", "It refuses the password.", since=7)
    state = await place.state()
    assert (state["status"], state["error"], state["updated_at"]) == ("ENDPOINT_ERROR", "It refuses the password.", "7")
    place.ways.states[way.id] = IngressState("publishing")
    await place.rooms.provide("r", key="own")
    await place.rooms.add_camera("r", CameraSeat(f"IN_{way.id}", "camera", "", "", kind="ingress"))
    assert (await place.state())["status"] == "ENDPOINT_PUBLISHING"
    assert place.rooms.rooms["r"].people[place.person().sid].info.kind == 1
    assert place.told == []
    await place.rooms.remove("r", "camera")
    await until(lambda: place.ways.ended == [("r", "camera")])


@pytest.mark.parametrize(
    ("request_", "status", "sentence"),
    [
        ({**URL, "input_type": "RTMP_INPUT"}, 501, "RTMP is not taken"),
        ({**WHIP, "enable_transcoding": True}, 501, "Media is passed on as it comes."),
        ({**URL, "url": "https://x/y.m3u8"}, 501, "Only rtsp:// addresses are pulled."),
        ({**URL, "url": "rtsps://x/y"}, 501, "RTSP over TLS is not pulled"),
        ({**URL, "url": "rtsp://"}, 400, "The address"),
        ({**URL, "url": "rtsp://host:99999/x"}, 400, "The address has a port outside"),
        ({**WHIP, "room_name": ""}, 400, "needs a room name"),
        ({**WHIP, "participant_identity": ""}, 400, "needs a room name"),
        ({**WHIP, "name": "x" * 300}, 400, "A name is too long."),
        ({**WHIP, "participant_metadata": "x" * 70_000}, 400, "The metadata is too long."),
    ],
)
async def test_what_is_refused(place: Place, request_: dict[str, Any], status: int, sentence: str) -> None:
    got, answer = await place.call("CreateIngress", request_)
    assert got == status
    assert sentence in answer["msg"]
    assert place.ways.ways == {}


async def test_who_may(place: Place) -> None:
    assert (await place.call("CreateIngress", WHIP, ingressAdmin=False))[0] == 403
    made = await place.ok("CreateIngress", WHIP)
    for method in ("UpdateIngress", "DeleteIngress"):
        assert (await place.call(method, {"ingress_id": made["ingress_id"]}, key="other"))[0] == 404
        assert (await place.call(method, {}))[0] == 404
    assert (await place.ok("ListIngress", {}, key="other"))["items"] == []
    (seen,) = (await place.ok("ListIngress", {}, key="wide"))["items"]
    assert seen["stream_key"] == ""  # a password is its own key's
    await place.rooms.provide("theirs", key="other")
    assert (await place.call("CreateIngress", {**WHIP, "room_name": "theirs"}))[0] == 404
