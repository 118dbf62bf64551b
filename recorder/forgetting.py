"""Deleted sessions: their folders go in one step, then file by file. Blocking: for a thread.

A folder is first moved to where nobody looks for recordings, so that a process killed in the middle leaves a whole recording or
none; what it left is taken away when the session is named again, or at the next start.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from recorder.shelf import sync_folder

FORGOTTEN = ".forgotten"


def forget(folder: Path, session: str) -> None:
    """``folder`` holds a folder per session. Idempotent; OSError: something is left."""
    away = folder / FORGOTTEN / session
    if (folder / session).is_dir():
        away.parent.mkdir(mode=0o750, exist_ok=True)
        if away.exists():
            shutil.rmtree(away)
        os.rename(folder / session, away)
        sync_folder(folder)
    if away.exists():
        shutil.rmtree(away)
        sync_folder(away.parent)


def sweep(folder: Path, mine: Callable[[str], bool]) -> None:
    """What a killed process left, of sessions that are ``mine``. OSError."""
    away = folder / FORGOTTEN
    for path in list(away.iterdir()) if away.is_dir() else ():
        if mine(path.name):
            shutil.rmtree(path)
