"""/events: who gets what, in which order, and again after a break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import WSMsgType, WSServerHandshakeError

from commhub.api import stream as module
from commhub.api.stream import Stream, Streams, Word
from commhub.events import Audience, Event, Published
from commhub.model import Actor
from commhub.store import tables
from commhub.terminals import Instruction, Outcome, terminal_id
from tests.support.hubs import TERMINAL, Browser, Hub, serving
from tests.support.hubs import Stream as Heard


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def create(page: Browser, title: str = "T", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = await page.ok("POST", "/consultations", {"title": title, **more})
    return made


async def test_hello_then_events_in_order(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, zhou.events() as heard:
        assert heard.hello == {"type": "hello", "seq": 0, "person": hub.ids["zhou-mingyuan"]}
        made = await create(zhou, people=[hub.ids["li-sihan"]])
        created, invited = await heard.event("consultation.created"), await heard.event("consultation.invited")
        assert (created["seq"], invited["seq"]) == (1, 2)
        assert created["actor"]["name"] == "周明远"
        assert (created["subject"], created["org"], created["label"], created["rev"]) == (
            made["id"], hub.ids["ops"], "internal", 1,
        )  # fmt: skip
        assert created["data"]["consultation"] == {key: value for key, value in made.items() if key != "may"}
    async with hub.browser("dispatcher") as zhou, zhou.events() as heard:
        assert heard.hello["seq"] == 2


async def test_nobody_hears_of_what_does_not_concern_him(hub: Hub) -> None:
    async with (
        hub.browser("dispatcher") as zhou,
        hub.browser("water") as li,
        hub.browser("emergency") as chen,
        li.events() as to_li,
        chen.events() as to_chen,
    ):
        await create(zhou, "甲", people=[hub.ids["li-sihan"]])
        await create(zhou, "乙", organisations=[hub.ids["emergency"]])
        await create(zhou, "丙", people=[hub.ids["li-sihan"], hub.ids["chen-zhixing"]])
        for stream, titles in ((to_li, ["甲", "丙"]), (to_chen, ["乙", "丙"])):
            for title in titles:
                event = await stream.event("consultation.invited")
                assert event["data"]["consultation"]["title"] == title


async def test_resume_brings_what_was_missed_and_no_more(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        async with li.events() as heard:
            await create(zhou, "甲", people=[hub.ids["li-sihan"]])
            last = (await heard.event("consultation.invited"))["seq"]
        await create(zhou, "乙", people=[hub.ids["li-sihan"]])
        await create(zhou, "not for Li")
        await create(zhou, "丙", people=[hub.ids["li-sihan"]])
        async with li.events() as heard:
            await heard.socket.send_json({"type": "resume", "seq": last})
            seen = [await heard.event("consultation.created") for _ in range(2)]
            assert [one["data"]["consultation"]["title"] for one in seen] == ["乙", "丙"]
            await create(zhou, "丁", people=[hub.ids["li-sihan"]])
            assert (await heard.event("consultation.created"))["data"]["consultation"]["title"] == "丁"


@pytest.mark.parametrize("seq", [99, -1, 1 << 70, "1", 1.5, True, [1]])
async def test_what_cannot_be_resumed_is_loaded_anew(hub: Hub, seq: object) -> None:
    async with hub.browser("dispatcher") as zhou, zhou.events() as heard:
        await heard.socket.send_json({"type": "resume", "seq": seq})
        assert await heard.message() == {"type": "resync"}


async def test_strange_words_end_that_page_only(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("admin") as admin, admin.events() as fine:
        for text in ("{", "[]", "5", "[" * 3000, '{"type":7}' + " " * 9000):
            async with zhou.events() as heard:
                await heard.socket.send_str(text)
                while (message := await heard.socket.receive(timeout=5)).type is WSMsgType.TEXT:
                    pass
                assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING)
        async with zhou.events() as heard:
            await heard.socket.send_json({"type": "from a later version", "seq": 1})
            await create(zhou)
            await heard.event("consultation.created")
        await fine.event("consultation.created")


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": ""}, {}])
async def test_only_our_own_pages_get_in(hub: Hub, headers: dict[str, str]) -> None:
    async with hub.browser("dispatcher") as zhou:
        with pytest.raises(WSServerHandshakeError) as raised:
            await zhou.session.ws_connect(zhou.base + "/events", headers={"Cookie": zhou.cookie, **headers})
        assert raised.value.status == 403
    async with hub.browser() as nobody:
        with pytest.raises(WSServerHandshakeError) as raised:
            await nobody.session.ws_connect(nobody.base + "/events", headers={"Origin": nobody.base})
        assert raised.value.status == 401


async def test_signing_out_closes_the_pages(hub: Hub) -> None:
    async with hub.browser("water") as li, li.events() as heard:
        assert await li.call("DELETE", "/session") == (204, None)
        message = await heard.socket.receive(timeout=5)
        assert message.type is WSMsgType.CLOSE
        assert message.data == 1008


async def told(heard: Heard, kind: str) -> dict[str, Any]:
    """The next message of this kind; others are passed over."""
    while (message := await heard.message())["type"] != kind:
        pass
    return message


async def register(heard: Heard, id: str = TERMINAL, **more: Any) -> None:
    await heard.socket.send_json({"type": "terminal", "id": id, "kind": "page", "name": "A", **more})
    assert (await told(heard, "terminal"))["id"] == id


async def test_presence_is_told_to_who_watches_and_may(hub: Hub) -> None:
    water, li = hub.ids["water"], hub.ids["li-sihan"]
    async with (
        hub.browser("dispatcher") as zhou,
        hub.browser("water") as page,
        hub.browser("emergency") as chen,
        zhou.events() as heard,
        chen.events() as stranger,
    ):
        for one in (heard, stranger):
            await one.socket.send_json({"type": "watch", "orgs": [water], "people": [li]})
            assert await told(one, "presence") == {"type": "presence", "people": {}, "whole": True}
        async with page.events() as own:
            await register(own)
            assert (await told(heard, "presence"))["people"] == {li: "idle"}
            await own.socket.send_json({"type": "presence", "state": "dnd"})
            assert (await told(heard, "presence"))["people"] == {li: "dnd"}
            await own.socket.send_json({"type": "watch", "orgs": [water]})
            assert await told(own, "presence") == {"type": "presence", "people": {li: "dnd"}, "whole": True}
        with pytest.raises(TimeoutError):
            await stranger.socket.receive_json(timeout=0.4)


async def test_an_instruction_comes_again_to_the_page_that_is_back(hub: Hub) -> None:
    terminals, id = hub.parts.terminals, terminal_id(hub.ids["li-sihan"], TERMINAL)
    async with hub.browser("water") as li:
        async with li.events() as heard:
            await register(heard)
            asked = asyncio.create_task(terminals.instruct(id, Instruction("i1", "ring", "call"), within=10))
            assert (await told(heard, "instruction"))["id"] == "i1"
        async with li.events() as heard:
            await register(heard)
            assert (await told(heard, "instruction"))["verb"] == "ring"
            await heard.socket.send_json({"type": "ack", "id": "i1", "ok": False, "reason": "busy"})
            assert await asked == Outcome("refused", "busy")


WORDS = {
    "resume": "signed-in",
    "move": "camera.move",
    "terminal": "signed-in",
    "presence": "signed-in",
    "used": "signed-in",
    "ack": "signed-in",
    "watch": "directory.view",
}


async def test_every_word_declares_its_permission(hub: Hub) -> None:
    """Written down once more, so that a changed permission has to be meant."""
    assert hub.api is not None
    assert {name: permission for name, permission in hub.api.streams.words.items() if name in WORDS} == WORDS


@pytest.mark.parametrize("permission", ["", "public", "made.up"])
def test_a_word_without_a_permission_does_not_start(permission: str) -> None:
    nothing: Any = None
    with pytest.raises(ValueError, match="The word move declares the permission"):
        Streams(nothing, nothing, nothing, {"move": Word(permission, nothing)})


async def test_who_lacks_the_permission_is_refused_before_anybody_hears(hub: Hub) -> None:
    async with hub.browser("water") as li, li.events() as heard:
        person = await hub.person("water")
        async with hub.parts.store.transaction() as transaction:
            await transaction.run(sa.delete(tables.grants).where(tables.grants.c.person_id == person.id))
        async with li.events() as stranger:
            await stranger.socket.send_json({"type": "watch", "id": "my own", "orgs": [person.org]})
            assert await told(stranger, "refused") == {
                "type": "refused", "of": "watch", "id": "my own", "code": "forbidden",
                "text": "You do not have the permission for this.",
            }  # fmt: skip
        await heard.socket.send_json({"type": "watch", "orgs": [person.org]})  # rights are looked at every few seconds
        assert (await told(heard, "presence"))["whole"]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"type": "terminal", "id": "x"}, "The id of a terminal is a ULID."),
        ({"type": "ack", "id": "i1"}, "The page has not said which terminal it is."),
        ({"type": "watch", "orgs": "all"}, "orgs is a list of at most 200 ids."),
        ({"type": "watch", "people": [[]]}, "people is a list of ids."),
    ],
)
async def test_a_wrong_word_is_answered_with_a_sentence(hub: Hub, said: dict[str, Any], text: str) -> None:
    async with hub.browser("water") as li, li.events() as heard:
        await heard.socket.send_json(said)
        answer = await told(heard, "refused")
        assert (answer["of"], answer["code"], answer["text"]) == (said["type"], "invalid", text)


async def test_who_says_too_much_is_cut(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORDS_AT_ONCE", 3.0)
    monkeypatch.setattr(module, "WORDS", 0.001)
    async with hub.browser("water") as li, li.events() as heard:
        for _ in range(5):
            await heard.socket.send_json({"type": "from a later version"})
        message = await heard.socket.receive(timeout=5)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1008)


async def test_missed_events_come_before_live_ones_when_asked_at_the_door(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        await create(zhou, "甲", people=[hub.ids["li-sihan"]])
        await create(zhou, "not for Li")
        async with li.events(after=1) as heard:
            assert [(await heard.message())["type"] for _ in range(2)] == ["event", "resumed"]
            await create(zhou, "乙", people=[hub.ids["li-sihan"]])
            assert (await heard.event("consultation.created"))["seq"] == 4
        async with li.events(after=5) as heard:
            assert await heard.message() == {"type": "resumed", "seq": 5}
        for nonsense in ("", "x", "-1", "9" * 30, "99"):
            async with li.events(after=nonsense) as heard:
                assert await heard.message() == {"type": "resync"}


async def test_too_many_pages_of_one_account(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PER_PERSON", 1)
    async with hub.browser("water") as li, li.events():
        with pytest.raises(WSServerHandshakeError) as raised:
            async with li.events():
                pass
        assert raised.value.status == 429


def event(seq: int) -> Published:
    made = Event(f"id{seq}", seq, "camera.state", 1, "", None, "o", "public", "s", None, {})
    return Published(made, Audience(["me"]), 0, json.dumps({"seq": seq}))


async def test_a_page_that_falls_behind_is_told_to_load_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_LIMIT", 5)
    stream = Stream(Actor("me", "", "", "", 9, "", ""))
    sent: list[Any] = []

    async def send(text: str) -> None:
        sent.append(json.loads(text))

    for seq in range(1, 11):
        stream.hear(event(seq))
    pump = asyncio.create_task(stream.pump(send))
    await asyncio.sleep(0.01)
    stream.hear(event(11))
    stream.hear(event(12))
    await asyncio.sleep(0.01)
    pump.cancel()
    assert sent == [{"type": "resync"}, {"seq": 11}, {"seq": 12}]


class History:
    def __init__(self, *seqs: int) -> None:
        self.events = [event(seq) for seq in seqs]

    async def missed(self, seq: int, wanted: Callable[[Published], bool]) -> list[Published]:
        await asyncio.sleep(0.01)
        return [one for one in self.events if one.event.seq > seq and wanted(one)]


async def test_what_was_missed_never_comes_behind_what_is_newer() -> None:
    sent: list[Any] = []

    async def send(text: str) -> None:
        sent.append(json.loads(text))

    stream = Stream(Actor("me", "", "", "", 9, "", ""))
    pump = asyncio.create_task(stream.pump(send))
    resuming = asyncio.create_task(stream.resume(3, History(4, 5), send))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    stream.hear(event(6))  # while the history is read
    await resuming
    await asyncio.sleep(0.01)
    assert sent == [{"seq": 4}, {"seq": 5}, {"type": "resumed", "seq": 5}, {"seq": 6}]
    await stream.resume(3, History(4, 5, 6), send)  # type: ignore[arg-type]
    assert sent[4:] == [{"type": "resync"}]  # too late to put them in order
    pump.cancel()


async def test_an_event_that_resume_brought_is_not_sent_again() -> None:
    stream = Stream(Actor("me", "", "", "", 9, "", ""))
    sent: list[Any] = []

    async def send(text: str) -> None:
        sent.append(json.loads(text))

    for seq in (1, 2, 3):
        stream.hear(event(seq))
    await stream.resume(0, History(1, 2), send)  # type: ignore[arg-type]
    pump = asyncio.create_task(stream.pump(send))
    await asyncio.sleep(0.01)
    pump.cancel()
    assert sent == [{"seq": 1}, {"seq": 2}, {"type": "resumed", "seq": 2}, {"seq": 3}]
