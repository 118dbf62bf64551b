"""Files written by two threads, so that no disk holds up the event loop: one appends, one makes durable.

What is appended goes to the kernel at once (a killed process loses nothing of it) and to the disk within ``sync_seconds``.
A write that fails leaves the file as long as it was before; the file's owner is told, the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from commhub import log as logs
from recorder import seals
from recorder.container import Seal, Torn
from recorder.containers import Found, recover

log = logs.get(__name__)
T = TypeVar("T")
PART = ".part"
_ZEROS = 16  # so many at the end are no media
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


@dataclass(frozen=True, slots=True)
class Note:
    """A piece of media as it was written: where, ``until`` which time of its file (ms), its digest."""

    offset: int
    size: int
    until: int
    digest: bytes


class File:
    """One growing file. ``failed`` is called in the event loop, once, when a write is refused.

    ``keep``: what is refused waits for :meth:`revive` (a journal's last lines on a full disk).
    """

    def __init__(
        self, disk: Disk, path: Path, failed: Callable[[OSError], None], *, existing: bool = False, keep: bool = False
    ) -> None:
        self._disk, self._path, self._failed = disk, path, failed
        self._existing, self._keep = existing, keep
        self._fd = -1
        self._good = 0  # bytes that are whole
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
                view = memoryview(data)
                while view:
                    view = view[os.write(self._fd, view) :]
                if until is not None:
                    self._head = self._head or self._good
                    self._notes.append(Note(self._good, len(data), until, seals.digest(self._disk.digest, data)))
                self._good += len(data)
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
        self._good = os.fstat(self._fd).st_size

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
                    size = _seal(self._path, self._good, seal)
                    self._close()
                    return Finished(size, proof=self._prove(), notes=self.take_notes())
                except OSError as failure:
                    error = failure
            self._close()
            found = salvage(self._path)
            if found is None:
                return Finished(0, error=error)
            notes = [note for note in self.take_notes() if note.offset + note.size <= found.end]
            return Finished(found.end, found.duration_ms, error, self._prove(), notes)

        return self._disk.settle(work)

    def _prove(self) -> dict[str, object]:
        return prove(final_name(self._path), self._disk.digest, self._head)


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


def prove(path: Path, algorithm: str, head: int) -> dict[str, object]:
    """What the journal says of a file that is whole: its size, and the digests of all its bytes and of its first ``head`` ones.
    Nothing when it cannot be read."""
    whole, size = seals.begin(algorithm), 0
    try:
        with path.open("rb", buffering=0) as file:
            begins = seals.digest(algorithm, file.read(head)).hex()
            file.seek(0)
            while block := file.read(1 << 20):
                whole.update(block)
                size += len(block)
    except OSError as error:
        log.error("recording not proved", error=error.strerror)
        return {}
    return {"algorithm": algorithm, "digest": whole.digest().hex(), "head": begins, "size": size}


def noted(path: Path, algorithm: str, pieces: list[tuple[int, int, int]]) -> list[Note]:
    """``pieces`` of a file: offset, size, the time behind it (ms). OSError."""
    with path.open("rb") as file:
        out = []
        for offset, size, until in pieces:
            file.seek(offset)
            out.append(Note(offset, size, until, seals.digest(algorithm, file.read(size))))
        return out


def _seal(path: Path, end: int, seal: Seal) -> int:
    """Append the tail, put the patches in place, make it durable, rename."""
    plain = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)  # pwrite appends on the other one
    try:
        done = 0
        while done < len(seal.tail):
            done += os.pwrite(plain, seal.tail[done:], end + done)
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
    os.rename(path, final_name(path))
    sync_folder(path.parent)
    return end + len(seal.tail)


def salvage(path: Path) -> Found | None:
    """Make a torn file playable: drop what is behind its last whole piece, seal, take ``.part`` off its name. None when
    nothing can be played (the file is left as it is). A full disk leaves it unsealed, which can be played too."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            view = memoryview(data)[: _written(data)]
            try:
                found = recover(path.name.removesuffix(PART).rpartition(".")[2], view)
            finally:
                view.release()
    except (Torn, ValueError, OSError):  # an empty file cannot be mapped
        return None
    try:
        os.truncate(path, found.end)
        _seal(path, found.end, found.seal)
    except OSError as error:
        log.warning("recording left unsealed", error=error.strerror)
        with contextlib.suppress(OSError):
            os.rename(path, final_name(path))
    return found


def _written(data: mmap.mmap) -> int:
    """Where a file ends that a power failure may have left with zeros behind what was written."""
    end = len(data)
    while end:
        begin = max(0, end - (64 << 10))
        kept = len(data[begin:end].rstrip(b"\0"))
        if kept:
            end = begin + kept
            break
        end = begin
    return end if len(data) - end >= _ZEROS else len(data)


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
