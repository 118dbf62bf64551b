"""WHIP and WHEP over real HTTP; the engine is scripted, but answers as the real one does."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from livekit.protocol import models, rtc

from commhub.conference import Ticket
from commhub.errors import Conflict, HubError
from commhub.media import messages as media
from commhub.media import negotiation
from commhub.wire import sdp, sdpfrag
from signaling import tokens, whip
from signaling.outs import Terms
from signaling.rooms import Rooms
from signaling.whip import FRAGMENT, SDP, Whip
from tests.support import until
from tests.support.client import FINGERPRINT, Offer
from tests.support.livekit import HUB_KEY, KEYS, OpenHost, ScriptedEngine

ENCODER = Offer(data=False).send("audio", "mic").send("video", "cam", ["q", "h", "f"]).text()
PLAYER = Offer(data=False).receive("audio").receive("video").text()
RESTART = "a=ice-ufrag:anew\r\na=ice-pwd:" + "p" * 24 + "\r\n"
TRICKLE = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"


class Engine(ScriptedEngine):
    """Answers offers by the real rules; a restart has new credentials."""

    def __init__(self) -> None:
        super().__init__()
        self.restarts: list[media.Restart] = []
        self.generation = 0
        self.answer = lambda offer: media.Answer(self.text(offer.sdp), offer.id)

    def text(self, offer: str) -> str:
        self.generation += 1
        candidates = [sdp.Candidate("u0", 1, "udp", 5, "192.0.2.9", 7882)]
        local = negotiation.Local(f"ours{self.generation}", "p" * 24, FINGERPRINT, candidates, 1)
        return sdp.build(negotiation.answer(sdp.parse(offer), local, {}, {}))

    async def offer(self, offer: media.Offer | media.Restart) -> media.Answer:
        if isinstance(offer, media.Restart):
            self.restarts.append(offer)
            return media.Answer(self.text(ENCODER), 0)
        return await super().offer(offer)


class Keys:
    """One stream key."""

    refuse: HubError | None = None

    async def admit(self, stream_key: str) -> tuple[Ticket, str] | None:
        if stream_key != "stream-key":
            return None
        if self.refuse is not None:
            raise self.refuse
        return Ticket("own", "encoder", "Encoder", "r", {"roomJoin": True, "room": "r"}, token_id="t", expires_at=9e9), "IN_x"


class Place:
    def __init__(self, client: TestClient[web.Request, web.Application], rooms: Rooms, engine: Engine, host: OpenHost) -> None:
        self.client, self.rooms, self.engine, self.host = client, rooms, engine, host
        self.keys = Keys()

    def token(self, identity: str = "encoder", key: str = "own", room: str = "r", **grants: object) -> str:
        grants = {"roomJoin": True, "room": room, **grants}
        return tokens.mint(key, KEYS, now=time.time(), ttl=60, identity=identity, grants=grants)

    async def call(
        self, method: str, path: str, body: str = "", *, token: str | None = None, kind: str = SDP, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        token = self.token() if token is None else token
        if token:
            named["Authorization"] = f"Bearer {token}"
        if body:
            named["Content-Type"] = kind
        async with self.client.request(method, path, data=body or None, headers=named) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            text = await answer.text()
            found: Any = await answer.json(content_type=None) if answer.content_type == "application/problem+json" else text
            return answer.status, found, answer.headers

    def people(self) -> list[Any]:
        return list(self.rooms.rooms["r"].people.values()) if "r" in self.rooms.rooms else []

    def person(self) -> Any:
        (person,) = self.people()
        return person

    def told(self, kind: type) -> list[Any]:
        return [message for message in self.engine.told if isinstance(message, kind)]


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    engine, host = Engine(), OpenHost()
    servers = [rtc.ICEServer(urls=["turn:192.0.2.7:3478?transport=udp"], username="u", credential="c")]
    terms = Terms(hub_key=HUB_KEY, away=0.6, ice_servers=lambda identity: servers)
    rooms = Rooms(engine, host, KEYS, terms, patience=0.8, settle=0.2)
    ways = Whip(rooms)
    app = web.Application()
    app.add_routes(ways.routes())
    async with TestClient(TestServer(app)) as client:
        await rooms.start()
        engine.ready("media-0")
        found = Place(client, rooms, engine, host)
        ways.streams = found.keys
        yield found
        await rooms.close_all()


# ---- WHIP


@pytest.mark.parametrize("path", ["/whip", "/whip/v1", "/w"])
async def test_an_encoder_publishes(place: Place, path: str) -> None:
    status, answer, headers = await place.call("POST", path, ENCODER)
    assert status == 201
    assert headers["Content-Type"].startswith(SDP)
    assert sdp.parse(answer).sections[0].ufrag == "ours1"
    assert re.fullmatch(r"/whip/resource/[0-9a-f]{32}", headers["Location"])
    assert headers["ETag"] == '"ours1"'
    assert headers["Accept-Patch"] == FRAGMENT
    assert headers["Link"] == (
        '<turn:192.0.2.7:3478?transport=udp>; rel="ice-server"; username="u"; credential="c"; credential-type="password"'
    )
    person = place.person()
    assert (person.identity, person.info.kind) == ("encoder", models.ParticipantInfo.Kind.INGRESS)
    assert not person.info.permission.can_subscribe
    (peer,) = place.told(media.AddPeer)
    assert (peer.fixed, peer.may_subscribe, peer.may_publish) == (False, False, True)
    audio, video = place.told(media.Announce)
    assert (audio.kind, audio.cids) == ("audio", {"mic": ""})
    assert (video.cids, [layer.rid for layer in video.layers]) == ({"cam": "video/VP8"}, ["q", "h", "f"])
    assert place.engine.offers[0].sdp == ENCODER


async def test_a_stream_key_in_the_place_of_a_token(place: Place) -> None:
    for path, token in (("/w", "stream-key"), ("/w/stream-key", "")):
        status, _, headers = await place.call("POST", path, ENCODER, token=token)
        assert status == 201
        assert place.person().resource.ingress == "IN_x"
        assert (await place.call("DELETE", headers["Location"], token="stream-key"))[0] == 200
    place.keys.refuse = Conflict("The ingress is disabled.", "该接入已停用。")
    status, problem, _ = await place.call("POST", "/w", ENCODER, token="stream-key")
    assert (status, problem["detail"]) == (409, "The ingress is disabled.")


async def test_the_end_of_a_session(place: Place) -> None:
    _, _, headers = await place.call("POST", "/whip", ENCODER)
    status, _, _ = await place.call("DELETE", headers["Location"])
    assert status == 200
    assert place.people() == []
    assert place.told(media.RemovePeer)
    await until(lambda: place.host.facts == [("joined", "r", "encoder"), ("left", "r", "encoder")])
    for method in ("DELETE", "PATCH"):
        status, problem, _ = await place.call(method, headers["Location"], TRICKLE, kind=FRAGMENT)
        assert (status, problem["detail"]) == (404, "There is no such session; it has ended.")


async def test_the_media_ends_the_session(place: Place) -> None:
    _, _, headers = await place.call("POST", "/whip", ENCODER)
    sid = place.person().sid
    place.engine.listener(media.PeerConnected("r", sid))
    place.engine.listener(media.PeerLost("r", sid, "silent"))
    await until(lambda: not place.people(), 5)
    assert (await place.call("DELETE", headers["Location"]))[0] == 404


async def test_removed_means_ended(place: Place) -> None:
    _, _, headers = await place.call("POST", "/whip", ENCODER)
    token = place.token()
    await place.rooms.remove("r", "encoder")
    assert place.people() == []
    assert (await place.call("PATCH", headers["Location"], TRICKLE, kind=FRAGMENT, token=token))[0] == 404


async def test_a_new_session_of_the_same_identity_takes_the_place(place: Place) -> None:
    _, _, first = await place.call("POST", "/whip", ENCODER)
    _, _, second = await place.call("POST", "/whip", ENCODER)
    assert place.person().resource.id == second["Location"].rpartition("/")[2]
    assert (await place.call("DELETE", first["Location"]))[0] == 404


# ---- mistakes


@pytest.mark.parametrize(
    ("path", "body", "how", "status", "sentence"),
    [
        ("/whip", ENCODER, {"kind": "text/plain"}, 415, "The content type is not application/sdp."),
        ("/whip", "x" * 70_000, {}, 413, "The request is longer than 65536 octets."),
        ("/whip", "nonsense", {}, 400, "A session description begins with v=0."),
        ("/whip", PLAYER, {}, 422, "The offer has no section that sends audio or video."),
        ("/whep", ENCODER, {}, 422, "The offer has no section that receives audio or video."),
        ("/whip", ENCODER, {"token": ""}, 401, "There is no access token."),
        ("/whip", ENCODER, {"token": "junk"}, 401, "The token cannot be read."),
        ("/whep?source=window", PLAYER, {}, 400, "A source is camera, microphone, screen_share or screen_share_audio."),
        ("/whep?track=TR_none", PLAYER, {}, 404, "There is no such track in the room."),
        ("/whip?room=another", ENCODER, {}, 403, "The token is for another room."),
    ],
)
async def test_each_mistake_has_its_sentence(
    place: Place, path: str, body: str, how: dict[str, Any], status: int, sentence: str
) -> None:
    got, problem, headers = await place.call("POST", path, body, **how)
    assert (got, problem["detail"]) == (status, sentence)
    assert problem["status"] == status
    assert place.people() == []
    if status == 401:
        assert headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "grants", "sentence"),
    [
        ("/whip", {"canPublish": False}, "The token does not allow publishing."),
        ("/whep", {"canSubscribe": False}, "The token does not allow watching."),
        ("/whip", {"roomJoin": False}, "The token does not allow joining a room."),
    ],
)
async def test_what_the_token_does_not_allow(place: Place, path: str, grants: dict[str, Any], sentence: str) -> None:
    body = ENCODER if path == "/whip" else PLAYER
    body = ENCODER if path == "/whip" else PLAYER
    status, problem, _ = await place.call("POST", path, body, token=place.token(**grants))
    assert (status, problem["detail"]) == (403, sentence)


async def test_problems_in_chinese(place: Place) -> None:
    _, problem, _ = await place.call("POST", "/whip", PLAYER, Accept_Language="zh-CN")
    assert problem["detail"] == "媒体描述中没有要发送的音视频。"


async def test_an_offer_that_the_engine_refuses(place: Place) -> None:
    place.engine.answer = lambda offer: HubError("No.", code="bad_sdp", status=400)
    status, problem, _ = await place.call("POST", "/whip", ENCODER)
    assert (status, problem["detail"]) == (422, "The offer cannot be answered.")
    assert place.people() == []


async def test_an_engine_that_does_not_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whip, "ANSWER_SECONDS", 0.1)
    place.engine.answer = lambda offer: HubError("Gone.", code="unavailable", status=503)
    status, problem, headers = await place.call("POST", "/whip", ENCODER)
    assert (status, headers["Retry-After"]) == (503, "2")
    assert problem["detail"] == "The media service did not answer; try again."
    assert place.people() == []


async def test_so_many_sessions_and_no_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whip, "MAX_OF_IDENTITY", 2)
    token = place.token("viewer")
    for _ in range(2):
        assert (await place.call("POST", "/whep", PLAYER, token=token))[0] == 201
    status, problem, _ = await place.call("POST", "/whep", PLAYER, token=token)
    assert (status, problem["detail"]) == (429, "This identity has made as many sessions as it may.")


async def test_preflights(place: Place) -> None:
    status, _, headers = await place.call("OPTIONS", "/whip", token="")
    assert (status, headers["Accept-Post"]) == (204, SDP)
    assert "If-Match" in headers["Access-Control-Allow-Headers"]
    status, _, headers = await place.call("OPTIONS", "/whip/resource/x", token="")
    assert (status, headers["Accept-Patch"]) == (204, FRAGMENT)
    assert (await place.client.get("/whip")).status == 405


# ---- PATCH


async def test_trickle_and_ice_restart(place: Place) -> None:
    _, _, headers = await place.call("POST", "/whip", ENCODER)
    where, etag = headers["Location"], headers["ETag"]

    async def patch(body: str, **more: str) -> tuple[int, Any, Mapping[str, str]]:
        return await place.call("PATCH", where, body, kind=more.pop("kind", FRAGMENT), **more)

    assert (await patch(TRICKLE, If_Match=etag))[0] == 204
    assert (await patch(TRICKLE))[0] == 204
    assert (await patch("a=ice-ufrag:them\r\na=ice-pwd:" + "p" * 24 + "\r\n", If_Match=etag))[0] == 204
    assert place.engine.restarts == []
    status, problem, _ = await patch(RESTART)
    assert (status, problem["detail"]) == (428, 'An ICE restart needs If-Match: "*".')
    status, problem, _ = await patch(TRICKLE, If_Match='"other"')
    assert (status, problem["detail"]) == (412, "The ICE session is not the current one.")
    status, problem, _ = await patch("a=candidate:x\r\n", If_Match=etag)
    assert (status, problem["detail"]) == (400, "A candidate line is not one.")
    status, _, refused = await patch(TRICKLE, kind=SDP)
    assert (status, refused["Accept-Patch"]) == (415, FRAGMENT)
    assert (await patch("x" * 17_000, If_Match=etag))[0] == 413

    status, text, restarted = await patch(RESTART, If_Match="*")
    assert status == 200
    assert restarted["Content-Type"].startswith(FRAGMENT)
    assert restarted["ETag"] == '"ours2"' != etag
    fragment = sdpfrag.parse(text)
    assert (fragment.ufrag, fragment.password, len(fragment.candidates)) == ("ours2", "p" * 24, 1)
    assert place.engine.restarts == [media.Restart("r", place.person().sid, "anew", "p" * 24)]
    assert (await patch(TRICKLE, If_Match=etag))[0] == 412
    assert (await patch(RESTART, If_Match=restarted["ETag"]))[0] == 204


async def test_a_resource_is_its_token_s(place: Place) -> None:
    _, _, headers = await place.call("POST", "/whip", ENCODER, token=place.token())
    where = headers["Location"]
    for token, status in (("", 401), ("junk", 401), (place.token("other"), 403), (place.token(key="wide"), 403)):
        assert (await place.call("PATCH", where, TRICKLE, kind=FRAGMENT, token=token))[0] == status
        assert (await place.call("DELETE", where, token=token))[0] == status
    await asyncio.sleep(0)
    assert (await place.call("DELETE", where, token=place.token()))[0] == 200  # a fresher token of the same participant


async def test_so_many_sessions_also_with_many_tokens_at_the_same_moment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whip, "MAX_OF_IDENTITY", 2)

    async def admit(ticket: Ticket, *, resuming: bool = False) -> None:
        await asyncio.sleep(0.05)  # the database

    place.host.admit = admit  # type: ignore[method-assign]
    shown = [place.token("wall", attempt=number) for number in range(6)]
    answers = await asyncio.gather(*(place.call("POST", "/whep", PLAYER, token=token) for token in shown))
    assert sorted(status for status, _, _ in answers) == [201, 201, 429, 429, 429, 429]


async def test_a_restarted_hub_knows_its_sessions(place: Place) -> None:
    _, _, published = await place.call("POST", "/whip", ENCODER)
    _, _, watched = await place.call("POST", "/whep", PLAYER, token=place.token("viewer"))
    await asyncio.sleep(0.6)  # the clock flushes what is dirty
    room = place.rooms.rooms["r"]
    records = {message.peer: message.record for message in place.told(media.UpdatePeer) if message.record is not None}
    peers = [
        media.PeerState(sid, person.identity, "client", False, True, record=records[sid]) for sid, person in room.people.items()
    ]
    state = media.RoomState("r", peers)
    engine, host = Engine(), OpenHost()
    rooms = Rooms(engine, host, KEYS, Terms(hub_key=HUB_KEY, away=0.6), patience=0.8, settle=5)
    app = web.Application()
    app.add_routes(Whip(rooms).routes())
    async with TestClient(TestServer(app)) as client:
        await rooms.start()
        later = Place(client, rooms, engine, host)
        early = asyncio.create_task(
            later.call("PATCH", published["Location"], TRICKLE, kind=FRAGMENT, If_Match=published["ETag"])
        )
        await asyncio.sleep(0.05)
        assert not early.done()  # it is not said to be over before the workers have spoken
        engine.found(media.WorkerSnapshot("media-0", [state], []))
        engine.ready("media-0")
        assert (await early)[0] == 204
        await asyncio.sleep(1.2)  # longer than somebody without a WebSocket may stay away
        assert len(rooms.rooms["r"].people) == 2
        viewer = place.token("viewer")
        status, _, headers = await later.call("PATCH", watched["Location"], RESTART, kind=FRAGMENT, token=viewer, If_Match="*")
        assert (status, headers["ETag"]) == (200, '"ours1"')
        assert (await later.call("DELETE", published["Location"]))[0] == 200
        await rooms.close_all()


# ---- WHEP


async def _publish(place: Place, identity: str, *, video: bool = True) -> tuple[str, list[str]]:
    """Somebody who publishes by WHIP, and whose tracks are there: their sid and their tracks'."""
    before = set(place.rooms.rooms["r"].people) if "r" in place.rooms.rooms else set()
    announced = len(place.told(media.Announce))
    offer = Offer(data=False).send("audio", "mic")
    status, _, _ = await place.call(
        "POST", "/whip", (offer.send("video", "cam") if video else offer).text(), token=place.token(identity)
    )
    assert status == 201
    (sid,) = set(place.rooms.rooms["r"].people) - before
    tracks = [message.track for message in place.told(media.Announce)[announced:]]
    for number, track in enumerate(tracks):
        place.engine.listener(media.TrackBound("r", sid, track, str(number), "audio/opus" if number == 0 else "video/VP8"))
    return sid, tracks


