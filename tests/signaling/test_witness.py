"""What other systems are told of a room: LiveKit's facts, in LiveKit's order."""

from __future__ import annotations

from typing import Any

from livekit.protocol import models

from commhub.media import messages as media
from signaling import session
from signaling.witness import Witnesses
from tests.signaling.test_session import SEAT
from tests.support.livekit import HUB_KEY, Stage, request, ticket

Reason = models.DisconnectReason


class Watched(Stage):
    """A room with a witness that looks after everything that happens. ``facts_told`` are its words."""

    def __init__(self, **more: Any) -> None:
        self.facts_told: list[tuple[str, dict[str, Any]]] = []
        self.witnesses = Witnesses(lambda kind, **what: self.facts_told.append((kind, what)))
        super().__init__(**more)

    def run(self, outs: Any) -> None:
        super().run(outs)
        self.witnesses.look(self.room)

    def enter(self, identity: str, **grants: Any) -> str:
        sid = self.join(identity, **grants)
        self.event(media.PeerConnected("r", sid))
        return sid

    @property
    def told_kinds(self) -> list[str]:
        return [kind for kind, _ in self.facts_told]

    def uniques(self) -> list[tuple[str, str]]:
        return [(kind, what["unique"]) for kind, what in self.facts_told]


def test_a_call_from_beginning_to_end() -> None:
    stage = Watched()
    assert stage.told_kinds == ["room_started"]
    alice = stage.join("alice")
    assert stage.told_kinds == ["room_started"]  # joined is who has media
    track = stage.publish(alice)
    stage.event(media.PeerConnected("r", alice))
    assert stage.told_kinds == ["room_started", "participant_joined", "track_published"]
    _, joined = stage.facts_told[1]
    assert (joined["room"].name, joined["participant"].identity) == ("r", "alice")
    _, published = stage.facts_told[2]
    assert (published["participant"].sid, published["track"].sid, published["track"].mime_type) == (alice, track, "video/VP8")
    stage.run(stage.room.remove("alice", stage.now))
    assert stage.told_kinds[3:] == ["track_unpublished", "participant_left"]
    assert stage.facts_told[4][1]["participant"].disconnect_reason == Reason.PARTICIPANT_REMOVED
    stage.run(stage.room.end(Reason.ROOM_DELETED, stage.now))
    assert stage.told_kinds[5:] == ["room_finished"]
    stage.run([])
    assert len(stage.facts_told) == 6


def test_a_room_that_ends_with_people_in_it() -> None:
    stage = Watched()
    stage.enter("alice")
    stage.enter("bob")
    stage.run(stage.room.end(Reason.ROOM_DELETED, stage.now))
    assert stage.told_kinds[-3:] == ["participant_left", "participant_left", "room_finished"]


def test_who_never_had_media_did_not_leave_but_was_cut_off() -> None:
    stage = Watched()
    stage.join("alice")
    stage.run(stage.room.remove("alice", stage.now))
    assert stage.told_kinds == ["room_started", "participant_connection_aborted"]


def test_a_track_that_is_unpublished_and_published_again_is_two() -> None:
    stage = Watched()
    alice = stage.enter("alice")
    track = stage.publish(alice)
    stage.event(media.TrackEnded("r", alice, track))
    stage.tick(1)
    stage.publish(alice)
    assert stage.told_kinds[2:] == ["track_published", "track_unpublished", "track_published"]
    assert len(set(stage.uniques())) == len(stage.uniques())


def test_mutes_and_names_are_no_facts_of_these() -> None:
    stage = Watched()
    alice = stage.enter("alice")
    track = stage.publish(alice)
    before = len(stage.facts_told)
    _, outs = stage.room.mute("alice", lambda one: one.sid == track, stage.now)
    stage.run(outs)
    assert len(stage.facts_told) == before


def test_a_camera_is_somebody_whose_tracks_come_and_go_under_the_same_sid() -> None:
    stage = Watched(kept=True)
    stage.run(stage.room.add_camera(SEAT, stage.now))
    (sid,) = stage.room.people
    (video, _) = stage.room.people[sid].tracks
    for _ in range(2):
        stage.now += 1
        stage.event(media.TrackBound("r", sid, video, "", "video/H264"))
        stage.event(media.TrackEnded("r", sid, video))
    assert stage.told_kinds == ["room_started", "participant_joined", *["track_published", "track_unpublished"] * 2]
    assert len(set(stage.uniques())) == len(stage.uniques())


def test_a_second_device_of_the_same_identity_leaves_before_it_joins() -> None:
    stage = Watched()
    first = stage.enter("alice")
    second = stage.enter("alice")
    assert stage.told_kinds == ["room_started", "participant_joined", "participant_left", "participant_joined"]
    assert [what["participant"].sid for _, what in stage.facts_told[1:]] == [first, first, second]


def test_a_restarted_hub_tells_the_same_facts_of_what_it_finds() -> None:
    stage = Watched()
    alice = stage.enter("alice")
    track = stage.publish(alice)
    record = [one for one in stage.told(media.UpdatePeer) if one.record is not None][-1].record
    tracks = [media.TrackState(track, "video", "camera", "video/VP8", "7")]
    state = media.RoomState("r", [media.PeerState(alice, "alice", "client", False, True, record=record, tracks=tracks)])
    again = Watched(placed=False)
    found = session.room_of(state, again.terms, again.now)
    assert found is not None
    again.room = found
    again.run(found.restore(state, again.now))
    again.witnesses.found(found)
    assert again.uniques() == stage.uniques()


def test_without_somebody_to_report_to_nothing_is_kept() -> None:
    stage = Watched()
    stage.witnesses = Witnesses(None)
    stage.enter("alice")
    assert stage.room.changed == {}
    assert stage.told_kinds == ["room_started"]


def test_nobody_is_told_of_whom_the_hub_itself_hides() -> None:
    watched = Watched()
    watched.enter("alice")
    watched.facts_told.clear()
    asked = request()
    ear, outs = watched.room.join(ticket("ear", key=HUB_KEY, grants={"hidden": True}), asked, watched.now, dual=False)
    watched.run(outs)
    watched.event(media.PeerConnected("r", ear))
    assert watched.room.people[ear].unlisted
    watched.run(watched.room.remove("ear", watched.now))
    assert watched.told_kinds == []
