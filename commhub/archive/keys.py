"""The keys of encrypted recordings: one file each, apart from the recordings, wrapped by a key of the hub's vault.

``recording-keys/<session>`` holds the session's algorithm and key, sealed (AES-256-GCM) for that session by the vault's key
``recordings``. Who deletes it has deleted the recording, wherever its files and their copies are. Blocking.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from commhub.archive.sealed import ALGORITHMS, KEY, SessionKey
from commhub.vault import Vault

FOLDER, VAULT, SEALING = "recording-keys", "keys", "recordings"  # in the data directory; the vault's own key
_SESSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_LIMIT = 4096  # bytes of a key's file
_KNOWN = 512


class Keys(Protocol):
    def find(self, session: str) -> SessionKey | None:
        """None when the session is not encrypted, or its key was deleted. OSError, ValueError."""


@dataclass(frozen=True, slots=True, repr=False)
class OneKey:
    """For a process that works at one session, and shall open no other one."""

    session: str
    key: SessionKey

    def find(self, session: str) -> SessionKey | None:
        return self.key if session == self.session else None


class SessionKeys:
    """``folder`` is made on first use. One may be used by several threads, and several processes may use one folder."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._folder, self._vault = folder, vault
        self._known: dict[str, tuple[int, int, SessionKey]] = {}  # session → inode, mtime of the file, key

    @staticmethod
    def of(data_dir: Path) -> SessionKeys:
        """Those of this machine's recordings."""
        return SessionKeys(data_dir / FOLDER, Vault(data_dir / VAULT, SEALING))

    def find(self, session: str) -> SessionKey | None:
        """None when there is none: the session is not encrypted, or its key was deleted. Looked for each time, so what is deleted
        opens nothing any more, whoever has read it before. OSError; ValueError when it does not open."""
        path = self._path(session)
        try:
            found = path.stat()
        except FileNotFoundError:
            self._known.pop(session, None)
            return None
        known = self._known.get(session)
        if known is not None and known[:2] == (found.st_ino, found.st_mtime_ns):
            return known[2]
        key = self._read(session, path)
        while len(self._known) >= _KNOWN:
            self._known.pop(next(iter(self._known)), None)
        self._known[session] = (found.st_ino, found.st_mtime_ns, key)
        return key

    def _read(self, session: str, path: Path) -> SessionKey:
        with path.open("rb") as file:
            wrapped = file.read(_LIMIT)
        algorithm, _, key = self._vault.unseal(wrapped, _about(session)).partition(" ")
        if algorithm not in ALGORITHMS or len(data := bytes.fromhex(key)) != KEY:
            raise ValueError("The key of a recording has a wrong form.")
        return SessionKey(data, algorithm)

    def make(self, session: str, algorithm: str) -> SessionKey:
        """A new one; the one that is there when there is one. It is on the disk before anything is written with it. OSError;
        ValueError."""
        if (known := self.find(session)) is not None:
            return known
        wrapped = self._vault.seal(f"{algorithm} {secrets.token_hex(KEY)}", _about(session))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written beside and linked into place: nobody ever reads half of it.
        draft = self._folder / f".{session}.{secrets.token_hex(8)}"
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(wrapped)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._path(session))
        finally:
            draft.unlink()
        _sync(self._folder)
        made = self.find(session)
        assert made is not None
        return made

    def forget(self, session: str) -> bool:
        """Delete the key, and with it whatever was recorded: overwritten, unlinked, on the disk. False when there was none.
        OSError."""
        path = self._path(session)
        self._known.pop(session, None)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            os.pwrite(fd, os.urandom(os.fstat(fd).st_size), 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        path.unlink(missing_ok=True)
        _sync(self._folder)
        return True

    def _path(self, session: str) -> Path:
        if not _SESSION.fullmatch(session):
            raise FileNotFoundError(2, "There is no recording with such a name", session)
        return self._folder / session


def _about(session: str) -> str:
    return f"recording {session}"


def _sync(folder: Path) -> None:
    """Make names in a folder durable. OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
