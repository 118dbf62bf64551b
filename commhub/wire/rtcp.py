"""RTCP: reports (RFC 3550 §6), transport and payload feedback (RFC 4585, RFC 5104, REMB, transport-wide congestion control)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

SR, RR, SDES, BYE, APP, RTPFB, PSFB = 200, 201, 202, 203, 204, 205, 206
MAX_SIZE = 1500
MAX_STATUSES = 8_192  # packets that the transport feedback of one compound may be about

_BLOCK = struct.Struct("!IIIIII")
_PAIR = struct.Struct("!HH")


@dataclass(slots=True)
class Report:
    """One reception report block. ``fraction`` in 1/256, ``jitter`` in RTP ticks, ``lsr``/``dlsr`` in 1/65536 s."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    lsr: int
    dlsr: int


@dataclass(slots=True)
class SenderReport:
    """``ntp`` is the 64-bit NTP time."""

    ssrc: int
    ntp: int
    rtp_time: int
    packets: int
    octets: int
    reports: list[Report] = field(default_factory=list)


@dataclass(slots=True)
class ReceiverReport:
    ssrc: int
    reports: list[Report] = field(default_factory=list)


@dataclass(slots=True)
class Nack:
    """``lost`` are sequence numbers, in the order asked."""

    ssrc: int
    lost: list[int]


@dataclass(slots=True)
class KeyFrameRequest:
    """A PLI, or one entry of a FIR."""

    ssrc: int


@dataclass(slots=True)
class Remb:
    """Receiver-estimated maximum bitrate in bit/s."""

    bitrate: int
    ssrcs: list[int]


@dataclass(slots=True)
class TransportFeedback:
    """Transport-wide feedback: ``packets`` as ``(sequence number, arrival in µs of the feedback's clock or None)``."""

    count: int
    packets: list[tuple[int, int | None]]


@dataclass(slots=True)
class Bye:
    ssrcs: list[int]


Packet = SenderReport | ReceiverReport | Nack | KeyFrameRequest | Remb | TransportFeedback | Bye


def parse(data: bytes) -> list[Packet]:
    """Every packet of a compound that this table knows. ValueError when any of it is torn."""
    size = len(data)
    if not 8 <= size <= MAX_SIZE:
        raise ValueError("An RTCP packet has 8 to 1500 octets.")
    found: list[Packet] = []
    at = 0
    while at < size:
        if at + 4 > size:
            raise ValueError("An RTCP packet ends behind the datagram.")
        first, kind, words = data[at], data[at + 1], data[at + 2] << 8 | data[at + 3]
        end = at + 4 + 4 * words
        if first >> 6 != 2:
            raise ValueError("The RTCP version is not 2.")
        if end > size:
            raise ValueError("An RTCP packet ends behind the datagram.")
        stop = end
        if first & 0x20:
            padding = data[end - 1]
            if not 0 < padding <= end - at - 4:
                raise ValueError("The RTCP padding is longer than the packet.")
            stop -= padding
        _one(found, first & 31, kind, data[at + 4 : stop])
        at = end
    return found


def _one(found: list[Packet], count: int, kind: int, body: bytes) -> None:
    if kind == SR:
        if len(body) < 24 + 24 * count:
            raise ValueError("An RTCP sender report is too short.")
        ssrc, ntp, rtp_time, packets, octets = struct.unpack_from("!IQIII", body)
        found.append(SenderReport(ssrc, ntp, rtp_time, packets, octets, _reports(body, 24, count)))
    elif kind == RR:
        if len(body) < 4 + 24 * count:
            raise ValueError("An RTCP receiver report is too short.")
        found.append(ReceiverReport(int.from_bytes(body[:4], "big"), _reports(body, 4, count)))
    elif kind == BYE:
        if len(body) < 4 * count:
            raise ValueError("An RTCP BYE is too short.")
        found.append(Bye(list(struct.unpack_from(f"!{count}I", body))))
    elif kind in (RTPFB, PSFB):
        if len(body) < 8:
            raise ValueError("An RTCP feedback packet is too short.")
        _feedback(found, kind, count, int.from_bytes(body[4:8], "big"), body[8:])


def _reports(body: bytes, at: int, count: int) -> list[Report]:
    reports = []
    for offset in range(at, at + 24 * count, 24):
        ssrc, loss, highest, jitter, lsr, dlsr = _BLOCK.unpack_from(body, offset)
        lost = loss & 0xFFFFFF
        reports.append(Report(ssrc, loss >> 24, lost - (1 << 24) if lost >> 23 else lost, highest, jitter, lsr, dlsr))
    return reports


