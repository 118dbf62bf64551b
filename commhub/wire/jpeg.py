"""Whether something is a whole JPEG, by its markers (ISO/IEC 10918-1 annex B). Nothing is decoded. No I/O, no clock."""

from __future__ import annotations

_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # SOF
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length: TEM, RST
_SIDE = 16_384  # pixels
_SEGMENTS = 4096


def size(data: bytes) -> tuple[int, int]:
    """``(width, height)``. ValueError, one sentence, for what is no picture with a beginning, a frame, a scan and an end."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("The data do not begin as a JPEG.")
    if b"\xff\xd9" not in data[-64:]:  # some devices put a few octets behind it
        raise ValueError("The JPEG has no end.")
    found, at = (0, 0), 2
    for _ in range(_SEGMENTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            raise ValueError("The JPEG is torn.")
        kind = data[at + 1]
        if kind == 0xFF:
            at += 1
            continue
        if kind in _ALONE:
            at += 2
            continue
        length = data[at + 2] << 8 | data[at + 3]
        if length < 2 or at + 2 + length > len(data):
            raise ValueError("The JPEG is torn.")
        if kind in _FRAMES:
            if length < 8:
                raise ValueError("The JPEG is torn.")
            found = data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6]
            if not (0 < found[0] <= _SIDE and 0 < found[1] <= _SIDE):
                raise ValueError("The JPEG has an impossible size.")
        elif kind == 0xDA:
            if found == (0, 0):
                raise ValueError("The JPEG has no frame.")
            return found
        at += 2 + length
    raise ValueError("The JPEG has too many segments.")
