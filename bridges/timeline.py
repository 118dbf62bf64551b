"""RTP numbers that make sense to a receiver, whatever the device does: order, loss, restarts, jumping clocks (RFC 3550).

No I/O, no clock: ``now`` is UTC ns.
"""

from __future__ import annotations

from dataclasses import dataclass

from commhub.wire import rtcp, rtp

SECOND = 1_000_000_000
_JUMP_AHEAD = 5  # s that a device's time may run ahead of ours between two packets
_JUMP_BACK = 1  # s, where B-frames make times go back and forth
_NEW_NUMBERING = 4_096  # a jump of a sequence number that is no loss
_NTP_EPOCH = 2_208_988_800  # s from 1900 to 1970


def signed32(value: int) -> int:
    """The difference of two 32-bit RTP times as the nearer of both directions."""
    return ((value + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


@dataclass(slots=True)
class Unwrapped:
    """An RTP packet without padding, CSRCs and extensions."""

    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    payload_type: int
    payload: bytes


def unwrap(packet: bytes) -> Unwrapped:
    """ValueError when the packet is torn."""
    size = len(packet)
    start = 12 if size >= 12 and packet[0] == 0x80 else rtp.header_size(packet, size)
    first, second, sequence, timestamp, ssrc = rtp.HEADER.unpack_from(packet)
    if first & 0x20:
        padding = packet[size - 1]
        if not 0 < padding <= size - start:
            raise ValueError("The RTP padding is longer than the payload.")
        size -= padding
    return Unwrapped(sequence, timestamp, ssrc, second >= 0x80, second & 0x7F, packet[start:size])


class Timeline:
    """Outgoing sequence numbers and times of one stream. They go on over reconnects, over a device that starts anew and
    over a clock that jumps; a loss on the way to us stays a gap, so that receivers know of it."""

    def __init__(self, clock_rate: int, ssrc: int, sequence: int, timestamp: int | None = None, payload_type: int = 96) -> None:
        """``timestamp`` is the first time that is given out; without one it is the wall clock's."""
        self.clock_rate, self.ssrc, self.payload_type = clock_rate, ssrc, payload_type
        self._sequence = sequence & 0xFFFF
        self._offset: int | None = None
        self._last_in = 0
        self._last_now = 0
        self._wall = timestamp is None
        self._latest = (timestamp or 0) & 0xFFFF_FFFF  # the newest time that was given out
        self._latest_now: int | None = None

    def restart(self) -> None:
        """What comes next has nothing to do with what came before, but goes on after it."""
        self._offset = None

    def lose(self, packets: int) -> None:
        self._sequence = (self._sequence + packets) & 0xFFFF

    def translate(self, timestamp: int) -> int | None:
        """A device's time that is not that of a packet (a sender report's); None before the first packet."""
        return None if self._offset is None else (timestamp + self._offset) & 0xFFFF_FFFF

    def time(self, timestamp: int, now: int, *, reorders: bool = False) -> int:
        """The outgoing time of a packet. With ``reorders`` (B-frames) times may go back a little."""
        if self._offset is not None:
            ahead = signed32(timestamp - self._last_in)
            if not ahead:
                return (timestamp + self._offset) & 0xFFFF_FFFF
            elapsed = (now - self._last_now) * self.clock_rate // SECOND
            back = -_JUMP_BACK * self.clock_rate if reorders else 0
            if not back <= ahead <= elapsed + _JUMP_AHEAD * self.clock_rate:
                self._offset = None
        if self._offset is None:
            self._offset = self._following(now) - timestamp
        self._last_in, self._last_now = timestamp, now
        sent = (timestamp + self._offset) & 0xFFFF_FFFF
        if self._latest_now is None or signed32(sent - self._latest) >= 0:
            self._latest, self._latest_now = sent, now
        return sent

    def _following(self, now: int) -> int:
        if self._latest_now is None:
            return now * self.clock_rate // SECOND if self._wall else self._latest
        elapsed = (now - self._latest_now) * self.clock_rate // SECOND
        return self._latest + max(elapsed, self.clock_rate // 100)

    def packet(self, payload: bytes | bytearray | memoryview, timestamp: int, marker: bool) -> bytes:
        """The next packet; ``timestamp`` is one that :meth:`time` returned."""
        sequence = self._sequence
        self._sequence = (sequence + 1) & 0xFFFF
        head = rtp.HEADER.pack(0x80, marker << 7 | self.payload_type, sequence, timestamp, self.ssrc)
        return head + payload

    def packets(self, payloads: list[bytes], timestamp: int) -> list[bytes]:
        """The packets of a whole picture."""
        sequence, pack, ssrc = self._sequence, rtp.HEADER.pack, self.ssrc
        kinds = [self.payload_type] * len(payloads)
        if payloads:
            kinds[-1] |= 0x80
        out = []
        for kind, payload in zip(kinds, payloads, strict=True):
            out.append(pack(0x80, kind, sequence, timestamp, ssrc) + payload)
            sequence = (sequence + 1) & 0xFFFF
        self._sequence = sequence
        return out


class Sequence:
    """What a packet's number says about loss, for packets that come in order."""

    def __init__(self) -> None:
        self._next = -1
        self.lost = 0

    def restart(self) -> None:
        self._next = -1

    @property
    def next(self) -> int:
        """The number that is expected; -1: any."""
        return self._next

    def skip(self, packets: int) -> None:
        """So many have come, as they should."""
        self._next = (self._next + packets) & 0xFFFF

    def follow(self, number: int) -> int | None:
        """Packets missing before this one; None for one that came before (late or twice)."""
        missing = (number - self._next) & 0xFFFF if self._next >= 0 else 0
        if missing > 0xFFFF - 512:
            return None
        self._next = (number + 1) & 0xFFFF
        if missing > _NEW_NUMBERING:  # the device began a new numbering
            missing = 1
        self.lost += missing
        return missing

    def take(self, packet: bytes) -> tuple[Unwrapped, int] | None:
        """The packet, and how many are missing before it; None for one that is torn or came before."""
        try:
            got = unwrap(packet)
        except ValueError:
            return None
        missing = self.follow(got.sequence)
        return None if missing is None else (got, missing)


class Reorder:
    """Puts packets that came over UDP into order: waits ``wait`` ns for a missing one, and for at most ``window`` others."""

    def __init__(self, wait: int = 80_000_000, window: int = 256) -> None:
        self._wait, self._window = wait, window
        self._next = -1
        self._kept: dict[int, tuple[int, bytes]] = {}

    @property
    def newest(self) -> int | None:
        """The number of the last packet that was due; None before the first."""
        return (self._next - 1) & 0xFFFF if self._next >= 0 else None

    @property
    def waits(self) -> bool:
        """Does anything wait for a packet that is missing?"""
        return bool(self._kept)

    def push_all(self, packets: list[bytes], now: int) -> list[bytes]:
        """The same of many; nearly always they come as they should."""
        following = self._next
        if not self._kept and following >= 0:
            for packet in packets:
                if packet[2] << 8 | packet[3] != following:
                    break
                following = (following + 1) & 0xFFFF
            else:
                self._next = following
                return packets
        return [due for packet in packets for due in self.push(packet, now)]

    def push(self, packet: bytes, now: int) -> list[bytes]:
        """The packets that are due now, in order. ``packet`` has at least an RTP header."""
        number = packet[2] << 8 | packet[3]
        distance = (number - self._next) & 0xFFFF if self._next >= 0 else 0
        if not distance and not self._kept:
            self._next = (number + 1) & 0xFFFF
            return [packet]
        if distance > _NEW_NUMBERING:
            if distance > 0xFFFF - 1024:
                return []  # too late, or twice
            due = self._flush()
            self._next = (number + 1) & 0xFFFF
            return [*due, packet]
        self._kept.setdefault(number, (now, packet))
        return [*self._run(), *self.due(now)]

    def due(self, now: int) -> list[bytes]:
        """What may not wait any longer."""
        out: list[bytes] = []
        while self._kept and (len(self._kept) > self._window or min(at for at, _ in self._kept.values()) <= now - self._wait):
            self._next = min(self._kept, key=lambda number: (number - self._next) & 0xFFFF)
            out += self._run()
        return out

    def _run(self) -> list[bytes]:
        out: list[bytes] = []
        while (kept := self._kept.pop(self._next, None)) is not None:
            out.append(kept[1])
            self._next = (self._next + 1) & 0xFFFF
        return out

    def _flush(self) -> list[bytes]:
        out: list[bytes] = []
        while self._kept:
            self._next = min(self._kept, key=lambda number: (number - self._next) & 0xFFFF)
            out += self._run()
        return out


class Reception:
    """Statistics of one incoming stream for receiver reports (RFC 3550 sections 6.4.1, A.3 and A.8)."""

    def __init__(self, clock_rate: int, own_ssrc: int) -> None:
        self._clock_rate, self._own = clock_rate, own_ssrc
        self._report_at = 0
        self._report_ntp = 0
        self._begin(None, 0)

    def _begin(self, ssrc: int | None, sequence: int) -> None:
        self.ssrc = ssrc
        self._base = self._highest = sequence
        self._received = 0
        self._expected_before = self._received_before = 0
        self._transit: int | None = None
        self._jitter = 0.0

    def packet(self, packet: bytes, now: int) -> None:
        """Count an RTP packet that has at least its header."""
        _, _, sequence, timestamp, ssrc = rtp.HEADER.unpack_from(packet)
        if ssrc != self.ssrc:
            self._begin(ssrc, sequence)
        else:
            ahead = (sequence - self._highest) & 0xFFFF
            if ahead < 0x8000:
                self._highest += ahead
        self._received += 1
        transit = now * self._clock_rate // SECOND - timestamp
        if self._transit is not None:
            self._jitter += (abs(signed32(transit - self._transit)) - self._jitter) / 16
        self._transit = transit

    def sender_report(self, report: rtcp.SenderReport, now: int) -> int | None:
        """The UTC ns that the report's NTP time means, None where the device has no time."""
        self._report_at, self._report_ntp = now, report.ntp
        seconds = (report.ntp >> 32) - _NTP_EPOCH
        if seconds <= 0:
            return None
        return seconds * SECOND + ((report.ntp & 0xFFFF_FFFF) * SECOND >> 32)

    def report(self, now: int) -> bytes:
        """A compound RTCP packet: RR and SDES."""
        blocks = []
        if self.ssrc is not None:
            expected = self._highest - self._base + 1
            interval, received = expected - self._expected_before, self._received - self._received_before
            self._expected_before, self._received_before = expected, self._received
            missing = max(0, interval - received)
            fraction = min(255, missing * 256 // interval) if interval > 0 else 0
            since = (now - self._report_at) * 65_536 // SECOND if self._report_ntp else 0
            blocks.append(
                rtcp.Report(
                    self.ssrc,
                    fraction,
                    expected - self._received,
                    self._highest & 0xFFFF_FFFF,
                    min(int(self._jitter), 0xFFFF_FFFF),
                    self._report_ntp >> 16 & 0xFFFF_FFFF,
                    min(since, 0xFFFF_FFFF),
                )
            )
        return rtcp.build_receiver_report(self._own, blocks) + rtcp.build_source_description(self._own, "commhub")
