"""What the hub and admins do to people in a room. Parts of the room's state machine; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from livekit.protocol import models

from commhub.errors import NotFound
from commhub.media import messages as media
from signaling import describing, publishing, returning
from signaling.participant import Track

if TYPE_CHECKING:
    from signaling.session import Room

Reason = models.DisconnectReason


def remove(room: Room, identity: str, now: float) -> None:
    """NotFound."""
    people = [one for one in room.people.values() if one.identity == identity or one.owner == identity]
    if not people:
        raise NotFound("The participant is not in the room.", "该参会者不在会商中。")
    for person in people:
        if person.kind == "client":
            room.expel(person, Reason.PARTICIPANT_REMOVED, now)
        else:
            room.drop(person, Reason.PARTICIPANT_REMOVED, now)


def mute(room: Room, identity: str, tracks: Callable[[Track], bool], muted: bool) -> list[Track]:
    """Those tracks of somebody. NotFound when nobody or nothing is there."""
    person = room.of_identity(identity)
    chosen = [track for track in person.tracks.values() if tracks(track)]
    if not chosen:
        raise NotFound("The participant has no such track.", "该参会者没有这一路音视频。")
    for track in chosen:
        publishing.mute(room, person, track, muted, by_server=True)
    return chosen


def update(
    room: Room,
    identity: str,
    now: float,
    name: str,
    metadata: str,
    attributes: Mapping[str, str],
    permission: models.ParticipantPermission | None,
) -> models.ParticipantInfo:
    """Empty leaves as it is. NotFound, Invalid."""
    person = room.of_identity(identity)
    describing.describe(person, name, metadata, attributes)
    if permission is not None:
        publishing.permit(room, person, permission)
        returning.rule(room, person, now)
    room.show(person)
    room.refresh(person, now)
    return person.shown()


def send_data(room: Room, packet: bytes, reliable: bool, sids: Sequence[str], identities: Sequence[str]) -> None:
    """A serialised DataPacket; without receivers everybody gets it, with receivers who are not there nobody."""
    to = [sid for sid in sids if sid in room.people]
    to += [room.by_identity[identity] for identity in identities if identity in room.by_identity]
    if to or not (sids or identities):
        room.command(media.SendData(room.name, packet, reliable, to))
