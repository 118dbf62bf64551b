"""Taking in the words of recordings while they run and when they have ended, a few at a time; and putting away those of deleted
ones.

How far each is taken in stands in the store, so a restarted hub goes on. Nothing is only here: whoever throws all of it away (or
comes with newer rules, :data:`commhub.review.words.VERSION`) has it taken in anew from manifests, and from the journal where a
manifest cannot be read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import lanes as table
from commhub import log as logs
from commhub.errors import HubError, Unavailable
from commhub.model import ULID_PATTERN
from commhub.recordings.keeping import GONE
from commhub.recordings.review import Manifest, ManifestEvent, Names, Review, names_of
from commhub.review import forgetting, words
from commhub.review.derived import Derived
from commhub.review.forgetting import BREATH, STEP
from commhub.review.lanes import who
from commhub.review.words import VERSION, Text
from commhub.store import Store, Transaction, tables
from commhub.tasks import Tasks

log = logs.get(__name__)

PAUSE = 2.0  # seconds between two looks at what runs
SOME = 50  # recordings of one look
LATE = 60.0  # seconds between two looks for what was made of a recording just when it was deleted
_LONG = 400  # characters of what an event's data say
_ID = re.compile(rf"{ULID_PATTERN}(?::\S+)?|[A-Z]{{2}}_\w+|[0-9a-f-]{{32,}}")
_r, _k, _s = tables.recordings.c, tables.recording_keeping.c, tables.recording_reviews.c
_decode = msgspec.json.Decoder(Manifest).decode


class Filling:
    def __init__(self, store: Store, review: Review, derived: Derived, *, pause: float = PAUSE) -> None:
        self._store, self._review, self._derived, self._pause = store, review, derived, pause
        self._looked = -LATE
        self._tasks = Tasks("filling")

    def start(self) -> None:
        self._tasks.spawn(self._run(), "fill")

    async def close(self) -> None:
        await self._tasks.close()

    async def _run(self) -> None:
        while True:
            try:
                again = await self.look()
            except SQLAlchemyError:
                again = False
                if (suppressed := logs.limited(("words",), 60)) is not None:
                    log.exception("words not taken in", suppressed=suppressed)
            await asyncio.sleep(BREATH if again else self._pause)

    async def look(self) -> bool:
        """Once over what runs, and some of what has ended; whether there is more of that."""
        gone = sa.select(_k.recording_id).where(_k.state.in_([str(state) for state in GONE]))
        async with self._store.reading() as reading:
            columns = (_r.id, _r.consultation_id, _r.title, _r.code, _r.state, _s.version, _s.position, _s.whole)
            joined = tables.recordings.outerjoin(tables.recording_reviews, _s.recording_id == _r.id)
            todo = sa.or_(_s.whole.is_(None), _s.whole.is_(False), _s.version != VERSION)
            query = sa.select(*columns).select_from(joined).where(_r.id.not_in(gone))
            running = await reading.all(query.where(_r.state == "recording").order_by(_r.id.desc()).limit(500))
            ended = await reading.all(query.where(_r.state != "recording", todo).order_by(_r.id.desc()).limit(SOME))
            away = await reading.all(sa.select(_s.recording_id).where(_s.recording_id.in_(gone)).limit(SOME))
        for row in (*running, *ended):
            await self._take(row)
        await self._late(gone)
        for row in away:
            await forgetting.forget(self._store, self._derived, row.recording_id)
        return len(ended) == SOME or bool(away)

    async def _late(self, gone: sa.Select[Any]) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._looked < LATE:
            return
        self._looked = now
        there = await asyncio.to_thread(self._derived.recordings)
        for at in range(0, len(there), 500):
            async with self._store.reading() as reading:
                some = await reading.all(gone.where(_k.recording_id.in_(there[at : at + 500])))
            for row in some:
                await asyncio.to_thread(self._derived.forget, row.recording_id)

    async def _take(self, row: sa.Row[Any]) -> None:
        position = row.position or 0
        if row.version != VERSION:
            await self._begin(row)
            position = 0
        running = row.state == "recording"
        events = await self._events(row.id, running)
        if position >= len(events) and running and not row.whole:
            return
        async with self._store.reading() as reading:
            names = await names_of(reading, row.consultation_id)
        while position < len(events):
            behind = min(len(events), position + STEP)
            texts = await asyncio.to_thread(lambda a, b: list(_texts(row.id, events[a:b], names)), position, behind)
            async with self._store.transaction() as transaction:
                await words.add(transaction, texts)
                await _stands(transaction, row.id, position=behind)
            position = behind
            await asyncio.sleep(BREATH)
        async with self._store.transaction() as transaction:
            await _stands(transaction, row.id, whole=not running)  # one that was cut off may go on

    async def _begin(self, row: sa.Row[Any]) -> None:
        """Anew, by these rules."""
        if row.version is not None:
            await forgetting.put_away(self._store, row.id)
        async with self._store.transaction() as transaction:
            await words.begin(transaction, row.id)
            await words.add(transaction, [Text(row.id, "title", "", 0, "", f"{row.title} {row.code}".strip())])
            await _stands(transaction, row.id, version=VERSION, position=0, whole=False)

    async def _events(self, recording: str, running: bool) -> list[ManifestEvent]:
        try:
            return (await asyncio.to_thread(self._review.manifest, recording)).events
        except Unavailable:
            if running:
                return []  # it is written anew every few seconds
        try:
            data = await self._derived.of(recording, "journal", "retold", ("recorder.retold",))
            return (await asyncio.to_thread(_decode, data)).events
        except (HubError, msgspec.MsgspecError) as error:
            log.warning("words of a recording not taken in", session=recording, reason=str(error))
            return []


async def anew(transaction: Transaction) -> int:
    """All words are to be taken in anew; of how many recordings."""
    return await transaction.run(sa.update(tables.recording_reviews).values(version=0, whole=False))


async def _stands(transaction: Transaction, recording: str, **values: Any) -> None:
    await transaction.run(sa.update(tables.recording_reviews).where(_s.recording_id == recording).values(values))


def _texts(recording: str, events: Sequence[ManifestEvent], names: Names) -> Iterator[Text]:
    for event in events:
        shown = table.shown(event.type, event.data)
        name = who(event, names)
        if event.type == "chat":
            kind, text = "chat", event.text or ""
        elif event.type == "joined":
            kind, text = "name", " ".join(filter(None, (name, names.get(event.identity or "", ("", ""))[1])))
        elif shown.quiet:
            continue
        else:
            said = " ".join(dict.fromkeys(_said(event.data)))[:_LONG]
            kind, text = "event", " ".join(filter(None, (shown.zh, event.text, said)))
        if text.strip():
            yield Text(recording, kind, event.type, event.at_ms, name, text)


def _said(value: Any, deep: int = 5) -> Iterator[str]:
    """What people could look for in an event's data."""
    if isinstance(value, str):
        if 1 < len(value) <= _LONG and not _ID.fullmatch(value):
            yield value
    elif deep and isinstance(value, Mapping):
        for key, one in value.items():
            if key != "payload":
                yield from _said(one, deep - 1)
    elif deep and isinstance(value, Sequence):
        for one in value[:100]:
            yield from _said(one, deep - 1)
