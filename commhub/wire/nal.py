"""What a forwarder must see inside video payloads: where a key frame begins, and VP8's running numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Vp8(NamedTuple):
    """VP8 payload descriptor (RFC 7741 §4.2). Offsets are into the payload; -1 = the field is not there."""

    size: int  # octets of the descriptor
    start: bool  # the first packet of a frame
    picture_id: int
    picture_id_at: int
    wide: bool  # 15 bits
    tl0: int
    tl0_at: int


def vp8(payload: bytes) -> Vp8:
    """Read the descriptor. ValueError when it ends behind the payload."""
    try:
        first = payload[0]
        start = first & 0x17 == 0x10  # S and partition 0
        if not first & 0x80:
            return Vp8(1, start, -1, -1, False, -1, -1)
        flags = payload[1]
        at = 2
        picture_id = picture_id_at = tl0 = tl0_at = -1
        wide = False
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
            at += 1
        if at > len(payload):
            raise IndexError
    except IndexError:
        raise ValueError("The VP8 payload descriptor ends behind the packet.") from None
    return Vp8(at, start, picture_id, picture_id_at, wide, tl0, tl0_at)


def shift_vp8(payload: bytes, descriptor: Vp8, picture_id: int, tl0: int) -> bytes:
    """The payload with ``picture_id`` and ``tl0`` added to its own numbers, each in its own width."""
    data = bytearray(payload)
    at = descriptor.picture_id_at
    if at >= 0:
        if descriptor.wide:
            value = descriptor.picture_id + picture_id
            data[at] = 0x80 | value >> 8 & 0x7F
            data[at + 1] = value & 0xFF
        else:
            data[at] = descriptor.picture_id + picture_id & 0x7F
    if descriptor.tl0_at >= 0:
        data[descriptor.tl0_at] = descriptor.tl0 + tl0 & 0xFF
    return bytes(data)


def vp8_key_frame(payload: bytes) -> bool:
    """The first packet of a key frame: the P bit of the frame tag is clear (RFC 6386 §9.1)."""
    try:
        descriptor = vp8(payload)
    except ValueError:
        return False
    return descriptor.start and len(payload) > descriptor.size and not payload[descriptor.size] & 1


def vp8_size(payload: bytes, offset: int) -> tuple[int, int]:
    """Width and height from a key frame's header at ``offset``; (0, 0) when it is not one (RFC 6386 §9.1)."""
    if len(payload) < offset + 10 or payload[offset] & 1 or payload[offset + 3 : offset + 6] != b"\x9d\x01\x2a":
        return 0, 0
    at = offset + 6
    return (payload[at] | payload[at + 1] << 8) & 0x3FFF, (payload[at + 2] | payload[at + 3] << 8) & 0x3FFF


def vp9_key_frame(payload: bytes) -> bool:
    """The first packet of a picture that refers to none: B set, P clear, lowest spatial layer (RFC 9628 §4.2)."""
    if not payload or payload[0] & 0x48 != 0x08:
        return False
    first, at = payload[0], 1
    if first & 0x80:
        if len(payload) < 2:
            return False
        at = 3 if payload[1] & 0x80 else 2
    if first & 0x20:
        return len(payload) > at and not payload[at] & 0x0E
    return True


def h264_key_frame(payload: bytes) -> bool:
    """A sequence parameter set or the beginning of an IDR slice, alone, in STAP-A or in FU-A (RFC 6184 §5.6 … §5.8)."""
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == 28:
        return len(payload) > 1 and bool(payload[1] & 0x80) and payload[1] & 0x1F in (5, 7)
    if kind != 24:
        return kind in (5, 7)
    at, size = 1, len(payload)
    while at + 2 < size:
        if payload[at + 2] & 0x1F in (5, 7):
            return True
        at += 2 + (payload[at] << 8 | payload[at + 1])
    return False


def av1_key_frame(payload: bytes) -> bool:
    """The first packet of a coded video sequence: N of the aggregation header (AV1 RTP §4.4)."""
    return bool(payload) and bool(payload[0] & 0x08)


#: mime, lower case → whether a key frame begins in this payload
KEY_FRAME: dict[str, Callable[[bytes], bool]] = {
    "video/vp8": vp8_key_frame,
    "video/vp9": vp9_key_frame,
    "video/h264": h264_key_frame,
    "video/av1": av1_key_frame,
}


def is_key_frame(mime: str, payload: bytes) -> bool:
    """Whether a key frame begins in this RTP payload. An unknown codec is taken as beginning anywhere."""
    detect = KEY_FRAME.get(mime.lower())
    return detect is None or detect(payload)
