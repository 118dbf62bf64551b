"""Rooms and the workers: cameras, a worker that dies, a hub that starts again, a link that was cut."""

from __future__ import annotations

from dataclasses import replace

import pytest
from livekit.protocol import models, rtc

from commhub.conference import CameraSeat
from commhub.media import messages as media
from signaling import participant, session
from signaling.outs import Joined, Terms
from tests.support.livekit import Stage, request, ticket
from tests.support.restarts import restarted, snapshot_of

State = models.ParticipantInfo.State
SEAT = CameraSeat(source="cam-1", identity="cam-1:line", name="Gate", org="Harbour", audio=True)


def test_a_camera_is_a_participant() -> None:
    stage = Stage(kept=True)
    alice = stage.join("alice")
    stage.forget()
    stage.run(stage.room.add_camera(SEAT, stage.now))
    stage.run(stage.room.add_camera(SEAT, stage.now))
    add, attach, video, audio = stage.commands[:4]
    assert isinstance(add, media.AddPeer)
    assert (add.kind, add.about["kind"], add.about["org"]) == ("bridge", "camera", "Harbour")
    assert attach == media.AttachSource("r", add.peer, "cam-1")
    assert isinstance(video, media.Announce)
    assert isinstance(audio, media.Announce)
    assert (video.kind, audio.kind) == ("video", "audio")
    shown = stage.last(alice, "update").participants[0]
    assert shown.kind == models.ParticipantInfo.Kind.BRIDGE
    assert list(shown.kind_details) == [models.ParticipantInfo.KindDetail.BRIDGE_RTSP]
    assert not shown.tracks
    assert [type(fact) for fact in stage.facts] == [Joined]
    stage.event(media.TrackBound("r", add.peer, video.track, "", "video/H264"))
    assert stage.last(alice, "update").participants[0].tracks[0].mime_type == "video/H264"
    assert stage.told(media.Subscribe) == [media.Subscribe("r", alice, [video.track])]
    stage.forget()
    stage.event(media.TrackEnded("r", add.peer, video.track))
    assert not stage.last(alice, "update").participants[0].tracks
    stage.tick(60)
    stage.event(media.TrackBound("r", add.peer, video.track, "", "video/H264"))
    assert stage.last(alice, "update").participants[0].tracks[0].sid == video.track
    assert not stage.told(media.Withdraw)
    stage.run(stage.room.remove(SEAT.identity, stage.now))
    assert stage.last(alice, "update").participants[0].state == State.DISCONNECTED


def test_a_lost_worker_sends_everybody_back_at_once_and_cameras_to_the_next() -> None:
    stage = Stage(kept=True)
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.publish(alice)
    stage.run(stage.room.add_camera(SEAT, stage.now))
    stage.run(stage.room.set_recording(True))
    stage.forget()
    stage.run(stage.room.lost(stage.now))
    assert stage.last(alice, "leave").action == rtc.LeaveRequest.RECONNECT
    assert {alice, bob} <= set(stage.closed)
    assert stage.commands == []
    assert stage.facts == []  # they are coming back
    assert {presence.identity for presence in (p.presence() for p in stage.room.people.values())} == {
        "alice", "bob", SEAT.identity,
    }  # fmt: skip
    stage.run(stage.room.place(stage.now))
    kinds = [type(command) for command in stage.commands]
    assert kinds == [media.OpenRoom, media.AddPeer, media.AttachSource, media.Announce, media.Announce]
    stage.forget()
    again = stage.join("alice")
    assert stage.facts == []
    join = stage.sent[again][0].join
    assert join.room.active_recording
    assert {other.identity for other in join.other_participants} == {SEAT.identity}
    assert not stage.told(media.RemovePeer)
    stage.tick(21)
    assert [fact.presence.identity for fact in stage.facts] == ["bob"]


def test_a_restarted_hub_finds_the_room_again() -> None:
    stage = Stage(kept=True)
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    stage.event(media.PeerConnected("r", alice))
    stage.run(stage.room.add_camera(SEAT, stage.now))
    stage.run(stage.room.set_recording(True))
    only_bob = rtc.TrackPermission(participant_identity="bob", all_tracks=True)
    stage.receive(alice, subscription_permission=rtc.SubscriptionPermission(track_permissions=[only_bob]))
    fresh = restarted(stage)
    room = fresh.room
    assert fresh.commands == []  # media goes on untouched
    assert room.info.sid == stage.room.info.sid
    assert room.info.active_recording
    assert room.kept
    for sid, person in stage.room.people.items():
        assert room.people[sid].shown().tracks == person.shown().tracks
        assert room.people[sid].identity == person.identity
    assert room.people[bob].subscribed == {track}
    assert not room.people[alice].may_be_seen_by(fresh.room.people[alice], track)
    outs = room.resume(bob, ticket("bob"), request(offer=0), stage.now)
    assert outs is not None
    fresh.run(outs)
    assert fresh.kinds(bob)[0] == "reconnect"
    fresh.now = stage.now
    fresh.tick(25)
    assert alice not in room.people  # did not come back in time
    assert {bob} < set(room.people)


