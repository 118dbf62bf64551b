"""Who comes to a running camera sees it at once: what came since its last key frame is kept, and goes to the newcomer in a burst.

A camera sends a key frame every two seconds or so and seldom more when it is asked. The burst's pictures have their times pressed
together before that of the newest one, so that a decoder shows them as fast as it can and is then where everybody else is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from commhub.media.downlink import Route
from commhub.media.peer import Peer
from commhub.media.uplink import Layer, Packet

RATE = 5_000_000  # octets a second to one peer: a line that carries video takes so much for a moment
AT_ONCE = 48 << 10  # octets: most key frames; a browser's socket takes some more than that
STEP = 0.003  # s
FRESH = 0.03  # s until a new route's burst begins: by then most browsers have read the answer that says of it
AGAIN = 0.1  # s until it may be sent a second time; then twice as long
TURN = 8  # packets of one route, then of the next one of the same peer


@dataclass(slots=True)
class _Joining:
    route: Route
    number: int  # of the route's joins
    layer: Layer
    epoch: int
    kept: deque[Packet]
    due: float  # monotonic
    place: int  # what follows the kept ones, in the layer's own numbers

    def ended(self) -> bool:
        """Something else is wanted of it by now."""
        route, layer = self.route, self.layer
        return route.layer is not layer or not route.joining or route.joins != self.number or layer.epoch != self.epoch

    def following(self) -> Packet | None:
        """What goes next; None when it is where everybody is."""
        if self.kept:
            return self.kept.popleft()
        while self.place <= self.layer.highest:
            packet = self.layer.get(self.place)
            self.place += 1
            if packet is not None:
                return packet
        return None


class Joins:
    """Routes that are being brought to where their layer is. ``send`` sends a packet to routes, ``done`` ends a batch."""

    def __init__(self, send: Callable[[list[Route], Packet], None], done: Callable[[], None]) -> None:
        self._send, self._done = send, done
        self._loop = asyncio.get_running_loop()
        self._peers: dict[Peer, deque[_Joining]] = {}
        self._credit: dict[Peer, float] = {}  # octets
        self._stepped = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, route: Route, layer: Layer) -> bool:
        """Let ``route``, which waits for ``layer``, have what is kept of it. False when there is nothing: it has to wait."""
        kept = layer.kept
        if kept is None or not kept.packets or route.patient:
            return False
        now = self._loop.time()
        fresh = route.highest < 0
        route.join(layer, kept.packets)
        route.joined_at = due = now + FRESH if fresh else now
        joining = _Joining(route, route.joins, layer, layer.epoch, deque(kept.packets), due, kept.packets[-1].place + 1)
        if route.peer not in self._peers:
            self._peers[route.peer], self._credit[route.peer] = deque(), AT_ONCE
        self._peers[route.peer].append(joining)
        if self._timer is None:
            # After the command that this is part of, and all others that came with it.
            self._stepped = now
            self._timer = self._loop.call_later(0, self._step)
        return True

    def again(self, route: Route) -> bool:
        """Its viewer cannot go on without a key frame, and a camera sends one when it likes. At the very beginning this is usual:
        a browser passes over what comes before it has read the answer. Less often every time: a bad line gets no better by it."""
        layer = route.layer
        if not isinstance(layer, Layer) or self._loop.time() - route.joined_at < AGAIN * 2 ** min(route.joins - 1, 6):
            return False
        return self.begin(route, layer)

    def _step(self) -> None:
        now = self._loop.time()
        earned, self._stepped = (now - self._stepped) * RATE, now
        for peer, joins in list(self._peers.items()):
            self._credit[peer] = min(AT_ONCE, self._credit[peer] + earned)
            ready = deque(one for one in joins if one.due <= now)
            while ready and self._credit[peer] > 0:
                self._turn(peer, ready)
            self._peers[peer] = deque([*ready, *(one for one in joins if one.due > now)])
            if not self._peers[peer]:
                del self._peers[peer], self._credit[peer]
        self._done()
        self._timer = self._loop.call_later(STEP, self._step) if self._peers else None

    def _turn(self, peer: Peer, joins: deque[_Joining]) -> None:
        one = joins.popleft()
        for _ in range(TURN):
            if one.ended():
                return
            packet = one.following()
            if packet is None:
                one.route.joined()
                return
            self._send([one.route], one.route.squeezed(packet))
            self._credit[peer] -= len(packet.payload)
        joins.append(one)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._peers.clear()
