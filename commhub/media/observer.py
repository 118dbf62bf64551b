"""What is measured in the rooms and told on: who speaks, how good connections are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from commhub.media import messages
from commhub.media.losses import Losses
from commhub.media.messages import Message, PeerQuality, Speaker
from commhub.media.plane import Plane
from commhub.media.quality import Observation, judge
from commhub.media.room import Peer, Room, Track
from commhub.media.sinks import Sinks
from commhub.media.speakers import ACTIVE_LEVEL, Speakers, linear

QUALITY_INTERVAL = 5.0  # seconds


class Home(Protocol):
    plane: Plane
    sinks: Sinks
    rooms: dict[str, Room]
    emit: Callable[[Message], None]

    def now(self) -> float: ...
    def tracks_of(self, receiver: int) -> list[Track]: ...


class Observer:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._speakers: dict[str, Speakers] = {}  # by room
        self._quality: dict[Peer, int] = {}  # as told
        self._losses = Losses()
        self._quality_at = 0.0

    def forget_room(self, room: Room) -> None:
        self._speakers.pop(room.name, None)

    def forget(self, peer: Peer) -> None:
        self._quality.pop(peer, None)
        speakers = self._speakers.get(peer.room.name)
        if speakers is not None:
            speakers.forget(peer.id)

    # ---- speakers

    def audio_levels(self, levels: list[tuple[int, int]]) -> None:
        """As :meth:`PlaneEvents.audio_levels` has it. Gates and mutes have been applied by the plane, but for Sources."""
        heard: dict[str, list[Speaker]] = {}
        for receiver, level in levels:
            for track in self._home.tracks_of(receiver):
                peer, room = track.peer, track.room
                if not track.flows or peer.hidden:
                    continue
                self._speakers.setdefault(room.name, Speakers()).hear(peer.id, level)
                if room.sinks and level < 127:
                    speaker = Speaker(peer.id, peer.identity, round(linear(level), 3), level <= ACTIVE_LEVEL)
                    heard.setdefault(room.name, []).append(speaker)
        for name, speakers in heard.items():
            self._home.sinks.speakers(self._home.rooms[name], speakers)

    def silence(self, track: Track) -> None:
        """A muted track speaks no longer, whatever was heard of it just now."""
        speakers = self._speakers.get(track.room.name)
        if speakers is None:
            return
        told = track.peer.id in speakers.active()
        speakers.forget(track.peer.id)
        if told:
            quiet = Speaker(track.peer.id, track.peer.identity, 0.0, False)
            self._home.emit(messages.Speakers(track.room.name, [quiet]))

    def _tell_speakers(self, now: float) -> None:
        for name, speakers in list(self._speakers.items()):
            room = self._home.rooms.get(name)
            if room is None:
                del self._speakers[name]
            elif speakers.due(now):
                changed = [
                    Speaker(peer.id, peer.identity, level, level > 0)
                    for key, level in speakers.changes(now)
                    if (peer := room.peers.get(key)) is not None
                ]
                if changed:
                    self._home.emit(messages.Speakers(name, changed))

    # ---- connection quality

    def _tell_quality(self) -> None:
        receivers: set[int] = set()
        routes: set[int] = set()
        for room in self._home.rooms.values():
            lost = self._lost_upstream(room, receivers)
            changed = []
            for peer in room.peers.values():
                if peer.connection is None or (not peer.connected and peer not in self._quality):
                    continue
                seen = self._received(peer, routes) + [
                    Observation(lost[track]) for track in peer.tracks.values() if track in lost
                ]
                quality, score = judge(seen, connected=peer.connected)
                if self._quality.get(peer) != quality:
                    self._quality[peer] = quality
                    changed.append(PeerQuality(peer.id, quality, score))
            if changed:
                self._home.emit(messages.Quality(room.name, changed))
        self._losses.keep(receivers, routes)

    def _lost_upstream(self, room: Room, receivers: set[int]) -> dict[Track, float]:
        """Track → the share of it that never came, of those that flow."""
        lost: dict[Track, float] = {}
        for track in room.tracks.values():
            for encoding in track.encodings:
                receivers.add(encoding.receiver)
                _, gone = self._losses.up(encoding.receiver, self._home.plane.reception(encoding.receiver))
                if track.flows:
                    lost[track] = max(gone, lost.get(track, 0.0))
        return lost

    def _received(self, peer: Peer, routes: set[int]) -> list[Observation]:
        result = []
        for subscription in peer.subscriptions.values():
            if not subscription.route or subscription.encoding is None:
                continue
            routes.add(subscription.route)
            counters = self._home.plane.counters(subscription.route)
            loss = self._losses.down(subscription.route, counters)
            if counters.packets and subscription.active and not subscription.starved:
                own = max(0.0, loss - self._losses.missing(subscription.encoding.receiver))
                result.append(Observation(own, counters.rtt_ms, counters.jitter_ms))
        return result

    def tick(self) -> None:
        now = self._home.now()
        self._tell_speakers(now)
        if now - self._quality_at >= QUALITY_INTERVAL:
            self._quality_at = now
            self._tell_quality()
