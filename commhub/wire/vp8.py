"""VP8 in RTP (RFC 7741) and the head of its frames (RFC 6386 §9.1)."""

from __future__ import annotations

from commhub.wire.picture import Picture

_TORN = "The VP8 payload descriptor ends behind the packet."


def parse(payload: bytes) -> Picture:
    """Read the descriptor (RFC 7741 §4.2). ValueError when it ends behind the payload."""
    try:
        first = payload[0]
        start = first & 0x17 == 0x10  # S and partition 0
        if not first & 0x80:
            return Picture(1, start, key=start and len(payload) > 1 and not payload[1] & 1)
        flags = payload[1]
        at = 2
        picture_id = picture_id_at = tl0 = tl0_at = -1
        wide = up = False
        temporal = 0
        if flags & 0x80:
            picture_id_at = at
            picture_id = payload[at]
            if picture_id & 0x80:
                wide = True
                picture_id = (picture_id & 0x7F) << 8 | payload[at + 1]
                at += 1
            at += 1
        if flags & 0x40:
            tl0_at, tl0 = at, payload[at]
            at += 1
        if flags & 0x30:
            if flags & 0x20:
                temporal = payload[at] >> 6
                up = bool(payload[at] & 0x20)
            at += 1
        if at > len(payload):
            raise IndexError
    except IndexError:
        raise ValueError(_TORN) from None
    key = start and len(payload) > at and not payload[at] & 1
    return Picture(at, start, picture_id, picture_id_at, wide, tl0, tl0_at, temporal, 0, up, False, key)


def key_frame(payload: bytes) -> bool:
    """The first packet of a key frame: the P bit of the frame tag is clear (RFC 6386 §9.1)."""
    try:
        return parse(payload).key
    except ValueError:
        return False


def size(frame: bytes, offset: int = 0) -> tuple[int, int]:
    """Width and height from a key frame's header at ``offset``; (0, 0) when it is not one (RFC 6386 §9.1)."""
    if len(frame) < offset + 10 or frame[offset] & 1 or frame[offset + 3 : offset + 6] != b"\x9d\x01\x2a":
        return 0, 0
    at = offset + 6
    return (frame[at] | frame[at + 1] << 8) & 0x3FFF, (frame[at + 2] | frame[at + 3] << 8) & 0x3FFF
