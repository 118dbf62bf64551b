"""What a subscriber's connection can carry, turned into layers and pauses of its videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from commhub.media import messages
from commhub.media.backup import alternatives
from commhub.media.bandwidth import Allocator, Demand, share
from commhub.media.ladder import Rung, complete, ladder
from commhub.media.messages import Message
from commhub.media.plane import Plane
from commhub.media.room import Peer, Subscription

SHORTEST = 0.2  # seconds between reports from which a rate is computed


@dataclass(slots=True)
class _Account:
    allocator: Allocator = field(default_factory=Allocator)
    octets: dict[int, int] = field(default_factory=dict)  # route → octets at the last report
    at: float = 0.0
    limit: int = 0  # bit/s, simulated; 0 is none


class Home(Protocol):
    plane: Plane
    emit: Callable[[Message], None]

    def now(self) -> float: ...
    def peer(self, message: Any) -> Peer | None: ...
    def apply(self, subscription: Subscription) -> None:
        """Layer and pause of its route."""


class Budgets:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._accounts: dict[Peer, _Account] = {}

    def forget(self, peer: Peer) -> None:
        self._accounts.pop(peer, None)

    def report(self, peer: Peer, estimate: int) -> None:
        """The subscriber's own estimate in bit/s (REMB). libwebrtc's, and with it every browser's, is of video alone: sound
        without transport-wide sequence numbers is not looked at (ReceiveSideCongestionController::OnReceivedPacket)."""
        account = self._accounts.setdefault(peer, _Account())
        now = self._home.now()
        passed = now - account.at
        if passed < SHORTEST:
            return
        sent = 0
        octets: dict[int, int] = {}
        for subscription in peer.subscriptions.values():
            if subscription.route and subscription.track.kind == "video":
                total = octets[subscription.route] = self._home.plane.counters(subscription.route).octets
                fresh = total - account.octets.get(subscription.route, total)
                sent += fresh
        first, account.octets, account.at = not account.at, octets, now
        if not first:
            account.allocator.report(estimate, int(sent * 8 / passed), 0, now)
            self._decide(peer, account, now)

    def estimate(self, peer: Peer) -> int:
        """What all videos may cost together, bit/s; 0 while nothing limits them."""
        account = self._accounts.get(peer)
        return 0 if account is None else account.allocator.budget or 0

    def limit(self, message: messages.Limit) -> None:
        """A client wants to see what less bandwidth does to it."""
        peer = self._home.peer(message)
        if peer is not None:
            account = self._accounts.setdefault(peer, _Account())
            account.limit = message.bits
            self._decide(peer, account, self._home.now())

    def tick(self) -> None:
        """Twice a second or so: what changed in the views, and tries to go up."""
        now = self._home.now()
        for peer, account in self._accounts.items():
            self._decide(peer, account, now)

    def _decide(self, peer: Peer, account: _Account, now: float) -> None:
        videos = [one for one in peer.subscriptions.values() if one.track.kind == "video" and one.route and one.active]
        ladders = {one.route: self._ladder(one) for one in videos if one.track.flows}
        demands = [_demand(one, ladders[one.route]) for one in videos if one.track.flows]
        given = account.allocator.decide(demands, now)
        limited = account.allocator.budget is not None
        if account.limit:
            limited = True
            given = {key: min(rung, given[key]) for key, rung in share(demands, account.limit).items()}
        for subscription in videos:
            rung = given.get(subscription.route)
            cap, temporal, starved = None, subscription.temporal, False
            if rung is not None:
                rungs = ladders[subscription.route]
                starved = limited and rung < 0 and peer.may_pause
                chosen = rungs[max(0, rung)] if limited else rungs[-1]
                cap, temporal = chosen.layer if limited else None, chosen.temporal
            if (cap, temporal, starved) != (subscription.cap, subscription.temporal, subscription.starved):
                paused = starved != subscription.starved
                subscription.cap, subscription.temporal, subscription.starved = cap, temporal, starved
                self._home.apply(subscription)
                if paused:
                    track = subscription.track
                    self._home.emit(messages.Paused(track.room.name, peer.id, track.id, starved))

    def _ladder(self, subscription: Subscription) -> list[Rung]:
        encoding = subscription.encoding
        assert encoding is not None
        layers = self._home.plane.layers(encoding.receiver)
        for other in alternatives(subscription):
            layers = [
                mine if mine.bitrate else theirs
                for mine, theirs in zip(layers, self._home.plane.layers(other.receiver), strict=False)
            ]
        return ladder(layers, subscription.asked, subscription.fps)


def _demand(subscription: Subscription, rungs: list[Rung]) -> Demand:
    rates = [rung.bitrate for rung in rungs]
    return Demand(subscription.route, rates, len(rungs) - 1, subscription.priority, complete(rungs))
