"""What is written of one recording beside its media: the journal, the manifest that follows from it, the evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from commhub import log as logs
from commhub.media.messages import Checkpoint
from commhub.model import utc_ns
from commhub.wire import journal
from recorder import files
from recorder import manifest as manifests
from recorder.chain import Chain
from recorder.files import Disk, File
from recorder.manifest import Manifest
from recorder.notary import Evidence, Notary, Open
from recorder.shelf import JOURNAL, MANIFEST, RESERVE, Shelf, sync_folder
from recorder.whole import Note

log = logs.get(__name__)
RESERVED = 256 << 10  # bytes kept back so that a full disk still takes the last facts
_REFRESH = 2.0  # s between two manifests


class Book:
    """``refused`` hears what the disk does not take, ``open_files`` gives the segments that are being written. What is written
    counts in :attr:`manifest` at once. Belongs to one event loop."""

    all_gaps = 0  # of this process

    def __init__(
        self, folder: Path, disk: Disk, manifest: Manifest | None, evidence: Evidence | None, chain: Chain | None,
        refused: Callable[[OSError], None], open_files: Callable[[], Iterable[Open]], shelf: Shelf | None = None,
    ) -> None:  # fmt: skip
        self.manifest = manifest or Manifest()
        self.folder = folder
        self.shelf = shelf or Shelf(folder)
        self.witness: Callable[[Checkpoint], None] = lambda checkpoint: None
        self._disk, self._refused, self._open_files = disk, refused, open_files
        self._evidence, self._chain = evidence, chain
        self._journal: File | None = None
        self._notary: Notary | None = None
        self._unwritten: list[bytes] = []
        self._flushing = False
        self._refreshed = 0.0
        self._pause = _REFRESH

    @property
    def is_open(self) -> bool:
        return self._journal is not None

    def open(self, session: str) -> None:
        self._journal = File(self._disk, self.folder / JOURNAL, self._refused, self.shelf, existing=True, keep=True)
        if self._evidence is not None:
            chain = self._chain or Chain(session, self._evidence.digest)
            self._notary = Notary(self._evidence, chain, self._disk, self.write, self.flush, self._journal, self._open_files)
            self._notary.told = self.witness
        reserve = self.folder / RESERVE
        self._disk.run(lambda: files.reserve(reserve, RESERVED)).add_done_callback(self._reserved)

    def _reserved(self, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and isinstance(error := done.exception(), OSError):
            self._refused(error)

    async def give_way(self) -> None:
        """Free what was kept back: a full disk shall take the last facts."""
        reserve = self.folder / RESERVE
        await _quiet(self._disk.run(lambda: reserve.unlink(missing_ok=True)))

    def write(self, kind: str, /, at: int = 0, **fields: Any) -> None:
        """A fact. What is too long for a record is left out, and logged."""
        record: dict[str, Any] = {"type": kind, "at": at or utc_ns(), **fields}
        self.manifest.apply(record)
        Book.all_gaps += kind == "gap"
        try:
            line = journal.encode(record)
        except ValueError as error:
            log.warning("fact not journalled", session=self.manifest.session, type=kind, reason=str(error))
            return
        self._unwritten.append(line)
        if self._notary is not None:
            self._notary.line(line)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        self._flushing = False
        if self._unwritten and self._journal is not None:
            self._journal.append(b"".join(self._unwritten))
            self._unwritten.clear()

    def noted(self, track: str, sequence: int, notes: list[Note]) -> None:
        if self._notary is not None:
            self._notary.noted(track, sequence, notes)

    def tick(self, now: float) -> None:
        if now - self._refreshed >= self._pause:
            self.refresh(now)
        if self._notary is not None:
            self._notary.tick(now)

    def refresh(self, now: float) -> None:
        """Write the manifest; a long one less often."""
        self._refreshed = now
        loop = asyncio.get_running_loop()
        began = loop.time()
        document = manifests.encode(self.manifest.document(utc_ns()))
        self._pause = max(_REFRESH, 100 * (loop.time() - began))
        done = self._disk.run(lambda: self.shelf.replace(self.folder / MANIFEST, document))
        done.add_done_callback(self._reserved)

    async def close(self, ended: int, closed: dict[str, Any]) -> None:
        """The last fact (``closed``), signature and manifest; returns when everything is on the disk, or refused by it."""
        if self._notary is not None:
            await self._notary.close()
        self.write("closed", **closed)
        document = manifests.encode(self.manifest.document(ended))
        signed = await self._notary.last(document) if self._notary is not None else None
        self.flush()
        assert self._journal is not None
        ending, self._journal = self._journal, None

        def last() -> None:
            (self.folder / RESERVE).unlink(missing_ok=True)
            self.shelf.replace(self.folder / MANIFEST, document, durable=True)
            sync_folder(self.folder)

        await _quiet(ending.revive())
        await _quiet(ending.close())
        await _quiet(self._disk.settle(last))
        if signed is not None:
            self.witness(signed)


async def _quiet(future: asyncio.Future[None]) -> None:
    """Wait; what the disk refuses now is past help."""
    try:
        await future
    except OSError as error:
        log.error("recording not closed cleanly", error=error.strerror)
