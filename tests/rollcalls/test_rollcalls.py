"""Roll calls by REST and by socket, with a real database and a live side that writes down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub.rollcalls import RollCalls
from commhub.store import tables
from tests.groups.test_groups import Console, console
from tests.support import until
from tests.support.hubs import Browser, Hub, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def consultation(hub: Hub, chair: Browser, *accounts: str) -> str:
    people = [(await hub.person(account)).id for account in accounts]
    body = {"title": "防汛会商", "people": people}
    made: dict[str, Any] = await chair.ok("POST", "/consultations", body)
    return str(made["id"])


async def enter(hub: Hub, room: str, one: Console) -> None:
    await hub.conference.enter(room, one.identity, one.person)


@asynccontextmanager
async def assembled(hub: Hub) -> AsyncIterator[tuple[Console, Console, Console, str]]:
    """Who leads and two others, all in one consultation, and its id."""
    async with console(hub, "dispatcher") as chair, console(hub, "emergency") as one, console(hub, "water") as other:
        room = await consultation(hub, chair.browser, "emergency", "water")
        for each in (chair, one, other):
            await enter(hub, room, each)
        yield chair, one, other, room


async def step(browser: Browser, roll: dict[str, Any], action: str, **more: Any) -> dict[str, Any]:
    headers = {"If-Match": f'"{roll["rev"]}"'}
    answer: dict[str, Any] = await browser.ok(
        "POST", f"/roll-calls/{roll['id']}/step", {"action": action, **more}, headers=headers
    )
    return answer


def called(roll: dict[str, Any]) -> str | None:
    return roll["entries"][roll["at"]]["person_id"] if roll["phase"] in ("called", "speaks") else None


async def test_one_after_another_with_one_open_microphone(hub: Hub) -> None:
    async with assembled(hub) as (chair, one, other, room):
        body = {"kind": "sequence", "people": [one.person, other.person], "answer_seconds": 0, "limit_seconds": 0}
        roll = await chair.browser.ok("POST", f"/consultations/{room}/roll-calls", body)
        assert hub.conference.speakers[room] == frozenset({chair.identity})
        assert (await chair.browser.call("POST", f"/consultations/{room}/roll-calls", body))[1]["code"] == "roll_call"

        roll = await step(chair.browser, roll, "next")
        assert called(roll) == one.person
        assert hub.conference.speakers[room] == frozenset({chair.identity, one.identity})
        await until(lambda: "unmute" in one.verbs())
        await one.browser.ok("POST", f"/roll-calls/{roll['id']}/answer")
        status, problem = await other.browser.call("POST", f"/roll-calls/{roll['id']}/answer")
        assert (status, problem["code"]) == (409, "not_now")
        status, problem = await chair.browser.call(
            "POST", f"/roll-calls/{roll['id']}/step", {"action": "next"}, headers={"If-Match": '"2"'}
        )
        assert (status, problem["code"]) == (409, "stale")

        before = len(hub.conference.governed)
        roll = await chair.browser.ok("GET", f"/roll-calls/{roll['id']}")
        roll = await step(chair.browser, roll, "next")
        # What closes comes before what opens.
        assert [set(speakers or ()) for _, speakers in hub.conference.governed[before:]] == [
            {chair.identity},
            {chair.identity, other.identity},
        ]
        await until(lambda: "mute" in one.verbs() and "unmute" in other.verbs())
        assert [entry["state"] for entry in roll["entries"]] == ["done", "called"]

        roll = await step(chair.browser, roll, "end")
        assert hub.conference.speakers[room] is None  # a conference again
        assert (roll["state"], roll["may"]) == ("ended", [])
        async with hub.browser("admin") as admin:
            rows = (await admin.ok("GET", "/audit?action=roll.call"))["items"]
        assert [row["object"].split()[0] for row in rows] == ["end", "next", "answer", "next", "sequence"]
        kinds = {event["type"] for event in other.events}
        assert {"rollcall.started", "rollcall.changed", "rollcall.ended"} <= kinds
        report = await chair.browser.raw("GET", f"/api/v1/roll-calls/{roll['id']}/report")
        assert "已发言" in (await report.text())


async def test_the_time_of_a_speaker_runs_out_and_who_leaves_is_gone(hub: Hub) -> None:
    async with assembled(hub) as (chair, one, other, room):
        body = {"kind": "sequence", "people": [one.person, other.person], "answer_seconds": 0.3, "limit_seconds": 0}
        roll = await chair.browser.ok("POST", f"/consultations/{room}/roll-calls", body)
        await step(chair.browser, roll, "next")
        await until(
            lambda: hub.conference.speakers[room] == frozenset({chair.identity, other.identity}), what="the second one's turn"
        )
        hub.conference.spoke(room, other.identity, True)  # is heard to answer: no time runs any more
        link = f"/roll-calls/{roll['id']}"

        async def state() -> list[str]:
            return [entry["state"] for entry in (await chair.browser.ok("GET", link))["entries"]]

        for _ in range(100):
            if await state() == ["silent", "speaks"]:
                break
        assert await state() == ["silent", "speaks"]
        await hub.conference.leave(room, other.identity)
        await until(lambda: hub.conference.speakers[room] == frozenset({chair.identity}))
        assert await state() == ["silent", "done"]


async def test_the_chair_names_who_speaks(hub: Hub) -> None:
    async with AsyncExitStack() as stack:
        chair = await stack.enter_async_context(console(hub, "dispatcher"))
        one = await stack.enter_async_context(console(hub, "emergency"))
        room = await consultation(hub, chair.browser, "emergency", "water")
        for each in (chair, one):
            await enter(hub, room, each)
        roll = await chair.browser.ok("POST", f"/consultations/{room}/roll-calls", {"kind": "speak"})
        roll = await step(chair.browser, roll, "call", person=one.person)
        assert hub.conference.speakers[room] == frozenset({chair.identity, one.identity})
        absent = (await hub.person("water")).id
        headers = {"If-Match": f'"{roll["rev"]}"'}
        link = f"/roll-calls/{roll['id']}/step"
        status, problem = await chair.browser.call("POST", link, {"action": "call", "person": absent}, headers=headers)
        assert (status, problem["code"]) == (409, "not_there")
        status, problem = await chair.browser.call("POST", link, {"action": "next"}, headers=headers)
        assert (status, problem["allowed"]) == (409, ["call", "repeat", "release", "end"])
        roll = await step(chair.browser, roll, "release")
        assert hub.conference.speakers[room] == frozenset({chair.identity})
        assert (await one.browser.call("POST", link, {"action": "end"}, headers=headers))[0] == 403
        await chair.browser.ok("POST", f"/consultations/{room}/end")
        await until(lambda: "rollcall.ended" in {event["type"] for event in chair.events})


async def test_a_restarted_hub_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as hub, console(hub, "dispatcher") as chair, console(hub, "emergency") as one:
        room = await consultation(hub, chair.browser, "emergency")
        for each in (chair, one):
            await enter(hub, room, each)
        roll = await chair.browser.ok("POST", f"/consultations/{room}/roll-calls", {"kind": "sequence", "answer_seconds": 600})
        roll = await step(chair.browser, roll, "next")
        parts = hub.parts
        await parts.rollcalls.close()
        hub.conference.speakers.clear()
        people, hub.conference.rooms[room] = hub.conference.rooms[room], {}
        anew = RollCalls(
            parts.store,
            parts.events,
            parts.rooms,
            parts.rollcalls._hearing,
            hub.conference,
            parts.terminals,
        )
        await anew.start()
        try:
            assert hub.conference.speakers[room] == frozenset()  # nobody, before workers tell who is there
            hub.conference.rooms[room] = people
            await until(lambda: hub.conference.speakers[room] == frozenset({chair.identity, one.identity}))
            assert called((await anew.one(roll["id"], await hub.person("dispatcher"))).model_dump()) == one.person
        finally:
            await anew.close()


async def test_no_step_without_its_audit_row(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async with console(hub, "dispatcher") as chair, console(hub, "emergency") as one:
        room = await consultation(hub, chair.browser, "emergency")
        for each in (chair, one):
            await enter(hub, room, each)
        roll = await chair.browser.ok("POST", f"/consultations/{room}/roll-calls", {"kind": "sequence"})

        async def broken(*_: Any, **__: Any) -> None:
            raise OSError("full")

        monkeypatch.setattr(audit, "record", broken)
        headers = {"If-Match": f'"{roll["rev"]}"'}
        assert (await chair.browser.call("POST", f"/roll-calls/{roll['id']}/step", {"action": "next"}, headers=headers))[0] == 500
        assert hub.conference.speakers[room] == frozenset({chair.identity})
        assert (await chair.browser.ok("GET", f"/roll-calls/{roll['id']}"))["phase"] == "idle"


async def test_who_waits_in_the_lobby_learns_no_names(hub: Hub) -> None:
    async with hub.browser("dispatcher") as chair, hub.browser("emergency") as waiting:
        room = await consultation(hub, chair, "emergency", "water")
        body = {"kind": "sequence", "people": [(await hub.person("water")).id]}
        roll = await chair.ok("POST", f"/consultations/{room}/roll-calls", body)
        link = f"/roll-calls/{roll['id']}"
        assert (await waiting.call("GET", link))[0] == 200
        # The controls have a revision of their own.
        rev = (await chair.ok("GET", f"/consultations/{room}"))["control"]["rev"]
        headers = {"If-Match": f'"{rev}"'}
        await chair.ok("PUT", f"/consultations/{room}/lobby", {"mode": "everybody"}, headers=headers)
        assert (await waiting.call("GET", link))[0] == 404
        assert (await waiting.ok("GET", f"/roll-calls?consultation={room}"))["items"] == []
        async with waiting.events() as stream:
            await step(chair, roll, "end")
            await chair.ok("POST", f"/consultations/{room}/end")
            told = await stream.event("consultation.ended")
            assert "roll_call" not in told["data"]


async def test_posts_answer_in_time_late_or_not_at_all(hub: Hub) -> None:
    async with AsyncExitStack() as stack:
        chair = await stack.enter_async_context(console(hub, "dispatcher"))
        one = await stack.enter_async_context(console(hub, "emergency"))
        late = await stack.enter_async_context(console(hub, "water"))
        absent = (await hub.person("street")).id
        body = {"title": "早班查岗", "people": [one.person, late.person, absent], "window_seconds": 1.5}
        roll = await chair.browser.ok("POST", "/roll-calls", body)
        link = f"/roll-calls/{roll['id']}"
        await until(lambda: "show" in one.verbs() and "show" in late.verbs())
        assert [question["title"] for question in (await one.browser.ok("GET", "/roll-calls/asked"))["items"]] == ["早班查岗"]
        await one.browser.ok("POST", f"{link}/answer")
        await one.browser.ok("POST", f"{link}/answer")  # again is nothing
        await until(
            lambda: any(e["type"] == "rollcall.changed" and e["data"]["roll_call"]["state"] == "closed" for e in chair.events)
        )
        await late.browser.ok("POST", f"{link}/answer")
        shown = await chair.browser.ok("GET", link)
        assert {entry["person_id"]: entry["state"] for entry in shown["entries"]} == {
            one.person: "present",
            late.person: "late",
            absent: "unreachable",
        }
        assert (shown["counts"]["present"], shown["counts"]["late"], shown["counts"]["unreachable"]) == (1, 1, 1)
        assert (await late.browser.call("GET", link))[0] == 404  # whoever is asked learns nothing of the others
        status, _ = await chair.browser.call("POST", f"{link}/answer")
        assert status == 404
        text = await (await chair.browser.raw("GET", f"/api/v1{link}/report")).text()
        assert [text.count(word) for word in ("在岗", "迟到", "无法联系")] == [1, 1, 1]
        await step(chair.browser, shown, "end")
        assert (await one.browser.call("POST", f"{link}/answer"))[0] == 404


async def test_who_signs_in_meanwhile_is_asked_and_who_says_nothing_is_absent(hub: Hub) -> None:
    async with console(hub, "dispatcher") as chair:
        emergency = (await hub.person("emergency")).id
        body = {"title": "查岗", "people": [emergency], "window_seconds": 3, "late_seconds": 0}
        roll = await chair.browser.ok("POST", "/roll-calls", body)
        async with console(hub, "emergency") as one:
            await until(lambda: "show" in one.verbs())
            await until(lambda: "rollcall.ended" in {event["type"] for event in chair.events}, 20)
        shown = await chair.browser.ok("GET", f"/roll-calls/{roll['id']}")
        assert [entry["state"] for entry in shown["entries"]] == ["absent"]


async def test_who_press_together_are_written_together_and_each_by_name(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """One event for all of them, a row of the audit for each; what cannot be written has not been said, and is said again."""
    async with AsyncExitStack() as stack:
        chair = await stack.enter_async_context(console(hub, "dispatcher"))
        accounts = ("emergency", "water", "street", "binjiang")
        pages = [await stack.enter_async_context(hub.browser(account)) for account in accounts]
        people = [(await hub.person(account)).id for account in accounts]
        roll = await chair.browser.ok("POST", "/roll-calls", {"title": "查岗", "people": people, "window_seconds": 60})
        link = f"/roll-calls/{roll['id']}"
        posts = hub.parts.rollcalls.posts

        async def full(*_: object, **__: object) -> None:
            raise SQLAlchemyError("disk full")

        with monkeypatch.context() as broken:
            broken.setattr(audit, "record", full)
            answers = await asyncio.gather(*(page.call("POST", f"{link}/answer") for page in pages))
        assert {status for status, _ in answers} == {500}
        shown = await chair.browser.ok("GET", link)
        assert shown["counts"]["present"] == 0
        assert posts._open[roll["id"]].pressed == []

        async with posts._turn:  # they come while somebody else writes
            answering = asyncio.gather(*(page.ok("POST", f"{link}/answer") for page in pages))
            await until(lambda: len(posts._open[roll["id"]].pressed) == len(pages))
        await answering
        shown = await chair.browser.ok("GET", link)
        assert {entry["state"] for entry in shown["entries"]} == {"present"}
        changes = [one["data"]["entries"] for one in chair.events if one["type"] == "rollcall.changed"]
        assert len(changes[-1]) == len(pages)
        async with hub.parts.store.reading() as reading:
            query = sa.select(tables.audit.c.actor_id).where(tables.audit.c.action == "roll.answer")
            assert {row.actor_id for row in await reading.all(query)} == set(people)


async def test_only_posts_of_the_own_scope_are_asked(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page:
        status, problem = await page.call("POST", "/roll-calls", {"title": "查岗", "people": ["01K00000000000000000000000"]})
        assert (status, problem["errors"][0]["where"]) == (422, "body.people")
        status, problem = await page.call("POST", "/roll-calls", {"title": "查岗"})
        assert (status, problem["code"]) == (422, "nobody")


async def test_a_hundred_posts(hub: Hub) -> None:
    """All people of the sample city, by organisation, twice: the second time by Idempotency-Key is the first."""
    root = next(id for key, id in hub.ids.items() if key == "city")
    async with console(hub, "admin") as chair:
        body = {"title": "全市查岗", "organisations": [root], "below": True, "of": "both", "window_seconds": 60}
        headers = {"Idempotency-Key": "morning"}
        roll = await chair.browser.ok("POST", "/roll-calls", body, headers=headers)
        again = await chair.browser.ok("POST", "/roll-calls", body, headers=headers)
        assert again["id"] == roll["id"]
        people = [entry["person_id"] or entry["seat_id"] for entry in roll["entries"]]
        assert len(people) == len(set(people)) > 10
