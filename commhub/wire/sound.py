"""Packets of sound become access units: which codec it really is, and when it sounds. No I/O, no clock."""

from __future__ import annotations

from commhub.wire import adts
from commhub.wire.pes import Bytes
from commhub.wire.units import Clock, Counts, Label, Unit

_PROOF = 3  # packets in a row that are not what they are declared to be
_DRIFT = 90_000  # 90 kHz that counted sound may be away from the pictures
_VOTES = 64  # octets of near silence that decide between the two laws
_PACKET_LIMIT = 1 << 16
_SAMPLES = {"pcma": 8000, "pcmu": 8000}


class Audio:
    """Sound of one stream; ``push`` takes the payload of a packet, units are appended to ``out``."""

    def __init__(self, clock: Clock, out: list[Unit], counts: Counts, hint: str | None = None) -> None:
        self.declared: str | None = None
        self.codec: str | None = None
        self._hint, self._clock, self._out, self._counts = hint, clock, out, counts
        self._next: int | None = None  # time that the next packet has by counting
        self._rest = b""
        self._alaw = self._ulaw = 0
        self._sizes: list[int] = []  # of packets that are not what they are declared to be
        self._lost = False

    def lose(self) -> None:
        self._rest, self._lost, self._next = b"", True, None

    def push(self, data: Bytes, label: Label) -> None:
        payload = bytes(data)
        if not payload:
            return
        if len(payload) > _PACKET_LIMIT:
            self._counts.oversized += 1
            self.lose()
            return
        payload = _without_voice_header(payload)
        codec = self._identify(payload)
        if codec is None:
            self._counts.unreadable += 1
            return
        if codec != self.codec:
            self.codec, self._rest, self._next = codec, b"", None
        at = self._clock.sound(label)
        if self._next is not None and (at is None or at == self._next):
            at = self._next
            if self._clock.began and label.pts is None and abs(at - self._clock.latest) > _DRIFT:
                at = self._clock.latest
        elif at is None:
            at = self._clock.latest
        if codec == "aac":
            self._frames(payload, at)
            return
        self._send(codec, at, payload)
        rate = _SAMPLES.get(codec)
        self._next = at + len(payload) * 90_000 // rate if rate else None

    def _send(self, codec: str, at: int, data: bytes) -> None:
        self._out.append(Unit("audio", codec, at, at, data, True, self._lost))
        self._lost = False

    def _frames(self, payload: bytes, at: int) -> None:
        if self._rest and self._next is not None:
            at = self._next  # the time belongs to the first frame that begins here; the rest is a few ms older
        data, self._rest = self._rest + payload, b""
        frames, used = adts.split(data)
        for frame, ticks in frames:
            self._send("aac", at, frame)
            at += ticks
        self._next = at
        if len(data) - used < adts.LARGEST:
            self._rest = data[used:]

    def _identify(self, payload: bytes) -> str | None:
        """What this is: ADTS shows itself, G.711 is told by its silence; else what was declared."""
        if self.codec == "aac" and self._rest:
            return "aac"
        said = self.declared or self._hint
        if adts.chain(payload) or (said in (None, "aac") and adts.inside(payload)):
            self._sizes.clear()
            return "aac"
        if said is None and (self.codec == "mpa" or adts.mpeg_audio(payload)):
            return "mpa"
        if said == "aac" or (said is None and self.codec == "aac"):
            if self.codec not in (None, "aac"):
                return self._law(payload)
            self._sizes.append(len(payload))
            if len(self._sizes) < _PROOF:
                return None
            same = len(set(self._sizes)) == 1
            self._sizes.clear()
            return self._law(payload) if same else None  # G.711 has packets of one size, AAC never
        return said if said is not None else self._law(payload)

    def _law(self, payload: bytes) -> str:
        """Near silence is 0xD5 and 0x55 of the A-law and 0xFF and 0x7F of the other one; without any it is the A-law."""
        if self._alaw + self._ulaw < 1 << 16:
            self._alaw += sum(map(payload.count, (b"\xd5", b"\x55", b"\xd4", b"\x54")))
            self._ulaw += sum(map(payload.count, (b"\xff", b"\x7f", b"\xfe", b"\x7e")))
        if self._ulaw > 4 * self._alaw and self._ulaw >= _VOTES:
            return "pcmu"
        if self._alaw > 4 * self._ulaw and self._alaw >= _VOTES:
            return "pcma"
        return self.codec if self.codec in _SAMPLES else "pcma"


def _without_voice_header(payload: bytes) -> bytes:
    """HiSilicon's encoder, which is in many cameras, puts 00 01, the length in words and 00 before each frame of G.711."""
    if payload[:2] == b"\0\1" and len(payload) > 8 and payload[3] == 0 and 2 * payload[2] == len(payload) - 4:
        return payload[4:]
    return payload
