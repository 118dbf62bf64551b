"""Whoever is cut, whenever, has every event that concerns him once, in order: against a history in memory and on disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from commhub import events as history
from commhub.api.stream import Stream
from commhub.events import Audience, Events, Published
from commhub.model import Actor
from commhub.store import Store


class Page:
    """A client of one person: keeps the number of the last event, and comes back with it."""

    def __init__(self, person: str, chance: random.Random) -> None:
        self.actor, self.chance = Actor(person, "", "", "", 9, "", ""), chance
        self.seen: list[int] = []
        self.seq: int | None = None
        self.resyncs = 0
        self.stream: Stream | None = None
        self._pump: asyncio.Task[None] | None = None

    async def open(self, events: Events, open_streams: set[Stream]) -> None:
        """As the hub serves a socket: listening first, then what was missed, then what is live."""
        stream = self.stream = Stream(self.actor)
        open_streams.add(stream)
        newest = await events.last()
        await self._yield()
        if self.seq is None:
            self.seq = newest
        else:
            await stream.resume(self.seq, events, self._receive)
        self._pump = asyncio.create_task(stream.pump(self._receive))

    async def cut(self, open_streams: set[Stream]) -> None:
        if self._pump is not None and self.stream is not None:
            open_streams.discard(self.stream)
            self._pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pump
            self._pump = None

    async def _yield(self) -> None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    async def _receive(self, text: str) -> None:
        await self._yield()  # what is on its way when the socket is cut never arrives
        said: dict[str, Any] = json.loads(text)
        match said["type"]:
            case "event":
                self.seen.append(said["event"]["seq"])
                self.seq = said["event"]["seq"]
            case "resumed":
                self.seq = max(self.seq or 0, said["seq"])
            case "resync":
                self.resyncs += 1


@pytest.mark.parametrize("seed", range(4))
async def test_random_cuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(history, "RECENT", chance.choice([3, 10, 1000]))  # some must be read from disk
    url = f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}"
    store = Store(url)
    await store.open()
    events, open_streams = Events(store), set[Stream]()

    def tell(published: Published) -> None:
        for stream in list(open_streams):
            stream.hear(published)

    events.listen(tell)
    people = ["a", "b", "c"]
    pages, expected = [Page(person, chance) for person in people], dict[str, list[int]]()
    for page in pages:
        await page.open(events, open_streams)
    for step in range(40):
        concerned = chance.sample(people, chance.randrange(4))
        async with store.transaction() as transaction:
            made = await events.emit(
                transaction, "camera.state", subject=str(step), org="o", label="public", data={}, audience=Audience(concerned)
            )
        for person in concerned:
            expected.setdefault(person, []).append(made.seq)
        for page in pages:
            if chance.random() < 0.25:
                await page.cut(open_streams)
            elif page._pump is None and chance.random() < 0.5:
                await page.open(events, open_streams)
        if step == 25:  # the hub is killed: what it knew in memory is gone
            for page in pages:
                await page.cut(open_streams)
            events = Events(store)
            events.listen(tell)
        await asyncio.sleep(0)
    for page in pages:
        await page.cut(open_streams)
        await page.open(events, open_streams)
    await asyncio.sleep(0.02)
    for page in pages:
        await page.cut(open_streams)
        assert (page.seen, page.resyncs) == (expected.get(page.actor.id, []), 0)
    await store.close()
