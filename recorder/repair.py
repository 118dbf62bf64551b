"""What a recorder finds at its start: recordings that nobody closed are made whole again.

The journal loses its torn tail; every file loses what is behind its last whole piece and is sealed as if it had ended
there (nothing is decoded or copied); what is missing becomes a fact of the journal; the manifest is made anew.
Blocking: for a thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from commhub import log as logs
from commhub.media.messages import SessionState
from commhub.model import utc_ns
from commhub.wire import journal
from recorder import manifest as manifests
from recorder import seals
from recorder.chain import Chain
from recorder.manifest import Manifest, Segment, Track
from recorder.notary import Evidence, pieces
from recorder.shelf import JOURNAL, MANIFEST, RESERVE, TRACKS, Cabinet, Shelf
from recorder.whole import PART, Finished, final_name, noted, prove, salvage

log = logs.get(__name__)
_JOURNAL_LIMIT = 1 << 30


def survey(
    folder: Path, mine: Callable[[str], bool] = lambda session: True, cabinet: Cabinet | None = None
) -> tuple[list[SessionState], list[Path]]:
    """Recordings that are closed, and folders of those that are not; only of sessions that are ``mine``."""
    closed: list[SessionState] = []
    broken: list[Path] = []
    if not folder.is_dir():
        return closed, broken
    for path in sorted(folder.iterdir()):
        if not mine(path.name) or not path.is_dir() or path.is_symlink() or not (path / JOURNAL).is_file():
            continue
        state = None if left_open(path) else _closed(Shelf(path, cabinet))
        if state is None:
            broken.append(path)
        else:
            closed.append(state)
    return closed, broken


def left_open(folder: Path) -> bool:
    """Has a recording been begun that nobody ended?"""
    return (folder / RESERVE).exists()


def _closed(shelf: Shelf) -> SessionState | None:
    """What the manifest says of a closed recording; None when it is missing, torn or of one that ran."""
    try:
        found = msgspec.json.decode(shelf.read(shelf.folder / MANIFEST), type=dict[str, Any])
        if found["state"] == "recording" or found["session"] != shelf.folder.name:
            return None
        return SessionState(
            session=found["session"], room=found["room"], state=found["state"], code=found["code"], text=found["text"],
            text_zh=found["text_zh"], started_at=found["started_at"] * 1_000_000, ended_at=found["ended_at"] * 1_000_000,
            duration_ms=found["duration_ms"], tracks=len(found["tracks"]), bytes=found["bytes"], people=found["people"],
            about=found["about"],
        )  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError):
        return None


def load(shelf: Shelf) -> tuple[Manifest, journal.Scan] | None:
    """The manifest as its journal tells it; None when the journal does not even tell which recording it is."""
    session = shelf.folder.name
    try:
        scan = journal.scan(shelf.read(shelf.folder / JOURNAL, _JOURNAL_LIMIT))
    except (OSError, ValueError) as error:
        log.error("journal not readable", session=session, error=str(error))
        return None
    manifest = Manifest()
    for record in scan.records:
        manifest.apply(record)
    return (manifest, scan) if manifest.session == session else None


def chained(shelf: Shelf, algorithm: str) -> Chain:
    """The chain of a journal that goes on. OSError, ValueError."""
    chain = Chain(shelf.folder.name, algorithm)
    chain.resume(shelf.read(shelf.folder / JOURNAL, _JOURNAL_LIMIT))
    return chain


def repair(folder: Path, evidence: Evidence | None = None, cabinet: Cabinet | None = None) -> Manifest | None:
    """None when there is nothing to save. OSError when the disk does not let itself be written. With ``evidence`` what was found
    is signed. It stays in the form it has."""
    shelf = Shelf(folder, cabinet)
    loaded = load(shelf)
    if loaded is None:
        log.error("recording without a journal", session=folder.name)
        return None
    manifest, scan = loaded
    last_seen = _last_touched(folder)
    (folder / RESERVE).unlink(missing_ok=True)
    torn = shelf.truncate(folder / JOURNAL, scan.end)
    records: list[manifests.Record] = []
    if manifest.state == "recording":
        records = _mend(shelf, manifest, Found(torn, scan.damaged, last_seen, proved(scan.records)), evidence)
    document = manifests.encode(manifest.document(manifest.ended_at))
    lines = [journal.encode(record) for record in records]
    if evidence is not None:
        lines += _signed(shelf, lines, document, evidence, manifest.ended_at)
    if lines:
        shelf.append(folder / JOURNAL, b"".join(lines))
    shelf.replace(folder / MANIFEST, document, durable=True)
    log.warning("recording repaired", session=manifest.session, tracks=len(manifest.tracks), torn_bytes=torn)
    return manifest


def _last_touched(folder: Path) -> int:
    """UTC ns: until then the recorder lived."""
    paths = [folder / JOURNAL, folder / MANIFEST, *(folder / TRACKS).glob(f"*/*{PART}")]
    return max(path.stat().st_mtime_ns for path in paths if path.exists())


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: torn and damaged bytes of the journal, until when the recorder lived (UTC ns), and up to which byte
    the journal proves each segment, by track and number."""

    torn: int
    damaged: int
    last_seen: int
    proved: dict[tuple[str, int], int]


