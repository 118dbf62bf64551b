"""What a WHEP viewer gets, in the room's state machine."""

from __future__ import annotations

import pytest
from livekit.protocol import rtc

from commhub.media import messages as media
from signaling import watching
from signaling.participant import Participant
from signaling.resource import Resource, View
from tests.support.livekit import Stage, ticket


def watch(stage: Stage, view: View, identity: str = "wall") -> Participant:
    held = ticket(identity, grants={"hidden": True, "canPublish": False})
    join = rtc.JoinRequest(connection_settings=rtc.ConnectionSettings(auto_subscribe=False))
    sid, outs = stage.room.join(held, join, stage.now, dual=False, resource=Resource("id", "hash", identity, view))
    stage.run(outs)
    return stage.room.people[sid]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_as_many_as_there_are_places(stage: Stage) -> None:
    wall = watch(stage, View(audio=1, video=2))
    cameras = []
    for name in ("alice", "bob", "carol"):
        sid = stage.join(name)
        cameras.append(stage.publish(sid))
        stage.now += 1
    assert wall.subscribed == set(cameras[:2])
    assert all(message.room == "r" for message in stage.told(media.Subscribe) if message.peer == wall.sid)


def test_what_it_has_already_stays(stage: Stage) -> None:
    alice, bob = stage.join("alice"), stage.join("bob")
    second = stage.publish(bob)
    wall = watch(stage, View(audio=0, video=1))
    assert wall.subscribed == {second}
    stage.publish(alice)
    assert wall.subscribed == {second}


def test_what_goes_makes_room_before_what_comes(stage: Stage) -> None:
    alice, bob = stage.join("alice"), stage.join("bob")
    first, second = stage.publish(alice), stage.publish(bob)
    wall = watch(stage, View(audio=0, video=1))
    assert wall.subscribed == {first}
    stage.forget()
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=first, muted=True))
    assert [(message.tracks, message.on) for message in stage.told(media.Subscribe) if message.peer == wall.sid] == [
        ([first], False),
        ([second], True),
    ]


def test_a_publisher_s_word_counts(stage: Stage) -> None:
    alice = stage.join("alice")
    track = stage.publish(alice)
    wall = watch(stage, View(audio=1, video=1))
    assert wall.subscribed == {track}
    stage.receive(alice, subscription_permission=rtc.SubscriptionPermission(all_participants=False))
    assert wall.subscribed == set()


def test_a_viewer_is_not_a_resumable_client(stage: Stage) -> None:
    wall = watch(stage, View(audio=1, video=1))
    assert stage.room.resume(wall.sid, wall.ticket, rtc.JoinRequest(reconnect=True), stage.now) is None


def test_following_a_track(stage: Stage) -> None:
    track = stage.publish(stage.join("alice"))
    assert watching.follow(stage.room, track) == ("alice", "camera")
    assert watching.follow(stage.room, "TR_none") is None


def test_a_viewer_that_is_moved_watches_the_other_room(stage: Stage) -> None:
    other = Stage()
    other.room.info.name = "r2"
    track = other.publish(other.join("bob"))
    wall = watch(stage, View(audio=1, video=1))
    stage.run(stage.room.depart(wall, "r2", stage.now))
    other.run(other.room.arrive(wall, wall.ticket, other.now))
    assert wall.subscribed == {track}
    assert stage.room.viewers == set()
