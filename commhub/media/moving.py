"""A peer goes on in another room of its worker: its transports, receivers and data channels stay as they are."""

from __future__ import annotations

from typing import Protocol

from commhub.media.broadcast import Broadcast
from commhub.media.frames import Frames
from commhub.media.observer import Observer
from commhub.media.room import Peer, Room, Track
from commhub.media.sinks import Sinks
from commhub.media.stage import Stage


class Home(Protocol):
    stage: Stage
    sinks: Sinks
    broadcast: Broadcast
    frames: Frames
    observer: Observer

    def touch(self, track: Track) -> None: ...
    def unsettle(self, peer: Peer) -> None: ...


def move(home: Home, peer: Peer, to: Room) -> None:
    """What it received and who received it belongs to the old room and ends; what its connection can carry is still known.
    The hub says who gets what in the new one."""
    _depart(home, peer)
    peer.room = to
    to.peers[peer.id] = peer
    to.tracks.update(peer.tracks)
    home.broadcast.joined(peer)
    if not peer.hidden:
        home.sinks.peer(peer, True)
    for track in peer.tracks.values():
        track.received = False
        home.sinks.track_begins(track)
        home.touch(track)
    home.unsettle(peer)


def _depart(home: Home, peer: Peer) -> None:
    room = peer.room
    for track in peer.tracks.values():
        for subscription in list(track.subscriptions.values()):
            home.stage.unsubscribe(subscription)
        for encoding in track.encodings:
            home.sinks.track_ends(track, encoding)
        room.tracks.pop(track.id, None)
    for subscription in list(peer.subscriptions.values()):
        home.stage.unsubscribe(subscription)
    home.broadcast.forget(peer)
    home.frames.forget(peer)
    home.observer.forget(peer)
    room.denied = {pair for pair in room.denied if pair[0] != peer.id and pair[1] not in peer.tracks}
    del room.peers[peer.id]
    if not peer.hidden:
        home.sinks.peer(peer, False, "moved")
