"""The last reliable data packets of a room, for those who could not take them when they were said. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

KEPT_OCTETS = 4 << 20
OVERHEAD = 400  # octets that a packet costs beside its own: many small ones are no less to keep
KEPT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """``number`` counts within the room. ``sequence`` is the sender's own, 0 when it counts none. ``identities`` and ``sids``
    are whom it is for; both empty: everybody but the sender. ``at`` is monotonic seconds."""

    number: int
    sender: str
    sequence: int
    packet: bytes
    identities: frozenset[str]
    sids: frozenset[str]
    at: float

    def is_for(self, peer: str, identity: str) -> bool:
        if peer == self.sender:
            return False
        return not (self.identities or self.sids) or identity in self.identities or peer in self.sids


class History:
    def __init__(self) -> None:
        self._said: deque[Said] = deque()
        self._octets = 0
        self.next = 0  # the number of the next packet

    def add(
        self,
        sender: str,
        sequence: int,
        packet: bytes,
        identities: frozenset[str],
        sids: frozenset[str],
        now: float,
    ) -> Said:
        said = Said(self.next, sender, sequence, packet, identities, sids, now)
        self.next += 1
        self._said.append(said)
        self._octets += OVERHEAD + len(packet)
        self.trim(now)
        return said

    def trim(self, now: float) -> None:
        while self._said and (self._octets > KEPT_OCTETS or now - self._said[0].at > KEPT_SECONDS):
            self._octets -= OVERHEAD + len(self._said.popleft().packet)

    def since(self, number: int) -> Iterator[Said]:
        """From ``number`` on, as far as it is kept."""
        if self._said:
            first = self._said[0].number
            for index in range(max(0, number - first), len(self._said)):
                yield self._said[index]

    def missing(self, received: dict[str, int]) -> int | None:
        """The number of the first packet that one who has ``received`` these sequences, by sender, has not."""
        return next((said.number for said in self._said if 0 < received.get(said.sender, said.sequence) < said.sequence), None)