def _feedback(found: list[Packet], kind: int, fmt: int, ssrc: int, fci: bytes) -> None:
    if kind == RTPFB:
        if fmt == 1:
            lost: list[int] = []
            for at in range(0, len(fci) - 3, 4):
                first, mask = _PAIR.unpack_from(fci, at)
                lost.append(first)
                if mask:
                    lost.extend([first + bit + 1 & 0xFFFF for bit in range(16) if mask >> bit & 1])
            found.append(Nack(ssrc, lost))
        elif fmt == 15:
            told = sum(len(packet.packets) for packet in found if isinstance(packet, TransportFeedback))
            found.append(_parse_transport_feedback(fci, MAX_STATUSES - told))
    elif fmt == 1:
        found.append(KeyFrameRequest(ssrc))
    elif fmt == 4:
        found.extend(KeyFrameRequest(int.from_bytes(fci[at : at + 4], "big")) for at in range(0, len(fci) - 7, 8))
    elif fmt == 15 and fci[:4] == b"REMB":
        if len(fci) < 8 or len(fci) < 8 + 4 * fci[4]:
            raise ValueError("An RTCP REMB is too short.")
        packed = int.from_bytes(fci[5:8], "big")
        found.append(Remb((packed & 0x3FFFF) << (packed >> 18), list(struct.unpack_from(f"!{fci[4]}I", fci, 8))))


def _parse_transport_feedback(fci: bytes, most: int) -> TransportFeedback:
    """draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1."""
    if len(fci) < 10:
        raise ValueError("An RTCP transport feedback is too short.")
    base, total = _PAIR.unpack_from(fci)
    if total > most:  # twenty octets can speak of 65,535 packets, and of nothing else
        raise ValueError("An RTCP transport feedback is about too many packets.")
    clock = int.from_bytes(fci[4:7], "big", signed=True) * 64_000
    symbols: list[int] = []
    at = 8
    while len(symbols) < total:
        if at + 2 > len(fci):
            raise ValueError("An RTCP transport feedback ends before its packets.")
        chunk = fci[at] << 8 | fci[at + 1]
        at += 2
        if not chunk >> 15:
            symbols.extend([chunk >> 13 & 3] * min(chunk & 0x1FFF, total - len(symbols)))
            if not chunk & 0x1FFF:
                raise ValueError("An RTCP transport feedback has an empty run.")
        elif chunk >> 14 & 1:
            symbols.extend([chunk >> shift & 3 for shift in range(12, -1, -2)])
        else:
            symbols.extend([chunk >> shift & 1 for shift in range(13, -1, -1)])
    packets: list[tuple[int, int | None]] = []
    for number, symbol in enumerate(symbols[:total]):
        width = (0, 1, 2, 0)[symbol]
        if at + width > len(fci):
            raise ValueError("An RTCP transport feedback ends before its packets.")
        if width:
            clock += int.from_bytes(fci[at : at + width], "big", signed=width == 2) * 250
            at += width
        packets.append((base + number & 0xFFFF, clock if width else None))
    return TransportFeedback(fci[7], packets)


def build_sender_report(report: SenderReport) -> bytes:
    head = struct.pack("!BBHIQIII", 0x80 | len(report.reports), SR, 6 + 6 * len(report.reports), report.ssrc, report.ntp,
                       report.rtp_time, report.packets & 0xFFFFFFFF, report.octets & 0xFFFFFFFF)  # fmt: skip
    return head + _pack_reports(report.reports)


def build_receiver_report(ssrc: int, reports: list[Report]) -> bytes:
    """At most 31 blocks."""
    return struct.pack("!BBHI", 0x80 | len(reports), RR, 1 + 6 * len(reports), ssrc) + _pack_reports(reports)


def _pack_reports(reports: list[Report]) -> bytes:
    return b"".join(
        [
            _BLOCK.pack(
                r.ssrc,
                r.fraction << 24 | max(-(1 << 23), min(r.lost, (1 << 23) - 1)) & 0xFFFFFF,
                r.highest & 0xFFFFFFFF,
                r.jitter & 0xFFFFFFFF,
                r.lsr,
                r.dlsr & 0xFFFFFFFF,
            )
            for r in reports
        ]
    )


