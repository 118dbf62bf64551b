"""A data plane that moves nothing and remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from commhub.media.plane import (
    Address,
    Contact,
    LayerCounters,
    Path,
    Place,
    PlaneEvents,
    ReceiverSpec,
    Reception,
    RouteCounters,
    RouteSpec,
    Tap,
)


class RecordingPlane:
    """``said`` is every command in order, ``receivers`` and ``routes`` what exists now, ``taps`` the callbacks."""

    def __init__(self, events: PlaneEvents) -> None:
        self.events = events
        self.said: list[tuple[Any, ...]] = []
        self.transports: set[int] = set()
        self.receivers: dict[int, ReceiverSpec | str] = {}
        self.routes: dict[int, RouteSpec] = {}
        self.state: dict[int, dict[str, Any]] = {}  # route or receiver → open, allowed, paused, layer
        self.taps: dict[int, tuple[int, Tap]] = {}
        self.route_counters: dict[int, RouteCounters] = {}
        self.receptions: dict[int, Reception] = {}
        self.contacts: dict[int, Contact] = {}
        self.layer_counters: dict[int, list[LayerCounters]] = {}
        self.on_dtls: Callable[[int, bytes], None] | None = None

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [one[1:] for one in self.said if one[0] == name]

    def open(self, addresses: list[Address], port: int) -> list[tuple[str, int]]:
        return [(address.announced, port or 7882) for address in addresses]

    def close(self) -> None:
        self.said.append(("close",))

    def send(self, path: Path, data: bytes) -> None:
        self.said.append(("send", path, data))

    def add_transport(self, transport: int) -> None:
        self.transports.add(transport)

    def set_path(self, transport: int, path: Path) -> None:
        self.said.append(("set_path", transport, path))

    def send_dtls(self, transport: int, data: bytes) -> None:
        if self.on_dtls is not None:
            self.on_dtls(transport, data)

    def set_keys(self, transport: int, profile: str, receive: bytes, transmit: bytes) -> None:
        self.said.append(("set_keys", transport, profile, receive, transmit))

    def remove_transport(self, transport: int) -> None:
        self.transports.discard(transport)

    def add_receiver(self, receiver: int, spec: ReceiverSpec) -> None:
        assert receiver not in self.receivers
        self.receivers[receiver] = spec

    def add_fed_receiver(
        self, receiver: int, kind: str, mime: str, clock_rate: int, layers: int = 1, obeys: bool = False
    ) -> None:
        assert receiver not in self.receivers
        self.receivers[receiver] = mime

    def feed(self, receiver: int, data: bytes, places: Sequence[Place], layer: int = 0) -> None:
        """Each packet is noted; the layer, too, but for the lowest one, which most have only."""
        for at, begin, end in places:
            self.said.append(("feed", receiver, data[begin:end], at, *((layer,) if layer else ())))

    def flush(self) -> None:
        self.said.append(("flush",))

    def feed_clock(self, receiver: int, rtp_time: int, ntp: int, layer: int = 0) -> None:
        self.said.append(("feed_clock", receiver, rtp_time, ntp, *((layer,) if layer else ())))

    def set_open(self, receiver: int, open: bool) -> None:
        self.state.setdefault(receiver, {})["open"] = open

    def request_key_frame(self, receiver: int) -> None:
        self.said.append(("request_key_frame", receiver))

    def layers(self, receiver: int) -> list[LayerCounters]:
        return self.layer_counters.get(receiver, [])

    def remove_receiver(self, receiver: int) -> None:
        self.receivers.pop(receiver, None)
        for number in [number for number, spec in self.routes.items() if spec.receiver == receiver]:
            del self.routes[number]
        for number in [number for number, (tapped, _) in self.taps.items() if tapped == receiver]:
            del self.taps[number]

    def add_route(self, route: int, spec: RouteSpec) -> None:
        assert spec.receiver in self.receivers
        assert spec.transport in self.transports
        assert route not in self.routes
        assert spec.ssrc not in [other.ssrc for other in self.routes.values()]
        self.routes[route] = spec

    def set_allowed(self, route: int, allowed: bool) -> None:
        self.state.setdefault(route, {})["allowed"] = allowed

    def set_paused(self, route: int, paused: bool) -> None:
        self.state.setdefault(route, {})["paused"] = paused

    def set_layer(self, route: int, layer: int, temporal: int = 99, patient: bool = False) -> None:
        self.state.setdefault(route, {}).update(layer=layer, temporal=temporal)

    def counters(self, route: int) -> RouteCounters:
        return self.route_counters.get(route, RouteCounters())

    def remove_route(self, route: int) -> None:
        self.routes.pop(route, None)

    def add_tap(self, tap: int, receiver: int, sink: Tap) -> None:
        self.taps[tap] = (receiver, sink)

    def set_tap_allowed(self, tap: int, allowed: bool) -> None:
        self.state.setdefault(tap, {})["allowed"] = allowed

    def set_tap_layer(self, tap: int, layer: int) -> None:
        self.state.setdefault(tap, {})["layer"] = layer

    def remove_tap(self, tap: int) -> None:
        self.taps.pop(tap, None)

    def reception(self, receiver: int) -> Reception:
        return self.receptions.get(receiver, Reception())

    def contact(self, transport: int) -> Contact:
        return self.contacts.get(transport, Contact())

    def waited(self) -> float:
        return 0.0

    def statistics(self) -> dict[str, int]:
        return {}
