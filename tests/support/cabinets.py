"""Encrypted recordings for tests, and their plain copies."""

from __future__ import annotations

from pathlib import Path

from commhub.archive import Archive, SessionKeys
from recorder.shelf import Cabinet


def cabinet(data_dir: Path, algorithm: str = "aes-256-gcm") -> Cabinet:
    return Cabinet(SessionKeys.of(data_dir), algorithm)


def archive(data_dir: Path) -> Archive:
    return Archive(data_dir / "recordings", SessionKeys.of(data_dir))


def copied(found: Archive, session: str, folder: Path) -> Path:
    """A session's files as they were recorded, in ``folder``."""
    for name in found.paths(session):
        path = folder / session / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "reserve":
            path.touch()
            continue
        with found.open(session, name) as reader:
            path.write_bytes(reader.read())
    return folder / session
