"""Who sees whose presence, thinned: pages watch organisations and people, and are told of changes in turns. No I/O, no clock.

All pages are told in the same turns, at most one each :data:`EVERY`, so that pages with the same organisations get the same
message, and what changes back within a turn is not told at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from commhub.terminals.shapes import Presence

EVERY = 0.25  # seconds from turn to turn
SOON = 0.02  # seconds a first change waits for others
WATCHED_LIMIT = 200  # organisations and people that one page watches

#: person → presence
States = dict[str, Presence]


@dataclass(frozen=True, slots=True)
class Told:
    """Pages to which the same is said."""

    pages: list[int]
    people: States


@dataclass(frozen=True, slots=True)
class _There:
    org: str
    presence: Presence


class Board:
    """``pages`` are numbers of sockets; whether a page may see an organisation is decided by who gives it here."""

    def __init__(self) -> None:
        self._there: dict[str, _There] = {}  # who is not offline
        self._told: dict[str, _There] = {}  # as pages know it
        self._changed: set[str] = set()
        self._watched: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        self._last = float("-inf")

    def set(self, person: str, org: str, presence: Presence) -> None:
        if presence is Presence.OFFLINE:
            self._there.pop(person, None)
        else:
            self._there[person] = _There(org, presence)
        if self._there.get(person) == self._told.get(person):
            self._changed.discard(person)
        else:
            self._changed.add(person)

    def deadline(self, now: float) -> float | None:
        """When the next turn is due; None while there is nothing to tell."""
        return max(self._last + EVERY, now + SOON) if self._changed else None

    def watch(self, page: int, orgs: frozenset[str], people: frozenset[str]) -> States:
        """In place of what it watched. The result is everybody of them who is there; whoever is not named is offline.
        ValueError when it is too much."""
        if len(orgs) + len(people) > WATCHED_LIMIT:
            raise ValueError(f"A page watches at most {WATCHED_LIMIT} organisations and people.")
        self._watched[page] = orgs, people
        return {id: one.presence for id, one in self._told.items() if one.org in orgs or id in people}

    def leave(self, page: int) -> None:
        self._watched.pop(page, None)

    def turn(self, now: float, sees: Callable[[int, str], bool]) -> Iterator[Told]:
        """What is to be said now. ``sees(page, org)`` is asked for people who are watched by name."""
        self._last = now
        changes: dict[str, States] = {}
        named: dict[str, tuple[str, Presence]] = {}
        for id in self._changed:
            before, after = self._told.get(id), self._there.get(id)
            if before is not None and (after is None or after.org != before.org):
                changes.setdefault(before.org, {})[id] = Presence.OFFLINE
                named[id] = before.org, Presence.OFFLINE
            if after is not None:
                changes.setdefault(after.org, {})[id] = after.presence
                named[id] = after.org, after.presence
                self._told[id] = after
            else:
                self._told.pop(id, None)
        self._changed.clear()
        together: dict[frozenset[str], list[int]] = {}
        for page, (orgs, people) in self._watched.items():
            if changed := people & named.keys():
                mine = self._of(orgs, changes)
                mine |= {id: named[id][1] for id in changed if sees(page, named[id][0])}
                if mine:
                    yield Told([page], mine)
            elif concerned := orgs.intersection(changes):
                together.setdefault(concerned, []).append(page)
        for orgs, pages in together.items():
            yield Told(pages, self._of(orgs, changes))

    @staticmethod
    def _of(orgs: frozenset[str], changes: dict[str, States]) -> States:
        mine: States = {}
        for org in orgs & changes.keys():
            for id, presence in changes[org].items():
                # Who has moved from one watched organisation to another is there.
                if id not in mine or presence is not Presence.OFFLINE:
                    mine[id] = presence
        return mine
