"""Is a recording what was recorded? Offline, with a public key only: ``commhub verify``.

The journal's checkpoints are signed, the journal says what each piece of each file digests to; so the first byte that is another
one is named by file and second, and what was done with it: edited, dropped, reordered, truncated, added, replaced. Blocking.
"""

from __future__ import annotations

import base64
import contextlib
import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from commhub.wire import journal
from recorder import pedigree, seals
from recorder.bundles import LIMIT
from recorder.chain import TAG, joined, lines, said, tag
from recorder.faults import Fault, Verdict
from recorder.manifest import Manifest, Segment, Track
from recorder.seals import PublicKey

JOURNAL, MANIFEST, RESERVE, TRACKS = "journal", "manifest.json", "reserve", "tracks/"
Data = bytes | memoryview


class Source(Protocol):
    """A session's files, by their names in its folder."""

    def names(self) -> list[str]: ...
    def read(self, name: str) -> contextlib.AbstractContextManager[Data]:
        """KeyError when there is none."""


class Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self._path)) for path in self._path.rglob("*") if path.is_file() or path.is_symlink())

    @contextlib.contextmanager
    def read(self, name: str) -> Iterator[Data]:
        path = self._path / name
        if path.is_symlink() or not path.is_file():
            raise KeyError(name)
        with path.open("rb") as file:
            if not path.stat().st_size:  # cannot be mapped
                yield b""
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
                yield view


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint as the hub keeps it."""

    number: int
    head: str


@dataclass(frozen=True, slots=True)
class Part:
    """Of a session: only these files of its media, and its journal up to a checkpoint when it was ``running``."""

    names: frozenset[str]
    running: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    offset: int
    size: int
    until: int  # ms
    digest: bytes
    algorithm: str


@dataclass(frozen=True, slots=True)
class _End:
    """Of a whole file. ``repaired``: it may be shorter than what was noted."""

    algorithm: str
    digest: str
    head: str
    size: int
    repaired: bool


@dataclass(slots=True)
class _Proofs:
    """What the journal says of one segment."""

    pieces: list[_Piece] = field(default_factory=list)
    end: _End | None = None


def verify(
    source: Source, trusted: Iterable[PublicKey], witnessed: Iterable[Witnessed] = (), session: str = "",
    part: Part | None = None,
) -> Verdict:  # fmt: skip
    """``session``: which one it has to be, if that is known; ``part``: it is no whole one, as somebody who is believed says.
    OSError; ValueError with a sentence when nothing can be read."""
    try:
        with source.read(JOURNAL) as data:
            found = _Journal(bytes(data))
    except KeyError:
        return Verdict(session, faults=[Fault("dropped", JOURNAL, 0.0)])
    names = source.names()
    found.running = part.running if part is not None else RESERVE in names
    verdict = found.check(list(trusted), list(witnessed))
    if session and verdict.session != session:
        verdict.faults.insert(0, Fault("replaced", JOURNAL, 0.0, f"{verdict.session[:64]} ≠ {session}"))
    if found.last is not None:
        _media(source, names, found, verdict, part)
        _manifest(source, found, verdict)
    verdict.faults.sort(key=lambda fault: fault.second)
    return verdict


# --------------------------------------------------------------------------------------------------------------- journal


class _Journal:
    def __init__(self, data: bytes) -> None:
        self.lines = lines(data)
        self.records = [_decoded(line) for line in self.lines]
        self.manifest = Manifest()
        for record in self.records:
            if record is not None:
                self.manifest.apply(record)
        self.last: dict[str, Any] | None = None  # the last checkpoint that holds
        self.running = False

    def second(self, at: int) -> float:
        """UTC ns on the session's clock."""
        return max(0.0, (at - self.manifest.started_at) / 1e9)

    def _line_second(self, index: int, until: int | None = None) -> float:
        """Of a line, or of the one before that can be read. ``until`` (UTC ns): it says itself that it belongs behind that,
        and is not believed."""
        for record in reversed(self.records[: index + 1]):
            at = record.get("at") if record is not None else None
            if isinstance(at, int) and (until is None or at <= until):
                return self.second(at)
        return 0.0

    def check(self, trusted: list[PublicKey], witnessed: list[Witnessed]) -> Verdict:
        manifest = self.manifest
        verdict = Verdict(manifest.session, manifest.title, manifest.started_at, running=self.running)
        keys = self._keys(trusted)
        heads: dict[int, str] = {}
        begin, head, number = 0, "", 0
        for index, record in enumerate(self.records):
            if record is None or record.get("type") != "checkpoint":
                continue
            try:
                fault = self._checkpoint(record, begin, index, head, number, keys)
            except (KeyError, TypeError, ValueError):
                fault = Fault("edited", JOURNAL, self._line_second(index))
            if fault is not None:
                verdict.faults.append(fault)
                break
            begin, head, number = index, str(record["head"]), int(record["number"])
            heads[number] = head
            self.last = record
            verdict.until, verdict.checkpoints = self.second(record["at"]), number
            if record["key"] not in verdict.keys:
                verdict.keys.append(record["key"])
        else:
            verdict.faults += self._tail(begin)
        if not verdict.faults:
            verdict.faults += self._compared(heads, witnessed)
        return verdict

    def _keys(self, trusted: list[PublicKey]) -> dict[str, PublicKey]:
        keys = {key.id: key for key in trusted}
        for record in self.records:
            if record is not None and record.get("type") == "key":
                with contextlib.suppress(ValueError):
                    keys = pedigree.believed(keys.values(), pedigree.read(record.get("history")))
        return keys

    def _checkpoint(
        self, record: dict[str, Any], begin: int, index: int, head: str, number: int, keys: dict[str, PublicKey]
    ) -> Fault | None:
        """The block from line ``begin`` up to the checkpoint at ``index``."""
        key = keys.get(str(record["key"]))
        if key is None:
            return Fault("unknown_key", JOURNAL, self._line_second(index), str(record["key"])[:16])
        if not key.holds(bytes.fromhex(record["signature"]), said(self.manifest.session, record)):
            return Fault("edited", JOURNAL, self._line_second(index))
        if record["number"] != number + 1:
            return self._jump(record, begin, index, number)
        block, algorithm = self.lines[begin:index], str(record["algorithm"])
        wanted = _tags(record)
        here = [tag(algorithm, line) for line in block]
        if here != wanted:
            kind, where = self._different(wanted, here, algorithm)
            return Fault(kind, JOURNAL, self._line_second(min(begin + where, index), record["at"]))
        if joined(algorithm, head, seals.digest(algorithm, b"".join(block))) != record["head"]:
            return Fault("edited", JOURNAL, self._line_second(begin))
        return None

    def _jump(self, record: dict[str, Any], begin: int, index: int, number: int) -> Fault:
        """The checkpoint at ``index`` has not the number that follows: where is the one that has?"""
        for line in range(begin + 1, index):
            if self.records[line] is None:
                return Fault("edited", JOURNAL, self._line_second(line))
        algorithm = str(record["algorithm"])
        elsewhere = next((one for one in self.records if one is not None and _is_checkpoint(one, number + 1)), None)
        if elsewhere is not None or record["number"] <= number:
            wanted = _tags(elsewhere or record)
            here = [tag(algorithm, line) for line in self.lines[begin : begin + len(wanted)]]
            return Fault("reordered", JOURNAL, self._line_second(begin + _first(wanted, here), (elsewhere or record)["at"]))
        follows = _tags(record)[1:2]  # behind the line of the one that is missing
        where = next((n for n in range(begin + 1, index) if [tag(algorithm, self.lines[n])] == follows), index)
        return Fault("dropped", JOURNAL, self._line_second(where))

    def _different(self, wanted: list[bytes], here: list[bytes], algorithm: str) -> tuple[str, int]:
        """What was done to a block, and to which of its lines first."""
        where = _first(wanted, here)
        everywhere = {tag(algorithm, line) for line in self.lines}
        # Counted, for two records may be alike.
        missing = where < len(wanted) and here.count(wanted[where]) < wanted.count(wanted[where])
        strange = where < len(here) and wanted.count(here[where]) < here.count(here[where])
        if missing and wanted[where] in everywhere:
            return "reordered", where
        if strange and missing:
            return "edited", where
        if missing:
            return "dropped", where
        if strange:
            return "reordered" if here[where] in self._wanted() else "added", where
        return "reordered" if where < len(wanted) else "added", where

    def _wanted(self) -> set[bytes]:
        """The tags of all lines that any checkpoint names."""
        out: set[bytes] = set()
        for record in self.records:
            if record is not None and record.get("type") == "checkpoint":
                with contextlib.suppress(KeyError, TypeError, ValueError):
                    out |= set(_tags(record))
        return out

    def _tail(self, begin: int) -> list[Fault]:
        """Behind the last checkpoint."""
        if self.last is None:
            return [Fault("unsigned", JOURNAL, 0.0)]
        for line in range(begin + 1, len(self.lines)):
            if self.records[line] is None and self.lines[line].endswith(b"\n"):
                return [Fault("edited", JOURNAL, self._line_second(line))]
        if self.running:
            return []
        whole = bool(self.last["manifest"])
        if not whole or (self.lines and self.records[-1] is None):
            return [Fault("truncated", JOURNAL, self._line_second(len(self.lines) - 1))]
        if begin + 1 < len(self.lines):
            return [Fault("added", JOURNAL, self._line_second(begin + 1))]
        return []

    def _compared(self, heads: dict[int, str], witnessed: list[Witnessed]) -> list[Fault]:
        """With what the hub keeps."""
        for seen in sorted(witnessed, key=lambda one: one.number):
            if seen.number not in heads:
                return [Fault("truncated", JOURNAL, self._line_second(len(self.lines) - 1), f"{max(heads)} < {seen.number}")]
            if heads[seen.number] != seen.head:
                return [Fault("replaced", JOURNAL, 0.0)]
        return []


