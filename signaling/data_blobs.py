"""Data blobs: what participants leave with the server for others to fetch by key (schemas of data tracks, mostly). Part of
the room's state machine; no I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from signaling.participant import Participant
from signaling.refusals import Reason, Refused

if TYPE_CHECKING:
    from signaling.session import Room

MAX_KEY = 256
MAX_NUMBER = 256  # of them
MAX_BLOBS = 64_000  # octets of all blobs of a participant, keys included


def store(room: Room, person: Participant, request: rtc.StoreDataBlobRequest, now: float) -> None:
    """The same key again replaces what was there. It goes with the participant."""
    if not person.info.permission.can_publish_data:
        raise Refused(Reason.NOT_ALLOWED, "does not have permission to publish data")
    key = _key(request.blob.key)
    if not key or len(key) > MAX_KEY:
        raise Refused(Reason.INVALID_REQUEST, "data blob is invalid")
    if not request.blob.contents:
        raise Refused(Reason.INVALID_REQUEST, "data blob is empty")
    if key not in person.blobs and len(person.blobs) >= MAX_NUMBER:
        raise Refused(Reason.LIMIT_EXCEEDED, f"the participant has {MAX_NUMBER} data blobs already")
    others = sum(len(known) + len(blob) for known, blob in person.blobs.items() if known != key)
    if others + len(key) + len(request.blob.contents) > MAX_BLOBS:
        raise Refused(Reason.LIMIT_EXCEEDED, "the participant's data blobs exceed 64000 octets")
    person.blobs[key] = request.blob.contents
    person.dirty = True
    answer = rtc.StoreDataBlobResponse(request_id=request.request_id, key=request.blob.key)
    room.send(person, rtc.SignalResponse(store_data_blob_response=answer))


def get(room: Room, person: Participant, request: rtc.GetDataBlobRequest, now: float) -> None:
    key = _key(request.key)
    if not key:
        raise Refused(Reason.INVALID_REQUEST, "data blob key is required")
    sid = room.by_identity.get(request.participant_identity)
    owner = None if sid is None else room.people[sid]
    if owner is None or (owner.hidden and owner is not person):
        raise Refused(Reason.NOT_FOUND, "participant not found")
    if (contents := owner.blobs.get(key)) is None:
        raise Refused(Reason.NOT_FOUND, "data blob not found")
    blob = models.DataBlob(key=request.key, contents=contents)
    answer = rtc.GetDataBlobResponse(request_id=request.request_id, blob=blob)
    room.send(person, rtc.SignalResponse(get_data_blob_response=answer))


def _key(key: models.DataBlobKey) -> bytes:
    """Equal keys, equal bytes."""
    return key.SerializeToString(deterministic=True)
