"""What goes out: one continuous stream per subscriber, whatever layer it is cut from.

An outlet adds a constant to place, time stamp and VP8 numbers of every packet; the constants change only where the
stream is (re)started: at a key frame of video, at any packet of audio. Each such stretch is a :class:`Segment`, so a packet that
is asked for again is rebuilt exactly, octet for octet, as it was. No I/O and no clock.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from commhub.media import plane
from commhub.media.cuts import Cut, needs_key
from commhub.media.heads import describing_builder, header_builder
from commhub.media.uplink import Layer, Packet, Receiver
from commhub.wire import rtp
from commhub.wire.picture import shift

if TYPE_CHECKING:
    from commhub.media.peer import Peer

SEGMENTS = 32  # remembered for repair
TAP_PATIENCE = 1_000_000_000  # ns a tap waits for the best layer before it begins with another one
PATIENCE = 3  # s for another part of the same stream, before a key frame is asked for
SQUEEZE = 1_000  # what is sent in a burst to who joins takes so many times less time
RESEND_INTERVAL = 0.080  # s; a packet is resent at most once per this time or round trip


#: ``(nonce, plain text, associated data) → cipher text and tag``
Seal = Callable[[bytes, bytes, bytes], bytes]


class Segment(NamedTuple):
    """Output numbers from ``floor`` on come from ``layer`` with these constants. Times of places up to ``joined`` are pressed
    together before ``joined_time``, the layer's time there."""

    floor: int
    layer: Layer | Cut
    epoch: int
    sequence: int
    timestamp: int
    picture_id: int
    tl0: int
    frame: int
    joined: int = -1
    joined_time: int = 0
    silence: bool = False  # made here: nothing of the layer was sent under these numbers

    def time(self, packet: Packet) -> int:
        """The time stamp a packet was sent with."""
        if packet.place <= self.joined:
            behind = self.joined_time - packet.timestamp & 0xFFFFFFFF
            if behind < 0x80000000:
                return self.joined_time + self.timestamp - behind // SQUEEZE & 0xFFFFFFFF
        return packet.timestamp + self.timestamp & 0xFFFFFFFF


