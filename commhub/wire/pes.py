"""Packets of elementary streams, as program and transport streams both carry them (ISO/IEC 13818-1 §2.4.3.6; of MPEG-1:
11172-1 §2.4.3.3), and what a stream type means, also those of GB/T 28181 annex C. No I/O, no clock."""

from __future__ import annotations

Bytes = bytes | bytearray | memoryview

#: the beginning of every start code; the octet behind it says what begins, from SYSTEM_CODES on it is no video
CODE = b"\x00\x00\x01"
SYSTEM_CODES = 0xB9
PRIVATE_1, AUDIO, VIDEO = 0xBD, 0xC0, 0xE0

#: stream_type → (kind, codec). Codecs that nobody here reads are named too: a diagnosis can then tell the reason.
STREAM_TYPES: dict[int, tuple[str, str]] = {
    0x01: ("video", "mpeg1"),
    0x02: ("video", "mpeg2"),
    0x03: ("audio", "mpa"),
    0x04: ("audio", "mpa"),
    0x0F: ("audio", "aac"),
    0x10: ("video", "mpeg4"),
    0x11: ("audio", "aac-latm"),
    0x1B: ("video", "h264"),
    0x24: ("video", "h265"),
    0x80: ("video", "svac"),
    0x90: ("audio", "pcma"),
    0x91: ("audio", "pcmu"),
    0x92: ("audio", "g722.1"),
    0x93: ("audio", "g723.1"),
    0x99: ("audio", "g729"),
    0x9B: ("audio", "svac-audio"),
}


def time_of(data: Bytes, at: int) -> int:
    """A PTS, DTS or MPEG-1 SCR of five octets: 33 bits in 90 kHz. Marker bits are not looked at: devices forget them."""
    high, middle, low = data[at] >> 1 & 7, (data[at + 1] << 8 | data[at + 2]) >> 1, (data[at + 3] << 8 | data[at + 4]) >> 1
    return high << 30 | middle << 15 | low


def pack_time(prefix: int, value: int) -> bytes:
    """The five octets that :func:`time_of` reads; ``prefix`` is the first four bits (2 PTS alone, 3 PTS before DTS, 1 DTS)."""
    value &= (1 << 33) - 1
    word = prefix << 36 | (value >> 30) << 33 | 1 << 32 | (value >> 15 & 0x7FFF) << 17 | 1 << 16 | (value & 0x7FFF) << 1 | 1
    return word.to_bytes(5, "big")


def header(data: Bytes, at: int, end: int) -> tuple[int | None, int | None, int]:
    """``(pts, dts, offset of the payload)`` of the packet ``data[at:end]`` that begins with its start code, times in 90 kHz
    and 33 bits. ``dts`` is None without one. ValueError when no header of MPEG-2 or MPEG-1 stands there."""
    if at + 7 > end:
        raise ValueError("The PES packet has no header.")
    if at + 9 <= end and (shifted := _shifted(data, at, end)):
        return shifted
    if data[at + 6] & 0xC0 == 0x80:
        if at + 9 > end or at + 9 + data[at + 8] > end:
            raise ValueError("The PES header ends behind its packet.")
        flags, start = data[at + 7] >> 6, at + 9 + data[at + 8]
        pts = time_of(data, at + 9) if flags & 2 and start >= at + 14 else None
        dts = time_of(data, at + 14) if flags == 3 and start >= at + 19 else None
        return pts, dts, start
    return _mpeg1_header(data, at + 6, end)


def _shifted(data: Bytes, at: int, end: int) -> tuple[int | None, int | None, int] | None:
    """Some devices forget the first octet of a header, and fill up with a zero at its end (the crate gb28181-rs)."""
    flags, size, first = data[at + 6], data[at + 7], data[at + 8]
    if at + 9 + size > end:
        return None
    if flags == 0xC0 and size == 10 and first >> 4 == 3:
        return time_of(data, at + 8), time_of(data, at + 13), at + 19
    if flags == 0x80 and size == 5 and first >> 4 == 2 and data[at + 13] == 0:
        return time_of(data, at + 8), None, at + 14
    return (None, None, at + 9) if flags == size == first == 0 else None


def _mpeg1_header(data: Bytes, at: int, end: int) -> tuple[int | None, int | None, int]:
    stuffed = min(at + 16, end)
    while at < stuffed and data[at] == 0xFF:
        at += 1
    if at + 2 < end and data[at] & 0xC0 == 0x40:  # STD buffer
        at += 2
    if at < end:
        kind = data[at] >> 4
        if kind == 2 and at + 5 <= end:
            return time_of(data, at), None, at + 5
        if kind == 3 and at + 10 <= end:
            return time_of(data, at), time_of(data, at + 5), at + 10
        if data[at] == 0x0F:
            return None, None, at + 1
    raise ValueError("The PES packet has a header of neither MPEG-2 nor MPEG-1.")


def program_map(body: Bytes) -> dict[int, tuple[str, str]] | None:
    """Stream id → (kind, codec) of a program stream map without its first six octets (§2.5.4), None when it is none. The CRC is
    not looked at: many devices write zeros. Entries that cannot be (type 0, unknown) are left out.
    """
    size = len(body)
    if size < 6 or not body[1] & 1:
        return None
    at = 4 + (body[2] << 8 | body[3])
    if at + 2 > size:
        return None
    end = at + 2 + (body[at] << 8 | body[at + 1])
    if end > size:
        return None
    found: dict[int, tuple[str, str]] = {}
    at += 2
    while at + 4 <= end:
        meaning = STREAM_TYPES.get(body[at])
        stream = body[at + 1]
        if meaning is not None and stream >= PRIVATE_1:
            found[stream] = meaning
        at += 4 + (body[at + 2] << 8 | body[at + 3])
    return found


def _crc_row(number: int) -> int:
    value = number << 24
    for _ in range(8):
        value = (value << 1 ^ 0x04C11DB7 if value & 0x8000_0000 else value << 1) & 0xFFFF_FFFF
    return value


_CRC = [_crc_row(number) for number in range(256)]


def crc32(data: bytes) -> int:
    """CRC_32 of 13818-1 annex A: most significant bit first, begins with ones, not inverted. For short tables."""
    value = 0xFFFF_FFFF
    for octet in data:
        value = (value << 8 & 0xFFFF_FFFF) ^ _CRC[value >> 24 ^ octet]
    return value
