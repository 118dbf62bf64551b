"""RTP headers (RFC 3550 §5.1) and their extensions (RFC 8285)."""

from __future__ import annotations

import struct

#: V, P, X, CC; M, PT; sequence number; time stamp; SSRC
HEADER = struct.Struct("!BBHII")
_ONE_BYTE, _TWO_BYTE = 0xBEDE, 0x1000


def header_size(packet: bytes | bytearray | memoryview, size: int) -> int:
    """Octets of the header with CSRCs and extension. ValueError when it does not fit into ``size`` octets."""
    if size < 12:
        raise ValueError("An RTP packet has at least 12 octets.")
    first = packet[0]
    if first >> 6 != 2:
        raise ValueError("The RTP version is not 2.")
    end = 12 + 4 * (first & 15)
    if first & 0x10:
        if end + 4 > size:
            raise ValueError("The RTP header ends behind the packet.")
        end += 4 + 4 * (packet[end + 2] << 8 | packet[end + 3])
    if end > size:
        raise ValueError("The RTP header ends behind the packet.")
    return end


def extensions(packet: bytes | bytearray | memoryview, end: int) -> dict[int, bytes]:
    """Extension number → value of a packet whose header, as :func:`header_size` said, ends at ``end``.

    A torn element ends the list: what stands before it counts, as in every browser.
    """
    found: dict[int, bytes] = {}
    if not packet[0] & 0x10:
        return found
    at = 12 + 4 * (packet[0] & 15)
    profile = packet[at] << 8 | packet[at + 1]
    at += 4
    if profile == _ONE_BYTE:
        while at < end:
            byte = packet[at]
            at += 1
            if byte == 0:  # padding
                continue
            number, stop = byte >> 4, at + (byte & 15) + 1
            if number == 15 or stop > end:
                break
            found[number] = bytes(packet[at:stop])
            at = stop
    elif profile & 0xFFF0 == _TWO_BYTE:
        while at + 1 < end:
            number = packet[at]
            if number == 0:
                at += 1
                continue
            stop = at + 2 + packet[at + 1]
            if stop > end:
                break
            found[number] = bytes(packet[at + 2 : stop])
            at = stop
    return found


def pack_extensions(values: list[tuple[int, bytes]]) -> bytes:
    """The extension block of ``(number, value)`` pairs, '' for none. One-byte form when it can carry them all."""
    if not values:
        return b""
    if all(number < 15 and 1 <= len(value) <= 16 for number, value in values):
        profile = _ONE_BYTE
        body = b"".join([bytes((number << 4 | len(value) - 1,)) + value for number, value in values])
    else:
        profile = _TWO_BYTE
        body = b"".join([bytes((number, len(value))) + value for number, value in values])
    body += bytes(-len(body) & 3)
    return struct.pack("!HH", profile, len(body) // 4) + body


def build(
    payload: bytes,
    *,
    ssrc: int,
    sequence: int,
    timestamp: int,
    payload_type: int,
    marker: bool = False,
    values: list[tuple[int, bytes]] | None = None,
) -> bytes:
    """A whole packet; for tests, tools and bridges, not for the packet path."""
    block = pack_extensions(values or [])
    first = 0x90 if block else 0x80
    head = HEADER.pack(first, marker << 7 | payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return head + block + payload


def payload(packet: bytes | memoryview) -> bytes:
    """The payload without padding. ValueError for a torn packet."""
    size = len(packet)
    start = header_size(packet, size)
    if packet[0] & 0x20:
        padding = packet[size - 1]
        if not 0 < padding <= size - start:
            raise ValueError("The RTP padding is longer than the payload.")
        size -= padding
    return bytes(packet[start:size])
