"""Reading the headers of video bitstreams: what the recorder must know about a key frame, and nothing more."""

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
        """ue(v) of ITU-T H.264 §9.1."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("An Exp-Golomb number is too long.")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed_exp_golomb(self) -> int:
        value = self.exp_golomb()
        return (value + 1) // 2 if value % 2 else -(value // 2)


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
class SequenceParameters:
    """Of an H.264 sequence parameter set: its number, the cropped size, the three bytes of ``avc1.PPCCLL``."""

    number: int
    width: int
    height: int
    profile: bytes


def unescape(nal: bytes) -> bytes:
    """The payload without emulation prevention (H.264 §7.3.1)."""
    return nal.replace(b"\x00\x00\x03", b"\x00\x00")


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_exp_golomb()) % 256
        last = following or last


def h264_sequence(nal: bytes) -> SequenceParameters:
    """A sequence parameter set (H.264 §7.3.2.1.1), with its NAL header."""
    if len(nal) < 5 or nal[0] & 0x1F != 7:
        raise ValueError("This is not an H.264 sequence parameter set.")
    bits = Bits(unescape(nal[:512]), 4)
    number = bits.exp_golomb()
    chroma, separate = 1, 0
    if nal[1] in (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135):
        chroma = bits.exp_golomb()
        separate = bits.read(1) if chroma == 3 else 0
        bits.exp_golomb()
        bits.exp_golomb()
        bits.read(1)
        if bits.read(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.read(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.exp_golomb()
    order = bits.exp_golomb()
    if order == 0:
        bits.exp_golomb()
    elif order == 1:
        bits.read(1)
        bits.signed_exp_golomb()
        bits.signed_exp_golomb()
        for _ in range(min(bits.exp_golomb(), 256)):
            bits.signed_exp_golomb()
    bits.exp_golomb()
    bits.read(1)
    columns, rows = bits.exp_golomb() + 1, bits.exp_golomb() + 1
    frames_only = bits.read(1)
    if not frames_only:
        bits.read(1)
    bits.read(1)
    left = right = top = bottom = 0
    if bits.read(1):
        left, right, top, bottom = (bits.exp_golomb() for _ in range(4))
    across = 1 if chroma in (0, 3) or separate else 2
    down = (2 if chroma == 1 and not separate else 1) * (2 - frames_only)
    width = columns * 16 - (left + right) * across
    height = rows * 16 * (2 - frames_only) - (top + bottom) * down
    if not (0 < width <= 16384 and 0 < height <= 16384):
        raise ValueError("An H.264 picture size is out of range.")
    return SequenceParameters(number, width, height, nal[1:4])


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
