"""The packet path: sockets, SRTP and rewriting between them, bytes only.

One pass per packet: read → find the stream → unprotect → :class:`~commhub.media.uplink.Layer` → for each route a new header and
one seal → everything for one destination leaves in one call at the end of the batch. Nothing awaits, nothing raises out
of the reader: what is torn, forged or unknown is counted and dropped.
"""

from __future__ import annotations

import asyncio
import operator
import time
from abc import abstractmethod
from collections.abc import Callable

from commhub import log
from commhub.media import feedback, redundancy
from commhub.media.cuts import Cut
from commhub.media.peer import Peer
from commhub.media.plane import Path, PlaneEvents
from commhub.media.sending import NOBODY, Sending
from commhub.media.sockets import Key, Source
from commhub.media.srtp import Window
from commhub.media.uplink import SILENT_LEVEL, Layer, Stream
from commhub.wire import rtcp, rtp

# STUN per second: of one address and port; of strangers (no transport's path) of one host, and of all of them together.
CHECKS_PER_PATH, CHECKS_PER_HOST, CHECKS_OF_STRANGERS = 50, 1_000, 3_000
_LOG = log.get(__name__)
_NOTHING: dict[int, bytes] = {}


class PacketPath(Sending):
    """Everything that happens per packet. :class:`commhub.media.forward.Forwarder` adds the commands and the timers."""

    def __init__(self, events: PlaneEvents, clock: Callable[[], float]) -> None:
        super().__init__(events)
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._gaps: dict[Layer, None] = {}  # miss packets
        self._checks: dict[Key | str, int] = {}
        self._limited = log.Limiter(64)

    @abstractmethod
    def _connection_closed(self, path: Path) -> None: ...

    @abstractmethod
    def _watch_gaps(self) -> None: ...

    # --------------------------------------------------------------------------------------------------- sockets

    def datagram(self, source: Source, key: Key, data: memoryview, size: int, at: int) -> None:
        """One datagram in the first ``size`` octets of ``data``; sorted by its first octet (RFC 7983)."""
        try:
            first = data[0]
            if 127 < first < 192:
                peer = source.peers.get(key)
                if peer is None:
                    self._count["unknown_path"] += 1
                elif size >= 12 and 192 <= data[1] <= 223:
                    self._rtcp(peer, bytes(data[:size]))
                else:
                    self._rtp(peer, data[:size], size, at)
            elif first < 4:
                self._stun(source, key, bytes(data[:size]))
            elif 19 < first < 64:
                peer = source.peers.get(key)
                if peer is None:
                    self._count["unknown_path"] += 1
                else:
                    peer.alive = True
                    self._events.dtls(peer.number, bytes(data[:size]))
            else:
                self._count["malformed"] += 1
        except Exception:  # one datagram may never stop the others
            self._failed("datagram")

    def _failed(self, what: str) -> None:
        self._count["failed"] += 1
        if self._limited(what, 60) is not None:
            _LOG.exception("packet path failed", at=what)

    def _stun(self, source: Source, key: Key, data: bytes) -> None:
        peer = source.peers.get(key)
        checks = self._checks
        whose: tuple[Key | str, ...] = (key,) if peer is not None else (key, key[0], "")
        counts = [checks.get(who, 0) for who in whose]
        if any(map(operator.ge, counts, (CHECKS_PER_PATH, CHECKS_PER_HOST, CHECKS_OF_STRANGERS))):
            self._count["stun_limited"] += 1
            return
        checks.update((who, count + 1) for who, count in zip(whose, counts, strict=True))
        if peer is not None:
            peer.alive = True
        self._events.stun(source.path(key), data)

    def done(self) -> None:
        """End of a batch: everything it caused leaves."""
        for peer in self._dirty:
            out, peer.out = peer.out, []
            if peer.source is not None:
                self._count["dropped_out"] += peer.source.send(peer.key, out)
        self._dirty.clear()

    # ------------------------------------------------------------------------------------------------ packets in

    def _rtp(self, peer: Peer, data: memoryview, size: int, at: int) -> None:
        count = self._count
        inbound = peer.inbound
        try:
            header = rtp.header_size(data, size)
        except ValueError:
            count["malformed"] += 1
            return
        if inbound is None:
            count["unauthentic"] += 1
            return
        first, mark, sequence, timestamp, ssrc = rtp.HEADER.unpack_from(data)
        values = rtp.extensions(data, header) if first & 0x10 else _NOTHING
        stream = peer.streams.get(ssrc)
        found = None
        if stream is None:
            found = peer.find(ssrc, mark & 0x7F, values)
            if found is None:
                count["unknown_stream"] += 1
                return
            window = peer.window(ssrc)
        else:
            window = stream.window
        index = window.index(sequence)
        if not window.fresh(index):
            count["replayed"] += 1
            return
        try:
            payload = inbound.unprotect(data, header, ssrc, index)
        except ValueError:
            count["unauthentic"] += 1
            return
        window.accept(index)
        peer.alive = True
        count["packets_in"] += 1
        count["octets_in"] += size
        if stream is None:
            assert found is not None
            stream = self._bind(peer, ssrc, found, window, values)
        stream.count(index, timestamp, at)
        if peer.feedback_id and (value := values.get(peer.feedback_id)) is not None:
            peer.arrived(value, at)
        if first & 0x20 and payload:
            padding = payload[-1]
            if not 0 < padding <= len(payload):
                count["malformed"] += 1
                return
            payload = payload[:-padding]
        layer = stream.layer
        dd = values.get(peer.dependency_id, b"") if peer.dependency_id else b""
        if stream.rtx:
            self._restore(layer, mark, timestamp, payload, at, dd)
            return
        if mark & 0x7F not in layer.receiver.mimes:
            count["unknown_stream"] += 1
            return
        level = SILENT_LEVEL
        if peer.level_id and (value := values.get(peer.level_id)):
            level = value[0]
            receiver = layer.receiver
            if receiver.open and level & 0x7F < receiver.level:
                receiver.level = level & 0x7F
        if layer.receiver.mimes[mark & 0x7F] != redundancy.MIME:
            self._media(layer, index, mark, timestamp, payload, level, at, dd)
            return
        try:
            frames = redundancy.unwrap(window, index, timestamp, mark, payload)
        except ValueError:
            count["malformed"] += 1
            return
        for index, mark, timestamp, payload in frames:
            if mark & 0x7F in layer.receiver.mimes:
                self._media(layer, index, mark, timestamp, payload, level, at)

    def _bind(self, peer: Peer, ssrc: int, found: tuple[Layer, bool], window: Window, values: dict[int, bytes]) -> Stream:
        layer, rtx = found
        epoch = layer.epoch
        stream = peer.bind(ssrc, layer, rtx, window, values)
        if layer.epoch != epoch:
            self._restarted(layer)
        return stream

    def _restarted(self, layer: Layer) -> None:
        """Another stream took the layer over: what was sending it begins again."""
        feeds: list[Layer | Cut] = [layer, *layer.cuts.values()]
        layer.cuts.clear()
        for outlet in [*layer.joining, *(outlet for feed in feeds for outlet in (*feed.routes, *feed.taps))]:
            outlet.park()
            self._evaluate([outlet])

    def _restore(self, layer: Layer, mark: int, timestamp: int, payload: bytes, at: int, dd: bytes) -> None:
        """An RTX packet (RFC 4588 §4): two octets of original sequence number, then the payload."""
        spec, media = layer.receiver.spec, layer.stream
        if spec is None or media is None or len(payload) <= 2:
            return
        payload_type = spec.rtx.get(mark & 0x7F)
        if payload_type is None or payload_type not in layer.receiver.mimes:
            return
        index = media.window.index(payload[0] << 8 | payload[1])
        if not media.window.fresh(index):
            return
        media.window.accept(index)
        self._count["restored"] += 1
        self._media(layer, index, mark & 0x80 | payload_type, timestamp, payload[2:], SILENT_LEVEL, at, dd)

    def _media(
        self, layer: Layer, index: int, mark: int, timestamp: int, payload: bytes, level: int, at: int, dd: bytes = b""
    ) -> None:
        """One authentic packet of a layer."""
        sent = feedback.absolute_send_time(time.time_ns())
        packet = layer.accept(index, mark, timestamp, payload, sent, level, at, dd)
        if layer.missing and layer not in self._gaps:
            self._gaps[layer] = None
            self._watch_gaps()
        if layer.key_wanted:
            self._want_key(layer)
        if packet is None:
            return
        if not layer.active:
            self._activated(layer, at)
        if layer.reshaped:
            layer.reshaped = False
            self._evaluate(layer.receiver.outlets)
        key = layer.is_key(packet)
        if key:
            layer.key_wanted = False
            layer.key_tries = 0
        if layer.kept is not None:
            layer.kept.add(packet, key)
        if layer.cuts:
            self._parts(layer, packet, key)
        elif layer.receiver.open:
            self._deliver(layer, packet, self._begin(layer, packet, packet) if key and layer.waiting else NOBODY)

    def _activated(self, layer: Layer, at: int) -> None:
        layer.active = True
        layer.since_ns = at
        if layer.kept is not None:
            layer.kept.clear()
        self._tell(self._events.first_packet, layer.receiver.number, layer.number)
        self._evaluate(layer.receiver.outlets)

    # ------------------------------------------------------------------------------------------------------ RTCP

    def _send_rtcp(self, peer: Peer, packets: list[bytes]) -> None:
        if peer.outbound is None or peer.source is None or not packets:
            return
        if packets[0][1] not in (rtcp.SR, rtcp.RR):  # a compound begins with a report (RFC 3550 §6.1)
            packets.insert(0, rtcp.build_receiver_report(peer.ssrc, []))
        at = 0
        while at < len(packets):
            size, end = 0, at
            while end < len(packets) and (end == at or size + len(packets[end]) <= 1100):
                size += len(packets[end])
                end += 1
            self._enqueue(peer, peer.outbound.protect_rtcp(b"".join(packets[at:end])))
            at = end

    def _rtcp(self, peer: Peer, data: bytes) -> None:
        if peer.inbound is None:
            self._count["unauthentic"] += 1
            return
        try:
            plain = peer.inbound.unprotect_rtcp(data)
        except ValueError:
            self._count["unauthentic"] += 1
            return
        peer.alive = True
        try:
            packets = rtcp.parse(plain)
        except ValueError:
            self._count["malformed"] += 1
            return
        now = self._clock()
        budget = feedback.RESENDS
        for packet in packets:
            if isinstance(packet, rtcp.Nack):
                budget -= self._answer(peer, packet, now, budget)
            elif isinstance(packet, rtcp.SenderReport):
                stream = peer.streams.get(packet.ssrc)
                if stream is not None:
                    stream.sr_middle, stream.sr_at = packet.ntp >> 16 & 0xFFFFFFFF, now
                    if not stream.rtx:
                        self._report(stream.layer, packet.ntp, packet.rtp_time, now)
                self._reports(peer, packet.reports, now)
            elif isinstance(packet, rtcp.ReceiverReport):
                self._reports(peer, packet.reports, now)
            elif isinstance(packet, rtcp.KeyFrameRequest):
                route = peer.by_ssrc.get(packet.ssrc)
                if route is not None and route.receiver.video and route.base is not None:
                    self._count["plis_in"] += 1
                    if not self._joins.again(route):
                        self._want_key(route.base)
            elif isinstance(packet, rtcp.Remb):
                self._tell(self._events.bandwidth, peer.number, packet.bitrate)
            elif isinstance(packet, rtcp.Bye):
                self._ended(peer, packet.ssrcs)

    def _reports(self, peer: Peer, reports: list[rtcp.Report], now: float) -> None:
        for report in reports:
            route = peer.by_ssrc.get(report.ssrc)
            if route is not None:
                feedback.note_report(route, report, now)

    def _ended(self, peer: Peer, ssrcs: list[int]) -> None:
        for ssrc in ssrcs:
            stream = peer.streams.get(ssrc)
            if stream is not None and not stream.rtx and stream.layer.active:
                stream.layer.active = False
                self._evaluate(stream.layer.receiver.outlets)

    def _answer(self, peer: Peer, nack: rtcp.Nack, now: float, budget: int) -> int:
        route = peer.by_ssrc.get(nack.ssrc)
        if route is None or peer.outbound is None:
            return 0
        self._count["nacks_in"] += len(nack.lost)
        route.nacks += len(nack.lost)
        again = feedback.repairs(route, nack.lost, now, budget)
        sent = feedback.absolute_send_time(time.time_ns())
        for segment, packet, number in again:
            header, body, ssrc, index = feedback.rebuild(route, segment, packet, number, sent)
            try:
                self._enqueue(peer, peer.outbound.protect(header, body, ssrc, index))
            except ValueError:
                self._count["dropped_out"] += 1
        self._count["resent"] += len(again)
        route.again += len(again)
        return len(again)
