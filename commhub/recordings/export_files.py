"""Exports on disk: a folder for each, which the recorder fills. Blocking; whoever calls is off the loop."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from pathlib import Path

from commhub.archive import Archive, Reader, of_export
from commhub.archive.sealed import MAGIC
from commhub.model import ULID_PATTERN

_OURS = re.compile(ULID_PATTERN)
YOUNG = 3600.0  # seconds: a folder that nobody knows may be of one that is just being made
MIMES = {"film.mp4": "video/mp4", "tracks.zip": "application/zip", "bundle.zip": "application/zip"}


class Files:
    """``archive`` knows which are encrypted, and opens them: those of encrypted sessions, by the session's key."""

    def __init__(self, folder: Path, archive: Archive) -> None:
        self.folder, self._archive = folder, archive

    def path(self, export: str, file: str) -> Path:
        """KeyError for what is no file of an export."""
        if not _OURS.fullmatch(export) or file not in MIMES:
            raise KeyError(file)
        return self.folder / export / file

    def open(self, session: str, export: str, file: str, size: int) -> Reader:
        """KeyError for what is no file of an export; FileNotFoundError, OSError; ValueError when the session's key is not here,
        or the file is not as it was made: of ``size`` bytes."""
        reader = self._archive.made(session, of_export(export, file), self.path(export, file))
        if reader.size != size:
            reader.close()
            raise ValueError("A file of an export has another size than was made.")
        return reader

    def plain(self, session: str, export: str, file: str) -> bool:
        """Does it lie plain though its session is encrypted? So did what earlier versions made."""
        try:
            with self.path(export, file).open("rb") as opened:
                begin = opened.read(len(MAGIC))
            return begin != MAGIC and self._archive.encrypts(session)
        except (KeyError, OSError, ValueError):
            return False

    def remove(self, export: str) -> None:
        if _OURS.fullmatch(export):
            shutil.rmtree(self.folder / export, ignore_errors=True)

    def used(self) -> int:
        """Bytes of all of them."""
        total = 0
        for path in self.folder.glob("*/*") if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    def sweep(self, known: set[str]) -> int:
        """Removes what belongs to no export; how many folders."""
        gone = 0
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if not _OURS.fullmatch(path.name) or path.name in known:
                continue
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > YOUNG:
                    shutil.rmtree(path)
                    gone += 1
        return gone