async def test_a_player_watches(place: Place) -> None:
    status, _, headers = await place.call("POST", "/whep", PLAYER, token=place.token("wall"))
    assert status == 201
    assert headers["Location"].startswith("/whep/resource/")
    viewer = place.person()
    assert viewer.identity.startswith("wall~")
    (peer,) = place.told(media.AddPeer)
    assert (peer.fixed, peer.hidden, peer.may_publish, peer.may_subscribe) == (True, True, False, True)
    assert place.rooms.present("r") == []
    _, tracks = await _publish(place, "alice")
    assert viewer.subscribed == set(tracks)
    _, others = await _publish(place, "bob")
    assert viewer.subscribed == set(tracks)  # its two sections are taken
    (subscribed,) = [message.tracks for message in place.told(media.Subscribe) if message.peer == viewer.sid and message.on][-1:]
    assert set(subscribed) <= set(tracks)
    await place.rooms.remove("r", "alice")
    assert viewer.subscribed == set(others)


async def test_a_player_follows_one_participant_over_a_reconnect(place: Place) -> None:
    await _publish(place, "bob")
    sid, first = await _publish(place, "person:terminal-1")
    await place.call("POST", "/whep?participant=person", PLAYER, token=place.token("wall"))
    viewer = next(one for one in place.people() if one.fixed)
    assert viewer.subscribed == set(first)
    place.engine.listener(media.TrackEnded("r", sid, first[1]))
    assert viewer.subscribed == {first[0]}
    place.engine.listener(media.TrackBound("r", sid, first[1], "1", "video/VP8"))
    assert viewer.subscribed == set(first)
    _, again = await _publish(place, "person:terminal-1")
    assert viewer.subscribed == set(again)


