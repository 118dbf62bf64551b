"""What makes a file of media whole: its tables when it has ended, its last whole piece when it was torn; and what proves it.

A plain file gets its tables in place. In an encrypted one nothing is rewritten: they are in its end (``commhub.archive.sealed``).
Blocking.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from commhub import log as logs
from commhub.archive import Reader
from commhub.archive.sealed import Pen
from recorder import seals
from recorder.container import Seal, Torn
from recorder.containers import Found, recover
from recorder.shelf import Shelf, sync_folder

log = logs.get(__name__)
PART = ".part"
_ZEROS = 16  # so many at the end are no media
_BLOCK = 64 << 10


@dataclass(frozen=True, slots=True)
class Note:
    """A piece of media as it was written: where, ``until`` which time of its file (ms), its digest."""

    offset: int
    size: int
    until: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """With ``error`` the file was salvaged: ``size`` bytes of it, 0 when nothing can be played, last ``duration_ms``. ``notes``
    are those that nobody took."""

    size: int
    duration_ms: int = 0
    error: OSError | None = None
    proof: dict[str, object] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def final_name(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(PART))


def prove(shelf: Shelf, path: Path, algorithm: str, head: int) -> dict[str, object]:
    """What the journal says of a file that is whole: its size, and the digests of all its bytes and of its first ``head`` ones.
    Nothing when it cannot be read."""
    whole, at = seals.begin(algorithm), 0
    try:
        with shelf.open(path) as reader:
            begins = seals.digest(algorithm, reader.read_at(0, head)).hex()
            while block := reader.read_at(at, 1 << 20):
                whole.update(block)
                at += len(block)
    except (OSError, ValueError) as error:
        log.error("recording not proved", error=str(error))
        return {}
    return {"algorithm": algorithm, "digest": whole.digest().hex(), "head": begins, "size": at}


def noted(shelf: Shelf, path: Path, algorithm: str, pieces: list[tuple[int, int, int]]) -> list[Note]:
    """``pieces`` of a file: offset, size, the time behind it (ms). OSError, ValueError."""
    with shelf.open(path) as reader:
        return [
            Note(offset, size, until, seals.digest(algorithm, reader.read_at(offset, size))) for offset, size, until in pieces
        ]


def seal_plain(path: Path, end: int, seal: Seal) -> None:
    """Append the tail behind byte ``end``, put the patches in place, make it durable, rename."""
    plain = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)  # pwrite appends on one that is open for appending
    try:
        _write(plain, end, seal.tail)
        for offset, data in seal.patches:
            os.pwrite(plain, data, offset)
        os.ftruncate(plain, end + len(seal.tail))
        os.fdatasync(plain)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(plain, end)
        raise
    finally:
        os.close(plain)
    _take_part_off(path)


def seal_encrypted(path: Path, end: int, seal: Seal, pen: Pen, more: bytes = b"") -> None:
    """The same for an encrypted file: ``end`` counts its bytes as they lie there; ``more`` is written before the end."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.ftruncate(fd, end)
        _write(fd, end, (pen.seal(more) if more else b"") + pen.end(seal.tail, seal.patches))
        os.fdatasync(fd)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, end)
        raise
    finally:
        os.close(fd)
    _take_part_off(path)


def _write(fd: int, at: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, at)
        view, at = view[written:], at + written


def _take_part_off(path: Path) -> None:
    os.rename(path, final_name(path))
    sync_folder(path.parent)


def salvage(path: Path, shelf: Shelf) -> Found | None:
    """Make a torn file playable: drop what is behind its last whole piece, seal, take ``.part`` off its name. None when
    nothing can be played (the file is left as it is). A full disk leaves it unsealed, which can be played too."""
    try:
        with shelf.open(path, tolerant=True) as reader:
            end = reader.proved()
            kind = path.name.removesuffix(PART).rpartition(".")[2]
            found = recover(kind, View(reader, end if reader.layout is not None else _written(reader)))
            written = shelf.cut(reader, found.end)
    except (Torn, ValueError, OSError):
        return None
    try:
        if written is None:
            os.truncate(path, found.end)
            seal_plain(path, found.end, found.seal)
        else:
            seal_encrypted(path, written.place, found.seal, written.pen, written.more)
    except OSError as error:
        log.warning("recording left unsealed", error=error.strerror)
        with contextlib.suppress(OSError):
            os.rename(path, final_name(path))
    return found


class View:
    """The first ``size`` bytes of a file as if they were in memory: what looks at heads only reads little."""

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader, self._size = reader, size
        self._block, self._from = b"", 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, where: slice) -> bytes:
        begin, end, _ = where.indices(self._size)
        if end - begin > _BLOCK:
            return self._reader.read_at(begin, end - begin)
        if not self._from <= begin <= end <= self._from + len(self._block):
            self._from = begin
            self._block = self._reader.read_at(begin, min(_BLOCK, self._size - begin))
        return self._block[begin - self._from : end - self._from]


def _written(reader: Reader) -> int:
    """Where a file ends that a power failure may have left with zeros behind what was written."""
    end = reader.size
    while end:
        begin = max(0, end - _BLOCK)
        kept = len(reader.read_at(begin, end - begin).rstrip(b"\0"))
        if kept:
            end = begin + kept
            break
        end = begin
    return end if reader.size - end >= _ZEROS else reader.size
