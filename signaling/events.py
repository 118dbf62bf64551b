"""Events of the engine, as clients hear of them. Parts of the room's state machine; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from livekit.protocol import models, rtc

from commhub.media import messages as media
from commhub.media.messages import Message
from signaling import messages, publishing
from signaling.participant import Participant, State

if TYPE_CHECKING:
    from signaling.session import Room


SILENT = "silent"  # the engine's word for: nothing is heard, everything is kept
ENDED_SECONDS = 2.0


def receive(room: Room, message: Message, now: float) -> None:
    if (handler := _HANDLERS.get(type(message))) is None:
        return
    if (peer := getattr(message, "peer", None)) is None:
        handler(room, None, message, now)
    elif (person := room.people.get(peer)) is not None and not person.replaced:
        handler(room, person, message, now)


def _connected(room: Room, person: Participant, message: media.PeerConnected, now: float) -> None:
    person.media_ended = False
    if person.present:
        person.away_until = None
    if person.info.state != State.ACTIVE:
        person.info.state = State.ACTIVE
        room.show(person)


def _lost(room: Room, person: Participant, message: media.PeerLost, now: float) -> None:
    """Silent media may come back with new ICE credentials. A transport that has ended does not: who still has a WebSocket is
    told to start anew, who has none has gone (some clients end without a word)."""
    if person.kind != "client":
        return
    grace = room.terms.away if message.reason == SILENT else min(ENDED_SECONDS, room.terms.away)
    person.media_ended = message.reason != SILENT
    person.away_until = min(person.away_until or float("inf"), now + grace)


def _bound(room: Room, person: Participant, message: media.TrackBound, now: float) -> None:
    publishing.bound(room, person, message.track, message.mid, message.mime, now)


def _layers(room: Room, person: Participant, message: media.TrackLayers, now: float) -> None:
    publishing.layered(room, person, message.track, message.layers)


def _ended(room: Room, person: Participant, message: media.TrackEnded, now: float) -> None:
    publishing.ended(room, person, message.track, now)


def _subscribed(room: Room, person: Participant, message: media.TrackSubscribed, now: float) -> None:
    if person.client.takes_answers:
        room.send(person, rtc.SignalResponse(track_subscribed=rtc.TrackSubscribed(track_sid=message.track)))


def _sections(room: Room, person: Participant, message: media.SectionsWanted, now: float) -> None:
    person.sections = (message.audio, message.video)
    ask_sections(room, person)


def ask_sections(room: Room, person: Participant) -> None:
    """Asked again after a resume: the first request may have been lost with the WebSocket."""
    audio, video = person.sections or (0, 0)
    wanted = rtc.MediaSectionsRequirement(num_audios=audio, num_videos=video)
    room.send(person, rtc.SignalResponse(media_sections_requirement=wanted))


def _offer(room: Room, person: Participant, message: media.ServerOffer, now: float) -> None:
    room.send(person, messages.offer(message.sdp, message.id, message.mids))


def _wanted(room: Room, person: Participant, message: media.Wanted, now: float) -> None:
    track = person.tracks.get(message.track)
    if track is None or track.info.type != models.TrackType.VIDEO:
        return
    response = messages.subscribed_quality(message.track, message.codecs)
    person.wanted[message.track] = response
    room.send(person, response)


def _speakers(room: Room, person: None, message: media.Speakers, now: float) -> None:
    speakers = [
        models.SpeakerInfo(sid=speaker.peer, level=speaker.level, active=speaker.active)
        for speaker in message.speakers
        if (known := room.people.get(speaker.peer)) is not None and not known.hidden
    ]
    for speaker in speakers:
        (room.speaking.add if speaker.active else room.speaking.discard)(speaker.sid)
    if speakers:
        room.broadcast(rtc.SignalResponse(speakers_changed=rtc.SpeakersChanged(speakers=speakers)))


_QUALITIES = (
    models.ConnectionQuality.POOR,
    models.ConnectionQuality.GOOD,
    models.ConnectionQuality.EXCELLENT,
    models.ConnectionQuality.LOST,
)


def _quality(room: Room, person: None, message: media.Quality, now: float) -> None:
    updates = [
        rtc.ConnectionQualityInfo(participant_sid=peer.peer, quality=_QUALITIES[peer.quality & 3], score=peer.score)
        for peer in message.peers
        if (known := room.people.get(peer.peer)) is not None and not known.hidden
    ]
    if updates:
        room.broadcast(rtc.SignalResponse(connection_quality=rtc.ConnectionQualityUpdate(updates=updates)))


def _paused(room: Room, person: Participant, message: media.Paused, now: float) -> None:
    found = room.find_track(message.track)
    if found is not None:
        state = rtc.StreamState.PAUSED if message.paused else rtc.StreamState.ACTIVE
        info = rtc.StreamStateInfo(participant_sid=found[0].sid, track_sid=message.track, state=state)
        room.send(person, rtc.SignalResponse(stream_state_update=rtc.StreamStateUpdate(stream_states=[info])))


def _data_received(room: Room, person: Participant, message: media.DataReceived, now: float) -> None:
    person.received = max(person.received, message.sequence)


def _untaken(room: Room, person: Participant, message: media.Untaken, now: float) -> None:
    failed = rtc.SubscriptionResponse(track_sid=message.track, err=models.SubscriptionError.SE_CODEC_UNSUPPORTED)
    room.send(person, rtc.SignalResponse(subscription_response=failed))


_HANDLERS: dict[type, Callable[[Any, Any, Any, float], None]] = {
    media.PeerConnected: _connected,
    media.PeerLost: _lost,
    media.TrackBound: _bound,
    media.TrackLayers: _layers,
    media.TrackEnded: _ended,
    media.TrackSubscribed: _subscribed,
    media.SectionsWanted: _sections,
    media.ServerOffer: _offer,
    media.Wanted: _wanted,
    media.Speakers: _speakers,
    media.Quality: _quality,
    media.Paused: _paused,
    media.DataReceived: _data_received,
    media.Untaken: _untaken,
}
