"""What crosses on the way: two offers, a word about what has just gone, rights that end while they are used."""

from __future__ import annotations

import pytest
from livekit.protocol import models, rtc

from commhub.media import messages as media
from tests.support.livekit import Stage, ticket

VIDEO = models.TrackType.VIDEO
CAMERA = models.TrackSource.CAMERA
R = rtc.RequestResponse


def test_a_backup_codec_is_announced_asked_for_and_bound() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    codecs = [rtc.SimulcastCodec(codec="vp9", cid="cam"), rtc.SimulcastCodec(codec="vp8", cid="")]
    add = rtc.AddTrackRequest(cid="cam", type=VIDEO, source=CAMERA, simulcast_codecs=codecs)
    stage.receive(alice, add_track=add)
    info = stage.last(alice, "track_published").track
    assert [(codec.mime_type, codec.cid) for codec in info.codecs] == [("video/VP9", "cam"), ("video/VP8", "")]
    announced = stage.told(media.Announce)[-1]
    assert (announced.cids, announced.codecs) == ({"cam": "video/VP9"}, ["video/VP9", "video/VP8"])
    stage.event(media.TrackBound("r", alice, info.sid, "3", "video/VP9"))
    stage.event(media.Wanted("r", alice, info.sid, [("video/VP9", [0]), ("video/VP8", [0, 1, 2])]))
    told = stage.last(alice, "subscribed_quality_update")
    assert [codec.codec for codec in told.subscribed_codecs] == ["vp9", "vp8"]
    more = rtc.AddTrackRequest(
        cid="cam2", sid=info.sid, type=VIDEO, source=CAMERA, simulcast_codecs=[rtc.SimulcastCodec(codec="vp8", cid="cam2")]
    )
    stage.receive(alice, add_track=more)
    assert stage.last(alice, "track_published").cid == "cam2"
    assert stage.told(media.Announce)[-1].cids == {"cam": "video/VP9", "cam2": "video/VP8"}
    stage.event(media.TrackBound("r", alice, info.sid, "4", "video/VP8"))
    shown = stage.last(bob, "update").participants[0].tracks[0]
    assert (shown.mid, shown.mime_type) == ("3", "video/VP9")
    assert [(codec.mime_type, codec.mid, codec.cid) for codec in shown.codecs] == [
        ("video/VP9", "3", "cam"),
        ("video/VP8", "4", "cam2"),
    ]
    assert len(stage.told(media.Subscribe)) == 1
    stage.event(media.Untaken("r", bob, info.sid))
    assert stage.last(bob, "subscription_response").err == models.SubscriptionError.SE_CODEC_UNSUPPORTED


def test_two_offers_are_both_answered_in_their_order() -> None:
    stage = Stage()
    alice = stage.join("alice")
    for number in (2, 3):
        stage.receive(alice, offer=rtc.SessionDescription(type="offer", sdp=f"v={number}", id=number))
    assert [offer.id for offer in stage.offers] == [1, 2, 3]
    for number in (1, 2, 3):
        stage.run(stage.room.answered(alice, media.Answer("v=0", number)))
    ids = [one.answer.id for one in stage.sent[alice] if one.WhichOneof("message") == "answer"]
    assert ids == [1, 2, 3]


def test_an_answer_for_somebody_who_has_gone() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.receive(alice, leave=rtc.LeaveRequest())
    assert stage.room.answered(alice, media.Answer("v=0", 1)) == []


def test_a_permission_taken_while_a_track_is_being_published() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice, bind=False)
    none = models.ParticipantPermission(can_subscribe=True)
    stage.run(stage.room.update("alice", stage.now, permission=none)[1])
    assert stage.last(alice, "track_unpublished").track_sid == track
    stage.event(media.TrackBound("r", alice, track, "7", "video/VP8"))  # it was on its way
    assert not stage.last(bob, "update").participants[0].tracks
    assert not stage.told(media.Subscribe)
    stage.receive(alice, add_track=rtc.AddTrackRequest(cid="again", type=VIDEO, source=CAMERA))
    assert stage.last(alice, "request_response").reason == R.NOT_ALLOWED