@pytest.mark.parametrize("same", [True, False])
def test_a_camera_that_sits_in_the_room_already_goes_on(same: bool) -> None:
    """A new hub puts cameras into its rooms before a worker tells what runs there."""
    stage = Stage(kept=True)
    stage.run(stage.room.add_camera(SEAT, stage.now))
    ((sid, seated),) = stage.room.people.items()
    state = snapshot_of(stage)
    fresh = Stage(kept=True, placed=False)
    seat = SEAT if same else replace(SEAT, name="Gate 2")
    fresh.run(fresh.room.add_camera(seat, fresh.now))
    fresh.forget()
    fresh.run(fresh.room.restore(state, fresh.now))
    ((found, person),) = fresh.room.people.items()
    assert person.seat == seat
    assert fresh.room.by_identity == {SEAT.identity: found}
    if same:
        assert found == sid
        assert set(person.tracks) == set(seated.tracks)
        assert fresh.commands == []
    else:
        assert fresh.told(media.RemovePeer) == [media.RemovePeer("r", sid, "replaced")]
        assert [one.peer for one in fresh.told(media.AddPeer)] == [found]


def test_a_link_that_was_cut_is_caught_up() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    first = stage.publish(alice)
    state = snapshot_of(stage)
    second = stage.publish(alice, "b", mid="9")  # the worker never heard of it
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=first, muted=True))
    stage.forget()
    stage.run(stage.room.restore(state, stage.now))
    assert [one.track for one in stage.told(media.Announce)] == [second]
    assert stage.told(media.Mute) == [media.Mute("r", first, True)]
    assert stage.told(media.Subscribe) == [media.Subscribe("r", bob, [second])]
    assert not stage.told(media.RemovePeer)
    assert "leave" not in stage.kinds(alice)


def test_a_record_nobody_wrote_is_removed() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        participant.unpack(b"\xff\x00")
    state = media.RoomState("r", [media.PeerState("PA_x", "x", "client", False, True, record=b"junk")])
    assert session.room_of(state, Terms(), 0.0) is None
    stage = Stage()
    stage.run(stage.room.restore(state, stage.now))
    assert stage.told(media.RemovePeer) == [media.RemovePeer("r", "PA_x", "unreadable record")]


def test_nothing_is_told_to_a_worker_that_is_not_there() -> None:
    stage = Stage(placed=False)
    stage.run(stage.room.add_camera(SEAT, stage.now))
    assert stage.commands == []
    stage.run(stage.room.place(stage.now))
    assert [type(command) for command in stage.commands][:2] == [media.OpenRoom, media.AddPeer]


def test_a_cameras_streams_are_layers_that_views_choose_from() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.forget()
    stage.run(stage.room.add_camera(SEAT, stage.now))
    add, _, video = stage.commands[:3]
    assert isinstance(add, media.AddPeer)
    assert isinstance(video, media.Announce)
    stage.event(media.TrackLayers("r", add.peer, video.track, [media.Layer(0, 640, 360), media.Layer(2, 1920, 1080)]))
    stage.event(media.TrackBound("r", add.peer, video.track, "", "video/H264"))
    shown = stage.last(alice, "update").participants[0].tracks[0]
    assert [(int(layer.quality), layer.width, layer.height) for layer in shown.layers] == [(0, 640, 360), (2, 1920, 1080)]
    assert (shown.simulcast, shown.width, shown.height) == (True, 1920, 1080)
    assert [int(layer.quality) for layer in shown.codecs[0].layers] == [0, 2]
    stage.forget()
    stage.receive(alice, track_setting=rtc.UpdateTrackSettings(track_sids=[video.track], width=700, height=400))
    assert stage.told(media.Shape)[0].quality == 2
    stage.event(media.TrackLayers("r", add.peer, video.track, [media.Layer(0, 704, 576), media.Layer(2, 1920, 1080)]))
    assert stage.told(media.Shape)[1].quality == 0  # the smaller stream has become large enough
    assert stage.last(alice, "update").participants[0].tracks[0].layers[0].height == 576
