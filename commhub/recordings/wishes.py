"""What is to be recorded, as it is kept: of each room about which somebody said something its own policy, and what was said by
hand. All of it is in memory; a change is there when it is committed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, fields, replace
from typing import Any

import sqlalchemy as sa

from commhub.model import utc_ns
from commhub.recordings import policy
from commhub.recordings.policy import Rules, Ruling
from commhub.store import Reading, Store, Transaction, tables

_t = tables.recorded_rooms.c


@dataclass(frozen=True, slots=True)
class Wish:
    """``mode`` None: that of its kind. ``session`` is the recording that runs (not of consultations)."""

    subject: str
    kind: policy.Kind
    mode: policy.Mode | None = None
    layers: policy.Layers = ""
    incident: str = ""
    said: policy.Said = ""
    paused: bool = False
    session: str = ""
    since: int = 0
    rev: int = 0

    @property
    def empty(self) -> bool:
        return self.mode is None and not (self.said or self.session or self.incident or self.layers)


async def _room_for_all(reading: Reading, org: str) -> None:
    """No organisation has a quota."""


class Wishes:
    """``admits(reading, org)`` raises Conflict where an organisation's room for recordings is used up."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store, self.rules = store, rules
        self.admits: Callable[[Reading, str], Awaitable[None]] = _room_for_all
        self._all: dict[str, Wish] = {}

    async def open(self) -> None:
        async with self._store.reading() as reading:
            self._all = {row.subject: _wish(row) for row in await reading.all(sa.select(tables.recorded_rooms))}

    def of(self, kind: policy.Kind, subject: str) -> Wish:
        found = self._all.get(subject)
        return found if found is not None and found.kind == kind else Wish(subject, kind)

    def known(self, kind: policy.Kind) -> Collection[str]:
        return [one.subject for one in self._all.values() if one.kind == kind]

    def every(self) -> list[Wish]:
        return list(self._all.values())

    def ruling(self, kind: policy.Kind, subject: str, label: str) -> Ruling:
        return self.rules.ruling(kind, label, self.of(kind, subject).mode)

    async def admit(self, reading: Reading, mode: policy.Mode, org: str) -> None:
        """Conflict for a recording that somebody wants by hand and that there is no room for. What must be recorded goes on."""
        if mode not in ("always", "start"):
            await self.admits(reading, org)

    async def read(self, reading: Reading, kind: policy.Kind, subject: str) -> Wish:
        """As it is in the database, inside a transaction."""
        row = await reading.first(sa.select(tables.recorded_rooms).where(_t.subject == subject, _t.kind == kind))
        return _wish(row) if row is not None else Wish(subject, kind)

    async def write(self, transaction: Transaction, before: Wish, **changed: Any) -> Wish:
        after = replace(before, **changed, rev=before.rev + 1, since=utc_ns())
        gone = sa.delete(tables.recorded_rooms).where(_t.subject == before.subject)
        await transaction.run(gone)
        if not after.empty:
            row = {one.name: getattr(after, one.name) for one in fields(Wish)}
            row["session_id"] = row.pop("session") or None
            await transaction.insert(tables.recorded_rooms, row)
        transaction.after(lambda: self._keep(after))
        return after

    def _keep(self, wish: Wish) -> None:
        if wish.empty:
            self._all.pop(wish.subject, None)
        else:
            self._all[wish.subject] = wish


def _wish(row: sa.Row[Any]) -> Wish:
    names = [one.name for one in fields(Wish) if one.name != "session"]
    return Wish(**{name: row._mapping[name] for name in names}, session=row.session_id or "")
