"""Thumbnails on the seek bar: a sheet of tiles for each file of a video track, one tile for each ten seconds."""

from __future__ import annotations

import re

from commhub.errors import NotFound
from commhub.recordings.review import Manifest, ManifestSegment, ManifestTrack
from commhub.review import shapes
from commhub.review.derived import Derived

RECIPE = 1  # of these sheets: another one makes them anew
EVERY_MS = 10_000
COLUMNS = 6
WIDTH, HEIGHT = 160, 90
MOST = 360  # tiles of a sheet: a file of an hour
_SHEET = re.compile(r"([0-9]{4,9})-([0-9]{1,3})\.jpg")


def track_of(manifest: Manifest, track: str, kind: str) -> ManifestTrack:
    """NotFound when there is none of that kind."""
    for one in manifest.tracks:
        if one.id == track and one.kind == kind:
            return one
    if kind == "video":
        raise NotFound("There is no such track with pictures.", "没有这条视频轨道。")
    raise NotFound("There is no such track with sound.", "没有这条声音轨道。")


def thumbnails(track: ManifestTrack, url: str, running: bool) -> shapes.Thumbnails:
    """``url`` is where sheets are served."""
    sheets = [
        shapes.Sheet(
            url=f"{url}/{stem(segment)}-{count(segment)}.jpg",
            start_ms=segment.start_ms,
            until_ms=segment.start_ms + segment.duration_ms,
            every_ms=EVERY_MS,
            count=count(segment),
            columns=COLUMNS,
            tile_width=WIDTH,
            tile_height=HEIGHT,
            whole=not segment.file.endswith(".part"),
        )
        for segment in track.segments
        if segment.duration_ms > 0
    ]
    return shapes.Thumbnails(track=track.id, sheets=sheets, running=running)


def stem(segment: ManifestSegment) -> str:
    return segment.file.partition(".")[0]


def count(segment: ManifestSegment) -> int:
    return min(MOST, max(1, -(-segment.duration_ms // EVERY_MS)))


async def sheet(derived: Derived, recording: str, track: ManifestTrack, name: str) -> bytes:
    """A JPEG. NotFound for what was never offered."""
    found = _SHEET.fullmatch(name)
    segment = next((one for one in track.segments if found and stem(one) == found[1]), None)
    if found is None or segment is None or not 1 <= int(found[2]) <= count(segment):
        raise NotFound("There is no such sheet of thumbnails.", "没有这张缩略图。")
    source = f"tracks/{track.id}/{segment.file}"
    kept = f"thumbnails-{RECIPE}/{track.id}/{found[1]}~{found[2]}.jpg"
    size = (EVERY_MS, int(found[2]), COLUMNS, WIDTH, HEIGHT)
    return await derived.of(recording, source, kept, ("recorder.thumbnails", *map(str, size)))
