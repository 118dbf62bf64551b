"""Channels of events: what a page wants to hear, and how far it has heard each. No I/O, no clock.

Events have one order (``seq``); a channel is a part of them, and its version is the ``seq`` up to which a page has all of it. So
a page may come back with another version of each channel, get what it missed of one, and be told to load only the one whose
history does not reach back far enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from commhub.events import TYPES, Published
from commhub.model import Actor

MINE = "mine"  # whatever names the person, or the people of his organisation, in any channel

#: The first word of an event's type → the channel.
CHANNELS: dict[str, str] = {
    "consultation": "consultation",
    "rollcall": "consultation",
    "agenda": "consultation",
    "call": "call",
    "dispatch": "call",
    "group": "group",
    "floor": "group",
    "camera": "camera",
    "playback": "camera",
    "download": "camera",
    "alarm": "alarm",
    "device": "device",
    "linktest": "device",
    "recording": "recording",
    "storage": "recording",
    "directory": "directory",
    "seat": "directory",
}
OTHER = "other"  # of a type that no channel has been named for
NAMES = frozenset({MINE, OTHER, *CHANNELS.values()})
SEQ_LIMIT = 1 << 62

#: Channel → its version, None: from now on.
Wanted = Mapping[str, int | None]


def channel_of(type: str) -> str:
    return CHANNELS.get(type.partition(".")[0], OTHER)


#: All types there are, by channel.
TYPES_OF: dict[str, list[str]] = {name: [type for type in TYPES if channel_of(type) == name] for name in sorted(NAMES - {MINE})}


def wanted(said: object) -> Wanted:
    """``{"camera": 4711, "mine": null}`` as a page says it. ValueError."""
    if not isinstance(said, dict) or not said:
        raise ValueError("channels is an object: the name of each channel, and its version or null.")
    for name, version in said.items():
        if name not in NAMES:
            raise ValueError(f"There is no channel {str(name)[:40]!r}.")
        if version is not None and not _is_seq(version):
            raise ValueError(f"The version of the channel {name} is the seq of an event, or null.")
    return dict(said)


def at_the_door(said: str) -> Wanted:
    """``camera:4711,mine`` of the query. ValueError."""
    parts = [part.partition(":") for part in said.split(",")[: len(NAMES) + 1]]
    return wanted({name: _number(version) if colon else None for name, colon, version in parts})


def _is_seq(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < SEQ_LIMIT


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1


class Channels:
    """Those of one page. Until it names any, it hears all of them."""

    def __init__(self) -> None:
        self._names: frozenset[str] | None = None

    @property
    def names(self) -> frozenset[str]:
        return NAMES if self._names is None else self._names

    def choose(self, names: Iterable[str]) -> None:
        """In place of what it heard before."""
        self._names = frozenset(names)

    def hears(self, published: Published, actor: Actor) -> bool:
        return self._names is None or bool(_of(published, actor) & self._names)


def missed(published: Published, actor: Actor, versions: Mapping[str, int]) -> bool:
    """Is it of a channel that has not come so far, and of none that has? Who heard it by one has heard it."""
    concerned = [versions[name] for name in _of(published, actor) if name in versions]
    return bool(concerned) and max(concerned) < published.event.seq


def _of(published: Published, actor: Actor) -> set[str]:
    found = {channel_of(published.event.type)}
    if actor.id in published.audience.people or actor.org in published.audience.orgs:
        found.add(MINE)
    return found


def about(names: Iterable[str], seq: int) -> dict[str, Any]:
    """What a page is told once it has all of these up to ``seq``."""
    return {"type": "subscribed", "channels": sorted(names), "seq": seq}
