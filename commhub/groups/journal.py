"""What happened on floors, for the bus: written beside the media and in order, so that no microphone waits for a disk."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from commhub import log as logs
from commhub.events import Audience, Events
from commhub.model import By
from commhub.store import Store

log = logs.get(__name__)

TOGETHER = 50  # events of one transaction


@dataclass(frozen=True, slots=True)
class Note:
    type: str
    group: str
    org: str
    label: str
    data: dict[str, Any]
    by: By | None = None
    people: tuple[str, ...] = ()


class Journal:
    def __init__(self, store: Store, events: Events) -> None:
        self._store, self._events = store, events
        self._waiting: asyncio.Queue[Note] = asyncio.Queue()

    def note(self, note: Note) -> None:
        self._waiting.put_nowait(note)

    async def run(self) -> None:
        while True:
            notes = [await self._waiting.get()]
            while len(notes) < TOGETHER and not self._waiting.empty():
                notes.append(self._waiting.get_nowait())
            try:
                async with self._store.transaction() as transaction:
                    for one in notes:
                        await self._events.emit(
                            transaction, one.type, subject=one.group, org=one.org, label=one.label, data=one.data,
                            by=one.by, audience=Audience(list(one.people)),
                        )  # fmt: skip
            except SQLAlchemyError:  # the floor goes on without its diary
                log.exception("floor not written", events=len(notes))
            for _ in notes:
                self._waiting.task_done()

    async def written(self) -> None:
        """When everything noted so far is on disk."""
        await self._waiting.join()
