"""Tracks that participants publish: announced, bound, muted, ended. Parts of the room's state machine; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import data_tracks, floors, messages, returning, subscribing, tokens
from signaling.participant import Participant, Track
from signaling.refusals import Reason, Refused

if TYPE_CHECKING:
    from signaling.session import Room

_MIMES = {mime.partition("/")[2].lower(): mime for mime in messages.PUBLISH_MIMES}
_RIDS = ("q", "h", "f")
_MODE = models.VideoLayer.ONE_SPATIAL_LAYER_PER_STREAM
_SVC_MODE = models.VideoLayer.MULTIPLE_SPATIAL_LAYERS_PER_STREAM
_SVC = ("video/VP9", "video/AV1")  # whose clients send all layers in one stream unless they say otherwise
MAX_NAME = MAX_CID = 256
MAX_RID = 64
MAX_FEATURES = 16
ENDED_SECONDS = 0.4


def add(room: Room, person: Participant, request: rtc.AddTrackRequest) -> None:
    """``add_track``: answered by ``track_published``. Refused."""
    if not person.may_publish(request.source, request.type):
        raise Refused(Reason.NOT_ALLOWED, "You may not publish this source.")
    if request.type not in (models.TrackType.AUDIO, models.TrackType.VIDEO):
        raise Refused(Reason.UNSUPPORTED_TYPE, "A track is audio or video.")
    if _unnameable(request):
        raise Refused(Reason.INVALID_REQUEST, "A cid has at most 256 characters, a rid 64.")
    if request.sid:
        if (known := person.tracks.get(request.sid)) is None:
            raise Refused(Reason.NOT_FOUND, "the track is not published by this participant")
        _add_codec(room, person, known, request)
        return
    for track in list(person.tracks.values()):
        if not track.bound and track.ended_at is None and request.cid in track.cids:  # asked again after a resume
            room.send(person, _published(request.cid, track))
            return
        if not track.bound and track.ended_at is not None and track.info.type == request.type:
            # Unpublished and published anew. It must not wait: Firefox's sections go to whatever of their kind is announced.
            withdraw(room, person, track)
    if len(person.tracks) >= room.terms.max_tracks:
        raise Refused(Reason.LIMIT_EXCEEDED, "You publish too many tracks.")
    track = _track(request)
    returning.succeed(room, person, track)
    person.tracks[track.sid] = track
    person.dirty = True
    room.command(track.announce(room.name, person.sid, person.client))
    floors.announced(room, person, track)
    room.send(person, _published(request.cid, track))


def _unnameable(request: rtc.AddTrackRequest) -> bool:
    """Longer than any session description can have it. Everybody in the room gets these names."""
    layers = [*request.layers, *(layer for codec in request.simulcast_codecs for layer in codec.layers)]
    cids = (request.cid, *(codec.cid for codec in request.simulcast_codecs))
    return any(len(cid) > MAX_CID for cid in cids) or any(len(layer.rid) > MAX_RID for layer in layers)


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
        disable_red=request.disable_red,
        encryption=request.encryption,
        stream=request.stream[:MAX_NAME] or ("screen_share" if screen else "camera"),
        backup_codec_policy=request.backup_codec_policy,
        packet_trailer_features=sorted(set(request.packet_trailer_features[:MAX_FEATURES])),
    )
    if not video:
        info.backup_codec_policy = request.backup_codec_policy or models.BackupCodecPolicy.SIMULCAST
    _features(info, request)
    if len(info.layers) > 1:
        for layer in info.layers:
            layer.rid = layer.rid or _RIDS[min(int(layer.quality), 2)]
            layer.spatial_layer = min(int(layer.quality), 2)
    cids: dict[str, str] = {}
    for codec in request.simulcast_codecs[:2]:
        mime = _mime(codec.codec) if video else ""
        if any(mime and known.mime_type == mime for known in info.codecs):
            continue
        layers = _by_quality(codec.layers) or list(info.layers)
        mode = codec.video_layer_mode or (_SVC_MODE if mime in _SVC and len(layers) > 1 else _MODE)
        info.codecs.add(mime_type=mime, cid=codec.cid, layers=layers, video_layer_mode=mode)
        if codec.cid:  # without one it is a backup: sent when somebody cannot take the first
            cids[codec.cid] = mime
    if not cids:
        cids[request.cid] = ""
    if not info.codecs:
        info.codecs.add(cid=request.cid, layers=info.layers, video_layer_mode=_MODE)
    return Track(info, cids, stream=info.stream)


def _mime(name: str) -> str:
    """``vp8`` or ``video/VP8`` as this server names it; VP8 for what is not known, as every client has it."""
    return _MIMES.get(name.lower().rpartition("/")[2], _MIMES["vp8"])


def _features(info: models.TrackInfo, request: rtc.AddTrackRequest) -> None:
    features = set(request.audio_features[:MAX_FEATURES])
    if request.stereo:
        features.add(models.AudioTrackFeature.TF_STEREO)
    if request.disable_dtx:
        features.add(models.AudioTrackFeature.TF_NO_DTX)
    info.audio_features.extend(sorted(features))


def audio_features(track: Track, features: Iterable[models.AudioTrackFeature]) -> None:
    """``update_audio_track``: all of them, anew."""
    info = track.info
    known = sorted(set(islice(features, MAX_FEATURES)))
    del info.audio_features[:]
    info.audio_features.extend(known)
    info.stereo = models.AudioTrackFeature.TF_STEREO in known
    info.disable_dtx = models.AudioTrackFeature.TF_NO_DTX in known


def _by_quality(layers: Iterable[models.VideoLayer]) -> list[models.VideoLayer]:
    """Lowest first, as LiveKit lists them; there are three qualities."""
    return sorted(layers, key=lambda layer: int(layer.quality))[:3]


def resize(track: Track, said: Iterable[models.VideoLayer]) -> None:
    """New sizes of layers that were announced; none is added or goes by this."""
    sizes = {layer.quality: layer for layer in _by_quality(said)}
    for layer in (*track.info.layers, *(layer for codec in track.info.codecs for layer in codec.layers)):
        if (new := sizes.get(layer.quality)) is not None:
            layer.width, layer.height, layer.bitrate = new.width, new.height, new.bitrate


def _add_codec(room: Room, person: Participant, track: Track, request: rtc.AddTrackRequest) -> None:
    """A second codec of a track that is there: one it was announced with, or another."""
    for codec in request.simulcast_codecs[:2]:
        if not codec.cid or codec.cid in track.cids or len(track.cids) >= 4:
            continue
        mime = _mime(codec.codec)
        track.cids[codec.cid] = mime
        known = next((one for one in track.info.codecs if one.mime_type == mime and not one.mid), None)
        entry = known if known is not None else track.info.codecs.add(mime_type=mime)
        entry.cid = codec.cid
        entry.video_layer_mode = codec.video_layer_mode or _MODE
        if layers := _by_quality(codec.layers):
            del entry.layers[:]
            entry.layers.extend(layers)
    person.dirty = True
    room.command(track.announce(room.name, person.sid, person.client))
    room.send(person, _published(request.cid, track))


def bind(track: Track, mid: str, mime: str, now: float) -> None:
    """The negotiation found the track: its first codec, or the backup of one that is there."""
    info = track.info
    first = not track.bound or info.mid == mid
    entry = next((one for one in info.codecs if one.mime_type == mime), None) or (info.codecs[0] if first else None)
    if entry is None:  # a camera's bridge makes it beside the original
        entry = info.codecs.add(layers=info.layers)
    entry.mid, entry.mime_type = mid, mime
    if first:
        info.mid, info.mime_type = mid, mime
    info.version.unix_micro = int(now * 1_000_000)
    track.bound, track.ended_at = True, None


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
        returning.bound(room, person, track, now)


_QUALITIES = (models.VideoQuality.LOW, models.VideoQuality.MEDIUM, models.VideoQuality.HIGH, models.VideoQuality.OFF)


def layered(room: Room, person: Participant, sid: str, layers: list[media.Layer]) -> None:
    """The streams of a camera, as its Source says. Views that said how large they are may now need another one."""
    track = person.tracks.get(sid)
    if track is None:
        return
    info = track.info
    del info.layers[:]
    info.layers.extend(
        models.VideoLayer(quality=_QUALITIES[one.quality & 3], width=one.width, height=one.height) for one in layers
    )
    info.simulcast = len(layers) > 1
    info.width, info.height = max(((one.width, one.height) for one in layers), default=(0, 0))
    for codec in info.codecs:
        del codec.layers[:]
        codec.layers.extend(info.layers)
    room.show(person)
    subscribing.reshape(room, track)


def mute(room: Room, person: Participant, track: Track, muted: bool, *, by_server: bool = False) -> None:
    """By its publisher, or from here: then the client is told first, and follows."""
    if by_server or not muted:
        track.silenced = muted
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
            withdraw(room, person, track)


def withdraw(room: Room, person: Participant, track: Track) -> None:
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
        other.shapes.pop(track.sid, None)


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
        if not person.may_publish(track.info.source, track.info.type):
            withdraw(room, person, track)
            gone = rtc.TrackUnpublishedResponse(track_sid=track.sid)
            room.send(person, rtc.SignalResponse(track_unpublished=gone))
    if not permission.can_publish_data:
        data_tracks.revoke(room, person)
    subscribing.settle_viewer(room, person)
    data_tracks.viewer_changed(room, person)


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
