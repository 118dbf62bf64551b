"""H.265 as it travels in RTP (RFC 7798) and what its headers say (ITU-T H.265 clauses 7.3 and 7.4). No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from commhub.wire.h264 import PACKET_LIMIT, PARAMETER_SET_LIMIT, BitReader, Bytes

IDR_W_RADL, IDR_N_LP, CRA = 19, 20, 21
VPS, SPS, PPS, AUD, SEI = 32, 33, 34, 35, 39
AGGREGATION, FRAGMENT = 48, 49
#: BLA, IDR, CRA and two reserved ones: decoding can begin here (7.4.2.2)
IRAP = range(16, 24)

_SIDE_LIMIT = 16_384  # pixels; level 6.2 allows about as much


def kind(unit: Bytes) -> int:
    """nal_unit_type of a NAL unit or a payload with its header of two octets."""
    return unit[0] >> 1 & 0x3F


@dataclass(frozen=True, slots=True)
class Sps:
    """A sequence parameter set. ``width`` and ``height`` are pixels after cropping; ``reorder`` is the greatest
    sps_max_num_reorder_pics (0 = no B-frames that come before what they show after)."""

    id: int
    profile: int
    tier: int
    level: int
    width: int
    height: int
    reorder: int


def parse_sps(nal: Bytes) -> Sps:
    """A sequence parameter set with its NAL header. ValueError when it is not one (clause 7.3.2.2.1)."""
    if not 15 <= len(nal) <= PARAMETER_SET_LIMIT:
        raise ValueError("The H.265 SPS has an impossible size.")
    if nal[0] & 0x81 or kind(nal) != SPS:
        raise ValueError("The NAL unit is not an H.265 SPS.")
    bits = BitReader(nal[2:])
    bits.u(4)  # VPS
    layers = bits.u(3)
    bits.u(1)
    if layers > 6:
        raise ValueError("The H.265 SPS has an impossible number of layers.")
    profile, tier, level = _profile_tier_level(bits, layers)
    number = bits.ue()
    chroma = bits.ue()
    if number > 15 or chroma > 3:
        raise ValueError("The H.265 SPS has an impossible number or chroma format.")
    separate = chroma == 3 and bits.u(1)
    width, height = bits.ue(), bits.ue()
    if bits.u(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        width -= (left + right) * (2 if chroma in (1, 2) and not separate else 1)
        height -= (top + bottom) * (2 if chroma == 1 and not separate else 1)
    if not (0 < width <= _SIDE_LIMIT and 0 < height <= _SIDE_LIMIT):
        raise ValueError("The H.265 SPS has an impossible picture size.")
    bits.ue(), bits.ue(), bits.ue()  # bit depths, log2_max_pic_order_cnt
    reorder = 0
    for _ in range(layers + 1 if bits.u(1) else 1):
        bits.ue()
        reorder = max(reorder, bits.ue())
        bits.ue()
    return Sps(number, profile, tier, level, width, height, reorder)


def _profile_tier_level(bits: BitReader, layers: int) -> tuple[int, int, int]:
    """Clause 7.3.3: general profile, tier and level."""
    bits.u(2)
    tier, profile = bits.u(1), bits.u(5)
    bits.u(80)  # compatibility and constraint flags
    level = bits.u(8)
    present = [(bits.u(1), bits.u(1)) for _ in range(layers)]
    if layers:
        bits.u(2 * (8 - layers))
    for has_profile, has_level in present:
        bits.u(88 * has_profile + 8 * has_level)
    return profile, tier, level


def key_frame(payload: Bytes) -> bool:
    """Whether a picture that decoding can begin with, or its parameter sets, begin in this RTP payload (RFC 7798 section 4.4)."""
    if len(payload) < 3:
        return False
    number = kind(payload)
    if number == FRAGMENT:
        return bool(payload[2] & 0x80) and _opens(payload[2] & 0x3F)
    if number != AGGREGATION:
        return _opens(number)
    at, size = 2, len(payload)
    while at + 2 < size:
        if _opens(payload[at + 2] >> 1 & 0x3F):
            return True
        at += 2 + (payload[at] << 8 | payload[at + 1])
    return False


def _opens(number: int) -> bool:
    return number in IRAP or number in (VPS, SPS)


def aggregated(payload: Bytes) -> Iterator[memoryview]:
    """The NAL units of an aggregation packet without DONL (RFC 7798 section 4.4.2). ValueError when it is torn."""
    view = memoryview(payload)
    at, end = 2, len(view)
    if at >= end:
        raise ValueError("The aggregation packet is empty.")
    while at < end:
        size = view[at] << 8 | view[at + 1] if at + 2 <= end else 0
        at += 2
        if size < 2 or at + size > end:
            raise ValueError("The aggregation packet is torn.")
        yield view[at : at + size]
        at += size


def fragment(unit: Bytes, limit: int = PACKET_LIMIT) -> list[bytes]:
    """Fragmentation units (RFC 7798 section 4.4.3) of one NAL unit, nearly equal in size; the unit itself when it fits."""
    size = len(unit)
    if size <= limit:
        return [bytes(unit)]
    room = limit - 3
    count = -(-(size - 2) // room)
    room = -(-(size - 2) // count)
    first, number = unit[0] & 0x81 | FRAGMENT << 1, kind(unit)
    payloads = []
    for begin in range(2, size, room):
        end = min(begin + room, size)
        flags = (0x80 if begin == 2 else 0) | (0x40 if end == size else 0)
        payloads.append(bytes((first, unit[1], flags | number)) + unit[begin:end])
    return payloads


def packets(units: list[bytes], limit: int = PACKET_LIMIT) -> list[bytes]:
    """Payloads of at most ``limit`` octets for the NAL units of a picture: small ones that follow each other together in one
    aggregation packet, others alone or in fragments."""
    payloads: list[bytes] = []
    run: list[bytes] = []
    filled = 2

    def close() -> None:
        if len(run) == 1:
            payloads.append(run[0])
        elif run:
            # Section 4.4.2: F is the OR of all; layer and temporal id are the lowest of all.
            forbidden = max(unit[0] & 0x80 for unit in run)
            layer = min((unit[0] & 1) << 5 | unit[1] >> 3 for unit in run)
            temporal = min(unit[1] & 7 for unit in run)
            head = bytes((forbidden | AGGREGATION << 1 | layer >> 5, (layer & 31) << 3 | temporal))
            payloads.append(head + b"".join([len(unit).to_bytes(2, "big") + unit for unit in run]))
        run.clear()

    for unit in units:
        if len(unit) < 2:
            continue  # not even a header
        if run and filled + len(unit) + 2 > limit:
            close()
        if len(unit) > limit:
            payloads.extend(fragment(unit, limit))
            continue
        filled = (filled if run else 2) + len(unit) + 2
        run.append(unit)
    close()
    return payloads
