from __future__ import annotations

from typing import Any

import pytest
from livekit.protocol import models, rtc

from commhub.media import messages as media
from tests.support.livekit import Stage, ticket

Reason = models.DisconnectReason


def resume(stage: Stage, identity: str, sid: str, **more: Any) -> None:
    stage.run(stage.room.disconnected(sid, stage.now))
    stage.forget()
    outs = stage.room.resume(sid, ticket(identity), rtc.JoinRequest(reconnect=True, participant_sid=sid, **more), stage.now)
    assert outs is not None
    stage.run(outs)


def test_reconnect_says_up_to_where_data_was_heard() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.event(media.DataReceived("r", alice, 41))
    stage.event(media.DataReceived("r", alice, 40))
    resume(stage, "alice", alice)
    assert stage.last(alice, "reconnect").last_message_seq == 41


def test_what_a_client_believes_is_made_true() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    camera, microphone = stage.publish(alice), stage.publish(alice, "mic", video=False, mid="8")
    mine = stage.publish(bob, "b")
    stage.forget()
    state = rtc.SyncState(
        subscription=rtc.UpdateSubscription(track_sids=[microphone], subscribe=False),
        track_sids_disabled=[camera],
        publish_tracks=[rtc.TrackPublishedResponse(cid="b", track=models.TrackInfo(sid=mine))],
        datachannel_receive_states=[rtc.DataChannelReceiveState(publisher_sid=alice, last_seq=9)],
    )
    stage.receive(bob, sync_state=state)
    assert stage.told(media.Shape) == [media.Shape("r", bob, [camera], enabled=False, quality=0)]
    assert stage.told(media.Subscribe) == [media.Subscribe("r", bob, [microphone], False)]
    assert stage.told(media.Resend) == [media.Resend("r", bob, {alice: 9})]
    assert not stage.kinds(bob)
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[microphone], subscribe=True))
    assert stage.told(media.Subscribe)[-1].on


@pytest.mark.parametrize(
    "state",
    [
        rtc.SyncState(publish_tracks=[rtc.TrackPublishedResponse(cid="x", track=models.TrackInfo(sid="TR_gone"))]),
        rtc.SyncState(publish_tracks=[rtc.TrackPublishedResponse(cid="x")]),
        rtc.SyncState(publish_data_tracks=[rtc.PublishDataTrackResponse(info=models.DataTrackInfo(sid="DTR_gone"))]),
    ],
)
def test_tracks_nobody_knows_mean_starting_anew(state: rtc.SyncState) -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.receive(alice, sync_state=state)
    leave = stage.last(alice, "leave")
    assert (leave.reason, leave.action, leave.can_reconnect) == (Reason.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT, True)
    assert alice not in stage.room.people


def test_the_state_inside_the_join_request() -> None:
    stage = Stage()
    alice = stage.join("alice")
    resume(stage, "alice", alice, sync_state=rtc.SyncState(track_sids_disabled=["TR_later"]))
    assert stage.kinds(alice)[0] == "reconnect"
    assert stage.told(media.Resend)


def test_a_view_is_remembered_for_a_track_that_comes_later() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=False))
    stage.forget()
    stage.receive(bob, track_setting=rtc.UpdateTrackSettings(track_sids=[track], disabled=True))
    assert not stage.commands
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
    kinds = [type(command) for command in stage.commands]
    assert kinds[:2] == [media.Subscribe, media.Shape]
    assert stage.told(media.Shape)[0].enabled is False


@pytest.mark.parametrize(
    ("scenario", "cut", "words"),
    [
        (rtc.SimulateScenario(disconnect_signal_on_resume=True), 1, True),
        (rtc.SimulateScenario(disconnect_signal_on_resume_no_messages=True), 1, False),
    ],
)
def test_a_client_wants_its_next_resumes_to_fail(scenario: rtc.SimulateScenario, cut: int, words: bool) -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.receive(alice, simulate=scenario)
    for _ in range(cut):
        resume(stage, "alice", alice)
        assert bool(stage.kinds(alice)) is words
        assert stage.closed == [alice]
        stage.closed.clear()
    resume(stage, "alice", alice)
    assert stage.kinds(alice)[0] == "reconnect"
    assert not stage.closed


def test_simulated_speech_ends_and_bandwidth_is_the_engines() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.forget()
    stage.receive(alice, simulate=rtc.SimulateScenario(speaker_update=3))
    assert stage.last(alice, "speakers_changed").speakers[0].active
    assert "speakers_changed" not in stage.kinds(bob)  # nobody looks like a speaker by his own word
    stage.tick(3.1)
    assert not stage.last(alice, "speakers_changed").speakers[0].active
    stage.receive(alice, simulate=rtc.SimulateScenario(subscriber_bandwidth=100_000))
    assert stage.told(media.Limit) == [media.Limit("r", alice, 100_000)]
    stage.receive(alice, simulate=rtc.SimulateScenario(switch_candidate_protocol=rtc.CandidateProtocol.TCP))
    assert stage.last(alice, "leave").action == rtc.LeaveRequest.RESUME
    assert alice in stage.room.people
