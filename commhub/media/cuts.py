"""Layers inside one stream: temporal layers of VP8, spatial and temporal ones of VP9 and AV1, and parts of it for viewers.

:class:`Strata` knows what a stream consists of and what each part of it costs. A :class:`Cut` is the part of a stream up to one
spatial and one temporal layer, numbered without holes, for all viewers who get just that: what is left out costs nobody
anything per viewer. No I/O and no clock: times are parameters.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from commhub.media.plane import LayerCounters
from commhub.wire import dependency
from commhub.wire.dependency import Structure
from commhub.wire.picture import Picture, shift

if TYPE_CHECKING:
    from commhub.media.downlink import Outlet, Route, TapOutlet
    from commhub.media.uplink import Layer, Packet, Receiver

CACHE = 1024  # packets kept per cut, a power of two
_SLOT = CACHE - 1
CUTS = 12  # of one stream
RUNS = 512  # stretches that were left out, by which late packets find their place
IDLE = 5.0  # s a cut that nobody gets is kept: what it sent may be asked for again
_GONE = 3  # measurements without it until a layer has gone
_KINDS = 64  # (spatial, temporal) pairs of a payload descriptor, or templates of a dependency structure


class Part(NamedTuple):
    """What a viewer gets of a stream, as (spatial, temporal): bit/s, frames per second."""

    bitrate: int
    rate: float


class Strata:
    """What one stream consists of. Without a dependency structure, what its payload descriptors have shown lately."""

    def __init__(self, vp9: bool) -> None:
        self.vp9 = vp9
        self.structure: Structure | None = None
        self._before: Structure | None = None  # of packets that a key frame has overtaken
        self.active = -1  # mask of decode targets that are being sent
        self.spatial = self.temporal = 1  # layers
        self.sizes: tuple[tuple[int, int], ...] = ()
        self._octets = [0] * _KINDS
        self._frames = [0] * _KINDS
        self._seen = [_GONE + 1] * _KINDS  # measurements since the kind was there last; 0 = just now
        self.parts: dict[tuple[int, int], Part] = {}  # as measured

    # ---------------------------------------------------------------------------------------------- what comes in

    def picture(self, picture: Picture, size: int) -> bool:
        """A packet with a payload descriptor. True when it shows a layer that was not known."""
        spatial, temporal = picture.spatial, picture.temporal
        kind = spatial << 3 | temporal
        self._octets[kind] += size
        self._frames[kind] += picture.start
        self._seen[kind] = 0
        if spatial < self.spatial and temporal < self.temporal:
            return False
        self.spatial, self.temporal = max(self.spatial, spatial + 1), max(self.temporal, temporal + 1)
        return True

    def frame(self, data: bytes, size: int) -> tuple[dependency.Frame | None, bool]:
        """A packet with a dependency descriptor: its frame (None when it is torn or speaks of a structure that never came),
        and whether the layers are others now."""
        frame, changed = self.read(data), False
        if frame is None:
            return None, False
        if frame.structure is not None and frame.structure != self.structure:
            self._before, self.structure = self.structure, frame.structure
            self.spatial = max(spatial for spatial, _ in frame.structure.targets) + 1
            self.temporal = max(temporal for _, temporal in frame.structure.targets) + 1
            self._octets, self._frames = [0] * _KINDS, [0] * _KINDS
            changed = True
        if frame.active is not None and frame.active != self.active:
            self.active = frame.active
            changed = True
        if frame.structure is not None and frame.structure.sizes:
            self.sizes = frame.structure.sizes
        self._octets[frame.template] += size
        self._frames[frame.template] += frame.start
        return frame, changed

    def read(self, data: bytes) -> dependency.Frame | None:
        """A descriptor by the structure that holds, or by the one before it; None when neither fits."""
        for structure in (self.structure, self._before):
            try:
                return dependency.parse(data, structure)
            except ValueError:
                continue
        return None

    # ------------------------------------------------------------------------------------------------- what it is

    def choose(self, spatial: int, temporal: int) -> tuple[int, int] | None:
        """The best part not above these that is being sent; None = everything there is."""
        structure = self.structure
        if structure is None:
            spatial, temporal = min(spatial, self.spatial - 1), min(temporal, self.temporal - 1)
            return None if (spatial, temporal) == (self.spatial - 1, self.temporal - 1) else (spatial, temporal)
        target = structure.target(spatial, temporal, self.active)
        if target < 0:
            target = max(0, structure.target(spatial, temporal))
        return None if structure.whole(target) else structure.targets[target]

    def measure(self, elapsed: float) -> bool:
        """Once a second or so. True when layers have gone."""
        octets, self._octets = self._octets, [0] * _KINDS
        frames, self._frames = self._frames, [0] * _KINDS
        self.parts = {}
        if self.structure is not None:
            templates = self.structure.templates
            for number, (spatial, temporal) in enumerate(self.structure.targets):
                if self.active >> number & 1:
                    inside = [kind for kind, one in enumerate(templates) if one.dtis[number]]
                    shown = [kind for kind in inside if templates[kind].spatial == spatial]
                    self.parts[spatial, temporal] = _part(octets, frames, inside, shown, elapsed)
            return False
        self._seen = [since + 1 for since in self._seen]
        alive = [kind for kind, since in enumerate(self._seen) if since <= _GONE and kind >> 3 < self.spatial]
        before = self.spatial, self.temporal
        self.spatial = max((kind >> 3 for kind in alive), default=0) + 1
        self.temporal = max((kind & 7 for kind in alive), default=0) + 1
        for spatial in range(self.spatial):
            for temporal in range(self.temporal):
                inside = [kind for kind in range(_KINDS) if kind >> 3 <= spatial and kind & 7 <= temporal]
                shown = [kind for kind in inside if kind >> 3 == spatial]
                self.parts[spatial, temporal] = _part(octets, frames, inside, shown, elapsed)
        return before != (self.spatial, self.temporal)


def _part(octets: list[int], frames: list[int], inside: list[int], shown: list[int], elapsed: float) -> Part:
    return Part(int(sum(octets[kind] for kind in inside) * 8 / elapsed), sum(frames[kind] for kind in shown) / elapsed)


def counted(whole: LayerCounters, strata: Strata) -> list[LayerCounters]:
    """What a stream with layers inside has, by spatial layer: rates of the parts; what is counted of the whole in the first."""
    found = []
    for spatial in sorted({spatial for spatial, _ in strata.parts}) or [0]:
        parts = [part for (one, _), part in sorted(strata.parts.items()) if one == spatial]
        width, height = strata.sizes[spatial] if spatial < len(strata.sizes) else (whole.width, whole.height)
        found.append(
            replace(
                whole,
                bitrate=parts[-1].bitrate if parts else whole.bitrate,
                packets=0 if spatial else whole.packets,
                octets=0 if spatial else whole.octets,
                lost=0 if spatial else whole.lost,
                width=width,
                height=height,
                temporal=[part.bitrate for part in parts],
                rates=[part.rate for part in parts],
            )
        )
    return found


class Cut:
    """One part of a layer's stream: to viewers it is a stream of its own. ``place``s are its own, too."""

    def __init__(self, layer: Layer, spatial: int, temporal: int) -> None:
        self.base = layer
        self.receiver: Receiver = layer.receiver
        self.spatial, self.temporal = spatial, temporal
        self.highest = -1
        self.cache: list[Packet | None] = [None] * CACHE
        self.routes: list[Route] = []
        self.taps: list[TapOutlet] = []
        self.waiting: list[Outlet] = []
        self.idle = 0  # measurements without a viewer
        self.current: Packet | None = None  # the layer's newest packet as it is here, None when it is left out
        self.first = False  # it begins a picture here
        self.at = 0  # place here of the layer's newest packet, or the one it would have
        self.picture_at = 0  # likewise its picture id
        self._top = -1  # highest place in the layer
        self._shift = 0  # place here - place in the layer
        self._pictures = 0  # left out, for VP8's picture ids
        self._left_out = -1  # picture id of the last one
        self._runs: deque[tuple[int, int, int]] = deque(maxlen=RUNS)  # (first place behind it, shift and pictures before it)
        self._stamp = -1
        self._structure: Structure | None = None
        self._target = -1

    @property
    def epoch(self) -> int:
        return self.base.epoch

    @property
    def sr(self) -> tuple[int, int, float] | None:
        return self.base.sr

    @property
    def clock(self) -> tuple[int, int] | None:
        return self.base.clock

    @property
    def number(self) -> int:
        return self.base.number

    @property
    def used(self) -> bool:
        return bool(self.routes or self.taps or self.waiting)

    def target(self) -> int:
        """Its decode target in the structure that holds now."""
        strata = self.base.strata
        structure = strata.structure if strata is not None else None
        if structure is not self._structure:
            self._structure = structure
            self._target = structure.target(self.spatial, self.temporal) if structure is not None else -1
        return self._target

    def get(self, place: int) -> Packet | None:
        """A packet for repair, while it is kept."""
        packet = self.cache[place & _SLOT]
        return packet if packet is not None and packet.place == place else None

    def keeps(self, packet: Packet) -> bool:
        frame, picture = packet.frame, packet.picture
        if frame is not None:
            target = self.target()
            return not 0 <= target < len(frame.dtis) or frame.dtis[target] != dependency.ABSENT
        return picture is None or (picture.spatial <= self.spatial and picture.temporal <= self.temporal)

    def take(self, packet: Packet) -> Packet | None:
        """One clean packet of the layer; None when it is left out. One that comes late, into a hole that viewers have seen,
        and would be left out, fills the hole without content."""
        self.current = None
        place, picture = packet.place, packet.picture
        keep = self.keeps(packet)
        counted = picture is not None and not self._vp9 and picture.picture_id_at >= 0
        if place > self._top:
            self._top = place
            self.at = place + self._shift
            if counted:
                assert picture is not None
                self.picture_at = picture.picture_id - self._pictures
            if not keep:
                self._leave_out(place, picture.picture_id if picture is not None and counted else -1)
                return None
            self.first = -1 != self._stamp != packet.timestamp
            self._stamp = packet.timestamp
            number, pictures = self.at, self._pictures
        else:
            found = self._late(place)
            if found is None:
                return None
            number, pictures = found
        self.current = packet = self._as_here(packet, number, pictures, keep, counted)
        self.cache[number & _SLOT] = packet
        self.highest = max(self.highest, number)
        return packet

    def fill(self, place: int) -> None:
        """What has overtaken the key frame at this place of the layer, by which all of it can be told apart only now."""
        here, strata = self.current, self.base.strata
        while place < self.base.highest:
            place += 1
            packet = self.base.get(place)
            if packet is not None:
                if packet.frame is None and packet.dd and strata is not None:
                    packet = packet._replace(frame=strata.read(packet.dd))
                self.take(packet)
        self.current = here

    @property
    def _vp9(self) -> bool:
        # The picture ids of VP9 stay: a group of pictures is described by their distances (RFC 9628 §4.2.1).
        return self.base.strata is not None and self.base.strata.vp9

    def _leave_out(self, place: int, picture_id: int) -> None:
        """What follows closes up."""
        if self._runs and self._runs[-1][0] == place:
            _, before, pictures = self._runs.pop()
        else:
            before, pictures = self._shift, self._pictures
        self._runs.append((place + 1, before, pictures))
        self._shift -= 1
        if picture_id >= 0 and picture_id != self._left_out:
            self._left_out = picture_id
            self._pictures += 1

    def _late(self, place: int) -> tuple[int, int] | None:
        """Place and pictures left out before a packet that was overtaken."""
        shift, pictures = self._shift, self._pictures
        for first, before, left_out in reversed(self._runs):
            if place >= first:
                return place + shift, pictures
            shift, pictures = before, left_out
        return (place + shift, pictures) if len(self._runs) < RUNS else None

    def _as_here(self, packet: Packet, number: int, pictures: int, keep: bool, counted: bool) -> Packet:
        if not keep:
            return packet._replace(place=number, mark=0, payload=b"", picture=None, frame=None, dd=b"")
        payload, picture, frame, dd, mark = packet.payload, packet.picture, packet.frame, packet.dd, packet.mark
        if counted and pictures and picture is not None:
            payload = shift(payload, picture, -pictures, 0)
            picture = picture._replace(picture_id=picture.picture_id - pictures & (0x7FFF if picture.wide else 0x7F))
        if frame is not None:
            # The picture ends with its last layer here (RFC 9628 §4.1, AV1's RTP mapping §4.2).
            if frame.end and frame.spatial == self.spatial:
                mark = 0x80
            if dd and self._structure is not None and (frame.structure is not None or (frame.start and not frame.temporal)):
                dd = dependency.with_active(dd, frame, len(self._structure.targets), self._mask(self._structure))
        elif picture is not None and picture.end and picture.spatial == self.spatial:
            mark = 0x80
        return packet._replace(place=number, mark=mark, payload=payload, picture=picture, dd=dd)

    def _mask(self, structure: Structure) -> int:
        """Decode targets that can be decoded here."""
        return sum(1 << number for number in range(len(structure.targets)) if structure.within(number, self._target))


