"""Who comes back as somebody new because everything below died: what of the earlier self goes on. No I/O, no clock.

Sids change with every full reconnect, so what was said about a track is carried over when its publisher announces it again: a
track of the same source, kind and (where there are several) name is the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import rtc

from signaling.participant import Participant, Ruling, Track, with_rights

if TYPE_CHECKING:
    from signaling.session import Room

HOLD_SECONDS = 3.0  # for a client to learn that it is still muted; what it says until then it said without knowing


def remember(person: Participant) -> None:
    """Their worker is gone: their tracks are over, what was said about them is not."""
    person.former = [*person.tracks.values(), *person.former]
    person.tracks.clear()
    person.subscribed.clear()
    person.denied.clear()


def take_up(person: Participant, earlier: Participant) -> None:
    """``person`` is ``earlier`` again: with the rights they had when they were cut off, whatever their token says, with what
    was changed about them, and with whom they wanted to see and be seen by."""
    person.ticket = with_rights(person.ticket, earlier.ticket.grants)
    person.info.permission.CopyFrom(earlier.info.permission)
    person.info.name, person.info.metadata = earlier.info.name, earlier.info.metadata
    person.info.attributes.clear()
    person.info.attributes.update(earlier.info.attributes)
    person.wants = dict(earlier.wants)
    person.shapes = dict(earlier.shapes)
    person.viewers = earlier.viewers
    person.former = [*earlier.tracks.values(), *earlier.former]


def rule(room: Room, person: Participant, now: float) -> None:
    """Their rights have just been changed: a token from before does not bring the earlier ones back."""
    room.rulings[person.identity] = Ruling(now, person.info.permission.SerializeToString(), dict(person.ticket.grants))


def obey(room: Room, person: Participant) -> None:
    """Somebody who comes in anew with a token that is older than an admin's word, or does not say how old it is."""
    ruling = room.rulings.get(person.identity)
    if ruling is None:
        return
    if person.ticket.issued_at and not person.ticket.issued_before(ruling.at):
        del room.rulings[person.identity]  # whoever issued it has thought again
        return
    person.ticket = with_rights(person.ticket, ruling.grants)
    person.info.permission.ParseFromString(ruling.permission)


def succeed(room: Room, person: Participant, track: Track) -> None:
    """``track`` was announced just now: if it is an earlier one that comes back, what was said about that is said about it."""
    earlier = _earlier(person, track)
    if earlier is None:
        return
    person.former.remove(earlier)
    for other in [*room.people.values(), *room.returning.values()]:
        if earlier.sid in other.wants:
            other.wants[track.sid] = other.wants.pop(earlier.sid)
            other.dirty = True
        if earlier.sid in other.shapes:
            other.shapes[track.sid] = other.shapes.pop(earlier.sid)
    if person.viewers is not None:
        person.viewers.succeed(earlier.sid, track.sid)
    if earlier.silenced:
        track.silenced = track.info.muted = True


def _earlier(person: Participant, track: Track) -> Track | None:
    same = [one for one in person.former if (one.info.source, one.kind) == (track.info.source, track.kind)]
    named = [one for one in same if one.info.name == track.info.name]
    return next(iter(named or same), None)


def bound(room: Room, person: Participant, track: Track, now: float) -> None:
    """Its client, which can hear of it only now, may not know that it is muted."""
    if track.silenced and track.info.muted:
        track.held_until = now + HOLD_SECONDS
        room.send(person, rtc.SignalResponse(mute=rtc.MuteTrackRequest(sid=track.sid, muted=True)))


def holds(track: Track, muted: bool, now: float) -> bool:
    """Is this unmuting said by a client that does not know yet?"""
    if muted or now >= track.held_until:
        track.held_until = 0.0
        return False
    return True
