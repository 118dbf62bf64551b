"""Who receives what: wishes of viewers, words of publishers, shapes of views. Parts of the room's state machine; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.conference import RECORDER
from commhub.media import messages as media
from signaling import viewers
from signaling.participant import Participant, Track
from signaling.viewers import Viewers

if TYPE_CHECKING:
    from signaling.session import Room

MAX_WISHES = 2000
MAX_SID = 64  # a longer one is nobody's, and is not remembered
MAX_NAMED = viewers.MAX_NAMED  # tracks one message may name; the rest of it is not read


def arrived(room: Room, viewer: Participant) -> None:
    """Somebody new learns what they may subscribe to, and is subscribed to what they want, in one command."""
    tracks: list[str] = []
    for publisher in room.people.values():
        if publisher is viewer or publisher.hidden:
            continue
        for track in publisher.tracks.values():
            if track.bound:
                _tell_allowed(room, viewer, publisher, track)
                if _gate(room, viewer, publisher, track) and viewer.wishes(track.sid) and not track.awaited:
                    tracks.append(track.sid)
    if tracks:
        viewer.subscribed.update(tracks)
        room.command(media.Subscribe(room.name, viewer.sid, tracks))


def published(room: Room, publisher: Participant, track: Track) -> None:
    """A new track: everybody who may and wants gets it."""
    if publisher.hidden:
        return
    for viewer in room.clients():
        if viewer is not publisher and not viewer.replaced:
            _tell_allowed(room, viewer, publisher, track)
            settle(room, viewer, publisher, track)


def _tell_allowed(room: Room, viewer: Participant, publisher: Participant, track: Track) -> None:
    allowed = publisher.may_be_seen_by(viewer, track.sid)
    update = rtc.SubscriptionPermissionUpdate(participant_sid=publisher.sid, track_sid=track.sid, allowed=allowed)
    room.send(viewer, rtc.SignalResponse(subscription_permission_update=update))


def _gate(room: Room, viewer: Participant, publisher: Participant, track: Track) -> bool:
    """The publisher's word, and whom the hub keeps apart, as the engine's second gate. True when the publisher's word allows it:
    who is kept apart goes on to be subscribed, so that being let in again needs no negotiation."""
    allowed = publisher.may_be_seen_by(viewer, track.sid)
    opened = allowed and (room.apart is None or not room.apart(publisher.identity, viewer.identity))
    if opened == (track.sid in viewer.denied):  # it changed
        room.command(media.Allow(room.name, viewer.sid, track.sid, opened))
        (viewer.denied.discard if opened else viewer.denied.add)(track.sid)
    return allowed


def settle(room: Room, viewer: Participant, publisher: Participant, track: Track) -> None:
    """Make the engine's subscription what it should be."""
    if viewer is publisher:
        return
    wanted = _gate(room, viewer, publisher, track) and track.bound and not publisher.hidden and viewer.wishes(track.sid)
    wanted = wanted and (not track.awaited or track.sid in viewer.subscribed)
    if wanted == (track.sid in viewer.subscribed):
        return
    (viewer.subscribed.add if wanted else viewer.subscribed.discard)(track.sid)
    room.command(media.Subscribe(room.name, viewer.sid, [track.sid], wanted))
    if wanted and (settings := viewer.shapes.get(track.sid)) is not None:
        _shape(room, viewer, track, settings)


def part(room: Room, apart: Callable[[str, str], bool] | None) -> None:
    """Media of the first identity do not reach the second where ``apart`` says so: gate two, also for who comes later. Once said,
    it is asked anew for everybody; None: nobody is apart."""
    room.apart = apart
    for publisher in room.people.values():
        for track in publisher.tracks.values():
            conceal(room, publisher, track)
    for viewer in room.clients():
        settle_viewer(room, viewer)


def conceal(room: Room, publisher: Participant, track: Track) -> None:
    """Whatever records the room is a viewer like others, asked for before the track's first packet."""
    concealed = room.apart is not None and room.apart(publisher.identity, RECORDER)
    if concealed != track.concealed:
        track.concealed = concealed
        room.command(media.Allow(room.name, RECORDER, track.sid, not concealed))