def may_switch(old: Any, new: Any, packet: Packet) -> bool:
    """May a viewer of ``old`` go over to ``new``, another part of the same layer, with this packet, the layer's newest and no
    key frame? ``old`` and ``new`` are cuts or the layer itself."""
    frame, picture = packet.frame, packet.picture
    if frame is not None:
        was, will = old.target(), new.target()
        if not frame.start or was < 0 or will < 0 or max(was, will) >= len(frame.dtis):
            return False
        if frame.dtis[will] == dependency.SWITCH and frame.dtis[was] != dependency.ABSENT:
            return True
        structure = new.base.strata.structure
        return bool(new.first and structure is not None and structure.within(will, was))
    if picture is None or not picture.start or new.spatial > old.spatial:
        return False
    if new.temporal <= old.temporal:
        return bool(new.first)
    if new.base.strata.vp9:
        return bool(new.first and picture.up and picture.temporal <= old.temporal)
    return picture.up and picture.temporal == old.temporal + 1


def needs_key(old: Any, new: Any) -> bool:
    """Is a key frame the only way from one part of a layer to another?"""
    if new.spatial == old.spatial:
        return False
    strata = new.base.strata
    if strata is not None and strata.structure is not None:
        return not strata.structure.within(new.target(), old.target())
    return bool(new.spatial > old.spatial)
