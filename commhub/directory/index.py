"""Finding entries of the directory by the beginnings of their words. Works alike on SQLite and PostgreSQL: a range of an index.

An entry is found by its own words, by those of whom it belongs to (a telephone by its person) and by those of its
organisation: 水务 值班长 finds who has that post there. A telephone number is not among the words, its keyed digests are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from commhub.directory.words import asked
from commhub.store import Reading, Transaction, tables

_CHUNK = 4_000  # rows of one statement; between two of them others have their turn
_IDS = 400  # in one IN
_LAST = "\U0010ffff"
_e, _t = tables.directory_entries.c, tables.directory_tokens.c
#: What is found equally well stands in this order.
KINDS = ("organisation", "person", "seat", "place", "endpoint")


@dataclass(frozen=True, slots=True)
class Entry:
    """``rank`` orders within the kind, 0 to 999, lowest first."""

    id: str
    kind: str
    org: str
    tokens: Collection[str]
    owner: str = ""
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    id: str
    kind: str
    org: str
    owner: str


async def put(transaction: Transaction, entries: Sequence[Entry], *, fresh: bool = False) -> None:
    """``fresh``: none of them was there before."""
    if not fresh:
        await drop(transaction, [entry.id for entry in entries])
    rows = [
        {
            "id": one.id,
            "kind": one.kind,
            "org_id": one.org,
            "owner_id": one.owner,
            "rank": KINDS.index(one.kind) * 1000 + one.rank,
        }
        for one in entries
    ]
    # In the order of the index: its pages are filled one after another.
    words = sorted((token, one.id) for one in entries for token in one.tokens)
    for part in _parts(rows, _CHUNK):
        await transaction.insert(tables.directory_entries, *part)
    for some in _parts(words, _CHUNK):
        await transaction.insert(tables.directory_tokens, *({"token": token, "entry_id": id} for token, id in some))


async def drop(transaction: Transaction, ids: Sequence[str]) -> None:
    for part in _parts(ids, _IDS):
        await transaction.run(sa.delete(tables.directory_tokens).where(_t.entry_id.in_(part)))
        await transaction.run(sa.delete(tables.directory_entries).where(_e.id.in_(part)))


async def move(transaction: Transaction, ids: Sequence[str], org: str) -> None:
    """They belong to another organisation now, with what belongs to them."""
    for part in _parts(ids, _IDS):
        here = sa.or_(_e.id.in_(part), _e.owner_id.in_(part))
        await transaction.run(sa.update(tables.directory_entries).where(here).values(org_id=org))


def _parts(rows: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (rows[at : at + size] for at in range(0, len(rows), size))


def hits(word: str, others: Collection[str] = ()) -> sa.Select[Any]:
    """Ids of entries with a word that begins so, or with one of ``others`` as a whole."""
    mine: sa.ColumnElement[bool] = sa.and_(_t.token >= word, _t.token < word + _LAST)
    return sa.select(_t.entry_id).where(sa.or_(mine, _t.token.in_(sorted(others))) if others else mine)


def named(q: str, id: sa.ColumnElement[str], org: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Every word of ``q`` among those of the entry or of its organisation."""
    return sa.and_(sa.true(), *(sa.or_(id.in_(hits(word)), org.in_(hits(word))) for word in asked(q)))


async def search(
    reading: Reading,
    q: str,
    *,
    kinds: Collection[str] = (),
    within: sa.ColumnElement[bool] | None = None,
    digests: Mapping[str, Collection[str]] | None = None,
    limit: int = 20,
) -> list[Found]:
    """At most ``limit``, best first: what has the words itself before what only belongs to it. ``digests`` are tokens that stand
    for a word, too. ``within`` is a condition on ``directory_entries``."""
    words = asked(q)
    if not words:
        return []
    conditions: list[sa.ColumnElement[bool]] = [_e.kind.in_(sorted(kinds))] if kinds else []
    if within is not None:
        conditions.append(within)
    matching = [hits(word, (digests or {}).get(word, ())) for word in words]
    own = [_e.id.in_(one) for one in matching]
    found = await _rows(reading, [*own, *conditions], limit)
    if len(found) < limit:
        near = [sa.or_(_e.id.in_(one), _e.owner_id.in_(one), _e.org_id.in_(one)) for one in matching]
        more = await _rows(reading, [*near, *conditions], limit + len(found))
        there = {one.id for one in found}
        found += [one for one in more if one.id not in there]
    return found[:limit]


async def _rows(reading: Reading, conditions: Sequence[sa.ColumnElement[bool]], limit: int) -> list[Found]:
    query = sa.select(_e.id, _e.kind, _e.org_id, _e.owner_id).where(*conditions).order_by(_e.rank, _e.id).limit(limit)
    return [Found(row.id, row.kind, row.org_id, row.owner_id) for row in await reading.all(query)]