def _is_checkpoint(record: dict[str, Any], number: int) -> bool:
    return record.get("type") == "checkpoint" and record.get("number") == number


def _tags(record: dict[str, Any]) -> list[bytes]:
    tags = base64.b64decode(record["tags"])
    return [tags[at : at + TAG] for at in range(0, len(tags), TAG)]


def _first(wanted: list[bytes], here: list[bytes]) -> int:
    """The first place where they differ."""
    pairs = zip(wanted, here, strict=False)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(wanted), len(here)))


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        record, end = journal.decode(line)
    except ValueError:
        return None
    return record if end == len(line) else None


# ----------------------------------------------------------------------------------------------------------------- media


def _proofs(records: list[dict[str, Any] | None]) -> dict[tuple[str, int], _Proofs]:
    out: dict[tuple[str, int], _Proofs] = {}
    for record in records:
        if record is None or record.get("type") not in ("pieces", "segment_end"):
            continue
        with contextlib.suppress(KeyError, TypeError, ValueError):
            proofs = out.setdefault((str(record["track"]), int(record["sequence"])), _Proofs())
            algorithm = str(record["algorithm"])
            if algorithm not in seals.DIGESTS:
                continue
            if record["type"] == "segment_end":
                size, repaired = int(record["size"]), record.get("repaired") is True
                proofs.end = _End(algorithm, str(record["digest"]), str(record["head"]), size, repaired)
                continue
            offset, digests = max(0, int(record["offset"])), base64.b64decode(record["digests"])
            for n, (size, until) in enumerate(zip(record["sizes"], record["until"], strict=True)):
                if not 0 < size <= LIMIT:
                    break
                digest = digests[n * seals.SIZE : (n + 1) * seals.SIZE]
                proofs.pieces.append(_Piece(offset, int(size), int(until), digest, algorithm))
                offset += size
    return out


