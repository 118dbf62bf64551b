"""How everybody in a room sends and receives, for whoever looks at it.

Rates need two looks: nothing is kept of a room that nobody asks about, so looking costs only while somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from commhub.errors import NotFound
from commhub.media.messages import AskStats, DownStats, PeerStats, RoomStats, UpStats
from commhub.media.plane import Plane, Reception
from commhub.media.room import Peer, Room, Subscription, Track

SHORTEST = 0.5  # seconds; who asks sooner gets the last answer again
LONGEST = 30.0  # seconds; rates over more say nothing of now
FLOWING = 2.0  # seconds without a packet after which nothing flows


class Home(Protocol):
    plane: Plane
    rooms: dict[str, Room]

    def now(self) -> float: ...
    def estimate(self, peer: Peer) -> int:
        """Bit/s that the peer's connection carries; 0 unknown."""


@dataclass(slots=True)
class _Look:
    """What was counted at ``at``: receiver → (expected, received, lost, octets, nacks), route → (octets, nacks)."""

    at: float
    receivers: dict[int, tuple[int, int, int, int, int]] = field(default_factory=dict)
    routes: dict[int, tuple[int, int]] = field(default_factory=dict)
    answer: RoomStats | None = None


class Stats:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._looks: dict[str, _Look] = {}

    def room(self, ask: AskStats) -> RoomStats:
        """NotFound."""
        room, now = self._home.rooms.get(ask.room), self._home.now()
        if room is None:
            raise NotFound("The room is not on this worker.", "会商不在此媒体进程上。", code="no_room")
        self._looks = {name: look for name, look in self._looks.items() if now - look.at <= LONGEST and name in self._home.rooms}
        before = self._looks.get(room.name)
        if before is not None and before.answer is not None and now - before.at < SHORTEST:
            return before.answer
        look = self._looks[room.name] = _Look(now)
        seconds = 0.0 if before is None else now - before.at
        answer = _Answer(self._home, before or _Look(now), look, seconds)
        for track in room.tracks.values():
            answer.up(track)  # who receives it is judged by how it came
        look.answer = RoomStats(room.name, round(seconds, 3), [answer.peer(peer) for peer in room.peers.values()])
        return look.answer


class _Answer:
    """One look at a room. ``seconds`` since the one ``before``; 0: there was none."""

    def __init__(self, home: Home, before: _Look, look: _Look, seconds: float) -> None:
        self._home, self._before, self._look, self._seconds = home, before, look, seconds
        self._ages: dict[int, float] = {}
        self._ups: dict[Track, UpStats] = {}

    def peer(self, peer: Peer) -> PeerStats:
        home = self._home
        down = [self._down(one) for one in peer.subscriptions.values()]
        over, heard = "", -1.0
        for transport in peer.connection.transports if peer.connection is not None else ():
            contact = home.plane.contact(transport.number)
            if contact.over:
                over = contact.over if over in ("", contact.over) else "tcp"
                age = max(0.0, home.now() - contact.heard)
                heard = age if heard < 0 else min(heard, age)
        trips = [one.rtt_ms for one in down if one.rtt_ms]
        return PeerStats(
            peer=peer.id,
            identity=peer.identity,
            kind=peer.kind,
            connected=peer.connected,
            over=over,
            heard=round(heard, 2),
            rtt_ms=round(min(trips), 1) if trips else 0.0,
            estimate=home.estimate(peer),
            up=[self._ups[track] for track in peer.tracks.values() if track in self._ups],
            down=down,
        )

    def up(self, track: Track) -> None:
        if track.encodings:
            self._ups[track] = self._up(track)

    def _up(self, track: Track) -> UpStats:
        plane, total, best = self._home.plane, Reception(), (0, 0)
        fresh = [0, 0, 0, 0, 0]
        rates: list[int] = []
        for encoding in track.encodings:
            seen = plane.reception(encoding.receiver)
            for at, value in enumerate(self._since(encoding.receiver, seen)):
                fresh[at] += value
            total.jitter_ms = max(total.jitter_ms, seen.jitter_ms)
            layers = plane.layers(encoding.receiver)
            rates = rates or [layer.bitrate for layer in layers]
            best = max([best, *((layer.width, layer.height) for layer in layers)])
        expected, received, lost, octets, nacks = fresh
        return UpStats(
            track=track.id,
            kind=track.kind,
            source=track.source,
            muted=not track.flows,
            bitrate=self._rate(octets * 8),
            loss=_share(expected - received, expected),
            gone=_share(lost, expected),
            jitter_ms=round(total.jitter_ms, 1),
            nacks=round(nacks / self._seconds, 1) if self._seconds else 0.0,
            age=round(self._age(track), 2),
            layers=rates,
            width=best[0],
            height=best[1],
        )

    def _since(self, receiver: int, seen: Reception) -> tuple[int, ...]:
        now = (seen.expected, seen.received, seen.lost, seen.octets, seen.nacks)
        self._look.receivers[receiver] = now
        before = self._before.receivers.get(receiver, now)
        # A stream that began anew counts from nothing.
        return tuple(max(0, value - earlier) for value, earlier in zip(now, before, strict=True))

    def _age(self, track: Track) -> float:
        first = track.primary
        if first is None:
            return -1.0
        if first.receiver not in self._ages:
            last = max((layer.last_at for layer in self._home.plane.layers(first.receiver)), default=0.0)
            self._ages[first.receiver] = max(0.0, self._home.now() - last) if last else -1.0
        return self._ages[first.receiver]

    def _down(self, subscription: Subscription) -> DownStats:
        counters = self._home.plane.counters(subscription.route)
        track, now = subscription.track, (counters.octets, counters.nacks)
        self._look.routes[subscription.route] = now
        octets, nacks = self._before.routes.get(subscription.route, now)
        return DownStats(
            track=track.id,
            kind=track.kind,
            bitrate=self._rate((counters.octets - octets) * 8),
            loss=round(counters.fraction_lost, 4),
            upstream=self._upstream(track),
            jitter_ms=round(counters.jitter_ms, 1),
            rtt_ms=round(counters.rtt_ms, 1),
            nacks=round(max(0, counters.nacks - nacks) / self._seconds, 1) if self._seconds else 0.0,
            layer=counters.layer,
            wanted=subscription.quality,
            paused=subscription.starved,
            flows=track.flows and 0 <= self._age(track) < FLOWING,
            seen=subscription.active,
        )

    def _upstream(self, track: Track) -> float:
        """The share of the track that nobody can have: what was repaired in time, or is not repaired at all, counts as it is."""
        up = self._ups.get(track)
        if up is None:
            return 0.0
        return up.gone if up.nacks else up.loss

    def _rate(self, bits: int) -> int:
        return max(0, int(bits / self._seconds)) if self._seconds else 0


def _share(part: int, whole: int) -> float:
    return round(min(1.0, max(0.0, part / whole)), 4) if whole > 0 else 0.0
