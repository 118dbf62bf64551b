"""Pictures alone where a program stream was agreed: a byte stream with start codes in RTP payloads, or the payloads of RFC 6184
and RFC 7798. No I/O, no clock."""

from __future__ import annotations

from collections import Counter

from commhub.wire import h264, h265
from commhub.wire.pes import CODE
from commhub.wire.programme import Programme
from commhub.wire.units import Counts, Label, guess

_STREAM = 0xE0
_EVIDENCE = 3


def _after_code(data: bytes) -> int:
    """Where a NAL unit begins that ``data`` begins with, 0 when it does not begin with a start code."""
    return 3 if data[:3] == CODE else 4 if data[:4] == h264.START_CODE else 0


def bare(data: bytes) -> bool:
    """Whether these octets begin as pictures with start codes do."""
    at = data.find(CODE) + 3
    return at >= 3 and at + 1 < len(data) and guess(data[at], data[at + 1]) is not None


def recognise(chunks: list[bytes]) -> str | None:
    """``es`` or ``rtp`` when these RTP payloads are pictures alone. One that begins with parameter sets is enough, else several
    are needed."""
    found: Counter[str] = Counter()
    for chunk in chunks:
        if len(chunk) < 4:
            continue
        begin = _after_code(chunk)
        if begin and begin + 1 < len(chunk):
            if chunk[begin] >= 0xB9:
                return None
            if guess(chunk[begin], chunk[begin + 1]) is not None:
                if _is_set(chunk[begin:]):
                    return "es"
                found["es"] += 1
        elif _packet_codec(chunk) is not None:
            if _is_set(chunk):
                return "rtp"
            found["rtp"] += 1
    best = found.most_common(1)
    return best[0][0] if best and best[0][1] >= max(_EVIDENCE, len(chunks) // 2) else None


def _is_set(unit: bytes) -> bool:
    """A sequence parameter set that can be read, or H.265's VPS or SPS."""
    end = unit.find(CODE)
    one = (unit if end < 0 else unit[:end]).rstrip(b"\0")
    for parse in (h264.parse_sps, h265.parse_sps):
        try:
            parse(one)
        except ValueError:
            continue
        return True
    return unit[:2] == b"\x40\x01"


def _packet_codec(payload: bytes) -> str | None:
    """The codec of an RTP payload by its first octets, None where they could be anything."""
    first, second = payload[0], payload[1]
    if first & 0x9F == h264.FU_A and second & 0x1F in (1, 5) and not second & 0x20 and first & 0x60:
        return "h264"
    if first == h265.FRAGMENT << 1 and second == 1:
        return "h265"
    if first & 0x9F == h264.STAP_A and len(payload) > 4 and payload[3] & 0x1F in (6, 7, 8, 9):
        return "h264"
    if first == h265.AGGREGATION << 1 and second == 1:
        return "h265"
    return guess(first, second)


class ElementaryStream:
    """``push`` takes payloads in order. With ``packets`` they are those of RFC 6184 or 7798, else a byte stream."""

    def __init__(self, programme: Programme, counts: Counts, packets: bool) -> None:
        self._programme, self._counts, self._packets = programme, counts, packets
        self._codec: str | None = None
        self._rtp: int | None = None
        self._inside = False  # a fragmented unit
        self.silent = 0

    def push(self, data: bytes, rtp: int | None, ends: bool) -> None:
        if rtp is not None and rtp != self._rtp:
            self._programme.finish()
        new = rtp is None or rtp != self._rtp
        self._rtp = rtp
        label = Label(rtp=rtp) if new else Label()
        if not self._packets or _after_code(data):
            self._programme.packet("video", _STREAM, data, label)
        elif len(data) >= 3:
            try:
                for piece in self._pieces(data):
                    self._programme.packet("video", _STREAM, piece, label)
                    label = Label()
            except ValueError:
                self._counts.unreadable += 1
        if ends:
            self._programme.finish()

    def gap(self, whole: bool) -> None:
        self._programme.gap(whole and not self._inside)
        self._inside = False

    def flush(self) -> None:
        self._programme.finish()

    def _pieces(self, data: bytes) -> list[bytes]:
        if self._codec is None:
            self._codec = _packet_codec(data)
        if self._codec == "h265":
            return self._h265(data)
        kind = data[0] & 0x1F
        if kind == h264.FU_A:
            return self._fragment(data[1], bytes((data[0] & 0xE0 | data[1] & 0x1F,)), data[2:])
        self._inside = False
        if kind == h264.STAP_A:
            return [h264.START_CODE + bytes(unit) for unit in h264.aggregated(data)]
        if 0 < kind < 24:
            return [h264.START_CODE + data]
        raise ValueError(f"The H.264 payload type {kind} is not one of packetization mode 1.")

    def _h265(self, data: bytes) -> list[bytes]:
        kind = h265.kind(data)
        if kind == h265.FRAGMENT:
            return self._fragment(data[2], bytes((data[0] & 0x81 | (data[2] & 0x3F) << 1, data[1])), data[3:])
        self._inside = False
        if kind == h265.AGGREGATION:
            return [h264.START_CODE + bytes(unit) for unit in h265.aggregated(data)]
        if kind < h265.AGGREGATION:
            return [h264.START_CODE + data]
        raise ValueError(f"The H.265 payload type {kind} is none that carries pictures.")

    def _fragment(self, flags: int, head: bytes, rest: bytes) -> list[bytes]:
        begins = bool(flags & 0x80)
        if not begins and not self._inside:
            return []
        self._inside = not flags & 0x40
        return [h264.START_CODE + head + rest] if begins else [rest]
