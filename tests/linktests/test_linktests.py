"""Link tests by REST and by socket, with terminals that say what they have measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.errors import Forbidden
from commhub.linktests import LinkReport, LinkTests
from commhub.linktests.linktests import CHINA, NS
from commhub.model import new_id, utc_ns
from commhub.store import tables
from commhub.terminals import Presence
from tests.groups.test_groups import Console, console
from tests.linktests.test_verdict import GOOD
from tests.support import until
from tests.support.hubs import KEY, Hub, serving, ticket_of


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def begin(hub: Hub, one: Console, *orgs: str) -> list[dict[str, Any]]:
    body = {"organisations": [hub.ids[org] for org in orgs]}
    found: list[dict[str, Any]] = (await one.browser.ok("POST", "/link-tests", body))["items"]
    return found


async def ended(one: Console, number: int = 1) -> list[dict[str, Any]]:
    def found() -> list[dict[str, Any]]:
        return [event["data"] for event in one.events if event["type"] == "linktest.ended"]

    await until(lambda: len(found()) >= number)
    return found()


async def test_a_terminal_is_told_measures_and_the_directory_knows(hub: Hub) -> None:
    async with console(hub, "dispatcher") as chief, console(hub, "emergency", joins=False) as there:
        org = next(person.org for person in hub.city.person if person.account == "emergency")
        (made,) = await begin(hub, chief, org)
        assert made["state"] == "running"
        await until(lambda: there.instructions)
        said = there.instructions[0]
        assert (said["verb"], said["data"]["what"]) == ("show", "link_test")
        for token, identity in zip(said["data"]["tokens"], (there.identity, there.identity + "-echo"), strict=True):
            ticket = ticket_of(token)
            assert (ticket.identity, ticket.room) == (identity, said["room"])
            await hub.door.admit(ticket)
        assert (await chief.browser.call("POST", f"/link-tests/{made['id']}/result", GOOD))[0] == 404
        assert (await begin(hub, chief, org))[0]["id"] == made["id"]  # what runs goes on
        await there.browser.ok("POST", f"/link-tests/{made['id']}/result", {**GOOD, "round_trip": 400})
        (over,) = await ended(chief)
        assert (over["state"], over["reasons"]) == ("weak", ["delay"])
        with pytest.raises(Forbidden):
            await hub.door.admit(ticket_of(said["data"]["tokens"][0]))
        assert said["room"] not in hub.conference.rooms
        (shown,) = (await chief.browser.ok("GET", f"/link-tests?organisation={hub.ids[org]}"))["items"]
        assert (shown["state"], shown["report"]["round_trip"], shown["person"]["id"]) == ("weak", 400, there.person)
        report = (await chief.browser.ok("GET", "/directory/connectivity"))["items"]
        (row,) = [one for one in report if one["org"]["id"] == hub.ids[org]]
        assert (row["tested_well"], row["tested_at"] is not None) == (True, True)


async def test_nobody_is_there_and_who_talks_is_left_in_peace(hub: Hub) -> None:
    async with console(hub, "dispatcher") as chief, console(hub, "emergency") as talks:
        orgs = {one.account: one.org for one in hub.city.person}
        hub.parts.terminals.occupy(talks.identity, "call", Presence.BUSY)
        await begin(hub, chief, orgs["emergency"], orgs["water"])
        over = {one["org"]: (one["state"], one["reasons"]) for one in await ended(chief, 2)}
        assert over == {hub.ids[orgs["emergency"]]: ("busy", []), hub.ids[orgs["water"]]: ("offline", ["no_terminal"])}
        assert talks.instructions == []
        report = {one["org"]["id"]: one for one in (await chief.browser.ok("GET", "/directory/connectivity"))["items"]}
        assert report[hub.ids[orgs["water"]]]["tested_well"] is False
        assert report[hub.ids[orgs["emergency"]]]["tested_well"] is None  # nothing is known of its line


async def test_old_tests_are_forgotten_but_for_the_last(hub: Hub) -> None:
    parts = hub.parts
    link_tests = tables.link_tests.c
    day, now = 86_400 * 10**9, utc_ns()
    async with parts.store.transaction() as transaction:
        for org, ages in (("water", (500, 450, 10)), ("police", (900, 800))):
            for age in ages:
                row = {"id": new_id(), "org_id": hub.ids[org], "by_id": None, "person_id": None, "terminal": "", "state": "well"}
                times = {"began_at": now - age * day, "ended_at": now - age * day + 1, "report": "{}"}
                await transaction.insert(tables.link_tests, {**row, **times})
                await asyncio.sleep(0.002)  # ids are in the order of time
    for keep, gone in ((0, 0), (400, 3), (400, 0)):
        assert await LinkTests(parts.store, parts.events, hub.conference, parts.terminals, KEY, "", keep).forget(now) == gone
    async with parts.store.reading() as reading:
        left = await reading.all(sa.select(link_tests.org_id, link_tests.began_at))
    kept = {(row.org_id, (now - row.began_at) // day) for row in left}
    assert kept == {(hub.ids["water"], 10), (hub.ids["police"], 800)}


async def test_every_day_once_also_after_a_restart(hub: Hub) -> None:
    parts = hub.parts
    daily = LinkTests(parts.store, parts.events, hub.conference, parts.terminals, KEY, "07:30")
    morning = datetime.now(CHINA).replace(hour=7, minute=30, second=0, microsecond=0)
    if morning > datetime.now(CHINA):
        morning -= timedelta(days=1)
    at = int(morning.timestamp()) * NS
    async with console(hub, "admin") as admin:
        try:
            assert await daily.look(at - NS) == 0
            begun = await daily.look(at)
            assert begun > 3
            await until(lambda: admin.instructions)  # at their own terminal, too
            said = admin.instructions[0]["data"]["test"]
            await daily.result(await hub.person("admin"), said, LinkReport(**GOOD))
            await ended(admin, begun)
            again = LinkTests(parts.store, parts.events, hub.conference, parts.terminals, KEY, "07:30")
            assert await again.look(at + 60 * NS) == 0
        finally:
            await daily.close()
