"""RTP headers with the extensions a subscriber negotiated (RFC 8285), compiled once for each of its streams. No I/O, no clock."""

from __future__ import annotations

import struct
from collections.abc import Callable

from commhub.media import plane
from commhub.wire import rtp

#: ``(mark, sequence number, time stamp, absolute send time, level octet) → RTP header with its extensions``
HeaderBuilder = Callable[[int, int, int, bytes, int], bytes]


def header_builder(spec: plane.RouteSpec, video: bool, *, rtx: bool = False) -> HeaderBuilder:
    """Compile a subscriber's header: one ``struct`` call per packet. The extensions it negotiated and we fill are MID,
    absolute send time and, of audio, the level."""
    ssrc = spec.rtx_ssrc if rtx else spec.ssrc
    payload_type = spec.rtx_payload_type if rtx else spec.payload_type
    mid = spec.mid.encode()[:16]
    mid_id = spec.extensions.get(plane.MID, 0) if mid else 0
    time_id = spec.extensions.get(plane.ABS_SEND_TIME, 0)
    level_id = 0 if video else spec.extensions.get(plane.AUDIO_LEVEL, 0)
    constant = [(mid_id, mid)] if mid_id else []
    if time_id:
        constant.append((time_id, b"\0\0\0"))
    if level_id:
        constant.append((level_id, b"\0"))
    block = rtp.pack_extensions(constant)
    if not block:
        plain = rtp.HEADER.pack

        def bare(mark: int, sequence: int, timestamp: int, sent: bytes, level: int) -> bytes:
            return plain(0x80, mark | payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)

        return bare
    wide = 2 if block[0] == 0x10 else 1  # octets before each value
    fixed = 4 + (wide + len(mid) if mid_id else 0)
    time_head = block[:fixed] + block[fixed : fixed + wide] if time_id else block[:fixed]
    at = len(time_head) + (3 if time_id else 0)
    level_head = block[at : at + wide] if level_id else b""
    tail = block[at + len(level_head) + (1 if level_id else 0) :]
    octets = [bytes((value,)) for value in range(256)]
    lengths = (len(time_head), 3 if time_id else 0, len(level_head), 1 if level_id else 0, len(tail))
    pack = struct.Struct("!BBHII{}s{}s{}s{}s{}s".format(*lengths)).pack

    if level_id:

        def with_level(mark: int, sequence: int, timestamp: int, sent: bytes, level: int) -> bytes:
            mark |= payload_type
            timestamp &= 0xFFFFFFFF
            return pack(0x90, mark, sequence & 0xFFFF, timestamp, ssrc, time_head, sent, level_head, octets[level], tail)

        return with_level

    def without_level(mark: int, sequence: int, timestamp: int, sent: bytes, level: int) -> bytes:
        mark |= payload_type
        return pack(0x90, mark, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, time_head, sent, b"", b"", tail)

    return without_level


#: ``(mark, sequence number, time stamp, absolute send time, dependency descriptor) → RTP header with its extensions``
DescribingBuilder = Callable[[int, int, int, bytes, bytes], bytes]


def describing_builder(spec: plane.RouteSpec, *, rtx: bool = False) -> DescribingBuilder | None:
    """As :func:`header_builder`, for packets with a dependency descriptor; None when the subscriber takes none. A long one
    needs two-byte elements (RFC 8285 §4.3)."""
    number = spec.extensions.get(plane.DEPENDENCY, 0)
    if not number:
        return None
    ssrc = spec.rtx_ssrc if rtx else spec.ssrc
    payload_type = spec.rtx_payload_type if rtx else spec.payload_type
    mid = spec.mid.encode()[:16]
    mid_id = spec.extensions.get(plane.MID, 0) if mid else 0
    time_id = spec.extensions.get(plane.ABS_SEND_TIME, 0)
    short = bytes((mid_id << 4 | len(mid) - 1,)) + mid if mid_id else b""
    wide = bytes((mid_id, len(mid))) + mid if mid_id else b""
    short_time, wide_time = (bytes((time_id << 4 | 2,)), bytes((time_id, 3))) if time_id else (b"", b"")
    pack = struct.Struct("!BBHIIHH").pack

    def described(mark: int, sequence: int, timestamp: int, sent: bytes, dd: bytes) -> bytes:
        sent = sent if time_id else b""
        if len(dd) <= 16:
            profile, body = 0xBEDE, b"".join((short, short_time, sent, bytes((number << 4 | len(dd) - 1,)), dd))
        else:
            profile, body = 0x1000, b"".join((wide, wide_time, sent, bytes((number, len(dd))), dd))
        words = len(body) + 3 >> 2
        head = pack(0x90, mark | payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, profile, words)
        return head + body + bytes(4 * words - len(body))

    return described
