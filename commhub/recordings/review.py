"""Looking at recordings: the list by right, one with its tracks, its files by range."""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from commhub import audit
from commhub import log as logs
from commhub.archive import MANIFEST_LIMIT, PART, Archive, Reader
from commhub.errors import NotFound, Unavailable
from commhub.log import Limiter
from commhub.model import ULID_PATTERN, Actor, iso, utc_ns
from commhub.recordings import index, keeping_rows
from commhub.recordings.keeping import Terms
from commhub.store import Reading, Store, tables
from commhub.views import Page, Recording, RecordingDetail, Watermark

log = logs.get(__name__)

_SOURCES = {"microphone", "camera", "screen_share", "screen_share_audio", "camera_feed"}
EVENTS = 2_000  # of one answer
_r = tables.recordings.c
_TRACK = re.compile(r"[A-Za-z0-9_-]{1,128}")
_FILE = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,16}){1,2}")
_TYPES = {".webm": "webm", ".mp4": "mp4", ".m4s": "mp4", ".mkv": "x-matroska"}


class ManifestSegment(Struct, frozen=True):
    file: str
    mime: str
    start_ms: int
    duration_ms: int
    bytes: int
    end_ms: int | None = None


class ManifestTrack(Struct, frozen=True):
    id: str
    identity: str
    kind: Literal["audio", "video"]
    segments: list[ManifestSegment]
    codec: str = ""
    source: str = ""
    name: str = ""
    org_name: str = ""


class ManifestSpeaker(Struct, frozen=True):
    identity: str
    spans: list[tuple[int, int]]
    name: str = ""
    org_name: str = ""


class ManifestEvent(Struct, frozen=True):
    at_ms: int
    type: str
    identity: str | None = None
    name: str | None = None
    text: str | None = None
    data: Any = None


class ManifestGap(Struct, frozen=True):
    track: str
    start_ms: int
    end_ms: int
    reason: str | None = None


class Manifest(Struct, frozen=True):
    """``manifest.json`` as far as a player needs it; the recorder writes it."""

    tracks: list[ManifestTrack] = []
    speakers: list[ManifestSpeaker] = []
    events: list[ManifestEvent] = []
    gaps: list[ManifestGap] = []

    def mime(self, track: str, file: str) -> str:
        """The container's type; '' when the manifest does not know the file yet."""
        for one in self.tracks:
            for segment in one.segments if one.id == track else ():
                if segment.file == file:
                    return segment.mime.partition(";")[0]
        return ""


Names = dict[str, tuple[str, str]]  # identity → name, organisation
_decode = msgspec.json.Decoder(Manifest).decode


class Review:
    def __init__(self, store: Store, archive: Archive, terms: Terms = keeping_rows.FOREVER) -> None:
        self._store, self._archive, self._terms = store, archive, terms
        self._viewed = Limiter()
        self._manifests: dict[str, tuple[tuple[int, int], Manifest]] = {}  # session → stamp, content; the last few

    async def listed(
        self,
        reader: Actor,
        *,
        q: str = "",
        consultation: str | None = None,
        kind: str | None = None,
        incident: str = "",
        before: str | None = None,
        limit: int = 50,
        english: bool = False,
    ) -> Page[Recording]:
        conditions: list[sa.ColumnElement[bool]] = [visible(reader, "recording.list")]
        if consultation:
            conditions.append(_r.consultation_id == consultation)
        if kind:
            conditions.append(_r.kind == kind)
        if incident:
            conditions.append(_r.incident == incident)
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
        items = [index.shown(row, english, self._terms) for row in rows[:limit]]
        return Page(items=items, next=items[-1].id if len(rows) > limit else None)

    async def detail(
        self, reader: Actor, recording: str, media_url: str, english: bool = False, *, since_ms: int = 0
    ) -> RecordingDetail:
        """``media_url`` is where :meth:`file` is served: ``…/media``. Of what grows with the hours only what is not over by
        ``since_ms``, and the first :data:`EVENTS` events: lanes have them all. Who looks is audited."""
        async with self._store.reading() as reading:
            row = await self.found(reading, reader, recording)
            names = await names_of(reading, row.consultation_id)
        shown = index.shown(row, english, self._terms)
        manifest = await asyncio.to_thread(self.manifest, recording)
        if self._viewed((reader.id, recording), 600) is not None:
            async with self._store.transaction() as transaction:
                await audit.record(transaction, reader, "recording.view", recording, object=shown.title)
        return await asyncio.to_thread(  # hours of twenty-five tracks are a megabyte
            lambda: RecordingDetail(
                **shown.model_dump(), **_parts(manifest, media_url, names, since_ms), watermark=_watermark(reader)
            )
        )

    async def file(self, reader: Actor, recording: str, track: str, file: str) -> tuple[Reader, str]:
        """The file, to be closed, and its content type. NotFound for whatever is no file of this recording."""
        await self.require(reader, recording)
        return await asyncio.to_thread(self.opened, recording, track, file)

    async def require(self, reader: Actor, recording: str) -> None:
        """NotFound, Gone, Forbidden, unless he may see it at this moment."""
        async with self._store.reading() as reading:
            await self.found(reading, reader, recording)

    def opened(self, recording: str, track: str, file: str) -> tuple[Reader, str]:
        """As :meth:`file`, blocking; whoever calls it has asked for the right."""
        gone = NotFound("There is no such file in this recording.", "录制中没有这个文件。")
        if not _TRACK.fullmatch(track) or not _FILE.fullmatch(file):
            raise gone
        suffix = _TYPES.get(Path(file.removesuffix(PART)).suffix)
        manifest = self.manifest(recording)
        mime = manifest.mime(track, file) or manifest.mime(track, file.removesuffix(PART)) or (suffix and f"video/{suffix}")
        if not mime:
            raise gone
        try:
            # One that was being written when its address was given out may be finished now.
            return self._archive.open(recording, f"tracks/{track}/{file}"), mime
        except FileNotFoundError:
            raise gone from None
        except (OSError, ValueError) as error:
            raise _unreadable(recording, error) from None

    async def found(self, reading: Reading, reader: Actor, recording: str, permission: str = "recording.view") -> sa.Row[Any]:
        """Its row (:func:`index.query`). NotFound when there is none, or it is none of the reader's business."""
        row = None
        if re.fullmatch(ULID_PATTERN, recording):
            row = await reading.first(index.query().where(_r.id == recording, visible(reader, permission)))
        if row is None:
            raise NotFound("There is no such recording.", "没有这个录制。")
        keeping_rows.require_there(row)
        return row

    def manifest(self, recording: str) -> Manifest:
        """Blocking. Read again only when it has changed: a player asks for ranges many times a second. Unavailable."""
        try:
            stamp = self._archive.stamp(recording, "manifest.json")
            known = self._manifests.get(recording)
            if known is not None and known[0] == stamp:
                return known[1]
            content = _decode(self._archive.read(recording, "manifest.json", MANIFEST_LIMIT))
        except FileNotFoundError:
            return Manifest()  # begun a moment ago
        except (OSError, ValueError, RecursionError) as error:
            raise _unreadable(recording, error) from None
        self._manifests.pop(recording, None)
        self._manifests[recording] = (stamp, content)
        while len(self._manifests) > 16:
            self._manifests.pop(next(iter(self._manifests)), None)
        return content


