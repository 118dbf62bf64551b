"""How many frames come over a WebSocket (RFC 6455 §5.2), counted where the octets arrive.

aiohttp answers pings by itself and gives empty frames no weight in its queue, so neither the pace of messages nor its own flow
control holds back who sends millions of frames of six octets. No I/O; time is monotonic seconds.
"""

from __future__ import annotations

_LONGEST_HEAD = 14


class Frames:
    """``rate`` frames a second, ``burst`` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._level, self._at = burst, 0.0
        self._head, self._skip = b"", 0

    def take(self, data: bytes, now: float) -> bool:
        """The next octets of the stream. False: too many frames begin in them."""
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = now
        self._level -= self._count(data, int(self._level))
        return self._level >= 0

    def _count(self, data: bytes, enough: int) -> int:
        at = number = 0
        while number <= enough:
            passed = min(self._skip, len(data) - at)
            at, self._skip = at + passed, self._skip - passed
            head = self._head + data[at : at + _LONGEST_HEAD - len(self._head)]
            if self._skip or not head:
                break
            size, masked = (head[1] & 0x7F, head[1] & 0x80) if len(head) > 1 else (0, 0)
            wide = {126: 2, 127: 8}.get(size, 0)
            length = 2 + wide + (4 if masked else 0)
            if len(head) < length:
                self._head = head
                break
            at, self._head = at + length - len(self._head), b""
            self._skip = int.from_bytes(head[2 : 2 + wide], "big") if wide else size
            number += 1
        return number
