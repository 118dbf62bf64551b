from __future__ import annotations

import pytest
from livekit.protocol import models, rtc

from commhub.conference import CameraSeat
from commhub.errors import Busy, NotFound
from commhub.media import messages as media
from signaling.outs import Terms
from signaling.tokens import permission
from tests.support.livekit import HUB_KEY, Stage, request, ticket

Reason = models.DisconnectReason
State = models.ParticipantInfo.State
SEAT = CameraSeat(source="cam-1", identity="cam-1:line", name="Gate", org="Harbour", audio=True)


def test_join_is_the_first_word_and_says_what_clients_use() -> None:
    stage = Stage()
    sid = stage.join("alice")
    assert stage.kinds(sid)[:2] == ["join", "refresh_token"]
    join = stage.sent[sid][0].join
    assert join.participant.sid == sid
    assert join.participant.state == State.JOINING
    assert (join.room.name, join.subscriber_primary, join.fast_publish) == ("r", False, True)
    assert (join.ping_interval, join.ping_timeout) == (5, 15)
    assert {codec.mime for codec in join.enabled_publish_codecs} >= {"audio/opus", "video/VP8", "video/H264"}
    assert join.server_info.version == join.server_version
    assert [type(command) for command in stage.commands] == [media.OpenRoom, media.AddPeer]
    assert stage.offers == [media.Offer("r", sid, "offer", 1)]


def test_answer_carries_id_and_tracks_of_sections() -> None:
    stage = Stage()
    sid = stage.join("alice")
    stage.run(stage.room.answered(sid, media.Answer("v=0", 1, {"0": "TR_x"})))
    answer = stage.last(sid, "answer")
    assert (answer.type, answer.id, dict(answer.mid_to_track_id)) == ("answer", 1, {"0": "TR_x"})


def test_others_hear_of_a_newcomer_and_of_the_connection() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.forget()
    bob = stage.join("bob")
    assert stage.sent[bob][0].join.other_participants[0].identity == "alice"
    assert stage.last(alice, "update").participants[0].state == State.JOINED
    stage.event(media.PeerConnected("r", bob))
    assert stage.last(alice, "update").participants[0].state == State.ACTIVE


def test_publish_bind_subscribe() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.forget()
    track = stage.publish(alice)
    announce = stage.told(media.Announce)[0]
    assert (announce.track, announce.kind, announce.source) == (track, "video", "camera")
    assert announce.cids == {"cam": "video/VP8"}
    assert [(layer.quality, layer.rid, layer.width) for layer in announce.layers] == [
        (0, "q", 320),
        (1, "h", 640),
        (2, "f", 1280),
    ]
    shown = stage.last(bob, "update").participants[0]
    assert shown.tracks[0].sid == track
    assert (shown.tracks[0].mid, shown.tracks[0].mime_type) == ("7", "video/VP8")
    assert shown.is_publisher
    assert stage.last(bob, "subscription_permission_update").allowed
    assert stage.told(media.Subscribe) == [media.Subscribe("r", bob, [track])]
    stage.event(media.TrackSubscribed("r", alice, track, bob))
    assert stage.last(alice, "track_subscribed").track_sid == track


def test_nobody_sees_a_track_before_it_is_bound() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.publish(alice, bind=False)
    assert not stage.told(media.Subscribe)
    carol = stage.join("carol")
    assert all(not other.tracks for other in stage.sent[carol][0].join.other_participants)
    assert not any(other.tracks for update in stage.sent[bob] for other in update.update.participants)


def test_a_newcomer_gets_all_tracks_in_one_command() -> None:
    stage = Stage()
    alice = stage.join("alice")
    tracks = [stage.publish(alice), stage.publish(alice, "mic", video=False, mid="8")]
    stage.forget()
    bob = stage.join("bob")
    assert stage.told(media.Subscribe) == [media.Subscribe("r", bob, tracks)]
    assert stage.kinds(bob) == ["join", "refresh_token", *["subscription_permission_update"] * 2]


def test_without_auto_subscribe_the_client_asks() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob", auto_subscribe=False)
    track = stage.publish(alice)
    assert not stage.told(media.Subscribe)
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=False))
    assert [command.on for command in stage.told(media.Subscribe)] == [True, False]
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=["TR_none"], subscribe=True))
    assert stage.last(bob, "subscription_response").err == models.SubscriptionError.SE_TRACK_NOTFOUND


