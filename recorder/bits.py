"""What the recorder must know of a key frame of VP8, VP9 or AV1, and nothing more (H.264: :mod:`commhub.wire.h264`)."""

from __future__ import annotations

from dataclasses import dataclass


class Bits:
    """Bits of ``data`` from the most significant one. ValueError behind the end."""

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._value = int.from_bytes(data[offset:], "big")
        self._left = (len(data) - offset) * 8

    def read(self, count: int) -> int:
        if count > self._left:
            raise ValueError("A bitstream header is torn.")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def exp_golomb(self) -> int:
        """uvlc() of AV1 §4.10.3."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("An Exp-Golomb number is too long.")
        return (1 << zeros) - 1 + self.read(zeros)


def vp8_size(frame: bytes) -> tuple[int, int]:
    """Width and height of a VP8 key frame (RFC 6386 §9.1)."""
    if len(frame) < 10 or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        raise ValueError("This is not a VP8 key frame.")
    width = int.from_bytes(frame[6:8], "little") & 0x3FFF
    height = int.from_bytes(frame[8:10], "little") & 0x3FFF
    return width, height


def vp9_size(frame: bytes) -> tuple[int, int]:
    """Width and height of a VP9 key frame (VP9 bitstream specification §6.2)."""
    bits = Bits(frame[:32])
    if bits.read(2) != 2:
        raise ValueError("This is not a VP9 frame.")
    profile = bits.read(1) | bits.read(1) << 1
    if profile == 3:
        bits.read(1)
    if bits.read(1) or bits.read(1):  # show_existing_frame, or not a key frame
        raise ValueError("This is not a VP9 key frame.")
    bits.read(2)
    if bits.read(24) != 0x498342:
        raise ValueError("A VP9 key frame has no sync code.")
    if profile >= 2:
        bits.read(1)
    if bits.read(3) != 7:
        bits.read(1)
        if profile in (1, 3):
            bits.read(3)
    elif profile in (1, 3):
        bits.read(1)
    return bits.read(16) + 1, bits.read(16) + 1


@dataclass(frozen=True, slots=True)
class Av1Sequence:
    profile: int
    level: int
    tier: int
    width: int
    height: int


def av1_sequence(payload: bytes) -> Av1Sequence:
    """An AV1 sequence header OBU without its header (AV1 bitstream specification §5.5). ValueError also for a decoder
    model, which no real-time encoder sends."""
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
    return Av1Sequence(profile, level, tier, bits.read(width_bits) + 1, bits.read(height_bits) + 1)


class Bytes:
    """Octets of ``data`` from ``offset`` on. ValueError behind the end."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self.offset = data, offset

    def next(self) -> int:
        if self.offset >= len(self._data):
            raise ValueError("A payload descriptor is torn.")
        self.offset += 1
        return self._data[self.offset - 1]

    def leb128(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.next()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise ValueError("A LEB128 number is too long.")

    def take(self, size: int) -> bytes:
        if self.offset + size > len(self._data):
            raise ValueError("An element is longer than its packet.")
        self.offset += size
        return self._data[self.offset - size : self.offset]


def leb128(value: int) -> bytes:
    """AV1 §4.10.5."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
