"""The dependency descriptor: which layer a packet belongs to, and what can be decoded without it, whatever the codec and
whether or not the payload is encrypted (AOMedia's "RTP Payload Format For AV1", appendix A). No I/O, no clock."""

from __future__ import annotations

from typing import NamedTuple

from commhub.wire.bits import Bits

ABSENT, DISCARDABLE, SWITCH, REQUIRED = range(4)  # decode target indications
MAX_SIZE = 255  # octets; a two-byte header extension's limit (RFC 8285 §4.3)
_TEMPLATES = 64
_FDIFFS = 16  # references of one frame; AV1 has eight buffers, VP9 too
_TORN = "The dependency descriptor ends in the middle of a field."


class Template(NamedTuple):
    """A kind of frame. ``dtis`` has an indication per decode target, ``fdiffs`` how many frames back its references are,
    ``chains`` how many frames back each chain's previous frame is (0 = none)."""

    spatial: int
    temporal: int
    dtis: tuple[int, ...]
    fdiffs: tuple[int, ...]
    chains: tuple[int, ...] = ()


class Structure(NamedTuple):
    """What a stream consists of, told with each of its key frames. ``targets`` has (spatial, temporal) per decode target,
    ``sizes`` (width, height) per spatial layer or nothing."""

    offset: int  # template id of the first template
    templates: tuple[Template, ...]
    targets: tuple[tuple[int, int], ...]
    protected: tuple[int, ...]  # decode target → chain
    chains: int
    sizes: tuple[tuple[int, int], ...]

    def target(self, spatial: int, temporal: int, active: int = -1) -> int:
        """The best decode target not above these, among those of the mask; -1 when there is none."""
        best, found = (-1, -1), -1
        for number, layers in enumerate(self.targets):
            if active >> number & 1 and layers[0] <= spatial and layers[1] <= temporal and layers > best:
                best, found = layers, number
        return found

    def within(self, inner: int, outer: int) -> bool:
        """Is everything of decode target ``inner`` also in ``outer``?"""
        return all(one.dtis[outer] or not one.dtis[inner] for one in self.templates)

    def whole(self, target: int) -> bool:
        """Is everything there is in this decode target?"""
        return all(one.dtis[target] for one in self.templates)


class Frame(NamedTuple):
    """What a packet says of its frame. ``number`` is modulo 65,536; ``structure`` and ``active`` (a mask of decode targets)
    are None unless this very packet brings them; ``mask_at`` is the bit at which a mask stands or would stand."""

    start: bool
    end: bool
    number: int
    template: int  # index, not id
    spatial: int
    temporal: int
    dtis: tuple[int, ...]
    fdiffs: tuple[int, ...]
    structure: Structure | None
    active: int | None
    mask_at: int

    @property
    def key(self) -> bool:
        """Does a key frame begin with this packet?"""
        return self.start and self.structure is not None and not self.fdiffs


def parse(data: bytes, known: Structure | None) -> Frame:
    """One packet's descriptor; ``known`` is the structure that came last. ValueError when it is torn, or speaks of
    a structure that is not known."""
    size = len(data)
    if not 3 <= size <= MAX_SIZE:
        raise ValueError("A dependency descriptor has 3 to 255 octets.")
    first = data[0]
    number = data[1] << 8 | data[2]
    if size == 3:
        template, index = _template(first & 63, known)
        spatial, temporal, dtis, fdiffs, _ = template
        return Frame(first > 127, bool(first & 64), number, index, spatial, temporal, dtis, fdiffs, None, None, 29)
    bits = Bits(data, 3, _TORN)
    flags = bits.read(5)
    structure = active = None
    if flags & 16:
        structure = known = _structure(bits)
        active = (1 << len(structure.targets)) - 1
    mask_at = 24 + bits.at
    template, index = _template(first & 63, known)
    assert known is not None
    if flags & 8:
        active = bits.read(len(known.targets))
    dtis, fdiffs = template.dtis, template.fdiffs
    if flags & 4:
        dtis = tuple([bits.read(2) for _ in known.targets])
    if flags & 2:
        fdiffs = _custom_fdiffs(bits)
    if flags & 1:
        bits.read(8 * known.chains)
    return Frame(
        first > 127,
        bool(first & 64),
        number,
        index,
        template.spatial,
        template.temporal,
        dtis,
        fdiffs,
        structure,
        active,
        mask_at,
    )


