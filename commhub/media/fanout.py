"""What participants' data may cost a worker: octets a second that go out for one of them, and for all of them together.

A message costs its size and ``OVERHEAD`` for each receiver, because sealing and numbering a small one is as much work as a
few hundred octets. Media knows nothing of this: it never waits in these queues, and this is why they stay short.
"""

from __future__ import annotations

from commhub.media.pace import Bucket
from commhub.media.room import Peer

OF_ONE = 2 << 20  # octets a second, all receivers together; a second's worth at once
OF_ALL = 12 << 20
OVERHEAD = 400


class FanOut:
    """Time is monotonic seconds."""

    def __init__(self) -> None:
        self._all = Bucket(OF_ALL, OF_ALL)
        self._peers: dict[Peer, Bucket] = {}

    def forget(self, peer: Peer) -> None:
        self._peers.pop(peer, None)

    def owe(self, peer: Peer, octets: int, receivers: int, now: float) -> float:
        """Reliable data goes in any case: how many seconds its sender has to be silent afterwards."""
        cost = (octets + OVERHEAD) * receivers
        return max(self._of(peer).take(cost, now), self._all.take(cost, now))

    def afford(self, peer: Peer, octets: int, receivers: int, now: float) -> bool:
        """Lossy data goes when there is something left; else it costs nothing."""
        own = self._of(peer)
        if own.take(0, now) > 0 or self._all.take(0, now) > 0:
            return False
        cost = (octets + OVERHEAD) * receivers
        own.take(cost, now)
        self._all.take(cost, now)
        return True

    def _of(self, peer: Peer) -> Bucket:
        return self._peers.get(peer) or self._peers.setdefault(peer, Bucket(OF_ONE, OF_ONE))
