"""Rooms in which only some are heard: everybody publishes a microphone, and gate one is open for the floor's. No I/O, no clock.

The gate is shut in the same breath as the track is announced, before the first packet of it can come: who unmutes or publishes
anew by themselves is not heard. Permissions, publications and mutes are not touched.

In a large room a microphone is subscribed to when it first opens, and from then on: fifty people who mostly listen would
otherwise negotiate 2,450 subscriptions before the first word.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from commhub.conference import RECORDER
from commhub.media import messages as media
from signaling import subscribing

if TYPE_CHECKING:
    from signaling.participant import Participant, Track
    from signaling.session import Room

EAGER = 8  # people up to whom every microphone is subscribed to at once: the first word then waits for no negotiation


def governed(room: Room, person: Participant, track: Track) -> bool:
    """Is it a voice that the floor decides about? Cameras that were brought in are not."""
    return room.speakers is not None and track.kind == "audio" and person.seat is None


def announced(room: Room, person: Participant, track: Track) -> None:
    """Right behind the announcement: engine and room agree again about the gate, which begins open."""
    track.shut = track.concealed = False
    settle(room, person, track)
    subscribing.conceal(room, person, track)


def settle(room: Room, person: Participant, track: Track) -> None:
    shut = governed(room, person, track) and person.identity not in (room.speakers or ())
    if not shut:
        track.awaited = False
    elif not track.shut:
        track.awaited = len(room.people) > EAGER
    if shut != track.shut:
        track.shut = shut
        room.command(media.Open(room.name, track.sid, not shut))


def settle_all(room: Room) -> None:
    for person in room.people.values():
        for track in person.tracks.values():
            settle(room, person, track)


def govern(room: Room, speakers: Iterable[str] | None) -> None:
    """Only these identities are heard from now on; None: everybody. Who loses the floor is silenced before anybody gets it."""
    before = room.speakers
    room.speakers = None if speakers is None else frozenset(speakers)
    changed = sorted(room.people.values(), key=lambda person: room.speakers is None or person.identity in room.speakers)
    for person in changed:
        for track in person.tracks.values():
            waited = track.awaited
            settle(room, person, track)
            if waited and not track.awaited and track.bound:
                subscribing.published(room, person, track)
    if (before is None) != (room.speakers is None):
        for person in room.people.values():  # everybody carries the rule: a restarted hub finds the gates as they are to be
            person.dirty = True


def agree(room: Room, state: media.RoomState) -> None:
    """What the worker says of its gates, compared: a word about them may have been lost."""
    known = {track.track: not track.open for peer in state.peers for track in peer.tracks}
    concealed = {track for subscriber, track in state.denied if subscriber == RECORDER}
    for person in room.people.values():
        for track in person.tracks.values():
            track.shut = known.get(track.sid, False)
            settle(room, person, track)
            track.awaited = track.shut and len(room.people) > EAGER  # who has subscribed to it before goes on
            track.concealed = track.sid in concealed
            subscribing.conceal(room, person, track)
