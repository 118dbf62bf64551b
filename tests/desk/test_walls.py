"""A terminal's own room: who enters, which cameras are in it, when it ends, and what a restarted hub makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.desk import VIEW, Desk
from commhub.desk.walls import AWAY, CHECK
from commhub.errors import Forbidden, NotFound
from commhub.feeds import seat_of
from commhub.model import new_id
from commhub.store import tables
from tests.support.hubs import KEY, TERMINAL, Browser, Hub, no_picture, serving, ticket_of


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def cameras(hub: Hub, count: int, **values: Any) -> list[str]:
    """More of the sample city's camera."""
    sample = hub.ids["camera simulated-underpass"]
    made = [new_id() for _ in range(count)]
    async with hub.parts.store.transaction() as transaction:
        row = await transaction.first(sa.select(tables.cameras).where(tables.cameras.c.id == sample))
        assert row is not None
        for number, id in enumerate(made):
            about = {"id": id, "key": id.lower(), "name": f"东口 {number}", **values}
            await transaction.insert(tables.cameras, {**row._mapping, **about})
    return made


async def opened(hub: Hub, page: Browser) -> dict[str, Any]:
    joining: dict[str, Any] = await page.ok("POST", "/views", {"terminal": TERMINAL})
    return joining


async def shown(page: Browser, *wanted: str) -> list[dict[str, Any]]:
    answer = await page.ok("PUT", f"/views/{TERMINAL}", {"cameras": list(wanted)})
    items: list[dict[str, Any]] = answer["items"]
    return items


def there(hub: Hub, room: str) -> set[str]:
    return set(hub.conference.seats.get(room, {}))


async def test_a_wall_is_what_the_page_says_last(hub: Hub) -> None:
    one, two, three = await cameras(hub, 3)
    async with hub.browser("dispatcher") as page:
        joining = await opened(hub, page)
        assert joining["room"] == VIEW + joining["identity"]
        assert joining["identity"].endswith(f":{TERMINAL}")
        items = await shown(page, one, two)
        assert [(item["camera_id"], item["identity"], item["state"]) for item in items] == [
            (one, seat_of(one), "connecting"),
            (two, seat_of(two), "connecting"),
        ]
        assert there(hub, joining["room"]) == {seat_of(one), seat_of(two)}
        await shown(page, two, three, three)
        assert there(hub, joining["room"]) == {seat_of(two), seat_of(three)}
        assert hub.parts.feeds.rooms(one) == set()
        await page.ok("DELETE", f"/views/{TERMINAL}")
        await page.ok("DELETE", f"/views/{TERMINAL}")
        assert joining["room"] not in hub.conference.rooms
        assert hub.parts.feeds.rooms(two) == set()
        status, answer = await page.call("PUT", f"/views/{TERMINAL}", {"cameras": [one]})
        assert (status, answer["code"]) == (404, "no_view")
    async with hub.browser("admin") as admin:
        rows = (await admin.ok("GET", "/audit?action=camera.open"))["items"]
        assert sorted(row["subject"] for row in rows) == sorted([one, two, three])
        closed = (await admin.ok("GET", "/audit?action=camera.close"))["items"]
        assert sorted(row["subject"] for row in closed) == sorted([one, two, three])


