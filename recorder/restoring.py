"""A session that is lost here comes back from the S3 store. Blocking.

What comes is written aside and verified as a recording; then it takes its place in one step. Files that lie here already stay as
they are: what is missing among them comes. Names in a bucket are anybody's: only those that a session's files may have are taken.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from commhub.archive import MANIFEST_LIMIT, PART, Archive, placed
from commhub.archive.archive import is_path, is_session
from commhub.archive.keys import Keys
from commhub.archive.placed import Placed, Refused
from commhub.wire import journal
from recorder.dropping import Kept
from recorder.faults import Verdict
from recorder.manifest import Manifest
from recorder.shelf import JOURNAL, MANIFEST, RESERVE, TRACKS, sync_folder
from recorder.stored import Stored
from recorder.verify import Source

ASIDE = ".restoring"
_BLOCK = 4 << 20


class Store(Protocol):
    """As :class:`commhub.archive.s3.Remote`."""

    def name(self, session: str, path: str) -> str: ...
    def all(self, session: str) -> Mapping[str, Kept]: ...
    def read(self, name: str, offset: int, count: int) -> bytes: ...


class Wrong(Exception):
    """What came is not what was recorded: nothing was put in its place."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__("What came is not what was recorded.")
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Restored:
    """``files`` came, of so many ``bytes``."""

    files: int
    bytes: int
    verdict: Verdict


class Restoring:
    """Into ``folder``, which holds a folder per session and keeps ``floor`` bytes free. ``keys`` open encrypted sessions,
    ``verify`` says whether one is what was recorded."""

    def __init__(
        self, folder: Path, store: Store, keys: Keys | None, verify: Callable[[Source], Verdict], floor: int = 0
    ) -> None:
        self._folder, self._store, self._keys, self._verify, self._floor = folder, store, keys, verify, floor

    def restore(self, session: str, *, anyway: bool = False, tell: Callable[[str], None] = lambda name: None) -> Restored:
        """``anyway``: also where it is not what was recorded. ``tell`` hears of each file. :class:`Wrong`; ValueError with a
        sentence where nothing can be restored; OSError of the store and the disk."""
        if not is_session(session):
            raise ValueError("There is no recording with such a name.")
        here, aside = self._folder / session, self._folder / ASIDE / session
        if (here / RESERVE).exists():
            raise ValueError("The recording still goes on: it is here.")
        there = {name: kept for name, kept in self._store.all(session).items() if is_path(name) and name != RESERVE}
        if JOURNAL not in there:
            raise ValueError("The store has nothing of such a recording.")
        missing = {name: kept for name, kept in there.items() if not (here / name).exists()}
        self._room(sum(kept.size for kept in missing.values()))
        shutil.rmtree(aside, ignore_errors=True)
        try:
            for name in sorted(missing, key=lambda name: (name != JOURNAL, name)):
                self._fetch(session, name, missing[name], aside / name)
                tell(name)
                if name == JOURNAL:
                    self._opens(session, aside.parent)
            for path in _lying(here):
                _link(path, aside / path.relative_to(here))
            self._begun(session, aside)
            verdict = self._verify(Stored(Archive(aside.parent, self._keys), session))
            if verdict.faults and not anyway:
                raise Wrong(verdict)
            self._place(session, missing, there)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return Restored(len(missing), sum(kept.size for kept in missing.values()), verdict)

    def _room(self, wanted: int) -> None:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free - self._floor
        if wanted > free:
            raise ValueError(f"The disk has no room for it: {wanted} bytes are needed, {max(0, free)} are free.")

    def _fetch(self, session: str, name: str, kept: Kept, path: Path) -> None:
        """OSError; Refused when less came than the store says it has. What came is proved by its signatures afterwards."""
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        at = 0
        with path.open("xb") as file:
            while at < kept.size and (
                block := self._store.read(self._store.name(session, name), at, min(_BLOCK, kept.size - at))
            ):
                file.write(block)
                at += len(block)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(0o640)
        if at != kept.size:
            raise Refused(f"Of {name} the store gives {at} bytes of {kept.size}.")

    def _opens(self, session: str, root: Path) -> None:
        """ValueError when it is encrypted and its key is not here: the rest need not come."""
        Archive(root, self._keys).open(session, JOURNAL, tolerant=True).close()

    def _begun(self, session: str, aside: Path) -> None:
        """One that nobody had ended when it was lost is as one whose recorder died: it is repaired by the recorder."""
        archive = Archive(aside.parent, self._keys)
        manifest = Manifest()
        with archive.open(session, JOURNAL, tolerant=True) as reader:
            for record in journal.scan(reader.read_at(0, 16 * MANIFEST_LIMIT)).records:
                manifest.apply(record)
        if manifest.state == "recording":
            (aside / RESERVE).touch(mode=0o640)

    def _place(self, session: str, missing: dict[str, Kept], there: dict[str, Kept]) -> None:
        here, aside = self._folder / session, self._folder / ASIDE / session
        now = time.time_ns()
        notes = [
            Placed(name, kept.size, (aside / name).stat().st_mtime_ns, kept.tag, now)
            for name, kept in there.items()
            if name in missing and name not in (JOURNAL, MANIFEST)  # those two go there again: they are small, and may grow
        ]
        if not here.exists():
            placed.add(aside, *notes)
            _sync(aside)
            os.rename(aside, here)
            sync_folder(self._folder)
            return
        placed.add(here, *notes)
        for name in missing:
            (here / name).parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            os.rename(aside / name, here / name)
        _sync(here)


def _lying(here: Path) -> list[Path]:
    """What of the session lies here."""
    media = (path for path in (here / TRACKS).glob("*/*") if not path.name.endswith(PART))
    return [path for path in (here / JOURNAL, here / MANIFEST, *media) if path.is_file() and not path.is_symlink()]


def _link(path: Path, to: Path) -> None:
    to.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    os.link(path, to)


def _sync(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if path.is_dir():
            sync_folder(path)
