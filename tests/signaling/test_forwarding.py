"""ForwardParticipant: seen in another room, following whatever happens in the first."""

from __future__ import annotations

import time
from typing import Any

import pytest
from livekit import api
from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import participant as participants
from signaling.outs import Terms
from signaling.rooms import Rooms
from tests.signaling.test_moving import code, in_room, publish
from tests.support import until
from tests.support.house import House, Peer
from tests.support.livekit import HUB_KEY, KEYS, OpenHost, ScriptedEngine

FORWARDED = models.ParticipantInfo.KindDetail.FORWARDED


@pytest.fixture
async def admin(house: House) -> Any:
    async with api.LiveKitAPI(house.url, "own", "o" * 40) as client:
        yield client.room


def forward(identity: str = "alice", room: str = "r", to: str = "s") -> api.ForwardParticipantRequest:
    return api.ForwardParticipantRequest(room=room, identity=identity, destination_room=to)


def image(house: House, room: str = "s", identity: str = "alice") -> participants.Participant:
    known = house.rooms.rooms[room]
    return known.people[known.by_identity[identity]]


def bind(house: House, room: str = "s") -> None:
    """What the worker says when the Source has come."""
    one = image(house, room)
    for track in one.tracks.values():
        house.engine.listener(media.TrackBound(room, one.sid, track.sid, track.kind, track.info.mime_type))


async def shown(peer: Peer, true: Any) -> models.ParticipantInfo:
    while True:
        update: rtc.ParticipantUpdate = await peer.hear("update")
        for one in update.participants:
            if one.identity == "alice" and true(one):
                return one


def relays(house: House) -> list[tuple[str, list[str]]]:
    return [(one.room, one.workers) for one in house.engine.told if isinstance(one, media.Relay)]


async def test_seen_in_the_other_room_and_followed(house: House, admin: Any) -> None:
    alice, carol = await in_room(house, "alice", "r"), await in_room(house, "carol", "s")
    camera = await publish(house, alice)
    await admin.forward_participant(forward())
    await admin.forward_participant(forward())  # once is enough

    one = image(house)
    assert (one.kind, list(one.info.kind_details), one.info.permission.can_publish) == ("bridge", [FORWARDED], True)
    assert one.sid != house.rooms.rooms["r"].by_identity["alice"]
    (track,) = one.tracks.values()
    assert (track.sid != camera, track.cids, track.info.source) == (True, {camera: ""}, models.TrackSource.CAMERA)
    assert relays(house) == [("r", ["media-0"])]
    source = next(told.source for told in house.engine.told if isinstance(told, media.Relay))
    assert media.AttachSource("s", one.sid, source) in house.engine.told

    bind(house)
    seen = await shown(carol, lambda info: len(info.tracks) == 1)
    assert (seen.sid, seen.tracks[0].sid, FORWARDED in seen.kind_details) == (one.sid, track.sid, True)
    carols = house.rooms.rooms["s"].by_identity["carol"]
    assert media.Subscribe("s", carols, [track.sid]) in house.engine.told

    await alice.say(mute=rtc.MuteTrackRequest(sid=camera, muted=True))
    await shown(carol, lambda info: info.tracks and info.tracks[0].muted)
    assert media.Mute("s", track.sid, True) in house.engine.told
    await admin.update_participant(
        api.UpdateParticipantRequest(room="r", identity="alice", name="Alice B", attributes={"a": "1"})
    )
    await shown(carol, lambda info: (info.name, dict(info.attributes)) == ("Alice B", {"a": "1"}))
    screen = await publish(house, alice, cid="screen")
    await until(lambda: len(image(house).tracks) == 2)
    bind(house)
    await shown(carol, lambda info: len(info.tracks) == 2)
    house.rooms.run(house.rooms.rooms["r"], house.rooms.rooms["r"].event(
        media.TrackEnded("r", house.rooms.rooms["r"].by_identity["alice"], screen), house.rooms.now()))  # fmt: skip
    await shown(carol, lambda info: len(info.tracks) == 1)
    await until(lambda: house.host.facts[-1] == ("joined", "s", "alice"))

    await alice.say(leave=rtc.LeaveRequest())
    await shown(carol, lambda info: info.state == models.ParticipantInfo.DISCONNECTED)
    assert "alice" not in house.rooms.rooms["s"].by_identity
    await until(lambda: ("left", "s", "alice") in house.host.facts)
    forwards = house.rooms.forwards
    assert (forwards._from, forwards._into, forwards._told) == ({}, {}, {})


