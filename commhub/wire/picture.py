"""What the payload descriptors of VP8 and VP9 say alike: which part of which picture a packet carries."""

from __future__ import annotations

from typing import NamedTuple


class Picture(NamedTuple):
    """A payload descriptor (RFC 7741 §4.2, RFC 9628 §4.2). Offsets are into the payload; -1 = the field is not there."""

    size: int  # octets of the descriptor
    start: bool  # the first packet of a frame (of VP9: of a layer's frame)
    picture_id: int = -1
    picture_id_at: int = -1
    wide: bool = False  # 15 bits
    tl0: int = -1
    tl0_at: int = -1
    temporal: int = 0
    spatial: int = 0
    up: bool = False  # VP8: refers to nothing above the base (Y); VP9: a higher temporal layer may begin after it (U)
    end: bool = False  # VP9: the last packet of a layer's frame
    key: bool = False  # the first packet of a picture that refers to none


def shift(payload: bytes, picture: Picture, picture_id: int, tl0: int) -> bytes:
    """The payload with ``picture_id`` and ``tl0`` added to its own numbers, each in its own width."""
    data = bytearray(payload)
    at = picture.picture_id_at
    if at >= 0:
        if picture.wide:
            value = picture.picture_id + picture_id
            data[at] = 0x80 | value >> 8 & 0x7F
            data[at + 1] = value & 0xFF
        else:
            data[at] = picture.picture_id + picture_id & 0x7F
    if picture.tl0_at >= 0:
        data[picture.tl0_at] = picture.tl0 + tl0 & 0xFF
    return bytes(data)
