"""RTP packets of one track back in the order in which they were sent (RFC 3550 §5.1, Annex A.1). No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from commhub.wire.rtp import HEADER, header_size

_MAX_DROPOUT = 3000  # RFC 3550 Annex A.1


@dataclass(slots=True)
class Packet:
    """``sequence`` and ``time`` go on over their wraps; ``at`` is the ingress time (UTC ns); ``lost`` packets are missing right
    before it."""

    sequence: int
    time: int
    marker: bool
    payload: bytes
    at: int
    lost: int = 0


def parse(data: bytes | bytearray | memoryview, at: int) -> Packet:
    """A plain RTP packet; header extension, CSRCs and padding are taken off. ValueError when it is torn."""
    end = len(data)
    start = header_size(data, end)
    _, second, sequence, time, _ = HEADER.unpack_from(data)
    if data[0] & 0x20:
        padding = data[end - 1]
        if not 0 < padding <= end - start:
            raise ValueError("The RTP padding has an impossible size.")
        end -= padding
    return Packet(sequence, time, second >= 128, bytes(data[start:end]), at)


class Reorder:
    """Hands packets on at once while they come in order; waits up to ``hold`` seconds (monotonic) for a missing one."""

    def __init__(self, hold: float = 0.25, limit: int = 512) -> None:
        self._hold, self._limit = hold, limit
        self._next: int | None = None
        self._time = 0
        self._held: dict[int, Packet] = {}
        self._since = 0.0
        self._strange = -1
        self.late = 0  # packets that came after their turn, or twice
        self.lost = 0

    @property
    def deadline(self) -> float | None:
        """When :meth:`tick` has something to do."""
        return self._since + self._hold if self._held else None

    def receive(self, packet: Packet, now: float) -> list[Packet]:
        if self._next is None:
            return [self._start(packet)]
        step = (packet.sequence - self._next) & 0xFFFF
        if step >= 0x8000:
            step -= 0x10000
        if not -self._limit * 2 < step < _MAX_DROPOUT:
            return self._restart(packet)
        self._strange = -1
        packet.sequence = self._next + step
        if step == 0:
            if not self._held:  # nearly every packet
                self._next += 1
                self._stamp(packet)
                return [packet]
            self._held[packet.sequence] = packet
            return self._release(now)
        if step < 0 or packet.sequence in self._held:
            self.late += 1
            return []
        if not self._held:
            self._since = now
        self._held[packet.sequence] = packet
        if len(self._held) > self._limit:
            return self._skip(now)
        return []

    def tick(self, now: float) -> list[Packet]:
        return self._skip(now) if self._held and now >= self._since + self._hold else []

    def drain(self) -> list[Packet]:
        """Everything, missing packets or not: the track has ended."""
        out: list[Packet] = []
        while self._held:
            out += self._skip(0.0)
        return out

    def _start(self, packet: Packet) -> Packet:
        self._next = packet.sequence + 1
        self._time = packet.time
        return packet

    def _restart(self, packet: Packet) -> list[Packet]:
        """A jump counts once two packets in a row agree with it (RFC 3550 Annex A.1)."""
        if packet.sequence != self._strange:
            self._strange = (packet.sequence + 1) & 0xFFFF
            return []
        out = self.drain()
        assert self._next is not None
        self._strange = -1
        # Forwards in the numbers of this class, so that they stay unique.
        packet.sequence += (self._next // 0x10000 + 2) * 0x10000
        packet.lost = 1
        self.lost += 1
        self._next = packet.sequence + 1
        self._stamp(packet)
        return [*out, packet]

    def _stamp(self, packet: Packet) -> None:
        step = (packet.time - self._time) & 0xFFFFFFFF
        self._time += step if step < 0x80000000 else step - 0x100000000
        packet.time = self._time

    def _release(self, now: float) -> list[Packet]:
        out: list[Packet] = []
        assert self._next is not None
        while (packet := self._held.pop(self._next, None)) is not None:
            self._next += 1
            self._stamp(packet)
            out.append(packet)
        self._since = now
        return out

    def _skip(self, now: float) -> list[Packet]:
        assert self._next is not None
        first = min(self._held)
        missing = first - self._next
        self.lost += missing
        self._held[first].lost += missing
        self._next = first
        return self._release(now)
