"""A transport stream of one programme (ISO/IEC 13818-1 §2.4), as devices send that were made with general tools. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from commhub.wire.pes import CODE, STREAM_TYPES, header
from commhub.wire.programme import Programme
from commhub.wire.units import NOTHING, Counts, Label

PACKET, SYNC = 188, 0x47
_STREAMS = 32
_SECTION_LIMIT = 1021
_HEADER_LIMIT = 9 + 255


def aligned(chunks: list[bytes]) -> bool:
    """Whether these payloads, or this beginning of a stream, are whole packets one after another."""
    if len(chunks) > 1:
        data = b"".join(chunks[:8])
        if any(len(chunk) % PACKET for chunk in chunks[:8]):
            return False
    else:
        data = chunks[0]
    return len(data) >= 2 * PACKET and all(data[at] == SYNC for at in range(0, min(len(data), 16 * PACKET), PACKET))


@dataclass(slots=True)
class _Pid:
    kind: str
    continuity: int = -1
    head: bytearray = field(default_factory=bytearray)  # of a packet whose header is not whole yet
    label: Label = NOTHING
    left: int = -1  # octets of the packet that are still to come, -1 where it says none
    inside: bool = False


class TransportStream:
    """``push`` takes the octets in order; pieces of pictures are handed on as they come, sound when its packet is whole."""

    def __init__(self, programme: Programme, counts: Counts) -> None:
        self._programme, self._counts = programme, counts
        self._buffer = bytearray()
        self._pids: dict[int, _Pid] = {}
        self._maps: set[int] = set()
        self._sound: dict[int, tuple[bytearray, Label]] = {}
        self.silent = 0

    def push(self, data: bytes, rtp: int | None, ends: bool) -> None:
        buffer = self._buffer
        buffer += data
        at, size = 0, len(buffer)
        while size - at >= PACKET:
            if buffer[at] != SYNC or (size - at > PACKET and buffer[at + PACKET] != SYNC):
                at = self._resync(at, size)
                continue
            self._packet(bytes(buffer[at : at + PACKET]), rtp)
            at += PACKET
        del buffer[:at]
        if ends and not buffer:
            self._finish_sound()
            self._programme.finish()

    def gap(self, whole: bool) -> None:
        self._buffer.clear()
        self._sound.clear()
        for pid in self._pids.values():
            pid.inside, pid.continuity = False, -1
            pid.head.clear()
        self._programme.gap(whole)

    def flush(self) -> None:
        self._finish_sound()
        self._programme.finish()

    def _resync(self, at: int, size: int) -> int:
        """The next place where packets can be; a single packet at the end is one when it begins rightly."""
        found = self._buffer.find(b"\x47", at + 1)
        while found >= 0 and found + PACKET < size and self._buffer[found + PACKET] != SYNC:
            found = self._buffer.find(b"\x47", found + 1)
        found = found if found >= 0 else size
        self._counts.skipped += found - at
        self.silent += found - at
        return found

    def _packet(self, packet: bytes, rtp: int | None) -> None:
        number = (packet[1] & 0x1F) << 8 | packet[2]
        control = packet[3] >> 4 & 3
        if packet[1] & 0x80 or not control & 1 or number == 0x1FFF:
            return
        start = 5 + packet[4] if control & 2 else 4
        if start >= PACKET:
            return
        begins = bool(packet[1] & 0x40)
        if number == 0 or number in self._maps:
            if begins:
                self._section(number, packet[start:])
            return
        pid = self._pids.get(number)
        if pid is None:
            pid = self._unknown(number, packet, start, begins)
            if pid is None:
                return
        continuity = packet[3] & 15
        if pid.continuity >= 0 and continuity != (pid.continuity + 1) & 15:
            if continuity == pid.continuity:
                return  # sent twice, which is allowed
            self._counts.gaps += 1
            self._programme.gap(False)
            self._sound.clear()
            pid.inside = False
        pid.continuity = continuity
        self.silent = 0
        self._payload(number, pid, packet[start:], rtp, begins)

    def _unknown(self, number: int, packet: bytes, start: int, begins: bool) -> _Pid | None:
        """Before any table, or without one: a packet of media shows what it is."""
        if not begins or packet[start : start + 3] != CODE or len(self._pids) >= _STREAMS:
            return None
        stream = packet[start + 3]
        kind = "video" if 0xE0 <= stream < 0xF0 else "audio" if 0xC0 <= stream < 0xE0 else None
        if kind is None:
            return None
        return self._pids.setdefault(number, _Pid(kind))

    def _payload(self, number: int, pid: _Pid, data: bytes, rtp: int | None, begins: bool) -> None:
        if begins:
            self._finish_sound(number)
            pid.inside, pid.label = True, Label(rtp=rtp)
            pid.head.clear()
            pid.head += data
            data = self._header(pid, rtp)
        elif not pid.inside:
            return
        elif pid.head:
            pid.head += data
            data = self._header(pid, rtp)
        if not data:
            return
        if pid.left >= 0:
            data = data[: pid.left]
            pid.left -= len(data)
        if pid.kind == "video":
            self._programme.packet("video", number, data, pid.label)
            pid.label = NOTHING
            return
        sound, _ = self._sound.setdefault(number, (bytearray(), pid.label))
        sound += data
        if pid.left == 0 or len(sound) > 1 << 16:
            self._finish_sound(number)

    def _header(self, pid: _Pid, rtp: int | None) -> bytes:
        """What stands behind the header of a packet of media; '' while that is not whole."""
        head = pid.head
        if len(head) < 9 or (len(head) < 9 + head[8] and len(head) < _HEADER_LIMIT):
            return b""
        length = head[4] << 8 | head[5]
        try:
            if head[:3] != CODE:
                raise ValueError("The transport packet begins no PES packet.")
            pts, dts, start = header(head, 0, len(head))
        except ValueError:
            self._counts.unreadable += 1
            pid.inside = False
            head.clear()
            return b""
        pid.label = Label(pts, dts, rtp)
        pid.left = max(0, 6 + length - start) if length and pid.kind == "audio" else -1
        data = bytes(head[start:])
        head.clear()
        return data

    def _finish_sound(self, number: int | None = None) -> None:
        for one in [number] if number is not None else list(self._sound):
            sound = self._sound.pop(one, None)
            if sound is not None:
                self._programme.packet("audio", one, sound[0], sound[1])

    def _section(self, number: int, data: bytes) -> None:
        """PAT and PMT (§2.4.4) that fit into one packet, as those of one programme do."""
        if not data:
            return
        at = 1 + data[0]
        if at + 8 > len(data):
            return
        end = at + 3 + ((data[at + 1] & 0x0F) << 8 | data[at + 2]) - 4
        if end > len(data) or end > at + _SECTION_LIMIT:
            return
        if number == 0 and data[at] == 0:
            self._counts.packs += 1
            programmes = range(at + 8, end - 3, 4)
            self._maps = {(data[one + 2] & 0x1F) << 8 | data[one + 3] for one in programmes if data[one] or data[one + 1]}
        elif number in self._maps and data[at] == 2 and at + 12 <= end:
            self._programme_map(data, at, end)

    def _programme_map(self, data: bytes, at: int, end: int) -> None:
        self._counts.maps += 1
        streams: dict[int, tuple[str, str]] = {}
        at += 12 + ((data[at + 10] & 0x0F) << 8 | data[at + 11])
        while at + 5 <= end:
            meaning = STREAM_TYPES.get(data[at])
            number = (data[at + 1] & 0x1F) << 8 | data[at + 2]
            if meaning is not None and (number in self._pids or len(self._pids) < _STREAMS):
                streams[number] = meaning
                pid = self._pids.setdefault(number, _Pid(meaning[0]))
                pid.kind = meaning[0]
            at += 5 + ((data[at + 3] & 0x0F) << 8 | data[at + 4])
        self._programme.declare(streams)
