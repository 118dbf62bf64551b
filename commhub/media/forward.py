"""The data plane in Python (:class:`commhub.media.plane.Plane`): commands, timers and sockets around the packet path."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from commhub.media import feedback
from commhub.media.downlink import Outlet, Route, TapOutlet
from commhub.media.feeding import Feeding
from commhub.media.hushing import hush
from commhub.media.peer import Peer
from commhub.media.plane import Address, Path, PlaneEvents, ReceiverSpec, RouteSpec, Tap
from commhub.media.uplink import ALIVE, SILENT_LEVEL, Layer, Receiver
from commhub.wire import rtcp

TICK = 0.05  # s
SECOND = 20  # ticks
GAP_CHECK = 0.012  # s until a fresh gap is looked at; packets may overtake each other
GAP_RETRY = 0.020


class Forwarder(Feeding):
    """Make it inside the event loop that shall carry it. ``silence``: seconds without anything valid until ``path_silent``."""

    def __init__(self, events: PlaneEvents, *, silence: float = 15.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(events, clock)
        self._silence = silence
        self._wanting: dict[Layer, None] = {}  # a key frame is wanted of
        self._fresh: list[Route] = []  # no sender report yet
        self._facts: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._scheduled = self._watching = self._spoke = False
        self._ticks = 0
        self._measured = clock()
        self._timer = self._loop.call_later(TICK, self._tick)

    # --------------------------------------------------------------------------------------------------- sockets

    def open(self, addresses: list[Address], port: int) -> list[tuple[str, int]]:
        return self._sockets.open(addresses, port)

    def close(self) -> None:
        self._timer.cancel()
        self._joins.close()
        self._sockets.close()
        for number in list(self._peers):
            self.remove_transport(number)
        for number in list(self._receivers):
            self.remove_receiver(number)
        self._facts.clear()

    def send(self, path: Path, data: bytes) -> None:
        source = self._sockets.source(path)
        if source is not None:
            self._count["dropped_out"] += source.send((path.host, path.port), [data, b""])

    def _connection_closed(self, path: Path) -> None:
        for peer in self._peers.values():
            if peer.source is not None and peer.source.connection and peer.source.connection == path.connection:
                peer.source = None
                self._evaluate(peer.routes.values())
        self._tell(self._events.connection_closed, path)

    # ------------------------------------------------------------------------------------------------ transports

    def add_transport(self, transport: int) -> None:
        peer = self._peers[transport] = Peer(transport)
        peer.heard = self._clock()

    def set_path(self, transport: int, path: Path) -> None:
        peer, source = self._peers.get(transport), self._sockets.source(path)
        if peer is None or source is None:
            return
        peer.alive = True
        key = (path.host, path.port)
        if peer.source is source and peer.key == key:
            return
        self._leave(peer)
        other = source.peers.get(key)
        if other is not None:
            other.source = None
            self._evaluate(other.routes.values())
        source.peers[key] = peer
        peer.source, peer.key = source, key
        self._evaluate(peer.routes.values())

    def _leave(self, peer: Peer) -> None:
        if peer.source is not None and peer.source.peers.get(peer.key) is peer:
            del peer.source.peers[peer.key]
        peer.source = None

    def send_dtls(self, transport: int, data: bytes) -> None:
        peer = self._peers.get(transport)
        if peer is not None and peer.source is not None:
            self._count["dropped_out"] += peer.source.send(peer.key, [data, b""])

    def set_keys(self, transport: int, profile: str, receive: bytes, transmit: bytes) -> None:
        peer = self._peers.get(transport)
        if peer is None:
            return
        peer.set_keys(profile, receive, transmit)
        for route in peer.routes.values():
            route.key()
        self._evaluate(peer.routes.values())

    def remove_transport(self, transport: int) -> None:
        peer = self._peers.pop(transport, None)
        if peer is None:
            return
        for receiver in list(peer.receivers):
            self.remove_receiver(receiver.number)
        for number in list(peer.routes):
            self.remove_route(number)
        self._leave(peer)

    # ------------------------------------------------------------------------------------------------- receivers

    def add_receiver(self, receiver: int, spec: ReceiverSpec) -> None:
        peer = self._peers.get(spec.transport)
        if peer is None:
            return
        self.remove_receiver(receiver)
        added = Receiver(receiver, spec.transport, spec.kind, spec.clock_rate, max(1, spec.layers), spec.nack)
        added.spec = spec
        added.mimes = {number: mime.lower() for number, mime in spec.payload_types.items()}
        self._receivers[receiver] = added
        peer.receivers.append(added)
        peer.learn(spec)

    def set_open(self, receiver: int, open: bool) -> None:
        known = self._receivers.get(receiver)
        if known is not None and known.open != open:
            known.open = open
            known.level = SILENT_LEVEL
            self._evaluate(known.outlets)
            if not open and not known.video:
                self._hush([outlet for outlet in known.outlets if isinstance(outlet, Route)])

    def _hush(self, routes: list[Route]) -> None:
        sent = feedback.absolute_send_time(time.time_ns())
        for route in routes:
            if route.peer.outbound is None or not route.allowed or route.paused:
                continue
            for header, payload, ssrc, index in hush(route, sent):
                self._enqueue(route.peer, route.peer.outbound.protect(header, payload, ssrc, index))

    def request_key_frame(self, receiver: int) -> None:
        known = self._receivers.get(receiver)
        if known is not None and known.video:
            for layer in known.layers:
                if layer.active or known.fed:
                    self._want_key(layer)

    def remove_receiver(self, receiver: int) -> None:
        known = self._receivers.pop(receiver, None)
        if known is None:
            return
        for outlet in list(known.outlets):
            if isinstance(outlet, Route):
                self.remove_route(outlet.number)
            else:
                self.remove_tap(outlet.number)
        for layer in known.layers:
            self._gone_lost += layer.counters.lost
            self._wanting.pop(layer, None)
            self._gaps.pop(layer, None)
        peer = self._peers.get(known.transport)
        if peer is not None:
            peer.forget(known)

    # ---------------------------------------------------------------------------------------------------- routes

    def add_route(self, route: int, spec: RouteSpec) -> None:
        receiver, peer = self._receivers.get(spec.receiver), self._peers.get(spec.transport)
        if receiver is None or peer is None:
            return
        self.remove_route(route)
        other = peer.by_ssrc.get(spec.ssrc)
        if other is not None:  # two streams under one SSRC would share nonces
            self.remove_route(other.number)
        added = Route(route, receiver, spec, peer)
        self._routes_by_number[route] = added
        peer.routes[route] = added
        peer.by_ssrc[spec.ssrc] = added
        self._fresh.append(added)
        self._attach(added)

    def _attach(self, outlet: Outlet) -> None:
        outlet.receiver.outlets.append(outlet)
        self._evaluate([outlet])
        receiver = outlet.receiver
        if receiver.fed and receiver.video and outlet.target is None and outlet.layer is None:
            for layer in receiver.layers:  # a Source that sends nothing yet may be waiting for this
                self._want_key(layer)

    def set_allowed(self, route: int, allowed: bool) -> None:
        known = self._routes_by_number.get(route)
        if known is not None and known.allowed != allowed:
            known.allowed = allowed
            self._evaluate([known])

    def set_paused(self, route: int, paused: bool) -> None:
        known = self._routes_by_number.get(route)
        if known is not None and known.paused != paused:
            known.paused = paused
            self._evaluate([known])

    def set_layer(self, route: int, layer: int, temporal: int = 99, patient: bool = False) -> None:
        known = self._routes_by_number.get(route)
        if known is None:
            return
        known.patient = patient
        if (known.wanted, known.temporal) != (layer, temporal):
            known.wanted, known.temporal = layer, temporal
            self._evaluate([known])

    def remove_route(self, route: int) -> None:
        known = self._routes_by_number.pop(route, None)
        if known is None:
            return
        known.allowed = False
        known.park()
        known.receiver.outlets.remove(known)
        self._gone_switches += known.switches
        peer = known.peer
        del peer.routes[route]
        if peer.by_ssrc.get(known.ssrc) is known:
            del peer.by_ssrc[known.ssrc]
        peer.used(known.ssrc, known.highest, known.newest())
        if known.rtx_ssrc:
            peer.used(known.rtx_ssrc, known.rtx_next)

    # ------------------------------------------------------------------------------------------------------ taps

    def add_tap(self, tap: int, receiver: int, sink: Tap) -> None:
        known = self._receivers.get(receiver)
        if known is None:
            return
        self.remove_tap(tap)
        added = self._taps_by_number[tap] = TapOutlet(tap, known, sink)
        self._attach(added)

    def set_tap_allowed(self, tap: int, allowed: bool) -> None:
        known = self._taps_by_number.get(tap)
        if known is not None and known.allowed != allowed:
            known.allowed = allowed
            self._evaluate([known])

    def set_tap_layer(self, tap: int, layer: int) -> None:
        known = self._taps_by_number.get(tap)
        if known is not None and known.wanted != layer:
            known.wanted = layer
            self._evaluate([known])

    def remove_tap(self, tap: int) -> None:
        known = self._taps_by_number.pop(tap, None)
        if known is not None:
            known.allowed = False
            known.park()
            known.receiver.outlets.remove(known)
            self._gone_switches += known.switches

    # ---------------------------------------------------------------------------------------------------- timers

    def _tell(self, fact: Callable[..., None], *values: Any) -> None:
        self._facts.append((fact, values))
        self._schedule()

    def _want_key(self, layer: Layer | None) -> None:
        if layer is not None:
            layer.key_wanted = True
            self._wanting[layer] = None
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        """What commands and packets have left to say and to ask for."""
        self._scheduled = False
        facts, self._facts = self._facts, []
        for fact, values in facts:
            try:
                fact(*values)
            except Exception:  # the control side's fault must not stop media
                self._failed("event")
        self._ask_for_key_frames(self._clock())
        self.done()

    def _ask_for_key_frames(self, now: float) -> None:
        for layer in list(self._wanting):
            receiver = layer.receiver
            if not layer.key_wanted:
                del self._wanting[layer]
            elif not receiver.open or not layer.wants_key(now):
                continue
            elif receiver.fed:
                self._count["plis_out"] += 1
                self._tell(self._events.key_frame_wanted, receiver.number, layer.number)
            elif layer.stream is not None and (peer := self._peers.get(receiver.transport)) is not None:
                self._count["plis_out"] += 1
                self._send_rtcp(peer, [rtcp.build_pli(peer.ssrc, layer.stream.ssrc)])

    def _watch_gaps(self) -> None:
        if not self._watching:
            self._watching = True
            for layer in self._gaps:
                layer.due(self._clock())
            self._loop.call_later(GAP_CHECK, self._ask_again)

    def _ask_again(self) -> None:
        """NACKs for what is still missing."""
        self._watching = False
        now = self._clock()
        for layer in list(self._gaps):
            asked = layer.due(now)
            if not layer.missing:
                del self._gaps[layer]
            peer = self._peers.get(layer.receiver.transport)
            if asked and peer is not None and layer.stream is not None:
                self._count["nacks_out"] += len(asked)
                lost = [index & 0xFFFF for index in asked]
                self._send_rtcp(peer, [rtcp.build_nack(peer.ssrc, layer.stream.ssrc, lost)])
        if self._gaps:
            self._watching = True
            self._loop.call_later(GAP_RETRY, self._ask_again)
        self.done()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK, self._tick)
        try:
            self.tick(self._clock())
        except Exception:
            self._failed("tick")

    def tick(self, now: float) -> None:
        """Twenty times a second: feedback and reports, each transport's reports once a second in its own turn."""
        self._ticks += 1
        turn = self._ticks % SECOND
        for peer in list(self._peers.values()):
            packets: list[bytes] = []
            if peer.number % SECOND == turn:
                packets = feedback.receiver_reports(peer, now)
                for route in peer.routes.values():
                    feedback.forget_resent(route, now)
                    report = feedback.sender_report(route, now)
                    if report is not None:
                        packets.append(report)
                self._listen(peer, now)
            if peer.arrivals:
                packets += peer.feedback()
            self._send_rtcp(peer, packets)
        self._report_fresh(now)
        self._ask_for_key_frames(now)
        if self._ticks % 2 == 0:
            self._levels()
        if turn == 0:
            self._second(now)
        self.done()

    def _report_fresh(self, now: float) -> None:
        """The first sender report of a route leaves as soon as it can: until then sound and picture are not in step."""
        for route in self._fresh[:]:
            report = feedback.sender_report(route, now)
            if report is not None:
                self._send_rtcp(route.peer, [report])
            if report is not None or self._routes_by_number.get(route.number) is not route:
                self._fresh.remove(route)

    def _listen(self, peer: Peer, now: float) -> None:
        if peer.alive or peer.source is None:
            peer.alive = peer.silent = False
            peer.heard = now
        elif now - peer.heard > self._silence and not peer.silent:
            peer.silent = True
            self._tell(self._events.path_silent, peer.number)

    def _levels(self) -> None:
        levels: list[tuple[int, int]] = []
        for receiver in self._receivers.values():
            if receiver.level < SILENT_LEVEL:
                levels.append((receiver.number, receiver.level))
                receiver.level = SILENT_LEVEL
        if levels or self._spoke:
            self._spoke = bool(levels)
            self._tell(self._events.audio_levels, levels)

    def _second(self, now: float) -> None:
        elapsed, self._measured = max(0.001, now - self._measured), now
        now_ns = time.time_ns()
        for receiver in self._receivers.values():
            alive = any(now_ns - layer.last_ns < ALIVE * 1e9 for layer in receiver.layers)
            for layer in receiver.layers:
                layer.measure(elapsed)
                if layer.reshaped:
                    layer.reshaped = False
                    self._evaluate(receiver.outlets)
                stuck = [outlet.stuck() for outlet in receiver.outlets if outlet.base is layer] if layer.cuts else []
                if any(stuck):  # asked of every one: they count
                    self._want_key(layer)
                if layer.active and alive and now_ns - layer.last_ns > ALIVE * 1e9:
                    layer.active = False
                    self._evaluate(receiver.outlets)
            if receiver.fed:
                feedback.note_clock(receiver, now, now_ns)
        self._checks.clear()
        self._sockets.expire(now)