async def test_a_player_follows_a_track_by_its_source(place: Place) -> None:
    _, (microphone, camera) = await _publish(place, "alice")
    assert (await place.call("POST", f"/whep?track={camera}", PLAYER, token=place.token("wall")))[0] == 201
    viewer = next(one for one in place.people() if one.fixed)
    assert viewer.subscribed == {camera}
    assert viewer.resource.view.sources == ["camera"]
    assert (await place.call("POST", "/whep?source=microphone", PLAYER, token=place.token("ear")))[0] == 201
    assert [one.subscribed for one in place.people() if one.identity.startswith("ear~")] == [{microphone}]


async def test_a_muted_picture_makes_way(place: Place) -> None:
    _, (_, muted) = await _publish(place, "alice")
    _, (_, other) = await _publish(place, "bob")
    await place.call("POST", "/whep", Offer(data=False).receive("video").text(), token=place.token("wall"))
    viewer = next(one for one in place.people() if one.fixed)
    assert viewer.subscribed == {muted}
    await place.rooms.mute("r", "alice", "camera")
    assert viewer.subscribed == {other}


async def test_who_is_removed_watches_no_longer(place: Place) -> None:
    await place.call("POST", "/whip", ENCODER, token=place.token("alice"))
    for _ in range(2):
        await place.call("POST", "/whep", PLAYER, token=place.token("alice"))
    await place.call("POST", "/whep", PLAYER, token=place.token("bob"))
    assert len(place.people()) == 4
    assert [one.identity for one in place.rooms.present("r")] == ["alice"]
    assert [one.identity for one in place.rooms.present("r", unseen=True)] == ["alice", "alice", "alice", "bob"]
    await place.rooms.remove("r", "alice")
    assert [one.identity.partition("~")[0] for one in place.people()] == ["bob"]
    await place.rooms.remove("r", "bob")
    assert place.people() == []
