"""Every route of the directory, asked by the administrator of a sibling for what is none of his business.

What he may not know is answered exactly as what is not there. The routes come from the router: a new one is asked, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from commhub.api.routes import Route
from commhub.store import tables
from tests.support.hubs import Browser, Hub, serving

NOTHING = "01K00000000000000000000000"
ROOTS = ("organisations", "places", "seats", "people", "endpoints", "directory")
#: A body that would do, for the organisation, place or person that is named; the sibling must not get further than that.
BODIES: dict[str, Any] = {
    "POST /organisations": lambda ids: {"parent_id": ids["org"], "name": "新", "kind": "street"},
    "POST /places": lambda ids: {"org_id": ids["org"], "name": "新"},
    "POST /seats": lambda ids: {"org_id": ids["org"], "name": "新"},
    "POST /people": lambda ids: {"org_id": ids["org"], "name": "新"},
    "POST /endpoints": lambda ids: {"owner_kind": "person", "owner_id": ids["person"], "kind": "web"},
}
#: Parameters by which a list is asked for somebody else's part of it.
QUERIES = {
    "GET /places": "?org={org}",
    "GET /seats": "?org={org}",
    "GET /endpoints": "?person={person}",
    "GET /directory/tree": "?org={org}",
    "GET /directory/connectivity": "?org={org}",
    "GET /directory/export": "?format=json&org={org}",
}
#: Without a name to ask for: what they answer must not hold a word of the sibling.
OPEN = {
    "GET /organisations": "",
    "GET /people": "?q=dengkaiwen",
    "GET /directory/search": "?q=yunhu",
    "GET /directory/contacts": "",
    "POST /directory/resolution": "",
    "POST /directory/import": "",
}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        async with hub.parts.store.transaction() as transaction:
            for org in ("binjiang",):
                grant = {"person_id": hub.ids["zhao-jingyi"], "role": "admin", "org_id": hub.ids[org]}
                await transaction.insert(tables.grants, grant)
        yield hub


@pytest.fixture
async def theirs(hub: Hub) -> dict[str, dict[str, str]]:
    """Something of every kind in 云湖区, by the collection it is in."""
    async with hub.browser("admin") as admin:
        org = hub.ids["yunhu"]
        place = (await admin.ok("POST", "/places", {"org_id": org, "name": "云湖大厅", "kind": "hall"}))["id"]
        seat = (await admin.ok("POST", "/seats", {"org_id": org, "name": "云湖坐席"}))["id"]
        person = hub.ids["deng-kaiwen"]
        body = {"owner_kind": "person", "owner_id": person, "kind": "phone", "address": "13812345678"}
        endpoint = (await admin.ok("POST", "/endpoints", body))["id"]
    one = {"org": org, "person": person}
    return {
        "organisations": {**one, "id": org},
        "places": {**one, "id": place},
        "seats": {**one, "id": seat},
        "people": {**one, "id": person},
        "endpoints": {**one, "id": endpoint},
        "directory": {**one, "id": person},
    }


def of_the_directory(hub: Hub) -> list[Route]:
    assert hub.api is not None
    return [route for route in hub.api.routes if route.path.split("/")[1] in ROOTS]


async def ask(page: Browser, route: Route, ids: dict[str, str]) -> tuple[int, Any]:
    name = f"{route.method} {route.path}"
    path = route.path.replace("{id}", ids["id"]) + QUERIES.get(name, "").format(**ids)
    body = BODIES[name](ids) if name in BODIES else {} if route.body is not None else None
    headers = {"If-Match": "1"} if "If-Match" in route.headers else {}
    return await page.call(route.method, path, body, headers=headers)


async def test_a_sibling_gets_403_in_the_shape_of_404_on_every_route(hub: Hub, theirs: dict[str, dict[str, str]]) -> None:
    asked = 0
    async with hub.browser("binjiang") as page:
        for route in of_the_directory(hub):
            name = f"{route.method} {route.path}"
            if name in OPEN or name == "DELETE /directory/contacts/{id}":
                continue
            ids = theirs[route.path.split("/")[1]]
            assert route.parameters or name in QUERIES or name in BODIES, f"{name} is new: say how a sibling would ask"
            status, answer = await ask(page, route, ids)
            assert (status, answer["code"]) == (403, "not_found"), (name, answer)
            assert answer["detail"].startswith("There is no such "), name
            missing = await ask(page, route, {"id": NOTHING, "org": NOTHING, "person": NOTHING})
            assert missing == (status, answer), name  # nobody can tell which it is
            asked += 1
    assert asked >= 25


async def test_the_administrator_of_all_is_told_what_is_not_there(hub: Hub, theirs: dict[str, dict[str, str]]) -> None:
    async with hub.browser("admin") as page:
        for route in of_the_directory(hub):
            if route.parameters and f"{route.method} {route.path}" != "DELETE /directory/contacts/{id}":
                status, answer = await ask(page, route, {"id": NOTHING, "org": NOTHING, "person": NOTHING})
                assert (status, answer["code"]) == (404, "not_found"), (route.path, answer)


async def test_lists_do_not_hold_a_word_of_a_sibling(hub: Hub, theirs: dict[str, dict[str, str]]) -> None:
    words = ("云湖", "邓凯文", hub.ids["yunhu"], hub.ids["deng-kaiwen"], "5678")
    async with hub.browser("binjiang") as page, hub.browser("admin") as admin:
        for name, query in OPEN.items():
            method, path = name.split()
            if method == "POST":
                continue
            for one, sees in ((page, False), (admin, True)):
                text = str(await one.ok(method, path + query))
                found = [word for word in words if word in text]
                assert bool(found) is (sees and name != "GET /directory/contacts"), (name, found)
        for q in ("邓凯文", "dkw", "云湖", "yhdt", "13812345678", "5678"):
            assert (await page.ok("GET", f"/directory/search?q={q}"))["items"] == [], q
            assert (await admin.ok("GET", f"/directory/search?q={q}"))["items"] != [], q
        body = {"organisations": [hub.ids["yunhu"], NOTHING], "people": [hub.ids["deng-kaiwen"]]}
        answer = await page.ok("POST", "/directory/resolution", body)
        assert answer == {"targets": [], "unreachable": [hub.ids["yunhu"], NOTHING, hub.ids["deng-kaiwen"]]}
        status, answer = await page.call("POST", "/consultations", {"title": "试", "organisations": [hub.ids["yunhu"]]})
        assert (status, answer["code"]) == (400, "unknown_member")
        async with await page.raw("GET", "/api/v1/directory/export") as response:
            text = await response.text()
        assert "sun-wanqing" in text
        assert not [word for word in ("yunhu", "云湖", "deng-kaiwen") if word in text]


async def test_what_is_listed_is_known_by_name_and_nothing_more(hub: Hub) -> None:
    """Departments are in everybody's address book; their records are not."""
    async with hub.browser("binjiang") as page:
        hits = (await page.ok("GET", "/directory/search?q=lsh"))["items"]
        assert [(one["kind"], one["name"], one["about"]) for one in hits] == [("person", "李思涵", "值班长")]
        assert (await page.call("GET", f"/people/{hub.ids['li-sihan']}"))[0] == 403
        made = await page.ok("POST", "/consultations", {"title": "试", "people": [hub.ids["li-sihan"]]})
        assert made["people"][0]["name"] == "李思涵"


async def test_a_district_edits_its_branch(hub: Hub) -> None:
    async with hub.browser("binjiang") as page:
        made = await page.ok("POST", "/organisations", {"parent_id": hub.ids["binjiang"], "name": "江滩街道", "kind": "street"})
        person = await page.ok("POST", "/people", {"org_id": made["id"], "name": "江小白"})
        await page.ok("PATCH", f"/people/{person['id']}", {"post": "网格员"}, headers={"If-Match": "1"})
        status, answer = await page.call(
            "PATCH", f"/people/{person['id']}", {"org_id": hub.ids["liuyin"]}, headers={"If-Match": "2"}
        )
        assert (status, answer["code"]) == (403, "not_found")
        for body in ({"parent_id": hub.ids["yunhu"]}, {"parent_id": None}):
            status, answer = await page.call("PATCH", f"/organisations/{made['id']}", body, headers={"If-Match": "1"})
            assert status in (403, 422), answer
