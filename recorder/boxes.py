"""Boxes of ISO base media files (ISO/IEC 14496-12 §4.2). No I/O, no clock."""

from __future__ import annotations

import struct

#: The matrix that shows a picture as it is (§8.2.2).
MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)
