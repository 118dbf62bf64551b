"""Requests of LiveKit clients, one function each. Parts of the room's state machine; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from livekit.protocol import models, rtc

from commhub.errors import Invalid
from commhub.media import messages as media
from signaling import messages, publishing, subscribing
from signaling.participant import Participant
from signaling.tokens import MAX_IDENTITY, MAX_TEXT

if TYPE_CHECKING:
    from signaling.session import Room

_REASON = rtc.RequestResponse


def receive(room: Room, person: Participant, request: rtc.SignalRequest, now: float) -> None:
    """One message. What this server has no use for is ignored, as LiveKit does."""
    field = request.WhichOneof("message")
    if field is not None and (handler := _HANDLERS.get(field)) is not None:
        handler(room, person, getattr(request, field), now)


def _offer(room: Room, person: Participant, description: rtc.SessionDescription, now: float) -> None:
    room.negotiate(person, description)


def _answer(room: Room, person: Participant, description: rtc.SessionDescription, now: float) -> None:
    room.command(media.ClientAnswer(room.name, person.sid, description.sdp, description.id))


def _add_track(room: Room, person: Participant, request: rtc.AddTrackRequest, now: float) -> None:
    publishing.add(room, person, request)


def _mute(room: Room, person: Participant, request: rtc.MuteTrackRequest, now: float) -> None:
    if (track := person.tracks.get(request.sid)) is not None:
        publishing.mute(room, person, track, request.muted)


def _subscription(room: Room, person: Participant, request: rtc.UpdateSubscription, now: float) -> None:
    tracks = [*request.track_sids, *(sid for entry in request.participant_tracks for sid in entry.track_sids)]
    subscribing.wish(room, person, tracks, request.subscribe)


def _track_setting(room: Room, person: Participant, request: rtc.UpdateTrackSettings, now: float) -> None:
    subscribing.shape(room, person, request)


def _subscription_permission(room: Room, person: Participant, request: rtc.SubscriptionPermission, now: float) -> None:
    subscribing.permission(room, person, request)


def _leave(room: Room, person: Participant, request: rtc.LeaveRequest, now: float) -> None:
    room.expel(person, models.DisconnectReason.CLIENT_INITIATED, now)


def _ping(room: Room, person: Participant, timestamp: int, now: float) -> None:
    room.send(person, rtc.SignalResponse(pong=int(now * 1000)))


def _ping_req(room: Room, person: Participant, request: rtc.Ping, now: float) -> None:
    pong = rtc.Pong(last_ping_timestamp=request.timestamp, timestamp=int(now * 1000))
    room.send(person, rtc.SignalResponse(pong_resp=pong))


def describe(person: Participant, name: str, metadata: str, attributes: Mapping[str, str]) -> None:
    """Empty texts leave what is there; an attribute set to '' is removed (LiveKit's rules). Invalid when too long."""
    merged = {**person.info.attributes, **attributes}
    merged = {key: value for key, value in merged.items() if value}
    size = sum(len(key.encode()) + len(value.encode()) for key, value in merged.items())
    if len(name) > MAX_IDENTITY or len(metadata.encode()) > MAX_TEXT or size > MAX_TEXT:
        raise Invalid("The name, metadata or attributes are too long.", "名称、元数据或属性过长。")
    person.info.name = name or person.info.name
    person.info.metadata = metadata or person.info.metadata
    if attributes:
        person.info.attributes.clear()
        person.info.attributes.update(merged)


def _update_metadata(room: Room, person: Participant, request: rtc.UpdateParticipantMetadata, now: float) -> None:
    reason, text = _REASON.OK, ""
    if not person.info.permission.can_update_metadata:
        reason, text = _REASON.NOT_ALLOWED, "does not have permission to update own metadata"
    else:
        try:
            describe(person, request.name, request.metadata, request.attributes)
        except Invalid as error:
            reason, text = _REASON.LIMIT_EXCEEDED, error.message
        else:
            room.show(person)
            room.refresh(person, now)
    response = rtc.RequestResponse(request_id=request.request_id, reason=reason, message=text, update_metadata=request)
    room.send(person, rtc.SignalResponse(request_response=response))


def _update_audio(room: Room, person: Participant, request: rtc.UpdateLocalAudioTrack, now: float) -> None:
    if (track := person.tracks.get(request.track_sid)) is not None:
        del track.info.audio_features[:]
        track.info.audio_features.extend(request.features[:16])
        room.show(person)


def _update_video(room: Room, person: Participant, request: rtc.UpdateLocalVideoTrack, now: float) -> None:
    if (track := person.tracks.get(request.track_sid)) is not None:
        track.info.width, track.info.height = request.width, request.height
        room.show(person)


def _unsupported(room: Room, person: Participant, request: Any, now: float) -> None:
    """Data tracks and stored data are not offered; the client is told instead of left waiting."""
    response = rtc.RequestResponse(reason=_REASON.UNSUPPORTED_TYPE, message="not supported by this server")
    if isinstance(request, rtc.PublishDataTrackRequest):
        response.publish_data_track.CopyFrom(request)
    elif isinstance(request, rtc.UnpublishDataTrackRequest):
        response.unpublish_data_track.CopyFrom(request)
    room.send(person, rtc.SignalResponse(request_response=response))


def _simulate(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    """A client asks for trouble, to test itself. It touches nobody else."""
    reason, action = models.DisconnectReason, rtc.LeaveRequest
    scenario = request.WhichOneof("scenario")
    if scenario == "speaker_update":
        speaker = models.SpeakerInfo(sid=person.sid, level=1.0, active=request.speaker_update > 0)
        room.send(person, rtc.SignalResponse(speakers_changed=rtc.SpeakersChanged(speakers=[speaker])))
    elif scenario == "node_failure":  # everything just stops
        room.command(media.Sever(room.name, person.sid))
        person.present = False
        room.close_socket(person)
        room.drop(person, reason.SIGNAL_CLOSE, now)
    elif scenario == "server_leave":
        room.expel(person, reason.SERVER_SHUTDOWN, now)
    elif scenario == "leave_request_full_reconnect":
        room.expel(person, reason.UNKNOWN_REASON, now, action.RECONNECT)
    elif scenario in ("migration", "switch_candidate_protocol"):
        room.send(person, messages.leave(reason.MIGRATION, action.RESUME))
    elif scenario in ("disconnect_signal_on_resume", "disconnect_signal_on_resume_no_messages"):
        person.drop_next_resume = True


_HANDLERS: dict[str, Callable[[Any, Any, Any, float], None]] = {
    "offer": _offer,
    "answer": _answer,
    "add_track": _add_track,
    "mute": _mute,
    "subscription": _subscription,
    "track_setting": _track_setting,
    "leave": _leave,
    "subscription_permission": _subscription_permission,
    "simulate": _simulate,
    "ping": _ping,
    "update_metadata": _update_metadata,
    "ping_req": _ping_req,
    "update_audio_track": _update_audio,
    "update_video_track": _update_video,
    "publish_data_track_request": _unsupported,
    "unpublish_data_track_request": _unsupported,
}
