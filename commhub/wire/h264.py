"""H.264 as it travels in RTP (RFC 6184) and what its headers say (ITU-T H.264 clauses 7.3 and 7.4). No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SLICE, IDR, SEI, SPS, PPS, AUD, FILLER = 1, 5, 6, 7, 8, 9, 12
STAP_A, FU_A = 24, 28
START_CODE = b"\x00\x00\x00\x01"

PACKET_LIMIT = 1_200  # bytes of RTP payload: fits with SRTP, extensions and tunnels into every path
PARAMETER_SET_LIMIT = 1_024
_SIDE_LIMIT = 16_384  # pixels; more than level 6.2 allows

_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})

Bytes = bytes | bytearray | memoryview


class BitReader:
    """The bits of a NAL unit's payload (RBSP: emulation prevention bytes taken out). ValueError when it ends early."""

    def __init__(self, data: Bytes) -> None:
        raw = bytes(data).replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(raw, "big")
        self._left = len(raw) * 8

    def u(self, count: int) -> int:
        """``count`` bits, most significant first."""
        if count > self._left:
            raise ValueError("The NAL unit ends in the middle of a field.")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        """Exp-Golomb code, unsigned (clause 9.1)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("An Exp-Golomb code is longer than 32 bits.")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Exp-Golomb code, signed (clause 9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


@dataclass(frozen=True, slots=True)
class Sps:
    """A sequence parameter set. ``width`` and ``height`` are pixels after cropping; ``reorder`` is
    max_num_reorder_frames (0 = certainly no B-frames), None when the stream does not say."""

    id: int
    profile: int
    constraints: int
    level: int
    width: int
    height: int
    reorder: int | None

    @property
    def profile_level_id(self) -> str:
        """As SDP has it (RFC 6184 section 8.1), e.g. ``42e01f``."""
        return f"{self.profile:02x}{self.constraints:02x}{self.level:02x}"


def parse_sps(nal: Bytes) -> Sps:
    """A sequence parameter set with its NAL header. ValueError when it is not one (clause 7.3.2.1.1)."""
    if not 4 <= len(nal) <= PARAMETER_SET_LIMIT:
        raise ValueError("The SPS has an impossible size.")
    if nal[0] & 0x9F != SPS:
        raise ValueError("The NAL unit is not an SPS.")
    bits = BitReader(nal[1:])
    profile, constraints, level = bits.u(8), bits.u(8), bits.u(8)
    number = bits.ue()
    if number > 31:
        raise ValueError("The SPS has an impossible number.")
    chroma, separate = 1, 0
    if profile in _HIGH_PROFILES:
        chroma = bits.ue()
        if chroma > 3:
            raise ValueError("The SPS has an impossible chroma format.")
        if chroma == 3:
            separate = bits.u(1)
        bits.ue(), bits.ue(), bits.u(1)  # bit depths, lossless transform bypass
        if bits.u(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.u(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.ue()  # log2_max_frame_num
    order = _skip_order_count(bits)
    bits.ue(), bits.u(1)  # reference frames, gaps allowed
    wide, high = bits.ue() + 1, bits.ue() + 1
    frames_only = bits.u(1)
    if not frames_only:
        bits.u(1)  # mb_adaptive_frame_field
    bits.u(1)  # direct_8x8_inference
    width, height = wide * 16, high * 16 * (2 - frames_only)
    if bits.u(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        flat = chroma == 0 or separate  # chroma array type 0: cropping counts luma samples
        across = 1 if flat or chroma == 3 else 2
        down = (2 if chroma == 1 and not separate else 1) * (2 - frames_only)
        width -= (left + right) * across
        height -= (top + bottom) * down
    if not (0 < width <= _SIDE_LIMIT and 0 < height <= _SIDE_LIMIT):
        raise ValueError("The SPS has an impossible picture size.")
    reorder: int | None = 0 if profile == 66 or order == 2 else None
    if bits.u(1):
        try:
            said = _vui_reorder(bits)
            reorder = reorder if said is None else said
        except ValueError:
            pass  # several cameras write a torn VUI; decoders ignore it and so may we
    return Sps(number, profile, constraints, level, width, height, reorder)


def _skip_order_count(bits: BitReader) -> int:
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1), bits.se(), bits.se()
        count = bits.ue()
        if count > 255:
            raise ValueError("The SPS has an impossible order count cycle.")
        for _ in range(count):
            bits.se()
    elif order > 2:
        raise ValueError("The SPS has an impossible order count type.")
    return order


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) & 0xFF
        last = following or last


def _vui_reorder(bits: BitReader) -> int | None:
    """max_num_reorder_frames of the VUI (annex E.1.1), None when it has no bitstream restriction."""
    if bits.u(1) and bits.u(8) == 255:  # aspect ratio, Extended_SAR
        bits.u(32)
    if bits.u(1):  # overscan
        bits.u(1)
    if bits.u(1):  # video signal type
        bits.u(4)
        if bits.u(1):
            bits.u(24)
    if bits.u(1):  # chroma location
        bits.ue(), bits.ue()
    if bits.u(1):  # timing
        bits.u(65)
    hypothetical = [bits.u(1) and _skip_hrd(bits), bits.u(1) and _skip_hrd(bits)]
    if any(hypothetical):
        bits.u(1)
    bits.u(1)
    if not bits.u(1):
        return None
    bits.u(1), bits.ue(), bits.ue(), bits.ue(), bits.ue()
    return bits.ue()


def _skip_hrd(bits: BitReader) -> bool:
    count = bits.ue() + 1
    if count > 32:
        raise ValueError("The SPS has an impossible HRD.")
    bits.u(8)
    for _ in range(count):
        bits.ue(), bits.ue(), bits.u(1)
    bits.u(20)
    return True


def parse_pps_ids(nal: Bytes) -> tuple[int, int]:
    """``(number of the PPS, number of the SPS it uses)`` of a picture parameter set with its NAL header."""
    if not 2 <= len(nal) <= PARAMETER_SET_LIMIT or nal[0] & 0x9F != PPS:
        raise ValueError("The NAL unit is not a PPS.")
    bits = BitReader(nal[1:16])
    number, sps = bits.ue(), bits.ue()
    if number > 255 or sps > 31:
        raise ValueError("The PPS has an impossible number.")
    return number, sps


def slice_start(nal: Bytes) -> tuple[int, int]:
    """``(first macroblock, slice type)`` of a slice's first bytes (clause 7.3.3); type % 5 is 0 P, 1 B, 2 I, 3 SP, 4 SI."""
    bits = BitReader(nal[1:24])
    return bits.ue(), bits.ue()