def _media(source: Source, names: list[str], found: _Journal, verdict: Verdict, part: Part | None) -> None:
    proofs = _proofs(found.records)
    digests = {one.end.digest: key for key, one in proofs.items() if one.end is not None}
    expected: set[str] = set()
    for track in found.manifest.tracks.values():
        for segment in track.segments:
            name = f"{TRACKS}{track.id}/{segment.file}"
            if segment.open and name not in names:
                name = name.removesuffix(".part")
            expected.add(name)
            if part is not None and name not in part.names and name not in names:
                continue
            check = _Check(found, track, segment, name, proofs.get((track.id, segment.sequence), _Proofs()), digests)
            try:
                with source.read(name) as data:
                    verdict.files, verdict.bytes = verdict.files + 1, verdict.bytes + len(data)
                    fault = check.run(data)
            except KeyError:
                fault = check.fault("dropped", 0)
            if fault is not None:
                verdict.faults.append(fault)
    orphans = _orphans(found.records)
    for name in names:
        aside = name.rpartition("/")[2]
        if name.startswith(TRACKS) and name not in expected and not {aside, f"{aside}.part"} & orphans and not found.running:
            verdict.faults.append(Fault("added", name, 0.0))


def _orphans(records: list[dict[str, Any] | None]) -> set[str]:
    """Files that a repair found and left where they are."""
    out: set[str] = set()
    for record in records:
        data = record.get("data") if record is not None and record.get("type") == "recovered" else None
        if isinstance(data, dict) and isinstance(found := data.get("orphans"), list):
            out |= {one for one in found if isinstance(one, str)}
    return out


