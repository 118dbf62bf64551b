"""Rooms in which only who has the floor is heard: gate one, before the first packet."""

from __future__ import annotations

from livekit.protocol import models, rtc

from commhub.conference import CameraSeat
from commhub.media import messages as media
from signaling import floors
from tests.support.livekit import Stage
from tests.support.restarts import restarted

SEAT = CameraSeat(source="cam-1", identity="cam-1:line", name="Gate", org="Harbour", audio=True)


def governed(*speakers: str) -> Stage:
    stage = Stage(kept=True)
    stage.run(stage.room.apply(lambda room: floors.govern(room, speakers)))
    return stage


def gates(stage: Stage) -> list[tuple[str, bool]]:
    return [(told.track, told.open) for told in stage.told(media.Open)]


def test_a_microphone_is_shut_in_the_same_breath_as_it_is_announced() -> None:
    stage = governed()
    alice = stage.join("alice")
    stage.forget()
    mic = stage.publish(alice, "mic", video=False, bind=False)
    kinds = [type(command) for command in stage.commands]
    assert kinds[:2] == [media.Announce, media.Open]
    assert gates(stage) == [(mic, False)]
    assert not stage.last(alice, "track_published").track.muted  # neither a mute nor a right: its client notices nothing


def test_who_publishes_anew_or_unmutes_is_not_heard() -> None:
    stage = governed()
    alice = stage.join("alice")
    mic = stage.publish(alice, "mic", video=False)
    stage.forget()
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=mic, muted=True))
    stage.receive(alice, mute=rtc.MuteTrackRequest(sid=mic, muted=False))
    assert gates(stage) == []
    again = stage.publish(alice, "other", video=False)
    assert gates(stage) == [(again, False)]


def test_a_voice_by_any_other_name_is_a_voice() -> None:
    stage = governed()
    alice = stage.join("alice")
    add = rtc.AddTrackRequest(cid="x", type=models.TrackType.AUDIO, source=models.TrackSource.SCREEN_SHARE_AUDIO)
    stage.receive(alice, add_track=add)
    assert [opened for _, opened in gates(stage)] == [False]


def test_cameras_and_pictures_are_not_the_floors_matter() -> None:
    stage = governed()
    alice = stage.join("alice")
    stage.publish(alice)
    stage.run(stage.room.add_camera(SEAT, stage.now))
    assert gates(stage) == []


def test_one_is_silenced_before_the_next_is_heard() -> None:
    stage = governed("zoe")
    zoe, alice = stage.join("zoe"), stage.join("alice")
    hers, other = stage.publish(zoe, "mic", video=False), stage.publish(alice, "mic", video=False)
    stage.forget()
    stage.run(stage.room.apply(lambda room: floors.govern(room, ["alice"])))
    assert gates(stage) == [(hers, False), (other, True)]
    stage.forget()
    stage.run(stage.room.apply(lambda room: floors.govern(room, ["alice"])))
    assert gates(stage) == []
    stage.run(stage.room.apply(lambda room: floors.govern(room, None)))
    assert gates(stage) == [(hers, True)]


def test_in_a_large_room_nobody_negotiates_for_voices_that_were_never_heard() -> None:
    stage = governed()
    people = [stage.join(f"p{number}") for number in range(floors.EAGER + 2)]
    stage.forget()
    mic = stage.publish(people[0], "mic", video=False)
    stage.publish(people[1], "mic", video=False)
    late = stage.join("late")
    assert stage.told(media.Subscribe) == []
    stage.run(stage.room.apply(lambda room: floors.govern(room, ["p0"])))
    assert {(told.peer, *told.tracks) for told in stage.told(media.Subscribe)} == {(sid, mic) for sid in [*people[1:], late]}
    stage.forget()
    stage.run(stage.room.apply(lambda room: floors.govern(room, [])))
    stage.run(stage.room.apply(lambda room: floors.govern(room, ["p0"])))
    assert stage.told(media.Subscribe) == []  # once subscribed, a word needs no negotiation


def test_a_restarted_hub_finds_a_governed_room_with_nobody_to_be_heard() -> None:
    stage = governed("alice")
    alice = stage.join("alice")
    mic = stage.publish(alice, "mic", video=False)
    fresh = restarted(stage)
    assert fresh.room.speakers == frozenset()
    assert gates(fresh) == [(mic, False)]


def test_a_gate_that_the_worker_did_not_hear_of_is_told_again() -> None:
    stage = governed()
    alice = stage.join("alice")
    mic = stage.publish(alice, "mic", video=False)
    record = stage.room.people[alice]
    stage.forget()
    open_still = media.TrackState(mic, "audio", "microphone", "audio/opus", "7", False, True, True, dict(record.tracks[mic].cids))
    peer = media.PeerState(peer=alice, identity="alice", kind="client", dual=False, connected=True, about={}, record=b"",
                           tracks=[open_still], subscriptions=[], source="", received=0)  # fmt: skip
    stage.run(stage.room.restore(media.RoomState("r", [peer], [], []), stage.now))
    assert gates(stage) == [(mic, False)]
