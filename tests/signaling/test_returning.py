"""Who comes back after everything below died has the rights, mutes, wishes and views they had."""

from __future__ import annotations

from dataclasses import replace

import pytest
from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import participant
from signaling.returning import HOLD_SECONDS
from tests.support.livekit import Stage, request, ticket

CAMERA = models.TrackSource.CAMERA


def die(stage: Stage) -> None:
    """The worker, and the next one is there."""
    stage.run(stage.room.lost(stage.now))
    stage.run(stage.room.place(stage.now))
    stage.forget()


def announced(stage: Stage, track: str) -> media.Announce:
    (found,) = [one for one in stage.told(media.Announce) if one.track == track]
    assert isinstance(found, media.Announce)
    return found


def subscriptions(stage: Stage, viewer: str) -> set[str]:
    return stage.room.people[viewer].subscribed


def test_rights_that_an_admin_has_changed_outlive_the_worker_whatever_the_token_says() -> None:
    stage = Stage(kept=True)
    stage.join("alice")
    silent = models.ParticipantPermission(can_subscribe=True, can_publish=False, can_publish_data=False)
    _, outs = stage.room.update("alice", stage.now, name="Alice", metadata="hall", attributes={"seat": "4"}, permission=silent)
    stage.run(outs)
    die(stage)
    again = stage.join("alice")  # with the token of old, which says that she may
    join = stage.sent[again][0].join
    assert not join.participant.permission.can_publish
    assert (join.participant.name, join.participant.metadata, dict(join.participant.attributes)) == (
        "Alice",
        "hall",
        {"seat": "4"},
    )
    (added,) = stage.told(media.AddPeer)
    assert (added.may_publish, added.may_send_data, added.may_subscribe) == (False, False, True)
    stage.receive(again, add_track=rtc.AddTrackRequest(cid="cam", type=models.TrackType.VIDEO, source=CAMERA))
    assert stage.last(again, "request_response").reason == rtc.RequestResponse.NOT_ALLOWED
    assert not stage.told(media.Announce)


def test_somebody_else_gets_nothing_of_it() -> None:
    stage = Stage(kept=True)
    stage.join("alice")
    _, outs = stage.room.update("alice", stage.now, permission=models.ParticipantPermission(can_publish=True, hidden=True))
    stage.run(outs)
    die(stage)
    bob = stage.join("bob")
    assert not stage.sent[bob][0].join.participant.permission.hidden


def test_who_left_and_comes_again_with_a_new_token_begins_anew() -> None:
    stage = Stage(kept=True)
    alice = stage.join("alice")
    _, outs = stage.room.update("alice", stage.now, permission=models.ParticipantPermission(can_subscribe=True))
    stage.run(outs)
    die(stage)
    stage.tick(stage.terms.away + 1)
    assert alice not in stage.room.people
    newer = replace(ticket("alice"), issued_at=stage.now)
    again, outs = stage.room.join(newer, request(), stage.now, dual=False)
    stage.run(outs)
    assert stage.sent[again][0].join.participant.permission.can_publish


@pytest.mark.parametrize("publisher_first", [True, False])
def test_explicit_wishes_are_about_the_same_track_under_its_new_sid(publisher_first: bool) -> None:
    stage = Stage(kept=True)
    alice, bob = stage.join("alice"), stage.join("bob")
    camera, microphone = stage.publish(alice), stage.publish(alice, "mic", video=False)
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[camera], subscribe=False))
    assert subscriptions(stage, bob) == {microphone}
    die(stage)
    if publisher_first:
        alice = stage.join("alice")
        new_camera, new_microphone = stage.publish(alice), stage.publish(alice, "mic", video=False)
        bob = stage.join("bob")
    else:
        bob, alice = stage.join("bob"), stage.join("alice")
        new_camera, new_microphone = stage.publish(alice), stage.publish(alice, "mic", video=False)
    assert new_camera != camera
    assert subscriptions(stage, bob) == {new_microphone}
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[new_camera], subscribe=True))
    assert subscriptions(stage, bob) == {new_camera, new_microphone}


def test_who_subscribes_by_hand_has_what_they_chose() -> None:
    stage = Stage(kept=True)
    alice, bob = stage.join("alice"), stage.join("bob", auto_subscribe=False)
    camera, _ = stage.publish(alice), stage.publish(alice, "mic", video=False)
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[camera], subscribe=True))
    for _ in range(2):  # also when it dies again before anything was said
        die(stage)
        alice, bob = stage.join("alice"), stage.join("bob", auto_subscribe=False)
    camera, _ = stage.publish(alice), stage.publish(alice, "mic", video=False)
    assert subscriptions(stage, bob) == {camera}


