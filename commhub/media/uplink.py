"""What comes in: one :class:`Layer` per simulcast layer turns authentic packets into one clean numbered stream.

Removes duplicates, restores RTX (RFC 4588), drops padding-only packets and closes their holes, asks again for what is
missing, keeps the last packets for repair, and finds key frames. No I/O and no clock: times are parameters.

A packet's number in the clean stream is its *place*: it grows without wrapping, and only real gaps are gaps.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from commhub.media.cuts import CUTS, IDLE, Cut, Strata
from commhub.media.plane import LayerCounters, ReceiverSpec
from commhub.media.srtp import WINDOW, Window
from commhub.wire import av1, nal, rtcp, vp8, vp9
from commhub.wire.dependency import Frame
from commhub.wire.picture import Picture
from commhub.wire.red import MAX_BACK, MAX_LENGTH, Block

if TYPE_CHECKING:
    from commhub.media.downlink import Outlet, Route, TapOutlet

KEPT_OCTETS, KEPT_NS = 4 << 20, 10_000_000_000  # since a key frame, of a Source
CACHE = 1024  # packets kept per layer, a power of two
SLOT = CACHE - 1
LEAP = 2000  # a jump of sequence numbers beyond this is a new beginning, not a loss
NACK_DELAY = 0.010  # s; packets may overtake each other
NACK_RETRY = 0.080
NACK_TRIES = 8
NACK_MOST = 400  # missing at once; more is not repaired but begun again with a key frame
PLI_INTERVAL = 0.5
PLI_QUICK, PLI_PATIENT = 6, 2.0  # after so many in vain, so many seconds between them
STEADY = ("video/h264", "video/h265")
ALIVE = 1.5  # s without a packet after which a layer has gone, if another one lives
SILENT_LEVEL = 127
REDUNDANCY = 1  # frames that redundant audio repeats; as many as libwebrtc does
_ALL = 99

#: mime, lower case → how its payload descriptor is read
PICTURES = {"video/vp8": vp8.parse, "video/vp9": vp9.parse}


def _size(mime: str, payload: bytes, picture: Picture | None) -> tuple[int, int]:
    """Width and height from the packet that begins a key frame; (0, 0) when it does not say them."""
    if mime == "video/h264":
        return nal.h264_size(payload)
    if mime == "video/h265":
        return nal.h265_size(payload)
    if mime == "video/av1":
        return av1.size(payload)
    if mime == "video/vp9":
        return max(vp9.sizes(payload), default=(0, 0))
    return vp8.size(payload, picture.size) if picture is not None else (0, 0)


class Packet(NamedTuple):
    """A clean packet. ``sent`` is the absolute send time that every copy carries, so that a copy is always the same octets."""

    place: int
    mark: int  # M << 7
    timestamp: int
    payload: bytes
    sent: bytes
    level: int  # audio: octet of the level extension
    picture: Picture | None  # of VP8 and VP9
    at: int  # ingress, UTC ns
    payload_type: int
    frame: Frame | None = None  # of streams with dependency descriptors
    dd: bytes = b""  # the descriptor itself
    earlier: tuple[Block, ...] = ()  # audio: the frames before it, for who gets redundancy


class Stream:
    """One SSRC. ``rtx`` streams carry repairs of their layer's media stream. Counts for receiver reports (RFC 3550 A.3, A.8)."""

    __slots__ = (
        "base",
        "clock",
        "jitter",
        "layer",
        "prior_expected",
        "prior_received",
        "received",
        "rtx",
        "sr_at",
        "sr_middle",
        "ssrc",
        "transit",
        "window",
    )

    def __init__(self, ssrc: int, layer: Layer, rtx: bool, window: Window) -> None:
        self.ssrc = ssrc
        self.layer = layer
        self.rtx = rtx
        self.window = window
        self.base = -1
        self.received = 0
        self.prior_expected = self.prior_received = 0
        self.transit = 0
        self.jitter = 0.0
        self.clock = layer.receiver.clock_rate
        self.sr_middle = 0
        self.sr_at = 0.0

    def count(self, index: int, timestamp: int, at: int) -> None:
        """One authentic packet that arrived at ``at`` (ns)."""
        self.received += 1
        if self.base < 0:
            self.base = index
            self.transit = at // 1000 * self.clock // 1_000_000 - timestamp
            return
        transit = at // 1000 * self.clock // 1_000_000 - timestamp
        change = transit - self.transit & 0xFFFFFFFF
        self.transit = transit
        if change >> 31:
            change = 0x100000000 - change
        if change < self.clock * 4:
            self.jitter += (change - self.jitter) / 16

    def report(self, now: float) -> rtcp.Report:
        """The block about this stream since the last one."""
        expected = self.window.highest - self.base + 1
        interval = expected - self.prior_expected
        lost = interval - (self.received - self.prior_received)
        self.prior_expected, self.prior_received = expected, self.received
        fraction = min(255, (lost << 8) // interval) if interval > 0 and lost > 0 else 0
        delay = int((now - self.sr_at) * 65536) if self.sr_at else 0
        total = max(0, expected - self.received)
        return rtcp.Report(self.ssrc, fraction, total, self.window.highest, int(self.jitter), self.sr_middle, delay)


class Kept:
    """The packets of a layer since its last key frame, for who joins it; none while there are too many of them."""

    __slots__ = ("octets", "packets")

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self.octets = 0

    def add(self, packet: Packet, key: bool) -> None:
        packets = self.packets
        if key and (not packets or packets[0].timestamp != packet.timestamp):
            self.packets, self.octets = [packet], len(packet.payload)
        else:
            self.follow(packet)

    def follow(self, packet: Packet) -> None:
        """One that certainly begins no key frame."""
        if packets := self.packets:
            packets.append(packet)
            self.octets += len(packet.payload)
            if self.octets > KEPT_OCTETS or packet.at - packets[0].at > KEPT_NS:
                self.clear()

    def clear(self) -> None:
        self.packets, self.octets = [], 0


class Receiver:
    """An incoming track: its layers, and whether anything of it may leave."""

    def __init__(self, number: int, transport: int, kind: str, clock_rate: int, layers: int, nack: bool) -> None:
        self.number = number
        self.transport = transport  # 0 = fed
        self.fed = False
        self.kind = kind
        self.video = kind == "video"
        self.clock_rate = clock_rate
        self.open = True
        self.nack = nack
        self.spec: ReceiverSpec | None = None
        self.mimes: dict[int, str] = {}
        self.mime = ""
        self.layers = [Layer(self, n) for n in range(layers)]
        self.outlets: list[Outlet] = []
        self.level = SILENT_LEVEL
        self.redundant = False  # somebody gets it with redundancy

    def choose(self, wanted: int, temporal: int) -> Layer | Cut | None:
        """What a viewer gets who wants nothing above these layers: a layer, or a part of its stream. Where spatial layers are
        streams of their own, ``wanted`` is such a stream, else a layer inside the only one."""
        layer = self.best(wanted)
        if layer is None or layer.strata is None:
            return layer
        return layer.part(wanted if len(self.layers) == 1 else _ALL, temporal)

    def best(self, wanted: int) -> Layer | None:
        """The highest living layer not above ``wanted``, else the lowest living one."""
        found = None
        for layer in self.layers:
            if layer.active and (layer.number <= wanted or found is None):
                found = layer
        return found


class Layer:
    """One simulcast layer of a receiver (audio has exactly one)."""

    def __init__(self, receiver: Receiver, number: int) -> None:
        self.receiver = receiver
        self.number = number
        self.base = self  # of which cuts are parts
        self.strata: Strata | None = None  # None while there is only one layer inside
        self.cuts: dict[tuple[int, int], Cut] = {}
        self.reshaped = False  # the layers inside are others now
        self.first = False  # the newest packet begins a picture
        self.stream: Stream | None = None
        self.epoch = 0  # grows when another stream takes over
        self.active = False
        self.highest = -1  # place
        self.cache: list[Packet | None] = [None] * CACHE
        self.shift = 0  # place - packet index
        self._shifts: deque[tuple[int, int]] = deque(maxlen=64)  # (first index, shift before it), newest last
        self._top = self._base = -1  # highest and lowest packet index
        self.missing: dict[int, tuple[int, float]] = {}  # packet index → tries, when next (0 = not yet scheduled)
        self.routes: list[Route] = []  # being sent this layer
        self.taps: list[TapOutlet] = []  # likewise
        self.waiting: list[Outlet] = []  # want this layer from its next key frame on
        self.joining: list[Route] = []  # are being sent what is kept of it
        self.kept: Kept | None = None  # of Sources
        self.key_wanted = False
        self.key_asked = 0.0  # monotonic; last request that left
        self.key_tries = 0
        self.sr: tuple[int, int, float] | None = None  # NTP time, RTP time, when it came (monotonic)
        self.clock: tuple[int, int] | None = None  # RTP time, UTC ns: what the sender itself said last
        self.clock_at = -1.0  # when taps were told of it (monotonic)
        self.counters = LayerCounters()
        self.nacks = 0  # packets asked for once more
        self._octets = 0
        self.last_ns = 0  # arrival of the newest packet, UTC
        self.since_ns = 0  # arrival of the first one

    # ------------------------------------------------------------------------------------------------ numbering

    def restart(self) -> None:
        """Another stream takes this layer over: numbers go on, nothing of the old one is missing any more."""
        self.epoch += 1
        self._top = -1
        self._shifts.clear()
        self.missing.clear()
        self.sr = self.clock = self.strata = None
        if self.kept is not None:
            self.kept.clear()

    def place(self, index: int) -> int:
        """Number of a packet that has just come in the clean stream, -1 for one too late to be told. Notes what is missing."""
        top = self._top
        if top < 0:
            self._top = self._base = index
            self.shift = self.highest + 1 - index if self.highest >= 0 else 0
            return index + self.shift
        ahead = index - top
        if ahead == 1:
            self._top = index
            return index + self.shift
        if ahead <= 0:
            self.missing.pop(index, None)
            if index < self._base:  # the very first ones were overtaken
                if self.receiver.nack and self._base - index < NACK_MOST:
                    self.missing.update(dict.fromkeys(range(index + 1, self._base), (0, 0.0)))
                self._base = index
            shift = self.shift
            for first, before in reversed(self._shifts):
                if index >= first:
                    return index + shift
                shift = before
            return index + shift if len(self._shifts) < 64 else -1
        if ahead > LEAP:
            self.missing.clear()
            self._shifts.clear()
            self.shift = self.highest + 2 - index
            self.key_wanted = self.receiver.video
        elif self.receiver.nack:
            if ahead + len(self.missing) > NACK_MOST:
                self._give_up()
            else:
                for lost in range(top + 1, index):
                    self.missing[lost] = (0, 0.0)
        self._top = index
        return index + self.shift

    def skip(self, index: int) -> None:
        """The packet just placed was only padding and the newest: those behind it close up."""
        self._shifts.append((index + 1, self.shift))
        self.shift -= 1

    def _give_up(self) -> None:
        self.counters.lost += len(self.missing)
        self.missing.clear()
        self.key_wanted = self.receiver.video

    # ---------------------------------------------------------------------------------------------- the packet

    @property
    def steady(self) -> bool:
        """Whether a packet of a camera's codec that is the next one needs none of what :meth:`accept` looks for."""
        if not self.active or self.stream is None or self.missing or self.cuts or self.receiver.mime not in STEADY:
            return False
        return self._top == self.stream.window.highest and self._top + self.shift == self.highest

    def follow(self, packets: int, octets: int, at: int) -> None:
        """So many packets were put into the cache as the next ones."""
        self._top += packets
        self.last_ns = at
        self.counters.packets += packets
        self.counters.octets += octets

    def accept(
        self, index: int, mark: int, timestamp: int, payload: bytes, sent: bytes, level: int, at: int, dd: bytes = b""
    ) -> Packet | None:
        """Take one packet with its packet index; None when nothing is to be forwarded. ``mark`` is the M and PT octet, ``dd``
        the dependency descriptor it carries."""
        place = self.place(index)
        if place < 0:
            return None
        if not payload and index == self._top:
            self.skip(index)
            return None
        slot = self.cache[place & SLOT]
        if slot is not None and slot.place >= place:
            return None
        receiver = self.receiver
        payload_type = mark & 0x7F
        picture = frame = None
        if receiver.video and payload:
            mime = receiver.mimes.get(payload_type, receiver.mime)
            parse = PICTURES.get(mime)
            if parse is not None:
                try:
                    picture = parse(payload)
                except ValueError:
                    payload = b""  # a hole that nobody asks for again
                    dd = b""
            if dd and mime == "video/vp8":  # says all of it by itself
                dd = b""
            if dd:
                frame = self._described(dd, mime, len(payload))
            elif picture is not None and (self.strata is not None or picture.temporal or picture.spatial):
                self._layered(picture, mime, len(payload))
        earlier = self._earlier(place, timestamp) if receiver.redundant and payload else ()
        packet = Packet(place, mark & 0x80, timestamp, payload, sent, level, picture, at, payload_type, frame, dd, earlier)
        self.cache[place & SLOT] = packet
        if place > self.highest:
            self.highest = place
            self.last_ns = at
        counters = self.counters
        counters.packets += 1
        counters.octets += len(payload)
        return packet

    def _earlier(self, place: int, timestamp: int) -> tuple[Block, ...]:
        """What the packet at ``place`` repeats. It is kept with it: sent again, the packet must be what it was."""
        blocks = []
        for before in range(place - REDUNDANCY, place):
            packet = self.cache[before & SLOT]
            if packet is None or packet.place != before or not 0 < len(packet.payload) <= MAX_LENGTH:
                continue
            if 0 < (back := timestamp - packet.timestamp & 0xFFFFFFFF) <= MAX_BACK:
                blocks.append(Block(back, packet.payload))
        return tuple(blocks)

    def _described(self, dd: bytes, mime: str, size: int) -> Frame | None:
        """The frame of a packet with a dependency descriptor, None while its structure has not come."""
        if self.strata is None:
            self.strata = Strata(mime == "video/vp9")
        frame, changed = self.strata.frame(dd, size)
        self.reshaped = self.reshaped or changed
        return frame

    def _layered(self, picture: Picture, mime: str, size: int) -> None:
        if self.strata is None:
            self.strata = Strata(mime == "video/vp9")
        if self.strata.structure is None and self.strata.picture(picture, size):
            self.reshaped = True

    @property
    def spatial(self) -> int:
        """Highest spatial layer inside."""
        return self.strata.spatial - 1 if self.strata is not None else 0

    @property
    def temporal(self) -> int:
        return self.strata.temporal - 1 if self.strata is not None else 0

    @property
    def used(self) -> bool:
        return bool(self.routes or self.taps or self.waiting or self.joining)

    def target(self) -> int:
        """The decode target that is all of it, -1 without a structure."""
        structure = self.strata.structure if self.strata is not None else None
        return structure.target(_ALL, _ALL) if structure is not None else -1

    def part(self, spatial: int, temporal: int) -> Layer | Cut:
        """The stream up to these layers inside: itself or a cut of it."""
        chosen = self.strata.choose(spatial, temporal) if self.strata is not None else None
        return self if chosen is None else self.cut(*chosen)

    def cut(self, spatial: int, temporal: int) -> Layer | Cut:
        known = self.cuts.get((spatial, temporal))
        if known is None:
            if len(self.cuts) >= CUTS:
                return self
            known = self.cuts[spatial, temporal] = Cut(self, spatial, temporal)
        return known

    def is_key(self, packet: Packet) -> bool:
        """Whether this packet begins a key frame (any packet does, of audio). Notes the picture's size."""
        receiver = self.receiver
        if not receiver.video:
            return True
        payload, picture, frame = packet.payload, packet.picture, packet.frame
        mime = receiver.mimes.get(packet.payload_type, receiver.mime)
        if frame is not None:
            if not frame.key:
                return False
        elif not (picture.key if picture is not None else bool(payload) and nal.is_key_frame(mime, payload)):
            return False
        width, height = _size(mime, payload, picture)
        if width:
            self.counters.width, self.counters.height = width, height
        return True

    def get(self, place: int) -> Packet | None:
        """A packet for repair, while it is kept."""
        packet = self.cache[place & SLOT]
        return packet if packet is not None and packet.place == place else None

    # --------------------------------------------------------------------------------------------------- repair

    def due(self, now: float, round_trip: float = 0.0) -> list[int]:
        """Packet indices to ask for now, ascending. Those asked for often enough are lost."""
        asked: list[int] = []
        oldest = self._top - WINDOW
        for index, (tries, when) in list(self.missing.items()):
            if tries >= NACK_TRIES or index < oldest:
                if now >= when:
                    del self.missing[index]
                    self.counters.lost += 1
            elif when == 0.0:
                self.missing[index] = (0, now + NACK_DELAY)
            elif now >= when:
                self.missing[index] = (tries + 1, now + max(NACK_RETRY, round_trip))
                asked.append(index)
        self.nacks += len(asked)
        return asked

    def wants_key(self, now: float) -> bool:
        """Whether a key-frame request leaves now: at most every 500 ms, rarer after some in vain, until one came."""
        if not self.key_wanted or now - self.key_asked < (PLI_INTERVAL if self.key_tries < PLI_QUICK else PLI_PATIENT):
            return False
        self.key_asked = now
        self.key_tries += 1
        return True

    def measure(self, elapsed: float) -> None:
        """Once a second or so: the bitrate since last time."""
        octets = self.counters.octets
        self.counters.bitrate = int((octets - self._octets) * 8 / elapsed)
        self._octets = octets
        if self.strata is None:
            return
        if self.strata.measure(elapsed):
            self.reshaped = True
        parts = [part for (spatial, _), part in sorted(self.strata.parts.items()) if spatial == self.spatial]
        self.counters.temporal, self.counters.rates = [part.bitrate for part in parts], [part.rate for part in parts]
        for key, cut in list(self.cuts.items()):
            cut.idle = 0 if cut.used else cut.idle + 1
            if cut.idle > IDLE:
                del self.cuts[key]