def _template(number: int, known: Structure | None) -> tuple[Template, int]:
    if known is None:
        raise ValueError("A dependency descriptor came before its structure.")
    index = number - known.offset & 63
    if index >= len(known.templates):
        raise ValueError("A dependency descriptor names a template that is not there.")
    return known.templates[index], index


def _custom_fdiffs(bits: Bits) -> tuple[int, ...]:
    found: list[int] = []
    while size := bits.read(2):
        if len(found) >= _FDIFFS:
            raise ValueError("A frame refers to too many others.")
        found.append(bits.read(4 * size) + 1)
    return tuple(found)


def _structure(bits: Bits) -> Structure:
    offset = bits.read(6)
    count = bits.read(5) + 1
    layers: list[tuple[int, int]] = [(0, 0)]
    spatial = temporal = 0
    while (following := bits.read(2)) != 3:
        if following == 1:
            temporal += 1
        elif following == 2:
            spatial, temporal = spatial + 1, 0
        if len(layers) >= _TEMPLATES or spatial > 7 or temporal > 7:
            raise ValueError("A dependency structure has too many templates or layers.")
        layers.append((spatial, temporal))
    dtis = [tuple([bits.read(2) for _ in range(count)]) for _ in layers]
    fdiffs = []
    for _ in layers:
        found: list[int] = []
        while bits.read(1):
            if len(found) >= _FDIFFS:
                raise ValueError("A frame refers to too many others.")
            found.append(bits.read(4) + 1)
        fdiffs.append(tuple(found))
    chains = bits.non_symmetric(count + 1)
    protected = tuple([bits.non_symmetric(chains) for _ in range(count)]) if chains else ()
    lags = [tuple([bits.read(4) for _ in range(chains)]) for _ in layers]
    sizes: list[tuple[int, int]] = []
    if bits.read(1):
        for _ in range(spatial + 1):
            sizes.append((bits.read(16) + 1, bits.read(16) + 1))
    templates = tuple(Template(*layers[n], dtis[n], fdiffs[n], lags[n]) for n in range(len(layers)))
    return Structure(offset, templates, _targets(templates, count), protected, chains, tuple(sizes))


def _targets(templates: tuple[Template, ...], count: int) -> tuple[tuple[int, int], ...]:
    """decode_target_layers(): a target is as high as the highest frame in it."""
    targets = []
    for number in range(count):
        inside = [one for one in templates if one.dtis[number]]
        targets.append((max((one.spatial for one in inside), default=0), max((one.temporal for one in inside), default=0)))
    return tuple(targets)


def renumber(data: bytes, offset: int) -> bytes:
    """The descriptor with ``offset`` added to its frame number."""
    return data[:1] + ((data[1] << 8 | data[2]) + offset & 0xFFFF).to_bytes(2, "big") + data[3:]


def with_active(data: bytes, frame: Frame, targets: int, mask: int) -> bytes:
    """The descriptor with ``mask`` as its active decode targets, of which the stream has ``targets``."""
    if len(data) == 3:
        data += b"\0"
    size = len(data) * 8
    value = int.from_bytes(data, "big")
    rest = size - frame.mask_at
    head, tail = value >> rest, value & ((1 << rest) - 1)
    present = value >> (size - 26) & 1
    if present:
        rest -= targets
        tail &= (1 << rest) - 1
    head |= 1 << frame.mask_at - 26
    total = frame.mask_at + targets + rest
    padding = -total % 8
    merged = ((head << targets | mask & ((1 << targets) - 1)) << rest | tail) << padding
    result = merged.to_bytes((total + padding) // 8, "big")
    return result if len(result) <= MAX_SIZE else data
