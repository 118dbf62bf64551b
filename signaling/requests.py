"""Requests of LiveKit clients, one function each. Parts of the room's state machine; no I/O, no clock.

A request that cannot be done raises :class:`Refused`; the client then gets ``request_response`` with LiveKit's reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from livekit.protocol import models, rtc

from commhub.errors import Invalid
from commhub.media import messages as media
from signaling import (
    data_blobs,
    data_tracks,
    describing,
    publishing,
    refusals,
    returning,
    simulations,
    subscribing,
    synchronising,
)
from signaling.participant import Participant, Track
from signaling.refusals import Refused

if TYPE_CHECKING:
    from signaling.session import Room

_REASON = rtc.RequestResponse
_MAX_CANDIDATE = 2048

#: What leaves with a reason of its own; anything else is the client's wish.
_LEAVES = {
    models.DisconnectReason.USER_UNAVAILABLE,
    models.DisconnectReason.USER_REJECTED,
    models.DisconnectReason.AGENT_ERROR,
}


def receive(room: Room, person: Participant, request: rtc.SignalRequest, now: float) -> None:
    """One message. What this server has no use for is ignored, as LiveKit does."""
    field = request.WhichOneof("message")
    if field is not None:
        carry_out(room, person, field, getattr(request, field), now)


def carry_out(room: Room, person: Participant, field: str, request: Any, now: float) -> None:
    if (handler := _HANDLERS.get(field)) is None:
        return
    try:
        handler(room, person, request, now)
    except Refused as refused:
        room.respond(person, refusals.response(field, request, refused.reason, refused.text))


def _offer(room: Room, person: Participant, description: rtc.SessionDescription, now: float) -> None:
    room.negotiate(person, description)


def _answer(room: Room, person: Participant, description: rtc.SessionDescription, now: float) -> None:
    room.command(media.ClientAnswer(room.name, person.sid, description.sdp, description.id))


def _trickle(room: Room, person: Participant, request: rtc.TrickleRequest, now: float) -> None:
    """An ICE-lite server needs no candidates (RFC 8445 §2.5); what is no candidate is said to be none."""
    text = request.candidateInit
    try:
        candidate = json.loads(text) if 0 < len(text) <= _MAX_CANDIDATE else None
    except (ValueError, RecursionError):
        candidate = None
    if not isinstance(candidate, dict):
        raise Refused(_REASON.UNCLASSIFIED_ERROR, "the candidate cannot be read")


def _add_track(room: Room, person: Participant, request: rtc.AddTrackRequest, now: float) -> None:
    publishing.add(room, person, request)


def _mute(room: Room, person: Participant, request: rtc.MuteTrackRequest, now: float) -> None:
    track = _own(person, request.sid)
    if not returning.holds(track, request.muted, now):
        publishing.mute(room, person, track, request.muted)


def _own(person: Participant, sid: str) -> Track:
    if (track := person.tracks.get(sid)) is None:
        raise Refused(_REASON.NOT_FOUND, "the track is not published by this participant")
    return track


def _subscription(room: Room, person: Participant, request: rtc.UpdateSubscription, now: float) -> None:
    tracks = [*request.track_sids, *(sid for entry in request.participant_tracks for sid in entry.track_sids)]
    subscribing.wish(room, person, tracks, request.subscribe)


def _track_setting(room: Room, person: Participant, request: rtc.UpdateTrackSettings, now: float) -> None:
    subscribing.shape(room, person, request)


def _subscription_permission(room: Room, person: Participant, request: rtc.SubscriptionPermission, now: float) -> None:
    subscribing.permission(room, person, request)
    data_tracks.permission(room, person)


def _leave(room: Room, person: Participant, request: rtc.LeaveRequest, now: float) -> None:
    reason = request.reason if request.reason in _LEAVES else models.DisconnectReason.CLIENT_INITIATED
    room.expel(person, reason, now)


def _sync_state(room: Room, person: Participant, request: rtc.SyncState, now: float) -> None:
    synchronising.synchronise(room, person, request, now)


def _simulate(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    simulations.simulate(room, person, request, now)


def _ping(room: Room, person: Participant, timestamp: int, now: float) -> None:
    room.send(person, rtc.SignalResponse(pong=int(now * 1000)))


def _ping_req(room: Room, person: Participant, request: rtc.Ping, now: float) -> None:
    pong = rtc.Pong(last_ping_timestamp=request.timestamp, timestamp=int(now * 1000))
    room.send(person, rtc.SignalResponse(pong_resp=pong))


def _update_metadata(room: Room, person: Participant, request: rtc.UpdateParticipantMetadata, now: float) -> None:
    if why := describing.may(person, request, kept=room.kept):
        raise Refused(_REASON.NOT_ALLOWED, why)
    try:
        describing.describe(person, request.name, request.metadata, request.attributes)
    except Invalid as error:
        raise Refused(_REASON.LIMIT_EXCEEDED, error.message) from None
    room.show(person)
    room.refresh(person, now)
    room.respond(person, refusals.response("update_metadata", request))


def _update_audio(room: Room, person: Participant, request: rtc.UpdateLocalAudioTrack, now: float) -> None:
    publishing.audio_features(_own(person, request.track_sid), request.features)
    _changed(room, person, request.track_sid)


def _update_video(room: Room, person: Participant, request: rtc.UpdateLocalVideoTrack, now: float) -> None:
    info = _own(person, request.track_sid).info
    info.width, info.height = request.width, request.height
    _changed(room, person, request.track_sid)


def _update_layers(room: Room, person: Participant, request: rtc.UpdateVideoLayers, now: float) -> None:
    """A picture has another size now (a window that is shared): views ask for layers by their sizes."""
    track = _own(person, request.track_sid)
    publishing.resize(track, request.layers)
    _changed(room, person, request.track_sid)
    subscribing.reshape(room, track)


def _changed(room: Room, person: Participant, sid: str) -> None:
    person.dirty = True
    if person.tracks[sid].bound:
        room.show(person)


_HANDLERS: dict[str, Callable[[Any, Any, Any, float], None]] = {
    "offer": _offer,
    "answer": _answer,
    "trickle": _trickle,
    "add_track": _add_track,
    "mute": _mute,
    "subscription": _subscription,
    "track_setting": _track_setting,
    "leave": _leave,
    "subscription_permission": _subscription_permission,
    "sync_state": _sync_state,
    "simulate": _simulate,
    "ping": _ping,
    "update_metadata": _update_metadata,
    "ping_req": _ping_req,
    "update_audio_track": _update_audio,
    "update_video_track": _update_video,
    "update_layers": _update_layers,
    "publish_data_track_request": data_tracks.publish,
    "unpublish_data_track_request": data_tracks.unpublish,
    "update_data_subscription": data_tracks.subscribe,
    "store_data_blob_request": data_blobs.store,
    "get_data_blob_request": data_blobs.get,
}
