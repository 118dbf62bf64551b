"""AAC with a header before each frame, as cameras send it (ADTS: ISO/IEC 13818-7 §6.2). No I/O, no clock."""

from __future__ import annotations

RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
LARGEST = 8191  # octets of a frame: its length has 13 bits


def frame(data: bytes, at: int = 0) -> tuple[int, int] | None:
    """``(octets with the header, 90 kHz ticks it lasts)`` of the frame that begins at ``at``; None where no header stands."""
    if at + 7 > len(data) or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return None
    rate = data[at + 2] >> 2 & 15
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if rate >= len(RATES) or size < (7 if data[at + 1] & 1 else 9):
        return None
    return size, 1024 * ((data[at + 6] & 3) + 1) * 90_000 // RATES[rate]


def chain(data: bytes) -> bool:
    """Whether this begins with a frame that ends where the data or another frame's header does: no sound looks so by chance."""
    first = frame(data)
    if first is None:
        return False
    size = first[0]
    return size == len(data) or frame(data, size) is not None


def inside(data: bytes) -> bool:
    """Whether a whole frame stands somewhere in it, with the next one's header behind it."""
    at = data.find(b"\xff")
    for _ in range(64):
        if at < 0:
            break
        found = frame(data, at)
        if found is not None and frame(data, at + found[0]) is not None:
            return True
        at = data.find(b"\xff", at + 1)
    return False


def mpeg_audio(data: bytes) -> bool:
    """Whether a frame of MPEG layer II or III stands in it, with the next one's header behind it (11172-3 §2.4.1.3)."""
    at = data.find(b"\xff")
    for _ in range(64):
        if at < 0:
            break
        size = _mpeg_frame(data, at)
        if size and data[at + size : at + size + 2] == data[at : at + 2] and _mpeg_frame(data, at + size):
            return True
        at = data.find(b"\xff", at + 1)
    return False


_MPEG_RATES = (44_100, 48_000, 32_000)
_KBITS = {
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 0): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def _mpeg_frame(data: bytes, at: int) -> int:
    """Octets of the frame that begins at ``at``, 0 when none does."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return 0
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)  # version 3 is MPEG-1, 2 is MPEG-2, 0 is 2.5
    index, rate = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or layer not in (2, 3) or not 0 < index < 15 or rate == 3:
        return 0
    bits = 1000 * _KBITS[(1, layer) if version == 3 else (2, 0)][index]
    hertz = _MPEG_RATES[rate] >> (0 if version == 3 else 1 if version == 2 else 2)
    samples = 144 if layer == 2 or version == 3 else 72
    return samples * bits // hertz + (data[at + 2] >> 1 & 1)


def split(data: bytes) -> tuple[list[tuple[bytes, int]], int]:
    """``([(frame, 90 kHz ticks it lasts)], octets used)``; what no frame begins with is used up, a frame's beginning is not."""
    frames: list[tuple[bytes, int]] = []
    at = 0
    while at < len(data):
        found = frame(data, at)
        if found is None:
            if len(data) - at < 7 and data[at] == 0xFF:
                break
            following = data.find(b"\xff", at + 1)
            at = following if following >= 0 else len(data)
            continue
        size, ticks = found
        if at + size > len(data):
            break
        frames.append((data[at : at + size], ticks))
        at += size
    return frames, at
