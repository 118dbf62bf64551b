"""Downloads on disk: a film and what its writer keeps beside it. Blocking; whoever calls is off the loop."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from pathlib import Path

from commhub.model import ULID_PATTERN

FILM = ".mp4"
_BESIDE = (".part", ".index", ".done", ".lock")
_OURS = re.compile(f"({ULID_PATTERN})({'|'.join(re.escape(one) for one in (FILM, *_BESIDE))})")
YOUNG = 3600.0  # seconds: a file that nobody knows may be of one that is just being made


class Storage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, download: str) -> Path:
        """Without its ending, as its writer gets it."""
        return self.folder / download

    def film(self, download: str) -> Path:
        return self.path(download).with_suffix(FILM)

    def settle(self, download: str) -> None:
        """It is whole: nobody goes on with it."""
        for ending in _BESIDE:
            with contextlib.suppress(FileNotFoundError):
                self.path(download).with_suffix(ending).unlink()

    def remove(self, download: str) -> None:
        self.settle(download)
        with contextlib.suppress(FileNotFoundError):
            self.film(download).unlink()

    def used(self) -> int:
        """Octets of all of them."""
        total = 0
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    def free(self) -> int:
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free

    def sweep(self, known: set[str]) -> int:
        """Removes what belongs to no download; how many files."""
        gone = 0
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            found = _OURS.fullmatch(path.name)
            if found is None or found[1] in known:
                continue
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > YOUNG:
                    path.unlink()
                    gone += 1
        return gone
