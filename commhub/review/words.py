"""Texts of recordings, to be found by any part of them, one Chinese character or more: what is written into the store.

Every text is folded (NFKC, lower case) and taken apart into pairs of characters that follow each other, each a number of its own;
the last character of a word stands alone. So a word is found by all its pairs, a single character by all pairs that begin with
it, and both databases need nothing but a plain index. Spaces separate, nothing else does: 水位3.2 is one word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sqlalchemy as sa

from commhub.store import Transaction, tables

VERSION = 1  # of these rules: a recording taken in by older ones is taken in anew
TEXT_LIMIT = 4_000  # characters of one text that are kept
FIRST = 21  # bits of a character
_t, _w, _s = tables.recording_texts.c, tables.recording_terms.c, tables.recording_reviews.c


@dataclass(frozen=True, slots=True)
class Text:
    recording: str
    kind: str
    type: str
    at_ms: int
    who: str
    text: str
    mark: str | None = None


def fold(text: str) -> str:
    """As texts are compared."""
    return unicodedata.normalize("NFKC", text).lower()


def terms(folded: str) -> set[int]:
    """The pairs of a text, and each word's last character alone."""
    return {number for word in folded.split() for number in _pairs(word, alone=True)}


def wanted(word: str) -> list[int]:
    """The pairs that a text with this folded word has, each once; of a single character none."""
    return sorted(set(_pairs(word, alone=False)))


def beginning(character: str) -> tuple[int, int]:
    """All terms that begin with a character: from the first number up to below the second."""
    return ord(character) << FIRST, (ord(character) + 1) << FIRST


def _pairs(word: str, *, alone: bool) -> Iterator[int]:
    for first, second in pairwise(word):
        yield ord(first) << FIRST | ord(second)
    if alone:
        yield ord(word[-1]) << FIRST


async def add(transaction: Transaction, texts: Sequence[Text]) -> None:
    rows, pairs = [], []
    # The hub is the only one that writes them, and one transaction at a time.
    last = await transaction.value(sa.select(sa.func.max(_t.id))) or 0
    for id, text in enumerate(texts, last + 1):
        kept = text.text[:TEXT_LIMIT]
        folded = fold(f"{kept} {text.who}")
        rows.append(
            {
                "id": id, "recording_id": text.recording, "mark_id": text.mark, "kind": text.kind, "type": text.type[:64],
                "at_ms": text.at_ms, "who": text.who[:200], "text": kept, "folded": folded,
            }
        )  # fmt: skip
        pairs += [{"term": term, "text_id": id} for term in terms(folded)]
    await transaction.insert(tables.recording_texts, *rows)
    await transaction.insert(tables.recording_terms, *pairs)


async def forget(transaction: Transaction, *, mark: str | None = None, recording: str | None = None, limit: int = 500) -> int:
    """The texts of a mark, or some of a recording's own (marks' stay); how many they were."""
    which = _t.mark_id == mark if mark is not None else sa.and_(_t.recording_id == recording, _t.mark_id.is_(None))
    rows = await transaction.all(sa.select(_t.id, _t.folded).where(which).limit(limit))
    for row in rows:
        for some in _some(sorted(terms(row.folded)), 400):
            await transaction.run(sa.delete(tables.recording_terms).where(_w.text_id == row.id, _w.term.in_(some)))
    if rows:
        await transaction.run(sa.delete(tables.recording_texts).where(_t.id.in_([row.id for row in rows])))
    return len(rows)


def _some(numbers: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    for at in range(0, len(numbers), size):
        yield numbers[at : at + size]


async def begin(transaction: Transaction, recording: str) -> None:
    """A recording has its row of reviewing; its words are still to be taken in."""
    known = await transaction.value(sa.select(_s.recording_id).where(_s.recording_id == recording))
    if known is None:
        row = {"recording_id": recording, "version": 0, "position": 0, "whole": False, "marks_rev": 0}
        await transaction.insert(tables.recording_reviews, row)
