"""In which form one session's files are written: plain or encrypted. Whoever writes one asks here, whoever reads one too.

A session keeps the form it has begun with; so a recorder that is set up otherwise goes on with it as it is. Blocking.
"""

from __future__ import annotations

import contextlib
import errno
import os
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from commhub.archive import PART, Reader, SessionKeys, opened, sealed
from commhub.archive.reading import LocalBytes
from commhub.archive.sealed import Pen, SessionKey

JOURNAL, MANIFEST, RESERVE, TRACKS = "journal", "manifest.json", "reserve", "tracks"


@dataclass(frozen=True, slots=True)
class Cabinet:
    """How recordings are kept: ``keys`` are those of encrypted ones; ``algorithm`` is that of new ones, or ``none``."""

    keys: SessionKeys | None = None
    algorithm: str = "none"

    def shelf(self, folder: Path) -> Shelf:
        return Shelf(folder, self)


class Shelf:
    """Of the session whose ``folder`` it is. OSError wherever the disk is asked, also where a key does not open."""

    def __init__(self, folder: Path, cabinet: Cabinet | None = None) -> None:
        self.folder = folder
        self._cabinet = cabinet or Cabinet()
        self._key: SessionKey | None = None
        self._known = False

    def _session_key(self) -> SessionKey | None:
        """None: it is plain. Made for a session that has nothing yet."""
        keys, algorithm = self._cabinet.keys, self._cabinet.algorithm
        if self._known or keys is None:
            return self._key
        try:
            self._key = keys.find(self.folder.name)
            if self._key is None and algorithm != "none" and not _begun(self.folder / JOURNAL):
                self._key = keys.make(self.folder.name, algorithm)
        except ValueError as error:
            raise OSError(errno.EKEYREJECTED, f"{error}") from None
        self._known = True
        return self._key

    def pen(self, path: Path) -> Pen | None:
        """For a new file of the session; None when it is written as it is."""
        key = self._session_key()
        return Pen(key, sealed.head(self._name(path), key.algorithm)) if key is not None else None

    def again(self, path: Path) -> tuple[Pen | None, int, int]:
        """For a file that goes on: the pen, bytes of the file that are whole, bytes of their contents. ValueError when it is
        another session's."""
        key, size = self._session_key(), path.stat().st_size
        if key is None:
            return None, size, size
        if size < sealed.HEAD + len(self._name(path)):  # it was torn before anything was in it
            return self.pen(path), 0, 0
        with self.open(path, tolerant=True) as reader:
            found = reader.layout
            assert found is not None
            return Pen(key, found.head, found.sizes), found.place(len(found.ends)), found.begin(len(found.ends))

    def open(self, path: Path, *, tolerant: bool = False) -> Reader:
        """ValueError when what lies there was not written; ``tolerant`` ones are as :class:`SealedReader` says."""
        data = LocalBytes(path)
        try:
            return opened(data, self._session_key(), self._name(path), tolerant=tolerant)
        except BaseException:
            data.close()
            raise

    def read(self, path: Path, limit: int = 1 << 62) -> bytes:
        """As much as ``limit``, and what is spoilt as far as it can be read. ValueError when it is no such file."""
        with self.open(path, tolerant=True) as reader:
            return reader.read_at(0, limit)

    def cut(self, reader: Reader, end: int) -> Cut | None:
        """What keeps the first ``end`` bytes of an encrypted file; None when it is a plain one."""
        key, layout = self._session_key(), reader.layout
        if key is None or layout is None:
            return None
        whole = bisect_right(layout.ends, end)
        begin = layout.begin(whole)
        return Cut(layout.place(whole), Pen(key, layout.head, layout.sizes[:whole]), reader.read_at(begin, end - begin))

    def truncate(self, path: Path, end: int) -> int:
        """Keep the first ``end`` bytes of what was written; of a file that goes on. How many bytes are taken away."""
        with self.open(path, tolerant=True) as reader:
            cut = self.cut(reader, end)
        size = path.stat().st_size
        os.truncate(path, end if cut is None else cut.place)
        if cut is not None and cut.more:
            _append(path, cut.pen.seal(cut.more))
        return size - path.stat().st_size

    def append(self, path: Path, data: bytes) -> None:
        """To a file that goes on, and make it durable."""
        pen, whole, _ = self.again(path)
        os.truncate(path, whole)
        _append(path, ((b"" if whole else pen.head) + pen.seal(data)) if pen is not None else data)

    def replace(self, path: Path, data: bytes, *, durable: bool = False) -> None:
        pen = self.pen(path)
        replace(path, pen.head + pen.seal(data) + pen.end() if pen is not None else data, durable=durable)

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.folder)).removesuffix(PART)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a shortened encrypted file ends, what goes on there, and what of its contents has to be written again."""

    place: int
    pen: Pen
    more: bytes


def _append(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fdatasync(file.fileno())


def _begun(journal: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return journal.stat().st_size > 0
    return False


def sync_folder(path: Path) -> None:
    """Make names in a folder durable."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def replace(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a small file so that a reader sees the old or the new one, whole."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        with contextlib.closing(os.fdopen(fd, "wb", closefd=True)) as file:
            file.write(data)
            file.flush()
            if durable:
                os.fdatasync(fd)
        os.rename(draft, path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    if durable:
        sync_folder(path.parent)
