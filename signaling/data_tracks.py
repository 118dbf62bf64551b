"""Data tracks: frames that some participants publish and others subscribe to, beside audio and video. Part of the room's
state machine; no I/O, no clock.

The publisher chooses a handle for its frames, the server one for every subscriber; the media worker swaps them on the way
through the ``_data_track`` channels. Nobody gets one unasked, unless the client joined with ``auto_subscribe_data_track``.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import messages
from signaling.participant import Participant
from signaling.refusals import Reason, Refused

if TYPE_CHECKING:
    from signaling.session import Room

MAX_NAME = 256
MAX_ENCODING = 32  # characters of an encoding's own name
MAX_NAMED = 500
MAX_WISHES = 1000
MAX_SID = 64
MAX_HANDLE = 0xFFFF


def publish(room: Room, person: Participant, request: rtc.PublishDataTrackRequest, now: float) -> None:
    if not person.info.permission.can_publish_data:
        raise Refused(Reason.NOT_ALLOWED, "does not have permission to publish data")
    if not 0 < request.pub_handle <= MAX_HANDLE:
        raise Refused(Reason.INVALID_HANDLE, "handle should be > 0 AND < 65536")
    if not 0 < len(request.name) <= MAX_NAME:
        raise Refused(Reason.INVALID_NAME, "name should not be empty and should not exceed 256 characters")
    if not _named(request.frame_encoding) or not _named(request.schema.encoding) or len(request.schema.name) > MAX_NAME:
        raise Refused(Reason.INVALID_REQUEST, "encoding identifier is empty or exceeds the maximum length")
    for info in person.data_tracks.values():
        if info.pub_handle == request.pub_handle:
            raise Refused(Reason.DUPLICATE_HANDLE, "a data track with same handle already exists")
        if info.name == request.name:
            raise Refused(Reason.DUPLICATE_NAME, "a data track with same name already exists")
    if len(person.data_tracks) >= room.terms.max_tracks:
        raise Refused(Reason.LIMIT_EXCEEDED, "too many data tracks")
    info = models.DataTrackInfo(
        pub_handle=request.pub_handle, sid=messages.new_sid("DTR_"), name=request.name, encryption=request.encryption
    )
    if request.HasField("frame_encoding"):
        info.frame_encoding.CopyFrom(request.frame_encoding)
    if request.HasField("schema"):
        info.schema.CopyFrom(request.schema)
    person.data_tracks[info.sid] = info
    room.command(media.PublishData(room.name, person.sid, info.sid, info.pub_handle))
    room.send(person, rtc.SignalResponse(publish_data_track_response=rtc.PublishDataTrackResponse(info=info)))
    room.show(person, besides=person)
    _settle_track(room, person, info.sid)


def _named(encoding: models.DataTrackFrameEncoding | models.DataTrackSchemaEncoding) -> bool:
    return encoding.WhichOneof("value") != "custom" or 0 < len(encoding.custom) <= MAX_ENCODING


def unpublish(room: Room, person: Participant, request: rtc.UnpublishDataTrackRequest, now: float) -> None:
    found = next((info for info in person.data_tracks.values() if info.pub_handle == request.pub_handle), None)
    if found is None:
        raise Refused(Reason.NOT_FOUND, "no data track has this handle")
    _withdraw(room, person, found)
    room.send(person, rtc.SignalResponse(unpublish_data_track_response=rtc.UnpublishDataTrackResponse(info=found)))
    room.show(person, besides=person)


def _withdraw(room: Room, person: Participant, info: models.DataTrackInfo) -> None:
    del person.data_tracks[info.sid]
    person.dirty = True
    room.command(media.UnpublishData(room.name, person.sid, info.sid))
    for viewer in room.clients():
        viewer.data_wants.pop(info.sid, None)
        if viewer.data_handles.pop(info.sid, None) is not None:
            viewer.dirty = True
            _tell(room, viewer)


def revoke(room: Room, person: Participant) -> None:
    """The right to send data was taken away."""
    for info in list(person.data_tracks.values()):
        _withdraw(room, person, info)
        room.send(person, rtc.SignalResponse(unpublish_data_track_response=rtc.UnpublishDataTrackResponse(info=info)))


def left(room: Room, person: Participant) -> None:
    """Its data tracks went with it; the worker knows that by itself."""
    for viewer in room.clients():
        if viewer is not person and person.data_tracks.keys() & viewer.data_handles.keys():
            for sid in person.data_tracks:
                viewer.data_wants.pop(sid, None)
                viewer.data_handles.pop(sid, None)
            viewer.dirty = True
            _tell(room, viewer)


def subscribe(room: Room, person: Participant, request: rtc.UpdateDataSubscription, now: float) -> None:
    """Unknown tracks are remembered for when they come."""
    before = dict(person.data_handles)
    for update in islice(request.updates, MAX_NAMED):
        if len(update.track_sid) > MAX_SID:
            continue
        if len(person.data_wants) < MAX_WISHES or update.track_sid in person.data_wants:
            person.data_wants[update.track_sid] = update.subscribe
        if (publisher := _publisher(room, update.track_sid)) is not None:
            _settle(room, person, publisher, update.track_sid)
    person.dirty = True
    if person.data_handles != before:
        _tell(room, person)


def arrived(room: Room, viewer: Participant) -> None:
    if viewer.auto_subscribe_data:
        viewer_changed(room, viewer)


def permission(room: Room, publisher: Participant) -> None:
    """The publisher said anew who may see what."""
    for sid in publisher.data_tracks:
        _settle_track(room, publisher, sid)


def viewer_changed(room: Room, viewer: Participant) -> None:
    """What it may do has changed."""
    if settle_viewer(room, viewer):
        _tell(room, viewer)


def settle_viewer(room: Room, viewer: Participant) -> bool:
    """True when anything changed; the viewer has not been told."""
    changed = False
    for publisher in room.clients():
        for sid in publisher.data_tracks:
            changed |= _settle(room, viewer, publisher, sid)
    return changed


def _settle_track(room: Room, publisher: Participant, sid: str) -> None:
    for viewer in room.clients():
        if not viewer.replaced and _settle(room, viewer, publisher, sid):
            _tell(room, viewer)


def _settle(room: Room, viewer: Participant, publisher: Participant, sid: str) -> bool:
    wanted = (
        viewer is not publisher
        and not publisher.hidden
        and viewer.data_wants.get(sid, viewer.auto_subscribe_data)
        and viewer.info.permission.can_subscribe
        and publisher.may_be_seen_by(viewer, sid)
    )
    if wanted == (sid in viewer.data_handles):
        return False
    if wanted:
        viewer.data_handles[sid] = handle = _free_handle(viewer)
    else:
        del viewer.data_handles[sid]
        handle = 0
    viewer.dirty = True
    room.command(media.SubscribeData(room.name, viewer.sid, sid, handle))
    return True


def _free_handle(viewer: Participant) -> int:
    """Not one that was used just now: its last frames may still be on the way."""
    taken = set(viewer.data_handles.values())
    while True:
        viewer.last_handle = viewer.last_handle % MAX_HANDLE + 1
        if viewer.last_handle not in taken:
            return viewer.last_handle


def _publisher(room: Room, sid: str) -> Participant | None:
    return next((person for person in room.people.values() if sid in person.data_tracks), None)


def _tell(room: Room, viewer: Participant) -> None:
    """All handles, as LiveKit does: what is missing has ended."""
    response = rtc.DataTrackSubscriberHandles()
    for sid, handle in viewer.data_handles.items():
        if (publisher := _publisher(room, sid)) is not None:
            entry = response.sub_handles[handle]
            entry.publisher_identity, entry.publisher_sid, entry.track_sid = publisher.identity, publisher.sid, sid
    room.send(viewer, rtc.SignalResponse(data_track_subscriber_handles=response))


def restored(room: Room, person: Participant) -> None:
    """The worker may have missed some of it; what it knows it hears in vain."""
    for info in person.data_tracks.values():
        room.command(media.PublishData(room.name, person.sid, info.sid, info.pub_handle))
    for sid, handle in person.data_handles.items():
        room.command(media.SubscribeData(room.name, person.sid, sid, handle))


def resumed(room: Room, viewer: Participant) -> None:
    if viewer.data_handles:
        _tell(room, viewer)
