"""What viewers by WHEP get to see.

Such a viewer offers once: it has so many sections for sound and for pictures, and they are filled with whatever its view
asks for, now and later. :func:`look` decides that anew after every change in the room. No I/O, no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from commhub.media import messages as media
from signaling import subscribing
from signaling.resource import View
from signaling.tokens import SOURCES

if TYPE_CHECKING:
    from signaling.participant import Participant, Track
    from signaling.session import Room


def look(room: Room) -> None:
    """Give every viewer what its view asks for, as far as it is there."""
    for sid in list(room.viewers):
        viewer = room.people.get(sid)
        if viewer is None or viewer.replaced or viewer.resource is None or viewer.resource.view is None:
            room.viewers.discard(sid)
            continue
        chosen = choose(room, viewer, viewer.resource.view)
        if chosen == viewer.chosen == viewer.subscribed:
            continue
        # What it no longer wants goes first: its section is free then for what takes the place.
        viewer.chosen = chosen
        subscribing.settle_viewer(room, viewer)
        if gone := sorted(viewer.subscribed - chosen):
            viewer.subscribed.difference_update(gone)
            room.command(media.Subscribe(room.name, viewer.sid, gone, on=False))


def choose(room: Room, viewer: Participant, view: View) -> set[str]:
    """As many tracks of each kind as the viewer has sections: those that are not muted first, then what it has already, then a
    screen, then who came first."""
    offered: list[tuple[tuple[bool, bool, bool], int, str, str]] = []
    sources = {SOURCES[name] for name in view.sources if name in SOURCES}
    for publisher in room.people.values():  # in the order in which they came
        if publisher is viewer or publisher.hidden or publisher.replaced or not _named(publisher.identity, view.participant):
            continue
        for track in publisher.tracks.values():
            if not track.bound or (sources and track.info.source not in sources):
                continue
            if publisher.may_be_seen_by(viewer, track.sid):
                offered.append((_rank(viewer, track), len(offered), track.kind, track.sid))
    offered.sort()
    pictures = [sid for _, _, kind, sid in offered if kind == "video"][: view.video]
    sounds = [sid for _, _, kind, sid in offered if kind == "audio"][: view.audio]
    return {*pictures, *sounds}


def _rank(viewer: Participant, track: Track) -> tuple[bool, bool, bool]:
    screen = track.info.source in (SOURCES["screen_share"], SOURCES["screen_share_audio"])
    return track.info.muted, track.sid not in viewer.subscribed, not screen


def _named(identity: str, wanted: str) -> bool:
    return not wanted or identity == wanted or identity.partition(":")[0] == wanted


def follow(room: Room, wanted: str) -> tuple[str, str] | None:
    """Whose track ``TR_…`` is, and from which source: that is what a viewer follows, for the sid changes when it is published
    again."""
    found = room.find_track(wanted)
    if found is None:
        return None
    names = {number: name for name, number in SOURCES.items()}
    return found[0].identity, names.get(found[1].info.source, "")