def test_track_permissions_close_the_gate_and_open_it_again() -> None:
    stage = Stage()
    alice, bob, carol = stage.join("alice"), stage.join("bob"), stage.join("carol")
    track = stage.publish(alice)
    stage.forget()
    only_bob = rtc.TrackPermission(participant_identity="bob", all_tracks=True)
    stage.receive(alice, subscription_permission=rtc.SubscriptionPermission(track_permissions=[only_bob]))
    assert stage.told(media.Allow) == [media.Allow("r", carol, track, False)]
    assert stage.told(media.Subscribe) == [media.Subscribe("r", carol, [track], False)]
    assert not stage.last(carol, "subscription_permission_update").allowed
    assert "subscription_permission_update" not in stage.kinds(bob)
    dave = stage.join("dave")
    assert stage.told(media.Allow)[-1] == media.Allow("r", dave, track, False)
    stage.forget()
    stage.receive(alice, subscription_permission=rtc.SubscriptionPermission(all_participants=True))
    assert {command.subscriber for command in stage.told(media.Allow)} == {carol, dave}
    assert {command.peer for command in stage.told(media.Subscribe)} == {carol, dave}


def test_mute_by_the_publisher_and_from_here() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice, "mic", video=False)
    stage.forget()
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=track, muted=True))
    assert stage.told(media.Mute) == [media.Mute("r", track, True)]
    assert stage.last(bob, "update").participants[0].tracks[0].muted
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=track, muted=False))
    stage.forget()
    tracks, outs = stage.room.mute("alice", lambda one: one.info.source == models.TrackSource.MICROPHONE, stage.now)
    stage.run(outs)
    assert [one.sid for one in tracks] == [track]
    assert stage.last(alice, "mute").muted
    assert stage.kinds(alice).index("mute") < stage.kinds(alice).index("update")
    with pytest.raises(NotFound):
        stage.room.mute("alice", lambda one: False, stage.now)
    with pytest.raises(NotFound):
        stage.room.mute("nobody", lambda one: True, stage.now)


def test_nobody_mutes_the_track_of_another() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    stage.forget()
    stage.receive(bob, mute=rtc.MuteTrackRequest(sid=track, muted=True))
    assert not stage.commands


@pytest.mark.parametrize(
    ("width", "height", "quality"), [(300, 170, 0), (320, 181, 1), (640, 360, 1), (1920, 1080, 2), (0, 90, 0)]
)
def test_a_size_becomes_the_smallest_layer_that_fills_it(width: int, height: int, quality: int) -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    stage.forget()
    stage.receive(bob, track_setting=rtc.UpdateTrackSettings(track_sids=[track], width=width, height=height))
    shape = stage.told(media.Shape)[0]
    assert (shape.peer, shape.tracks, shape.enabled, shape.quality) == (bob, [track], True, quality)


def test_disabled_is_told_with_its_quality() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    settings = rtc.UpdateTrackSettings(track_sids=[track, "TR_none"], disabled=True, quality=models.VideoQuality.HIGH)
    stage.receive(bob, track_setting=settings)
    assert stage.told(media.Shape) == [media.Shape("r", bob, [track], enabled=False, quality=2)]


def test_ping_metadata_and_what_is_not_allowed() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob", canUpdateOwnMetadata=False)
    stage.receive(alice, ping=5)
    stage.receive(alice, ping_req=rtc.Ping(timestamp=77))
    assert stage.last(alice, "pong") == 1_000_000
    assert stage.last(alice, "pong_resp").last_ping_timestamp == 77
    change = rtc.UpdateParticipantMetadata(metadata="m", name="A", attributes={"a": "1"}, request_id=3)
    stage.receive(alice, update_metadata=change)
    assert (stage.last(alice, "request_response").request_id, stage.last(alice, "request_response").reason) == (3, 0)
    shown = stage.last(bob, "update").participants[0]
    assert (shown.metadata, shown.name, dict(shown.attributes)) == ("m", "A", {"a": "1"})
    stage.receive(alice, update_metadata=rtc.UpdateParticipantMetadata(attributes={"a": ""}, request_id=4))
    assert dict(stage.last(bob, "update").participants[0].attributes) == {}
    stage.receive(bob, update_metadata=change)
    assert stage.last(bob, "request_response").reason == rtc.RequestResponse.NOT_ALLOWED
    huge = rtc.UpdateParticipantMetadata(metadata="x" * 70_000, request_id=5)
    stage.receive(alice, update_metadata=huge)
    assert stage.last(alice, "request_response").reason == rtc.RequestResponse.LIMIT_EXCEEDED


def test_sources_that_are_not_granted_are_refused() -> None:
    stage = Stage()
    alice = stage.join("alice", canPublishSources=["microphone"])
    camera = rtc.AddTrackRequest(cid="c", type=models.TrackType.VIDEO, source=models.TrackSource.CAMERA)
    stage.receive(alice, add_track=camera)
    refused = stage.last(alice, "request_response")
    assert (refused.reason, refused.add_track.cid) == (rtc.RequestResponse.NOT_ALLOWED, "c")
    dressed = rtc.AddTrackRequest(cid="d", type=models.TrackType.VIDEO, source=models.TrackSource.MICROPHONE)
    stage.receive(alice, add_track=dressed)  # a picture that calls itself a microphone
    assert stage.last(alice, "request_response").add_track == dressed
    assert not stage.told(media.Announce)
    assert stage.publish(alice, "mic", video=False).startswith("TR_AM")


