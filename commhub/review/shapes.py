"""What pages that review get. Times are ISO 8601 UTC, ``…_ms`` count from the recording's start."""

from __future__ import annotations

from typing import Any, Literal

from commhub.model import Label
from commhub.views import Time, View


class Lane(View):
    """``icon`` is a Lucide name, a hint."""

    id: str
    title: str
    icon: str


class LaneItem(View):
    """``id`` stays the same. ``title`` is the type's in words; ``who`` by name. ``until_ms`` null: a moment, or not over yet."""

    id: str
    at_ms: int
    until_ms: int | None
    type: str
    lane: str
    title: str
    icon: str
    identity: str | None
    who: str | None
    text: str | None
    detail: Any


class LaneEnd(View):
    id: str
    until_ms: int


class Lanes(View):
    """``lanes`` in the order they are shown: those that this recording has something in. ``next`` is what ``after`` is asked
    with for what follows: at once while ``more``, every two seconds while the recording runs. ``ended`` are items of earlier
    answers that are over now. ``marks_rev`` has grown: the marks are others."""

    lanes: list[Lane]
    items: list[LaneItem]
    ended: list[LaneEnd]
    next: int
    more: bool
    running: bool
    duration_ms: int
    marks_rev: int


MarkKind = Literal["mark", "comment"]


class Mark(View):
    """``until_ms`` null: a moment. ``may_change``: by the reader."""

    id: str
    kind: MarkKind
    at_ms: int
    until_ms: int | None
    title: str
    text: str
    by_id: str | None
    by_name: str
    by_org: str
    made_at: Time
    changed_at: Time
    rev: int
    may_change: bool


class Marks(View):
    """By ``at_ms``. ``rev`` grows with whatever changes."""

    items: list[Mark]
    rev: int


FoundKind = Literal["title", "name", "chat", "mark", "event"]


class Found(View):
    """A place where the words are. ``snippet`` is around the first one, ``hits`` are where in it (start, end, in characters)."""

    recording_id: str
    title: str
    code: str
    label: Label
    started_at: Time
    at_ms: int
    kind: FoundKind
    type: str
    who: str
    snippet: str
    hits: list[tuple[int, int]]


class FoundPage(View):
    """Newest recordings first. ``next`` is the cursor. ``behind``: recordings whose words are still being taken in."""

    items: list[Found]
    next: str | None
    behind: int


class Rebuilding(View):
    """Recordings whose words are being taken in anew; ``behind`` of a search counts down."""

    recordings: int


class Sheet(View):
    """A picture of ``count`` tiles, by rows of ``columns``: the first shows ``start_ms``, each the moment ``every_ms`` after
    the one before. ``until_ms`` is where it ends; a sheet that is not ``whole`` grows under another address."""

    url: str
    start_ms: int
    until_ms: int
    every_ms: int
    count: int
    columns: int
    tile_width: int
    tile_height: int
    whole: bool


class Thumbnails(View):
    track: str
    sheets: list[Sheet]
    running: bool


class Waveform(View):
    """``peaks`` are 0 … 100, one for each ``step_ms`` from ``start_ms`` on. ``of``: what the participant's client measured, or
    the sound itself."""

    track: str
    start_ms: int
    step_ms: int
    peaks: list[int]
    of: Literal["levels", "sound"]
    running: bool
