"""The keys on disk, apart from recordings and database: ``history.json`` (public, for anybody) and a file for each private key.

The last key of the history signs. Made at the first start, rotated by a command; the recorder sees a new one by itself.
Blocking: for a thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from commhub.model import utc_ns
from recorder import pedigree, shelf
from recorder.pedigree import Entry
from recorder.seals import PrivateKey, PublicKey

HISTORY = "history.json"


class Keys:
    """``folder`` is made on first use; ``algorithm`` (ed25519, sm2) is that of the first key, and of later ones."""

    def __init__(self, folder: Path, algorithm: str = "ed25519") -> None:
        self._folder, self._algorithm = folder, algorithm
        self._seen: tuple[int, int] | None = None
        self._current: PrivateKey | None = None
        self.history: list[Entry] = []

    def current(self) -> PrivateKey:
        """The key that signs now; made when there is none. OSError; ValueError when what lies there is no history."""
        path = self._folder / HISTORY
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            mark = (found.st_mtime_ns, found.st_ino)
            if mark != self._seen or self._current is None:
                self._load()
                self._seen = mark
        if self._current is None:
            self.rotate(only_first=True)
        assert self._current is not None
        return self._current

    def rotate(self, *, only_first: bool = False) -> Entry:
        """A new key, signed by the one before, which signs nothing any more. ``only_first``: not when there is one."""
        with self._locked():
            self._load()
            if only_first and self.history:
                return self.history[-1]
            fresh = PrivateKey.make(self._algorithm)
            entry = pedigree.following(self._current, fresh.public, utc_ns())
            self._write(fresh)
            documents = [one.document() for one in [*self.history, entry]]
            shelf.replace(self._folder / HISTORY, json.dumps(documents, indent=1).encode() + b"\n", durable=True)
            self._load()
        return entry

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Of two processes that start together one makes the key."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _private(self, key: PublicKey) -> Path:
        return self._folder / f"{key.id}.key"

    def _write(self, key: PrivateKey) -> None:
        fd = os.open(self._private(key.public), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(key.data.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _load(self) -> None:
        try:
            self.history = load(self._folder / HISTORY)
        except FileNotFoundError:
            self.history, self._current = [], None
            return
        if not self.history:
            raise ValueError("The history of keys is empty.")
        last = self.history[-1].key
        self._current = PrivateKey.of(last.algorithm, bytes.fromhex(self._private(last).read_text("ascii")), last.data)


def load(path: Path) -> list[Entry]:
    """A history. OSError; ValueError with a sentence."""
    try:
        documents = json.loads(path.read_bytes())
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("A history of keys has a wrong form.") from None
    return pedigree.read(documents)