def proved(records: list[manifests.Record]) -> dict[tuple[str, int], int]:
    out: dict[tuple[str, int], int] = {}
    for record in records:
        if record.get("type") == "pieces":
            with contextlib.suppress(KeyError, TypeError, ValueError):
                key = str(record["track"]), int(record["sequence"])
                out[key] = max(out.get(key, 0), int(record["offset"]) + sum(record["sizes"]))
    return out


def _signed(shelf: Shelf, lines: list[bytes], document: bytes, evidence: Evidence, at: int) -> list[bytes]:
    """The lines that prove a journal with ``lines`` behind it; none when its last checkpoint proves it already."""
    algorithm = evidence.digest
    chain = chained(shelf, algorithm)
    manifest = seals.digest(algorithm, document).hex()
    if not lines and chain.pending == 1 and chain.last.manifest == manifest:
        return []
    try:
        key = evidence.keys.current()
    except (OSError, ValueError) as error:
        log.error("repair not signed", session=shelf.folder.name, reason=str(error))
        return []
    history = [entry.document() for entry in evidence.keys.history]
    fact = journal.encode({"type": "key", "at": at, "key": key.public.id, "history": history})
    for line in (*lines, fact):
        chain.feed(line)
    return [fact, journal.encode(chain.checkpoint(utc_ns(), key, manifest))]


def _mend(shelf: Shelf, manifest: Manifest, found: Found, evidence: Evidence | None) -> list[manifests.Record]:
    algorithm = evidence.digest if evidence is not None else ""
    records: list[manifests.Record] = []

    def write(kind: str, at: int, **fields: object) -> None:
        record = {"type": kind, "at": at, **fields}
        records.append(record)
        manifest.apply(record)

    lost: list[dict[str, object]] = []
    left: list[str] = []  # files of which nothing can be played: what is known is not taken for added
    ended = max(manifest.last_at, found.last_seen)
    for track in manifest.tracks.values():
        for segment in [segment for segment in track.segments if segment.open]:
            saved = _save(shelf, track, segment, algorithm, found.proved.get((track.id, segment.sequence), 0))
            if saved is None:
                write("segment_lost", ended, track=track.id, sequence=segment.sequence)
                left += [segment.file] if (shelf.folder / TRACKS / track.id / segment.file).is_file() else []
                lost.append({"track": track.id, "from_ms": manifest.ms(segment.start)})
                continue
            if saved.notes:
                write("pieces", ended, **pieces(track.id, segment.sequence, algorithm, saved.notes))
            write(
                "segment_end", ended, track=track.id, sequence=segment.sequence, start=segment.start, bytes=saved.size,
                duration_ms=saved.duration_ms, file=segment.file.removesuffix(PART), repaired=True, **saved.proof,
            )  # fmt: skip
            end = segment.start + saved.duration_ms * 1_000_000
            ended = max(ended, end)
            lost.append({"track": track.id, "from_ms": manifest.ms(end)})
            if segment is track.segments[-1] and not track.muted:
                write("gap", ended, track=track.id, start=end, reason="recorder")
    parts = sorted((shelf.folder / TRACKS).glob(f"*/*{PART}"))
    orphans = left + [path.name for path in parts if salvage(path, shelf)]
    write("recovered", ended, data={"lost": lost, "until_ms": manifest.ms(ended), "torn_bytes": found.torn,
                                    "damaged_bytes": found.damaged,
                                    "orphans": orphans})  # fmt: skip
    write("closed", ended, state="repaired", code="", reason="recovered", ended=ended)
    return records


def _save(shelf: Shelf, track: Track, segment: Segment, algorithm: str, proved: int) -> Finished | None:
    """What can be played of a segment, proved with ``algorithm`` from the byte ``proved`` on; None when nothing can."""
    path = shelf.folder / TRACKS / track.id / segment.file
    final = final_name(path)
    if not path.exists():
        path = final  # the journal was not told any more
    if not path.is_file() or path.is_symlink():
        return None
    found = salvage(path, shelf)
    if found is None:
        return None
    proof, notes = {}, []
    with shelf.open(final, tolerant=True) as reader:
        size = reader.size
    if algorithm:
        proof = prove(shelf, final, algorithm, found.pieces[0][0])
        notes = noted(shelf, final, algorithm, [piece for piece in found.pieces if piece[0] >= proved])
    return Finished(size, found.duration_ms, proof=proof, notes=notes)
