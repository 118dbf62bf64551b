"""What of a deleted recording is put away besides its files and keys: its words, its marks, what history says of them, what was
made of it. What stays, and why: docs/recording.md."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import sqlalchemy as sa

from commhub.review import words
from commhub.review.derived import Derived
from commhub.store import Store, Transaction, tables

STEP = 100  # texts in one transaction: nobody else writes meanwhile
BREATH = 0.02  # seconds between two of them
_e, _m, _s = tables.events.c, tables.recording_marks.c, tables.recording_reviews.c


async def forget(store: Store, derived: Derived, recording: str) -> None:
    """Nothing of it is found, said or shown any more. Idempotent: one that was cut off is begun anew."""
    await put_away(store, recording)
    async with store.transaction() as transaction:
        for mark in await transaction.all(sa.select(_m.id).where(_m.recording_id == recording)):
            await words.forget(transaction, mark=mark.id)
        await transaction.run(sa.delete(tables.recording_marks).where(_m.recording_id == recording))
    async with store.transaction() as transaction:
        await _silence(transaction, recording)
        await transaction.run(sa.delete(tables.recording_reviews).where(_s.recording_id == recording))
    await asyncio.to_thread(derived.forget, recording)


async def put_away(store: Store, recording: str) -> None:
    """Its own words; marks' stay."""
    while True:
        async with store.transaction() as transaction:
            if not await words.forget(transaction, recording=recording, limit=STEP):
                return
        await asyncio.sleep(BREATH)


async def _silence(transaction: Transaction, recording: str) -> None:
    """Events of the history keep their numbers: a page that comes back misses none. They say nothing of people any more."""
    for row in await transaction.all(sa.select(_e.seq, _e.body).where(_e.subject == recording)):
        body = json.loads(row.body)
        if _without(body["event"]["data"]):
            changed = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            await transaction.run(sa.update(tables.events).where(_e.seq == row.seq).values(body=changed))


def _without(data: dict[str, Any]) -> bool:
    """Whether something was taken out: a mark, who took part, why somebody wanted an export."""
    changed = False
    if data.pop("mark", None) is not None:
        data["what"], changed = "removed", True
    for name, words_ in (("recording", "people"), ("export", "grounds")):
        about = data.get(name)
        if isinstance(about, dict) and about.get(words_):
            about[words_], changed = type(about[words_])(), True
    return changed
