"""What a recorder finds at its start: recordings that nobody closed are made whole again.

The journal loses its torn tail; every file loses what is behind its last whole piece and is sealed as if it had ended
there (nothing is decoded or copied); what is missing becomes a fact of the journal; the manifest is made anew.
Blocking: for a thread.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from commhub import log as logs
from commhub.media.messages import SessionState
from commhub.wire import journal
from recorder import files
from recorder import manifest as manifests
from recorder.files import PART
from recorder.manifest import Manifest, Segment, Track
from recorder.session import JOURNAL, MANIFEST, RESERVE, TRACKS

log = logs.get(__name__)
_JOURNAL_LIMIT = 1 << 30


def survey(folder: Path) -> tuple[list[SessionState], list[Path]]:
    """Recordings that are closed, and folders of those that are not."""
    closed: list[SessionState] = []
    broken: list[Path] = []
    if not folder.is_dir():
        return closed, broken
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.is_symlink() or not (path / JOURNAL).is_file():
            continue
        state = None if (path / RESERVE).exists() else _closed(path)
        if state is None:
            broken.append(path)
        else:
            closed.append(state)
    return closed, broken


def _closed(folder: Path) -> SessionState | None:
    """What the manifest says of a closed recording; None when it is missing, torn or of one that ran."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=dict[str, Any])
        if found["state"] == "recording" or found["session"] != folder.name:
            return None
        return SessionState(
            session=found["session"], room=found["room"], state=found["state"], code=found["code"], text=found["text"],
            text_zh=found["text_zh"], started_at=found["started_at"] * 1_000_000, ended_at=found["ended_at"] * 1_000_000,
            duration_ms=found["duration_ms"], tracks=len(found["tracks"]), bytes=found["bytes"], people=found["people"],
            about=found["about"],
        )  # fmt: skip
    except (OSError, KeyError, TypeError, msgspec.MsgspecError):
        return None


def load(folder: Path) -> tuple[Manifest, journal.Scan] | None:
    """The manifest as its journal tells it; None when the journal does not even tell which recording it is."""
    try:
        with (folder / JOURNAL).open("rb") as file:
            scan = journal.scan(file.read(_JOURNAL_LIMIT))
    except OSError as error:
        log.error("journal not readable", session=folder.name, error=error.strerror)
        return None
    manifest = Manifest()
    for record in scan.records:
        manifest.apply(record)
    return (manifest, scan) if manifest.session == folder.name else None


def repair(folder: Path) -> Manifest | None:
    """None when there is nothing to save. OSError when the disk does not let itself be written."""
    loaded = load(folder)
    if loaded is None:
        log.error("recording without a journal", session=folder.name)
        return None
    manifest, scan = loaded
    last_seen = _last_touched(folder)
    (folder / RESERVE).unlink(missing_ok=True)
    torn = (folder / JOURNAL).stat().st_size - scan.end
    if torn:
        os.truncate(folder / JOURNAL, scan.end)
    if manifest.state == "recording":
        records = _mend(folder, manifest, torn, scan.damaged, last_seen)
        with (folder / JOURNAL).open("ab") as file:
            file.write(b"".join(map(journal.encode, records)))
            file.flush()
            os.fdatasync(file.fileno())
    files.replace(folder / MANIFEST, manifests.encode(manifest.document(manifest.ended_at)), durable=True)
    log.warning("recording repaired", session=manifest.session, tracks=len(manifest.tracks), torn_bytes=torn)
    return manifest


def _last_touched(folder: Path) -> int:
    """UTC ns: until then the recorder lived."""
    paths = [folder / JOURNAL, folder / MANIFEST, *(folder / TRACKS).glob(f"*/*{PART}")]
    return max(path.stat().st_mtime_ns for path in paths if path.exists())


def _mend(folder: Path, manifest: Manifest, torn: int, damaged: int, last_seen: int) -> list[manifests.Record]:
    records: list[manifests.Record] = []

    def write(kind: str, at: int, **fields: object) -> None:
        record = {"type": kind, "at": at, **fields}
        records.append(record)
        manifest.apply(record)

    lost: list[dict[str, object]] = []
    ended = max(manifest.last_at, last_seen)
    for track in manifest.tracks.values():
        for segment in [segment for segment in track.segments if segment.open]:
            size, duration = _save(folder, track, segment)
            if not size:
                write("segment_lost", ended, track=track.id, sequence=segment.sequence)
                lost.append({"track": track.id, "from_ms": manifest.ms(segment.start)})
                continue
            write(
                "segment_end", ended, track=track.id, sequence=segment.sequence, start=segment.start, bytes=size,
                duration_ms=duration, file=segment.file.removesuffix(PART),
            )  # fmt: skip
            end = segment.start + duration * 1_000_000
            ended = max(ended, end)
            lost.append({"track": track.id, "from_ms": manifest.ms(end)})
            if segment is track.segments[-1] and not track.muted:
                write("gap", ended, track=track.id, start=end, reason="recorder")
    orphans = [path.name for path in sorted((folder / TRACKS).glob(f"*/*{PART}")) if files.salvage(path)]
    write("recovered", ended, data={"lost": lost, "until_ms": manifest.ms(ended), "torn_bytes": torn, "damaged_bytes": damaged,
                                    "orphans": orphans})  # fmt: skip
    write("closed", ended, state="repaired", code="", reason="recovered", ended=ended)
    return records


def _save(folder: Path, track: Track, segment: Segment) -> tuple[int, int]:
    """Bytes and ms of what can be played of a segment; (0, 0) when nothing can."""
    path = folder / TRACKS / track.id / segment.file
    final = path.with_name(path.name.removesuffix(PART))
    if not path.exists():
        path = final  # the journal was not told any more
    if not path.is_file() or path.is_symlink():
        return 0, 0
    found = files.salvage(path)
    return (final.stat().st_size, found.duration_ms) if found else (0, 0)
