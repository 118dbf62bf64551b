"""Which events of the bus are facts of which recording: those that carry its room, or a camera that is in it. Pure.

The set of types is open: an event of a type nobody here knows is journalled by that type as soon as its subject, or a word
anywhere in its data, is the room's id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from commhub.events import Published
from commhub.model import ULID_PATTERN

#: The recorder sees these for itself in the room; lists of recordings and books are no facts of a room.
_NOT: Final = {"consultation.joined", "consultation.left", "recording.listed", "directory.changed"}
#: Parts of an event's data that say how the room is altogether: the fact is what happened, not all there is.
_WHOLE: Final = {"consultation", "call", "group"}
_DEPTH, _WORDS = 6, 2_000
_ID: Final = re.compile(f"(?:[a-z]+_)?({ULID_PATTERN})(?::.*)?", re.DOTALL)


def rooms(published: Published, of_camera: Callable[[str], set[str]]) -> set[str]:
    """Rooms whose recordings have this as a fact. ``of_camera`` says in which rooms a camera is. What is silent is in none:
    whoever listens without telling anybody shall be in no file."""
    event = published.event
    if event.type in _NOT or _silent(published):
        return set()
    carried = {event.subject, *_ids(event.data)}
    return carried.union(*(of_camera(id) for id in carried))


def data(published: Published) -> dict[str, object]:
    """What is journalled of it, beside its type and time."""
    event = published.event
    said: dict[str, object] = {
        name: value.get("id") if name in _WHOLE and isinstance(value, dict) else value
        for name, value in event.data.items()
        if not (name in _WHOLE and isinstance(value, dict) and value.get("id") == event.subject)
    }
    if event.actor is not None:
        said["actor"] = event.actor
    return said


def _silent(published: Published) -> bool:
    act = published.event.data.get("act")
    return isinstance(act, dict) and act.get("silent") is True


def _ids(value: Any) -> set[str]:
    found: set[str] = set()
    for count, word in enumerate(_words(value, _DEPTH)):
        if count == _WORDS:
            break
        if (match := _ID.fullmatch(word)) is not None:
            found.add(match.group(1))
    return found


def _words(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if 26 <= len(value) <= 100:
            yield value
    elif depth and isinstance(value, dict):
        for one in value.values():
            yield from _words(one, depth - 1)
    elif depth and isinstance(value, list):
        for one in value:
            yield from _words(one, depth - 1)
