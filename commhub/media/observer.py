"""What is measured in the rooms and told on: who speaks, how good connections are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from commhub.media import messages
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
        self._counted: dict[int, tuple[int, int]] = {}  # receiver → packets, lost at the last look
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
        for room in self._home.rooms.values():
            changed = []
            for peer in room.peers.values():
                if peer.connection is None or (not peer.connected and peer not in self._quality):
                    continue
                quality, score = judge(self._observations(peer), connected=peer.connected)
                if self._quality.get(peer) != quality:
                    self._quality[peer] = quality
                    changed.append(PeerQuality(peer.id, quality, score))
            if changed:
                self._home.emit(messages.Quality(room.name, changed))

    def _observations(self, peer: Peer) -> list[Observation]:
        plane = self._home.plane
        result = []
        for subscription in peer.subscriptions.values():
            if subscription.route and subscription.active and not subscription.starved:
                counters = plane.counters(subscription.route)
                if counters.packets:
                    result.append(Observation(counters.fraction_lost, counters.rtt_ms, counters.jitter_ms))
        for track in peer.tracks.values():
            for encoding in track.encodings:
                layers = plane.layers(encoding.receiver) if track.flows else []
                packets, lost = sum(one.packets for one in layers), sum(one.lost for one in layers)
                packets_before, lost_before = self._counted.get(encoding.receiver, (0, 0))
                self._counted[encoding.receiver] = (packets, lost)
                fresh, missing = packets - packets_before, lost - lost_before
                if fresh > 0 and missing >= 0:
                    result.append(Observation(missing / (fresh + missing)))
        return result

    def tick(self) -> None:
        now = self._home.now()
        self._tell_speakers(now)
        if now - self._quality_at >= QUALITY_INTERVAL:
            self._quality_at = now
            self._counted = {number: seen for number, seen in self._counted.items() if self._home.tracks_of(number)}
            self._tell_quality()
