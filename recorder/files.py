"""Files written by two threads, so that no disk holds up the event loop: one appends, one makes durable.

What is appended goes to the kernel at once (a killed process loses nothing of it) and to the disk within ``sync_seconds``.
A write that fails leaves the file as long as it was before; the file's owner is told, the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from commhub import log as logs
from commhub.archive.sealed import Pen
from recorder import seals
from recorder.container import Seal
from recorder.shelf import Shelf, sync_folder
from recorder.whole import Finished, Note, final_name, prove, salvage, seal_encrypted, seal_plain

log = logs.get(__name__)
T = TypeVar("T")
_KEPT = 256 << 10  # bytes of refused records that wait for a second try


class Disk:
    """Belongs to one event loop. Work of each thread keeps its order. ``digest``: what pieces of media are noted with."""

    def __init__(self, *, sync_seconds: float = 2.0, backlog: int = 64 << 20, digest: str = "sha256") -> None:
        self.digest = digest
        self._loop = asyncio.get_running_loop()
        self._pause = sync_seconds / 2  # the pass itself takes time too
        self._backlog = backlog
        self._queued = self._written = 0  # bytes; each is changed by one thread only
        self._writes: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._settling: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._dirty: set[File] = set()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._write_loop, name="recorder write", daemon=True),
            threading.Thread(target=self._settle_loop, name="recorder sync", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pending(self) -> int:
        """Bytes that wait for the disk."""
        return self._queued - self._written

    @property
    def written(self) -> int:
        """Bytes, since it was made."""
        return self._written

    @property
    def slow(self) -> bool:
        """The disk does not keep up: add nothing that can be left out."""
        return self.pending > self._backlog

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """In the writing thread, behind all that was appended before."""
        return self._submit(self._writes, work)

    def settle(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """In the other thread, behind all that was appended before: what may take long."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._writes.put(lambda: self._settling.put(lambda: self._answer(future, work)))
        return future

    def _submit(self, where: queue.SimpleQueue[Callable[[], None] | None], work: Callable[[], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self._loop.create_future()
        where.put(lambda: self._answer(future, work))
        return future

    def append(self, file: File, data: bytes, until: int | None = None) -> None:
        self._queued += len(data)
        self._writes.put(lambda: self._append(file, data, until))

    def _append(self, file: File, data: bytes, until: int | None) -> None:
        if file.write(data, until):
            with self._lock:
                self._dirty.add(file)
        self._written += len(data)

    def tell(self, callback: Callable[[], None]) -> None:
        """Call in the event loop; nothing when that has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def _answer(self, future: asyncio.Future[T], work: Callable[[], T]) -> None:
        def give(result: T | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        try:
            result = work()
        except BaseException as error:
            failure = error
            self.tell(lambda: give(None, failure))
        else:
            self.tell(lambda: give(result, None))

    def _write_loop(self) -> None:
        while (work := self._writes.get()) is not None:
            work()
        self._settling.put(None)

    def _settle_loop(self) -> None:
        due = time.monotonic() + self._pause
        while True:
            try:
                work = self._settling.get(timeout=max(0.0, due - time.monotonic()))
                if work is None:
                    return
                work()
            except queue.Empty:
                pass
            if time.monotonic() >= due:
                self._sync()
                due = time.monotonic() + self._pause

    def _sync(self) -> None:
        with self._lock:
            dirty, self._dirty = self._dirty, set()
        for file in dirty:
            file.sync()

    async def close(self) -> None:
        """Everything that was submitted is done first."""
        self._writes.put(None)
        for thread in self._threads:
            await self._loop.run_in_executor(None, thread.join)


class File:
    """One growing file. ``failed`` is called in the event loop, once, when a write is refused.

    ``keep``: what is refused waits for :meth:`revive` (a journal's last lines on a full disk).
    """

    def __init__(
        self, disk: Disk, path: Path, failed: Callable[[OSError], None], shelf: Shelf | None = None, *, existing: bool = False,
        keep: bool = False,
    ) -> None:  # fmt: skip
        self._disk, self._path, self._failed = disk, path, failed
        self._existing, self._keep = existing, keep
        self._shelf = shelf or Shelf(path.parent)
        self._pen: Pen | None = None
        self._fd = -1
        self._good = 0  # bytes of the file that are whole
        self._size = 0  # bytes that were given to be written, of those
        self._created = False  # its name is not durable yet
        self._error: OSError | None = None
        self._refused: list[bytes] = []
        self._notes: list[Note] = []
        self._head = 0  # bytes before the first piece
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        return self._path

    def append(self, data: bytes, until: int | None = None) -> None:
        """``until`` (ms) makes it a piece of media, which is noted."""
        self._disk.append(self, data, until)

    # ------------------------------------------------------------------------------------- in the threads of the disk

    def take_notes(self) -> list[Note]:
        """Of the pieces that were written since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def write(self, data: bytes, until: int | None = None) -> bool:
        """False when it was refused, now or before."""
        if self._error is None:
            try:
                self._open()
                self._put(data)
                if until is not None:
                    self._head = self._head or self._size
                    self._notes.append(Note(self._size, len(data), until, seals.digest(self._disk.digest, data)))
                self._size += len(data)
                return True
            except OSError as error:
                self._refuse(error)
        if self._keep and sum(map(len, self._refused)) < _KEPT:
            self._refused.append(data)
        return False

    def _open(self) -> None:
        if self._fd >= 0:
            return
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._created = not self._path.exists()
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_CREAT
        self._fd = os.open(self._path, flags if self._existing else flags | os.O_EXCL, 0o640)
        if os.fstat(self._fd).st_size:
            self._pen, self._good, self._size = self._shelf.again(self._path)
            os.ftruncate(self._fd, self._good)
        else:
            self._pen = self._shelf.pen(self._path)

    def _put(self, data: bytes) -> None:
        """As it lies on the disk. What is refused in the middle has never been written."""
        pen, frames = self._pen, len(self._pen.sizes) if self._pen is not None else 0
        if pen is not None:
            data = (b"" if self._good else pen.head) + pen.seal(data)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            if pen is not None:
                pen.back(frames)
            raise
        self._good += len(data)

    def _refuse(self, error: OSError) -> None:
        self._error = error
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._good)
        self._disk.tell(lambda: self._failed(error))

    def sync(self) -> None:
        """fdatasync, without holding up whoever writes or closes meanwhile."""
        with self._lock:
            if self._fd < 0:
                return
            copy = os.dup(self._fd)
        try:
            os.fdatasync(copy)
            if self._created:
                self._created = False
                for folder in (self._path.parent, self._path.parent.parent):
                    sync_folder(folder)
        except OSError as error:
            if self._error is None:
                self._refuse(error)
        finally:
            os.close(copy)

    def _close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    # ------------------------------------------------------------------------------------------------ from the event loop

    def revive(self) -> asyncio.Future[None]:
        """Try again what was refused: there may be room now."""

        def work() -> None:
            self._error = None
            refused, self._refused = self._refused, []
            for data in refused:
                self.write(data)

        return self._disk.run(work)

    def close(self) -> asyncio.Future[None]:
        def work() -> None:
            self.sync()
            self._close()

        return self._disk.settle(work)

    def finish(self, seal: Seal) -> asyncio.Future[Finished]:
        """Seal and give the file its final name (without ``.part``)."""

        def work() -> Finished:
            error = self._error
            if error is None:
                try:
                    if self._pen is None:
                        seal_plain(self._path, self._good, seal)
                    else:
                        seal_encrypted(self._path, self._good, seal, self._pen)
                    self._close()
                    return Finished(self._size + len(seal.tail), proof=self._prove(), notes=self.take_notes())
                except OSError as failure:
                    error = failure
            self._close()
            found = salvage(self._path, self._shelf)
            if found is None:
                return Finished(0, error=error)
            notes = [note for note in self.take_notes() if note.offset + note.size <= found.end]
            return Finished(found.end, found.duration_ms, error, self._prove(), notes)

        return self._disk.settle(work)

    def _prove(self) -> dict[str, object]:
        return prove(self._shelf, final_name(self._path), self._disk.digest, self._head)


def reserve(path: Path, size: int) -> None:
    """Room that :meth:`Path.unlink` gives back when the disk is full."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        os.posix_fallocate(fd, 0, size)
    finally:
        os.close(fd)


def free_bytes(path: Path) -> int:
    """Of the file system that holds ``path`` (which may not exist yet)."""
    return disk_space(path)[0]


def disk_space(path: Path) -> tuple[int, int]:
    """Bytes that are free on the file system that holds ``path``, and how many it has."""
    while not path.exists() and path != path.parent:
        path = path.parent
    found = shutil.disk_usage(path)
    return found.free, found.total
