"""Who may send how much, and where whom is found: the memory of the transport about addresses. ``now`` is monotonic seconds.

Whoever is not known may only knock: a few messages a second, and all strangers together a bounded number, so that a flood from a
thousand invented addresses leaves the known ones alone. All tables are bounded; the longest unheard of is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridges.sip.transaction import Flow
from commhub.guard.origins import group
from commhub.guard.rates import Rates


@dataclass(frozen=True, slots=True)
class Limits:
    strangers_per_second: float = 5.0  # of one address
    stranger_burst: float = 20.0
    all_strangers_per_second: float = 500.0
    known_per_second: float = 2_000.0  # of one address: a lower platform, or a district behind one NAT
    known_seconds: float = 600.0  # for so long an address is known after the last message that was believed
    peers: int = 100_000
    connections: int = 4_096
    connections_of_stranger: int = 16  # of one address
    connections_of_known: int = 2_048
    stranger_seconds: float = 10.0  # until when a connection must have sent something that was believed
    message_seconds: float = 10.0  # for a whole message, once it has begun
    idle_seconds: float = 900.0
    unsent: int = 1 << 20  # octets that a peer may leave unread


class Sources:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._strangers = Rates(limits.strangers_per_second, limits.stranger_burst)
        self._all_strangers = Rates(limits.all_strangers_per_second, limits.all_strangers_per_second, 1)
        self._known = Rates(limits.known_per_second, 2 * limits.known_per_second, limits.peers)
        self._believed: dict[str, float] = {}

    def known(self, host: str, now: float) -> bool:
        return now - self._believed.get(group(host), float("-inf")) < self._limits.known_seconds

    def believe(self, host: str, now: float) -> None:
        key = group(host)
        self._believed.pop(key, None)
        self._believed[key] = now
        if len(self._believed) > self._limits.peers:
            del self._believed[next(iter(self._believed))]

    def admit(self, host: str, now: float) -> bool:
        """Whether one more message from there is looked at."""
        if self.known(host, now):
            return self._known.take(group(host), now) == 0
        return self._strangers.take(group(host), now) == 0 and self._all_strangers.take("", now) == 0


class Routes:
    """Of each peer the way its last believed message came: never its Contact, which behind a NAT is somebody else's address."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._flows: dict[str, Flow] = {}
        self._peers: dict[int, set[str]] = {}  # by TCP connection

    def __len__(self) -> int:
        return len(self._flows)

    def learn(self, peer: str, flow: Flow) -> None:
        self.forget(peer)
        self._flows[peer] = flow
        if flow.connection:
            self._peers.setdefault(flow.connection, set()).add(peer)
        if len(self._flows) > self._limit:
            self.forget(next(iter(self._flows)))

    def flow(self, peer: str) -> Flow | None:
        return self._flows.get(peer)

    def forget(self, peer: str) -> None:
        flow = self._flows.pop(peer, None)
        if flow is not None and flow.connection:
            peers = self._peers[flow.connection]
            peers.discard(peer)
            if not peers:
                del self._peers[flow.connection]

    def carries(self, connection: int) -> bool:
        return connection in self._peers

    def lost(self, connection: int) -> list[str]:
        """The peers that were reached by that connection; they are nowhere now."""
        peers = sorted(self._peers.get(connection, ()))
        for peer in peers:
            self.forget(peer)
        return peers