def test_what_was_published_under_another_name_goes_with_the_right_to_it() -> None:
    stage = Stage()
    alice = stage.join("alice")
    add = rtc.AddTrackRequest(cid="d", type=models.TrackType.VIDEO, source=models.TrackSource.MICROPHONE)
    stage.receive(alice, add_track=add)
    track = stage.last(alice, "track_published").track.sid
    only = models.ParticipantPermission(can_publish=True, can_publish_sources=[models.TrackSource.MICROPHONE])
    stage.run(stage.room.update("alice", stage.now, permission=only)[1])
    assert stage.last(alice, "track_unpublished").track_sid == track


def test_track_limit_and_the_same_cid_twice() -> None:
    stage = Stage(terms=Terms(max_tracks=2))
    alice = stage.join("alice")
    first = stage.publish(alice, "a", bind=False)
    assert stage.publish(alice, "a", bind=False) == first
    stage.publish(alice, "b")
    stage.receive(alice, add_track=rtc.AddTrackRequest(cid="c"))
    assert stage.last(alice, "request_response").reason == rtc.RequestResponse.LIMIT_EXCEEDED


def test_unpublish_is_told_to_others_and_answered_by_withdraw() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    stage.forget()
    stage.event(media.TrackEnded("r", alice, track))
    assert not stage.last(bob, "update").participants[0].tracks
    assert not stage.told(media.Withdraw)
    stage.tick(0.5)
    assert stage.told(media.Withdraw) == [media.Withdraw("r", alice, track)]
    again = stage.publish(alice)
    assert again != track
    assert stage.told(media.Subscribe)[-1].tracks == [again]


def test_a_track_in_another_shape_is_the_same_track() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    stage.forget()
    stage.event(media.TrackEnded("r", alice, track))
    stage.event(media.TrackBound("r", alice, track, "7", "video/VP8"))
    stage.tick(1)
    assert not stage.told(media.Withdraw)
    assert stage.last(bob, "update").participants[0].tracks[0].sid == track


@pytest.mark.parametrize("cid", ["cam", "another"])
def test_published_anew_at_once(cid: str) -> None:
    stage = Stage()
    alice = stage.join("alice")
    track = stage.publish(alice)
    voice = stage.publish(alice, "mic", video=False, mid="8")
    stage.forget()
    stage.event(media.TrackEnded("r", alice, track))
    stage.event(media.TrackEnded("r", alice, voice))
    again = stage.publish(alice, cid)
    assert again != track
    told = [one for one in stage.commands if isinstance(one, media.Withdraw | media.Announce)]
    # Before the new one is announced: where the description does not name it, it would be taken for the old one.
    assert [type(one) for one in told] == [media.Withdraw, media.Announce]
    assert told[0] == media.Withdraw("r", alice, track)
    assert stage.room.people[alice].tracks.keys() == {voice, again}


def test_hidden_people_are_not_shown() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.forget()
    ghost = stage.join("ghost", hidden=True)
    stage.publish(ghost)
    assert "update" not in stage.kinds(alice)
    assert not stage.told(media.Subscribe)
    assert stage.told(media.AddPeer)[0].hidden
    bob = stage.join("bob")
    assert {other.identity for other in stage.sent[bob][0].join.other_participants} == {"alice"}
    stage.event(media.Speakers("r", [media.Speaker(ghost, "ghost", 0.5, True)]))
    assert "speakers_changed" not in stage.kinds(alice)


def test_speakers_quality_pauses_and_layers_as_livekit_says_them() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    track = stage.publish(alice)
    stage.event(media.Speakers("r", [media.Speaker(alice, "alice", 0.25, True)]))
    stage.event(media.Quality("r", [media.PeerQuality(alice, 2, 4.5)]))
    stage.event(media.Paused("r", bob, track, True))
    stage.event(media.Wanted("r", alice, track, [("video/VP8", [0, 1])]))
    assert stage.last(bob, "speakers_changed").speakers[0].level == 0.25
    assert stage.last(bob, "connection_quality").updates[0].quality == models.ConnectionQuality.EXCELLENT
    state = stage.last(bob, "stream_state_update").stream_states[0]
    assert (state.participant_sid, state.track_sid, state.state) == (alice, track, rtc.StreamState.PAUSED)
    wanted = stage.last(alice, "subscribed_quality_update")
    assert [one.enabled for one in wanted.subscribed_qualities] == [True, True, False]
    assert wanted.subscribed_codecs[0].codec == "vp8"


