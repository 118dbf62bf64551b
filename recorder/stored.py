"""Sessions that lie as the recorder keeps them (encrypted, or moved away) as sources of :mod:`recorder.verify`. Blocking."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from commhub.archive import Archive, SessionKeys, sealed
from commhub.archive.archive import RemoteFiles
from commhub.archive.keys import FOLDER
from commhub.archive.placed import STORED
from recorder.bundles import Bundle
from recorder.shelf import JOURNAL
from recorder.verify import Data, Folder, Source


class Stored:
    """A session of ``archive``. ValueError when its key is not here."""

    def __init__(self, archive: Archive, session: str) -> None:
        self._archive, self._session = archive, session
        with contextlib.suppress(FileNotFoundError):
            archive.open(session, JOURNAL, tolerant=True).close()

    def names(self) -> list[str]:
        return self._archive.paths(self._session)

    @contextlib.contextmanager
    def read(self, name: str) -> Iterator[Data]:
        try:
            reader = self._archive.open(self._session, name, tolerant=True)
        except FileNotFoundError:
            raise KeyError(name) from None
        except ValueError:  # its beginning was changed, so nothing of it can be read: it differs from its first byte on
            yield bytes(self._archive.stamp(self._session, name)[1])
            return
        with reader:
            yield reader.read()


def source(path: Path, remote: RemoteFiles | None = None) -> Source:
    """A session's folder, as it stands or with the keys of the data directory that it is in; or a bundle. What is there no more
    is read from ``remote``. OSError, ValueError."""
    if not path.is_dir():
        return Bundle(path)
    if not _encrypted(path / JOURNAL) and (remote is None or not (path / STORED).exists()):
        return Folder(path)
    path = path.absolute()
    beside = path.parent.parent
    return Stored(Archive(path.parent, SessionKeys.of(beside) if (beside / FOLDER).is_dir() else None, remote), path.name)


def _encrypted(journal: Path) -> bool:
    try:
        with journal.open("rb") as file:
            return file.read(len(sealed.MAGIC)) == sealed.MAGIC
    except OSError:
        return False
