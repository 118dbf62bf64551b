from __future__ import annotations

from typing import Any

import pytest
from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import participant
from tests.support.livekit import Stage

R = rtc.RequestResponse


def publish(stage: Stage, sid: str, handle: int = 7, name: str = "positions") -> str:
    stage.receive(sid, publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=handle, name=name))
    track: str = stage.last(sid, "publish_data_track_response").info.sid
    return track


def want(stage: Stage, sid: str, track: str, on: bool = True) -> None:
    update = rtc.UpdateDataSubscription.Update(track_sid=track, subscribe=on)
    stage.receive(sid, update_data_subscription=rtc.UpdateDataSubscription(updates=[update]))


def handles(stage: Stage, sid: str) -> dict[int, str]:
    told = stage.last(sid, "data_track_subscriber_handles").sub_handles
    return {handle: entry.track_sid for handle, entry in told.items()}


def test_published_seen_subscribed_and_ended() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = publish(stage, alice)
    assert stage.told(media.PublishData) == [media.PublishData("r", alice, track, 7)]
    shown = stage.last(bob, "update").participants[0]
    assert [(one.sid, one.name, one.pub_handle) for one in shown.data_tracks] == [(track, "positions", 7)]
    assert shown.is_publisher
    assert not stage.told(media.SubscribeData)
    want(stage, bob, track)
    assert stage.told(media.SubscribeData) == [media.SubscribeData("r", bob, track, 1)]
    entry = stage.last(bob, "data_track_subscriber_handles").sub_handles[1]
    assert (entry.publisher_identity, entry.publisher_sid, entry.track_sid) == ("alice", alice, track)
    want(stage, bob, track, on=False)
    assert stage.told(media.SubscribeData)[-1] == media.SubscribeData("r", bob, track, 0)
    assert handles(stage, bob) == {}
    want(stage, bob, track)
    assert handles(stage, bob) == {2: track}  # the last frames of 1 may still be on the way
    stage.receive(alice, unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=7))
    assert stage.last(alice, "unpublish_data_track_response").info.sid == track
    assert stage.told(media.UnpublishData) == [media.UnpublishData("r", alice, track)]
    assert handles(stage, bob) == {}
    assert not stage.last(bob, "update").participants[0].data_tracks


def test_a_wish_before_the_track_and_wishes_for_all() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.room.people[bob].auto_subscribe_data = True
    track = publish(stage, alice)
    assert handles(stage, bob) == {1: track}
    stage.receive(alice, leave=rtc.LeaveRequest())
    assert handles(stage, bob) == {}


@pytest.mark.parametrize(("handle", "name", "reason"), [(7, "x", R.DUPLICATE_HANDLE), (8, "positions", R.DUPLICATE_NAME)])
def test_one_handle_one_name(handle: int, name: str, reason: int) -> None:
    stage = Stage()
    alice = stage.join("alice")
    publish(stage, alice)
    again = rtc.PublishDataTrackRequest(pub_handle=handle, name=name)
    stage.receive(alice, publish_data_track_request=again)
    assert stage.last(alice, "request_response").reason == reason
    assert stage.last(alice, "request_response").publish_data_track == again


def test_rights() -> None:
    stage = Stage()
    alice, bob, mute = stage.join("alice"), stage.join("bob"), stage.join("mute", canPublishData=False)
    stage.receive(mute, publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1, name="n"))
    assert stage.last(mute, "request_response").reason == R.NOT_ALLOWED
    track = publish(stage, alice)
    want(stage, bob, track)
    want(stage, mute, track)
    only = rtc.TrackPermission(participant_identity="bob", track_sids=[track])
    stage.receive(alice, subscription_permission=rtc.SubscriptionPermission(track_permissions=[only]))
    assert handles(stage, bob) == {1: track}
    assert handles(stage, mute) == {}
    deaf = models.ParticipantPermission(can_subscribe=False, can_publish_data=True)
    stage.run(stage.room.update("bob", stage.now, permission=deaf)[1])
    assert handles(stage, bob) == {}
    silent = models.ParticipantPermission(can_subscribe=True)
    stage.run(stage.room.update("alice", stage.now, permission=silent)[1])
    assert stage.last(alice, "unpublish_data_track_response").info.sid == track
    assert not stage.room.people[alice].data_tracks


def test_a_hub_that_returns_knows_them() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = publish(stage, alice)
    want(stage, bob, track)
    key = models.DataBlobKey(generic="schema")
    stage.receive(alice, store_data_blob_request=rtc.StoreDataBlobRequest(blob=models.DataBlob(key=key, contents=b"c")))
    records = {one.peer: one.record for one in stage.told(media.UpdatePeer) if one.record}
    found, _ = participant.unpack(records[alice])
    assert [info.sid for info in found.data_tracks.values()] == [track]
    assert list(found.blobs.values()) == [b"c"]
    found, _ = participant.unpack(records[bob])
    assert (found.data_handles, found.data_wants, found.last_handle) == ({track: 1}, {track: True}, 1)


def blob(key: str, contents: bytes = b"schema") -> models.DataBlob:
    return models.DataBlob(key=models.DataBlobKey(generic=key), contents=contents)


def test_blobs_are_left_and_fetched() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.receive(alice, store_data_blob_request=rtc.StoreDataBlobRequest(request_id=4, blob=blob("k")))
    stored = stage.last(alice, "store_data_blob_response")
    assert (stored.request_id, stored.key.generic) == (4, "k")
    fetch = rtc.GetDataBlobRequest(request_id=5, participant_identity="alice", key=models.DataBlobKey(generic="k"))
    stage.receive(bob, get_data_blob_request=fetch)
    got = stage.last(bob, "get_data_blob_response")
    assert (got.request_id, got.blob.contents) == (5, b"schema")


@pytest.mark.parametrize(
    ("field", "request_", "reason"),
    [
        ("store_data_blob_request", rtc.StoreDataBlobRequest(request_id=1, blob=blob("k", b"")), R.INVALID_REQUEST),
        ("store_data_blob_request", rtc.StoreDataBlobRequest(request_id=1, blob=blob("k" * 300)), R.INVALID_REQUEST),
        ("store_data_blob_request", rtc.StoreDataBlobRequest(request_id=1, blob=blob("k", bytes(64_000))), R.LIMIT_EXCEEDED),
        (
            "get_data_blob_request",
            rtc.GetDataBlobRequest(request_id=1, participant_identity="zoe", key=models.DataBlobKey(generic="k")),
            R.NOT_FOUND,
        ),
        (
            "get_data_blob_request",
            rtc.GetDataBlobRequest(request_id=1, participant_identity="alice", key=models.DataBlobKey(generic="k")),
            R.NOT_FOUND,
        ),
    ],
)
def test_blobs_that_cannot_be(field: str, request_: Any, reason: int) -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.receive(alice, **{field: request_})
    assert (stage.last(alice, "request_response").reason, stage.last(alice, "request_response").request_id) == (reason, 1)


def test_all_blobs_of_one_together_are_bounded() -> None:
    stage = Stage()
    alice = stage.join("alice")
    for key in "abcd":
        stage.receive(alice, store_data_blob_request=rtc.StoreDataBlobRequest(blob=blob(key, bytes(20_000))))
    assert len(stage.room.people[alice].blobs) == 3
    stage.receive(alice, store_data_blob_request=rtc.StoreDataBlobRequest(blob=blob("a", bytes(20_000))))
    assert stage.kinds(alice)[-1] == "store_data_blob_response"  # in place of the first
