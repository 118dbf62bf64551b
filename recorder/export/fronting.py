"""An MP4 with its index before its media (ISO/IEC 14496-12 §8.1.1), so that a player begins before it has read all of it.

Who writes one knows the index last. It is put before the media as the file is copied; what says where in the file media are
(``stco``, ``co64``: §8.7.5) is moved by as much.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from commhub.archive import Reader
from recorder.export.taken import blocks

_INDEX = 512 << 20  # bytes of an index
_WITHIN = frozenset({b"trak", b"mdia", b"minf", b"stbl"})  # what leads from the index to the places
_BOXES = 1_000


def fronted(given: Reader) -> Iterator[bytes]:
    """The film in blocks. One whose places cannot be moved (they need more bits then) is as it was. OSError; ValueError when it
    is no MP4."""
    found = list(_boxes(given))
    index = next(((at, size) for kind, at, size in found if kind == b"moov"), None)
    media = min((at for kind, at, _ in found if kind != b"ftyp"), default=0)
    if index is None:
        raise ValueError("A film has no index.")
    if index[0] == media:
        yield from blocks(given, 0, given.size)
        return
    if index[1] > _INDEX:
        raise ValueError("A film's index is larger than the limit.")
    moved = bytearray(given.read_at(*index))
    if not _move(moved, 8, len(moved), len(moved)):
        yield from blocks(given, 0, given.size)
        return
    yield given.read_at(0, media)
    yield bytes(moved)
    yield from blocks(given, media, index[0])
    yield from blocks(given, sum(index), given.size)


def _boxes(given: Reader) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and bytes of the outermost boxes."""
    at = 0
    for _ in range(_BOXES):
        head = given.read_at(at, 16)
        if not head:
            return
        if len(head) < 8:
            break
        size, kind = struct.unpack_from(">I4s", head)
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
        elif size == 0:
            size = given.size - at
        if size < 8 or at + size > given.size:
            break
        yield kind, at, size
        at += size
    raise ValueError("A film's boxes lead nowhere.")


def _move(index: bytearray, at: int, end: int, by: int) -> bool:
    """False: there is a place that would not fit into its four bytes."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", index, at)
        if size < 8 or at + size > end:
            raise ValueError("A film's index leads nowhere.")
        if kind in _WITHIN and not _move(index, at + 8, at + size, by):
            return False
        if kind in (b"stco", b"co64"):
            (count,) = struct.unpack_from(">I", index, at + 12)
            wide = kind == b"co64"
            if size < 16 + count * (8 if wide else 4):
                raise ValueError("A film's index leads nowhere.")
            places = np.frombuffer(index, ">u8" if wide else ">u4", count, at + 16).astype(np.uint64) + np.uint64(by)
            if not wide and count and int(places.max()) >= 1 << 32:
                return False
            data = places.astype(">u8" if wide else ">u4").tobytes()
            index[at + 16 : at + 16 + len(data)] = data
        at += size
    return True
