"""AV1 in RTP (AOMedia's "RTP Payload Format For AV1" §4.4) and its sequence header (AV1 bitstream specification §5.5)."""

from __future__ import annotations

from dataclasses import dataclass

from commhub.wire.bits import Bits, Bytes

SEQUENCE_HEADER = 1
_ELEMENTS = 16  # of the first packet, among which a sequence header is looked for


@dataclass(frozen=True, slots=True)
class Aggregation:
    """The aggregation header. ``count`` 0 = every element has its length in front."""

    continues: bool  # Z: the first element began in an earlier packet
    unfinished: bool  # Y: the last one goes on in the next packet
    count: int  # W
    first: bool  # N: of a coded video sequence


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence header says (§5.5.1): the first operating point's level and tier, the largest picture in pixels."""

    profile: int
    level: int
    tier: int
    width: int
    height: int


def aggregation(payload: bytes) -> Aggregation:
    """ValueError for an empty payload."""
    if not payload:
        raise ValueError("An AV1 payload has no aggregation header.")
    head = payload[0]
    return Aggregation(bool(head & 0x80), bool(head & 0x40), head >> 4 & 3, bool(head & 0x08))


def key_frame(payload: bytes) -> bool:
    """The first packet of a coded video sequence: N of the aggregation header."""
    return bool(payload) and bool(payload[0] & 0x08)


def elements(payload: bytes) -> list[bytes]:
    """The OBU elements (or parts of them) of one packet. ValueError when they do not fit into it."""
    head = aggregation(payload)
    data = Bytes(payload, 1)
    found: list[bytes] = []
    while data.offset < len(payload):
        last = head.count and len(found) == head.count - 1
        found.append(payload[data.offset :] if last else data.take(data.leb128()))
        if last:
            break
        if len(found) > _ELEMENTS:
            raise ValueError("An AV1 packet has too many elements.")
    return found


def size(payload: bytes) -> tuple[int, int]:
    """Width and height from the packet that begins a coded video sequence; (0, 0) when it does not say them."""
    try:
        for element in elements(payload):
            if element and element[0] >> 3 & 15 == SEQUENCE_HEADER:
                data = Bytes(element, 1 + (element[0] >> 2 & 1))
                if element[0] & 2:
                    data.leb128()
                found = sequence(element[data.offset :])
                return found.width, found.height
    except ValueError:
        pass
    return 0, 0


def sequence(payload: bytes) -> Sequence:
    """A sequence header OBU without its header (§5.5). ValueError also for a decoder model, which no real-time encoder sends."""
    bits = Bits(payload[:64])
    profile = bits.read(3)
    bits.read(1)
    level = tier = 0
    if bits.read(1):
        level = bits.read(5)
    else:
        if bits.read(1):
            bits.read(64)
            if bits.read(1):
                bits.exp_golomb()
            if bits.read(1):
                raise ValueError("An AV1 sequence has a decoder model.")
        delays = bits.read(1)
        for index in range(bits.read(5) + 1):
            bits.read(12)
            this_level = bits.read(5)
            this_tier = bits.read(1) if this_level > 7 else 0
            if delays and bits.read(1):
                bits.read(4)
            if index == 0:
                level, tier = this_level, this_tier
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return Sequence(profile, level, tier, bits.read(width_bits) + 1, bits.read(height_bits) + 1)
