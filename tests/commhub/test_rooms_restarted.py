"""Consultations over restarts of the hub and failures of its database; what is audited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.errors import NotFound
from commhub.feeds import seat_of
from commhub.model import Actor, Label
from commhub.store import tables
from tests.support.consultations import bring, come_in, create, ticket
from tests.support.hubs import KEY, Hub, running


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with running(tmp_path) as hub:
        yield hub


async def present(hub: Hub) -> int:
    async with hub.parts.store.reading() as reading:
        query = sa.select(sa.func.count()).select_from(tables.attendance).where(tables.attendance.c.left_at.is_(None))
        return int(await reading.value(query))


async def test_a_restarted_hub_tells_the_live_side_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.rooms.door.SETTLE_SECONDS", 0.0)
    async with running(tmp_path) as hub:
        made = await create(hub)
        ended = await create(hub)
        await come_in(hub, made.id, "dispatcher")
        await bring(hub, hub.parts.rooms, "dispatcher", made.id, "simulated-underpass")
        await hub.parts.rooms.end(ended.id, await hub.person("dispatcher"))
        camera = hub.ids["camera simulated-underpass"]
    async with running(tmp_path, sample=False) as again:
        assert again.conference.rooms.keys() == {made.id}
        assert again.conference.seats[made.id].keys() == {seat_of(camera)}
        assert again.parts.feeds.rooms(camera) == {made.id}
        assert again.conference.lights == {made.id: False}
        # Nobody of those who were there came back; a room that ended while the hub died did.
        await again.conference.open(ended.id, key="")
        again.door.start()
        async with asyncio.timeout(5):
            while ended.id in again.conference.rooms or await present(again):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await again.door.close()
        assert again.conference.rooms.keys() == {made.id}
        async with again.parts.store.reading() as reading:
            assert await reading.value(sa.select(tables.attendance.c.reason)) == "hub_restarted"


async def test_presence_survives_a_database_that_cannot_be_written(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await create(hub)
    held = await ticket(hub, made.id, "dispatcher")

    async def full(*_: Any, **__: Any) -> None:
        raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr("commhub.store.Transaction.insert", full)
    await hub.door.admit(held)
    await hub.conference.enter(made.id, held.identity, held.name)
    assert [one.identity for one in hub.conference.present(made.id)] == [held.identity]
    await hub.conference.leave(made.id, held.identity)


async def test_muting_is_told_and_audited(hub: Hub) -> None:
    rooms, zhou = hub.parts.rooms, await hub.person("dispatcher")
    made = await create(hub, people=[hub.ids["li-sihan"]])
    held = await come_in(hub, made.id, "water")
    await rooms.mute(made.id, zhou, held.identity, "microphone")
    assert hub.conference.muted == [(made.id, held.identity, "microphone")]
    with pytest.raises(NotFound):
        await rooms.mute(made.id, zhou, "nobody:x", "microphone")
    async with hub.parts.store.reading() as reading:
        rows = await reading.all(sa.select(tables.audit.c.object).where(tables.audit.c.action == "consultation.mute"))
    assert [row.object for row in rows] == ["李思涵 microphone"]


async def test_every_change_has_its_audit_row_with_the_actor(hub: Hub) -> None:
    zhou: Actor = replace(await hub.person("dispatcher"), address="192.0.2.7")
    rooms = hub.parts.rooms
    made = await rooms.create(zhou, title="T", label=Label.PUBLIC, organisations=[], people=[])
    await rooms.invite(made.id, zhou, [hub.ids["water"]], [])
    now = await rooms.find(made.id, zhou)
    await rooms.change(made.id, zhou, now.rev, locked=True)
    await rooms.end(made.id, zhou)
    a = tables.audit.c
    async with hub.parts.store.reading() as reading:
        rows = await reading.all(sa.select(tables.audit).where(a.subject == made.id).order_by(a.id))
    assert [row.action for row in rows] == [
        "consultation.create", "consultation.invite", "consultation.lock", "consultation.end",
    ]  # fmt: skip
    assert {(row.actor_id, row.address, row.org_id) for row in rows} == {(zhou.id, "192.0.2.7", hub.ids["ops"])}


def test_the_key_of_the_hubs_own_rooms_is_not_printed() -> None:
    assert KEY.secret.reveal() not in repr(KEY)
