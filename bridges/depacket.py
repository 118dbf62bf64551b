"""A camera's H.264 over RTP made fit for browsers: small packets, parameter sets before every IDR, right markers, numbers
that go on (RFC 6184). Nothing is decoded. No I/O, no clock: ``now`` is UTC ns.
"""

from __future__ import annotations

from bridges.timeline import SECOND, Sequence, Timeline, unwrap
from commhub.wire import h264
from commhub.wire.h264 import FU_A, IDR, PPS, SLICE, SPS, STAP_A
from commhub.wire.rtp import HEADER

# What begins a packet of H.265 (RFC 7798 section 1.1.4: two octets) and never one of H.264: VPS, SPS, PPS, fragment.
_H265_STARTS = (b"\x40\x01", b"\x42\x01", b"\x44\x01", b"\x62\x01")
_H265_PROOF = 3
_WITHOUT_IDR = 3 * SECOND  # after which an I slice is as good: intra refresh and open GOP have no other beginning
_WRONG_MARKERS = 3
_ENDS_PICTURE = frozenset({1, 2, 3, 4, 5, 10, 11, 12, 19, 20})  # units a picture may end with


class Video:
    """One camera's H.264. ``receive`` takes RTP packets in order and returns those to send on.

    Nothing is sent before the first IDR of a session, so that no decoder sees pictures that refer to ones it never had.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.sps: h264.Sps | None = None
        self.b_frames = False
        self.h265 = False  # the device sends H.265 although it said H.264
        self.running = False  # the first IDR has come
        self.malformed = 0  # packets in a row that could not be read
        self.holds = False  # markers are wrong: each packet waits for the next one
        self._sets: dict[tuple[int, int], bytes] = {}
        self._sps_at = b""
        self._sequence = Sequence()
        self._recutter = h264.Recutter()
        self.restart()

    @property
    def complete(self) -> bool:
        """Whether SPS and PPS are known."""
        return {kind for kind, _ in self._sets} >= {SPS, PPS}

    @property
    def lost(self) -> int:
        return self._sequence.lost

    def forget(self) -> None:
        """Another device: what this one said of its pictures means nothing any more."""
        self._sets.clear()
        self.sps, self._sps_at = None, b""
        self.b_frames = self.h265 = self.holds = False
        self.restart()

    def restart(self) -> None:
        """A new session, or a device that began anew."""
        self.timeline.restart()
        self._sequence.restart()
        self._recutter.broken()
        self.running = False
        self._ssrc: int | None = None
        self._began: int | None = None
        self._picture: int | None = None  # the device's time of the newest slice
        self._marked_time: int | None = None  # of the newest packet that could end a picture, and its marker
        self._marked = True
        self._fresh = 0  # 1 SPS, 2 PPS: sent since the last picture
        self._h265_hits = 0
        self._wrong_markers = 0
        self._held: tuple[bytes | bytearray | memoryview, int] | None = None

    def learn(self, units: list[bytes]) -> None:
        """Parameter sets from the SDP; unreadable ones are left out."""
        for unit in units:
            try:
                self._learn(unit)
            except ValueError:
                continue

    def receive(self, packet: bytes, now: int) -> list[bytes]:
        """ValueError when the packet cannot be read; the stream can go on with the next one."""
        if self.running and not self.holds and (passed := self._pass(packet, now)) is not None:
            return [passed]
        try:
            sent = self._receive(packet, now)
        except ValueError:
            self.malformed += 1
            self._recutter.broken()
            raise
        self.malformed = 0
        return sent

    def _pass(self, packet: bytes, now: int) -> bytes | None:
        """What most packets are, the middle of a fragmented unit, with nothing wrong about it. None for all others."""
        if not 14 < len(packet) <= 12 + h264.PACKET_LIMIT or packet[0] != 0x80 or packet[1] & 0x80:
            return None
        if packet[12] & 0x1F != FU_A or packet[13] & 0xC0 or packet[13] & 0x1F not in _ENDS_PICTURE:
            return None
        _, _, number, timestamp, ssrc = HEADER.unpack_from(packet)
        if ssrc != self._ssrc or self._marked or timestamp != self._marked_time:
            return None
        if not self._recutter.passes or number != self._sequence.next:
            return None
        self._sequence.follow(number)
        self.malformed = 0
        return self.timeline.packet(packet[12:], self.timeline.time(timestamp, now, reorders=self.b_frames), False)

    def _receive(self, packet: bytes, now: int) -> list[bytes]:
        got = unwrap(packet)
        if self._ssrc is not None and got.ssrc != self._ssrc:
            self.restart()
        self._ssrc = got.ssrc
        if self._began is None:
            self._began = now
        missing = self._sequence.follow(got.sequence)
        if missing is None or not got.payload:
            return []
        if missing:
            self._recutter.broken()
            if self.running:
                self.timeline.lose(missing)
        pieces = [got.payload]
        if got.payload.startswith((b"\0\0\0\1", b"\0\0\1")):  # some devices put their byte stream into packets as it is
            pieces = h264.split_annex_b(got.payload)
        sent: list[bytes] = []
        for number, piece in enumerate(pieces):
            before = self._inspect(piece, got.timestamp, now)
            if before is None:
                continue
            time = self.timeline.time(got.timestamp, now, reorders=self.b_frames)
            for first in before:
                self._send(sent, first, time, False)
            ends = got.marker and number == len(pieces) - 1 and _may_end(piece)
            cut = self._recutter.push(piece)
            for payload in cut[:-1]:
                self._send(sent, payload, time, False)
            if cut:
                self._send(sent, cut[-1], time, ends)
        self._watch_markers(pieces[-1] if pieces else b"\0", got.timestamp, got.marker, bool(missing))
        return sent

    def _send(self, sent: list[bytes], payload: bytes | bytearray | memoryview, time: int, marker: bool) -> None:
        if not self.holds:
            sent.append(self.timeline.packet(payload, time, marker))
            return
        held, self._held = self._held, (payload, time)
        if held is not None:
            sent.append(self.timeline.packet(held[0], held[1], held[1] != time))

    def _watch_markers(self, piece: bytes, timestamp: int, marker: bool, lost: bool) -> None:
        """Some devices set the marker on every packet or on none; then a picture's end is only known from its successor."""
        kind = _kind(piece)
        if kind not in _ENDS_PICTURE:
            return
        if self._marked_time is not None and not lost and (timestamp == self._marked_time) == self._marked:
            self._wrong_markers += 1
            self.holds = self.holds or self._wrong_markers >= _WRONG_MARKERS
        self._marked_time, self._marked = timestamp, marker

    def _inspect(self, piece: bytes, timestamp: int, now: int) -> list[bytes] | None:
        """Payloads that must go before this one; None when it must not be sent."""
        kind = piece[0] & 0x1F
        if kind == FU_A:
            if len(piece) < 3:
                raise ValueError("The H.264 fragment is empty.")
            if not piece[1] & 0x80:
                return [] if self.running else None
            units: list[h264.Bytes] = [bytes((piece[0] & 0xE0 | piece[1] & 0x1F,)) + piece[2:32]]
        elif kind == STAP_A:
            units = list(h264.aggregated(piece))
        else:
            units = [piece]
            if not self.running and piece[:2] in _H265_STARTS:
                self._h265_hits += 1
                self.h265 = self.h265 or self._h265_hits >= _H265_PROOF
        before: list[bytes] = []
        for unit in units:
            kind = unit[0] & 0x1F
            if kind in (SPS, PPS):
                try:
                    self._learn(bytes(unit))
                except ValueError:
                    continue  # the one we have stays in force, and goes before the IDR
                self._fresh |= (1 if kind == SPS else 2) if self.running else 0
            elif kind in (IDR, SLICE):
                before += self._slice(unit, kind, timestamp, now)
        return before if self.running else None

    def _slice(self, unit: h264.Bytes, kind: int, timestamp: int, now: int) -> list[bytes]:
        begins, self._picture = timestamp != self._picture, timestamp
        try:
            first, slice_type = h264.slice_start(unit)
        except ValueError:
            first, slice_type = 1, 0
        if slice_type % 5 == 1:
            self.b_frames = True
        fresh, self._fresh = self._fresh, 0
        if self.running:
            return self._parameter_sets() if kind == IDR and begins and fresh != 3 else []
        assert self._began is not None
        waited = now - self._began >= _WITHOUT_IDR and slice_type % 5 == 2
        if not (kind == IDR or waited) or not begins or first or not self.complete:
            return []
        self.running = True
        return self._parameter_sets()

    def _parameter_sets(self) -> list[bytes]:
        return h264.aggregate([self._sets[key] for key in sorted(self._sets)])

    def _learn(self, unit: bytes) -> None:
        if unit[0] & 0x1F == SPS:
            sps = h264.parse_sps(unit)
            if unit == self._sps_at:
                return
            self._sps_at = unit
            if self.sps is not None and self.sps.id != sps.id:
                self._sets.clear()
            self.sps = sps
            self._sets[SPS, sps.id] = unit
        elif unit[0] & 0x1F == PPS:
            number, _ = h264.parse_pps_ids(unit)
            if len(self._sets) < 32 or (PPS, number) in self._sets:
                self._sets[PPS, number] = unit


def _kind(piece: bytes) -> int:
    """The type of the last unit in a payload; 0 when that unit does not end here."""
    kind = piece[0] & 0x1F
    if kind == FU_A:
        return piece[1] & 0x1F if len(piece) > 1 else 0
    if kind == STAP_A:
        last = 0
        for unit in h264.aggregated(piece):
            last = unit[0] & 0x1F
        return last
    return kind


def _may_end(piece: bytes) -> bool:
    """Whether a picture can end with this payload: not inside a fragmented unit, not with parameter sets."""
    if piece[0] & 0x1F == FU_A and not piece[1] & 0x40:
        return False
    return _kind(piece) in _ENDS_PICTURE
