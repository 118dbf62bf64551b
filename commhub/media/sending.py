"""What leaves: layers and parts of them to routes and taps, one header and one seal for each subscriber. Bytes only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from commhub.media import feedback
from commhub.media.cuts import Cut, may_switch
from commhub.media.downlink import Outlet, Route, TapOutlet
from commhub.media.joining import Joins
from commhub.media.peer import Peer
from commhub.media.plane import PlaneEvents
from commhub.media.uplink import Layer, Packet
from commhub.wire import red
from commhub.wire.dependency import renumber
from commhub.wire.picture import shift

CLOCK_INTERVAL = 0.25  # s; reports that come faster are not told: nobody may fill a recorder's link with them
COUNTERS = (
    "packets_in", "octets_in", "packets_out", "octets_out", "malformed", "unknown_path", "unknown_stream",
    "unauthentic", "replayed", "stun_limited", "dropped_out", "nacks_out", "nacks_in", "resent", "restored", "plis_out",
    "plis_in", "failed",
)  # fmt: skip
NOBODY: list[Outlet] = []


class Sending(ABC):
    """The second half of the packet path. :class:`commhub.media.packets.PacketPath` adds what comes in."""

    def __init__(self, events: PlaneEvents) -> None:
        self._events = events
        self._joins = Joins(self._routes, self.done)
        self._dirty: list[Peer] = []  # have something to send at the end of the batch
        self._count = dict.fromkeys(COUNTERS, 0)

    @abstractmethod
    def _tell(self, fact: Callable[..., None], *values: Any) -> None:
        """Say something to the control side, later and never from inside a command."""

    @abstractmethod
    def _want_key(self, layer: Layer | None) -> None: ...

    @abstractmethod
    def _failed(self, what: str) -> None: ...

    @abstractmethod
    def done(self) -> None:
        """End of a batch: everything it caused leaves."""

    def _evaluate(self, outlets: Iterable[Outlet]) -> None:
        """Let them choose again what to send; asks for the key frames they need."""
        for outlet in list(outlets):
            layer = outlet.evaluate()
            if layer is None or not isinstance(outlet, Route) or not self._joins.begin(outlet, layer):
                self._want_key(layer)

    # ----------------------------------------------------------------------------------------- layers and their parts

    def _parts(self, layer: Layer, packet: Packet, key: bool) -> None:
        """A packet of a layer that some get only a part of. Who goes over does so before anybody gets it."""
        layer.first = (before := layer.get(packet.place - 1)) is not None and before.timestamp != packet.timestamp
        feeds: list[tuple[Layer | Cut, Packet]] = [(layer, packet)]
        for cut in layer.cuts.values():
            fresh = cut.highest < 0
            if (here := cut.take(packet)) is not None:
                feeds.append((cut, here))
                if key and fresh:
                    cut.fill(packet.place)
        if not layer.receiver.open:
            return
        newest = packet.place == layer.highest
        started = []
        for feed, here in feeds:
            if key and feed.waiting:
                started.append((feed, here, self._begin(feed, here, packet)))
            elif newest and feed.waiting:
                self._switch(feed, here, packet)
        for feed, here in feeds:
            self._deliver(feed, here, next((outlets for one, _, outlets in started if one is feed), NOBODY))

    def _switch(self, feed: Layer | Cut, here: Packet, packet: Packet) -> None:
        """Whoever may goes over to this part without a key frame."""
        for outlet in list(feed.waiting):
            old = outlet.layer
            if old is not None and old.base is feed.base and may_switch(old, feed, packet):
                outlet.switch(here, packet)
                self._evaluate([outlet])

    def _begin(self, feed: Layer | Cut, packet: Packet, whole: Packet) -> list[Outlet]:
        """A key frame: those who wait for it begin, or go over to this part of the layer."""
        started: list[Outlet] = []
        for outlet in list(feed.waiting):
            if outlet.layer is not None and outlet.layer.base is feed.base:
                if whole.place < feed.base.highest:
                    continue  # what follows was sent already
                outlet.switch(packet, whole)
            elif outlet.may_start(packet):
                outlet.start(packet)
            else:
                continue
            started.append(outlet)
            if isinstance(outlet, TapOutlet):
                self._tell_clock(outlet)
        if feed.waiting:
            self._want_key(feed.base)
        return started

    def _deliver(self, feed: Layer | Cut, packet: Packet, started: list[Outlet]) -> None:
        """A packet to all who get this layer or part. ``started`` begin with it."""
        if feed.routes:
            self._routes(feed.routes, packet)
        if feed.taps:
            self._taps(feed.taps, packet)
        if started and packet.place < feed.highest:
            self._catch_up(feed, packet.place + 1, started)

    def _catch_up(self, layer: Layer | Cut, place: int, outlets: list[Outlet]) -> None:
        """The first packet of a key frame came late: who began with it also gets what overtook it."""
        routes = [outlet for outlet in outlets if isinstance(outlet, Route)]
        taps = [outlet for outlet in outlets if isinstance(outlet, TapOutlet)]
        while place <= layer.highest:
            packet = layer.get(place)
            if packet is not None:
                self._routes(routes, packet)
                self._taps(taps, packet)
            place += 1

    # ----------------------------------------------------------------------------------------------- packets out

    def _routes(self, routes: list[Route], packet: Packet) -> None:
        """The innermost loop: one header, one seal per subscriber."""
        place, mark, timestamp, payload, sent, level, picture, _, _, _, dd, earlier = packet
        dirty = self._dirty
        octets = 0
        size = len(payload)
        for route in routes:
            number = place + route.sequence
            if number > route.highest:
                route.highest = number
            elif number < route.floor:
                continue
            body = payload
            if picture is not None and route.shifted:
                body = shift(payload, picture, route.picture_id, route.tl0)
            elif route.red:
                body = red.build(route.red, payload, earlier)
            if dd and (describe := route.describe) is not None:
                header = describe(
                    mark, number, timestamp + route.timestamp, sent, renumber(dd, route.frame) if route.frame else dd
                )
            else:
                header = route.header(mark, number, timestamp + route.timestamp, sent, level)
            peer = route.peer
            out = peer.out
            if not out:
                dirty.append(peer)
            out.append(header)
            if (seal := route.seal) is not None:
                out.append(seal((route.nonce ^ number).to_bytes(12, "big"), body, header))
            else:
                self._protect(peer, out, body, route.ssrc, number)
            route.packets += 1
            route.octets += size
            octets += size
        self._count["packets_out"] += len(routes)
        self._count["octets_out"] += octets

    def _protect(self, peer: Peer, out: list[bytes], body: bytes, ssrc: int, number: int) -> None:
        """The last element of ``out`` is the header: it becomes the whole protected packet, in two parts."""
        assert peer.outbound is not None
        try:
            whole = peer.outbound.protect(out[-1], body, ssrc, number)
        except ValueError:
            out.pop()
            self._count["dropped_out"] += 1
            return
        out[-1] = whole[:12]
        out.append(whole[12:])

    def _taps(self, taps: list[TapOutlet], packet: Packet) -> None:
        for tap in list(taps):
            number = packet.place + tap.sequence
            if number > tap.highest:
                tap.highest = number
            elif number < tap.floor:
                continue
            tap.packets += 1
            tap.octets += len(packet.payload)
            try:
                tap.sink(tap.packet(packet, number), packet.at)
            except Exception:  # a receiver's fault is its own
                self._failed("tap")

    def _report(self, layer: Layer, ntp: int, rtp_time: int, now: float) -> None:
        """A layer's sender told its clock."""
        layer.sr = (ntp, rtp_time, now)
        utc = feedback.utc_ns(ntp)
        if utc is None:
            return
        layer.clock = (rtp_time, utc)
        if not 0 <= now - layer.clock_at < CLOCK_INTERVAL:
            layer.clock_at = now
            cut_taps = [tap for cut in layer.cuts.values() for tap in cut.taps]
            for tap in [*layer.taps, *cut_taps]:
                self._tell_clock(tap)

    def _tell_clock(self, tap: TapOutlet) -> None:
        clock = tap.clock()
        if clock is not None:
            self._tell(self._events.sender_report, tap.number, *clock)

    def _enqueue(self, peer: Peer, data: bytes) -> None:
        if not peer.out:
            self._dirty.append(peer)
        peer.out += (data, b"")
