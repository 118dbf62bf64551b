"""A file of a recording, to be read at any place. Blocking, and safe to use from several threads at once.

What is read is what was recorded: a reader knows in which form the bytes lie, and nobody else has to.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

if TYPE_CHECKING:
    from commhub.archive.opening import Layout


class Bytes(Protocol):
    """Where the bytes of a file lie, as they lie there. ``modified`` is UTC ns."""

    size: int
    modified: int

    def read(self, offset: int, count: int) -> bytes:
        """Fewer than ``count`` only at the end. OSError."""

    def close(self) -> None: ...


class LocalBytes:
    """A file on this machine, as long as it is when it is opened. OSError; links and what is no file are not followed."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise FileNotFoundError(2, "There is no file", str(path))
        self.size, self.modified = found.st_size, found.st_mtime_ns

    def read(self, offset: int, count: int) -> bytes:
        return os.pread(self._fd, count, offset)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class MemoryBytes:
    """What is there already."""

    def __init__(self, data: bytes) -> None:
        self._data, self.size, self.modified = data, len(data), 0

    def read(self, offset: int, count: int) -> bytes:
        return self._data[offset : offset + count]

    def close(self) -> None: ...


class Reader:
    """``size`` bytes, as many as there were when it was opened: a file that grows is opened anew to see more.

    Close it, or use it in ``with``; :meth:`file` closes it with the file.
    """

    layout: Layout | None = None  # of an encrypted one

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self.size = data.size
        self.modified = data.modified  # UTC ns

    def read_at(self, offset: int, count: int) -> bytes:
        """Fewer bytes than ``count`` at the end, none behind it. OSError; ValueError with a sentence when what lies there is
        not what was written."""
        parts: list[bytes] = []
        count = max(0, min(count, self.size - offset))
        while count and (part := self._read(offset, count)):
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, offset: int, count: int) -> bytes:
        """Some of them, from ``offset`` on."""
        return self._data.read(offset, count)

    def read(self) -> bytes:
        """All of it."""
        return self.read_at(0, self.size)

    def proved(self) -> int:
        """So many bytes from the first one on are what was written, as far as the form can say. OSError."""
        return self.size

    def file(self) -> BinaryIO:
        """For what wants a file that can be sought (PyAV)."""
        return io.BufferedReader(_Seekable(self), 128 << 10)

    def close(self) -> None:
        self._data.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def place(offset: int, whence: int, at: int, size: int) -> int:
    """Where ``seek`` goes in a file of ``size`` bytes from ``at``. OSError before its beginning."""
    found = {os.SEEK_SET: 0, os.SEEK_CUR: at, os.SEEK_END: size}[whence] + offset
    if found < 0:
        raise OSError(errno.EINVAL, "A file has no place before its beginning")
    return found


class _Seekable(io.RawIOBase):
    def __init__(self, reader: Reader) -> None:
        self._reader, self._at = reader, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = place(offset, whence, self._at, self._reader.size)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._reader.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._reader.close()
        super().close()
