"""Tracks that participants publish: announced, bound, muted, ended. Parts of the room's state machine; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import messages, subscribing, tokens
from signaling.participant import Participant, Track

if TYPE_CHECKING:
    from signaling.session import Room

_MIMES = {mime.partition("/")[2].lower(): mime for mime in messages.PUBLISH_MIMES}
_RIDS = ("q", "h", "f")
_MODE = models.VideoLayer.ONE_SPATIAL_LAYER_PER_STREAM
MAX_NAME = 256
ENDED_SECONDS = 0.4


def add(room: Room, person: Participant, request: rtc.AddTrackRequest) -> None:
    """``add_track``: answered by ``track_published``, or by ``request_response`` with a reason."""
    reason = rtc.RequestResponse
    if not person.may_publish(request.source):
        refuse(room, person, reason.NOT_ALLOWED, "You may not publish this source.", request)
        return
    if request.sid and (track := person.tracks.get(request.sid)) is not None:
        _add_codec(room, person, track, request)
        return
    for track in list(person.tracks.values()):
        if not track.bound and request.cid in track.cids:
            if track.ended_at is None:  # asked again after a resume
                room.send(person, _published(request.cid, track))
                return
            _withdraw(room, person, track)  # unpublished and published anew
    if len(person.tracks) >= room.terms.max_tracks:
        refuse(room, person, reason.LIMIT_EXCEEDED, "You publish too many tracks.", request)
        return
    track = _track(request)
    person.tracks[track.sid] = track
    person.dirty = True
    room.command(track.announce(room.name, person.sid))
    room.send(person, _published(request.cid, track))


def refuse(room: Room, person: Participant, why: rtc.RequestResponse.Reason, text: str, request: rtc.AddTrackRequest) -> None:
    room.send(person, rtc.SignalResponse(request_response=rtc.RequestResponse(reason=why, message=text, add_track=request)))


def _published(cid: str, track: Track) -> rtc.SignalResponse:
    return rtc.SignalResponse(track_published=rtc.TrackPublishedResponse(cid=cid, track=track.info))


def _track(request: rtc.AddTrackRequest) -> Track:
    video = request.type == models.TrackType.VIDEO
    screen = request.source in (models.TrackSource.SCREEN_SHARE, models.TrackSource.SCREEN_SHARE_AUDIO)
    info = models.TrackInfo(
        sid=messages.new_track_sid(request.source, request.type),
        type=request.type,
        name=request.name[:MAX_NAME],
        muted=request.muted,
        width=request.width,
        height=request.height,
        simulcast=len(request.layers) > 1,
        disable_dtx=request.disable_dtx,
        source=request.source,
        layers=_by_quality(request.layers),
        stereo=request.stereo,
        disable_red=not video,  # redundant audio is not negotiated
        encryption=request.encryption,
        stream=request.stream[:MAX_NAME] or ("screen_share" if screen else "camera"),
        audio_features=request.audio_features[:16],
        backup_codec_policy=request.backup_codec_policy,
        packet_trailer_features=request.packet_trailer_features[:16],
    )
    if len(info.layers) > 1:
        for layer in info.layers:
            layer.rid = layer.rid or _RIDS[min(int(layer.quality), 2)]
            layer.spatial_layer = min(int(layer.quality), 2)
    cids: dict[str, str] = {}
    for codec in request.simulcast_codecs[:2]:
        if codec.cid:
            mime = _MIMES.get(codec.codec.lower(), _MIMES["vp8"]) if video else ""
            cids[codec.cid] = mime
            layers = _by_quality(codec.layers) or list(info.layers)
            info.codecs.add(mime_type=mime, cid=codec.cid, layers=layers, video_layer_mode=_MODE)
    if not cids:
        cids[request.cid] = ""
        info.codecs.add(cid=request.cid, layers=info.layers, video_layer_mode=_MODE)
    return Track(info, cids, stream=info.stream)


def _by_quality(layers: Iterable[models.VideoLayer]) -> list[models.VideoLayer]:
    """Lowest first, as LiveKit lists them; there are three qualities."""
    return sorted(layers, key=lambda layer: int(layer.quality))[:3]


def _add_codec(room: Room, person: Participant, track: Track, request: rtc.AddTrackRequest) -> None:
    """A second codec of a track that is there."""
    for codec in request.simulcast_codecs[:2]:
        if codec.cid and codec.cid not in track.cids and len(track.cids) < 4:
            mime = _MIMES.get(codec.codec.lower(), _MIMES["vp8"])
            track.cids[codec.cid] = mime
            track.info.codecs.add(mime_type=mime, cid=codec.cid, layers=codec.layers[:3], video_layer_mode=_MODE)
    person.dirty = True
    room.command(track.announce(room.name, person.sid))
    room.send(person, _published(request.cid, track))


def bind(track: Track, mid: str, mime: str, now: float) -> None:
    """The negotiation found the track."""
    track.bound, track.ended_at = True, None
    info = track.info
    info.mid, info.mime_type = mid, mime
    info.version.unix_micro = int(now * 1_000_000)
    for codec in info.codecs[:1]:
        codec.mid, codec.mime_type = mid, mime


def bound(room: Room, person: Participant, sid: str, mid: str, mime: str, now: float) -> None:
    track = person.tracks.get(sid)
    if track is None:
        return
    news = not track.bound
    bind(track, mid, mime, now)
    room.show(person)
    if news:
        room.recount(now)
        subscribing.published(room, person, track)


def mute(room: Room, person: Participant, track: Track, muted: bool, *, by_server: bool = False) -> None:
    """By its publisher, or from here: then the client is told first, and follows."""
    if track.info.muted == muted:
        return
    track.info.muted = muted
    room.command(media.Mute(room.name, track.sid, muted))
    if by_server:
        room.send(person, rtc.SignalResponse(mute=rtc.MuteTrackRequest(sid=track.sid, muted=muted)))
    person.dirty = True
    if track.bound:
        room.show(person)


def ended(room: Room, person: Participant, sid: str, now: float) -> None:
    """Nothing of it is sent any more. A camera's track waits for its next stream; any other goes, unless the same
    negotiation binds it again in another shape."""
    track = person.tracks.get(sid)
    if track is None or not track.bound:
        return
    track.bound = False
    if person.kind == "client":
        track.ended_at = now
    room.recount(now)
    room.show(person)


def sweep(room: Room, person: Participant, now: float) -> None:
    """Tracks that ended and did not come back."""
    for track in list(person.tracks.values()):
        if track.ended_at is not None and now - track.ended_at >= ENDED_SECONDS:
            _withdraw(room, person, track)


def _withdraw(room: Room, person: Participant, track: Track) -> None:
    del person.tracks[track.sid]
    person.dirty = True
    forget(room, track)
    room.command(media.Withdraw(room.name, person.sid, track.sid))


def forget(room: Room, track: Track) -> None:
    for other in room.people.values():
        other.subscribed.discard(track.sid)
        other.denied.discard(track.sid)
        other.wants.pop(track.sid, None)
        other.wanted.pop(track.sid, None)


def permit(room: Room, person: Participant, permission: models.ParticipantPermission) -> None:
    """Another permission: tracks that are no longer allowed go, subscriptions follow."""
    person.info.permission.CopyFrom(permission)
    person.info.permission.can_publish = permission.can_publish or bool(permission.can_publish_sources)
    grants = tokens.with_permission(person.ticket.grants, person.info.permission)
    person.ticket = replace(person.ticket, grants=grants)
    room.command(
        media.UpdatePeer(
            room.name,
            person.sid,
            hidden=permission.hidden,
            may_publish=person.info.permission.can_publish,
            may_subscribe=permission.can_subscribe,
            may_send_data=permission.can_publish_data,
        )
    )
    for track in list(person.tracks.values()):
        if not person.may_publish(track.info.source):
            _withdraw(room, person, track)
            gone = rtc.TrackUnpublishedResponse(track_sid=track.sid)
            room.send(person, rtc.SignalResponse(track_unpublished=gone))
    subscribing.settle_viewer(room, person)


def seat_tracks(person: Participant) -> None:
    """The tracks of a camera: video, and audio if it has any. Bound when its Source brings them."""
    assert person.seat is not None
    wanted = [(models.TrackSource.CAMERA, models.TrackType.VIDEO)]
    if person.seat.audio:
        wanted.append((models.TrackSource.MICROPHONE, models.TrackType.AUDIO))
    for source, kind in wanted:
        track = _seat_track(source, kind)
        person.tracks[track.sid] = track


def _seat_track(source: models.TrackSource, kind: models.TrackType) -> Track:
    info = models.TrackInfo(sid=messages.new_track_sid(source, kind), type=kind, source=source, stream="camera")
    info.codecs.add(video_layer_mode=_MODE)
    return Track(info, {}, stream="camera")
