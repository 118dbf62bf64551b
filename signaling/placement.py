"""A room and the workers: placed, lost with its worker, found again by a restarted hub. No I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import data_tracks, floors, messages, participant, publishing, returning, subscribing
from signaling.participant import Participant, State

if TYPE_CHECKING:
    from signaling.session import Room


def place(room: Room) -> None:
    """The room opens on a worker, with its cameras."""
    room.placed = True
    room.command(media.OpenRoom(room.name, room.beside))
    for person in room.people.values():
        if person.kind == "bridge":
            add_bridge(room, person)


def add_peer(room: Room, person: Participant) -> None:
    """The worker learns of somebody, and keeps their record."""
    person.dirty = False
    permission = person.info.permission
    room.command(
        media.AddPeer(
            room=room.name,
            peer=person.sid,
            identity=person.identity,
            kind=person.kind,
            dual=person.dual,
            about=person.about(),
            record=participant.pack(person, room.record()),
            hidden=person.hidden,
            fixed=person.fixed,
            may_publish=permission.can_publish,
            may_subscribe=permission.can_subscribe,
            may_send_data=permission.can_publish_data,
            may_pause=person.may_pause,
            adaptive=person.adaptive,
            takes_red=person.client.takes_red,
        )
    )


def add_bridge(room: Room, person: Participant) -> None:
    add_peer(room, person)
    room.command(media.AttachSource(room.name, person.sid, person.source))
    for track in person.tracks.values():
        room.command(track.announce(room.name, person.sid, person.client))
        floors.announced(room, person, track)


def lost(room: Room, now: float) -> None:
    room.placed = False
    for person in list(room.people.values()):
        _unplace(room, person, now)


def _unplace(room: Room, person: Participant, now: float) -> None:
    if person.replaced:
        return
    for track in person.tracks.values():
        track.bound = False
    if person.kind == "bridge":
        person.info.version += 1
        return
    room.send(person, messages.leave(models.DisconnectReason.MIGRATION, rtc.LeaveRequest.RECONNECT))
    room.close_socket(person)
    person.replaced, person.present = True, False
    person.away_until = now + room.terms.away
    returning.remember(person)


def restore(room: Room, state: media.RoomState, now: float) -> None:
    room.placed = True
    new = not any(True for _ in room.clients())  # a hub that is new, and not only cut off
    there = {peer.peer for peer in state.peers}
    seats = {peer.identity: peer for peer in state.peers if peer.kind == "bridge"}
    outdated: set[str] = set()
    for person in list(room.people.values()):
        if person.sid in there:
            continue
        if person.kind != "bridge":
            _unplace(room, person, now)
            continue
        seated = seats.get(person.identity) if new else None
        if seated is not None and _same_seat(person, seated):
            del room.people[person.sid]  # it sits there already: its tracks go on, for viewers and recordings
            continue
        if seated is not None:
            outdated.add(seated.peer)
            room.command(media.RemovePeer(room.name, seated.peer, "replaced"))
        add_bridge(room, person)
    for peer in state.peers:
        if peer.peer in outdated:
            continue
        known = room.people.get(peer.peer)
        if known is None and new:
            _restore_peer(room, peer, now)
        elif known is None:
            room.command(media.RemovePeer(room.name, peer.peer, "left meanwhile"))
        elif not known.replaced:
            _compare(room, known, peer, now)
    for identity in room.by_identity:
        room.returning.pop(identity, None)
    _agree(room, state)


def _same_seat(person: Participant, peer: media.PeerState) -> bool:
    try:
        return participant.unpack(peer.record)[0].seat == person.seat
    except ValueError:
        return False


def _agree(room: Room, state: media.RoomState) -> None:
    """Rights, gates, subscriptions and data tracks as they should be: any word about them may have been lost."""
    floors.agree(room, state)
    here = [person for person in room.clients() if not person.replaced]
    there = {peer.peer: peer for peer in state.peers}
    for person in here:
        person.denied = {track for subscriber, track in state.denied if subscriber == person.sid}
        _rights(room, person, there.get(person.sid))
    for person in here:
        subscribing.settle_viewer(room, person)
        data_tracks.restored(room, person)


def _compare(room: Room, person: Participant, peer: media.PeerState, now: float) -> None:
    """Only the link was cut: what either side said meanwhile is said again."""
    known = {track.track: track for track in peer.tracks}
    for track in list(person.tracks.values()):
        state = known.get(track.sid)
        if state is None:
            room.command(track.announce(room.name, person.sid, person.client))
            continue
        if state.cids != track.cids:
            room.command(track.announce(room.name, person.sid, person.client))
        if state.mid and not track.bound:
            publishing.bound(room, person, track.sid, state.mid, state.mime, now)
        elif track.bound and not state.mid:
            publishing.ended(room, person, track.sid, now)
        if state.muted != track.info.muted:
            room.command(media.Mute(room.name, track.sid, track.info.muted))
    _withdraw_unknown(room, person, peer)
    there = set(peer.subscriptions)
    if missing := sorted(person.subscribed - there):
        room.command(media.Subscribe(room.name, person.sid, missing))
    if surplus := sorted(there - person.subscribed):
        room.command(media.Subscribe(room.name, person.sid, surplus, on=False))
    person.dirty = True


def _rights(room: Room, person: Participant, known: media.PeerState | None) -> None:
    permission = person.info.permission
    rights = (permission.hidden, permission.can_publish, permission.can_subscribe, permission.can_publish_data)
    if known is None or rights == (known.hidden, known.may_publish, known.may_subscribe, known.may_send_data):
        return
    hidden, publish, subscribe, data = rights
    room.command(
        media.UpdatePeer(room.name, person.sid, hidden=hidden, may_publish=publish, may_subscribe=subscribe, may_send_data=data)
    )


def _withdraw_unknown(room: Room, person: Participant, peer: media.PeerState) -> None:
    for track in peer.tracks:
        if track.track not in person.tracks:
            room.command(media.Withdraw(room.name, person.sid, track.track))


def _restore_peer(room: Room, peer: media.PeerState, now: float) -> None:
    try:
        person, _ = participant.unpack(peer.record)
    except ValueError:
        room.command(media.RemovePeer(room.name, peer.peer, "unreadable record"))
        return
    known = {track.track: track for track in peer.tracks}
    for sid, track in list(person.tracks.items()):
        if sid not in known:
            if track.bound and person.kind == "client":
                del person.tracks[sid]
                continue
            track.bound = False
            room.command(track.announce(room.name, person.sid, person.client))
        elif not track.bound and known[sid].mid:
            publishing.bind(track, known[sid].mid, known[sid].mime, now)
        elif track.bound and not known[sid].mid:  # it ended, and the record that says so was lost
            track.bound = False
            track.ended_at = now if person.kind == "client" else None
    for sid, track in person.tracks.items():
        if sid in known:
            track.info.muted = known[sid].muted  # every word about it reached the worker before the record did
    _withdraw_unknown(room, person, peer)
    person.received = peer.received
    person.subscribed = set(peer.subscriptions)
    person.info.state = State.ACTIVE if peer.connected or person.kind == "bridge" else State.JOINED
    person.away_until = now + room.terms.away if person.kind == "client" else None
    if person.on_http:
        person.present = True
        person.away_until = None if peer.connected else person.away_until
        if person.fixed:
            room.viewers.add(person.sid)
            person.chosen = set(person.subscribed)
    room.people[person.sid] = person
    room.by_identity[person.identity] = person.sid
