"""Open pages, looked after together: rights that change, sign-ins that end, pages that take nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiohttp import WSMsgType

from commhub.api import checking, stream
from commhub.store import tables
from tests.support import until
from tests.support.hubs import Browser, Hub, Stream, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def closed(heard: Stream) -> object:
    """The code with which the hub closes it; whatever comes before is passed over."""
    while (message := await heard.socket.receive(timeout=10)).type is WSMsgType.TEXT:
        pass
    return message.data


async def create(page: Browser, title: str) -> None:
    await page.ok("POST", "/consultations", {"title": title})


async def test_the_hub_does_not_ask_for_each_page(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are open, a look is a few queries."""
    monkeypatch.setattr(checking, "CHECK_SECONDS", 3600)
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(hub.browser("dispatcher")) for _ in range(10)]
        for page in pages:
            await stack.enter_async_context(page.events())
        counted = []
        monkeypatch.setattr(hub.parts.store, "observe", lambda operation, seconds: counted.append(operation))
        assert hub.api is not None
        await hub.api.streams._checking.look()
        assert counted == ["reading"]


async def test_a_right_that_is_taken_away_counts_for_open_pages_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by the directory's own event; the usual look would come in an hour."""
    monkeypatch.setattr(checking, "CHECK_SECONDS", 3600)
    async with hub.browser("dispatcher") as zhou, hub.browser("admin") as admin, admin.events() as heard, zhou.events():
        await create(zhou, "seen")
        assert (await heard.event("consultation.created"))["data"]["consultation"]["title"] == "seen"
        async with hub.parts.store.transaction() as transaction:
            await transaction.run(sa.delete(tables.grants).where(tables.grants.c.person_id == hub.ids["wu-chengze"]))
            await hub.parts.events.emit(
                transaction, "directory.changed", subject="x", org=hub.ids["ops"], label="internal", data={}
            )
        assert hub.api is not None
        mine = next(one for one in hub.api.streams._open if one.actor.id == hub.ids["wu-chengze"])
        await until(lambda: mine.actor.grants == ())
        await create(zhou, "unseen")
        await create(zhou, "unseen too")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(heard.event("consultation.created"), 0.5)


async def test_a_branch_that_moves_counts_for_open_pages(hub: Hub) -> None:
    """Nothing of the person is another, but the tree in which his rights hold is."""
    async with hub.browser("dispatcher") as zhou, zhou.events():
        assert hub.api is not None
        (page,) = hub.api.streams._open
        before = page.actor.tree
        async with hub.parts.store.transaction() as transaction:
            await transaction.next("directory")
        await hub.api.streams._checking.look()
        assert page.actor.tree is not before


async def test_who_is_put_out_of_the_directory_is_off_the_socket_too(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "CHECK_SECONDS", 0.05)  # as after a change by another process
    async with hub.browser("water") as li, li.events() as heard, hub.browser("emergency") as chen, chen.events() as other:
        async with hub.parts.store.transaction() as transaction:
            people = tables.people
            await transaction.run(sa.update(people).where(people.c.id == hub.ids["li-sihan"]).values(active=False))
        assert await closed(heard) == 1008
        await other.socket.send_json({"type": "resume", "seq": 0})
        assert (await other.message())["type"] in ("event", "resumed")


async def test_an_open_page_keeps_its_sign_in(hub: Hub) -> None:
    async with hub.browser("water") as li, li.events():
        async with hub.parts.store.transaction() as transaction:
            await transaction.run(sa.update(tables.sign_ins).values(seen_at=tables.sign_ins.c.seen_at - 120 * 10**9))
        assert hub.api is not None
        before = await _seen(hub)
        await hub.api.streams._checking.look()
        assert await _seen(hub) > before


async def _seen(hub: Hub) -> int:
    async with hub.parts.store.reading() as reading:
        return int(await reading.value(sa.select(sa.func.min(tables.sign_ins.c.seen_at))))


async def test_who_takes_nothing_is_cut(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub.browser("water") as li, li.events() as heard:
        assert hub.api is not None
        (page,) = hub.api.streams._open
        page.sending = 0.0  # for hours, as far as the machine has been up
        monkeypatch.setattr(stream, "SEND_SECONDS", -1.0)
        await hub.api.streams._checking.look()
        assert (await heard.socket.receive(timeout=10)).type in (WSMsgType.CLOSED, WSMsgType.ERROR, WSMsgType.CLOSE)