@pytest.mark.parametrize("source", ["camera", "microphone"])
def test_sources_taken_while_they_are_published(source: str) -> None:
    stage = Stage()
    alice = stage.join("alice")
    tracks = {"camera": stage.publish(alice), "microphone": stage.publish(alice, "mic", video=False, mid="8")}
    kept = {"camera": models.TrackSource.CAMERA, "microphone": models.TrackSource.MICROPHONE}[source]
    permission = models.ParticipantPermission(can_publish=True, can_subscribe=True, can_publish_sources=[kept])
    stage.run(stage.room.update("alice", stage.now, permission=permission)[1])
    gone = tracks["microphone" if source == "camera" else "camera"]
    assert stage.told(media.Withdraw) == [media.Withdraw("r", alice, gone)]
    assert list(stage.room.people[alice].tracks) == [tracks[source]]


def test_a_wish_for_a_track_that_ends_meanwhile() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob", auto_subscribe=False)
    track = stage.publish(alice)
    stage.event(media.TrackEnded("r", alice, track))
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
    assert not stage.told(media.Subscribe)
    stage.tick(1)
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
    assert stage.last(bob, "subscription_response").err == models.SubscriptionError.SE_TRACK_NOTFOUND


def test_a_wish_for_what_the_publisher_does_not_allow() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    nobody = rtc.SubscriptionPermission(track_permissions=[rtc.TrackPermission(participant_identity="zoe", all_tracks=True)])
    stage.receive(alice, subscription_permission=nobody)
    stage.forget()
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
    answer = stage.last(bob, "subscription_permission_update")
    assert (answer.track_sid, answer.allowed) == (track, False)
    assert not stage.told(media.Subscribe)


def test_permissions_by_track_are_told_to_whom_they_concern() -> None:
    stage = Stage()
    alice, bob, carol, log = stage.join("alice"), stage.join("bob"), stage.join("carol"), stage.join("log", recorder=True)
    camera, microphone = stage.publish(alice), stage.publish(alice, "mic", video=False, mid="8")
    stage.forget()
    by_sid = rtc.TrackPermission(participant_sid=bob, track_sids=[microphone])
    stage.receive(alice, subscription_permission=rtc.SubscriptionPermission(track_permissions=[by_sid]))

    def told(sid: str) -> list[tuple[str, bool]]:
        kind = "subscription_permission_update"
        found = [one.subscription_permission_update for one in stage.sent[sid] if one.WhichOneof("message") == kind]
        return [(one.track_sid, one.allowed) for one in found]

    assert told(bob) == [(camera, False)]
    assert told(carol) == [(camera, False), (microphone, False)]
    assert told(log) == []  # recorders see what publishers restrict
    stage.receive(bob, leave=rtc.LeaveRequest())
    again = stage.join("bob")  # another sid, the same person
    assert media.Subscribe("r", again, [microphone]) in stage.commands
    stage.forget()
    stage.receive(alice, subscription_permission=rtc.SubscriptionPermission(track_permissions=[rtc.TrackPermission()]))
    assert not stage.commands  # a word about nobody is no word


def test_a_resume_while_an_offer_is_being_answered() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.run(stage.room.disconnected(alice, stage.now))
    stage.run(stage.room.answered(alice, media.Answer("v=0", 1)))  # its WebSocket has gone
    offer = rtc.SessionDescription(type="offer", sdp="v=2", id=2)
    again = rtc.JoinRequest(reconnect=True, participant_sid=alice, publisher_offer=offer)
    outs = stage.room.resume(alice, ticket("alice"), again, stage.now)
    assert outs is not None
    stage.run(outs)
    assert stage.offers[-1].id == 2
    stage.run(stage.room.answered(alice, media.Answer("v=0", 2)))
    assert stage.last(alice, "answer").id == 2


def test_the_identity_again_while_the_first_is_away() -> None:
    stage = Stage()
    first, bob = stage.join("alice"), stage.join("bob")
    stage.publish(first)
    stage.run(stage.room.disconnected(first, stage.now))
    second = stage.join("alice")
    assert stage.room.resume(first, ticket("alice"), rtc.JoinRequest(), stage.now) is None
    assert list(stage.room.people) == [bob, second]
    stage.tick(30)
    assert second in stage.room.people
