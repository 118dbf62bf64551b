"""What happened in a recording, as lanes beside its pictures: from its manifest's events and the table of :mod:`commhub.lanes`.

A type that nobody declared is in the lane of others, by its own title. Nothing here reads a file or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commhub import lanes as table
from commhub.recordings.review import ManifestEvent, Names
from commhub.review import shapes

_LONG = 500  # characters of a string that are shown of an event's data
_DEEP = 6  # levels of it
_MANY = 50  # members of each
_HIDDEN = frozenset({"payload"})  # a program's octets


@dataclass(frozen=True, slots=True)
class Spans:
    """Of events in their order: ``ends`` maps the place of one to that of the one that ends it."""

    ends: Mapping[int, int]

    @classmethod
    def of(cls, events: Sequence[ManifestEvent]) -> Spans:
        began: dict[tuple[str, str, str], int] = {}  # by the type that will end it, and whose it is
        ends: dict[int, int] = {}
        for place, event in enumerate(events):
            identity, thing = _whose(event)
            for key in ((event.type, identity, thing), (event.type, identity, "")):
                if (start := began.pop(key, None)) is not None:
                    ends[start] = place
            if until := table.shown(event.type, event.data).until:
                began.setdefault((until, identity, thing), place)
        return cls(ends)


def _whose(event: ManifestEvent) -> tuple[str, str]:
    data = event.data if isinstance(event.data, Mapping) else {}
    camera = data.get("camera")
    things = (data.get("track"), data.get("camera_id"), camera.get("id") if isinstance(camera, Mapping) else None)
    return event.identity or "", next((one for one in things if isinstance(one, str)), "")


def item(place: int, events: Sequence[ManifestEvent], spans: Spans, names: Names, english: bool) -> shapes.LaneItem:
    event = events[place]
    shown = table.shown(event.type, event.data)
    end = spans.ends.get(place)
    return shapes.LaneItem(
        id=f"e{place}",
        at_ms=event.at_ms,
        until_ms=max(events[end].at_ms, event.at_ms) if end is not None else None,
        type=event.type,
        lane=shown.lane,
        title=shown.en if english else shown.zh,
        icon=table.icon(shown),
        identity=event.identity or None,
        who=who(event, names) or None,
        text=event.text or None,
        detail=_short(event.data, _DEEP),
    )


def ended(events: Sequence[ManifestEvent], spans: Spans, first: int, behind: int) -> list[shapes.LaneEnd]:
    """Of what began before the place ``first``: what the events from there up to ``behind`` end."""
    return [
        shapes.LaneEnd(id=f"e{start}", until_ms=max(events[end].at_ms, events[start].at_ms))
        for start, end in spans.ends.items()
        if start < first <= end < behind
    ]


def used(events: Sequence[ManifestEvent], english: bool) -> list[shapes.Lane]:
    there = {table.shown(event.type, event.data).lane for event in events} | {table.MARK}
    return [
        shapes.Lane(id=name, title=lane.en if english else lane.zh, icon=lane.icon)
        for name, lane in table.LANES.items()
        if name in there
    ]


def who(event: ManifestEvent, names: Names) -> str:
    """By name: whose it is, else who did it."""
    name = event.name or names.get(event.identity or "", ("", ""))[0]
    if name or not isinstance(event.data, Mapping):
        return name
    for key in ("actor", "by", "host", "camera", "person"):
        of = event.data.get(key)
        if isinstance(of, Mapping) and isinstance(said := of.get("name"), str):
            return said[:200]
    return ""


def _short(value: Any, deep: int) -> Any:
    """What a page shows of an event's data: a program may have put anything there."""
    if isinstance(value, str):
        return value if len(value) <= _LONG else value[:_LONG] + "…"
    if isinstance(value, Mapping):
        kept = [(key, one) for key, one in value.items() if key not in _HIDDEN][:_MANY]
        return {str(key)[:_LONG]: _short(one, deep - 1) for key, one in kept} if deep else None
    if isinstance(value, Sequence):
        return [_short(one, deep - 1) for one in value[:_MANY]] if deep else None
    return value
