"""What the interface asks of reviewing; every answer begins with the question whether the reader may see the recording."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from commhub import access, audit
from commhub.archive import Archive
from commhub.errors import Conflict
from commhub.events import Events
from commhub.model import Actor
from commhub.recordings.review import Manifest, ManifestEvent, Names, Review, names_of
from commhub.review import filling, lanes, marks, pictures, search, shapes, waves
from commhub.review.derived import Derived
from commhub.review.filling import Filling
from commhub.review.lanes import Spans
from commhub.review.watching import HEAD, Watching
from commhub.store import Store
from commhub.views import Access, Page

Range = tuple[str, str, int, int | None]  # track, file, first byte, the one behind the last (None: to the end)
_KNOWN = 16  # manifests whose spans are remembered


class Reviewing:
    """``folder`` is for what is made of recordings; ``clock`` is monotonic seconds."""

    def __init__(
        self,
        store: Store,
        events: Events,
        review: Review,
        archive: Archive,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._review, self._archive, self._clock = store, review, archive, clock
        self.marks = marks.Marks(store, events, review)
        self.derived = Derived(archive, folder)
        self.filling = Filling(store, review, self.derived)
        self._watching = Watching()
        self._spans: dict[str, tuple[Manifest, Spans]] = {}

    def start(self) -> None:
        self.filling.start()

    async def close(self) -> None:
        await self.filling.close()
        await self.derived.close()

    async def _look(self, reader: Actor, recording: str) -> tuple[sa.Row[Any], Manifest]:
        """Unless he may not."""
        async with self._store.reading() as reading:
            row = await self._review.found(reading, reader, recording)
        return row, await asyncio.to_thread(self._review.manifest, recording)

    # ---- lanes

    async def lanes(self, reader: Actor, recording: str, after: int, limit: int, english: bool) -> shapes.Lanes:
        """``after`` is the ``next`` of an earlier answer. Conflict when that is of another state of the recording."""
        async with self._store.reading() as reading:
            row = await self._review.found(reading, reader, recording)
            names = await names_of(reading, row.consultation_id)
            rev = await marks.rev(reading, recording)
        manifest = await asyncio.to_thread(self._review.manifest, recording)
        if after > len(manifest.events):
            raise Conflict("The recording has been repaired: begin anew.", "录制已修复，请重新加载。", code="cursor")
        return await asyncio.to_thread(self._lanes, row, manifest, names, rev, after, limit, english)

    def _lanes(
        self, row: sa.Row[Any], manifest: Manifest, names: Names, rev: int, after: int, limit: int, english: bool
    ) -> shapes.Lanes:
        events, spans = manifest.events, self._spans_of(row.id, manifest)
        behind = min(len(events), after + limit)
        return shapes.Lanes(
            lanes=lanes.used(events, english),
            items=[lanes.item(place, events, spans, names, english) for place in range(after, behind)],
            ended=lanes.ended(events, spans, after, behind),
            next=behind,
            more=behind < len(events),
            running=row.state == "recording",
            duration_ms=row.duration_ms or _until(manifest),
            marks_rev=rev,
        )

    def _spans_of(self, recording: str, manifest: Manifest) -> Spans:
        known = self._spans.get(recording)
        if known is not None and known[0] is manifest:
            return known[1]
        found = Spans.of(manifest.events)
        self._spans.pop(recording, None)
        self._spans[recording] = manifest, found
        while len(self._spans) > _KNOWN:
            self._spans.pop(next(iter(self._spans)), None)
        return found

    # ---- words

    async def search(
        self, reader: Actor, q: str, *, recording: str | None, kind: str | None, before: int | None, limit: int
    ) -> shapes.FoundPage:
        wanted = search.understood(q)
        async with self._store.reading() as reading:
            found, following = await search.find(
                reading, reader, wanted, recording=recording, kind=kind, before=before, limit=limit
            )
            behind = await search.behind(reading)
        if before is None:
            async with self._store.transaction() as transaction:
                await access.record(transaction, reader, "search", recording=recording or "", detail=q)
        return shapes.FoundPage(items=found, next=str(following) if following is not None else None, behind=behind)

    async def anew(self, by: Actor) -> shapes.Rebuilding:
        """All words are taken in anew, from what lies in the recordings' folders."""
        async with self._store.transaction() as transaction:
            count = await filling.anew(transaction)
            await audit.record(transaction, by, "recording.policy", "", object=f"重建检索：{count} 个录制")
        return shapes.Rebuilding(recordings=count)

    # ---- pictures and curves

    async def thumbnails(self, reader: Actor, recording: str, track: str, url: str) -> shapes.Thumbnails:
        row, manifest = await self._look(reader, recording)
        return pictures.thumbnails(pictures.track_of(manifest, track, "video"), url, row.state == "recording")

    async def sheet(self, reader: Actor, recording: str, track: str, name: str) -> bytes:
        _, manifest = await self._look(reader, recording)
        return await pictures.sheet(self.derived, recording, pictures.track_of(manifest, track, "video"), name)

    async def waveform(
        self, reader: Actor, recording: str, track: str, begin_ms: int, end_ms: int | None, step_ms: int | None
    ) -> shapes.Waveform:
        """``end_ms`` None: as far as there is sound."""
        row, manifest = await self._look(reader, recording)
        found = pictures.track_of(manifest, track, "audio")
        until = max((one.start_ms + one.duration_ms for one in found.segments), default=0)
        span = begin_ms, until if end_ms is None else min(end_ms, until)
        started_ms = row.started_at // 1_000_000
        return await waves.waveform(
            self.derived, self._archive, recording, found, started_ms, span, step_ms, row.state == "recording"
        )

    # ---- who looks

    async def viewed(self, reader: Actor, recording: str) -> None:
        """A page is opened; after whether it may be was asked."""
        if self._watching.opened(reader.id, recording, self._clock()):
            await self._note(reader, recording, "view", "", None)

    async def went(self, reader: Actor, recording: str, ranges: Sequence[Range]) -> None:
        """These bytes are asked for; before they are given out."""
        manifest = await asyncio.to_thread(self._review.manifest, recording)
        for track, file, begin, end in ranges:
            span = _span(manifest, track, file.removesuffix(".part"), begin, end)
            if span is not None and self._watching.went(reader.id, recording, track, *span, self._clock()):
                await self._note(reader, recording, "seek", track, span[0])

    async def _note(self, reader: Actor, recording: str, kind: access.Kind, track: str, at_ms: int | None) -> None:
        async with self._store.transaction() as transaction:
            row = await self._review.found(transaction, reader, recording)
            await access.record(
                transaction, reader, kind, recording=recording, org=row.org_id, title=row.title, track=track, at_ms=at_ms
            )

    async def looks(
        self, reader: Actor, *, recording: str | None, person: str | None, kind: str | None, before: str | None, limit: int
    ) -> Page[Access]:
        """The access log."""
        async with self._store.reading() as reading:
            return await access.rows(reading, reader, recording=recording, person=person, kind=kind, before=before, limit=limit)


def _until(manifest: Manifest) -> int:
    ends = (one.start_ms + one.duration_ms for track in manifest.tracks for one in track.segments)
    events: list[ManifestEvent] = manifest.events[-1:]
    return max([*ends, *(one.at_ms for one in events)], default=0)


def _span(manifest: Manifest, track: str, file: str, begin: int, end: int | None) -> tuple[int, int] | None:
    """What bytes of a file show, on the recording's clock, about; None for its head."""
    for one in manifest.tracks:
        for segment in one.segments if one.id == track else ():
            if segment.file.removesuffix(".part") != file:
                continue
            size = max(segment.bytes, begin + 1)
            if begin == 0 and end is not None and end <= HEAD < size:
                return None
            begin_ms = segment.start_ms + segment.duration_ms * begin // size
            return begin_ms, segment.start_ms + segment.duration_ms * min(size, size if end is None else end) // size
    return None
