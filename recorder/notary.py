"""Evidence of one running recording: what its files' pieces digest to, the journal's chain, the checkpoints.

Every ``seconds`` the digests of all pieces that were written go into the journal, and a signed checkpoint behind them; when
that is on the disk the hub hears of it, and keeps it where who can write recordings cannot.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from commhub import log as logs
from commhub.media.messages import Checkpoint
from commhub.model import utc_ns
from recorder.chain import Chain
from recorder.files import Disk, File
from recorder.keys import Keys
from recorder.seals import PrivateKey, digest
from recorder.whole import Note

log = logs.get(__name__)
Open = tuple[str, int, File]  # track, sequence, the segment that is being written


@dataclass(frozen=True, slots=True)
class Evidence:
    """How recordings are proved: ``digest`` is sha256 or sm3."""

    keys: Keys
    digest: str = "sha256"
    seconds: float = 10.0


class Write(Protocol):
    def __call__(self, kind: str, /, at: int = 0, **fields: Any) -> None: ...


def pieces(track: str, sequence: int, algorithm: str, notes: list[Note]) -> dict[str, Any]:
    """The fact of some pieces of a segment, one behind the other: their sizes, the media time behind each (ms from the
    segment's first frame), their digests."""
    return {
        "track": track, "sequence": sequence, "offset": notes[0].offset, "algorithm": algorithm,
        "sizes": [note.size for note in notes], "until": [note.until for note in notes],
        "digests": base64.b64encode(b"".join(note.digest for note in notes)).decode(),
    }  # fmt: skip


class Notary:
    """``open`` gives the segments that are being written, ``write`` journals a fact, ``flush`` gives all facts to ``journal``."""

    def __init__(
        self, evidence: Evidence, chain: Chain, disk: Disk, write: Write, flush: Callable[[], None], journal: File,
        open: Callable[[], Iterable[Open]],
    ) -> None:  # fmt: skip
        self._evidence, self._chain, self._disk = evidence, chain, disk
        self._write, self._flush, self._journal, self._open = write, flush, journal, open
        self._due = 0.0
        self._running: asyncio.Task[None] | None = None
        self._key = ""
        self.told: Callable[[Checkpoint], None] = lambda checkpoint: None

    def line(self, line: bytes) -> None:
        """Every line of the journal, in their order."""
        self._chain.feed(line)

    def tick(self, now: float) -> None:
        if now >= self._due and (self._running is None or self._running.done()):
            self._due = now + self._evidence.seconds
            self._running = asyncio.get_running_loop().create_task(self._checkpoint(), name="checkpoint")

    async def close(self) -> None:
        """Nothing is begun any more."""
        self._due = float("inf")
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)

    async def last(self, manifest: bytes) -> Checkpoint | None:
        """The end: of the whole journal and of ``manifest``, the document that is written beside it. To be told when it is on
        the disk."""
        try:
            key = await self._disk.run(self._evidence.keys.current)
        except (OSError, ValueError) as error:
            self._unsigned(error)
            return None
        return self._sign(key, digest(self._evidence.digest, manifest).hex())

    async def _checkpoint(self) -> None:
        files = list(self._open())

        def collect() -> tuple[PrivateKey, list[tuple[str, int, list[Note]]]]:
            key = self._evidence.keys.current()
            return key, [(track, sequence, file.take_notes()) for track, sequence, file in files]

        try:
            key, found = await self._disk.run(collect)
        except (OSError, ValueError) as error:
            self._unsigned(error)
            return
        for track, sequence, notes in found:
            self.noted(track, sequence, notes)
        checkpoint = self._sign(key, "")
        await self._disk.settle(self._journal.sync)
        self.told(checkpoint)

    def noted(self, track: str, sequence: int, notes: list[Note]) -> None:
        if notes:
            self._write("pieces", **pieces(track, sequence, self._evidence.digest, notes))

    def _sign(self, key: PrivateKey, manifest: str) -> Checkpoint:
        if self._key != key.public.id:
            self._key = key.public.id
            history = [entry.document() for entry in self._evidence.keys.history]
            self._write("key", key=self._key, history=history)
        record = self._chain.checkpoint(utc_ns(), key, manifest)
        self._write(record["type"], **{name: value for name, value in record.items() if name != "type"})
        self._flush()
        return Checkpoint(
            session=self._chain.session, number=record["number"], at=record["at"], until=record["until"], head=record["head"],
            key=record["key"], signature=record["signature"],
        )  # fmt: skip

    def _unsigned(self, error: Exception) -> None:
        if (suppressed := logs.limited(("key", self._chain.session), 60)) is not None:
            log.error("recording not signed", session=self._chain.session, reason=str(error), suppressed=suppressed)
