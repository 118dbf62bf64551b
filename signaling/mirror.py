"""A participant who is seen in another room too: somebody of kind details FORWARDED there, who follows whatever changes here.
Parts of the rooms' state machines; no I/O, no clock.

Their tracks have sids of their own, and name in ``cids`` the stream of the Source (the track's sid in the room they come from).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.conference import Ticket
from signaling import floors, messages, placement, publishing, subscribing
from signaling.outs import Joined
from signaling.participant import Origin, Participant, State, Track, honest
from signaling.viewers import Viewers

if TYPE_CHECKING:
    from signaling.session import Room

FORWARDED = models.ParticipantInfo.KindDetail.FORWARDED


def begin(room: Room, person: Participant, origin: Origin, now: float) -> Participant:
    """``person`` of the room ``origin`` names, seen in ``room`` from now on."""
    info = models.ParticipantInfo(
        sid=messages.new_sid("PA_"),
        identity=person.identity,
        state=State.ACTIVE,
        joined_at=int(now),
        joined_at_ms=int(now * 1000),
        permission=models.ParticipantPermission(can_publish=True, hidden=person.hidden),
        kind=person.info.kind,
        kind_details=[*person.info.kind_details, FORWARDED],
    )
    # Their organisation is what their own token says; the token itself is for the other room and stays there.
    ticket = Ticket(key="", identity=person.identity, attributes=dict(person.ticket.attributes))
    image = Participant(info, ticket, kind="bridge", auto_subscribe=False, origin=origin, person=person.person)
    _describe(room, image, person)
    for track in person.tracks.values():
        if track.bound:
            copy = _copy(track)
            image.tracks[copy.sid] = copy
    image.viewers = _viewers(image, person)
    room.people[image.sid] = image
    room.by_identity[image.identity] = image.sid
    room.recount(now)
    placement.add_bridge(room, image)
    room.show(image)
    room.outs.append(Joined(image.presence()))
    return image


def follow(room: Room, image: Participant, person: Participant, muted: dict[str, bool]) -> None:
    """Whatever is different now. ``muted`` is what was last seen of each track there; it is brought up to date. A mute that
    somebody set here stays until it changes there."""
    changed = _describe(room, image, person)
    here = {name: track for track in image.tracks.values() for name in track.cids}
    there = {track.sid: track for track in person.tracks.values() if track.bound}
    for name in [name for name in here if name not in there]:
        publishing.withdraw(room, image, here.pop(name))
        muted.pop(name, None)
        changed = True
    for name, track in there.items():
        mine = here.get(name)
        if mine is None:
            mine = _copy(track)
            image.tracks[mine.sid] = mine
            image.dirty = True
            room.command(mine.announce(room.name, image.sid))
            floors.announced(room, image, mine)
        elif muted.get(name, track.info.muted) != track.info.muted:
            publishing.mute(room, image, mine, track.info.muted)
        muted[name] = track.info.muted
    said = _viewers(image, person)
    if said != image.viewers:
        subscribing.restrict(room, image, said)
    if changed:
        room.show(image)


def _viewers(image: Participant, person: Participant) -> Viewers | None:
    """Who may see them there may see them here: what they said of their tracks, about the copies."""
    if person.viewers is None:
        return None
    word = rtc.SubscriptionPermission()
    word.CopyFrom(person.viewers.word)
    copies = {name: track.sid for track in image.tracks.values() for name in track.cids}
    for entry in word.track_permissions:
        mine = [copies[sid] for sid in entry.track_sids if sid in copies]
        del entry.track_sids[:]
        entry.track_sids.extend(mine)
    return Viewers(word)


def _describe(room: Room, image: Participant, person: Participant) -> bool:
    """Name, metadata, attributes. True when any of them is new."""
    mine, theirs = image.info, person.info
    attributes = honest(image.ticket, theirs.attributes) if room.kept else dict(theirs.attributes)
    same = (mine.name, mine.metadata, dict(mine.attributes)) == (theirs.name, theirs.metadata, attributes)
    if not same:
        mine.name, mine.metadata = theirs.name, theirs.metadata
        mine.attributes.clear()
        mine.attributes.update(attributes)
    return not same


def _copy(track: Track) -> Track:
    info = models.TrackInfo()
    info.CopyFrom(track.info)
    info.sid = messages.new_track_sid(info.source, info.type)
    info.mid = ""
    del info.codecs[1:]  # the one that is sent first is what is forwarded
    for codec in info.codecs:
        codec.cid = codec.mid = ""
    return Track(info, {track.sid: ""}, stream=track.stream)
