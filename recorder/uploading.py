"""Recordings go into an S3 store: segment by segment as they close, journal and manifest behind them, and at the end once more.

What was put there is compared with what lies here, then noted (``commhub.archive.placed``); so whatever is killed goes on where
it was. Only what was compared, and is still there, is dropped here, and only ``keep_days`` after the end. A store that fails is
asked again with back-off; nothing here is touched meanwhile, and after ``alarm_seconds`` somebody is told. On a disk that gets
full what lies in both places is dropped before (:mod:`recorder.dropping`). All of it is done by
one thread of its own: neither the event loop nor the disk's threads ever wait for the network.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from commhub import log as logs
from commhub.archive import placed
from commhub.archive.placed import Placed, Refused
from commhub.media.messages import Uploads
from recorder.dropping import Dropping, Kept, lost, segments
from recorder.shelf import JOURNAL, MANIFEST, RESERVE, sync_folder

log = logs.get(__name__)
GONE = ".gone"  # of recordings that were deleted: an empty file for each whose objects are still there
LOOK = 5.0  # s between two looks
_FIRST, _LONGEST = 1.0, 60.0  # s of back-off
_TRIED = 3  # refusals in one pass
_QUIET = 10.0  # s for which nothing was written any more: then it is closed
_SAY = 60.0  # s between two words of a failing store
_DAY = 86_400.0


class Store(Protocol):
    """As :class:`commhub.archive.s3.Remote`."""

    def name(self, session: str, path: str) -> str: ...
    def put(self, name: str, file: Path, size: int) -> Kept: ...
    def head(self, name: str) -> Kept: ...
    def delete(self, session: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """``keep_days`` None: what lies here is never dropped."""

    keep_days: float | None = None
    alarm_seconds: float = 600.0


class Uploader:
    """``folder`` holds a folder per session, those that are ``mine`` are looked after; ``tell`` is called in the thread."""

    def __init__(
        self, folder: Path, store: Store, policy: Policy, mine: Callable[[str], bool], tell: Callable[[Uploads], None]
    ) -> None:
        self._folder, self._store, self._policy, self._mine, self._tell = folder, store, policy, mine, tell
        self._done: dict[str, float] = {}  # sessions that are there as a whole: when they are dropped here (UTC s)
        self._dropped: set[str] = set()
        self._stop, self._wake = threading.Event(), threading.Event()
        self.dropping = Dropping(folder, store, mine, self._again)
        self._thread: threading.Thread | None = None
        self._failing_since = 0.0
        self._now = self._said = 0.0
        self._told = False
        self._pause = _FIRST
        self._reason = ""
        self.uploaded = 0  # bytes
        self.waiting = (0, 0)  # files, bytes

    @property
    def failing_seconds(self) -> float:
        return time.time() - self._failing_since if self._failing_since else 0.0

    def counters(self) -> dict[str, float]:
        files, size = self.waiting
        return {
            "upload_bytes": self.uploaded, "upload_waiting_files": files, "upload_waiting_bytes": size,
            "upload_failing_seconds": self.failing_seconds,
        }  # fmt: skip

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="upload", daemon=True)
        self._thread.start()

    def close(self, patience: float = 10.0) -> None:
        """What is being put there is finished, or begun anew by the next process. Blocking."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(patience)

    def forget(self, session: str) -> None:
        """It was deleted: its objects are deleted, too, as soon as the store lets itself be asked. OSError."""
        (self._folder / GONE).mkdir(mode=0o750, parents=True, exist_ok=True)
        (self._folder / GONE / session).touch(mode=0o640)
        sync_folder(self._folder / GONE)

    def make_room(self, count: int) -> None:
        """So many bytes of what lies in the store, too, shall be dropped here; 0: none."""
        if self.dropping.want(count):
            self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(self.look(time.time()))
            self._wake.clear()

    def look(self, now: float) -> float:
        """One pass; seconds until the next one. ``now`` is UTC (s)."""
        self._now = now
        errors: list[OSError] = []
        works: list[Callable[[], None]] = [self._drop_wanted]
        works += [partial(self._put, session, now) for session in self._sessions()]
        works += [self._delete, partial(self._drop, now)]
        for work in works:
            try:
                work()
            except OSError as error:
                errors.append(error)
            except Exception as error:
                # A client's fault that nobody foresaw is one of the store's: what lies here stays here.
                log.exception("upload failed")
                errors.append(Refused(type(error).__name__))
            if sum(isinstance(error, Refused) for error in errors) >= _TRIED or self._stop.is_set():
                break  # one file that is refused holds up nobody; a store that is not there is not asked for each
        if errors:
            return self._failed(errors[0], now)
        self._pause, self._failing_since, self.waiting = _FIRST, 0.0, (0, 0)
        if self._told:
            self._told = False
            log.warning("upload goes on")
            self._tell(Uploads(failing=False))
        return LOOK

    def _failed(self, error: OSError, now: float) -> float:
        self._failing_since = self._failing_since or now
        self._reason = error.strerror or str(error)
        if (suppressed := logs.limited("upload", 60)) is not None:
            log.warning("upload refused", reason=self._reason, suppressed=suppressed)
        with contextlib.suppress(OSError):
            self.waiting = self._count()
        late = now - self._failing_since >= self._policy.alarm_seconds
        if late and (not self._told or now - self._said >= _SAY):
            if not self._told:
                log.error("upload fails", files=self.waiting[0], bytes=self.waiting[1], reason=self._reason)
            self._told, self._said = True, now
            since = int(self._failing_since * 1e9)
            self._tell(Uploads(True, *self.waiting, since, self._reason))
        pause, self._pause = self._pause, min(_LONGEST, self._pause * 2)
        return pause

    # ---- what has to go there

    def _sessions(self) -> Iterator[Path]:
        """Those of which something may be missing there."""
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if not self._mine(path.name) or path.is_symlink():
                continue
            if path.name in self._done or path.name in self._dropped:
                if not (path / RESERVE).exists():
                    continue
                self._again(path.name)  # it goes on
            if (path / JOURNAL).is_file():
                yield path

    def _again(self, session: str) -> None:
        self._done.pop(session, None)
        self._dropped.discard(session)

    def _put(self, session: Path, now: float) -> None:
        there = placed.load(session)
        closed = _closed(session, now)
        fresh = False
        for path in segments(session):
            fresh |= self._put_one(session, path, there)
            self._drop_wanted()
        # A journal that grows goes there with each segment: what is there can be verified, and played.
        for name in (JOURNAL, MANIFEST) if fresh or closed else ():
            self._put_one(session, session / name, there)
        if closed and not self._stop.is_set():
            days = self._policy.keep_days
            at = max((one.at for one in there.values()), default=0) / 1e9 or now
            self._done[session.name] = at + days * _DAY if days is not None else float("inf")

    def _put_one(self, session: Path, path: Path, there: dict[str, Placed]) -> bool:
        """Whether it was not there as it is."""
        name = str(path.relative_to(session))
        try:
            found = path.stat()
        except FileNotFoundError:  # deleted, or dropped
            return False
        known = there.get(name)
        if self._stop.is_set() or (known is not None and (known.size, known.modified) == (found.st_size, found.st_mtime_ns)):
            return False
        try:
            kept = self._store.put(self._store.name(session.name, name), path, found.st_size)
        except FileNotFoundError:
            return False
        self._worked()
        self.dropping.more()
        self.uploaded += found.st_size
        one = Placed(name, found.st_size, found.st_mtime_ns, kept.tag, int(self._now * 1e9))
        placed.add(session, one)
        there[name] = one
        return True

    def _worked(self) -> None:
        self._pause = _FIRST

    def _count(self) -> tuple[int, int]:
        """Files and bytes that are not there."""
        files = size = 0
        for session in self._sessions():
            there = placed.load(session)
            for path in segments(session):
                with contextlib.suppress(FileNotFoundError):
                    found = path.stat()
                    known = there.get(str(path.relative_to(session)))
                    if known is None or (known.size, known.modified) != (found.st_size, found.st_mtime_ns):
                        files, size = files + 1, size + found.st_size
        return files, size

    # ---- what does not have to lie here or there any more

    def _drop_wanted(self) -> None:
        self.dropping.look(int(self._now * 1e9), self._stop.is_set)

    def _drop(self, now: float) -> None:
        for name in [name for name, due in self._done.items() if due <= now]:
            session = self._folder / name
            if (session / RESERVE).exists() or not session.is_dir():  # it goes on, or was deleted
                del self._done[name]
            elif self._drop_one(session):
                del self._done[name]
                self._dropped.add(name)
            else:
                del self._done[name]  # something is missing there: it is put there again

    def _drop_one(self, session: Path) -> bool:
        """Drop what is there as it is here; journal and manifest stay in both places. False: some of it was not there."""
        there, whole = placed.load(session), True
        drop: list[Path] = []
        for path in (*segments(session), session / JOURNAL, session / MANIFEST):
            name = str(path.relative_to(session))
            known, found = there.get(name), path.stat()
            if known is None or (known.size, known.modified) != (found.st_size, found.st_mtime_ns):
                whole = False
                continue
            try:
                kept = self._store.head(self._store.name(session.name, name))
            except FileNotFoundError:
                kept = None
            if kept is None or (kept.size, kept.tag) != (known.size, known.tag):
                lost(session, name, int(self._now * 1e9))
                whole = False
            elif path.parent != session:
                drop.append(path)
        for path in drop if whole else ():
            path.unlink()
        if whole:
            log.info("recording dropped here", session=session.name)
        return whole

    def _delete(self) -> None:
        gone = self._folder / GONE
        for path in sorted(gone.iterdir()) if gone.is_dir() else ():
            if self._mine(path.name) and not (self._folder / path.name).exists():
                count = self._store.delete(path.name)
                path.unlink()
                log.info("recording deleted in the store", session=path.name, objects=count)


def _closed(session: Path, now: float) -> bool:
    try:
        written = max((session / name).stat().st_mtime for name in (JOURNAL, MANIFEST))
    except FileNotFoundError:
        return False
    return not (session / RESERVE).exists() and now - written >= _QUIET
