"""Leaving, being replaced, coming back after a lost line, and not coming back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling.outs import Left
from signaling.participant import pack
from signaling.session import room_of
from signaling.tokens import permission
from tests.support.livekit import Stage, request, ticket

Reason = models.DisconnectReason
State = models.ParticipantInfo.State


def test_leave_tells_others_why_and_closes() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.publish(alice)
    stage.forget()
    stage.receive(alice, leave=rtc.LeaveRequest(reason=Reason.CLIENT_INITIATED))
    assert stage.kinds(alice) == ["leave"]
    assert stage.closed == [alice]
    gone = stage.last(bob, "update").participants[0]
    assert (gone.state, gone.disconnect_reason) == (State.DISCONNECTED, Reason.CLIENT_INITIATED)
    assert stage.told(media.RemovePeer) == [media.RemovePeer("r", alice, "CLIENT_INITIATED")]
    assert stage.facts == [Left(stage.facts[0].presence, "client_initiated")]
    stage.receive(alice, ping=1)
    assert stage.kinds(alice) == ["leave"]


def test_the_same_identity_again_replaces_the_first() -> None:
    stage = Stage()
    first, bob = stage.join("alice"), stage.join("bob")
    stage.forget()
    second = stage.join("alice")
    assert stage.last(first, "leave").reason == Reason.DUPLICATE_IDENTITY
    assert stage.last(first, "leave").action == rtc.LeaveRequest.DISCONNECT
    assert stage.closed == [first]
    assert [other.participants[0].sid for other in (s.update for s in stage.sent[bob])] == [first, second]
    assert stage.facts == []  # the same person is in the room, before and after
    assert {other.identity for other in stage.sent[second][0].join.other_participants} == {"bob"}


def test_resume_begins_with_reconnect_and_tells_what_was_missed() -> None:
    stage = Stage()
    alice, bob, carol = stage.join("alice"), stage.join("bob"), stage.join("carol")
    track = stage.publish(alice)
    stage.event(media.Wanted("r", alice, track, [("video/VP8", [0])]))
    stage.run(stage.room.disconnected(alice, stage.now))
    stage.forget()
    stage.receive(carol, leave=rtc.LeaveRequest())
    stage.event(media.SectionsWanted("r", alice, 0, 1))
    assert stage.kinds(alice) == []
    outs = stage.room.resume(alice, ticket("alice"), rtc.JoinRequest(reconnect=True, participant_sid=alice), stage.now)
    assert outs is not None
    stage.run(outs)
    kinds = stage.kinds(alice)
    assert kinds[0] == "reconnect"
    told = {one.sid: one.state for one in stage.last(alice, "update").participants}
    assert told[carol] == State.DISCONNECTED
    assert set(told) == {alice, bob, carol}
    assert stage.last(alice, "media_sections_requirement").num_videos == 1
    assert stage.last(alice, "subscribed_quality_update").track_sid == track
    stage.tick(60)
    assert alice in stage.room.people


def test_resume_of_two_connections_asks_for_a_new_offer() -> None:
    stage = Stage()
    alice = stage.join("alice", dual=True)
    assert stage.sent[alice][0].join.subscriber_primary
    stage.event(media.ServerOffer("r", alice, "v=0", 3, {"0": "TR_a"}))
    assert stage.last(alice, "offer").id == 3
    stage.receive(alice, answer=rtc.SessionDescription(type="answer", sdp="v=0", id=3))
    assert stage.told(media.ClientAnswer) == [media.ClientAnswer("r", alice, "v=0", 3)]
    stage.run(stage.room.disconnected(alice, stage.now))
    stage.run(stage.room.resume(alice, ticket("alice"), rtc.JoinRequest(), stage.now) or [])
    assert stage.told(media.Reoffer) == [media.Reoffer("r", alice, restart=True)]


@pytest.mark.parametrize("sid", ["PA_unknown", "of bob"])
def test_resume_of_nobody_or_of_somebody_else(sid: str) -> None:
    stage = Stage()
    stage.join("alice")
    bob = stage.join("bob")
    assert stage.room.resume(bob if sid == "of bob" else sid, ticket("alice"), rtc.JoinRequest(), stage.now) is None


def test_who_stays_away_is_removed_when_the_time_is_over() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.run(stage.room.disconnected(alice, stage.now))
    stage.forget()
    stage.tick(19)
    assert alice in stage.room.people
    stage.tick(2)
    assert alice not in stage.room.people
    assert stage.last(bob, "update").participants[0].disconnect_reason == Reason.SIGNAL_CLOSE
    assert [type(fact) for fact in stage.facts] == [Left]


def test_media_that_does_not_come_back_ends_the_session() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.event(media.PeerLost("r", alice, "silent"))
    stage.event(media.PeerConnected("r", alice))
    stage.tick(30)
    assert alice in stage.room.people
    stage.event(media.PeerLost("r", alice, "silent"))
    stage.tick(21)
    assert stage.last(alice, "leave").action == rtc.LeaveRequest.RECONNECT


def test_a_transport_that_ended_is_not_waited_for() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    for person in (alice, bob):
        stage.event(media.PeerLost("r", person, "closed by the peer"))
    stage.run(stage.room.disconnected(bob, stage.now))
    stage.tick(2.1)
    assert stage.last(alice, "leave").action == rtc.LeaveRequest.RECONNECT
    assert not stage.room.people


def rights(stage: Stage, sid: str) -> tuple[bool, object]:
    person = stage.room.people[sid]
    return person.info.permission.can_publish, permission(person.ticket.grants).can_publish


def taken_away(stage: Stage) -> None:
    """Alice may no longer publish; an admin said so."""
    none = models.ParticipantPermission(can_publish=False, can_subscribe=True)
    stage.run(stage.room.update("alice", stage.now, permission=none)[1])


def anew(stage: Stage, issued_at: float) -> str:
    sid, outs = stage.room.join(replace(ticket("alice"), issued_at=issued_at), request(), stage.now, dual=False)
    stage.run(outs)
    return sid


@pytest.mark.parametrize("issued_at", [0.0, 990.0, 990.25])
@pytest.mark.parametrize("between", ["still here", "gone", "hub restarted"])
def test_an_older_token_does_not_bring_back_rights_that_were_taken_away(issued_at: float, between: str) -> None:
    stage = Stage()
    stage.join("bob")
    alice = stage.join("alice")
    taken_away(stage)
    if between == "gone":
        stage.receive(alice, leave=rtc.LeaveRequest())
    if between == "hub restarted":
        record = pack(stage.room.people[alice], stage.room.record())
        state = media.RoomState("r", [media.PeerState(alice, "alice", "client", False, True, record=record)])
        found = room_of(state, stage.room.terms, stage.now)
        assert found is not None
        stage.room.rulings = found.rulings
    assert rights(stage, anew(stage, issued_at)) == (False, False)


def test_a_token_made_after_rights_were_taken_away_counts() -> None:
    stage = Stage()
    stage.join("alice")
    taken_away(stage)
    stage.now += 5
    assert rights(stage, anew(stage, issued_at=stage.now - 1)) == (True, True)
    assert rights(stage, anew(stage, issued_at=990.0)) == (True, True)  # whoever made the newer one has thought again
