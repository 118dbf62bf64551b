"""RTCP of the data plane: what is told to publishers and subscribers, and what their reports mean. No I/O and no clock."""

from __future__ import annotations

from commhub.media.downlink import RESEND_INTERVAL, Route, Segment
from commhub.media.peer import Peer
from commhub.media.uplink import Packet, Receiver
from commhub.wire import red, rtcp
from commhub.wire.dependency import renumber
from commhub.wire.picture import shift

RESENDS = 64  # packets per RTCP packet that asks
REPORTS = 31  # blocks in a receiver report
SR_PATIENCE = 5.0  # s a Source may stay without a sender report of its own
_NTP_EPOCH = 2_208_988_800


def receiver_reports(peer: Peer, now: float) -> list[bytes]:
    """What this transport's streams lost, in one or more receiver reports."""
    reports = [stream.report(now) for stream in peer.streams.values() if stream.base >= 0]
    return [rtcp.build_receiver_report(peer.ssrc, reports[at : at + REPORTS]) for at in range(0, len(reports), REPORTS)]


def sender_report(route: Route, now: float) -> bytes | None:
    """The publisher's clock as this subscriber must see it (lip synchronisation), None while it is unknown."""
    layer = route.layer
    if layer is None or layer.sr is None or route.highest < 0:
        return None
    ntp, rtp_time, came = layer.sr
    elapsed = max(0.0, now - came)
    ntp += int(elapsed * 4294967296)
    rtp_time += int(elapsed * route.receiver.clock_rate) + route.timestamp
    reports = route.reports
    reports[ntp >> 16 & 0xFFFFFFFF] = now
    while len(reports) > 8:
        del reports[next(iter(reports))]
    return rtcp.build_sender_report(
        rtcp.SenderReport(route.ssrc, ntp & 0xFFFFFFFFFFFFFFFF, rtp_time & 0xFFFFFFFF, route.packets, route.octets)
    )


def note_report(route: Route, report: rtcp.Report, now: float) -> None:
    """A subscriber's reception report about one of our streams."""
    counters = route.counters
    counters.lost, counters.highest = report.lost, report.highest
    counters.jitter_ms = report.jitter * 1000 / route.receiver.clock_rate
    sent = route.reports.get(report.lsr) if report.lsr else None
    if sent is not None:
        trip = now - sent - report.dlsr / 65536
        if 0 <= trip < 10:
            counters.rtt_ms = trip * 1000


def note_clock(receiver: Receiver, now: float, now_ns: int) -> None:
    """A Source that never says its clock is given the ingress clock: picture and sound then match as they came."""
    for layer in receiver.layers:
        if layer.sr is None and layer.active and layer.highest >= 0:
            packet = layer.get(layer.highest)
            if packet is not None and now_ns - layer.since_ns > SR_PATIENCE * 1e9:
                age = (now_ns - packet.at) / 1e9
                layer.sr = (ntp_time(packet.at), packet.timestamp, now - age)


def ntp_time(ns: int) -> int:
    """64-bit NTP time of UTC nanoseconds."""
    return ((ns + _NTP_EPOCH * 1_000_000_000) << 32) // 1_000_000_000


def utc_ns(ntp: int) -> int | None:
    """UTC nanoseconds of a 64-bit NTP time, None for zero: the sender has no clock (RFC 3550 §6.4.1)."""
    return (ntp * 1_000_000_000 + (1 << 31) >> 32) - _NTP_EPOCH * 1_000_000_000 if ntp else None


def absolute_send_time(ns: int) -> bytes:
    """UTC nanoseconds as the 24 bits of the abs-send-time extension: seconds in 6.18 fixed point."""
    return (ns * 262144 // 1_000_000_000 & 0xFFFFFF).to_bytes(3, "big")


def repairs(route: Route, lost: list[int], now: float, budget: int) -> list[tuple[Segment, Packet, int]]:
    """What is sent again of what a subscriber asks for: kept, not resent within a round trip, and within the budget."""
    found: list[tuple[Segment, Packet, int]] = []
    if route.highest < 0 or not (route.allowed and route.receiver.open):
        return found
    interval = max(RESEND_INTERVAL, route.counters.rtt_ms / 1000)
    for sequence in lost:
        if len(found) >= budget:
            break
        number = route.highest - (route.highest - sequence & 0xFFFF)
        last = route.resent.get(number)
        if last is not None and now - last < interval:
            continue
        pair = route.find(number)
        if pair is None:
            continue
        route.resent[number] = now
        found.append((*pair, number))
    return found


def rebuild(route: Route, segment: Segment, packet: Packet, number: int, sent: bytes) -> tuple[bytes, bytes, int, int]:
    """``(header, payload, SSRC, packet index)`` of a packet sent again: as RTX (RFC 4588) with the send time ``sent``, else
    exactly as it was."""
    payload = packet.payload
    if packet.picture is not None and (segment.picture_id or segment.tl0):
        payload = shift(payload, packet.picture, segment.picture_id, segment.tl0)
    elif route.red:
        payload = red.build(route.red, payload, packet.earlier)
    timestamp = segment.time(packet)
    if route.rtx_ssrc and route.rtx_payload_type:
        index = route.rtx_next
        route.rtx_next = index + 1
        if packet.dd and route.rtx_describe is not None:
            header = route.rtx_describe(packet.mark, index, timestamp, sent, renumber(packet.dd, segment.frame))
        else:
            header = route.rtx_header(packet.mark, index, timestamp, sent, packet.level)
        return header, (number & 0xFFFF).to_bytes(2, "big") + payload, route.rtx_ssrc, index
    if packet.dd and route.describe is not None:
        header = route.describe(packet.mark, number, timestamp, packet.sent, renumber(packet.dd, segment.frame))
    else:
        header = route.header(packet.mark, number, timestamp, packet.sent, packet.level)
    return header, payload, route.ssrc, number


def forget_resent(route: Route, now: float) -> None:
    """Drop what no longer limits anything."""
    if route.resent:
        route.resent = {number: at for number, at in route.resent.items() if now - at < 1.0}
