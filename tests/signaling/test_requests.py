from __future__ import annotations

from typing import Any

import pytest
from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import refusals, requests
from signaling.clients import Client
from tests.support.livekit import Stage

R = rtc.RequestResponse
VIDEO, AUDIO = models.TrackType.VIDEO, models.TrackType.AUDIO
CAMERA = models.TrackSource.CAMERA

REFUSED = [
    ("trickle", rtc.TrickleRequest(candidateInit="no candidate"), R.UNCLASSIFIED_ERROR),
    ("trickle", rtc.TrickleRequest(candidateInit="[1]"), R.UNCLASSIFIED_ERROR),
    ("add_track", rtc.AddTrackRequest(cid="d", type=models.TrackType.DATA), R.UNSUPPORTED_TYPE),
    ("add_track", rtc.AddTrackRequest(cid="c", type=VIDEO, sid="TR_none"), R.NOT_FOUND),
    ("mute", rtc.MuteTrackRequest(sid="TR_none", muted=True), R.NOT_FOUND),
    ("update_audio_track", rtc.UpdateLocalAudioTrack(track_sid="TR_none"), R.NOT_FOUND),
    ("update_video_track", rtc.UpdateLocalVideoTrack(track_sid="TR_none"), R.NOT_FOUND),
    ("update_metadata", rtc.UpdateParticipantMetadata(name="x" * 257, request_id=9), R.LIMIT_EXCEEDED),
    ("update_metadata", rtc.UpdateParticipantMetadata(metadata="雪" * 22_000, request_id=9), R.LIMIT_EXCEEDED),
    ("update_metadata", rtc.UpdateParticipantMetadata(attributes={"a": "x" * 64_000}, request_id=9), R.LIMIT_EXCEEDED),
    ("publish_data_track_request", rtc.PublishDataTrackRequest(pub_handle=0, name="n"), R.INVALID_HANDLE),
    ("publish_data_track_request", rtc.PublishDataTrackRequest(pub_handle=70_000, name="n"), R.INVALID_HANDLE),
    ("publish_data_track_request", rtc.PublishDataTrackRequest(pub_handle=1), R.INVALID_NAME),
    ("publish_data_track_request", rtc.PublishDataTrackRequest(pub_handle=1, name="n" * 257), R.INVALID_NAME),
    (
        "publish_data_track_request",
        rtc.PublishDataTrackRequest(pub_handle=1, name="n", frame_encoding=models.DataTrackFrameEncoding(custom="x" * 33)),
        R.INVALID_REQUEST,
    ),
    ("unpublish_data_track_request", rtc.UnpublishDataTrackRequest(pub_handle=5), R.NOT_FOUND),
    ("store_data_blob_request", rtc.StoreDataBlobRequest(request_id=3), R.INVALID_REQUEST),
    ("get_data_blob_request", rtc.GetDataBlobRequest(request_id=3, participant_identity="bob"), R.INVALID_REQUEST),
]


@pytest.mark.parametrize(("field", "request_", "reason"), REFUSED)
def test_what_cannot_be_done_is_answered_with_a_reason(field: str, request_: Any, reason: int) -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.forget()
    stage.receive(alice, **{field: request_})
    answer = stage.last(alice, "request_response")
    assert answer.reason == reason
    assert answer.message
    assert answer.request_id == getattr(request_, "request_id", 0)
    echo = answer.WhichOneof("request")
    assert echo is None or getattr(answer, echo) == request_
    assert not stage.commands
    assert stage.kinds(alice) == ["request_response"]
    assert not stage.kinds(bob)


def test_layers_that_change_their_size_are_chosen_anew() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    stage.receive(bob, track_setting=rtc.UpdateTrackSettings(track_sids=[track], width=300, height=170))
    assert stage.told(media.Shape)[-1].quality == 0
    layers = [models.VideoLayer(quality=models.VideoQuality.LOW, width=160, height=90)]
    stage.receive(alice, update_layers=rtc.UpdateVideoLayers(track_sid=track, layers=layers))
    assert stage.told(media.Shape)[-1].quality == 1
    shown = stage.last(bob, "update").participants[0].tracks[0]
    assert (shown.layers[0].width, len(shown.layers)) == (160, 3)
    stage.forget()
    stage.receive(bob, update_layers=rtc.UpdateVideoLayers(track_sid=track, layers=layers))  # not his
    assert not stage.told(media.Shape)


