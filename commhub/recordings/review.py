"""Looking at recordings: the list by right, one with its tracks, its files by range."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from commhub import audit
from commhub import log as logs
from commhub.errors import NotFound, Unavailable
from commhub.log import Limiter
from commhub.model import ULID_PATTERN, Actor
from commhub.recordings import index
from commhub.store import Reading, Store, tables
from commhub.views import Page, Recording, RecordingDetail

log = logs.get(__name__)

_SOURCES = {"microphone", "camera", "screen_share", "screen_share_audio", "camera_feed"}
MANIFEST_LIMIT = 64 << 20  # bytes
_r = tables.recordings.c
_TRACK = re.compile(r"[A-Za-z0-9_-]{1,128}")
_FILE = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,16}){1,2}")
PART = ".part"  # the ending of a segment that is being written
_TYPES = {".webm": "webm", ".mp4": "mp4", ".m4s": "mp4", ".mkv": "x-matroska"}


class Review:
    """``folder`` holds a folder per session."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._viewed = Limiter()
        self._manifests: dict[str, tuple[int, int, dict[str, Any]]] = {}  # session → mtime, size, content; the last few

    async def listed(
        self, reader: Actor, *, q: str = "", consultation: str | None = None, before: str | None = None, limit: int = 50
    ) -> Page[Recording]:
        conditions: list[sa.ColumnElement[bool]] = [_visible(reader, "recording.list")]
        if consultation:
            conditions.append(_r.consultation_id == consultation)
        if before:
            conditions.append(_r.id < before)
        conditions += [
            sa.or_(
                _r.title.contains(word, autoescape=True),
                _r.code.contains(word.upper(), autoescape=True),
                _r.people.contains(word, autoescape=True),
            )
            for word in q.split()[:8]
        ]
        async with self._store.reading() as reading:
            rows = await reading.all(index.query().where(*conditions).order_by(_r.id.desc()).limit(limit + 1))
        items = [index.shown(row) for row in rows[:limit]]
        return Page(items=items, next=items[-1].id if len(rows) > limit else None)

    async def detail(self, reader: Actor, recording: str, media_url: str) -> RecordingDetail:
        """``media_url`` is where :meth:`file` is served: ``…/media``. Who looks is audited."""
        async with self._store.reading() as reading:
            row = await self._row(reading, reader, recording)
            names = await _names(reading, row.consultation_id)
        shown = index.shown(row)
        manifest = await asyncio.to_thread(self._manifest, recording)
        if self._viewed((reader.id, recording), 600) is not None:
            async with self._store.transaction() as transaction:
                await audit.record(transaction, reader, "recording.view", recording, object=shown.title)
        try:
            return RecordingDetail(**shown.model_dump(), **_parts(manifest, media_url, names))
        except (ValidationError, TypeError, ValueError, AttributeError):
            log.exception("manifest not understood", session=recording)
            raise Unavailable("The recording cannot be read.", "录制内容无法读取。", code="unreadable") from None

    async def file(self, reader: Actor, recording: str, track: str, file: str) -> tuple[Path, str]:
        """The path and its content type. NotFound for whatever is no file of this recording."""
        async with self._store.reading() as reading:
            await self._row(reading, reader, recording)
        gone = NotFound("There is no such file in this recording.", "录制中没有这个文件。")
        if not _TRACK.fullmatch(track) or not _FILE.fullmatch(file):
            raise gone
        folder = self._folder / recording / "tracks"
        path = folder / track / file
        if not await asyncio.to_thread(_inside, path, folder):
            # It was being written when its address was given out, and is finished now.
            file = file.removesuffix(PART)
            path = folder / track / file
            if not await asyncio.to_thread(_inside, path, folder):
                raise gone
        manifest = await asyncio.to_thread(self._manifest, recording)
        for one in manifest.get("tracks", []):
            if one.get("id") == track:
                for segment in one.get("segments", []):
                    if segment.get("file") == file:
                        return path, str(segment.get("mime", "")).partition(";")[0]
        suffix = _TYPES.get(Path(file.removesuffix(PART)).suffix)
        if suffix is None:
            raise gone
        return path, f"video/{suffix}"

    async def _row(self, reading: Reading, reader: Actor, recording: str) -> sa.Row[Any]:
        row = None
        if re.fullmatch(ULID_PATTERN, recording):
            row = await reading.first(index.query().where(_r.id == recording, _visible(reader, "recording.view")))
        if row is None:
            raise NotFound("There is no such recording.", "没有这个录制。")
        return row

    def _manifest(self, recording: str) -> dict[str, Any]:
        """Read again only when it has changed: a player asks for ranges many times a second."""
        path = self._folder / recording / "manifest.json"
        try:
            found = path.stat()
            known = self._manifests.get(recording)
            if known is not None and known[:2] == (found.st_mtime_ns, found.st_size):
                return known[2]
            if found.st_size > MANIFEST_LIMIT:
                raise ValueError("The manifest is too large.")
            content = json.loads(path.read_bytes())
            if not isinstance(content, dict):
                raise ValueError("The manifest is no object.")
        except FileNotFoundError:
            return {}  # begun a moment ago
        except (OSError, ValueError) as error:
            log.error("manifest not read", session=recording, reason=str(error))
            raise Unavailable("The recording cannot be read.", "录制内容无法读取。", code="unreadable") from None
        self._manifests.pop(recording, None)
        self._manifests[recording] = (found.st_mtime_ns, found.st_size, content)
        while len(self._manifests) > 16:
            self._manifests.pop(next(iter(self._manifests)), None)
        return content


