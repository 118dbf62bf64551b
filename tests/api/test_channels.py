"""Channels of events: what each holds, what a page missed of them, and pages that come back with a version of each."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from commhub import events as history
from commhub.api import channels
from commhub.api.channels import MINE, NAMES, OTHER, TYPES_OF, Channels
from commhub.events import TYPES, Audience, Event, Published
from commhub.model import Actor, Tree
from tests.support.hubs import Browser, Hub, serving
from tests.support.hubs import Stream as Heard

TREE = Tree({"city": None, "water": "city"})
ME = Actor(id="me", name="我", account="me", post="", level=5, org="water", org_name="水务局", grants=(), tree=TREE)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


def published(seq: int, type: str, *, people: tuple[str, ...] = (), orgs: tuple[str, ...] = ()) -> Published:
    event = Event(f"e{seq}", seq, type, 1, "", None, "water", "internal", "s", None, {})
    return Published(event, Audience(list(people), list(orgs)), 0, "")


def test_every_type_has_its_channel() -> None:
    assert TYPES_OF[OTHER] == []
    assert sorted(type for types in TYPES_OF.values() for type in types) == sorted(TYPES)


def test_until_it_names_any_a_page_hears_all() -> None:
    mine, camera = published(1, "call.created", people=("me",)), published(2, "camera.state")
    chosen = Channels()
    assert chosen.hears(mine, ME)
    assert chosen.hears(camera, ME)
    chosen.choose([MINE])
    assert chosen.hears(mine, ME)
    assert not chosen.hears(camera, ME)
    assert chosen.hears(published(3, "camera.state", orgs=("water",)), ME)
    chosen.choose(["camera"])
    assert (chosen.hears(mine, ME), chosen.hears(camera, ME)) == (False, True)


def test_what_was_heard_by_one_channel_is_not_missed_by_another() -> None:
    event = published(7, "camera.state", people=("me",))
    assert channels.missed(event, ME, {"camera": 6, MINE: 6})
    assert not channels.missed(event, ME, {"camera": 6, MINE: 7})
    assert not channels.missed(event, ME, {"camera": 7})
    assert not channels.missed(event, ME, {"call": 1})


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (None, "channels is an object: the name of each channel, and its version or null."),
        ({}, "channels is an object: the name of each channel, and its version or null."),
        (["camera"], "channels is an object: the name of each channel, and its version or null."),
        ({"x": 1}, "There is no channel 'x'."),
        ({"camera": "1"}, "The version of the channel camera is the seq of an event, or null."),
        ({"camera": -1}, "The version of the channel camera is the seq of an event, or null."),
        ({"camera": True}, "The version of the channel camera is the seq of an event, or null."),
        ({"camera": 1 << 70}, "The version of the channel camera is the seq of an event, or null."),
    ],
)
def test_what_is_no_channel(said: object, sentence: str) -> None:
    with pytest.raises(ValueError) as raised:
        channels.wanted(said)
    assert str(raised.value) == sentence


def test_at_the_door() -> None:
    assert channels.at_the_door("mine,camera:12") == {"mine": None, "camera": 12}
    for wrong in ("", "x", "camera:", "camera:x", "camera:-1", ",".join(sorted(NAMES)) + ",x"):
        with pytest.raises(ValueError, match="channel"):
            channels.at_the_door(wrong)


# ---- pages


async def group(page: Browser, name: str) -> None:
    await page.ok("POST", "/groups", {"name": name, "kind": "temporary", "members": [page.hub.ids["li-sihan"]]})


async def consultation(page: Browser, title: str, *people: str) -> None:
    await page.ok("POST", "/consultations", {"title": title, "people": list(people)})


async def subscribe(heard: Heard, **versions: int | None) -> tuple[list[dict[str, Any]], dict[str, Any], list[str]]:
    """What comes until the page has all: the events, the last word, and the channels to be loaded anew."""
    await heard.socket.send_json({"type": "subscribe", "channels": versions})
    return await caught_up(heard)


async def caught_up(heard: Heard) -> tuple[list[dict[str, Any]], dict[str, Any], list[str]]:
    found, anew = list[dict[str, Any]](), list[str]()
    while True:
        message = await heard.message()
        match message["type"]:
            case "event":
                found.append(message["event"])
            case "resync":
                anew += message["channels"]
            case "subscribed":
                return found, message, anew


def titles(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["consultation"]["title"] for event in events]


async def test_a_page_hears_what_it_wants_and_catches_up_channel_by_channel(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, zhou.events() as heard:
        _, word, _ = await subscribe(heard, group=None)
        assert word == {"type": "subscribed", "channels": ["group"], "seq": 0}
        await consultation(zhou, "甲")
        await group(zhou, "一组")
        assert (await heard.message())["event"]["type"] == "group.created"  # and nothing before it
        seq = await hub.parts.events.last()
        await consultation(zhou, "乙")
        # Later it wants consultations too, all of them: what it has of groups does not come again.
        found, word, anew = await subscribe(heard, group=seq, consultation=0)
        assert titles(found) == ["甲", "乙"]
        assert (word["seq"], anew) == (await hub.parts.events.last(), [])
        await consultation(zhou, "丙")
        assert titles([await heard.event("consultation.created")]) == ["丙"]
    async with hub.browser("dispatcher") as zhou:
        headers, door = {**zhou.headers, "Cookie": zhou.cookie}, f"{zhou.base}/events?channels="
        async with zhou.session.ws_connect(f"{door}group:{seq},consultation:{seq}", headers=headers) as socket:
            again = Heard(socket)
            assert (await again.message())["type"] == "hello"
            found, word, anew = await caught_up(again)
            assert titles(found) == ["乙", "丙"]
        with pytest.raises(WSServerHandshakeError) as refused:
            await zhou.session.ws_connect(f"{door}x", headers=headers)
        assert refused.value.status == 422


async def test_a_channel_whose_history_is_gone_does_not_cost_the_others_theirs(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub.browser("dispatcher") as zhou:
        await group(zhou, "一组")
        seq = await hub.parts.events.last()
        for number in range(6):
            await consultation(zhou, f"{number}")
        await group(zhou, "二组")
        monkeypatch.setattr(history.Events.missed, "__defaults__", (5,))  # more than that is loaded anew
        async with zhou.events() as heard:
            found, _, anew = await subscribe(heard, consultation=seq, group=seq)
            assert anew == ["consultation"]
            assert {event["type"].partition(".")[0] for event in found} == {"group"}
            await consultation(zhou, "new")
            assert titles([await heard.event("consultation.created")]) == ["new"]


async def test_a_wrong_channel_is_refused_and_the_page_goes_on(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, zhou.events() as heard:
        await heard.socket.send_json({"type": "subscribe", "channels": {"x": 1}})
        assert await heard.message() == {
            "type": "refused", "of": "subscribe", "code": "invalid", "text": "There is no channel 'x'.",
        }  # fmt: skip
        await consultation(zhou, "甲")
        await heard.event("consultation.created")


async def test_cut_again_and_again_each_event_of_a_channel_comes_once(hub: Hub) -> None:
    """Seeded: a page that is cut and changes its mind about channels has of each what it asked for, once."""
    chance, seen = random.Random(6), list[int]()
    versions: dict[str, int | None] = {"group": 0, "consultation": 0}
    async with hub.browser("dispatcher") as zhou:
        for life in range(8):
            for number in range(chance.randrange(1, 4)):
                await (group(zhou, f"{life}-{number}") if chance.random() < 0.5 else consultation(zhou, f"{life}-{number}"))
            async with zhou.events() as heard:
                some = chance.choice([["group"], ["consultation"], ["group", "consultation"]])
                found, word, anew = await subscribe(heard, **{name: versions[name] for name in some})
                assert anew == []
                seen += [event["seq"] for event in found]
                versions |= dict.fromkeys(some, word["seq"])
                if chance.random() < 0.5 and "consultation" in some:  # and something while it is there
                    await consultation(zhou, f"live {life}")
                    event = await heard.event("consultation.created")
                    seen.append(event["seq"])
                    versions |= dict.fromkeys(some, event["seq"])
        async with zhou.events() as heard:
            found, _, _ = await subscribe(heard, **versions)
            seen += [event["seq"] for event in found]
    kept = await hub.parts.events.since(0)
    assert kept is not None
    assert sorted(seen) == [one.event.seq for one in kept if one.event.type.partition(".")[0] in versions]
