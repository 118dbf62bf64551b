"""Retention, and deletions that a hub or a recorder does not live to see through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub.errors import HubError
from commhub.events import Event, Events
from commhub.media.messages import SessionState
from commhub.model import Label, utc_ns
from commhub.recordings import index
from commhub.recordings.keeper import Keeper
from commhub.recordings.keeping import DAY, State, Terms
from commhub.recordings.keeping_rows import state_of
from commhub.store import Transaction, tables
from tests.support import until
from tests.support.hubs import Hub, running
from tests.support.kept import PlayedRecorder, audited, recorded

TERMS = Terms({"internal": 100}, notice=14 * DAY)


@dataclass
class Bench:
    hub: Hub
    keeper: Keeper
    at: int

    async def state(self, recording: str) -> State:
        async with self.hub.parts.store.reading() as reading:
            return await state_of(reading, recording)

    async def ahead(self, days: float) -> None:
        self.at += int(days * DAY)
        await self.keeper.look()

    def again(self, terms: Terms = TERMS) -> Keeper:
        """The keeper of a hub that was started again."""
        self.keeper = Keeper(self.hub.parts.store, self.hub.parts.events, terms, wall=lambda: self.at)
        return self.keeper

    async def row(self, recording: str) -> Any:
        async with self.hub.parts.store.reading() as reading:
            return await reading.first(index.query().where(tables.recordings.c.id == recording))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with running(tmp_path) as hub:
        bench = Bench(hub, hub.parts.keeper, utc_ns())
        bench.again()
        yield bench
        await bench.keeper.close()


async def test_retention_is_announced_and_then_leaves_a_tombstone(bench: Bench) -> None:
    one, other = await recorded(bench.hub), await recorded(bench.hub, label=Label.PUBLIC)
    heard: list[tuple[str, str]] = []
    bench.hub.parts.events.listen(lambda published: heard.append((published.event.type, published.event.subject)))
    await bench.ahead(85)
    assert await bench.state(one) is State.KEPT
    await bench.ahead(2)
    assert await bench.state(one) is State.EXPIRING
    await bench.ahead(12)
    assert await bench.state(one) is State.EXPIRING
    await bench.ahead(2)
    assert await bench.state(one) is State.DELETING
    row = await bench.row(one)
    assert (row.keeping_why, row.keeping_deleted_name, row.keeping_head, row.people) == ("retention", "系统", f"{2:064x}", "[]")
    assert heard == [("recording.expiring", one), ("recording.deleted", one)]
    assert await audited(bench.hub, one) == [("recording.announce", "系统"), ("recording.expire", "系统")]
    await bench.ahead(10_000)
    assert await bench.state(other) is State.KEPT  # its label is kept for ever


async def test_a_hold_stops_retention_and_its_end_announces_anew(bench: Bench) -> None:
    one = await recorded(bench.hub)
    reviewer = await bench.hub.person("reviewer")
    await bench.ahead(87)
    await bench.keeper.hold(reviewer, one, "诉讼")
    await bench.ahead(400)
    assert await bench.state(one) is State.HELD
    [hold] = (await bench.keeper.detail(reviewer, one)).holds
    await bench.keeper.lift(reviewer, one, hold.id, "结案")
    await bench.ahead(0)
    assert await bench.state(one) is State.EXPIRING
    await bench.ahead(13)
    assert await bench.state(one) is State.EXPIRING  # nobody is told less than two weeks before
    await bench.ahead(2)
    assert await bench.state(one) is State.DELETING


async def test_a_longer_retention_takes_the_announcement_back(bench: Bench) -> None:
    one = await recorded(bench.hub)
    await bench.ahead(99)
    bench.again(Terms({"internal": 200}, notice=14 * DAY))
    await bench.ahead(3)
    assert await bench.state(one) is State.KEPT
    bench.again(Terms())
    await bench.ahead(10_000)
    assert await bench.state(one) is State.KEPT


async def test_what_runs_does_not_expire(bench: Bench) -> None:
    one = await recorded(bench.hub, state="recording", ended_at=None)
    await bench.ahead(1000)
    assert await bench.state(one) is State.KEPT


async def decide(bench: Bench, one: str) -> None:
    reviewer, admin = await bench.hub.person("reviewer"), await bench.hub.person("admin")
    await bench.keeper.ask(reviewer, one, "误录")
    await bench.keeper.confirm(admin, one, 1)


async def test_a_hub_that_dies_after_the_decision_goes_on_with_it(bench: Bench) -> None:
    one = await recorded(bench.hub)
    await decide(bench, one)  # no recorder is there
    again = PlayedRecorder(bench.again())
    await until(lambda: again.told == [one])
    await bench.keeper.look()
    await until(lambda: again.told == [one, one])  # until it says that nothing is left
    again.forgotten(one)
    again.forgotten(one)
    for _ in range(1_000):
        if await bench.state(one) is State.DELETED:
            break
        await asyncio.sleep(0.02)
    assert await bench.state(one) is State.DELETED
    await bench.keeper.look()
    assert again.told == [one, one]
    assert [act for act, _ in await audited(bench.hub, one)].count("recording.remove") == 1


async def test_a_decision_that_is_not_written_is_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tombstone, audit row and event come together or not at all; and nothing is taken away before."""
    one = await recorded(bench.hub)
    recorder = PlayedRecorder(bench.keeper)
    real = Events.emit

    async def emit(events: Events, transaction: Transaction, type: str, **more: Any) -> Event:
        if type == "recording.deleted":
            raise SQLAlchemyError("disk full")
        return await real(events, transaction, type, **more)

    monkeypatch.setattr(Events, "emit", emit)
    with pytest.raises(SQLAlchemyError):
        await decide(bench, one)
    assert (await bench.state(one), recorder.told) == (State.ASKED, [])
    assert [act for act, _ in await audited(bench.hub, one)] == ["recording.ask_deletion"]
    assert (await bench.row(one)).bytes == 5_000


async def test_a_recorder_that_still_has_it_does_not_bring_it_back(bench: Bench) -> None:
    one = await recorded(bench.hub)
    await decide(bench, one)
    state = SessionState(session=one, room="R", state="complete", bytes=9, people=["李思涵"], duration_ms=1)
    async with bench.hub.parts.store.transaction() as transaction:
        await index.take_in(transaction, bench.hub.parts.events, state, None)
    row = await bench.row(one)
    assert (row.bytes, row.people, row.duration_ms) == (0, "[]", 60_000)


async def test_a_live_consultations_interrupted_recording_is_not_deleted(bench: Bench) -> None:
    hub, zhou = bench.hub, await bench.hub.person("dispatcher")
    made = await hub.parts.rooms.create(zhou, title="内涝", label=Label.INTERNAL, organisations=[], people=[])
    one = await recorded(hub, state="repaired", consultation_id=made.id)
    async with hub.parts.store.transaction() as transaction:
        live = sa.update(tables.consultations).where(tables.consultations.c.id == made.id)
        await transaction.run(live.values(recording_id=one, recording_state="recording"))
    with pytest.raises(HubError) as raised:
        await bench.keeper.ask(await hub.person("reviewer"), one, "误录")
    assert raised.value.code == "running"
