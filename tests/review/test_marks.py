"""Marks and comments: beside the recording, by whom, at which revision, with audit row and event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.store import tables
from tests.review.test_words import Shelf
from tests.support.hubs import serving


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with serving(tmp_path) as hub:
        yield Shelf(hub)


async def test_from_beginning_to_end(shelf: Shelf) -> None:
    id = await shelf.put([])
    url = f"/recordings/{id}/marks"
    async with shelf.hub.browser("reviewer") as page, shelf.hub.browser("admin") as admin:
        new = {"at_ms": 5000, "until_ms": 9000, "title": " 泵车到达 ", "text": "第一辆\r\n第二辆"}
        made = await page.ok("POST", url, new, headers={"Idempotency-Key": "k1"})
        assert (made["title"], made["text"], made["by_name"], made["rev"]) == ("泵车到达", "第一辆\n第二辆", "何若兰", 1)
        assert (await page.ok("POST", url, new, headers={"Idempotency-Key": "k1"}))["id"] == made["id"]
        other = await admin.ok("POST", url, {"at_ms": 100, "kind": "comment", "text": "从这里看起"})
        shown = await page.ok("GET", url)
        assert [(one["id"], one["may_change"]) for one in shown["items"]] == [(other["id"], False), (made["id"], True)]
        assert shown["rev"] == 2
        assert (await page.ok("GET", f"/recordings/{id}/lanes"))["marks_rev"] == 2

        one = f"{url}/{made['id']}"
        changed = await page.ok("PATCH", one, {"title": "泵车已到达", "until_ms": None}, headers={"If-Match": '"1"'})
        assert (changed["title"], changed["until_ms"], changed["rev"]) == ("泵车已到达", None, 2)
        assert changed["text"] == "第一辆\n第二辆"
        status, problem = await page.call("PATCH", one, {"title": "x"}, headers={"If-Match": "1"})
        assert (status, problem["code"]) == (409, "stale")
        assert (await page.call("PATCH", one, {"title": "x"}))[0] == 428
        assert (await admin.call("PATCH", one, {"title": "x"}, headers={"If-Match": "2"}))[0] == 403
        assert (await page.call("DELETE", f"{url}/{other['id']}"))[0] == 403
        assert await shelf.found("已到达") == [(5000, "mark")]
        assert await shelf.found("从这里") == [(100, "mark")]

        assert (await admin.call("DELETE", one))[0] == 204  # an administrator's right
        assert (await page.call("DELETE", one))[0] == 404
        assert await shelf.found("到达") == []
        assert (await page.ok("GET", url))["rev"] == 4
        rows = (await admin.ok("GET", "/audit?action=recording.mark"))["items"]
        assert [row["object"] for row in rows if row["result"] == "ok"] == [
            "删除标记：泵车已到达（何若兰）", "修改标记：泵车已到达", "添加标记：", "添加标记：泵车到达"
        ]  # fmt: skip
    async with shelf.hub.parts.store.reading() as reading:
        events = await reading.all(sa.select(tables.events.c.body).where(tables.events.c.subject == id))
    assert sum('"recording.marked"' in row.body for row in events) == 4


@pytest.mark.parametrize(
    "body",
    [
        {"at_ms": 0}, {"at_ms": -1, "title": "x"}, {"at_ms": 10, "until_ms": 9, "title": "x"}, {"title": "x"},
        {"at_ms": 0, "title": "x" * 201}, {"at_ms": 0, "text": "x" * 4001}, {"at_ms": 0, "title": "\0"},
        {"at_ms": 10**18, "title": "x"}, {"at_ms": "now", "title": "x"}, {"at_ms": 0, "title": "x", "by_name": "y"},
        {"at_ms": 0, "title": "x", "kind": "order"}, {"at_ms": 0, "title": " \n "}, [],
    ],
)  # fmt: skip
async def test_marks_that_are_none(shelf: Shelf, body: object) -> None:
    id = await shelf.put([])
    async with shelf.hub.browser("reviewer") as page:
        status, problem = await page.call("POST", f"/recordings/{id}/marks", body)
        assert status == 400, problem
        assert problem["detail"]
        assert (await page.ok("GET", f"/recordings/{id}/marks"))["items"] == []


async def test_a_mark_belongs_to_its_recording(shelf: Shelf) -> None:
    one, other = await shelf.put([]), await shelf.put([])
    async with shelf.hub.browser("reviewer") as page:
        made = await page.ok("POST", f"/recordings/{one}/marks", {"at_ms": 0, "title": "x"})
        for method in ("PATCH", "DELETE"):
            body = {"title": "y"} if method == "PATCH" else None
            status, _ = await page.call(method, f"/recordings/{other}/marks/{made['id']}", body, headers={"If-Match": "1"})
            assert status == 404