class Outlet(ABC):
    """A copy of a receiver: numbering, layer choice, gates. Subclasses know where it goes."""

    def __init__(self, number: int, receiver: Receiver) -> None:
        self.number = number
        self.receiver = receiver
        self.allowed = True
        self.paused = False
        self.wanted = 99  # highest layer
        self.temporal = 99  # highest temporal layer
        self.joining = False  # it is being brought to where its layer is
        self.patient = False  # it waits for key frames: what is kept would be too much for it at once
        self.layer: Layer | Cut | None = None  # being sent
        self.target: Layer | Cut | None = None  # waited for
        self.patience = 0  # seconds it has been
        # the running segment, as attributes for the packet path
        self.sequence = 0  # output number - place
        self.timestamp = 0
        self.picture_id = 0
        self.tl0 = 0
        self.frame = 0  # added to frame numbers of dependency descriptors
        self.shifted = False
        self.floor = 0
        self.highest = -1  # output number; -1 = nothing was sent yet
        self.segments: deque[Segment] = deque(maxlen=SEGMENTS)
        self._last: Packet | None = None  # the newest packet sent before the running segment
        self.packets = 0
        self.octets = 0
        self.switches = 0  # from one layer to another while it was being sent

    @abstractmethod
    def among(self, layer: Layer | Cut) -> list[Any]:
        """The layer's list of what is being sent that this belongs to."""

    def ready(self) -> bool:
        """Whether what is sent can leave at all."""
        return True

    def first_number(self) -> int:
        """Output number of the very first packet."""
        return secrets.randbelow(1 << 15)

    # ------------------------------------------------------------------------------------------------- choosing

    def evaluate(self) -> Layer | None:
        """Choose again what to send, after a gate, a wish or a layer changed. Returns the layer a key frame is needed of."""
        receiver = self.receiver
        best = None
        if receiver.open and self.allowed and not self.paused and self.ready():
            best = receiver.choose(self.wanted, self.temporal)
        if best is None:
            self.park()
            return None
        if best is self.layer:
            self._wait_for(None)
            return None
        current = self.layer
        inside = current is not None and current.base is best.base
        if current is not None and inside and best.temporal > current.temporal + 1 and best.target() < 0:
            best = best.base.cut(
                min(best.spatial, current.spatial), current.temporal + 1
            )  # descriptors promise one step at a time
        if best is not self.target:
            self._wait_for(best)
            if receiver.video and not (inside and current is not None and not needs_key(current, best)):
                return best.base
        return None

    @property
    def base(self) -> Layer | None:
        """The layer whose key frame would help."""
        feed = self.layer or self.target
        return None if feed is None else feed.base

    def park(self) -> None:
        """Send nothing until :meth:`evaluate` finds something; the stream goes on without a hole afterwards."""
        self._wait_for(None)
        layer = self.layer
        if layer is not None:
            self._last = self._newest(layer)
            self.among(layer).remove(self)
            self.layer, self.joining = None, False

    def _wait_for(self, layer: Layer | Cut | None) -> None:
        if self.target is not None:
            self.target.waiting.remove(self)
        self.target = layer
        self.patience = 0
        if layer is not None:
            layer.waiting.append(self)

    def stuck(self) -> bool:
        """Once a second: does it wait in vain for a place where another part of its stream can be taken up?"""
        if self.target is None or self.layer is None:
            return False
        self.patience += 1
        return self.patience > PATIENCE

    def _newest(self, layer: Layer | Cut) -> Packet | None:
        """The newest packet sent so far, with the numbers it was sent under."""
        if self.highest < 0:
            return None
        packet = layer.get(self.highest - self.sequence)
        return self._last if packet is None else self._renumber(packet)

    def _renumber(self, packet: Packet) -> Packet:
        picture = packet.picture
        if picture is not None:
            picture = picture._replace(picture_id=picture.picture_id + self.picture_id, tl0=picture.tl0 + self.tl0)
        frame = packet.frame
        if frame is not None:
            frame = frame._replace(number=frame.number + self.frame)
        timestamp = self.segments[-1].time(packet)
        return packet._replace(timestamp=timestamp, picture=picture, frame=frame)

    # ------------------------------------------------------------------------------------------------- switching

    def may_start(self, packet: Packet) -> bool:
        """Not with a key frame that came so late that what follows it was sent before."""
        following = self.highest + 1
        for segment in reversed(self.segments):
            if segment.layer is self.target and segment.epoch == segment.layer.epoch and not segment.silence:
                return packet.place >= following - segment.sequence
            following = segment.floor
        return True

    def start(self, packet: Packet, joined: Packet | None = None) -> None:
        """Begin a segment of the awaited layer with ``packet``. ``joined`` is the newest one, when ``packet`` was kept."""
        old, new = self.layer, self.target
        assert new is not None
        last = self._last
        if old is not None:
            self.switches += old is not new
            last = self._newest(old)
            self.among(old).remove(self)
        previous = self.segments[-1] if self.segments else None
        self._wait_for(None)
        self.layer, self.joining = new, joined is not None
        self.among(new).append(self)
        following = self.highest + 1 if self.highest >= 0 else self.first_number()
        self.sequence = following - packet.place
        self.floor = following
        self.highest = following - 1
        if last is not None:
            same = previous is not None and previous.layer.base is new.base and previous.epoch == new.epoch
            if not same:
                self.timestamp = self._align(previous, new, joined or packet, last)
                if packet.frame is not None:
                    self.frame = last.frame.number + 1 - packet.frame.number & 0xFFFF if last.frame is not None else 0
            self._align_picture(packet, last)
            if joined is not None:  # the first of them comes after what was sent
                first = Segment(0, new, 0, 0, self.timestamp, 0, 0, 0, joined.place, joined.timestamp).time(packet)
                behind = last.timestamp + 1 - first & 0xFFFFFFFF
                self.timestamp += behind if behind < 0x80000000 else 0
        self._last = last
        self._running(new, joined)

    def switch(self, packet: Packet, whole: Packet) -> None:
        """Go over to another part of the same stream with ``packet`` of it, the newest one, which is ``whole`` in the layer.
        What is missing until here stays missing: it may still come."""
        old, new = self.layer, self.target
        assert old is not None
        assert new is not None
        self.switches += 1
        last = self._newest(old)
        number = (old.at if isinstance(old, Cut) else whole.place) + self.sequence
        if packet.picture is not None and whole.picture is not None:
            mask = 0x7FFF if packet.picture.wide else 0x7F
            picture_id = old.picture_at if isinstance(old, Cut) else whole.picture.picture_id
            self.picture_id = picture_id + self.picture_id - packet.picture.picture_id & mask
        self.among(old).remove(self)
        self._wait_for(None)
        self.layer = new
        self.among(new).append(self)
        self.sequence = number - packet.place
        self.floor = number
        self._last = last
        self._running(new)

    def _running(self, layer: Layer | Cut, joined: Packet | None = None) -> None:
        self.shifted = bool(self.picture_id or self.tl0)
        constants = (self.sequence, self.timestamp, self.picture_id, self.tl0, self.frame)
        until = (joined.place, joined.timestamp) if joined is not None else (-1, 0)
        self.segments.append(Segment(self.floor, layer, layer.epoch, *constants, *until))

    def _align(self, previous: Segment | None, new: Layer | Cut, packet: Packet, last: Packet) -> int:
        """Time stamp constant of the new layer: by both layers' sender reports, else by a Source's one clock, else by arrival;
        never backwards."""
        rate = new.receiver.clock_rate
        older, newer = previous.layer.sr if previous is not None else None, new.sr
        passed = max(0, packet.at - last.at) * rate // 1_000_000_000
        offset = last.timestamp + max(1, passed) - packet.timestamp
        known = None
        if previous is not None and previous.layer.receiver is new.receiver and new.receiver.fed:
            known = previous.timestamp
        if previous is not None and older is not None and newer is not None and previous.epoch == previous.layer.epoch:
            known = previous.timestamp + older[1] - newer[1] + ((newer[0] - older[0]) * rate >> 32)
        if known is not None:
            ahead = (packet.timestamp + known - last.timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            if 0 < ahead < passed + 2 * rate:
                offset = known
            elif -rate < ahead <= 0:  # the same picture again, or the one before: the next tick
                offset = last.timestamp + 1 - packet.timestamp
        return offset & 0xFFFFFFFF

    def _align_picture(self, packet: Packet, last: Packet) -> None:
        if packet.picture is None or last.picture is None:
            self.picture_id = self.tl0 = 0
            return
        mask = 0x7FFF if packet.picture.wide else 0x7F
        self.picture_id = last.picture.picture_id + 1 - packet.picture.picture_id & mask
        self.tl0 = last.picture.tl0 + 1 - packet.picture.tl0 & 0xFF

    def find(self, number: int) -> tuple[Segment, Packet] | None:
        """What was sent under output number ``number``, while it is kept."""
        if number > self.highest:
            return None
        for segment in reversed(self.segments):
            if number >= segment.floor:
                if segment.silence or segment.epoch != segment.layer.epoch:
                    return None
                packet = segment.layer.get(number - segment.sequence)
                return None if packet is None else (segment, packet)
        return None


class Route(Outlet):
    """To a subscriber over SRTP."""

    def __init__(self, number: int, receiver: Receiver, spec: plane.RouteSpec, peer: Peer) -> None:
        super().__init__(number, receiver)
        self.peer = peer
        self.ssrc = spec.ssrc
        self.payload_type = spec.payload_type
        self.rtx_ssrc = spec.rtx_ssrc
        self.rtx_payload_type = spec.rtx_payload_type
        self.red = spec.red
        if spec.red:
            receiver.redundant = True
        self.header = header_builder(spec, receiver.video)
        self.rtx_header = header_builder(spec, receiver.video, rtx=True)
        self.describe = describing_builder(spec)
        self.rtx_describe = describing_builder(spec, rtx=True)
        self.rtx_next = peer.first_number(spec.rtx_ssrc)
        self._last = peer.last_of(spec.ssrc)
        self.seal: Seal | None = None  # None: the profile goes through libsrtp
        self.nonce = 0
        self.key()
        self.resent: dict[int, float] = {}  # output number → when
        self.counters = plane.RouteCounters()
        self.nacks = self.again = 0  # packets the subscriber asked for once more, and got
        self.joins = 0  # how often it was sent what is kept of its layer
        self.joined_at = 0.0  # monotonic, the last time
        self.report_at = 0.0  # when the next sender report is due
        self.reports: dict[int, float] = {}  # middle of its NTP time → when it was sent

    def key(self) -> None:
        """Take the transport's keys over, when they are there."""
        outbound = self.peer.outbound
        if outbound is not None:
            self.seal = outbound.gcm.encrypt if outbound.gcm is not None else None
            self.nonce = outbound.nonce(self.ssrc)

    def among(self, layer: Layer | Cut) -> list[Any]:
        return layer.joining if self.joining and not isinstance(layer, Cut) else layer.routes

    def join(self, layer: Layer, kept: list[Packet]) -> None:
        """Begin the layer with what is kept of it, a key frame and what came since; or begin it again."""
        if self.target is not layer:
            self._wait_for(layer)
        self.joins += 1
        self.start(kept[0], kept[-1])

    def squeezed(self, packet: Packet) -> Packet:
        """A packet that is sent while joining, so that it leaves with its own time."""
        self._last = packet._replace(timestamp=self.segments[-1].time(packet))
        return packet._replace(timestamp=self._last.timestamp - self.timestamp & 0xFFFFFFFF)

    def joined(self) -> None:
        """It is where its layer is, and goes on with everybody."""
        layer = self.layer
        assert layer is not None
        self.among(layer).remove(self)
        self.joining = False
        layer.routes.append(self)
        # What was sent may not come again, late, with another time: it would be another packet under the same nonce.
        self.floor = max(self.floor, self.segments[-1].joined + 1 + self.sequence)

    def ready(self) -> bool:
        return self.peer.can_send()

    def newest(self) -> Packet | None:
        """The last packet sent, as it was numbered: where a later route under the same SSRC goes on."""
        return self._last if self.layer is None else self._newest(self.layer)

    def extend(self, last: Packet) -> None:
        """More was sent than came: ``last`` as it was numbered."""
        self._last = last

    def first_number(self) -> int:
        return self.peer.first_number(self.ssrc)


class TapOutlet(Outlet):
    """To a callback: plain RTP with a bare header, payload type and SSRC as they came first."""

    def __init__(self, number: int, receiver: Receiver, sink: plane.Tap) -> None:
        super().__init__(number, receiver)
        self.sink = sink
        self.ssrc = secrets.randbits(32)
        self._clock: tuple[int, int] | None = None  # as told last
        self._since = 0  # UTC ns; it could have begun with less than the best layer

    def may_start(self, packet: Packet) -> bool:
        """Every layer is another picture size, and so another file: the best one is waited for at the very beginning."""
        if not super().may_start(packet):
            return False
        layers = len(self.receiver.layers)
        if self.highest >= 0 or self.target is None or self.target.base.number >= min(self.wanted, layers - 1):
            return True
        self._since = self._since or packet.at
        return packet.at - self._since >= TAP_PATIENCE

    def clock(self) -> tuple[int, int] | None:
        """``(RTP time, UTC ns)`` of the sender's last report in the tap's own RTP time; None when that was told already."""
        layer = self.layer
        if layer is None or layer.clock is None:
            return None
        rtp_time, ntp = layer.clock
        clock = (rtp_time + self.timestamp & 0xFFFFFFFF, ntp)
        if clock == self._clock:
            return None
        self._clock = clock
        return clock

    def among(self, layer: Layer | Cut) -> list[Any]:
        return layer.taps

    def packet(self, packet: Packet, number: int) -> bytes:
        """The plain RTP packet."""
        payload = packet.payload
        if self.shifted and packet.picture is not None:
            payload = shift(payload, packet.picture, self.picture_id, self.tl0)
        head = rtp.HEADER.pack(
            0x80,
            packet.mark | packet.payload_type,
            number & 0xFFFF,
            packet.timestamp + self.timestamp & 0xFFFFFFFF,
            self.ssrc,
        )
        return head + payload