def _unreadable(recording: str, error: Exception) -> Unavailable:
    log.error("recording not read", session=recording, reason=str(error))
    return Unavailable("The recording cannot be read.", "录制内容无法读取。", code="unreadable")


def _watermark(reader: Actor) -> Watermark:
    return Watermark(name=reader.name, post=reader.post, org_name=reader.org_name, at=iso(utc_ns()))


def visible(reader: Actor, permission: str) -> sa.ColumnElement[bool]:
    """Of the recordings where the reader has the permission."""
    return sa.or_(
        sa.false(),
        *(
            sa.and_(_r.org_id.in_(sorted(orgs)), _r.label.in_([str(label) for label in labels]))
            for orgs, labels in reader.scopes(permission)
        ),
    )


async def names_of(reading: Reading, consultation: str) -> Names:
    """As they were then."""
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


def _parts(manifest: Manifest, media_url: str, names: Names, since_ms: int) -> dict[str, Any]:
    """Addresses instead of file names, and names where the recorder knew identities only."""

    def named(one: ManifestTrack | ManifestSpeaker) -> dict[str, str]:
        name, org_name = names.get(one.identity, ("", ""))
        return {"identity": one.identity, "name": one.name or name, "org_name": one.org_name or org_name}

    return {
        "tracks": [
            {
                "id": one.id,
                **named(one),
                "kind": one.kind,
                "source": one.source if one.source in _SOURCES else "camera" if one.kind == "video" else "microphone",
                "codec": one.codec,
                "segments": [
                    {
                        "url": f"{media_url}/{one.id}/{segment.file}",
                        "mime": segment.mime,
                        "start_ms": segment.start_ms,
                        "end_ms": segment.start_ms + segment.duration_ms if segment.end_ms is None else segment.end_ms,
                        "duration_ms": segment.duration_ms,
                        "bytes": segment.bytes,
                    }
                    for segment in one.segments
                    if segment.start_ms + segment.duration_ms >= since_ms
                ],
            }
            for one in manifest.tracks
        ],
        "speakers": [{**named(one), "spans": [span for span in one.spans if span[1] >= since_ms]} for one in manifest.speakers],
        "events": [
            {
                "at_ms": one.at_ms,
                "type": one.type,
                "identity": one.identity or None,
                "name": one.name or names.get(one.identity or "", ("", ""))[0] or None,
                "text": one.text or None,
                "data": one.data,
            }
            for one in itertools.islice((one for one in manifest.events if one.at_ms >= since_ms), EVENTS)
        ],
        "gaps": [
            {"track": one.track, "start_ms": one.start_ms, "end_ms": one.end_ms, "reason": one.reason}
            for one in manifest.gaps
            if one.end_ms >= since_ms
        ],
    }