def split_annex_b(data: Bytes) -> list[bytes]:
    """NAL units of a byte stream with start codes (annex B), without the codes; what precedes the first code is dropped."""
    data = bytes(data)
    units: list[bytes] = []
    at = data.find(b"\x00\x00\x01")
    while at >= 0:
        begin = at + 3
        at = data.find(b"\x00\x00\x01", begin)
        unit = (data[begin:] if at < 0 else data[begin:at]).rstrip(b"\x00")
        if unit:
            units.append(unit)
    return units


def aggregated(payload: Bytes) -> Iterator[memoryview]:
    """The NAL units of a STAP-A payload (RFC 6184 section 5.7.1). ValueError when it is torn."""
    view = memoryview(payload)
    at, end = 1, len(view)
    if at >= end:
        raise ValueError("The aggregation packet is empty.")
    while at < end:
        if at + 2 > end:
            raise ValueError("The aggregation packet is torn.")
        size = view[at] << 8 | view[at + 1]
        at += 2
        if size == 0 or at + size > end:
            raise ValueError("The aggregation packet is torn.")
        yield view[at : at + size]
        at += size


def aggregate(units: list[bytes], limit: int = PACKET_LIMIT) -> list[bytes]:
    """Payloads of at most ``limit`` bytes for these NAL units: STAP-A where several fit into one, else one each or FU-A."""
    payloads: list[bytes] = []
    run: list[bytes] = []

    def close() -> None:
        if len(run) == 1:
            payloads.append(run[0])
        elif run:
            importance = max(unit[0] & 0x60 for unit in run)
            parts = [len(unit).to_bytes(2, "big") + unit for unit in run]
            payloads.append(bytes([importance | STAP_A]) + b"".join(parts))
        run.clear()

    held = 1
    for unit in units:
        size = len(unit) + 2
        if held + size > limit:
            close()
            held = 1
        if size > limit + 2:
            payloads.extend(fragment(unit, limit))
        else:
            run.append(unit)
            held += size
    close()
    return payloads


