"""Data tracks: frames that go from one member of a room to those who subscribed to them.

A frame's packet (LiveKit's ``pkg/rtc/datatrack``): version 3 bits, S, F, X and 10 reserved bits, *handle* 16, sequence 16,
frame number 16, timestamp 32, extensions, payload. Only the handle is touched: every receiver knows the track by a number of
its own.
"""

from __future__ import annotations

from typing import Protocol

from commhub.media import messages
from commhub.media.fanout import FanOut
from commhub.media.room import Peer, Room
from commhub.media.transport import Transport

HEADER = 12


class Home(Protocol):
    fan_out: FanOut
    rooms: dict[str, Room]

    def now(self) -> float: ...


class _Track:
    __slots__ = ("handle", "id", "peer", "receivers")

    def __init__(self, track: str, peer: Peer, handle: int) -> None:
        self.id, self.peer, self.handle = track, peer, handle
        self.receivers: dict[Peer, bytes] = {}


class Frames:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._tracks: dict[tuple[str, str], _Track] = {}  # by room and sid
        self._by_handle: dict[tuple[Peer, int], _Track] = {}
        self.dropped = 0  # frames of no track, or beyond what their publisher may cause

    def _peer(self, room: str, peer: str) -> Peer | None:
        known = self._home.rooms.get(room)
        return known.peers.get(peer) if known is not None else None

    def publish(self, message: messages.PublishData) -> None:
        """Idempotent."""
        peer = self._peer(message.room, message.peer)
        if peer is None or (message.room, message.track) in self._tracks:
            return
        track = _Track(message.track, peer, message.handle)
        self._tracks[message.room, message.track] = self._by_handle[peer, message.handle] = track

    def unpublish(self, message: messages.UnpublishData) -> None:
        track = self._tracks.get((message.room, message.track))
        if track is not None:
            self._end(track)

    def _end(self, track: _Track) -> None:
        self._tracks.pop((track.peer.room.name, track.id), None)
        if self._by_handle.get((track.peer, track.handle)) is track:
            del self._by_handle[track.peer, track.handle]

    def subscribe(self, message: messages.SubscribeData) -> None:
        track = self._tracks.get((message.room, message.track))
        peer = self._peer(message.room, message.peer)
        if track is None or peer is None or peer is track.peer:
            return
        if message.handle:
            track.receivers[peer] = message.handle.to_bytes(2, "big")
        else:
            track.receivers.pop(peer, None)

    def forget(self, peer: Peer) -> None:
        for track in list(self._tracks.values()):
            track.receivers.pop(peer, None)
            if track.peer is peer:
                self._end(track)

    def from_peer(self, transport: Transport, packet: bytes) -> None:
        sender = transport.owner
        if not isinstance(sender, Peer) or not sender.may_send_data or len(packet) < HEADER:
            self.dropped += 1
            return
        track = self._by_handle.get((sender, int.from_bytes(packet[2:4], "big")))
        fan_out = self._home.fan_out
        if track is None or not fan_out.afford(sender, len(packet), max(1, len(track.receivers)), self._home.now()):
            self.dropped += 1
            return
        head, rest = packet[:2], packet[4:]
        for peer, handle in track.receivers.items():
            if peer.connection is not None and peer.may_subscribe:
                peer.connection.send_frame(head + handle + rest)
