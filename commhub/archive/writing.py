"""A large file that is made of a session and kept elsewhere: plain, or encrypted as the session is. Blocking.

Who writes a container goes back and puts sizes into its beginnings. In an encrypted file nothing is rewritten: what is put over
what is encrypted already is a patch in the file's end (:mod:`commhub.archive.sealed`).
"""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from commhub.archive import sealed
from commhub.archive.reading import place
from commhub.archive.sealed import Pen

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_PATCHES = 16 << 20  # bytes that may be put over others: an end has its bounds, too


def of_export(export: str, file: str) -> str:
    """The name that a file of an export has where it is encrypted."""
    return f"exports/{export}/{file}"


def written(path: Path, pen: Pen | None) -> BinaryIO:
    """A new file, to be written at any place and closed. FileExistsError; OSError wherever the disk is asked."""
    return path.open("xb") if pen is None else io.BufferedWriter(_Sealed(path, pen), sealed.LIMIT)


class _Sealed(io.RawIOBase):
    """What was not closed has no end: a reader takes it as torn, and only what is whole of it."""

    def __init__(self, path: Path, pen: Pen) -> None:
        self._pen, self._file = pen, path.open("xb")
        self._file.write(pen.head)
        self._sealed = 0  # bytes of the content that are encrypted, and stay as they are
        self._open = bytearray()  # those behind
        self._at = 0
        self._patches: list[tuple[int, bytes]] = []
        self._patched = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = place(offset, whence, self._at, self._sealed + len(self._open))
        return self._at

    def write(self, data: ReadableBuffer) -> int:
        given = bytes(data)
        over = given[: max(0, self._sealed - self._at)]
        if over:
            self._patch(over)
        rest = given[len(over) :]
        at = self._at + len(over) - self._sealed
        if rest:
            if at > len(self._open):
                raise OSError(errno.EINVAL, "A file that is encrypted has no holes")
            self._open[at : at + len(rest)] = rest
        self._at += len(given)
        while len(self._open) >= 2 * sealed.LIMIT:  # some stays: sizes are put into what was written a moment ago
            self._seal(sealed.LIMIT)
        return len(given)

    def _patch(self, over: bytes) -> None:
        self._patched += len(over)
        if self._patched > _PATCHES:
            raise OSError(errno.EFBIG, "Too much of an encrypted file would be changed")
        self._patches.append((self._at, over))

    def _seal(self, count: int) -> None:
        self._file.write(self._pen.seal(bytes(self._open[:count])))
        del self._open[:count]
        self._sealed += count

    def close(self) -> None:
        if self.closed:
            return
        try:
            self._seal(len(self._open))
            self._file.write(self._pen.end(patches=self._patches))
        finally:
            self._file.close()
            super().close()
