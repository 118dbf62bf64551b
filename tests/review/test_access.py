"""Who may look, asked each time; and who did look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.review.watching import Watching
from commhub.store import tables
from tests.support.hubs import Browser, Hub, serving
from tests.support.rehearsed import Logical, Piece, rehearse


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def session(hub: Hub) -> str:
    picture = Logical("A:T", "李思涵", [Piece(0, 10_000), Piece(300_000, 10_000), Piece(600_000, 10_000)])
    sound = Logical("A:T", "李思涵", [Piece(0, 10_000), Piece(300_000, 10_000)], kind="audio", source="microphone")
    return await rehearse(hub, [picture, sound])


def addresses(id: str) -> list[str]:
    """Everything that shows something of a recording."""
    base = f"/api/v1/recordings/{id}"
    return [
        base, f"{base}/lanes", f"{base}/marks", f"{base}/media/0001/0001.webm", f"{base}/thumbnails/0001",
        f"{base}/thumbnails/0001/0001-1.jpg", f"{base}/waveforms/0002", "/api/v1/recordings/search?q=李思涵",
    ]  # fmt: skip


async def status(page: Browser, url: str, **headers: str) -> int:
    async with await page.raw("GET", url, headers=headers) as response:
        await response.read()
        return response.status


async def grant(hub: Hub, *, without: bool) -> None:
    mine = tables.grants.c.person_id == hub.ids["he-ruolan"]
    async with hub.parts.store.transaction() as transaction:
        if without:
            await transaction.run(sa.delete(tables.grants).where(mine))
        else:
            row = {"person_id": hub.ids["he-ruolan"], "role": "reviewer", "org_id": hub.ids["ops"]}
            await transaction.insert(tables.grants, row)


async def test_without_the_right_everything_is_refused(hub: Hub) -> None:
    id = await session(hub)
    for account in ("dispatcher", "emergency"):
        async with hub.browser(account) as page:
            for url in addresses(id):
                assert await status(page, url) == 403, url
    async with hub.browser("reviewer") as page:
        for url in addresses(id):
            assert await status(page, url) == 200, url


async def test_a_right_that_ends_ends_between_two_ranges(hub: Hub) -> None:
    id = await session(hub)
    url = f"/api/v1/recordings/{id}/media/0001/0001.webm"
    async with hub.browser("reviewer") as page:
        assert await status(page, url, Range="bytes=0-999") == 206
        await grant(hub, without=True)
        assert await status(page, url, Range="bytes=1000-1999") == 403
        for one in addresses(id):
            assert await status(page, one) == 403, one
        await grant(hub, without=False)
        assert await status(page, url, Range="bytes=1000-1999") == 206


async def test_views_seeks_and_searches_are_rows(hub: Hub) -> None:
    id = await session(hub)
    async with hub.browser("reviewer") as page, hub.browser("admin") as admin:
        for _ in range(3):  # a page that asks again is the same one
            await page.ok("GET", f"/recordings/{id}")
        media = f"/api/v1/recordings/{id}/media"
        await status(page, f"{media}/0001/0001.webm", Range="bytes=0-4000")  # a head, and then on
        await status(page, f"{media}/0001/0001.webm", Range="bytes=4001-9000")
        await status(page, f"{media}/0001/0003.webm")  # ten minutes on, at once in both tracks
        await status(page, f"{media}/0002/0002.webm")
        await page.ok("GET", "/recordings/search?q=泵车")
        rows = (await admin.ok("GET", f"/recordings/access?person={hub.ids['he-ruolan']}"))["items"]
        assert [(row["kind"], row["track"], row["at_ms"], row["detail"]) for row in reversed(rows)] == [
            ("view", "", None, ""), ("seek", "0001", 600_000, ""), ("seek", "0002", 300_000, ""), ("search", "", None, "泵车"),
        ]  # fmt: skip
        assert {row["person_name"] for row in rows} == {"何若兰"}
        assert rows[-1]["title"] == "长江大道下穿通道内涝处置会商"
        first = await admin.ok("GET", "/recordings/access?limit=1")
        rest = await admin.ok("GET", f"/recordings/access?cursor={first['next']}")
        assert len(first["items"]) == 1
        assert len(rest["items"]) == 3
        assert len((await admin.ok("GET", f"/recordings/access?recording={id}&kind=seek"))["items"]) == 2
        async with await admin.raw("GET", "/api/v1/recordings/access/report") as response:
            lines = (await response.text()).splitlines()
            assert response.content_type == "text/csv"
            assert len(lines) == 5
            assert "跳转" in lines[2]
        for wrong in ("?recording=x", "?kind=edit", "?limit=0", "?cursor=x"):
            assert (await admin.call("GET", f"/recordings/access{wrong}"))[0] == 400, wrong
        assert (await page.call("GET", "/recordings/access"))[0] == 403


async def test_nothing_is_shown_that_could_not_be_noted(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await session(hub)
    async with hub.browser("reviewer") as page:
        async with hub.parts.store.transaction() as transaction:
            await transaction.connection.exec_driver_sql("DROP TABLE recording_access")
        assert await status(page, f"/api/v1/recordings/{id}") == 500
        assert await status(page, f"/api/v1/recordings/{id}/media/0001/0003.webm") == 500


async def test_a_cell_computes_nothing(hub: Hub) -> None:
    async with hub.browser("admin") as admin:
        await admin.ok("GET", "/recordings/search?q=%3D1%2B1")
        async with await admin.raw("GET", "/api/v1/recordings/access/report") as response:
            assert "'=1+1" in await response.text()


def test_what_is_a_seek() -> None:
    watching = Watching()
    assert watching.opened("p", "r", 0)
    assert not watching.opened("p", "r", 50)
    assert not watching.opened("p", "r", 100)  # it goes on asking
    assert watching.opened("p", "r", 161)
    assert not watching.went("p", "r", "1", 0, 5_000, 200)
    assert not watching.went("p", "r", "1", 20_000, 60_000, 201)
    assert not watching.went("p", "r", "1", 85_000, 90_000, 202)
    assert watching.went("p", "r", "1", 600_000, 610_000, 203)
    assert not watching.went("p", "r", "2", 605_000, 610_000, 204)  # another track of the same moment
    assert watching.went("p", "r", "1", 0, 5_000, 204)
    assert watching.went("p", "other", "1", 600_000, 610_000, 204)
    assert watching.went("q", "r", "1", 600_000, 610_000, 204)


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.review.watching.REMEMBERED", 3)
    watching = Watching()
    for number in range(10):
        watching.opened("p", str(number), 0)
    assert len(watching._looking) == 3
