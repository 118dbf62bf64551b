"""Terminals and a hub that is killed: no event is lost, none comes twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from commhub.store import Store, tables
from tests.support import until
from tests.support.installation import Installation, Person
from tests.support.terminals import Terminal, running, seat

pytestmark = [pytest.mark.peer, pytest.mark.timeout(400)]

KIND = "consultation.changed"
ORG = "water"


@asynccontextmanager
async def house(folder: Path, count: int) -> AsyncIterator[tuple[Installation, Person, list[Terminal]]]:
    """A hub, its dispatcher, and terminals of an organisation that watch each other; all connected."""
    async with Installation(folder, COMMHUB_LIMITS__CONNECTS_PER_SECOND="2000") as hub:
        people = await seat(url(hub), count, ORG)
        terminals = [Terminal(hub.base, one, watch=[one.org]) for one in people]
        host = await hub.sign_in(hub.who("dispatcher"))
        async with running(terminals):
            yield hub, host, terminals


def url(hub: Installation) -> str:
    return f"sqlite+aiosqlite:///{hub.folder / 'data' / 'commhub.db'}"


async def invited(host: Person, org: str) -> dict[str, Any]:
    body = {"title": "演练", "label": "internal", "organisations": [org], "people": [], "record": False}
    made: dict[str, Any] = await host.call("POST", "/consultations", body)
    return made


async def change(host: Person, made: dict[str, Any], title: str) -> dict[str, Any]:
    answer: dict[str, Any] = await host.call(
        "PATCH", f"/consultations/{made['id']}", {"title": title}, status=200, **{"If-Match": f'"{made["rev"]}"'}
    )
    return answer


async def rename(host: Person, made: dict[str, Any], title: str) -> dict[str, Any]:
    """Again until it is done: what a hub that is killed has not answered may have been done or not."""
    while True:
        with contextlib.suppress(aiohttp.ClientError, AssertionError, TimeoutError):
            made = await host.call("GET", f"/consultations/{made['id']}")
            if made["title"] == title:
                return made
            return await change(host, made, title)
        await asyncio.sleep(0.05)


async def written(hub: Installation, consultation: str) -> list[int]:
    """Numbers of the changes in the history, in order."""
    store, e = Store(url(hub)), tables.events.c
    async with store.reading() as reading:
        rows = await reading.all(sa.select(e.seq, e.body).where(e.subject == consultation).order_by(e.seq))
    await store.close()
    return [row.seq for row in rows if f'"{KIND}"' in row.body]


async def wrong(terminals: Sequence[Terminal], seqs: list[int], seconds: float = 60) -> int:
    """How many events were lost, repeated or out of order, at all terminals together; a terminal that was told to load anew has
    lost one more."""
    with contextlib.suppress(AssertionError):
        await until(lambda: all(len(one.seqs(KIND)) >= len(seqs) for one in terminals), seconds)
    count = 0
    for one in terminals:
        have, wanted = Counter(one.seqs(KIND)), Counter(seqs)
        count += (have - wanted).total() + (wanted - have).total() + one.resyncs + (one.seqs(KIND) != sorted(one.seqs(KIND)))
    return count


async def kills(
    hub: Installation, host: Person, terminals: Sequence[Terminal], count: int, changes: int
) -> tuple[int, list[float]]:
    """Changes go on while the hub is killed and terminals are cut. What :func:`wrong` counts, and
    seconds from each kill until all are registered again."""
    made, chance = await invited(host, terminals[0].person.org), random.Random(6)
    back: list[float] = []
    for kill in range(count):
        for number in range(changes):
            made = await rename(host, made, f"{kill}-{number}")
            chance.choice(terminals).cut()
            if number == changes // 2:
                before = [one.connected for one in terminals]
                hub.kill("hub")
                killed = time.monotonic()
        await until(
            lambda before=before: all(one.connected > was for one, was in zip(terminals, before, strict=True)),  # type: ignore[misc]
            60, "all are registered again",
        )  # fmt: skip
        back.append(time.monotonic() - killed)
    made = await rename(host, made, "end")
    return await wrong(terminals, await written(hub, made["id"])), back


async def test_a_killed_hub_loses_no_event_and_repeats_none(tmp_path: Path) -> None:
    async with house(tmp_path, 12) as (hub, host, terminals):
        assert (await kills(hub, host, terminals, 1, 8))[0] == 0
        # Terminals see each other again, after the hub has forgotten all it knew of them.
        await until(lambda: all(len(one.presence) == len(terminals) for one in terminals), 30, "all see all")
        assert all(set(one.presence.values()) == {"idle"} for one in terminals)