@dataclass(slots=True)
class _Check:
    """Of one segment's file."""

    found: _Journal
    track: Track
    segment: Segment
    name: str
    proofs: _Proofs
    digests: dict[str, tuple[str, int]]

    def fault(self, kind: str, ms: int, detail: str = "") -> Fault:
        return Fault(kind, self.name, self.found.second(self.segment.start + ms * 1_000_000), detail)

    def run(self, data: Data) -> Fault | None:
        end = self.proofs.end
        if end is None:
            return self._pieces(data, len(data))
        size = end.size
        whole = seals.digest(end.algorithm, data).hex()
        if whole == end.digest:
            return None
        other = self.digests.get(whole)
        if other is not None:
            return self.fault("reordered", 0, f"{other[0]}/{other[1]:04d}")
        first = self.proofs.pieces[0].offset if self.proofs.pieces else size
        head = bytes(data[:first])
        if len(head) == first and seals.digest(end.algorithm, head).hex() != end.head:
            return self.fault("edited", 0)
        fault = self._pieces(data, size)
        if fault is not None:
            return fault
        last = self.proofs.pieces[-1].until if self.proofs.pieces else 0
        return self.fault("truncated" if len(data) < size else "edited", last)

    def _pieces(self, data: Data, size: int) -> Fault | None:
        """``size``: what the file has to have; a repair may have cut off what was written before."""
        began = 0
        pieces = [piece for piece in self.proofs.pieces if piece.offset + piece.size <= size or not self._repaired()]
        for number, piece in enumerate(pieces):
            if not _holds(data, piece.offset, piece):
                return self.fault(self._what(data, pieces, number), began)
            began = piece.until
        return None

    def _repaired(self) -> bool:
        return self.proofs.end is not None and self.proofs.end.repaired

    def _what(self, data: Data, pieces: list[_Piece], number: int) -> str:
        """What was done at the first piece that is another one."""
        offset = pieces[number].offset
        if any(_holds(data, offset, other) for other in pieces[:number]):
            return "reordered"
        for other in pieces[number + 1 :]:
            if _holds(data, offset, other):
                return "reordered" if _somewhere(data, pieces[number], offset, pieces[number + 1 :]) else "dropped"
        if offset + pieces[number].size > len(data):
            return "truncated"
        return "edited"


def _holds(data: Data, offset: int, piece: _Piece) -> bool:
    part = data[offset : offset + piece.size]
    return len(part) == piece.size and seals.digest(piece.algorithm, part) == piece.digest


def _somewhere(data: Data, piece: _Piece, offset: int, others: list[_Piece]) -> bool:
    """Does a piece that is not at ``offset`` stand behind some of the ``others``?"""
    for other in others:
        offset += other.size
        if _holds(data, offset, piece):
            return True
    return any(_holds(data, other.offset + other.size - piece.size, piece) for other in others)


# -------------------------------------------------------------------------------------------------------------- sidecars


def _manifest(source: Source, found: _Journal, verdict: Verdict) -> None:
    """While it is recorded the manifest is derived and changes; at the end it is signed."""
    last = found.last
    if last is None or not last["manifest"] or found.running:
        return
    try:
        with source.read(MANIFEST) as data:
            same = seals.digest(str(last["algorithm"]), data).hex() == last["manifest"]
    except KeyError:
        verdict.faults.append(Fault("dropped", MANIFEST, 0.0))
        return
    if not same and not any(fault.file == JOURNAL for fault in verdict.faults):
        verdict.faults.append(Fault("replaced", MANIFEST, 0.0))
