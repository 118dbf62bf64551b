"""RTP in TCP as devices write it (GB/T 28181-2022 annex D): RFC 4571, RTSP's interleaving, a vendor's private head before it, no
lengths at all, a program stream without RTP; torn where a device's own buffer has overflowed. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable

_PACKET_LIMIT = 0xFFFF
_BUFFER_LIMIT = 256 << 10
_PRIVATE = 256  # octets of the vendor's head (EHOME)
_PACK = b"\x00\x00\x01\xba"
_LOOK = 16  # octets without which the kind cannot be told


def plausible(packet: bytes | bytearray | memoryview, at: int = 0) -> bool:
    """Whether RTP or RTCP could begin at ``at``: version 2, and a payload type that is sent."""
    kind = packet[at + 1]
    return packet[at] >> 6 == 2 and (kind & 0x7F >= 96 or kind & 0x7F < 35 or 200 <= kind <= 207)


def is_control(packet: bytes | memoryview) -> bool:
    """RTCP that shares a way with RTP (RFC 5761 §4)."""
    return 192 <= packet[1] <= 223


class Splitter:
    """``push`` takes what came and gives the RTP packets in it, or, where ``raw`` is set, octets of a stream without RTP.

    ``framing`` is ``rfc4571``, ``interleaved``, ``bare`` (packets without lengths), ``raw``, or None until that is known.
    ``torn`` counts places where nothing fitted and reading went on behind them.
    """

    def __init__(self) -> None:
        self.framing: str | None = None
        self.torn = 0
        self.skipped = 0  # octets
        self._buffer = bytearray()
        self._ssrc = b""  # of the newest packet
        self._head = 2  # octets before each packet

    @property
    def raw(self) -> bool:
        return self.framing == "raw"

    def push(self, data: bytes) -> list[bytes]:
        if self.framing == "raw":
            return [data] if data else []
        buffer = self._buffer
        out: list[bytes] = []
        if self._ssrc and self.framing != "bare":
            if buffer:
                data = bytes(buffer) + data
                buffer.clear()
            data = data[self._follow(data, out) :]
        buffer += data
        if self.framing is None and not self._detect():
            return []
        if self.framing == "raw":
            out = [bytes(buffer)]
            buffer.clear()
            return out
        out += self._bare() if self.framing == "bare" else self._framed()
        if len(buffer) > _BUFFER_LIMIT:
            self._drop(len(buffer) - 64)
        return out

    # ---- what it is

    def _detect(self) -> bool:
        """Looks at the first octets; False while there are too few."""
        buffer = self._buffer
        while True:
            if len(buffer) < _LOOK:
                return False
            if buffer[0] == 1 and buffer[1] == 0 and buffer[2] >= 1 and not plausible(buffer, 2):
                if len(buffer) < _PRIVATE + _LOOK:
                    return False
                del buffer[:_PRIVATE]
                continue
            break
        if buffer[0] == 0x24 and plausible(buffer, 4):
            self._set("interleaved", 4)
        elif buffer[:4] == _PACK:
            self._set("raw", 0)
        elif plausible(buffer, 2) and _length(buffer, 0) >= 8 and not (buffer[0] >= 0x80 and plausible(buffer)):
            self._set("rfc4571", 2)
        elif plausible(buffer) and not plausible(buffer, 2):
            self._set("bare", 0)
        elif plausible(buffer, 2):
            self._set("rfc4571", 2)
        elif (found := buffer.find(_PACK)) >= 14 and plausible(buffer, found - 12):
            self.torn += 1
            interleaved = found >= 16 and buffer[found - 16] == 0x24
            self._drop(found - (16 if interleaved else 14))
            self._set("interleaved" if interleaved else "rfc4571", 4 if interleaved else 2)
        elif len(buffer) > 64 << 10:
            self._drop(len(buffer) - 64)
            return False
        else:
            return False
        return True

    def _set(self, framing: str, head: int) -> None:
        self.framing, self._head = framing, head

    # ---- with lengths

    def _follow(self, data: bytes, out: list[bytes]) -> int:
        """Takes packets as long as each is what nearly all are: whole, of our sender, and behind it the next one or nothing.
        Returns where one stands that has to be looked at more closely."""
        head, ssrc, size = self._head, self._ssrc, len(data)
        at, ours = 0, data[head + 8 : head + 12] == ssrc
        while ours:
            begin = at + head
            kind = data[begin + 1]
            end = begin + (data[begin - 2] << 8 | data[begin - 1])
            ours = data[end + head + 8 : end + head + 12] == ssrc
            if not ours and end != size:
                break
            if end - begin < 12 or data[begin] >> 6 != 2 or 192 <= kind <= 223 or (head == 4 and data[at] != 0x24):
                break
            if not plausible(data, begin):
                break
            out.append(data[begin:end])
            at = end
        return at

    def _framed(self) -> list[bytes]:
        buffer, head = self._buffer, self._head
        out: list[bytes] = []
        at, size = 0, len(buffer)
        while size - at >= head + 2:
            length = buffer[at + head - 2] << 8 | buffer[at + head - 1]
            if not length and head == 2:  # a keep-alive
                at += 2
                continue
            begin = at + head
            if length < 8 or not plausible(buffer, begin) or (head == 4 and buffer[at] != 0x24):
                at = self._resume(at, size)
                if at < 0:
                    return out
                size = len(buffer)
                head = self._head
                continue
            end = begin + length
            if end > size:
                break
            # A length that is not true shows at the next packet, where it is there already.
            if self._ssrc and end + head + 2 <= size and not self._begins(end):
                found = self._find(begin + 12, size)
                if 0 <= found < end:
                    self.torn += 1
                    self.skipped += found - at
                    at = found
                    continue
            if length >= 12 and not 192 <= buffer[begin + 1] <= 223:
                self._ssrc = bytes(buffer[begin + 8 : begin + 12])
                out.append(bytes(buffer[begin:end]))
            elif length >= 8:
                out.append(bytes(buffer[begin:end]))
            at = end
        del buffer[:at]
        return out

    def _begins(self, at: int) -> bool:
        head = self._head
        buffer = self._buffer
        if head == 4 and buffer[at] != 0x24:
            return buffer[at] == 1 and buffer[at + 1] == 0
        length = _length(buffer, at + head - 2)
        return (length == 0 and head == 2) or (length >= 8 and plausible(buffer, at + head))

    def _resume(self, at: int, size: int) -> int:
        """Where reading goes on behind what fits nothing; -1 when that is not there yet."""
        buffer = self._buffer
        if size - at >= 3 and buffer[at] == 1 and buffer[at + 1] == 0 and buffer[at + 2] >= 1:  # the private head once more
            if size - at < _PRIVATE + 4:
                del buffer[:at]
                return -1
            return at + _PRIVATE
        self.torn += 1
        found = self._find(at + 1, size)
        if found < 0:
            keep = max(at, size - 32)
            self.skipped += keep - at
            del buffer[:keep]
            self.torn -= keep == at  # nothing happened: it was looked at before
            return -1
        self.skipped += found - at
        return found

    def _find(self, begin: int, size: int) -> int:
        """The next place where a framed packet of our sender begins, -1 without one."""
        head = self._head

        def fits(at: int) -> bool:
            return at >= begin and plausible(self._buffer, at + head) and _length(self._buffer, at + head - 2) >= 12

        if self._ssrc:
            return _search(self._buffer, self._ssrc, begin + head + 8, size, head + 8, fits)
        return _search(self._buffer, _PACK, begin + head + 12, size, head + 12, fits)

    # ---- without lengths

    def _bare(self) -> list[bytes]:
        """A packet ends where the next one of the same sender begins."""
        buffer = self._buffer
        out: list[bytes] = []
        at = 0
        while len(buffer) - at >= 24:
            if not plausible(buffer, at):
                found = (
                    _search(buffer, self._ssrc, at + 8, len(buffer), 8, lambda one: plausible(buffer, one)) if self._ssrc else -1
                )
                self.torn += 1
                if found < 0:
                    at = max(at, len(buffer) - 16)
                    break
                at = found
            self._ssrc = bytes(buffer[at + 8 : at + 12])
            kind, number = buffer[at + 1] & 0x7F, (_length(buffer, at + 2) + 1) & 0xFFFF

            def follows(one: int, kind: int = kind, number: int = number) -> bool:
                return buffer[one] >> 6 == 2 and buffer[one + 1] & 0x7F == kind and _length(buffer, one + 2) == number

            found = _search(buffer, self._ssrc, at + 20, len(buffer), 8, follows)
            if found < 0:
                if len(buffer) - at > _PACKET_LIMIT:
                    self.torn += 1
                    at = len(buffer) - 16
                break
            out.append(bytes(buffer[at:found]))
            at = found
        del buffer[:at]
        return out

    def _drop(self, count: int) -> None:
        self.skipped += count
        del self._buffer[:count]


def _length(buffer: bytearray, at: int) -> int:
    return buffer[at] << 8 | buffer[at + 1]


def _search(buffer: bytearray, mark: bytes, begin: int, size: int, behind: int, fits: Callable[[int], bool]) -> int:
    """The first place that ``fits`` and has ``mark`` so many octets behind it, -1 without one."""
    found = buffer.find(mark, begin, size)
    while found >= 0:
        if fits(found - behind):
            return found - behind
        found = buffer.find(mark, found + 1, size)
    return -1