def test_what_a_view_needs_is_said_of_the_new_track() -> None:
    stage = Stage(kept=True)
    alice, bob = stage.join("alice"), stage.join("bob")
    camera = stage.publish(alice)
    stage.receive(bob, track_setting=rtc.UpdateTrackSettings(track_sids=[camera], quality=models.VideoQuality.LOW))
    die(stage)
    alice, bob = stage.join("alice"), stage.join("bob")
    camera = stage.publish(alice)
    assert [(one.peer, one.tracks, one.quality) for one in stage.told(media.Shape)] == [(bob, [camera], 0)]


def test_a_publishers_word_about_who_may_see_a_track_holds_for_the_new_one() -> None:
    stage = Stage(kept=True)
    alice, bob, carol = stage.join("alice"), stage.join("bob"), stage.join("carol")
    camera, _ = stage.publish(alice), stage.publish(alice, "mic", video=False)
    only_bob = rtc.TrackPermission(participant_sid=bob, track_sids=[camera])
    stage.receive(alice, subscription_permission=rtc.SubscriptionPermission(track_permissions=[only_bob]))
    assert (subscriptions(stage, bob), subscriptions(stage, carol)) == ({camera}, set())
    die(stage)
    alice, bob, carol = stage.join("alice"), stage.join("bob"), stage.join("carol")
    camera, _ = stage.publish(alice), stage.publish(alice, "mic", video=False)
    assert (subscriptions(stage, bob), subscriptions(stage, carol)) == ({camera}, set())
    assert {(one.subscriber, one.allowed) for one in stage.told(media.Allow)} >= {(carol, False)}


def muted_and_back() -> tuple[Stage, str]:
    """Alice was muted from here; then the worker died, and she is back."""
    stage = Stage(kept=True)
    alice = stage.join("alice")
    stage.publish(alice, "mic", video=False)
    _, outs = stage.room.mute("alice", lambda track: True, stage.now)
    stage.run(outs)
    die(stage)
    alice = stage.join("alice")
    return stage, alice


def test_who_was_muted_from_here_is_muted_when_they_come_back_and_told_so() -> None:
    stage, alice = muted_and_back()
    microphone = stage.publish(alice, "mic", video=False, bind=False)  # its client has not heard of it
    assert announced(stage, microphone).muted
    assert "mute" not in stage.kinds(alice)  # it could not find the track yet
    stage.event(media.TrackBound("r", alice, microphone, "7", "audio/opus"))
    assert stage.last(alice, "mute") == rtc.MuteTrackRequest(sid=microphone, muted=True)
    track = stage.room.people[alice].tracks[microphone]
    # livekit-client answers every update with what it thinks; that is not somebody's wish.
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=microphone, muted=False))
    muted = [track.info.muted]
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=microphone, muted=True))
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=microphone, muted=False))
    muted.append(track.info.muted)
    assert muted == [True, False]
    die(stage)
    alice = stage.join("alice")
    assert not announced(stage, stage.publish(alice, "mic", video=False)).muted  # they spoke again of their own will


def test_a_client_that_never_says_that_it_is_muted_may_unmute_itself_after_a_while() -> None:
    stage, alice = muted_and_back()
    microphone = stage.publish(alice, "mic", video=False)
    stage.tick(HOLD_SECONDS)
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=microphone, muted=False))
    assert not stage.room.people[alice].tracks[microphone].info.muted


def test_who_muted_themselves_decides_themselves() -> None:
    stage = Stage(kept=True)
    alice = stage.join("alice")
    microphone = stage.publish(alice, "mic", video=False)
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=microphone, muted=True))
    die(stage)
    alice = stage.join("alice")
    assert not announced(stage, stage.publish(alice, "mic", video=False)).muted


def test_another_source_is_another_track() -> None:
    stage, alice = muted_and_back()
    assert not announced(stage, stage.publish(alice)).muted


def test_it_is_in_the_record_so_that_a_hub_may_die_between_two_deaths_of_the_worker() -> None:
    stage = Stage(kept=True)
    alice = stage.join("alice")
    microphone = stage.publish(alice, "mic", video=False)
    _, outs = stage.room.mute("alice", lambda track: True, stage.now)
    stage.run(outs)
    kept, _ = participant.unpack(stage.told(media.UpdatePeer)[-1].record)
    assert kept.tracks[microphone].silenced
    die(stage)
    stage.join("alice")
    kept, _ = participant.unpack(stage.told(media.AddPeer)[-1].record)
    assert [(one.sid, one.silenced) for one in kept.former] == [(microphone, True)]


def test_who_was_in_a_room_that_died_altogether_is_let_in_when_it_is_full() -> None:
    stage = Stage(kept=True)
    stage.room.info.max_participants = 1
    earlier = participant.client(ticket("alice"), request(), "PA_earlier", stage.now, dual=False, person=False)
    earlier.info.permission.can_publish = False
    stage.room.returning["alice"] = earlier
    stage.join("bob")
    stage.room.admits("alice")
    alice = stage.join("alice")
    assert not stage.sent[alice][0].join.participant.permission.can_publish
    assert not stage.room.returning
    assert [fact.presence.identity for fact in stage.facts] == ["bob", "alice"]  # this hub has not told of her yet
