"""Redundant audio (RFC 2198): a packet that also holds the frames before it. No I/O, no clock.

Header per redundant block, oldest first: F=1, 7 bits payload type, 14 bits how far back its time stamp is, 10 bits length; then
one octet F=0 and payload type of the primary; then the blocks in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MAX_BACK = (1 << 14) - 1
MAX_LENGTH = (1 << 10) - 1
MAX_BLOCKS = 8


class Block(NamedTuple):
    """An earlier frame: ``back`` in time stamp units before the packet's own."""

    back: int
    data: bytes


class Redundant(NamedTuple):
    """``earlier`` is oldest first."""

    payload_type: int
    primary: bytes
    earlier: list[Block]


def parse(payload: bytes) -> Redundant:
    """Empty earlier blocks, and those of another payload type than the primary's, are left out."""
    heads: list[tuple[int, int, int]] = []
    at, size = 0, len(payload)
    while at < size and payload[at] & 0x80:
        if at + 4 > size or len(heads) == MAX_BLOCKS:
            raise ValueError("A RED header is torn or too long.")
        word = int.from_bytes(payload[at : at + 4], "big")
        heads.append((word >> 24 & 0x7F, word >> 10 & MAX_BACK, word & MAX_LENGTH))
        at += 4
    if at >= size:
        raise ValueError("A RED packet has no primary block.")
    payload_type = payload[at]
    at += 1
    earlier: list[Block] = []
    for kind, back, length in heads:
        if at + length > size:
            raise ValueError("A RED block is longer than its packet.")
        if length and back and kind == payload_type:
            earlier.append(Block(back, payload[at : at + length]))
        at += length
    return Redundant(payload_type, payload[at:], earlier)


def build(payload_type: int, primary: bytes, earlier: Sequence[Block]) -> bytes:
    """``earlier`` oldest first, each within :data:`MAX_BACK` and :data:`MAX_LENGTH`."""
    heads = b"".join(((0x80 | payload_type) << 24 | block.back << 10 | len(block.data)).to_bytes(4, "big") for block in earlier)
    return heads + bytes((payload_type,)) + b"".join(block.data for block in earlier) + primary
