"""VP9 in RTP (RFC 9628) and the head of its frames (VP9 bitstream specification §6.2)."""

from __future__ import annotations

from commhub.wire.bits import Bits
from commhub.wire.picture import Picture

_TORN = "The VP9 payload descriptor ends behind the packet."
_REFERENCES = 3  # P_DIFF at most (RFC 9628 §4.2)


def parse(payload: bytes) -> Picture:
    """Read the descriptor (RFC 9628 §4.2). ValueError when it ends behind the payload."""
    try:
        first = payload[0]
        at = 1
        picture_id = picture_id_at = tl0 = tl0_at = -1
        temporal = spatial = 0
        wide = up = False
        if first & 0x80:
            picture_id_at = at
            picture_id = payload[at]
            if picture_id & 0x80:
                wide = True
                picture_id = (picture_id & 0x7F) << 8 | payload[at + 1]
                at += 1
            at += 1
        if first & 0x20:
            layer = payload[at]
            temporal, up, spatial = layer >> 5, bool(layer & 0x10), layer >> 1 & 7
            at += 1
            if not first & 0x10:
                tl0_at, tl0 = at, payload[at]
                at += 1
        if first & 0x50 == 0x50:
            for left in range(_REFERENCES, 0, -1):
                more = payload[at] & 1
                at += 1
                if not more:
                    break
                if left == 1:
                    raise ValueError("A VP9 picture refers to more than three others.")
        if first & 0x02:
            at = _structure(payload, at)[0]
        if at > len(payload):
            raise IndexError
    except IndexError:
        raise ValueError(_TORN) from None
    start = bool(first & 0x08)
    key = start and not first & 0x40 and not spatial
    return Picture(at, start, picture_id, picture_id_at, wide, tl0, tl0_at, temporal, spatial, up, bool(first & 0x04), key)


def _structure(payload: bytes, at: int) -> tuple[int, list[tuple[int, int]]]:
    """The scalability structure at ``at``: where it ends, and the sizes of its spatial layers."""
    head = payload[at]
    at += 1
    sizes: list[tuple[int, int]] = []
    if head & 0x10:
        for _ in range((head >> 5) + 1):
            sizes.append((payload[at] << 8 | payload[at + 1], payload[at + 2] << 8 | payload[at + 3]))
            at += 4
    if head & 0x08:
        pictures = payload[at]
        at += 1
        for _ in range(pictures):
            at += 1 + (payload[at] >> 2 & 3)
    return at, sizes


def key_frame(payload: bytes) -> bool:
    """The first packet of a picture that refers to none: B set, P clear, lowest spatial layer (RFC 9628 §4.2)."""
    try:
        return parse(payload).key
    except ValueError:
        return False


def sizes(payload: bytes) -> list[tuple[int, int]]:
    """Width and height of every spatial layer, lowest first, from the packet that begins a key frame: from its scalability
    structure, else from the frame itself; [] when neither says it."""
    try:
        picture = parse(payload)
        first = payload[0]
        if first & 0x02:
            at = 1
            if first & 0x80:
                at += 2 if picture.wide else 1
            if first & 0x20:
                at += 1 if first & 0x10 else 2
            if first & 0x50 == 0x50:
                while payload[at] & 1:
                    at += 1
                at += 1
            found = _structure(payload, at)[1]
            if found:
                return found
        return [size(payload[picture.size :])]
    except (ValueError, IndexError):
        return []


def size(frame: bytes) -> tuple[int, int]:
    """Width and height of a key frame (VP9 bitstream specification §6.2). ValueError when it is not one."""
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
