"""What one client says is not carried to the others, to the worker or into memory larger than it is worth."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.protocol import models, rtc

from signaling import messages, participant
from tests.support.house import join_parameter
from tests.support.livekit import Stage, request, ticket

LONG = "x" * 200_000
STOWAWAY = b"\xfa\x7f" + b"\xc0\x9a\x0c" + b"y" * 200_000  # field 2047, 200,000 octets
NAMED = rtc.SubscriptionPermission(track_permissions=[rtc.TrackPermission(participant_identity=LONG)])
LAYERS = [models.VideoLayer(rid=LONG), models.VideoLayer()]
CAMERA: dict[str, Any] = {"type": models.TrackType.VIDEO, "source": models.TrackSource.CAMERA}


def say(stage: Stage, sid: str, **message: Any) -> None:
    """Over the wire."""
    raw = rtc.SignalRequest(**message).SerializeToString()
    stage.run(stage.room.receive(sid, messages.parse_request(raw), stage.now))


def stowed(kind: Any, **fields: Any) -> Any:
    """A message with something in it that nobody knows."""
    return kind.FromString(kind(**fields).SerializeToString() + STOWAWAY)


def weight(stage: Stage, sid: str) -> int:
    """Octets that everybody gets, that the worker gets, and that the hub keeps, with every change of somebody."""
    person = stage.room.people[sid]
    shapes = sum(len(name) + kept.ByteSize() for name, kept in person.shapes.items())
    return person.shown().ByteSize() + len(participant.pack(person, stage.room.record())) + shapes


@pytest.mark.parametrize(
    "message",
    [
        {"add_track": rtc.AddTrackRequest(cid=LONG, **CAMERA)},
        {"add_track": rtc.AddTrackRequest(cid="c", layers=LAYERS, **CAMERA)},
        {"add_track": rtc.AddTrackRequest(cid="c", simulcast_codecs=[rtc.SimulcastCodec(codec="vp8", cid=LONG)], **CAMERA)},
        {
            "add_track": rtc.AddTrackRequest(
                cid="c",
                simulcast_codecs=[
                    rtc.SimulcastCodec(codec="vp8", cid="c", layers=[models.VideoLayer(rid=LONG), models.VideoLayer()])
                ],
                **CAMERA,
            )
        },
        {"add_track": rtc.AddTrackRequest(cid="c", layers=[stowed(models.VideoLayer)], **CAMERA)},
        {"subscription": rtc.UpdateSubscription(track_sids=[LONG], subscribe=True)},
        {"update_data_subscription": rtc.UpdateDataSubscription(updates=[{"track_sid": LONG, "subscribe": True}])},
        {"track_setting": rtc.UpdateTrackSettings(track_sids=[LONG])},
        {"track_setting": stowed(rtc.UpdateTrackSettings, track_sids=["a", "b"])},
        {"subscription_permission": stowed(rtc.SubscriptionPermission)},
        {
            "subscription_permission": rtc.SubscriptionPermission(
                track_permissions=[rtc.TrackPermission(participant_identity=LONG)]
            )
        },
        {
            "publish_data_track_request": rtc.PublishDataTrackRequest(
                pub_handle=1, name="n", schema=stowed(models.DataTrackSchemaId, name="s")
            )
        },
        {"update_video_track": stowed(rtc.UpdateLocalVideoTrack, track_sid="x")},
    ],
)
def test_a_long_word_is_not_kept(message: dict[str, Any]) -> None:
    stage = Stage()
    alice = stage.join("alice")
    before = weight(stage, alice)
    say(stage, alice, **message)
    assert weight(stage, alice) - before < 2_000
    say(stage, alice, ping=1)
    assert stage.kinds(alice)[-1] == "pong"


def test_a_long_name_for_another_codec_is_not_kept() -> None:
    stage = Stage()
    alice = stage.join("alice")
    track = stage.publish(alice)
    before = weight(stage, alice)
    more = rtc.AddTrackRequest(cid="c", sid=track, simulcast_codecs=[rtc.SimulcastCodec(codec="vp9", cid=LONG)], **CAMERA)
    say(stage, alice, add_track=more)
    assert stage.last(alice, "request_response").reason == rtc.RequestResponse.INVALID_REQUEST
    assert weight(stage, alice) == before


def test_what_a_client_is_able_to_is_listed_once() -> None:
    stage = Stage()
    asked = request()
    asked.client_info.capabilities.extend([models.ClientInfo.CAP_PACKET_TRAILER] * 100_000)
    asked.MergeFromString(STOWAWAY)
    join = messages.parse_join(join_parameter(asked))
    assert join.ByteSize() < 101_000
    sid, _ = stage.room.join(ticket("alice"), join, stage.now, dual=False)
    assert list(stage.room.people[sid].info.capabilities) == [1]
    assert weight(stage, sid) < 2_000