async def test_a_mute_set_there_stays_until_it_changes_here(house: House, admin: Any) -> None:
    alice = await in_room(house, "alice", "r")
    camera = await publish(house, alice)
    await admin.forward_participant(forward())
    bind(house)
    (track,) = image(house).tracks.values()
    muted = api.MuteRoomTrackRequest(room="s", identity="alice", track_sid=track.sid, muted=True)
    await admin.mute_published_track(muted)
    await admin.update_participant(api.UpdateParticipantRequest(room="r", identity="alice", name="x"))
    assert track.info.muted
    assert not house.rooms.rooms["r"].people[house.rooms.rooms["r"].by_identity["alice"]].tracks[camera].info.muted
    for there in (True, False):
        await alice.say(mute=rtc.MuteTrackRequest(sid=camera, muted=there))
        await until(lambda wanted=there: bool(track.info.muted) == wanted)  # type: ignore[misc]


async def test_who_may_not_see_it_here_may_not_there(house: House, admin: Any) -> None:
    """The publisher's own word is about people, in whichever room they are."""
    alice, _, _ = [await in_room(house, *who) for who in (("alice", "r"), ("carol", "s"), ("dave", "s"))]
    camera = await publish(house, alice)

    async def allow(*entries: rtc.TrackPermission, everybody: bool = False) -> None:
        await alice.say(subscription_permission=rtc.SubscriptionPermission(all_participants=everybody, track_permissions=entries))
        await alice.say(ping_req=rtc.Ping(timestamp=1))
        await alice.hear("pong_resp")

    def viewers() -> list[str]:
        people = house.rooms.rooms["s"].people.values()
        return sorted(one.identity for one in people if set(image(house).tracks) & one.subscribed)

    await allow(rtc.TrackPermission(participant_identity="carol", track_sids=[camera]))
    await admin.forward_participant(forward())
    bind(house)
    assert viewers() == ["carol"]
    await allow(rtc.TrackPermission(participant_identity="dave", all_tracks=True))
    assert viewers() == ["dave"]
    packed = participants.pack(image(house), house.rooms.rooms["s"].record())
    restored, _ = participants.unpack(packed)
    assert restored.viewers == image(house).viewers
    await allow(everybody=True)
    assert viewers() == ["carol", "dave"]


async def test_removed_there_the_forwarding_ends(house: House, admin: Any) -> None:
    await in_room(house, "alice", "r")
    await admin.create_room(api.CreateRoomRequest(name="t"))
    await admin.forward_participant(forward())
    await admin.forward_participant(forward(to="t"))
    source = {told.source for told in house.engine.told if isinstance(told, media.Relay)}
    assert len(source) == 1  # one Source, however many rooms it is in
    await admin.remove_participant(api.RoomParticipantIdentity(room="s", identity="alice"))
    assert house.host.dead == set()  # nobody's token is meant
    assert relays(house)[-1] == ("r", ["media-0"])
    await admin.remove_participant(api.RoomParticipantIdentity(room="t", identity="alice"))
    assert relays(house)[-1] == ("r", [])
    assert "alice" in house.rooms.rooms["r"].by_identity


async def test_a_room_that_ends_takes_its_images_along(house: House, admin: Any) -> None:
    await in_room(house, "alice", "r")
    await in_room(house, "carol", "s")
    await admin.forward_participant(forward())
    await admin.delete_room(api.DeleteRoomRequest(room="s"))
    assert relays(house)[-1] == ("r", [])
    await admin.forward_participant(forward())
    await admin.delete_room(api.DeleteRoomRequest(room="r"))
    assert "alice" not in house.rooms.rooms["s"].by_identity


async def test_somebody_who_comes_back_as_somebody_new_is_followed(house: House, admin: Any) -> None:
    alice = await in_room(house, "alice", "r")
    await publish(house, alice)
    await admin.forward_participant(forward())
    first = image(house)
    again = await in_room(house, "alice", "r")  # a full reconnect
    assert image(house) is first
    assert first.tracks == {}
    camera = await publish(house, again)
    assert [track.cids for track in first.tracks.values()] == [{camera: ""}]
    told = [one for one in house.engine.told if isinstance(one, media.Relay)]
    assert [one.peer for one in told] == [told[0].peer, house.rooms.rooms["r"].by_identity["alice"]]
    assert told[0].peer != told[1].peer


