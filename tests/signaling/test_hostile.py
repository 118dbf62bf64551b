"""Clients that send whatever they like."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import participant
from signaling.outs import work
from tests.support.livekit import Stage


def test_one_message_names_no_more_than_so_many() -> None:
    stage = Stage()
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.publish(alice)
    many = [f"TR_{number}" for number in range(5000)]
    stage.receive(bob, subscription=rtc.UpdateSubscription(track_sids=many, subscribe=True))
    assert stage.kinds(bob).count("subscription_response") == 500
    stage.receive(bob, track_setting=rtc.UpdateTrackSettings(track_sids=many))
    named = [rtc.TrackPermission(participant_identity=f"p{number}", track_sids=many[:600]) for number in range(600)]
    stage.receive(alice, subscription_permission=rtc.SubscriptionPermission(track_permissions=named))
    viewers = stage.room.people[alice].viewers
    assert viewers is not None
    assert [len(entry.track_sids) for entry in viewers.word.track_permissions] == [500] * 10 + [0] * 490


def test_one_message_names_the_same_once() -> None:
    stage = Stage()
    alice = stage.join("alice")
    stage.receive(alice, subscription=rtc.UpdateSubscription(track_sids=["x"] * 500, subscribe=True))
    assert stage.kinds(alice).count("subscription_response") == 1


def test_what_others_are_made_to_carry_has_a_number() -> None:
    """Everything of somebody goes to the worker again with every change."""
    stage = Stage()
    alice = stage.join("alice")
    attributes = {str(number): "x" for number in range(1001)}
    stage.receive(alice, update_metadata=rtc.UpdateParticipantMetadata(attributes=attributes, request_id=1))
    assert stage.last(alice, "request_response").reason == rtc.RequestResponse.LIMIT_EXCEEDED
    for number in range(257):
        blob = models.DataBlob(key=models.DataBlobKey(generic=str(number)), contents=b"x")
        stage.receive(alice, store_data_blob_request=rtc.StoreDataBlobRequest(blob=blob))
    assert len(stage.room.people[alice].blobs) == 256
    assert stage.last(alice, "request_response").message == "the participant has 256 data blobs already"


def test_what_one_message_causes_is_counted() -> None:
    stage = Stage()
    alice, *_ = [stage.join(name) for name in ("alice", "bob", "carol")]
    track = stage.publish(alice)
    muted = stage.room.receive(alice, rtc.SignalRequest(mute=rtc.MuteTrackRequest(sid=track, muted=True)), stage.now)
    assert work(muted) == 5  # three hear of it, the worker is told, and keeps the record
    assert work(stage.room.receive(alice, rtc.SignalRequest(ping=1), stage.now)) == 1
    stage.receive(alice, update_metadata=rtc.UpdateParticipantMetadata(metadata="x" * 60_000))
    unmuted = stage.room.receive(alice, rtc.SignalRequest(mute=rtc.MuteTrackRequest(sid=track, muted=False)), stage.now)
    assert work(unmuted) == 5 + 7  # a large record is as much work as many small ones


def anything(random: Random, kind: Any, known: list[str], depth: int = 0) -> Message:
    """A message with any fields set to anything, sids that exist among it."""
    message: Message = GetMessageClass(kind)()

    def value(field: Any) -> Any:
        if field.type == field.TYPE_MESSAGE:
            return anything(random, field.message_type, known, depth + 1)
        if field.type == field.TYPE_ENUM:
            return random.choice([0, 1, 2, 3, 4])
        if field.type == field.TYPE_STRING:
            return random.choice([*known, "", "x", "vp8", "x" * 300])
        if field.type == field.TYPE_BYTES:
            return b"x"
        return {field.TYPE_BOOL: random.random() < 0.5}.get(field.type, random.choice([0, 1, 7, 2**31 - 1]))

    oneofs: set[str] = set()
    for field in random.sample(list(kind.fields), len(kind.fields)):
        if depth > 3 or (field.containing_oneof and field.containing_oneof.name in oneofs) or random.random() < 0.4:
            continue
        if field.containing_oneof:
            oneofs.add(field.containing_oneof.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        if field.is_repeated:
            target = getattr(message, field.name)
            for _ in range(random.choice([0, 1, 4])):
                target.append(value(field))
        elif field.type == field.TYPE_MESSAGE:
            getattr(message, field.name).CopyFrom(value(field))
        else:
            setattr(message, field.name, value(field))
    return message


@pytest.mark.parametrize("seed", range(4))
def test_any_message_of_any_client_is_survived(seed: int) -> None:
    random = Random(seed)
    stage = Stage()
    sids = [stage.join(name) for name in ("alice", "bob", "carol")]
    for _ in range(150):
        tracks = [track for person in stage.room.people.values() for track in person.tracks]
        known = [*stage.room.people, *tracks, "alice", "bob", "carol", "cam"]
        request = anything(random, rtc.SignalRequest.DESCRIPTOR, known)
        assert isinstance(request, rtc.SignalRequest)
        sid = random.choice(sids)
        stage.run(stage.room.receive(sid, request, stage.now))
        for track in tracks:
            if random.random() < 0.2:
                owner = random.choice(list(stage.room.people))
                if random.random() < 0.5:
                    stage.event(media.TrackEnded("r", owner, track))
                else:
                    stage.event(media.TrackBound("r", owner, track, "1", "a/b"))
        stage.tick(0.1)
        for name in ("alice", "bob", "carol"):
            if name not in stage.room.by_identity:
                sids = [*sids[-5:], stage.join(name)]
        for person in stage.room.people.values():
            participant.unpack(participant.pack(person, stage.room.record()))
            others = {track for other in stage.room.people.values() if other is not person for track in other.tracks}
            assert person.subscribed <= others
            assert person.subscribed == believed(stage).get(person.sid, set())


def believed(stage: Stage) -> dict[str, set[str]]:
    """What the engine has been told: peer → tracks it is subscribed to."""
    told: dict[str, set[str]] = {}
    published: dict[str, set[str]] = {}
    for command in stage.commands:
        match command:
            case media.AddPeer():
                told[command.peer] = set()
            case media.RemovePeer():
                told.pop(command.peer, None)
                for tracks in told.values():  # the engine withdraws what they published
                    tracks -= published.get(command.peer, set())
            case media.Announce():
                published.setdefault(command.peer, set()).add(command.track)
            case media.Withdraw():
                for tracks in told.values():
                    tracks.discard(command.track)
            case media.Subscribe():
                (told[command.peer].update if command.on else told[command.peer].difference_update)(command.tracks)
    return told
