"""Whose packets a call takes (GB/T 28181-2022 annex G and what devices make of it). No I/O, no clock: ``now`` is monotonic
seconds.

A call has its own port, so the port says whose media it is, and the SSRC may be wrong; but anybody can send to a port. So: from
where the device stands every SSRC is taken, from elsewhere only the agreed one. What came first is held to; another sender or
another SSRC has its turn when the first one has fallen silent. Everything else is counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from bridges.gb28181.framing import is_control, plausible

SILENCE = 1.0  # s without the sender we hold to, after which another may take its place
_SENDERS = 8  # strangers that are remembered

Place = tuple[str, int]


class Gate:
    """``expected`` are hosts where the device is known to stand; ``agreed`` are SSRCs of offer and answer."""

    def __init__(self, expected: Iterable[str], agreed: Iterable[int]) -> None:
        self.expected = set(expected)
        self.agreed = set(agreed)
        self.source: Place | None = None
        self.ssrc: int | None = None
        self.packets = 0
        self.strangers = 0
        self.control = 0
        self.malformed = 0
        self.changes = 0  # of the SSRC
        self.elsewhere: dict[Place, int] = {}  # who the strangers are
        self.first_at = 0.0
        self.heard_at = 0.0
        self._ssrc = b""

    @property
    def heard(self) -> bool:
        return self.packets > 0

    def admit(self, packet: bytes, source: Place, now: float) -> bool:
        """Whether this datagram is a packet of the call's media."""
        if source == self.source and packet[8:12] == self._ssrc and packet[0] >> 6 == 2 and not 192 <= packet[1] <= 223:
            self.packets += 1
            self.heard_at = now
            return len(packet) >= 12
        return self._judge(packet, source, now)

    def admit_all(self, packets: list[bytes], source: Place, now: float) -> list[bytes]:
        """Those of many that are packets of the call's media; nearly always all of them."""
        if source == self.source:
            ssrc = self._ssrc
            for packet in packets:
                if packet[8:12] != ssrc or packet[0] >> 6 != 2 or 192 <= packet[1] <= 223:
                    break
            else:
                self.packets += len(packets)
                self.heard_at = now
                return packets
        return [packet for packet in packets if self.admit(packet, source, now)]

    def _judge(self, packet: bytes, source: Place, now: float) -> bool:
        if len(packet) < 12 or not plausible(packet):
            self.malformed += 1
            return False
        if is_control(packet):
            self.control += 1
            return False
        if not self.welcome(source[0], packet):
            return self._refuse(source)
        if self.source is not None and now - self.heard_at < SILENCE:
            moved = source != self.source and source[0] == self.source[0] and packet[8:12] == self._ssrc
            if not moved:  # its port may be another one at any time, behind a NAT
                return self._refuse(source)
        if packet[8:12] != self._ssrc:
            self.changes += bool(self._ssrc)
            self._ssrc = packet[8:12]
            self.ssrc = int.from_bytes(self._ssrc, "big")
        self.source = source
        self.first_at = self.first_at or now
        self.heard_at = now
        self.packets += 1
        return True

    def welcome(self, host: str, packet: bytes = b"") -> bool:
        """Whether that host may send, with that packet."""
        return host in self.expected or (len(packet) >= 12 and int.from_bytes(packet[8:12], "big") in self.agreed)

    def _refuse(self, source: Place) -> bool:
        self.strangers += 1
        if source in self.elsewhere or len(self.elsewhere) < _SENDERS:
            self.elsewhere[source] = self.elsewhere.get(source, 0) + 1
        return False

    def take(self, source: Place, now: float) -> None:
        """Octets of a stream without RTP."""
        self.source = source
        self.first_at = self.first_at or now
        self.heard_at = now
        self.packets += 1
