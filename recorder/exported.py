"""Is an export what was exported, and was it made of that recording? Offline, with a public key only. Blocking.

A film carries its recipe in a box behind it, a zip as a file in it (:mod:`recorder.export.recipe`). A bundle is a recording
itself, too: its journal and media are verified as such, so that the second of a change is known.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recorder import seals
from recorder.boxes import box
from recorder.bundles import Bundle
from recorder.export import recipe
from recorder.export.recipe import DOCUMENT, Part, Signed
from recorder.faults import Fault, Verdict
from recorder.seals import PublicKey
from recorder.verify import TRACKS, Folder, Source, Witnessed, verify
from recorder.verify import Part as Some

#: The box behind a film that holds its recipe (ISO/IEC 14496-12 §4.2, extended type).
MARK = bytes.fromhex("6b1f0c0a3c7e4d6a9d2b434f4d4d4855")
FILM = "film.mp4"
_BLOCK = 1 << 20
_BOXES = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """``signed`` is None where there is no recipe; ``compared``: the sources were looked at, too."""

    verdict: Verdict
    signed: Signed | None = None
    compared: bool = False


def behind(document: bytes) -> bytes:
    """The box that goes behind a film."""
    return box(b"uuid", MARK, document)


def is_film(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == b"ftyp"
    except OSError:
        return False


def source(path: Path) -> Source:
    """A recording: a folder, or a bundle. OSError, ValueError."""
    return Folder(path) if path.is_dir() else Bundle(path)


def check(
    path: Path, trusted: Iterable[PublicKey], sources: Source | None = None, witnessed: Iterable[Witnessed] = ()
) -> Found:  # fmt: skip
    """``sources``: the recording it was made of. OSError; ValueError with a sentence when nothing can be read."""
    keys = list(trusted)
    if is_film(path):
        found = _film(path, keys)
    else:
        bundle = Bundle(path)
        found = _zip(bundle, keys, list(witnessed)) if DOCUMENT in bundle.names() else Found(verify(bundle, keys, witnessed))
    if sources is None or found.signed is None:
        return found
    found.verdict.faults += compare(found.signed, sources, keys, list(witnessed))
    return Found(found.verdict, found.signed, compared=True)


def compare(signed: Signed, sources: Source, trusted: list[PublicKey], witnessed: list[Witnessed]) -> list[Fault]:
    """Is that the recording it was made of, and is it still what was recorded?"""
    verdict = verify(sources, trusted, witnessed, str(signed.recipe["session"]))
    faults, named = list(verdict.faults), {fault.file for fault in verdict.faults}
    algorithm = str(signed.recipe["algorithm"])
    for part in signed.parts("sources"):
        if part.name in named:
            continue
        for name in (part.name, f"{part.name}.part"):
            try:
                with sources.read(name) as data:
                    kind = _other(part, data[part.offset : part.offset + part.size], algorithm)
                break
            except KeyError:
                kind = "dropped"
        if kind:
            faults.append(Fault(kind, part.name, 0.0, "≠ export"))
    return faults


def _opened(signed: Signed, trusted: list[PublicKey], where: str) -> tuple[Verdict, bool]:
    """A verdict with what the recipe says, and whether that is believed."""
    said = signed.recipe
    verdict = Verdict(said["session"], said["title"], said["started_at"] * 1_000_000, until=said["to_ms"] / 1000)
    holds = signed.holds(trusted)
    if holds is None:
        verdict.faults.append(Fault("unknown_key", where, 0.0, str(said["key"])[:16]))
    elif not holds:
        verdict.faults.append(Fault("edited", where, 0.0))
    else:
        verdict.keys.append(str(said["key"]))
    return verdict, bool(holds)


def _other(part: Part, data: bytes | memoryview, algorithm: str) -> str:
    """How it differs; '' when it does not."""
    if len(data) == part.size and seals.digest(algorithm, data).hex() == part.digest:
        return ""
    return "truncated" if len(data) < part.size else "edited"


# ------------------------------------------------------------------------------------------------------------------- zip


def _zip(bundle: Bundle, trusted: list[PublicKey], witnessed: list[Witnessed]) -> Found:
    try:
        with bundle.read(DOCUMENT) as data:
            signed = recipe.read(bytes(data))
    except ValueError:
        return Found(Verdict(faults=[Fault("edited", DOCUMENT, 0.0)]))
    verdict, believed = _opened(signed, trusted, DOCUMENT)
    if signed.recipe["kind"] == "bundle":
        names = frozenset(part.name for part in signed.parts("files") if part.name.startswith(TRACKS))
        some = Some(names, signed.recipe["running"]) if believed else None
        faults = verdict.faults
        verdict = verify(bundle, trusted, witnessed, str(signed.recipe["session"]), some)
        verdict.faults[:0] = faults
    if believed:
        _members(bundle, signed, verdict)
    for name in bundle.twice():
        verdict.faults.append(Fault("added", name, 0.0, "2×"))
    return Found(verdict, signed)


def _members(bundle: Bundle, signed: Signed, verdict: Verdict) -> None:
    """Every file of it, and no other."""
    named = {fault.file for fault in verdict.faults}
    algorithm, parts, there = str(signed.recipe["algorithm"]), signed.parts("files"), set(bundle.names())
    digests = {part.digest: part.name for part in parts}
    for part in parts:
        if part.name in named:
            continue
        if part.name not in there:
            verdict.faults.append(Fault("dropped", part.name, _second(signed)))
            continue
        with bundle.read(part.name) as data:
            verdict.files += signed.recipe["kind"] != "bundle"
            verdict.bytes += len(data) if signed.recipe["kind"] != "bundle" else 0
            kind = _other(part, data, algorithm)
            other = digests.get(seals.digest(algorithm, data).hex(), "") if kind else ""
        if kind:
            verdict.faults.append(Fault("reordered" if other else kind, part.name, _second(signed), other))
    for name in sorted(there - {part.name for part in parts} - {DOCUMENT} - named):
        verdict.faults.append(Fault("added", name, 0.0))


def _second(signed: Signed) -> float:
    return float(signed.recipe["from_ms"]) / 1000


# ------------------------------------------------------------------------------------------------------------------ film


def _film(path: Path, trusted: list[PublicKey]) -> Found:
    with path.open("rb") as file:
        size = path.stat().st_size
        end = _recipe_at(file, size)
        if end is None:
            return Found(Verdict(faults=[Fault("unsigned", path.name, 0.0)]))
        file.seek(end)
        try:
            signed = recipe.read(file.read(size - end)[24:])
        except ValueError:
            return Found(Verdict(faults=[Fault("edited", path.name, 0.0)]))
        verdict, believed = _opened(signed, trusted, path.name)
        verdict.files, verdict.bytes = 1, end
        if believed and (kind := _changed(file, end, signed)):
            verdict.faults.append(Fault(kind, path.name, _second(signed)))
        return Found(verdict, signed)


def _changed(file: BinaryIO, end: int, signed: Signed) -> str:
    """How the film differs from what was exported; '' when it does not."""
    part = next(iter(signed.parts("files")), Part(FILM, -1, ""))
    if end != part.size:
        return "truncated" if end < part.size else "edited"
    digest = seals.begin(str(signed.recipe["algorithm"]))
    file.seek(0)
    while end and (block := file.read(min(_BLOCK, end))):
        digest.update(block)
        end -= len(block)
    return "" if digest.digest().hex() == part.digest else "edited"


def _recipe_at(file: BinaryIO, size: int) -> int | None:
    """Where the box with the recipe begins, which is the last one. None: there is none."""
    at = 0
    for _ in range(_BOXES):
        file.seek(at)
        head = file.read(32)
        if len(head) < 8:
            break
        (length,), kind = struct.unpack(">I", head[:4]), head[4:8]
        if length == 1 and len(head) >= 16:
            (length,) = struct.unpack(">Q", head[8:16])
        if length < 8 or at + length > size:
            break
        if kind == b"uuid" and head[8:24] == MARK and at + length == size and length <= recipe.LIMIT:
            return at
        at += length
    return _searched(file, size)


def _searched(file: BinaryIO, size: int) -> int | None:
    """Of a film whose boxes do not lead there any more: what was cut or changed is to be named all the same."""
    reach = min(size, 8 << 20)
    file.seek(size - reach)
    tail = file.read(reach)
    found = tail.rfind(MARK)
    return size - reach + found - 8 if found >= 8 else None
