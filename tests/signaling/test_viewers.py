"""Who may subscribe, in a publisher's own words."""

from __future__ import annotations

from livekit.protocol import rtc

from signaling import viewers
from signaling.viewers import Viewers


def word(*entries: rtc.TrackPermission, everybody: bool = False) -> rtc.SubscriptionPermission:
    return rtc.SubscriptionPermission(all_participants=everybody, track_permissions=entries)


def read(*entries: rtc.TrackPermission, everybody: bool = False) -> Viewers:
    said = viewers.read(word(*entries, everybody=everybody), lambda sid: {"PA_b": "bob"}.get(sid, ""))
    assert said is not None
    return said


def test_everybody_or_nobody_but_who_is_named() -> None:
    assert read(everybody=True).allow("alice", "PA_a", "TR_1")
    assert not read().allow("alice", "PA_a", "TR_1")
    said = read(
        rtc.TrackPermission(participant_identity="alice", track_sids=["TR_1"]),
        rtc.TrackPermission(participant_sid="PA_b", all_tracks=True),
        rtc.TrackPermission(participant_sid="PA_c", track_sids=["TR_2"]),
        rtc.TrackPermission(participant_identity="alice", all_tracks=True),
    )
    assert [said.allow("alice", "PA_a", track) for track in ("TR_1", "TR_2")] == [True, False]
    assert said.allow("bob", "PA_new", "TR_2")  # the word is about the person
    assert [said.allow("carol", sid, "TR_2") for sid in ("PA_c", "PA_d")] == [True, False]
    said.succeed("TR_1", "TR_9")
    assert said.allow("alice", "PA_a", "TR_9")
    assert Viewers(said.word).allow("alice", "PA_a", "TR_9")  # as it is read from the record
    assert not said.allow("carol", "PA_c", "TR_9")


def test_a_word_that_names_nobody_is_none() -> None:
    assert viewers.read(word(rtc.TrackPermission(all_tracks=True)), lambda sid: "") is None