def fragment(unit: Bytes, limit: int = PACKET_LIMIT) -> list[bytes]:
    """FU-A payloads (RFC 6184 section 5.8) of one NAL unit, nearly equal in size; the unit itself when it fits."""
    size = len(unit)
    if size <= limit:
        return [bytes(unit)]
    room = limit - 2
    count = -(-(size - 1) // room)
    room = -(-(size - 1) // count)
    indicator, kind = unit[0] & 0xE0 | FU_A, unit[0] & 0x1F
    head = bytes((indicator, kind))
    payloads = [head + unit[begin : begin + room] for begin in range(1, size, room)]
    payloads[0] = bytes((indicator, 0x80 | kind)) + unit[1 : 1 + room]
    last = 1 + (count - 1) * room
    payloads[-1] = bytes((indicator, 0x40 | kind)) + unit[last:]
    return payloads


class Recutter:
    """Cuts a camera's payloads to at most ``limit`` bytes. Small packets pass as they are; FU-A of larger packets are
    filled anew, so that 1,400-byte fragments do not become pairs. ``push`` gets payloads in order, without loss;
    after a loss call ``broken`` first: the rest of a fragmented unit is then dropped up to the next unit.
    """

    def __init__(self, limit: int = PACKET_LIMIT) -> None:
        self._limit = limit
        self._head: tuple[int, int] | None = None  # indicator and type of the fragmented unit that is being refilled
        self._carry = bytearray()
        self._first = False  # its start bit has not been sent yet
        self._inside = False  # between a start and an end fragment

    @property
    def passes(self) -> bool:
        """Inside of a unit whose fragments are small enough as they are."""
        return self._inside and self._head is None

    def broken(self) -> None:
        self._head, self._inside = None, False
        self._carry.clear()

    def push(self, payload: Bytes) -> list[Bytes]:
        """Payloads that carry the same NAL units. ValueError for payload types outside packetization modes 0 and 1."""
        if not payload:
            raise ValueError("The H.264 payload is empty.")
        kind = payload[0] & 0x1F
        if kind == FU_A:
            return self._fragment(payload)
        self.broken()
        if len(payload) <= self._limit and (0 < kind < 24 or kind == STAP_A):
            return [payload]
        if 0 < kind < 24:
            return list(fragment(payload, self._limit))
        if kind == STAP_A:
            return list(aggregate([bytes(unit) for unit in aggregated(payload)], self._limit))
        raise ValueError(f"The H.264 payload type {kind} is not one of packetization mode 1.")

    def _fragment(self, payload: Bytes) -> list[Bytes]:
        if len(payload) < 3:
            raise ValueError("The H.264 fragment is empty.")
        flags = payload[1]
        if flags & 0x80:
            self._carry.clear()
            self._inside, self._first = True, True
            self._head = (payload[0], flags & 0x1F) if len(payload) > self._limit else None
        elif not self._inside:
            return []  # its beginning was lost
        if flags & 0x40:
            self._inside = False
        if self._head is None:
            if len(payload) <= self._limit:
                self._first = False
                return [payload]
            self._head = (payload[0], flags & 0x1F)  # starts small, grows later
        self._carry += payload[2:]
        room = self._limit - 2
        cut: list[Bytes] = []
        while len(self._carry) > room:
            cut.append(self._take(room, False))
        if flags & 0x40:
            cut.append(self._take(len(self._carry), True))
            self._head = None
        return cut

    def _take(self, size: int, last: bool) -> bytes:
        assert self._head is not None
        indicator, kind = self._head
        if last and self._first:
            # One fragment that is start and end at once is forbidden (section 5.8): it is the unit itself.
            taken = bytes((indicator & 0xE0 | kind,)) + self._carry
        else:
            flags = (0x80 if self._first else 0) | (0x40 if last else 0)
            taken = bytes((indicator, flags | kind)) + self._carry[:size]
        del self._carry[:size]
        self._first = False
        return taken