def test_every_kind_of_request_is_known() -> None:
    fields = {field.name for field in rtc.SignalRequest.DESCRIPTOR.fields}
    assert fields == set(requests._HANDLERS)
    echoes = {field.name for field in R.DESCRIPTOR.fields} - {"request_id", "reason", "message"}
    assert set(refusals._ECHOED.values()) == echoes


@pytest.mark.parametrize(
    ("client", "failure", "success"),
    [
        (Client(sdk=models.ClientInfo.RUST, protocol=9), False, False),  # an old Rust core dies of what it cannot decode
        (Client(sdk=models.ClientInfo.RUST, protocol=10), True, False),
        (Client(sdk=models.ClientInfo.JS, protocol=9), True, False),
        (Client(sdk=models.ClientInfo.JS, protocol=15), True, True),
    ],
)
def test_responses_only_for_who_understands_them(client: Client, failure: bool, success: bool) -> None:
    stage = Stage()
    alice = stage.join("alice")
    track = stage.publish(alice)
    stage.room.people[alice].client = client
    stage.forget()
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid="TR_none", muted=True))
    assert ("request_response" in stage.kinds(alice)) is failure
    stage.forget()
    stage.receive(alice, update_metadata=rtc.UpdateParticipantMetadata(name="A"))
    assert ("request_response" in stage.kinds(alice)) is success
    stage.event(media.TrackSubscribed("r", alice, track, "PA_x"))
    assert ("track_subscribed" in stage.kinds(alice)) is failure


def test_a_candidate_is_taken_in_silence() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.forget()
    stage.receive(alice, trickle=rtc.TrickleRequest(candidateInit='{"candidate":"candidate:1 1 udp 1 10.0.0.1 9 typ host"}'))
    assert not stage.kinds(alice)


def test_features_of_a_track_are_all_told_anew() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    features = models.AudioTrackFeature
    add = rtc.AddTrackRequest(cid="m", type=AUDIO, source=models.TrackSource.MICROPHONE, stereo=True, disable_dtx=True)
    stage.receive(alice, add_track=add)
    info = stage.last(alice, "track_published").track
    assert set(info.audio_features) == {features.TF_STEREO, features.TF_NO_DTX}
    assert (info.stereo, info.disable_dtx, info.disable_red) == (True, True, False)
    stage.event(media.TrackBound("r", alice, info.sid, "3", "audio/opus"))
    change = rtc.UpdateLocalAudioTrack(track_sid=info.sid, features=[features.TF_NOISE_SUPPRESSION])
    stage.receive(alice, update_audio_track=change)
    shown = stage.last(bob, "update").participants[0].tracks[0]
    assert (list(shown.audio_features), shown.stereo, shown.disable_dtx) == ([features.TF_NOISE_SUPPRESSION], False, False)
    track = stage.publish(alice)
    stage.receive(alice, update_video_track=rtc.UpdateLocalVideoTrack(track_sid=track, width=100, height=50))
    shown = stage.last(bob, "update").participants[0].tracks[1]
    assert (shown.width, shown.height) == (100, 50)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("CLIENT_INITIATED", "CLIENT_INITIATED"),
        ("USER_REJECTED", "USER_REJECTED"),
        ("AGENT_ERROR", "AGENT_ERROR"),
        ("PARTICIPANT_REMOVED", "CLIENT_INITIATED"),  # nobody is removed by his own word
    ],
)
def test_why_somebody_leaves(said: str, told: str) -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.receive(alice, leave=rtc.LeaveRequest(reason=models.DisconnectReason.Name(models.DisconnectReason.Value(said))))
    reason = stage.last(bob, "update").participants[0].disconnect_reason
    assert models.DisconnectReason.Name(reason) == told


def test_tracks_asked_for_with_the_join_request() -> None:
    stage = Stage()
    add = rtc.AddTrackRequest(cid="c", type=VIDEO, source=CAMERA)
    forbidden = rtc.AddTrackRequest(cid="s", type=VIDEO, source=models.TrackSource.SCREEN_SHARE)
    stage.asked = [add, forbidden]
    alice = stage.join("alice", canPublishSources=["camera"])
    assert stage.last(alice, "track_published").cid == "c"
    assert stage.last(alice, "request_response").add_track == forbidden
    assert stage.last(alice, "request_response").reason == R.NOT_ALLOWED
    assert stage.kinds(alice)[0] == "join"