async def test_workers_that_die(house: House, admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = {"r": "media-0", "s": "media-1"}
    alice = await in_room(house, "alice", "r")
    await publish(house, alice)
    await in_room(house, "carol", "s")
    monkeypatch.setattr(house.engine, "worker_of", homes.__getitem__)
    await admin.forward_participant(forward())
    assert relays(house) == [("r", ["media-1"])]
    sid = image(house).sid

    house.engine.told.clear()  # the destination's worker
    homes["s"] = "media-2"
    house.engine.ready("media-2")
    house.engine.lost("media-1", ["s"])
    kinds = [type(one) for one in house.engine.told if getattr(one, "room", "") == "s"]
    assert kinds[:4] == [media.OpenRoom, media.AddPeer, media.AttachSource, media.Announce]
    assert relays(house)[-1] == ("r", ["media-2"])
    assert image(house).sid == sid

    house.engine.lost("media-0", ["r"])  # the origin's: whoever was there comes back as somebody new
    back = await in_room(house, "alice", "r")
    assert image(house).sid == sid
    camera = await publish(house, back)
    assert [track.cids for track in image(house).tracks.values()] == [{camera: ""}]
    last = [one for one in house.engine.told if isinstance(one, media.Relay)][-1]
    assert (last.peer, last.workers) == (house.rooms.rooms["r"].by_identity["alice"], ["media-2"])


@pytest.mark.parametrize("order", [["r", "s"], ["s", "r"]])
async def test_a_restarted_hub_finds_it_again(house: House, admin: Any, order: list[str]) -> None:
    alice = await in_room(house, "alice", "r")
    camera = await publish(house, alice)
    await admin.forward_participant(forward())
    bind(house)
    records: dict[str, media.PeerState] = {}
    for told in house.engine.told:
        if isinstance(told, media.AddPeer):
            records[told.room] = media.PeerState(told.peer, told.identity, told.kind, False, True, record=told.record)
        elif isinstance(told, media.UpdatePeer) and told.record is not None:
            tracks = [
                media.TrackState(camera if told.room == "r" else next(iter(image(house).tracks)), "video", "camera", mid="7")
            ]
            records[told.room] = media.PeerState(told.peer, "alice", "client", False, True, record=told.record, tracks=tracks)

    engine = ScriptedEngine()
    rooms = Rooms(engine, OpenHost(), KEYS, Terms(hub_key=HUB_KEY), clock=time.time)
    await rooms.start()
    for name in order:
        engine.found(media.WorkerSnapshot("media-0", [media.RoomState(name, [records[name]])], []))
    engine.ready("media-0")
    one = rooms.rooms["s"].people[rooms.rooms["s"].by_identity["alice"]]
    assert one.origin is not None
    relayed = {(told.room, *told.workers) for told in engine.told if isinstance(told, media.Relay)}
    assert relayed == {("r", "media-0")}
    engine.listener(media.TrackEnded("r", rooms.rooms["r"].by_identity["alice"], camera))
    assert one.tracks == {}
    await rooms.close_all()


async def test_an_image_whose_room_did_not_come_back_goes(house: House, admin: Any) -> None:
    await in_room(house, "alice", "r")
    await in_room(house, "carol", "s")
    await admin.forward_participant(forward())
    del house.rooms.rooms["r"]
    house.rooms.run(house.rooms.rooms["s"], [])
    assert "alice" not in house.rooms.rooms["s"].by_identity


async def test_moved_into_the_room_of_its_own_image(house: House, admin: Any) -> None:
    alice = await in_room(house, "alice", "r")
    await publish(house, alice)
    await admin.forward_participant(forward())
    await admin.move_participant(api.MoveParticipantRequest(room="r", identity="alice", destination_room="s"))
    await alice.hear("room_moved")
    assert [one.kind for one in house.rooms.rooms["s"].people.values()] == ["client"]
    assert house.rooms.forwards._from == {}


async def test_what_forwarding_refuses(house: House, admin: Any) -> None:
    await in_room(house, "alice", "r")
    await in_room(house, "alice", "s")

    async def refused(request: api.ForwardParticipantRequest) -> tuple[str, int]:
        with pytest.raises(api.TwirpError) as failed:
            await admin.forward_participant(request)
        return code(failed)

    assert await refused(forward()) == ("failed_precondition", 412)
    assert await refused(forward("nobody")) == ("not_found", 404)
    assert await refused(forward(to="r")) == ("invalid_argument", 400)
    await admin.forward_participant(forward(to="t"))
    assert await refused(forward(room="t", to="u")) == ("invalid_argument", 400)  # an image is nobody's origin
    headers = {"Authorization": f"Bearer {house.token(roomAdmin=True)}"}
    body = {"room": "r", "identity": "alice", "destination_room": "u"}
    async with house.client.post("/twirp/livekit.RoomService/ForwardParticipant", json=body, headers=headers) as answer:
        assert answer.status == 403