async def test_the_ticket_only_looks_and_speaks(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page:
        ticket = ticket_of((await opened(hub, page))["token"])
    assert ticket.grants == {
        "room": ticket.room,
        "roomJoin": True,
        "canSubscribe": True,
        "canPublish": True,
        "canPublishSources": ["microphone"],
        "canPublishData": False,
    }
    await hub.door.admit(ticket)
    for other in (replace(ticket, identity=f"somebody:{TERMINAL}"), replace(ticket, key="APIother")):
        with pytest.raises(Forbidden, match=r"^A terminal's own view is for that terminal only\.$"):
            await hub.door.admit(other)
    async with hub.parts.store.transaction() as transaction:
        await transaction.run(sa.delete(tables.grants))
    with pytest.raises(Forbidden, match=r"^You may not open cameras\.$"):
        await hub.door.admit(ticket)


async def test_what_may_not_be_opened_is_left_out_and_says_why(hub: Hub) -> None:
    (sensitive,) = await cameras(hub, 1, label="sensitive")
    (water,) = await cameras(hub, 1, org_id=hub.ids["water"])
    async with hub.browser("dispatcher") as page:
        await opened(hub, page)
        nothing = new_id()
        items = await shown(page, sensitive, water, nothing)
        assert [item["state"] for item in items] == ["connecting", "connecting", "failed"]
        assert items[2]["reason"] == {"code": "not_found", "text": "There is no such camera."}
        async with hub.parts.store.transaction() as transaction:
            g = tables.grants.c
            person = page.me["person"]["id"]
            await transaction.run(sa.update(tables.grants).where(g.person_id == person).values(org_id=hub.ids["water"]))
        items = await shown(page, sensitive, water)
        assert [item["state"] for item in items] == ["failed", "connecting"]
        assert items[0]["reason"]["code"] == "not_found"  # what he may not list he need not know


async def test_a_wall_has_a_bound(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page:
        await opened(hub, page)
        status, answer = await page.call("PUT", f"/views/{TERMINAL}", {"cameras": [new_id() for _ in range(51)]})
        assert (status, answer["code"]) == (400, "invalid")


async def test_nobody_has_walls_without_end(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page:
        for _ in range(16):
            await page.ok("POST", "/views", {"terminal": new_id()})
        assert (await page.call("POST", "/views", {"terminal": new_id()}))[0] == 429


async def test_it_ends_when_its_terminal_stays_away(hub: Hub) -> None:
    now = 100.0
    walls = hub.parts.desk.walls
    walls._clock = lambda: now
    (one,) = await cameras(hub, 1)
    async with hub.browser("dispatcher") as page:
        room = (joining := await opened(hub, page))["room"]
        await shown(page, one)
        await hub.enter(joining, "dispatcher")
        for _ in range(3):
            now += AWAY
            await walls.look()
        assert room in hub.conference.rooms
        await hub.conference.leave(room, joining["identity"])
        await walls.look()
        now += AWAY - 1
        await walls.look()
        assert room in hub.conference.rooms
        now += 2
        await walls.look()
        assert room not in hub.conference.rooms
        assert hub.parts.feeds.rooms(one) == set()


async def test_rights_that_are_taken_away_close_the_picture(hub: Hub) -> None:
    now = 100.0
    walls = hub.parts.desk.walls
    walls._clock = lambda: now
    (one,), (water,) = await cameras(hub, 1), await cameras(hub, 1, org_id=hub.ids["water"])
    async with hub.browser("dispatcher") as page:
        room = (await opened(hub, page))["room"]
        await shown(page, one, water)
        async with hub.parts.store.transaction() as transaction:
            mine = tables.grants.c.person_id == page.me["person"]["id"]
            await transaction.run(sa.update(tables.grants).where(mine).values(org_id=hub.ids["water"]))
        now += CHECK
        await walls.look()
        assert there(hub, room) == {seat_of(water)}
        async with hub.parts.store.transaction() as transaction:
            await transaction.run(sa.delete(tables.grants))
        now += CHECK
        await walls.look()
        assert room not in hub.conference.rooms


async def test_a_restarted_hub_finds_walls_where_they_are(hub: Hub) -> None:
    one, two = await cameras(hub, 2)
    async with hub.browser("dispatcher") as page:
        room = (await opened(hub, page))["room"]
        await shown(page, one, two)
        hub.conference.rooms["view_nobody:T"] = {}
        for camera in (one, two):
            hub.parts.feeds.detach(camera, room)  # the new hub's feeds know nothing
        parts = hub.parts
        again = Desk(
            parts.store,
            parts.auth,
            parts.events,
            parts.directory,
            parts.feeds,
            hub.conference,
            KEY,
            parts.rooms,
            hub.folder,
            no_picture,
        )
        await again.walls.look()
        assert parts.feeds.rooms(one) == parts.feeds.rooms(two) == {room}
        assert "view_nobody:T" not in hub.conference.rooms
        actor = await hub.person("dispatcher")
        assert list(again.walls.of(actor, TERMINAL).cameras) == [one, two]
        with pytest.raises(NotFound):
            again.walls.of(await hub.person("admin"), TERMINAL)


async def test_who_watches(hub: Hub) -> None:
    (one,) = await cameras(hub, 1)
    async with hub.browser("dispatcher") as page:
        joining = await opened(hub, page)
        await shown(page, one)
        made = await page.ok("POST", "/consultations", {"title": "防汛会商"})
        await page.ok("POST", f"/consultations/{made['id']}/cameras", {"camera_id": one})
        watching, reader = hub.parts.desk.watching, await hub.person("dispatcher")
        assert [(one.name, one.where) for one in await watching.viewers(one, reader)] == [("防汛会商", made["code"])]
        await hub.enter(joining, "dispatcher")
        names = [one.name for one in await watching.viewers(one, reader)]
        assert names == ["防汛会商", page.me["person"]["name"]]
        stranger = await hub.person("water")
        assert (await watching.viewers(one, stranger))[0].name == "会商"