def build_source_description(ssrc: int, cname: str) -> bytes:
    """An SDES with a CNAME (RFC 3550 §6.5)."""
    item = bytes((1, len(cname.encode()))) + cname.encode()
    chunk = ssrc.to_bytes(4, "big") + item
    chunk += bytes(4 - len(chunk) % 4)  # at least one zero octet ends the items
    return struct.pack("!BBH", 0x81, SDES, len(chunk) // 4) + chunk


def build_nack(sender: int, ssrc: int, lost: Iterable[int]) -> bytes:
    """Generic NACK; ``lost`` are 16-bit sequence numbers, ascending."""
    fci: list[bytes] = []
    first, mask = -1, 0
    for sequence in lost:
        distance = (sequence - first & 0xFFFF) - 1
        if first >= 0 and 0 <= distance < 16:
            mask |= 1 << distance
            continue
        if first >= 0:
            fci.append(_PAIR.pack(first, mask))
        first, mask = sequence & 0xFFFF, 0
    if first >= 0:
        fci.append(_PAIR.pack(first, mask))
    return _feedback_packet(RTPFB, 1, sender, ssrc, b"".join(fci))


def build_pli(sender: int, ssrc: int) -> bytes:
    return _feedback_packet(PSFB, 1, sender, ssrc, b"")


def build_fir(sender: int, ssrc: int, number: int) -> bytes:
    """Full intra request (RFC 5104 §4.3.1); ``number`` counts the requests, modulo 256."""
    return _feedback_packet(PSFB, 4, sender, 0, struct.pack("!IB3x", ssrc, number & 0xFF))


def build_remb(sender: int, bitrate: int, ssrcs: list[int]) -> bytes:
    exponent = max(0, bitrate.bit_length() - 18)
    packed = exponent << 18 | bitrate >> exponent
    fci = b"REMB" + bytes((len(ssrcs),)) + packed.to_bytes(3, "big") + struct.pack(f"!{len(ssrcs)}I", *ssrcs)
    return _feedback_packet(PSFB, 15, sender, 0, fci)


def build_bye(ssrcs: list[int]) -> bytes:
    return struct.pack(f"!BBH{len(ssrcs)}I", 0x80 | len(ssrcs), BYE, len(ssrcs), *ssrcs)


def build_transport_feedback(sender: int, ssrc: int, count: int, packets: list[tuple[int, int]]) -> tuple[bytes, int]:
    """Transport-wide feedback for ``(extended sequence number, arrival in µs)``, ascending and unique.

    Returns the packet and how many entries it took: it stops before a gap or a delta that one packet cannot express.
    """
    base = packets[0][0]
    reference = packets[0][1] // 64_000
    clock = reference * 64_000
    symbols: list[int] = []
    deltas: list[bytes] = []
    taken = 0
    for sequence, arrival in packets:
        missing = sequence - base - len(symbols)
        delta = (arrival - clock + 125) // 250
        if missing > 500 or taken >= 400 or not -0x8000 <= delta <= 0x7FFF:
            break
        symbols.extend([0] * missing)
        if 0 <= delta <= 0xFF:
            symbols.append(1)
            deltas.append(bytes((delta,)))
        else:
            symbols.append(2)
            deltas.append(delta.to_bytes(2, "big", signed=True))
        clock += delta * 250
        taken += 1
    fci = _PAIR.pack(base & 0xFFFF, len(symbols)) + (reference & 0xFFFFFF).to_bytes(3, "big") + bytes((count & 0xFF,))
    fci += _chunks(symbols) + b"".join(deltas)
    padding = -len(fci) & 3
    if padding:
        fci += bytes(padding - 1) + bytes((padding,))
    return _feedback_packet(RTPFB, 15, sender, ssrc, fci, padded=bool(padding)), taken


def _chunks(symbols: list[int]) -> bytes:
    """Runs where they pay, else vectors of seven two-bit symbols."""
    out = bytearray()
    at, size = 0, len(symbols)
    while at < size:
        symbol, end = symbols[at], at + 1
        while end < size and symbols[end] == symbol and end - at < 0x1FFF:
            end += 1
        if end - at >= 7 or end == size:
            chunk = symbol << 13 | end - at
        else:
            end = min(at + 7, size)
            chunk = 0xC000
            for place, symbol in enumerate(symbols[at:end]):
                chunk |= symbol << 12 - 2 * place
        out += chunk.to_bytes(2, "big")
        at = end
    return bytes(out)


def _feedback_packet(kind: int, fmt: int, sender: int, ssrc: int, fci: bytes, padded: bool = False) -> bytes:
    first = 0xA0 if padded else 0x80
    return struct.pack("!BBHII", first | fmt, kind, 2 + len(fci) // 4, sender, ssrc) + fci
