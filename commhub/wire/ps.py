"""What cameras of GB/T 28181 send: a program stream (ISO/IEC 13818-1 §2.5, of MPEG-1 11172-1) in RTP or over TCP, made access
units; also the transport streams and bare pictures that some of them send instead. No I/O, no clock.

Lengths, maps and times are checked against what follows, for devices are wrong in each of them; every buffer has a bound, and
behind anything unreadable reading goes on at the next start code.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from commhub.wire import es, ts
from commhub.wire.pes import AUDIO, CODE, PRIVATE_1, SYSTEM_CODES, VIDEO, Bytes, header, program_map
from commhub.wire.programme import Programme
from commhub.wire.units import Counts, Label, Unit

END, PACK, SYSTEM, MAP, PADDING, PRIVATE_2 = 0xB9, 0xBA, 0xBB, 0xBC, 0xBE, 0xBF
PES_LIMIT = 4 << 20  # octets of a packet without a true length
_TABLE_LIMIT = 1024  # octets of a system header or a map (§2.5.3.5: a map has at most 1018)
_HONEST = 8  # lengths in a row that were true, after which one is believed at once
_NEARLY_FULL = 60_000  # a packet of this size is one of several of a large picture
_MARKERS = 3  # markers in a row that were right
_SILENCE = 256 << 10  # octets of a stream that meant nothing: it is another kind of stream by now
_UNKNOWN_LIMIT = 256 << 10
_PACK_CODE = CODE + b"\xba"
_DHAV_HEAD, _DHAV_TAIL = 24, 8


class Stream(Protocol):
    """A way in which pictures and sound travel together."""

    def push(self, data: bytes, rtp: int | None, ends: bool) -> None: ...
    def gap(self, whole: bool) -> None: ...
    def flush(self) -> None: ...

    silent: int  # octets since something was understood


class ProgramStream:
    """``push`` takes the octets in order. ``ends`` says that a picture is complete with them."""

    def __init__(self, programme: Programme, counts: Counts) -> None:
        self._programme, self._counts = programme, counts
        self._buffer = bytearray()
        self._need = 4  # octets in the buffer without which nothing can go on
        self._scanned = 0  # of a packet without end: where its end was looked for
        self._honest = 0
        self._gone = 0  # octets before the buffer
        self._times: deque[tuple[int, int]] = deque()  # (octet, RTP time from there on)
        self._time: int | None = None
        self._newest: int | None = None
        self.silent = 0  # octets since something was understood
        self._complete = False  # whether what was read last is a whole packet, not one of many of a large picture

    def push(self, data: bytes, rtp: int | None, ends: bool) -> None:
        buffer = self._buffer
        before = len(buffer)
        if rtp is not None and rtp != self._newest:
            self._newest = rtp
            self._times.append((self._gone + before, rtp))
            if len(self._times) > 1024:
                self._times.popleft()
            if before and data[:4] == _PACK_CODE and before < self._need:
                self._parse(ends=False, cut=True)  # its length was not true: the next pack has begun
                buffer = self._buffer
        buffer += data
        if ends or len(buffer) >= self._need:
            self._parse(ends, cut=False)

    def gap(self, whole: bool) -> None:
        """Octets are missing here. ``whole``: what came before was complete as far as RTP can tell."""
        if self._buffer:
            self._parse(ends=True, cut=False)
        complete = whole and not self._buffer and self._complete
        self._programme.gap(complete)
        self._drop(len(self._buffer))

    def flush(self) -> None:
        self._parse(ends=True, cut=False)

    # ---- the buffer

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._gone += count
        self._scanned = 0
        self._need = 4

    def _rtp(self, at: int) -> int | None:
        times, octet = self._times, self._gone + at
        while times and times[0][0] <= octet:
            self._time = times.popleft()[1]
        return self._time

    def _code(self, at: int, end: int) -> int:
        """The first start code of the system layer that begins in [at, end), -1 without one."""
        buffer = self._buffer
        end = min(end, len(buffer) - 3)
        while at < end and (at := buffer.find(CODE, at, end + 2)) >= 0:
            if buffer[at + 3] >= SYSTEM_CODES:
                return at
            at += 3
        return -1

    def _parse(self, ends: bool, cut: bool) -> None:
        buffer = self._buffer
        at, size, need = 0, len(buffer), 4
        while size - at >= 4:
            code = buffer[at + 3]
            if code < SYSTEM_CODES or buffer[at : at + 3] != CODE:
                found = self._code(at, size)
                following = found if found >= 0 else size - 3
                self._skip(at, following)
                at = following
                if found < 0:
                    break
                continue
            if code == PACK:
                step = self._pack(at, size)
            elif code == END:
                step = 4
            else:
                step = self._packet(code, at, size, ends, cut)
            if step <= 0:
                need = -step
                break
            at += step
        scanned, asked = self._scanned, max(need, 4)
        if at:
            self._drop(at)
            scanned = 0
        self._scanned, self._need = scanned, asked
        if ends:
            self._programme.finish()

    def _skip(self, at: int, end: int) -> None:
        if end > at and any(self._buffer[at : min(end, at + 64)]):  # zeros are stuffing
            self._counts.skipped += end - at
            self.silent += end - at

    # ---- what begins with a start code: how many octets it has; else minus the octets there must be from there on

    def _pack(self, at: int, size: int) -> int:
        if size - at < 14:
            return -14
        kind = self._buffer[at + 4]
        if kind & 0xC0 == 0x40:
            length = 14 + (self._buffer[at + 13] & 7)
        elif kind & 0xF0 == 0x20:  # MPEG-1
            length = 12
        else:
            self._skip(at, at + 4)
            return 4
        self._counts.packs += 1
        self.silent = 0
        return length if size - at >= length else -length

    def _packet(self, code: int, at: int, size: int, ends: bool, cut: bool) -> int:
        if size - at < 6:
            return -6
        buffer = self._buffer
        length = buffer[at + 4] << 8 | buffer[at + 5]
        end = at + 6 + length
        table = code in (SYSTEM, MAP)
        if table and length > _TABLE_LIMIT:
            self._counts.lengths += 1
            return 4
        media = code >= AUDIO and code < 0xF0
        if end > size and not (media and (cut or length == 0)):
            return 4 if cut else at - end
        if media and (length == 0 or end > size):
            return self._overrun(code, at, end, size, ends, cut)
        follows = self._follows(end, size)
        if follows is None:
            if not (ends or cut or self._honest >= _HONEST):
                return at - end - 4
        elif not follows:
            self._honest = 0
            if media:
                return self._overrun(code, at, end, size, ends, cut)
            return 4 if table or self._code(at + 4, end) >= 0 else end - at
        else:
            self._honest += 1
        self._take(code, at, end)
        return end - at

    def _follows(self, end: int, size: int) -> bool | None:
        """Whether a start code stands at ``end``, perhaps behind zeros; None when that cannot be told yet."""
        buffer = self._buffer
        found = buffer.find(b"\x01", end, end + 64)
        if found < 0:
            return None if not any(buffer[end : end + 64]) else False
        if found - end < 2 or any(buffer[end:found]):
            return False
        return None if found + 1 >= size else buffer[found + 1] >= SYSTEM_CODES

    def _overrun(self, code: int, at: int, end: int, size: int, ends: bool, cut: bool) -> int:
        """A packet of media with no length, or with one that is not true: too large, or its upper bits are missing. What stands
        behind its end belongs to it where the length says so in 16 bits; else it is garbage."""
        length = end - at - 6
        unknown = length in (0, 0xFFFF)
        begin = max(at + 6, self._scanned) if unknown or code >= VIDEO else max(end, self._scanned)
        found = self._code(begin, size)
        if found < 0 and (cut or (ends and not (size - end) & 0xFFFF) or (ends and unknown)):
            found = size
        if found < 0:
            if size - at > PES_LIMIT:
                self._counts.oversized += 1
                self._programme.gap(False)
                return size - at - 3
            if end <= size and ends:
                found = size
            else:
                self._scanned = max(begin, size - 3)
                return -(size - at + 1)
        self._scanned = 0
        if not unknown:
            self._counts.lengths += 1
        stop = found if unknown or found <= end or not (found - end) & 0xFFFF else end
        self._skip(stop, found)
        self._take(code, at, stop)
        return found - at

    # ---- what it says

    def _take(self, code: int, at: int, end: int) -> None:
        buffer = self._buffer
        if code in (SYSTEM, MAP):
            body = bytes(buffer[at + 6 : end])
            # A system header has a marker bit where a map has the low bit of a length that is zero (§2.5.3.5).
            if code == MAP or (len(body) > 2 and not body[2] & 1):
                self._map(body)
            return
        if (code < AUDIO and code != PRIVATE_1) or code >= 0xF0:
            return
        if code == PRIVATE_1 and not self._programme.declares(code):
            self._counts.ignored += 1
            return
        try:
            pts, dts, start = header(buffer, at, end)
        except ValueError:
            self._counts.unreadable += 1
            return
        self.silent = 0
        self._complete = end - at < _NEARLY_FULL
        if start >= end:
            return
        kind = "video" if code >= VIDEO else "audio"
        payload = memoryview(buffer)[start:end]
        try:
            self._programme.packet(kind, code, _without_dhav(payload), Label(pts, dts, self._rtp(at)))
        finally:
            payload.release()

    def _map(self, body: bytes) -> None:
        found = program_map(body)
        if found is not None:
            self._counts.maps += 1
            self._programme.declare(found)


def _without_dhav(payload: memoryview) -> Bytes:
    """Dahua's own framing around a frame: a head of 24 octets and what it says, a tail of 8."""
    if bytes(payload[:4]) != b"DHAV" or len(payload) < _DHAV_HEAD + _DHAV_TAIL:
        return payload
    start, end = _DHAV_HEAD + payload[22], len(payload)
    if bytes(payload[end - 8 : end - 4]) == b"dhav":
        end -= _DHAV_TAIL
    return bytes(payload[start:end])