def test_another_permission_takes_tracks_and_subscriptions() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    mine, theirs = stage.publish(alice), stage.publish(bob, "b")
    stage.forget()
    none = models.ParticipantPermission(can_publish=False, can_subscribe=False)
    info, outs = stage.room.update("alice", stage.now, permission=none)
    stage.run(outs)
    assert not info.tracks
    assert stage.last(alice, "track_unpublished").track_sid == mine
    assert stage.told(media.Withdraw) == [media.Withdraw("r", alice, mine)]
    assert media.Subscribe("r", alice, [theirs], False) in stage.commands
    assert stage.told(media.UpdatePeer)[0].may_subscribe is False
    assert stage.last(alice, "refresh_token")
    assert permission(stage.room.people[alice].ticket.grants).can_publish is False


def test_data_from_the_server() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.run(stage.room.send_data(b"p", True, [], ["alice", "nobody"]))
    stage.run(stage.room.send_data(b"p", False, [], []))
    stage.run(stage.room.send_data(b"p", True, [], ["nobody"]))
    assert stage.told(media.SendData) == [media.SendData("r", b"p", True, [alice]), media.SendData("r", b"p", False)]


def test_the_recording_light() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.forget()
    stage.run(stage.room.set_recording(True))
    assert stage.last(alice, "room_update").room.active_recording
    assert stage.told(media.UpdatePeer)  # a restarted hub knows it too
    stage.forget()
    stage.run(stage.room.set_recording(True))
    assert stage.kinds(alice) == []


def test_people_are_counted_together() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.join("bob")
    assert "room_update" not in stage.kinds(alice)
    stage.tick(2.1)
    assert stage.last(alice, "room_update").room.num_participants == 2


def test_tokens_are_refreshed() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.tick(299)
    assert stage.kinds(alice).count("refresh_token") == 1
    stage.tick(2)
    assert stage.kinds(alice).count("refresh_token") == 2


def test_rooms_end_when_empty_unless_kept() -> None:
    stage = Stage()
    stage.tick(299)
    assert not stage.ended
    alice = stage.join("alice")
    stage.tick(1000)
    assert not stage.ended
    stage.receive(alice, leave=rtc.LeaveRequest())
    stage.tick(19)
    assert stage.ended == ""
    stage.tick(2)
    assert [stage.ended] == ["room_closed"]
    assert stage.told(media.CloseRoom)
    kept = Stage(kept=True)
    kept.tick(10_000)
    assert not kept.ended


def test_a_closed_room_tells_everybody() -> None:
    stage = Stage(kept=True)
    alice = stage.join("alice")
    stage.run(stage.room.add_camera(SEAT, stage.now))
    stage.run(stage.room.end(Reason.ROOM_DELETED, stage.now))
    assert stage.last(alice, "leave").reason == Reason.ROOM_DELETED
    assert stage.told(media.CloseRoom) == [media.CloseRoom("r")]
    assert stage.ended


def test_a_full_room() -> None:
    stage = Stage()
    stage.room.info.max_participants = 1
    stage.join("alice")
    stage.room.admits("alice")
    with pytest.raises(Busy, match="full"):
        stage.room.admits("bob")


@pytest.mark.parametrize(
    ("scenario", "kinds", "there"),
    [
        (rtc.SimulateScenario(speaker_update=3), ["speakers_changed"], True),
        (rtc.SimulateScenario(node_failure=True), [], False),
        (rtc.SimulateScenario(server_leave=True), ["leave"], False),
        (rtc.SimulateScenario(leave_request_full_reconnect=True), ["leave"], False),
        (rtc.SimulateScenario(migration=True), ["leave"], True),
        (rtc.SimulateScenario(subscriber_bandwidth=1000), [], True),
    ],
)
def test_a_client_asks_for_trouble(scenario: rtc.SimulateScenario, kinds: list[str], there: bool) -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.forget()
    stage.receive(alice, simulate=scenario)
    assert stage.kinds(alice) == kinds
    assert (alice in stage.room.people) is there
    assert bob in stage.room.people


def test_the_hubs_people_and_the_services_of_keys() -> None:
    stage = Stage()
    _, outs = stage.room.join(ticket("p:t", key=HUB_KEY), request(), stage.now, dual=False)
    stage.run(outs)
    stage.join("bot")
    assert [(fact.presence.identity, fact.presence.kind) for fact in stage.facts] == [("p:t", "person"), ("bot", "service")]


def test_nobody_hears_that_somebody_hidden_came_and_went() -> None:
    stage = Stage(kept=True)
    alice = stage.join("alice")
    stage.tick(10)
    stage.forget()
    ear = stage.join("ear", hidden=True, canPublish=False)
    stage.tick(10)
    stage.run(stage.room.remove("ear", stage.now))
    stage.tick(10)
    assert [kind.WhichOneof("message") for kind in stage.sent[alice]] == []
    assert ear not in stage.room.people
