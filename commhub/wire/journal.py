"""A recording's journal: append-only records that a torn tail cannot spoil.

One record is one line: ``length checksum body\\n``, where ``length`` (bytes of the body) and ``checksum`` (CRC-32 of the body,
as zlib computes it) are eight lower-case hexadecimal digits each, and the body is a JSON object in UTF-8 without line
breaks. Lines stay readable with ordinary tools, and a reader that meets a damaged one goes on at the next line.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

LIMIT = 1 << 20  # bytes of one body
_HEAD = 18
_HEX = frozenset(b"0123456789abcdef")
_decoder = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Scan:
    """What a journal holds. ``end`` is the offset behind the last whole record: what follows is torn. ``damaged`` counts
    bytes before ``end`` that belong to no record."""

    records: list[dict[str, Any]]
    end: int
    damaged: int


def encode(record: Mapping[str, object]) -> bytes:
    """One line. ValueError when the record is larger than :data:`LIMIT` or holds what JSON cannot."""
    try:
        body = msgspec.json.encode(record)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise ValueError(f"A journal record cannot be written: {error}.") from None
    if len(body) > LIMIT:
        raise ValueError("A journal record is larger than the limit.")
    return b"%08x %08x %s\n" % (len(body), zlib.crc32(body), body)


def decode(data: bytes | memoryview, offset: int = 0) -> tuple[dict[str, Any], int]:
    """The record at ``offset`` and the offset behind it. ValueError when there is no whole record."""
    head = bytes(data[offset : offset + _HEAD])
    if len(head) < _HEAD or head[8] != 0x20 or head[17] != 0x20 or not _HEX.issuperset(head[:8] + head[9:17]):
        raise ValueError("There is no head of a journal record.")
    size, checksum = int(head[:8], 16), int(head[9:17], 16)
    if size > LIMIT:
        raise ValueError("A journal record is larger than the limit.")
    start, end = offset + _HEAD, offset + _HEAD + size
    if end >= len(data):  # the line break belongs to the record
        raise ValueError("A journal record is torn.")
    body = bytes(data[start:end])
    if zlib.crc32(body) != checksum or data[end] != 0x0A:
        raise ValueError("The checksum of a journal record is wrong.")
    try:
        return _decoder.decode(body), end + 1
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ValueError("A journal record is not a JSON object.") from None


def scan(data: bytes) -> Scan:
    """All whole records, also those behind damage."""
    records: list[dict[str, Any]] = []
    offset = end = damaged = 0
    while offset < len(data):
        try:
            record, after = decode(data, offset)
        except ValueError:
            offset = data.find(b"\n", offset) + 1
            if offset == 0:
                break
            continue
        damaged += offset - end
        records.append(record)
        offset = end = after
    return Scan(records, end, damaged)
