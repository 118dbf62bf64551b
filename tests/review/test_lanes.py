"""What happened, beside the pictures: every type there is, and those there are not yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from commhub import lanes as table
from commhub.events import TYPES
from commhub.wire import journal
from recorder import manifest as manifests
from recorder.retold import retell
from tests.review.test_words import Shelf, chat, event
from tests.support.hubs import Hub, serving


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with serving(tmp_path) as hub:
        yield Shelf(hub)


async def lanes(hub: Hub, id: str, query: str = "", language: str = "zh") -> dict[str, Any]:
    async with hub.browser("reviewer") as page:
        shown: dict[str, Any] = await page.ok("GET", f"/recordings/{id}/lanes{query}", headers={"Accept-Language": language})
        return shown


def test_every_event_of_the_bus_and_of_the_journal_is_shown() -> None:
    """One that is not declared, too: whoever adds a type does not have to come here."""
    for type in {*TYPES, *manifests._EVENTS, *table.SHOWN, "never.heard_of"}:
        shown = table.shown(type, {})
        assert shown.lane in set(table.LANES) - {table.MARK}, type
        assert all((shown.zh, shown.en, table.icon(shown))), type
        assert shown.until in {"", *table.SHOWN}, type
    assert table.shown("chat").lane == "chat"
    assert table.shown("never.heard_of").zh == "never.heard_of"


async def test_a_type_that_nobody_declared_is_there_by_its_own_title(shelf: Shelf) -> None:
    """As a later version's hub would mark it, through the recorder's journal."""
    titles = {"title_zh": "无人机起飞", "title": "Drone launched"}
    facts: list[dict[str, Any]] = [
        {"type": "opened", "at": 10**18, "session": "S", "room": "r", "title": "t", "about": {}, "version": 1},
        {"type": "mark", "at": 10**18 + 10**9, "event": "drone.launched", "data": titles},
        {"type": "mark", "at": 10**18 + 2 * 10**9, "event": "drone.landed", "data": {"actor": {"name": "李思涵"}}},
    ]  # fmt: skip
    manifest = retell(b"".join(map(journal.encode, facts)))
    id = await shelf.put([])
    (shelf.hub.folder / "recordings" / id / "manifest.json").write_bytes(manifest)
    shown = await lanes(shelf.hub, id)
    assert [one["id"] for one in shown["lanes"]] == ["mark", "other"]
    assert [(one["at_ms"], one["type"], one["lane"], one["title"], one["who"]) for one in shown["items"]] == [
        (1000, "drone.launched", "other", "无人机起飞", None),
        (2000, "drone.landed", "other", "drone.landed", "李思涵"),
    ]
    assert (await lanes(shelf.hub, id, language="en"))["items"][0]["title"] == "Drone launched"


async def test_what_lasts_has_its_end(shelf: Shelf) -> None:
    def person(at_ms: int, type: str, identity: str = "A:T", **data: Any) -> dict[str, Any]:
        return {**event(at_ms, type, **data), "identity": identity}

    id = await shelf.put([
        person(0, "joined"), person(100, "joined", "C:bridge", kind="camera"), person(200, "muted", track="1"),
        person(300, "muted", track="2"), person(400, "unmuted", track="2"), person(500, "left", "C:bridge", kind="camera"),
        event(600, "off_record"), event(700, "on_record"), chat(800, "水位"), person(900, "left"),
    ])  # fmt: skip
    shown = await lanes(shelf.hub, id)
    assert [(one["type"], one["until_ms"]) for one in shown["items"]] == [
        ("joined", 900), ("joined", 500), ("muted", None), ("muted", 400), ("unmuted", None), ("left", None),
        ("off_record", 700), ("on_record", None), ("chat", None), ("left", None),
    ]  # fmt: skip
    assert [one["lane"] for one in shown["items"][:2]] == ["people", "camera"]
    assert shown["items"][8]["text"] == "水位"


async def test_one_that_runs_is_followed(shelf: Shelf) -> None:
    first = [{**event(0, "joined"), "identity": "A:T"}, chat(1000, "一")]
    id = await shelf.put(first, state="recording")
    shown = await lanes(shelf.hub, id)
    assert (shown["running"], shown["next"], shown["more"]) == (True, 2, False)
    again = await lanes(shelf.hub, id, "?after=2")
    assert (again["items"], again["ended"], again["next"]) == ([], [], 2)
    shelf.write(id, [*first, chat(2000, "二"), {**event(3000, "left"), "identity": "A:T"}])
    shown = await lanes(shelf.hub, id, "?after=2")
    assert [one["id"] for one in shown["items"]] == ["e2", "e3"]
    assert shown["ended"] == [{"id": "e0", "until_ms": 3000}]
    shown = await lanes(shelf.hub, id, "?after=2&limit=1")
    assert (len(shown["items"]), shown["ended"], shown["next"], shown["more"]) == (1, [], 3, True)
    async with shelf.hub.browser("reviewer") as page:
        shelf.write(id, first[:1])  # what was written last is lost with a machine
        status, problem = await page.call("GET", f"/recordings/{id}/lanes?after=2")
        assert (status, problem["code"]) == (409, "cursor")
        for wrong in ("?after=-1", "?after=x", "?limit=0", "?limit=5001", "?after=1e3", "?more=1"):
            assert (await page.call("GET", f"/recordings/{id}/lanes{wrong}"))[0] == 400, wrong


async def test_what_programs_said_is_cut_to_what_can_be_shown(shelf: Shelf) -> None:
    deep: Any = "x"
    for _ in range(30):
        deep = {"in": [deep]}
    id = await shelf.put([event(0, "data", payload="A" * 10_000, topic="t" * 2_000, deep=deep, many=list(range(900)))])
    detail = (await lanes(shelf.hub, id))["items"][0]["detail"]
    assert "payload" not in detail
    assert len(detail["topic"]) == 501
    assert len(detail["many"]) == 50
    assert str(detail["deep"]).count("in") < 4
