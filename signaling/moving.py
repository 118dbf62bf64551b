"""A participant who goes on in another room. Parts of the rooms' state machines; no I/O, no clock.

:func:`depart` takes them out of one room, :func:`arrive` puts them into the other; between the two they are in none. Their sid,
their tracks and their peer connection stay; for the others it is a leave and a join.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.conference import Ticket
from commhub.media import messages as media
from signaling import data_tracks, floors, subscribing
from signaling.outs import Joined
from signaling.participant import Participant, honest

if TYPE_CHECKING:
    from signaling.session import Room

Reason = models.DisconnectReason


def depart(room: Room, person: Participant, to: str, now: float) -> None:
    """Out of this room; the worker carries them over to the room ``to``."""
    state, present = person.info.state, person.present
    room.drop(person, Reason.MIGRATION, now, moving=True)
    room.command(media.MovePeer(room.name, person.sid, to))
    person.info.state, person.present = state, present
    person.info.disconnect_reason = Reason.UNKNOWN_REASON
    person.subscribed.clear()
    person.denied.clear()
    person.wants.clear()
    person.chosen.clear()
    person.shapes.clear()
    person.gone.clear()
    person.data_wants.clear()
    person.data_handles.clear()


def arrive(room: Room, person: Participant, ticket: Ticket, now: float) -> None:
    """Into this room, whose worker has them already. ``room_moved`` is the first they hear of it."""
    if (sid := room.by_identity.get(person.identity)) is not None:
        room.expel(room.people[sid], Reason.DUPLICATE_IDENTITY, now, tell_host=False)
    else:
        room.outs.append(Joined(person.presence()))
    person.ticket = ticket
    if room.kept:
        said = honest(ticket, person.info.attributes)
        person.info.attributes.clear()
        person.info.attributes.update(said)
    person.info.joined_at, person.info.joined_at_ms = int(now), int(now * 1000)
    person.info.version += 1
    others = [other.shown() for other in room.people.values() if not other.hidden and not other.replaced]
    room.people[person.sid] = person
    room.by_identity[person.identity] = person.sid
    if person.fixed:
        room.viewers.add(person.sid)
    room.recount(now)
    tell(room, person, others, now)
    room.show(person, besides=person)
    subscribing.arrived(room, person)
    for track in person.tracks.values():
        floors.settle(room, person, track)
        track.concealed = False
        subscribing.conceal(room, person, track)
        if track.bound:
            subscribing.published(room, person, track)
    for info in person.data_tracks.values():
        room.command(media.PublishData(room.name, person.sid, info.sid, info.pub_handle))
    data_tracks.permission(room, person)
    data_tracks.arrived(room, person)


def tell(room: Room, person: Participant, others: list[models.ParticipantInfo], now: float) -> None:
    """``room_moved``: what the client has to know of its new room, and the token for it."""
    moved = rtc.RoomMovedResponse(room=room.info, participant=person.shown(), other_participants=others)
    moved.token = room.terms.refresh(person.credential(now, room.terms.refresh_ttl), now)
    person.refresh_at = now + room.terms.refresh_every
    room.send(person, rtc.SignalResponse(room_moved=moved))


def send_away(room: Room, person: Participant, ticket: Ticket, now: float) -> None:
    """Their new room is on another worker: with a token for it they come there by themselves, with a new peer connection."""
    if token := room.terms.refresh(ticket, now):
        room.send(person, rtc.SignalResponse(refresh_token=token))
    room.expel(person, Reason.MIGRATION, now, rtc.LeaveRequest.RECONNECT)
