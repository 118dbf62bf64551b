"""A zip as a session's files: what stands in it is read as it stands there, whatever its checksums say. Blocking."""

from __future__ import annotations

import contextlib
import mmap
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LIMIT = 2 << 30  # bytes of a member that has to be unpacked
_LOCAL = struct.Struct("<4s5H3I2H")  # a member's own head (APPNOTE §4.3.7)
Data = bytes | memoryview


class Bundle:
    """A zip with the folder's files in it, at the top. ValueError when it is none."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError):
            raise ValueError("The bundle is no zip.") from None
        self._file = path.open("rb")
        self._data = memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))

    def names(self) -> list[str]:
        return sorted({info.filename for info in self._zip.infolist() if not info.is_dir()})

    def twice(self) -> list[str]:
        """Names that several members have: whoever unpacks it may find another one than is read here."""
        counted = Counter(info.filename for info in self._zip.infolist())
        return sorted(name for name, count in counted.items() if count > 1)

    @contextlib.contextmanager
    def read(self, name: str) -> Iterator[Data]:
        """KeyError when there is none. What cannot be unpacked is as much as can. ValueError for one that is too large."""
        info = self._zip.getinfo(name)
        raw = self._raw(info)
        if info.compress_type == zipfile.ZIP_STORED:
            yield raw
            return
        if info.file_size > LIMIT:
            raise ValueError("A file of the bundle is larger than the limit.")
        yield _inflated(raw) if info.compress_type == zipfile.ZIP_DEFLATED else b""

    def _raw(self, info: zipfile.ZipInfo) -> memoryview:
        """The member's bytes; none where its own head is not the directory's."""
        head = self._data[info.header_offset : info.header_offset + _LOCAL.size]
        if len(head) < _LOCAL.size:
            return head[:0]
        mark, _, flags, method, _, _, _, _, _, length, extra = _LOCAL.unpack(head)
        begin = info.header_offset + _LOCAL.size
        name = bytes(self._data[begin : begin + length])
        wanted = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437", "replace")
        if mark != b"PK\3\4" or method != info.compress_type or flags & 1 or name != wanted:
            return head[:0]
        begin += length + extra
        return self._data[begin : begin + info.compress_size]


def _inflated(raw: memoryview) -> bytes:
    """Bounded; what comes before a fault."""
    unpacker, out, at = zlib.decompressobj(-15), bytearray(), 0
    try:
        while at < len(raw) and len(out) <= LIMIT and not unpacker.eof:
            out += unpacker.decompress(raw[at : at + (64 << 10)], LIMIT)
            at += 64 << 10
    except zlib.error:
        pass  # the digest says that it is another one
    return bytes(out)
