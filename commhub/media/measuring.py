"""What the data plane can say of itself: how packets arrive and leave. Reads counters that the packet path keeps anyway."""

from __future__ import annotations

import time
from collections.abc import Callable

from commhub.media.cuts import counted
from commhub.media.downlink import Outlet, Route, TapOutlet
from commhub.media.packets import PacketPath
from commhub.media.peer import Peer
from commhub.media.plane import Contact, LayerCounters, PlaneEvents, Reception, RouteCounters
from commhub.media.sockets import Sockets
from commhub.media.uplink import Receiver


class Measuring(PacketPath):
    """The packet path with everything it is about."""

    def __init__(self, events: PlaneEvents, clock: Callable[[], float]) -> None:
        super().__init__(events, clock)
        self._sockets = Sockets(self.datagram, self.done, self._connection_closed)
        self._peers: dict[int, Peer] = {}
        self._receivers: dict[int, Receiver] = {}
        self._routes_by_number: dict[int, Route] = {}
        self._taps_by_number: dict[int, TapOutlet] = {}
        self._gone_lost = self._gone_switches = 0  # of what was removed

    def layers(self, receiver: int) -> list[LayerCounters]:
        known = self._receivers.get(receiver)
        if known is None:
            return []
        now, now_ns = self._clock(), time.time_ns()
        for layer in known.layers:
            if layer.last_ns:
                layer.counters.last_at = now - max(0, now_ns - layer.last_ns) / 1e9
        only = known.layers[0]
        if len(known.layers) == 1 and only.strata is not None:
            return counted(only.counters, only.strata)
        return [layer.counters for layer in known.layers]

    def reception(self, receiver: int) -> Reception:
        known = self._receivers.get(receiver)
        found = Reception()
        for layer in known.layers if known is not None else ():
            found.lost += layer.counters.lost
            found.octets += layer.counters.octets
            found.nacks += layer.nacks
            stream = layer.stream
            if stream is not None and stream.base >= 0:
                found.expected += stream.window.highest - stream.base + 1
                found.received += stream.received
                if layer.active:
                    found.jitter_ms = max(found.jitter_ms, stream.jitter * 1000 / stream.clock)
        return found

    def counters(self, route: int) -> RouteCounters:
        known = self._routes_by_number.get(route)
        if known is None:
            return RouteCounters()
        counters = known.counters
        counters.packets, counters.octets = known.packets, known.octets
        counters.nacks, counters.resent, counters.switches = known.nacks, known.again, known.switches
        layer = known.layer
        counters.layer, counters.temporal = (-1, -1) if layer is None else (layer.number or layer.spatial, layer.temporal)
        return counters

    def contact(self, transport: int) -> Contact:
        peer = self._peers.get(transport)
        if peer is None or peer.source is None:
            return Contact()
        heard = self._clock() if peer.alive else peer.heard
        return Contact("tcp" if peer.source.connection else "udp", heard)

    def waited(self) -> float:
        waited, self._sockets.waited = self._sockets.waited, 0
        return waited / 1e9

    def statistics(self) -> dict[str, int]:
        sockets = self._sockets
        outlets: list[Outlet] = [*self._routes_by_number.values(), *self._taps_by_number.values()]
        return {
            **self._count,
            "malformed": self._count["malformed"] + sockets.malformed,
            "connections_refused": sockets.refused,
            "lost": self._gone_lost + sum(one.counters.lost for known in self._receivers.values() for one in known.layers),
            "switches": self._gone_switches + sum(outlet.switches for outlet in outlets),
            "kept_octets": sum(one.kept.octets for known in self._receivers.values() for one in known.layers if one.kept),
            "transports": len(self._peers),
            "receivers": len(self._receivers),
            "routes": len(self._routes_by_number),
            "taps": len(self._taps_by_number),
        }
