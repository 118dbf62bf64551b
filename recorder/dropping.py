"""Room on a disk that gets full: media that lie in the store, too, are dropped here, before anything less is recorded.

Only what was compared with the store, and is there at this moment as it was then. What ended goes before what is still being
recorded, the oldest first, and no more than is needed. Everybody reads it from the store afterwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from commhub import log as logs
from commhub.archive import placed
from commhub.archive.placed import Placed
from recorder.shelf import JOURNAL, RESERVE, TRACKS
from recorder.whole import PART

log = logs.get(__name__)
PATIENCE = 5.0  # s in which something must be dropped, or nobody waits for it any more


class Kept(Protocol):
    @property
    def size(self) -> int: ...
    @property
    def tag(self) -> str: ...


class Store(Protocol):
    def name(self, session: str, path: str) -> str: ...
    def head(self, name: str) -> Kept: ...


def segments(session: Path) -> list[Path]:
    """Files of media that are whole."""
    return [path for path in sorted((session / TRACKS).glob("*/*")) if not path.name.endswith(PART) and _plain(path)]


def lost(session: Path, name: str, now: int) -> None:
    """The store has it no more: it is put there again."""
    log.error("object lost by the store", session=session.name, file=name)
    placed.add(session, Placed(name, 0, 0, "", now, gone=True))


class Dropping:
    """:meth:`want` and :attr:`busy` are for any thread, :meth:`look` is for the one that uploads."""

    def __init__(
        self, folder: Path, store: Store, mine: Callable[[str], bool], missed: Callable[[str], None] = lambda session: None
    ) -> None:  # fmt: skip
        """``missed``: of this session something must be put there again."""
        self._folder, self._store, self._mine, self._missed = folder, store, mine, missed
        self._lock = threading.Lock()
        self._wanted = 0
        self._moved = 0.0  # when something was dropped, or begun to be wanted (monotonic)
        self._nothing = False  # there is nothing more that could be dropped
        self.dropped = 0  # bytes

    def want(self, count: int) -> bool:
        """So many bytes must be dropped, from now on; 0: none any more. Whether that is new."""
        with self._lock:
            fresh = count > 0 and self._wanted == 0
            if fresh:
                self._moved = time.monotonic()
            if count == 0:
                self._nothing = False
            self._wanted = count
            return fresh

    def more(self) -> None:
        """Something else lies in the store now."""
        with self._lock:
            self._nothing = False

    @property
    def busy(self) -> bool:
        """Is it worth waiting for?"""
        with self._lock:
            return self._wanted > 0 and not self._nothing and time.monotonic() - self._moved < PATIENCE

    def look(self, now: int, stop: Callable[[], bool]) -> None:
        """Drops what is wanted. ``now``: UTC ns. OSError: the store cannot be asked, or the disk."""
        with self._lock:
            wanted = 0 if self._nothing else self._wanted
        if not wanted:
            return
        files = size = 0
        nothing = False
        try:
            for session, path, known in self._both():
                if size >= wanted or stop():
                    return
                if (dropped := self._drop(session, path, known, now)) > 0:
                    files, size = files + 1, size + dropped
            nothing = size < wanted
        finally:
            if files:
                log.warning("recordings dropped here for want of room", files=files, bytes=size)
            with self._lock:
                self.dropped += size
                self._wanted = max(0, self._wanted - size)
                self._nothing = nothing

    def _sessions(self) -> list[Path]:
        """Those that ended first, then the oldest."""
        found = []
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            try:
                if self._mine(path.name) and not path.is_symlink():
                    found.append(((path / RESERVE).exists(), (path / JOURNAL).stat().st_mtime_ns, path.name))
            except OSError:
                continue
        return [self._folder / name for _, _, name in sorted(found)]

    def _both(self) -> Iterator[tuple[Path, Path, Placed]]:
        """What lies in both places as it is here: session, file, and how it was compared."""
        for session in self._sessions():
            yield from ((session, path, known) for path, known in self._of(session))

    def _of(self, session: Path) -> list[tuple[Path, Placed]]:
        """The oldest first."""
        there = placed.load(session)
        found: list[tuple[int, Path, Placed]] = []
        for path in segments(session):
            known = there.get(str(path.relative_to(session)))
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            if known is not None and (known.size, known.modified) == (stat.st_size, stat.st_mtime_ns):
                found.append((stat.st_mtime_ns, path, known))
        return [(path, known) for _, path, known in sorted(found, key=lambda one: one[:2])]

    def _drop(self, session: Path, path: Path, known: Placed, now: int) -> int:
        """Bytes; 0 when the store has it no more."""
        try:
            kept = self._store.head(self._store.name(session.name, known.name))
        except FileNotFoundError:
            kept = None
        if kept is None or (kept.size, kept.tag) != (known.size, known.tag):
            lost(session, known.name, now)
            self._missed(session.name)
            return 0
        path.unlink(missing_ok=True)
        with self._lock:
            self._moved = time.monotonic()
        return known.size


def _plain(path: Path) -> bool:
    return not path.is_symlink() and path.is_file()