def _inside(path: Path, folder: Path) -> bool:
    """A regular file there, and no link out of it."""
    try:
        return path.resolve(strict=True).is_relative_to(folder.resolve(strict=True)) and path.is_file()
    except OSError:
        return False


def _visible(reader: Actor, permission: str) -> sa.ColumnElement[bool]:
    return sa.or_(
        sa.false(),
        *(
            sa.and_(_r.org_id.in_(sorted(orgs)), _r.label.in_([str(label) for label in labels]))
            for orgs, labels in reader.scopes(permission)
        ),
    )


async def _names(reading: Reading, consultation: str) -> dict[str, tuple[str, str]]:
    """Identity → name and organisation, as they were then."""
    a, k, c, o = tables.attendance.c, tables.consultation_cameras.c, tables.cameras.c, tables.organisations.c
    people = await reading.all(sa.select(a.identity, a.name, a.org_name).where(a.consultation_id == consultation))
    cameras = await reading.all(
        sa.select(c.id, c.name, o.name.label("org_name"))
        .join_from(tables.consultation_cameras, tables.cameras)
        .join(tables.organisations, o.id == c.org_id)
        .where(k.consultation_id == consultation)
    )
    names = {row.identity: (row.name, row.org_name) for row in people}
    return names | {f"{row.id}:bridge": (row.name, row.org_name) for row in cameras}


def _parts(manifest: dict[str, Any], media_url: str, names: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """The recorder's manifest with addresses instead of file names, and names where it knows identities only."""

    def named(one: dict[str, Any]) -> dict[str, Any]:
        name, org_name = names.get(one.get("identity", ""), ("", ""))
        return {**one, "name": one.get("name") or name, "org_name": one.get("org_name") or org_name}

    tracks = []
    for track in manifest.get("tracks", []):
        segments = [
            {
                "url": f"{media_url}/{track['id']}/{one['file']}",
                **{name: one[name] for name in ("mime", "start_ms", "duration_ms", "bytes")},
            }
            for one in track["segments"]
        ]
        source = track["source"] if track["source"] in _SOURCES else {"audio": "microphone"}.get(track["kind"], "camera")
        tracks.append({**named(track), "source": source, "segments": segments})
    fields = {"id", "identity", "name", "org_name", "kind", "source", "codec", "segments"}
    return {
        "tracks": [{name: value for name, value in track.items() if name in fields} for track in tracks],
        "speakers": [
            {name: value for name, value in named(one).items() if name in {"identity", "name", "org_name", "spans"}}
            for one in manifest.get("speakers", [])
        ],
        "events": [_event(one, names) for one in manifest.get("events", [])],
        "gaps": [{name: one.get(name) for name in ("track", "start_ms", "end_ms", "reason")} for one in manifest.get("gaps", [])],
    }


def _event(one: dict[str, Any], names: dict[str, tuple[str, str]]) -> dict[str, Any]:
    kept = {name: one.get(name) for name in ("at_ms", "type", "identity", "name", "text", "data")}
    if not kept["name"] and kept["identity"] in names:
        kept["name"] = names[str(kept["identity"])][0]
    return kept
