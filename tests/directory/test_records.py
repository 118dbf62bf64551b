"""Entries by REST: made, changed and removed by whoever administers their branch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.store import tables
from tests.support.hubs import Browser, Hub, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


@pytest.fixture
async def admin(hub: Hub) -> AsyncIterator[Browser]:
    async with hub.browser("admin") as page:
        yield page


async def make(page: Browser, path: str, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = await page.ok("POST", path, body)
    return made


def match(record: dict[str, Any]) -> dict[str, str]:
    return {"If-Match": str(record["rev"])}


async def test_an_organisation_with_all_that_belongs_to_it(hub: Hub, admin: Browser) -> None:
    async with admin.events() as stream:
        org = await make(admin, "/organisations", parent_id=hub.ids["yunhu"], name="莲湖街道", kind="street")
        assert (org["name_en"], org["short"], org["listed"], org["connectivity"], org["rev"]) == (
            "莲湖街道",
            "莲湖街道",
            False,
            "full",
            1,
        )
        told = await stream.event("directory.changed")
        assert (told["subject"], told["org"], told["data"]) == (
            org["id"],
            hub.ids["yunhu"],
            {"kind": "organisation", "id": org["id"], "change": "created"},
        )
    place = await make(admin, "/places", org_id=org["id"], name="街道大厅", kind="hall", longitude=114.3, latitude=30.6)
    seat = await make(admin, "/seats", org_id=org["id"], place_id=place["id"], name="街道坐席", level=6)
    person = await make(admin, "/people", org_id=org["id"], name="秦叔宝", post="街道主任", level=7)
    ends = [
        await make(admin, "/endpoints", owner_kind="person", owner_id=person["id"], kind=kind, address=address)
        for kind, address in (("phone", "138 1234 1234"), ("web", ""), ("app", ""), ("sip", "8300@pbx"), ("im", "qinsb"))
    ]
    assert [one["position"] for one in ends] == [0, 1, 2, 3, 4]
    assert len({one["kind"] for one in (await admin.ok("GET", f"/endpoints?person={person['id']}"))["items"]}) == 5
    for q, id in (
        ("qsb", person["id"]),
        ("莲湖", org["id"]),
        ("jdzx", seat["id"]),
        ("街道大厅", place["id"]),
        ("1234", ends[0]["id"]),
    ):
        assert id in {one["id"] for one in (await admin.ok("GET", f"/directory/search?q={q}"))["items"]}, q
    found = await admin.ok("GET", f"/people/{person['id']}")
    assert [one["address"] for one in found["endpoints"]] == ["138 1234 1234", "", "", "8300@pbx", "qinsb"]
    moved = await admin.ok("PATCH", f"/people/{person['id']}", {"org_id": hub.ids["liuyin"]}, headers=match(found))
    assert {one["org_id"] for one in moved["endpoints"]} == {hub.ids["liuyin"]}
    for path, code in ((f"/organisations/{org['id']}", "in_use"), (f"/places/{place['id']}", "in_use")):
        status, answer = await admin.call("DELETE", path, headers={"If-Match": "1"})
        assert (status, answer["code"]) == (409, code)
    await admin.ok("DELETE", f"/seats/{seat['id']}", headers=match(seat))
    await admin.ok("DELETE", f"/places/{place['id']}", headers=match(place))
    await admin.ok("DELETE", f"/people/{person['id']}", headers=match(moved))
    await admin.ok("DELETE", f"/organisations/{org['id']}", headers=match(org))
    assert (await admin.ok("GET", "/directory/search?q=qsb"))["items"] == []
    rows = (await admin.ok("GET", "/audit?action=directory.edit&limit=200"))["items"]
    said = [row["object"] for row in rows if row["subject"] == person["id"]]
    assert said == ["person: 秦叔宝 −", "person: 秦叔宝", "person: 秦叔宝"]


async def test_whoever_has_an_old_revision_changes_nothing(hub: Hub, admin: Browser) -> None:
    path = f"/people/{hub.ids['li-sihan']}"
    record = await admin.ok("GET", path)
    changed = await admin.ok("PATCH", path, {"post": "站长"}, headers=match(record))
    assert (changed["post"], changed["rev"]) == ("站长", record["rev"] + 1)
    for method, body in (("PATCH", {"post": "局长"}), ("DELETE", None)):
        status, answer = await admin.call(method, path, body, headers=match(record))
        assert (status, answer["code"]) == (409, "stale")
        assert (await admin.call(method, path, body))[0] == 428
    assert (await admin.ok("GET", path))["post"] == "站长"
    unchanged = await admin.ok("PATCH", path, {"post": "站长"}, headers=match(changed))
    assert unchanged["rev"] == changed["rev"]


async def test_a_repeated_request_makes_one_entry(hub: Hub, admin: Browser) -> None:
    body = {"owner_kind": "person", "owner_id": hub.ids["li-sihan"], "kind": "phone", "address": "13600001111"}
    first = await admin.ok("POST", "/endpoints", body, headers={"Idempotency-Key": "k"})
    assert await admin.ok("POST", "/endpoints", body, headers={"Idempotency-Key": "k"}) == first
    status, answer = await admin.call("POST", "/endpoints", {**body, "label": "x"}, headers={"Idempotency-Key": "k"})
    assert (status, answer["code"]) == (409, "key_reused")


async def test_what_cannot_be_is_422_with_the_field(hub: Hub, admin: Browser) -> None:
    ids = hub.ids
    district = await admin.ok("GET", f"/organisations/{ids['binjiang']}")
    nothing = "01K00000000000000000000000"
    for method, path, body, field in (
        ("PATCH", f"/organisations/{ids['binjiang']}", {"parent_id": ids["qingshiqiao"]}, "parent_id"),
        ("PATCH", f"/organisations/{ids['binjiang']}", {"parent_id": ids["binjiang"]}, "parent_id"),
        ("POST", "/organisations", {"parent_id": nothing, "name": "无", "kind": "street"}, "parent_id"),
        ("POST", "/people", {"org_id": nothing, "name": "无"}, "org_id"),
        ("POST", "/seats", {"org_id": ids["ops"], "name": "无", "place_id": nothing}, "place_id"),
        ("POST", "/endpoints", {"owner_kind": "seat", "owner_id": ids["li-sihan"], "kind": "web"}, "owner_id"),
        ("POST", "/endpoints", {"owner_kind": "person", "owner_id": ids["li-sihan"], "kind": "phone", "address": "x"}, "address"),
        ("POST", "/endpoints", {"owner_kind": "person", "owner_id": ids["li-sihan"], "kind": "room"}, "address"),
    ):
        status, answer = await admin.call(method, path, body, headers=match(district) if method == "PATCH" else None)
        assert (status, [one["where"] for one in answer["errors"]]) == (422, [field]), (path, answer)
    status, answer = await admin.call("POST", "/people", {"org_id": ids["water"], "name": "无", "key": "li-sihan"})
    assert (status, answer["code"]) == (409, "key_taken")
    status, answer = await admin.call("DELETE", f"/people/{ids['wu-chengze']}", headers={"If-Match": "1"})
    assert (status, answer["code"]) == (409, "oneself")


async def test_numbers_are_masked_for_who_may_not_see_them(hub: Hub, admin: Browser) -> None:
    person = hub.ids["chen-zhixing"]
    plain = next(one for one in (await admin.ok("GET", f"/people/{person}"))["endpoints"] if one["kind"] == "phone")
    assert (plain["address"], plain["masked"]) == ("13800001003", False)
    async with hub.browser("emergency") as page:  # a participant of that organisation
        async with await page.raw("GET", f"/api/v1/people/{person}") as response:
            text = await response.text()
        assert "138****1003" in text
        assert "13800001003" not in text
        for q in ("13800001003", "1003"):
            assert (await page.ok("GET", f"/directory/search?q={q}"))["items"] == []
        (hit,) = (await page.ok("GET", "/directory/search?q=czx%20%E6%89%8B%E6%9C%BA"))["items"]
        assert (hit["about"], hit["owner"]["name"]) == ("138****1003", "陈知行")
    (hit,) = (await admin.ok("GET", "/directory/search?q=13800001003"))["items"]
    assert (hit["about"], hit["owner"]["id"]) == ("13800001003", person)


async def test_who_is_removed_is_out(hub: Hub, admin: Browser) -> None:
    async with hub.browser("water") as page:
        person = await admin.ok("GET", f"/people/{hub.ids['li-sihan']}")
        await admin.ok("DELETE", f"/people/{person['id']}", headers=match(person))
        assert (await page.call("GET", "/session"))[0] == 401
    async with hub.parts.store.reading() as reading:
        assert await reading.value(sa.select(tables.people.c.name).where(tables.people.c.id == person["id"])) == "李思涵"
        assert await reading.first(sa.select(tables.endpoints).where(tables.endpoints.c.owner_id == person["id"])) is None
    assert (await admin.call("GET", f"/people/{person['id']}"))[0] == 404


async def test_lists_go_page_by_page(hub: Hub, admin: Browser) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = await admin.ok("GET", f"/endpoints?limit=7{cursor}")
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == len(hub.city.endpoint)
    assert {one["id"] for one in (await admin.ok("GET", f"/seats?org={hub.ids['ops']}"))["items"]}


async def test_an_import_by_rest(hub: Hub, admin: Browser) -> None:
    async def send(data: bytes, media: str, query: str = "") -> tuple[int, Any]:
        headers = {"Content-Type": media}
        async with await admin.raw("POST", f"/api/v1/directory/import{query}", data=data, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async with await admin.raw("GET", "/api/v1/directory/export") as response:
        assert response.content_type == "text/csv"
        assert "attachment" in response.headers["Content-Disposition"]
        out = await response.read()
    status, done = await send(out, "text/csv; charset=utf-8")
    assert (status, done["unchanged"]) == (200, len(out.splitlines()) - 1)
    status, done = await send("type,key,name,org\nperson,n,新,water\n".encode(), "text/csv", "?dry_run=true")
    assert (status, done["entries"]["person"]) == (200, {"created": 1, "changed": 0})
    status, done = await send(b"type,key,name,org\nperson,n,N,x\n", "text/csv")
    assert (status, done["code"]) == (422, "wrong_rows")
    assert done["errors"] == [
        {
            "where": "line 2, org",
            "line": 2,
            "field": "org",
            "text": "There is no organisation x.",
            "text_zh": "没有单位 x。",
        }
    ]
    assert (await send(b"", "text/plain"))[0] == 415
    assert (await send(b"[]", "application/json"))[1]["code"] == "not_json"
