"""How everybody in a room sends and receives, for whoever looks at it.

Rates need two looks: nothing is kept of a room that nobody asks about, so looking costs only while somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from commhub.errors import NotFound
from commhub.media.losses import Losses
from commhub.media.messages import AskStats, DownStats, PeerStats, RoomStats, UpStats
from commhub.media.plane import LayerCounters, Plane
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
    """What was counted at ``at``: octets and NACKs of receivers and of routes."""

    at: float
    losses: Losses = field(default_factory=Losses)
    receivers: dict[int, tuple[int, int]] = field(default_factory=dict)
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
        look = self._looks[room.name] = _Look(now, before.losses if before is not None else Losses())
        seconds = 0.0 if before is None else now - before.at
        answer = _Answer(self._home, before or _Look(now), look, seconds)
        for track in room.tracks.values():
            answer.up(track)  # who receives it is judged by how it came
        look.answer = RoomStats(room.name, round(seconds, 3), [answer.peer(peer) for peer in room.peers.values()])
        look.losses.keep(look.receivers, look.routes)
        return look.answer


class _Answer:
    """One look at a room. ``seconds`` since the one ``before``; 0: there was none."""

    def __init__(self, home: Home, before: _Look, look: _Look, seconds: float) -> None:
        self._home, self._before, self._look, self._seconds = home, before, look, seconds
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
        if not track.encodings:
            return
        plane, look = self._home.plane, self._look
        octets = nacks = 0
        wire = gone = jitter = 0.0
        layers: list[LayerCounters] = []
        for encoding in track.encodings:
            seen = plane.reception(encoding.receiver)
            now = look.receivers[encoding.receiver] = (seen.octets, seen.nacks)
            before = self._before.receivers.get(encoding.receiver, now)
            octets, nacks = octets + max(0, now[0] - before[0]), nacks + max(0, now[1] - before[1])
            lost = look.losses.up(encoding.receiver, seen)
            wire, gone, jitter = max(wire, lost[0]), max(gone, lost[1]), max(jitter, seen.jitter_ms)
            layers = layers or plane.layers(encoding.receiver)
        last = max((layer.last_at for layer in layers), default=0.0)
        self._ups[track] = UpStats(
            track=track.id,
            kind=track.kind,
            source=track.source,
            muted=not track.flows,
            bitrate=self._rate(octets * 8),
            loss=round(wire, 4),
            gone=round(gone, 4),
            jitter_ms=round(jitter, 1),
            nacks=self._each(nacks),
            age=round(max(0.0, self._home.now() - last), 2) if last else -1.0,
            layers=[layer.bitrate for layer in layers],
            width=max((layer.width for layer in layers), default=0),
            height=max((layer.height for layer in layers), default=0),
        )

    def _down(self, subscription: Subscription) -> DownStats:
        track, look = subscription.track, self._look
        counters = self._home.plane.counters(subscription.route)
        now = look.routes[subscription.route] = (counters.octets, counters.nacks)
        octets, nacks = self._before.routes.get(subscription.route, now)
        up, encoding = self._ups.get(track), subscription.encoding
        best = len(up.layers) - 1 if up is not None and up.layers else 0
        return DownStats(
            track=track.id,
            kind=track.kind,
            bitrate=self._rate((counters.octets - octets) * 8),
            loss=round(look.losses.down(subscription.route, counters), 4),
            upstream=round(look.losses.missing(encoding.receiver), 4) if encoding is not None else 0.0,
            jitter_ms=round(counters.jitter_ms, 1),
            rtt_ms=round(counters.rtt_ms, 1),
            nacks=self._each(max(0, counters.nacks - nacks)),
            layer=counters.layer,
            wanted=min(subscription.quality, best),
            paused=subscription.starved,
            flows=track.flows and up is not None and 0 <= up.age < FLOWING,
            seen=subscription.active,
        )

    def _rate(self, bits: int) -> int:
        return max(0, int(bits / self._seconds)) if self._seconds else 0

    def _each(self, number: int) -> float:
        """Per second."""
        return round(number / self._seconds, 1) if self._seconds else 0.0
