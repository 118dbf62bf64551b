"""Words of recordings: taken in while they run, found by any part, by whom they concern only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.errors import Invalid
from commhub.model import Label, new_id, utc_ns
from commhub.review.search import excerpt, understood
from commhub.review.words import fold, terms
from commhub.store import tables
from commhub.wire import journal
from tests.support.hubs import Hub, serving


def chat(at_ms: int, text: str, name: str = "李思涵") -> dict[str, Any]:
    return {"at_ms": at_ms, "type": "chat", "identity": "A:T", "name": name, "text": text, "data": {"id": "x"}}


def event(at_ms: int, type: str, **data: Any) -> dict[str, Any]:
    return {"at_ms": at_ms, "type": type, "identity": "", "name": "", "text": "", "data": data}


class Shelf:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def put(
        self, events: list[dict[str, Any]], *, org: str = "ops", label: Label = Label.INTERNAL, title: str = "内涝处置会商",
        state: str = "complete",
    ) -> str:  # fmt: skip
        id = new_id()
        row = {
            "id": id, "consultation_id": new_id(), "org_id": self.hub.ids[org], "label": str(label), "title": title,
            "code": "HS-1122-001", "started_at": utc_ns(), "duration_ms": 0, "state": state, "tracks": 0, "bytes": 0,
            "people": "[]",
        }  # fmt: skip
        async with self.hub.parts.store.transaction() as transaction:
            await transaction.insert(tables.recordings, row)
        self.write(id, events)
        await self.fill()
        return id

    def write(self, id: str, events: list[dict[str, Any]]) -> None:
        folder = self.hub.folder / "recordings" / id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text(json.dumps({"version": 1, "events": events}, ensure_ascii=False))

    async def state(self, id: str, state: str) -> None:
        async with self.hub.parts.store.transaction() as transaction:
            await transaction.run(sa.update(tables.recordings).where(tables.recordings.c.id == id).values(state=state))

    async def fill(self) -> None:
        while await self.hub.parts.reviewing.filling.look():
            pass

    async def found(self, q: str, account: str = "reviewer", **more: Any) -> list[tuple[int, str]]:
        options = {"recording": None, "kind": None, "before": None, "limit": 50} | more
        page = await self.hub.parts.reviewing.search(await self.hub.person(account), q, **options)
        return [(one.at_ms, one.kind) for one in page.items]


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with serving(tmp_path) as hub:
        yield Shelf(hub)


def test_a_text_is_its_pairs_and_the_ends_of_its_words() -> None:
    assert terms(fold("水位")) == {ord("水") << 21 | ord("位"), ord("位") << 21}
    assert terms(fold("Ａ b")) == {ord("a") << 21, ord("b") << 21}
    assert terms("") == set()


@pytest.mark.parametrize(
    ("q", "code"),
    [("", "no_words"), ("  \t", "no_words"), ("a b c d e f g h i", "too_many_words"), ("长" * 65, "too_many_words")],
)
def test_questions_that_cannot_be_answered(q: str, code: str) -> None:
    with pytest.raises(Invalid) as raised:
        understood(q)
    assert raised.value.code == code


def test_what_is_around_a_word_and_where_it_is_in_it() -> None:
    text = "前" * 50 + "水位已经３.２米" + "后" * 200
    snippet, hits = excerpt(text, ["3.2", "水位"])
    assert snippet.startswith("…")
    assert snippet.endswith("…")
    assert [snippet[low:high] for low, high in hits] == ["水位", "３.２"]
    assert excerpt("面积㎡", ["m2"]) == ("面积㎡", [(2, 3)])
    assert excerpt("没有", ["别的"]) == ("没有", [])


async def test_words_are_found_by_any_part_of_them(shelf: Shelf) -> None:
    id = await shelf.put([
        chat(1000, "长江大道下穿通道水位3.2米，请水务局派泵车"),
        chat(2000, "泵车已出发 ETA 15min"),
        {**event(3000, "joined", kind="person"), "name": "何若兰", "identity": "B:T"},
        event(4000, "consultation.camera_added", camera={"id": new_id(), "name": "青石桥下穿北口"}),
        event(5000, "muted", track="0001"),
        event(6000, "data", payload="5rC05L2N", topic="水位"),
    ])  # fmt: skip
    assert await shelf.found("水位") == [(1000, "chat")]
    assert await shelf.found("泵车") == [(2000, "chat"), (1000, "chat")]
    assert await shelf.found("泵车 水务局") == [(1000, "chat")]
    assert await shelf.found("eta") == [(2000, "chat")]
    assert await shelf.found("3.2") == [(1000, "chat")]
    assert await shelf.found("何若兰") == [(3000, "name")]
    assert await shelf.found("青石桥") == [(4000, "event")]
    assert await shelf.found("调入摄像机") == [(4000, "event")]
    assert await shelf.found("内涝") == [(0, "title")]
    assert await shelf.found("李思涵") == [(2000, "chat"), (1000, "chat")]  # who said it
    for one, expected in (("泵", [(2000, "chat"), (1000, "chat")]), ("北", [(4000, "event")]), ("米", [(1000, "chat")])):
        assert await shelf.found(one) == expected  # a single character
    for nothing in ("位水", "泵车 青石桥", "100%", "_", "水%位", "5rC05L2N", id):
        assert await shelf.found(nothing) == [], nothing
    assert await shelf.found("泵车", kind="event") == []
    assert await shelf.found("泵车", recording=new_id()) == []
    assert await shelf.found("泵车", limit=1) == [(2000, "chat")]


async def test_pages_follow_each_other(shelf: Shelf) -> None:
    for _ in range(3):
        await shelf.put([chat(n, f"第{n}次通报") for n in range(5)])
    async with shelf.hub.browser("reviewer") as page:
        seen, cursor = [], ""
        while True:
            answer = await page.ok("GET", f"/recordings/search?q=通报&limit=4{cursor}")
            seen += [(one["recording_id"], one["at_ms"]) for one in answer["items"]]
            if answer["next"] is None:
                break
            cursor = f"&cursor={answer['next']}"
        assert len(seen) == len(set(seen)) == 15
        assert seen == sorted(seen, reverse=True)
        for wrong in ("", "?q=", "?q=x&cursor=-1", "?q=x&cursor=y", "?q=x&limit=0", "?q=x&recording=1", "?q=" + "长" * 201):
            assert (await page.call("GET", f"/recordings/search{wrong}"))[0] == 400, wrong


async def test_one_that_runs_is_found_at_once_and_goes_on(shelf: Shelf) -> None:
    events = [chat(1000, "第一条")]
    id = await shelf.put(events, state="recording")
    assert await shelf.found("第一条") == [(1000, "chat")]
    events.append(chat(2000, "第二条"))
    shelf.write(id, events)
    await shelf.fill()
    assert await shelf.found("条") == [(2000, "chat"), (1000, "chat")]
    await shelf.state(id, "complete")
    await shelf.fill()
    await shelf.state(id, "recording")  # cut off by a restart, it goes on
    shelf.write(id, [*events, chat(3000, "第三条")])
    await shelf.fill()
    assert len(await shelf.found("条")) == 3


async def test_it_is_made_anew_from_manifests_and_from_the_journal(shelf: Shelf) -> None:
    id = await shelf.put([chat(1000, "第一条")])
    folder = shelf.hub.folder / "recordings" / id
    (folder / "manifest.json").write_text("{")
    facts: list[dict[str, Any]] = [
        {"type": "opened", "at": 10**18, "session": id, "room": "r", "title": "t", "about": {}, "version": 1},
        {"type": "joined", "at": 10**18, "identity": "A:T", "name": "李思涵"},
        {"type": "chat", "at": 10**18 + 7 * 10**9, "identity": "A:T", "text": "来自流水"},
    ]
    (folder / "journal").write_bytes(b"".join(map(journal.encode, facts)))
    async with shelf.hub.browser("admin") as page:
        assert await page.ok("POST", "/recordings/search/rebuild") == {"recordings": 1}
        assert (await page.ok("GET", "/audit?action=recording.policy"))["items"][0]["object"] == "重建检索：1 个录制"
    await shelf.fill()
    assert await shelf.found("第一条") == []
    assert await shelf.found("来自流水") == [(7000, "chat")]
    assert await shelf.found("内涝") == [(0, "title")]
    async with shelf.hub.parts.store.reading() as reading:
        texts = await reading.value(sa.select(sa.func.count()).select_from(tables.recording_texts))
        pairs = await reading.all(sa.select(tables.recording_terms.c.text_id).distinct())
        assert texts == len(pairs) == 3  # nothing of before is left


async def test_nothing_of_others_and_nothing_deleted_is_found(shelf: Shelf) -> None:
    await shelf.put([chat(1000, "滨江区的泵车")], org="binjiang")
    await shelf.put([chat(2000, "敏感的泵车")], label=Label.SENSITIVE)
    gone = await shelf.put([chat(3000, "删除的泵车")])
    assert [at for at, _ in await shelf.found("泵车")] == [3000, 2000, 1000]
    zhao = shelf.hub.ids["zhao-jingyi"]
    async with shelf.hub.parts.store.transaction() as transaction:
        await transaction.insert(tables.grants, {"person_id": zhao, "role": "reviewer", "org_id": shelf.hub.ids["binjiang"]})
    assert [at for at, _ in await shelf.found("泵车", "binjiang")] == [1000]
    assert await shelf.found("泵车", "dispatcher") == []
    async with shelf.hub.parts.store.transaction() as transaction:
        keeping = {
            "recording_id": gone, "state": "deleting", "rev": 1, "expires_at": 0, "asked_name": "", "asked_at": 0,
            "asked_reason": "", "lapses_at": 0, "deleted_at": 1, "deleted_name": "", "why": "people", "head": "",
            "checkpoints": 0, "bytes": 0, "removed_at": 0,
        }  # fmt: skip
        await transaction.insert(tables.recording_keeping, keeping)
    assert [at for at, _ in await shelf.found("泵车")] == [2000, 1000]
    await shelf.fill()
    async with shelf.hub.parts.store.reading() as reading:
        left = await reading.all(sa.select(tables.recording_texts).where(tables.recording_texts.c.recording_id == gone))
    assert left == []
