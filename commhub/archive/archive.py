"""Sessions and their files, read by everybody in the same way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO, Protocol

from commhub.archive.keys import Keys
from commhub.archive.opening import opened
from commhub.archive.placed import STORED, Placed, load
from commhub.archive.reading import Bytes, LocalBytes, MemoryBytes, Reader
from commhub.archive.sealed import Pen, SessionKey, head
from commhub.archive.writing import written

MANIFEST_LIMIT = 64 << 20  # bytes of a manifest.json
PART = ".part"  # the ending of a file that is being written
_SESSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_PATH = re.compile(r"(?:[A-Za-z0-9_-]{1,128}/){0,3}[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,16}){0,2}")


def is_path(name: str) -> bool:
    """May a file of a session be called so?"""
    return _PATH.fullmatch(name) is not None


def is_session(name: str) -> bool:
    return _SESSION.fullmatch(name) is not None


class RemoteFiles(Protocol):
    """As :class:`commhub.archive.s3.Remote`, which nobody loads who has none configured."""

    def lying(self, session: str, path: str, size: int, modified: int) -> Bytes: ...


class Archive:
    """``folder`` holds a folder per session, ``keys`` are those of encrypted ones, ``remote`` has what
    does not lie here any more. Blocking: for a thread. One may be used by several threads at once."""

    def __init__(self, folder: Path, keys: Keys | None = None, remote: RemoteFiles | None = None) -> None:
        self._folder, self._keys, self._remote = folder, keys, remote
        self._placed: dict[str, tuple[tuple[int, int], dict[str, Placed]]] = {}  # session → stamp, content; the last few

    def open(self, session: str, path: str, *, tolerant: bool = False) -> Reader:
        """``path`` is the file's in the session: ``manifest.json``, ``tracks/0001/0001.webm``. One that was being written when
        its name was given out may be finished now: it is found without its ``.part``.

        FileNotFoundError for what is no file of a session, whatever the names are; OSError; ValueError with a sentence when
        what lies there cannot be what was recorded; a ``tolerant`` reader gives what can be read of it."""
        try:
            return self._open(session, path, tolerant)
        except FileNotFoundError:
            if not path.endswith(PART):
                raise
        return self._open(session, path.removesuffix(PART), tolerant)

    def _open(self, session: str, path: str, tolerant: bool) -> Reader:
        data = self._bytes(session, path)
        try:
            return opened(data, self._key(session), path.removesuffix(PART), tolerant=tolerant)
        except BaseException:
            data.close()
            raise

    def read(self, session: str, path: str, limit: int) -> bytes:
        """A whole small file. ValueError when it is larger than ``limit`` bytes."""
        with self.open(session, path) as reader:
            if reader.size > limit:
                raise ValueError("A file of a recording is larger than the limit.")
            return reader.read()

    def wrap(self, session: str, name: str, data: bytes) -> bytes:
        """What was made of a session, to be kept somewhere under that name: encrypted if the session is, so that it is deleted
        with it. OSError, ValueError."""
        pen = self._pen(session, name)
        return pen.head + pen.seal(data) + pen.end() if pen is not None else data

    def unwrap(self, session: str, name: str, data: bytes) -> bytes:
        """OSError; ValueError when it was made otherwise, or its session was deleted."""
        return opened(MemoryBytes(data), self._key(session), name).read()

    def draft(self, session: str, name: str, path: Path) -> BinaryIO:
        """As :meth:`wrap`, for what is large: a new file at ``path``, to be written at any place, and closed. OSError,
        ValueError."""
        return written(path, self._pen(session, name))

    def made(self, session: str, name: str, path: Path) -> Reader:
        """What :meth:`draft` wrote and closed. OSError; ValueError when it was made otherwise, or its session was deleted."""
        data = LocalBytes(path)
        try:
            found = opened(data, self._key(session), name)
            if found.layout is not None and found.layout.end is None:
                raise ValueError("An encrypted file has no end.")
            return found
        except BaseException:
            data.close()
            raise

    def encrypts(self, session: str) -> bool:
        """Is what is made of it encrypted? OSError, ValueError."""
        return self._key(session) is not None

    def _key(self, session: str) -> SessionKey | None:
        return self._keys.find(session) if self._keys is not None else None

    def _pen(self, session: str, name: str) -> Pen | None:
        key = self._key(session)
        return Pen(key, head(name, key.algorithm)) if key is not None else None

    def stamp(self, session: str, path: str) -> tuple[int, int]:
        """Changes whenever the file does. FileNotFoundError, OSError."""
        try:
            found = self._local(session, path).stat()
        except FileNotFoundError:
            there = self._there(session).get(path)
            if there is None:
                raise
            return there.modified, there.size
        return found.st_mtime_ns, found.st_size

    def paths(self, session: str) -> list[str]:
        """All files, wherever they lie, in order of their names; none when there is no such session."""
        if not _SESSION.fullmatch(session):
            return []
        root = self._folder / session
        files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        names = {str(file.relative_to(root)) for file in files} | self._there(session).keys()
        return sorted(path for path in names if _PATH.fullmatch(path))

    def sessions(self) -> list[str]:
        """Of which there are files, in order."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if _SESSION.fullmatch(path.name) and path.is_dir())
        except FileNotFoundError:
            return []

    def _local(self, session: str, path: str) -> Path:
        """No link leads out of the session's folder."""
        if not _SESSION.fullmatch(session) or not _PATH.fullmatch(path):
            raise FileNotFoundError(2, "There is no file of a recording with such a name", path)
        root = (self._folder / session).resolve(strict=True)
        found = (root / path).resolve(strict=True)
        if not found.is_relative_to(root):
            raise FileNotFoundError(2, "There is no file", path)
        return root / path

    def _bytes(self, session: str, path: str) -> Bytes:
        try:
            return LocalBytes(self._local(session, path))
        except NotADirectoryError:
            raise FileNotFoundError(2, "There is no file", path) from None
        except FileNotFoundError:
            there = self._there(session).get(path)
            if there is None or self._remote is None:
                raise
            return self._remote.lying(session, path, there.size, there.modified)

    def _there(self, session: str) -> dict[str, Placed]:
        """What of a session is in the store, by path."""
        if self._remote is None or not _SESSION.fullmatch(session):
            return {}
        folder = self._folder / session
        try:
            found = (folder / STORED).stat()
        except FileNotFoundError:
            return {}
        stamp = found.st_mtime_ns, found.st_size
        known = self._placed.get(session)
        if known is None or known[0] != stamp:
            known = self._placed[session] = stamp, load(folder)
            while len(self._placed) > 64:
                self._placed.pop(next(iter(self._placed)), None)
        return known[1]