class Demuxer:
    """One camera's stream. ``push`` takes RTP payloads in order, or octets of a file or a connection, and returns what became
    complete; after a loss call :meth:`gap` first. ``audio`` is the codec of sound that the signalling told, where it did.

    ``container`` says what it really is: ``ps``, ``ts``, ``es`` (a byte stream with start codes) or ``rtp`` (the payloads of
    RFC 6184 or 7798), None until that is known. Nothing raises for what a device sends.
    """

    def __init__(self, audio: str | None = None) -> None:
        self.counts = Counts()
        self._out: list[Unit] = []
        self._programme = Programme(self._out, self.counts, audio)
        self._stream: Stream | None = None
        self._waiting: list[tuple[bytes, int | None, bool]] = []
        self._waits = 0
        self.container: str | None = None
        self._timestamp: int | None = None
        self._marked = False
        self._markers = 0  # right ones in a row; negative after wrong ones
        self._behind_gap = False

    @property
    def video(self) -> str | None:
        """The codec of the pictures, once one was read."""
        return self._programme.video.codec

    @property
    def sound(self) -> str | None:
        return self._programme.audio.codec

    @property
    def clock(self) -> str:
        """Whose time the units have: ``pts``, ``rtp`` or ``count``."""
        return self._programme.clock.source

    def push(self, data: bytes, timestamp: int | None = None, marker: bool = False) -> list[Unit]:
        """``timestamp`` and ``marker`` are RTP's; None and False without RTP."""
        if timestamp is not None:
            self._watch_markers(timestamp, marker, data)
        ends = marker and self._markers >= _MARKERS
        if self._stream is not None:
            self._stream.push(data, timestamp, ends)
            if self._stream.silent > _SILENCE:
                self._forget()
        elif data:
            self._wait(data, timestamp, marker)
        return self._taken()

    def gap(self) -> list[Unit]:
        """Something was lost between what was pushed and what comes."""
        self.counts.gaps += 1
        self._behind_gap = True
        if self._stream is not None:
            self._stream.gap(self._marked or self._markers == 0)
        else:
            self._waiting.clear()
            self._waits = 0
        return self._taken()

    def flush(self) -> list[Unit]:
        """The stream has ended, or pauses: what is there is complete."""
        if self._stream is None and self._waiting:
            self._recognise(last=True)
        if self._stream is not None:
            self._stream.flush()
        return self._taken()

    def _taken(self) -> list[Unit]:
        if not self._out:
            return []
        out = self._out[:]
        self._out.clear()
        return out

    def _watch_markers(self, timestamp: int, marker: bool, data: bytes) -> None:
        """A marker is right when another time begins behind it, and only there (some devices set all of them, or none, or those
        of sound between the packets of a picture)."""
        if self._timestamp is not None and not self._behind_gap:
            new = timestamp != self._timestamp
            if new != self._marked:
                self._markers = -20 if self._marked else min(self._markers, 0) - 1
            elif new:
                self._markers += 1
        self._behind_gap = False
        self._timestamp, self._marked = timestamp, marker

    # ---- which kind of stream it is

    def _wait(self, data: bytes, timestamp: int | None, marker: bool) -> None:
        self._waiting.append((data, timestamp, marker))
        self._waits += len(data)
        if self._waits >= 188 or data[:4] == _PACK_CODE:
            self._recognise(last=False)
        if self._stream is None and (self._waits > _UNKNOWN_LIMIT or len(self._waiting) > 4096):
            self.counts.skipped += self._waits
            self._waiting.clear()
            self._waits = 0

    def _recognise(self, last: bool) -> None:
        chunks = self._waiting
        container = recognise([data for data, _, _ in chunks], chunks[0][1] is not None, last)
        if container is None:
            return
        self.container = container
        if container == "ps":
            self._stream = ProgramStream(self._programme, self.counts)
        elif container == "ts":
            self._stream = ts.TransportStream(self._programme, self.counts)
        else:
            self._stream = es.ElementaryStream(self._programme, self.counts, packets=container == "rtp")
        self._waiting, self._waits = [], 0
        for data, timestamp, marker in chunks:
            self._stream.push(data, timestamp, marker and self._markers >= _MARKERS)

    def _forget(self) -> None:
        self._programme.gap(False)
        self._stream, self.container = None, None


def recognise(chunks: list[bytes], packets: bool, last: bool = False) -> str | None:
    """The kind of stream that these payloads (``packets``) or octets begin; None while that cannot be told."""
    data = b"".join(chunks)
    if data[:4] == _PACK_CODE:
        return "ps"
    if ts.aligned(chunks if packets else [data]):
        return "ts"
    if packets and (found := es.recognise(chunks)) is not None:
        return found
    at, marks = 0, 0
    while (at := data.find(CODE, at)) >= 0 and at + 4 <= len(data):
        if data[at + 3] == PACK or data[at + 3] in (SYSTEM, MAP, VIDEO, AUDIO):
            return "ps"
        marks += 1
        at += 3
    if not packets and marks and (last or len(data) >= 128 << 10) and es.bare(data):
        return "es"
    return None