def settle_viewer(room: Room, viewer: Participant) -> None:
    for publisher in room.people.values():
        for track in publisher.tracks.values():
            settle(room, viewer, publisher, track)


def wish(room: Room, viewer: Participant, tracks: Iterable[str], on: bool, *, quiet: bool = False) -> None:
    """``subscription``: unknown tracks are answered by ``subscription_response`` unless ``quiet``, and remembered for when they
    come. What may not be had is answered by ``subscription_permission_update``."""
    for sid in dict.fromkeys(islice(tracks, MAX_NAMED)):
        if len(sid) > MAX_SID:
            continue
        if len(viewer.wants) < MAX_WISHES or sid in viewer.wants:
            viewer.wants[sid] = on
            viewer.dirty = True
        found = room.find_track(sid)
        if found is not None:
            settle(room, viewer, *found)
            if on and not quiet and sid in viewer.denied:
                _tell_allowed(room, viewer, *found)
        elif on and not quiet:
            unknown = rtc.SubscriptionResponse(track_sid=sid, err=models.SubscriptionError.SE_TRACK_NOTFOUND)
            room.send(viewer, rtc.SignalResponse(subscription_response=unknown))


def permission(room: Room, publisher: Participant, word: rtc.SubscriptionPermission) -> None:
    """``subscription_permission``: the publisher says who may see which of their tracks."""
    said = viewers.read(word, lambda sid: room.people[sid].identity if sid in room.people else "")
    if said is not None:
        restrict(room, publisher, said)


def restrict(room: Room, publisher: Participant, said: Viewers | None) -> None:
    """``said`` counts from now on; whom it concerns is told."""
    before = {(viewer.sid, sid): publisher.may_be_seen_by(viewer, sid) for viewer in room.clients() for sid in publisher.tracks}
    publisher.viewers, publisher.dirty = said, True
    for viewer in room.clients():
        if viewer is publisher:
            continue
        for track in publisher.tracks.values():
            if before[viewer.sid, track.sid] != publisher.may_be_seen_by(viewer, track.sid):
                _tell_allowed(room, viewer, publisher, track)
                settle(room, viewer, publisher, track)


def shape(room: Room, viewer: Participant, settings: rtc.UpdateTrackSettings) -> None:
    """``track_setting``: what the view needs. It is remembered for tracks that are not subscribed to now."""
    for sid in settings.track_sids[:MAX_NAMED]:
        if len(sid) > MAX_SID:
            continue
        if len(viewer.shapes) < MAX_WISHES or sid in viewer.shapes:
            kept = viewer.shapes[sid] = rtc.UpdateTrackSettings()
            kept.CopyFrom(settings)
            del kept.track_sids[:]
        found = room.find_track(sid)
        if found is not None and sid in viewer.subscribed:
            _shape(room, viewer, found[1], settings)


def reshape(room: Room, track: Track) -> None:
    """Its layers are others now: sizes mean another quality."""
    for viewer in room.clients():
        settings = viewer.shapes.get(track.sid)
        if settings is not None and track.sid in viewer.subscribed:
            _shape(room, viewer, track, settings)


def _shape(room: Room, viewer: Participant, track: Track, settings: rtc.UpdateTrackSettings) -> None:
    """A size is translated into the smallest layer that fills it."""
    quality = int(settings.quality)
    if settings.width or settings.height:
        quality = quality_for(track.info, settings.width, settings.height)
    room.command(
        media.Shape(
            room.name,
            viewer.sid,
            [track.sid],
            enabled=not settings.disabled,
            quality=min(quality, 2),
            width=settings.width,
            height=settings.height,
            fps=settings.fps,
            priority=settings.priority,
        )
    )


def quality_for(info: models.TrackInfo, width: int, height: int) -> int:
    """The lowest announced layer whose shorter side is at least the view's; high when none is or none is announced."""
    asked = min(width, height) or max(width, height)
    for layer in sorted(info.layers, key=lambda layer: int(layer.quality)):
        if min(layer.width, layer.height) >= asked:
            return min(int(layer.quality), 2)
    return 2
