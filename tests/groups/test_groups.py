"""Groups by REST and by socket, with a real database and a live side that writes down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from commhub import audit
from commhub.model import new_id
from tests.support import until
from tests.support.hubs import Browser, Hub, Stream, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


@dataclass
class Console:
    """Somebody signed in, at a terminal that does what it is told."""

    browser: Browser
    stream: Stream
    person: str
    told: str = field(default_factory=new_id)
    instructions: list[dict[str, Any]] = field(default_factory=list)
    floors: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    hub: Any = None
    joins: bool = True

    @property
    def identity(self) -> str:
        return f"{self.person}:{self.told}"

    async def listen(self) -> None:
        await self.stream.socket.send_json({"type": "terminal", "id": self.told, "kind": "console", "name": "A"})
        while True:
            message = await self.stream.socket.receive_json()
            match message["type"]:
                case "instruction":
                    self.instructions.append(message)
                    await self.stream.socket.send_json({"type": "ack", "id": message["id"], "ok": True})
                    if message["verb"] == "join" and self.joins:
                        await self.hub.conference.enter(message["room"], self.identity, self.person)
                case "floor":
                    self.floors.append(message)
                case "refused":
                    self.refusals.append(message["code"])
                case "event":
                    self.events.append(message["event"])

    async def say(self, group: str, action: str, reason: str = "") -> None:
        await self.stream.socket.send_json({"type": "floor", "group": group, "action": action, "reason": reason})

    async def until(self, true: Any) -> None:
        await until(true)

    def verbs(self) -> list[str]:
        return [one["verb"] for one in self.instructions]


@asynccontextmanager
async def console(hub: Hub, account: str, *, joins: bool = True) -> AsyncIterator[Console]:
    async with hub.browser(account) as browser, browser.events() as stream:
        one = Console(browser, stream, stream.hello["person"], hub=hub, joins=joins)
        task = asyncio.create_task(one.listen())
        terminals = hub.parts.terminals
        await one.until(lambda: terminals.get(one.identity) is not None)
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def make(browser: Browser, *members: str, **more: Any) -> dict[str, Any]:
    body = {"name": "防汛一组", "members": list(members), "kind": "temporary", **more}
    made: dict[str, Any] = await browser.ok("POST", "/groups", body)
    return made


async def test_a_temporary_group_is_made_called_and_ended(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        group = await make(dispatcher.browser, dispatcher.person, emergency.person)
        assert [one["affiliated"] for one in group["members"]] == [True, True]
        live = await emergency.browser.ok("POST", f"/groups/{group['id']}/call", {})
        assert (live["live"], live["floor"]["state"]) == (True, "idle")
        await emergency.until(lambda: emergency.instructions and dispatcher.instructions)
        told = emergency.instructions[0]
        assert (told["verb"], told["room"], told["auto"], told["data"]["name"]) == ("join", group["id"], True, "防汛一组")
        await emergency.until(lambda: len(hub.conference.rooms[group["id"]]) == 2)
        shown = await dispatcher.browser.ok("GET", f"/groups/{group['id']}")
        assert {(one["present"], one["reach"]) for one in shown["members"]} == {(True, "joined")}
        assert (await emergency.browser.call("POST", f"/groups/{group['id']}/call", {}))[0] == 200  # again is nothing
        assert (await dispatcher.browser.ok("POST", f"/groups/{group['id']}/end"))["live"] is False
        await emergency.until(lambda: emergency.verbs() == ["join", "leave"])
        assert group["id"] not in hub.conference.rooms
        await dispatcher.until(lambda: {"group.started", "group.ended"} <= {one["type"] for one in dispatcher.events})


async def test_the_floor_by_socket_and_by_rest(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        group = (await make(dispatcher.browser, dispatcher.person, emergency.person))["id"]
        await dispatcher.browser.ok("POST", f"/groups/{group}/call", {})
        await emergency.until(lambda: len(hub.conference.rooms[group]) == 2)
        await emergency.say(group, "request")
        await emergency.until(lambda: emergency.floors and emergency.floors[-1]["you"] == "granted")
        assert hub.conference.speakers[group] == frozenset({emergency.identity})
        body = {"action": "request", "terminal": dispatcher.told}
        answer = await dispatcher.browser.ok("POST", f"/groups/{group}/floor", body)
        assert (answer["you"], answer["place"], answer["holder"]["id"]) == ("queued", 1, emergency.person)
        status, problem = await dispatcher.browser.call("POST", f"/groups/{group}/floor", {**body, "action": "revoke"})
        assert (status, problem["errors"][0]["where"]) == (422, "body.reason")
        await emergency.say(group, "release")
        await dispatcher.until(lambda: dispatcher.floors[-1]["you"] == "granted")
        await dispatcher.until(lambda: "floor.granted" in {one["type"] for one in dispatcher.events})
        await dispatcher.say(group, "sing")
        await dispatcher.until(lambda: dispatcher.refusals == ["invalid"])


async def test_a_revocation_is_by_level_and_in_the_audit(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        group = (await make(dispatcher.browser, dispatcher.person, emergency.person))["id"]
        await dispatcher.browser.ok("POST", f"/groups/{group}/call", {})
        await emergency.until(lambda: len(hub.conference.rooms[group]) == 2)
        levels = {one["id"]: one["level"] for one in (await dispatcher.browser.ok("GET", f"/groups/{group}"))["members"]}
        outranks = levels[dispatcher.person] < levels[emergency.person]
        body = {"action": "request", "terminal": emergency.told}
        await emergency.browser.ok("POST", f"/groups/{group}/floor", body)
        revoke = {"action": "revoke", "terminal": dispatcher.told, "reason": "紧急插播"}
        status, answer = await dispatcher.browser.call("POST", f"/groups/{group}/floor", revoke)
        assert (status, answer.get("code", "")) == ((200, "") if outranks else (403, "outranked"))
        assert (hub.conference.speakers[group] == frozenset()) is outranks
        status, _ = await emergency.browser.call("POST", f"/groups/{group}/floor", {**revoke, "terminal": emergency.told})
        assert status in (403, 200)
    async with hub.browser("admin") as admin:
        rows = (await admin.ok("GET", "/audit?action=floor.revoke"))["items"]
        assert rows[0]["object"].endswith("紧急插播")
        assert rows[0]["result"] == ("ok" if outranks else "denied")


async def test_a_strangers_group_does_not_exist(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, hub.browser("emergency") as stranger:
        group = (await make(dispatcher.browser, dispatcher.person))["id"]
        for method, path, body in (
            ("GET", "", None),
            ("POST", "/call", {}),
            ("POST", "/affiliate", {}),
            ("POST", "/join", {"terminal": new_id()}),
            ("POST", "/floor", {"action": "request", "terminal": new_id()}),
            ("POST", "/emergency", {}),
            ("POST", "/end", None),
        ):
            status, problem = await stranger.call(method, f"/groups/{group}{path}", body)
            assert (status, problem["code"]) == (404, "not_found"), path
        assert group not in [one["id"] for one in (await stranger.ok("GET", "/groups"))["items"]]


async def test_listeners_of_a_broadcast_cannot_talk(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        made = await make(dispatcher.browser, kind="broadcast", listeners=[emergency.person])
        group = made["id"]
        await dispatcher.browser.ok("POST", f"/groups/{group}/call", {})
        await emergency.until(lambda: len(hub.conference.rooms[group]) == 2)
        joined = emergency.instructions[0]
        assert joined["data"]["talks"] is False
        await emergency.say(group, "request")
        await emergency.until(lambda: emergency.floors and emergency.floors[-1]["reason"] == "listener")
        await dispatcher.say(group, "request")
        await dispatcher.until(lambda: hub.conference.speakers[group] == frozenset({dispatcher.identity}))


async def test_late_entry_and_selection(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        group = (await make(dispatcher.browser, dispatcher.person, emergency.person, kind="fixed"))["id"]
        other = (await make(dispatcher.browser, emergency.person, kind="fixed", name="二组"))["id"]
        await dispatcher.browser.ok("POST", f"/groups/{group}/call", {})
        assert emergency.instructions == []  # a fixed group calls who listens to it
        shown = await emergency.browser.ok("POST", f"/groups/{group}/affiliate", {"terminal": emergency.told, "selected": True})
        assert (shown["affiliated"], shown["selected"]) == (True, True)
        await emergency.until(lambda: emergency.identity in hub.conference.rooms[group])
        await emergency.browser.ok("POST", f"/groups/{other}/affiliate", {"selected": True})
        mine = {
            one["id"]: (one["affiliated"], one["selected"]) for one in (await emergency.browser.ok("GET", "/groups"))["items"]
        }
        assert (mine[group], mine[other]) == ((True, False), (True, True))
        await emergency.browser.ok("POST", f"/groups/{group}/unaffiliate")
        await emergency.until(lambda: emergency.verbs() == ["join", "leave"])


async def test_a_dynamic_group_is_whom_its_rule_names(hub: Hub) -> None:
    async with console(hub, "emergency") as emergency, hub.browser("dispatcher") as dispatcher:
        me = next(one for one in (await dispatcher.ok("GET", "/people?q=陈知行"))["items"])
        rule = {"organisations": [me["org"]["id"]], "posts": [me["post"]]}
        made = await dispatcher.ok("POST", "/groups", {"name": "应急值班", "kind": "dynamic", "rule": rule})
        assert emergency.person in [one["id"] for one in made["members"]]
        assert all(one["post"] == me["post"] for one in made["members"])
        assert (await emergency.browser.ok("GET", f"/groups/{made['id']}"))["talks"] is True
        status, problem = await dispatcher.call("POST", "/groups", {"name": "空", "kind": "dynamic"})
        assert (status, problem["errors"][0]["where"]) == (422, "body.rule.organisations")


async def test_patches_join_calls_and_part_again(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        a = (await make(dispatcher.browser, dispatcher.person))["id"]
        b = (await make(dispatcher.browser, emergency.person, name="二组"))["id"]
        await dispatcher.browser.ok("POST", f"/groups/{a}/call", {})
        await dispatcher.until(lambda: dispatcher.identity in hub.conference.rooms[a])
        patch = await dispatcher.browser.ok("POST", "/groups", {"name": "联合", "kind": "patched", "groups": [a, b]})
        assert {one["id"] for one in patch["groups"]} == {a, b}
        # The other group is called too: its members hear what is said in the first.
        await emergency.until(lambda: emergency.identity in hub.conference.rooms.get(b, {}))
        await emergency.until(lambda: (b, emergency.identity, a) in hub.conference.forwarded)
        await emergency.say(patch["id"], "request")
        await emergency.until(lambda: hub.conference.speakers[a] == hub.conference.speakers[b] == frozenset({emergency.identity}))
        assert (await dispatcher.browser.ok("GET", f"/groups/{a}"))["patches"] == [patch["id"]]
        status, problem = await dispatcher.browser.call("DELETE", f"/groups/{a}")
        assert (status, problem["code"]) == (409, "patched")
        headers = {"If-Match": '"1"'}
        for inside in ([patch["id"], a], [a]):
            status, problem = await dispatcher.browser.call(
                "PATCH", f"/groups/{patch['id']}", {"groups": inside}, headers=headers
            )
            assert (status, problem["errors"][0]["where"]) == (422, "body.groups")
        assert (await dispatcher.browser.call("DELETE", f"/groups/{patch['id']}"))[0] == 204
        assert hub.conference.forwarded == set()
        assert hub.conference.speakers[a] == frozenset()


async def test_a_group_cannot_be_inside_itself_by_way_of_others(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher:
        ask = dispatcher.browser
        a, b, c = [(await make(ask, dispatcher.person, name=name))["id"] for name in ("一", "二", "三")]
        inner = (await ask.ok("POST", "/groups", {"name": "内", "kind": "patched", "groups": [a, b]}))["id"]
        outer = (await ask.ok("POST", "/groups", {"name": "外", "kind": "patched", "groups": [inner, c]}))["id"]
        body, headers = {"groups": [a, outer]}, {"If-Match": '"1"'}
        status, problem = await ask.call("PATCH", f"/groups/{inner}", body, headers=headers)
        assert (status, problem["code"], problem["errors"][0]["where"]) == (422, "group_in_itself", "body.groups")
        await ask.ok("POST", f"/groups/{outer}/call", {})
        assert {a, b, c} <= set(hub.conference.rooms)


async def test_changes_need_the_revision_and_put_out_who_is_no_member(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        group = await make(dispatcher.browser, dispatcher.person, emergency.person)
        await dispatcher.browser.ok("POST", f"/groups/{group['id']}/call", {})
        await emergency.until(lambda: len(hub.conference.rooms[group["id"]]) == 2)
        body = {"members": [dispatcher.person]}
        path = f"/groups/{group['id']}"
        assert (await dispatcher.browser.call("PATCH", path, body))[0] == 428
        assert (await dispatcher.browser.call("PATCH", path, body, headers={"If-Match": '"9"'}))[0] == 409
        changed = await dispatcher.browser.ok("PATCH", path, body, headers={"If-Match": '"1"'})
        assert (changed["rev"], len(changed["members"])) == (2, 1)
        assert set(hub.conference.rooms[group["id"]]) == frozenset({dispatcher.identity})
        status, problem = await dispatcher.browser.call("POST", "/groups", {"name": "x", "members": [new_id()]})
        assert (status, problem["errors"][0]["where"]) == (422, "body.members")


async def test_a_terminal_that_does_not_acknowledge_is_shown_so(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, hub.browser("emergency") as page, page.events() as stream:
        told, person = new_id(), stream.hello["person"]
        await stream.socket.send_json({"type": "terminal", "id": told, "kind": "console", "name": "B"})
        await dispatcher.until(lambda: hub.parts.terminals.get(f"{person}:{told}") is not None)
        group = (await make(dispatcher.browser, dispatcher.person, person))["id"]
        await dispatcher.browser.ok("POST", f"/groups/{group}/call", {})
        await dispatcher.until(lambda: "group.unreached" in {one["type"] for one in dispatcher.events})
        reach = {one["id"]: one["reach"] for one in (await dispatcher.browser.ok("GET", f"/groups/{group}"))["members"]}
        assert reach[person] == "silent"


async def test_an_emergency_calls_everybody_is_answered_and_cancelled_by_who_is_in_charge(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        group = (await make(dispatcher.browser, dispatcher.person, emergency.person, kind="fixed"))["id"]
        other = (await make(dispatcher.browser, dispatcher.person, name="日常"))["id"]
        await dispatcher.browser.ok("POST", f"/groups/{other}/call", {})
        await dispatcher.until(lambda: dispatcher.identity in hub.conference.rooms[other])
        raised = await emergency.browser.ok(
            "POST", f"/groups/{group}/emergency", {"kind": "call", "terminal": emergency.told, "reason": "落水"}
        )
        again = await emergency.browser.ok("POST", f"/groups/{group}/emergency", {"kind": "call", "terminal": emergency.told})
        assert again["id"] == raised["id"]
        # Who is in another call is taken out of that one, and whoever is there hears why.
        await dispatcher.until(lambda: dispatcher.verbs().count("join") >= 2 and "leave" in dispatcher.verbs())
        assert next(one for one in dispatcher.instructions if one["verb"] == "leave")["reason"] == "preempted"
        await dispatcher.until(lambda: {"group.left", "group.emergency"} <= {one["type"] for one in dispatcher.events})
        await emergency.until(lambda: len(hub.conference.rooms[group]) == 2)
        await dispatcher.say(group, "request")
        await dispatcher.until(lambda: hub.conference.speakers[group] == frozenset({dispatcher.identity}))
        await emergency.say(group, "request")
        await dispatcher.until(lambda: hub.conference.speakers[group] == frozenset({emergency.identity}))
        await dispatcher.until(lambda: dispatcher.floors[-1]["holder"]["emergency"] is True)
        status, problem = await dispatcher.browser.call("POST", f"/groups/{group}/end")
        assert (status, problem["code"]) == (409, "emergency")
        assert (await emergency.browser.call("POST", f"/groups/{group}/emergency/cancel", {"reason": "x"}))[0] == 403
        answered = await dispatcher.browser.ok("POST", f"/emergencies/{raised['id']}/acknowledge")
        assert answered["acknowledged_by"] == dispatcher.person
        assert (await dispatcher.browser.ok("GET", f"/groups/{group}"))["emergency"]["id"] == raised["id"]  # not over by that
        calm = await dispatcher.browser.ok("POST", f"/groups/{group}/emergency/cancel", {"reason": "已救起"})
        assert calm["emergency"] is None
        assert (await dispatcher.browser.call("POST", f"/groups/{group}/emergency/cancel", {"reason": "x"}))[0] == 409


async def test_an_alarm_that_nobody_answers_goes_further_up(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        group = (await make(dispatcher.browser, dispatcher.person, emergency.person))["id"]
        hub.parts.groups.emergencies._patience = 0.01
        await emergency.browser.ok("POST", f"/groups/{group}/emergency", {"kind": "alarm"})
        assert group not in hub.conference.rooms  # an alarm is no call
        await dispatcher.until(lambda: "group.emergency_escalated" in {one["type"] for one in dispatcher.events})
        (shown,) = (await dispatcher.browser.ok("GET", "/emergencies"))["items"]
        assert shown["step"] >= 1


async def test_an_emergency_ends_the_call_of_who_is_wanted_and_the_other_party_hears_why(hub: Hub) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency, console(hub, "water") as water:
        group = (await make(dispatcher.browser, emergency.person, water.person, kind="fixed"))["id"]
        body = {"to": [{"person": emergency.person}], "terminal": dispatcher.told}
        call = (await dispatcher.browser.ok("POST", "/calls", body))["id"]
        await emergency.until(lambda: "ring" in emergency.verbs())
        await emergency.browser.ok("POST", f"/calls/{call}/answer", {"terminal": emergency.told})
        await water.browser.ok("POST", f"/groups/{group}/emergency", {"kind": "call", "terminal": water.told})
        await emergency.until(lambda: emergency.identity in hub.conference.rooms[group])
        shown = await dispatcher.browser.ok("GET", f"/calls/{call}")
        assert "preempted" in {leg["end"] for leg in shown["legs"]}
        ended = [one for one in dispatcher.events if one["type"].startswith("call.")]
        assert "preempted" in str(ended[-1]) or "emergency" in str(ended[-1])


async def test_no_floor_is_taken_when_that_cannot_be_written(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async with console(hub, "dispatcher") as dispatcher, console(hub, "emergency") as emergency:
        group = (await make(dispatcher.browser, dispatcher.person, emergency.person))["id"]
        await dispatcher.browser.ok("POST", f"/groups/{group}/call", {})
        await emergency.until(lambda: len(hub.conference.rooms[group]) == 2)
        await emergency.say(group, "request")
        await emergency.until(lambda: hub.conference.speakers[group] == frozenset({emergency.identity}))
        net = hub.parts.groups.live.net(group)
        assert net is not None
        net.lines[group].people[emergency.person] = replace(net.lines[group].people[emergency.person], level=9)
        assert net.floor.holder is not None
        net.floor.holder = replace(net.floor.holder, level=9)

        async def full(*_: Any, **__: Any) -> None:
            raise OSError("no space left")

        with monkeypatch.context() as broken:
            broken.setattr(audit, "record", full)
            body = {"action": "revoke", "terminal": dispatcher.told, "reason": "静默"}
            assert (await dispatcher.browser.call("POST", f"/groups/{group}/floor", body))[0] == 500
        assert hub.conference.speakers[group] == frozenset({emergency.identity})
        await dispatcher.browser.ok("POST", f"/groups/{group}/floor", body)
        assert hub.conference.speakers[group] == frozenset()
