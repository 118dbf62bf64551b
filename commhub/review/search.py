"""Finding words in all recordings that the reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from commhub.errors import Invalid
from commhub.model import Actor, iso
from commhub.recordings.keeping import GONE
from commhub.recordings.review import visible
from commhub.review import shapes
from commhub.review.words import beginning, fold, wanted
from commhub.store import Reading, tables

WORDS = 8
WORD = 64  # characters
_MANY = 10_000  # texts with a term: more are looked through in their order instead of being gathered
_RECORDINGS = 60  # that are few
_FEW = 200  # that are looked at whatever else is asked
_LOOKED = 6  # terms of a query whose frequency is asked for
_BEFORE, _BEHIND = 24, 96  # characters around what was found
_k = tables.recording_keeping.c
_r, _t, _w = tables.recordings.c, tables.recording_texts.c, tables.recording_terms.c
_GONE = sa.select(_k.recording_id).where(_k.state.in_([str(state) for state in GONE]))


def understood(q: str) -> list[str]:
    """The words of a query, folded. Invalid."""
    words = list(dict.fromkeys(fold(q).split()))
    if not words:
        raise Invalid("Say what is to be found: one character or more.", "请输入要查找的内容，一个字即可。", code="no_words")
    if len(words) > WORDS or any(len(word) > WORD for word in words):
        raise Invalid(
            f"At most {WORDS} words of {WORD} characters can be found at once.",
            f"一次最多查找 {WORDS} 个词，每个词不超过 {WORD} 个字。",
            code="too_many_words",
        )
    return words


async def find(
    reading: Reading,
    reader: Actor,
    words: Sequence[str],
    *,
    recording: str | None = None,
    kind: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[list[shapes.Found], int | None]:
    """Texts that have all the words, newest first, and the cursor (``before``) of those that follow."""
    conditions = [
        *await _narrowed(reading, words),
        await _theirs(reading, reader),
        *(_t.folded.contains(word, autoescape=True) for word in words),
    ]
    if recording is not None:
        conditions.append(_t.recording_id == recording)
    if kind is not None:
        conditions.append(_t.kind == kind)
    if before is not None:
        conditions.append(_t.id < before)
    fit = sa.select(_t.id).where(*conditions).order_by(_t.id.desc()).limit(limit + 1).subquery()
    query = (
        sa.select(
            _t.id, _t.recording_id, _t.kind, _t.type, _t.at_ms, _t.who, _t.text,
            _r.title, _r.code, _r.label, _r.started_at,
        )
        .join_from(fit, tables.recording_texts, _t.id == fit.c.id)
        .join(tables.recordings, _r.id == _t.recording_id)
        .order_by(_t.id.desc())
    )  # fmt: skip
    rows = await reading.all(query)
    return [_shown(row, words) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None


async def _theirs(reading: Reading, reader: Actor) -> sa.ColumnElement[bool]:
    """Texts of recordings that the reader may see.

    Of few recordings the texts are found by them. Of many both databases would do so, too, and sort nearly all texts there are:
    an expression leaves them no index but that of the texts' order, in which a few looks are enough where much fits."""
    mine = sa.select(_r.id).where(visible(reader, "recording.view"), _r.id.not_in(_GONE))
    some = await reading.all(mine.limit(_RECORDINGS + 1))
    if len(some) <= _RECORDINGS:
        return _t.recording_id.in_([row.id for row in some])
    return sa.func.coalesce(_t.recording_id, "").in_(mine)


async def _narrowed(reading: Reading, words: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    """What the index says: texts with the rarest two pairs of all words; nothing when even those are in very many, for then the
    newest that fit are found soon by looking at them."""
    pairs = sorted({pair for word in words for pair in wanted(word)})
    ranges = [(pair, pair + 1) for pair in pairs[:: max(1, -(-len(pairs) // _LOOKED))]]
    ranges = ranges or [beginning(word) for word in words]
    counted = []
    for low, high in ranges:
        counted.append((await _count(reading, low, high), low, high))
        if counted[-1][0] <= _FEW:
            break
    return [
        _t.id.in_(sa.select(_w.text_id).where(_w.term >= low, _w.term < high))
        for count, low, high in sorted(counted)[:2]
        if count <= _MANY
    ]


async def _count(reading: Reading, low: int, high: int) -> int:
    some = sa.select(_w.text_id).where(_w.term >= low, _w.term < high).limit(_MANY + 1).subquery()
    return int(await reading.value(sa.select(sa.func.count()).select_from(some)))


def _shown(row: sa.Row[Any], words: Sequence[str]) -> shapes.Found:
    snippet, hits = excerpt(row.text, words)
    return shapes.Found(
        recording_id=row.recording_id, title=row.title, code=row.code, label=row.label, started_at=iso(row.started_at),
        at_ms=row.at_ms, kind=row.kind, type=row.type, who=row.who, snippet=snippet, hits=hits,
    )  # fmt: skip


def excerpt(text: str, words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Around the first word, on one line, and where the words are in it."""
    text = " ".join(text.split())
    # Folding may change the length (㎡ → m2): then each character is folded by itself, to know where it came from.
    folded, places = "", []
    for place, character in enumerate(text):
        part = fold(character)
        folded += part
        places += [place] * len(part)
    found = [(at, at + len(word)) for word in words if (at := folded.find(word)) >= 0]
    first = places[min(found)[0]] if found else 0
    begin = max(0, first - _BEFORE)
    end = min(len(text), first + _BEHIND)
    snippet = ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")
    shift = (1 if begin else 0) - begin
    hits = sorted({(places[low], places[high - 1] + 1) for low, high in found})
    return snippet, [(low + shift, min(high, end) + shift) for low, high in hits if begin <= low < end]


async def behind(reading: Reading) -> int:
    """Finished recordings whose words are not all taken in yet."""
    s = tables.recording_reviews.c
    whole = sa.select(s.recording_id).where(s.whole.is_(True))
    query = sa.select(sa.func.count()).select_from(tables.recordings)
    return int(await reading.value(query.where(_r.state != "recording", _r.id.not_in(whole), _r.id.not_in(_GONE))) or 0)
