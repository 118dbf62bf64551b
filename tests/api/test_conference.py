"""Conference control through HTTP: what a chair decides, what everybody is told, and what whoever waits is not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from commhub.conference import Ticket
from commhub.errors import Conflict, Forbidden
from tests.support.hubs import TERMINAL, Browser, Hub, serving, ticket_of

OTHER = "01K00000000000000000000001"
REV = "If-Match"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def made(hub: Hub, zhou: Browser, *, people: tuple[str, ...] = ("li-sihan", "chen-zhixing")) -> str:
    body = {"title": "内涝处置", "people": [hub.ids[one] for one in people]}
    room: str = (await zhou.ok("POST", "/consultations", body))["id"]
    return room


async def put(page: Browser, room: str, what: str, body: dict[str, Any], *, rev: int | None = None) -> tuple[int, Any]:
    """With the newest revision, unless the test says which."""
    if rev is None:
        rev = (await page.ok("GET", f"/consultations/{room}"))["control"]["rev"]
    return await page.call("PUT", f"/consultations/{room}/{what}", body, headers={REV: f'"{rev}"'})


async def decide(page: Browser, room: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = await put(page, room, what, body)
    assert status == 200, answer
    control: dict[str, Any] = answer["control"]
    return control


async def enter(hub: Hub, page: Browser, room: str) -> str:
    return await hub.enter(await page.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))


def me(page: Browser) -> str:
    person: str = page.me["person"]["id"]
    return person


async def test_the_chair_is_handed_on(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        room = await made(hub, zhou)
        assert "lead" in (await zhou.ok("GET", f"/consultations/{room}"))["may"]
        assert "lead" not in (await li.ok("GET", f"/consultations/{room}"))["may"]
        assert (await put(li, room, "muting", {"muted": True}))[0] == 403
        control = await decide(zhou, room, "co-chairs", {"people": [me(li)]})
        assert control["co_chairs"] == [me(li)]
        assert {"lead", "lock", "mute", "remove"} <= set((await li.ok("GET", f"/consultations/{room}"))["may"])
        assert (await put(li, room, "chair", {"person": me(li)}))[0] == 403  # a co-chair does not take it
        await decide(zhou, room, "chair", {"person": me(li)})
        may = (await li.ok("GET", f"/consultations/{room}"))["may"]
        assert {"chair", "end"} <= set(may)
        stranger = await put(li, room, "chair", {"person": OTHER})
        assert (stranger[0], stranger[1]["code"]) == (422, "may_not_chair")


async def test_a_stale_revision_is_refused(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou:
        room = await made(hub, zhou)
        await decide(zhou, room, "muting", {"muted": True})
        for what, body in (
            ("muting", {"muted": False}), ("lobby", {"mode": "everybody"}), ("stage", {"layout": "grid"}),
            ("co-chairs", {"people": []}), ("broadcast", {"person": None}), ("hands", {"order": "time"}),
            ("planned-end", {"ends_at": None}),
        ):  # fmt: skip
            status, problem = await put(zhou, room, what, body, rev=0)
            assert (status, problem["code"]) == (409, "stale"), what
            assert (await zhou.call("PUT", f"/consultations/{room}/{what}", body))[0] == 428


async def test_all_are_muted_and_one_may_speak(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li, hub.browser("emergency") as chen:
        room = await made(hub, zhou)
        chair, one, other = [await enter(hub, page, room) for page in (zhou, li, chen)]
        await decide(zhou, room, "muting", {"muted": True, "unmute": True})
        assert hub.conference.speakers.get(room) is None
        assert {identity for _, identity, source in hub.conference.muted if source == "microphone"} == {one, other}
        await decide(zhou, room, "muting", {"muted": True, "unmute": False})
        assert hub.conference.speakers[room] == frozenset({chair})
        await zhou.ok("POST", f"/consultations/{room}/speakers", {"person": me(li)})
        assert hub.conference.speakers[room] == frozenset({chair, one})
        assert (await zhou.call("DELETE", f"/consultations/{room}/speakers/{me(li)}"))[0] == 204
        assert hub.conference.speakers[room] == frozenset({chair})
        again = await zhou.ok("POST", f"/consultations/{room}/join", {"terminal": OTHER})
        second = await hub.enter(again)  # the chair's second screen is heard at once
        assert hub.conference.speakers[room] == frozenset({chair, second})
        control = await decide(zhou, room, "muting", {"muted": False})
        assert (hub.conference.speakers[room], control["muted"]) == (None, False)
        status, problem = await put(zhou, room, "muting", {"muted": False})
        assert (status, problem["code"]) == (409, "not_now")
        assert "mute" in problem["allowed"]
        assert "unmute" not in problem["allowed"]


async def test_hands(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li, hub.browser("emergency") as chen:
        room = await made(hub, zhou)
        assert (await li.call("POST", f"/consultations/{room}/hand"))[0] == 404  # not in the room
        for page in (zhou, li, chen):
            await enter(hub, page, room)
        for page in (li, chen, li):
            seen = await page.ok("POST", f"/consultations/{room}/hand")
        levels = {me(page): page.me["person"]["level"] for page in (li, chen)}
        order = [one["person"] for one in seen["control"]["hands"]]
        assert order == sorted([me(li), me(chen)], key=lambda person: levels[person])  # of equals whoever was first
        control = await decide(zhou, room, "hands", {"order": "time"})
        assert [one["person"] for one in control["hands"]] == [me(li), me(chen)]
        await decide(zhou, room, "muting", {"muted": True, "unmute": False})
        called = await zhou.ok("POST", f"/consultations/{room}/hands/{me(li)}/call")
        assert called["control"]["speakers"] == [me(li)]
        assert [one["person"] for one in called["control"]["hands"]] == [me(chen)]
        assert (await chen.call("DELETE", f"/consultations/{room}/hand"))[0] == 204
        assert (await zhou.call("DELETE", f"/consultations/{room}/hands"))[0] == 409
        assert (await li.call("POST", f"/consultations/{room}/hands/{me(chen)}/call"))[0] == 403


async def test_whoever_waits_gets_nothing_and_is_let_in(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li, li.events() as waiting, zhou.events() as chairing:
        room = await made(hub, zhou)
        await enter(hub, zhou, room)
        await waiting.event("consultation.created")
        before = ticket_of((await li.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))["token"])
        await decide(zhou, room, "lobby", {"mode": "everybody"})
        with pytest.raises(Conflict) as held:
            await hub.door.admit(before)  # a token of before opens nothing
        assert held.value.code == "waiting"
        told = await waiting.event("consultation.lobby")
        joining = await li.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL})
        assert (joining["state"], joining["token"], joining["url"], joining["room"]) == ("waiting", "", "", "")
        shown = (await chairing.event("consultation.waiting"))["data"]["waiting"]
        assert [(one["name"], one["org_name"]) for one in shown] == [("李思涵", "水务局")]
        assert shown[0]["post"]
        await decide(zhou, room, "stage", {"layout": "grid"})  # what goes on inside is not for who waits
        seen = [
            told["data"],
            await li.ok("GET", f"/consultations/{room}"),
            await li.ok("GET", "/consultations?state=live"),
            joining,
        ]
        for one in seen:
            text = json.dumps(one, ensure_ascii=False)
            assert zhou.me["person"]["name"] not in text
            assert me(zhou) not in text
        assert (await li.call("GET", f"/consultations/{room}/lobby"))[0] == 403
        assert (await li.call("POST", f"/consultations/{room}/hand"))[0] == 404

        await zhou.ok("POST", f"/consultations/{room}/lobby/admit", {"people": [me(li)]})
        admitted = await waiting.event("consultation.admitted")  # and nothing of the stage in between
        assert admitted["data"]["people"] == [me(li)]
        identity = await enter(hub, li, room)
        assert identity in hub.conference.rooms[room]
        assert (await zhou.ok("GET", f"/consultations/{room}/lobby"))["items"] == []

        status, _ = await zhou.call("POST", f"/consultations/{room}/lobby/return", {"person": me(li)})
        assert status == 204
        assert identity not in hub.conference.rooms[room]
        assert (await waiting.event("consultation.returned"))["data"] == {"people": [me(li)]}
        assert (await li.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))["state"] == "waiting"
        assert (await zhou.ok("GET", f"/consultations/{room}/lobby"))["items"][0]["returned"] is True
        body = {"person": me(li), "reason": "请先到大厅报到"}
        assert (await zhou.call("POST", f"/consultations/{room}/lobby/refuse", body))[0] == 204
        assert (await waiting.event("consultation.refused"))["data"]["reason"] == "请先到大厅报到"
        status, problem = await li.call("POST", f"/consultations/{room}/join", {"terminal": TERMINAL})
        assert (status, problem["code"]) == (403, "refused")
        await zhou.ok("POST", f"/consultations/{room}/invitations", {"people": [me(li)]})
        rung = (await waiting.event("consultation.invited"))["data"]
        assert rung["people"] == [me(li)]
        assert zhou.me["person"]["name"] not in json.dumps(rung, ensure_ascii=False)
        assert (await li.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))["state"] == "waiting"
        assert (await li.call("DELETE", f"/consultations/{room}/wait"))[0] == 204
        assert (await zhou.ok("GET", f"/consultations/{room}/lobby"))["items"] == []


async def test_nobody_slips_in_while_the_lobby_opens(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        room = await made(hub, zhou)
        ticket = ticket_of((await li.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))["token"])
        await hub.door.admit(ticket)  # and then
        await decide(zhou, room, "lobby", {"mode": "everybody"})
        await hub.conference.enter(room, ticket.identity, ticket.name, "person", "")
        await hub.conference.enter(room, "EN_robot", "Robot", "service", "")
        assert not {ticket.identity, "EN_robot"} & set(hub.conference.rooms[room])


async def test_the_chair_is_never_locked_out(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        room = await made(hub, zhou)
        await decide(zhou, room, "chair", {"person": me(li)})  # not there yet
        await decide(li, room, "lobby", {"mode": "everybody"})
        rev = (await li.ok("GET", f"/consultations/{room}"))["rev"]
        await li.ok("PATCH", f"/consultations/{room}", {"locked": True}, headers={REV: str(rev)})
        assert (await li.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))["state"] == "in"
        await enter(hub, li, room)
        status, problem = await zhou.call("POST", f"/consultations/{room}/lobby/return", {"person": me(li)})
        assert (status, problem["code"]) == (409, "not_now")


async def test_outside_means_not_by_name_and_not_of_the_house(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li, hub.browser("emergency") as chen:
        body = {"title": "T", "organisations": [hub.ids["water"]], "people": [me(chen)]}
        room = (await zhou.ok("POST", "/consultations", body))["id"]
        await decide(zhou, room, "lobby", {"mode": "outside"})
        assert (await chen.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))["state"] == "in"
        assert (await li.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))["state"] == "waiting"
        await zhou.ok("POST", f"/consultations/{room}/lobby/admit", {"organisations": [hub.ids["water"]]})
        assert (await li.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))["state"] == "in"


async def test_a_client_with_an_api_key_waits_like_everybody(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou:
        room = await made(hub, zhou)
        ticket = Ticket(key="APIall", identity="EN_robot", name="转播", room=room, token_id="t1")
        await hub.door.admit(ticket)
        await decide(zhou, room, "lobby", {"mode": "outside"})
        for _ in range(2):
            with pytest.raises(Conflict) as held:
                await hub.door.admit(ticket)
            assert held.value.code == "waiting"
        items = (await zhou.ok("GET", f"/consultations/{room}/lobby"))["items"]
        assert [(one["person"], one["name"]) for one in items] == [("EN_robot", "转播")]
        await zhou.ok("POST", f"/consultations/{room}/lobby/admit", {"everybody": True})
        await hub.door.admit(ticket)
        await zhou.call("POST", f"/consultations/{room}/lobby/return", {"person": "EN_robot"})
        other = Ticket(key="APIall", identity="EN_other", room=room, token_id="t2")
        with pytest.raises(Conflict):
            await hub.door.admit(other)
        assert (await zhou.call("POST", f"/consultations/{room}/lobby/refuse", {"person": "EN_other"}))[0] == 204
        with pytest.raises(Forbidden):
            await hub.door.admit(other)


async def test_stage_broadcast_and_sides(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li, hub.browser("emergency") as chen:
        room = await made(hub, zhou)
        chair, one, other = [await enter(hub, page, room) for page in (zhou, li, chen)]
        assert (await decide(zhou, room, "stage", {"layout": "speaker", "spotlight": one}))["spotlight"] == one
        assert (await put(zhou, room, "stage", {"spotlight": "nobody"}))[0] == 404
        late = (await chen.ok("GET", f"/consultations/{room}"))["control"]
        assert (late["layout"], late["spotlight"]) == ("speaker", one)
        await decide(zhou, room, "broadcast", {"person": me(li)})
        assert hub.conference.speakers[room] == frozenset({one})
        side = {"title": "水务", "people": [me(li), me(chen)]}
        status, problem = await zhou.call("POST", f"/consultations/{room}/sides", side)
        assert (status, "broadcast.end" in problem["allowed"], "side" in problem["allowed"]) == (409, True, False)
        await decide(zhou, room, "broadcast", {"person": None})
        assert hub.conference.speakers[room] is None
        apart = (await zhou.ok("POST", f"/consultations/{room}/sides", side))["control"]["sides"]
        kept = hub.conference.apart[room]
        assert kept is not None
        assert kept(one, chair)
        assert kept(chair, one)
        assert not kept(one, other)
        assert (await zhou.call("DELETE", f"/consultations/{room}/sides/{apart[0]['id']}"))[0] == 204
        assert hub.conference.apart[room] is None
        assert (await zhou.call("DELETE", f"/consultations/{room}/sides/{apart[0]['id']}"))[0] == 404
        await zhou.ok("POST", f"/consultations/{room}/end")
        assert (await put(zhou, room, "muting", {"muted": True}))[1]["code"] == "ended"


async def test_the_end_is_planned_and_put_off(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou:
        room = await made(hub, zhou)
        status, problem = await zhou.call("POST", f"/consultations/{room}/extension", {"minutes": 10})
        assert (status, problem["code"]) == (409, "not_now")
        assert (await put(zhou, room, "planned-end", {"ends_at": "2020-01-01T00:00:00Z"}))[0] == 422
        assert (await put(zhou, room, "planned-end", {"ends_at": "2020-01-01T00:00:00"}))[0] == 400


async def test_strangers_learn_nothing(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        room = await made(hub, zhou, people=())
        named, two = {"person": me(li)}, {"title": "S", "people": [me(li), me(zhou)]}
        for method, what, body in (
            ("PUT", "chair", named), ("PUT", "co-chairs", {"people": []}), ("PUT", "muting", {}), ("PUT", "stage", {}),
            ("PUT", "lobby", {"mode": "off"}), ("PUT", "broadcast", {"person": None}), ("PUT", "hands", {"order": "time"}),
            ("PUT", "planned-end", {"ends_at": None}), ("POST", "extension", {"minutes": 5}), ("POST", "speakers", named),
            ("DELETE", f"speakers/{me(li)}", None), ("POST", "sides", two), ("DELETE", "sides/x", None), ("POST", "hand", None),
            ("DELETE", "hand", None), ("DELETE", "hands", None), ("POST", f"hands/{me(li)}/call", None), ("GET", "lobby", None),
            ("DELETE", f"hands/{me(li)}", None), ("POST", "lobby/admit", {"everybody": True}), ("POST", "lobby/refuse", named),
            ("POST", "lobby/return", named), ("DELETE", "wait", None), ("POST", "join", {"terminal": TERMINAL}),
        ):  # fmt: skip
            status, problem = await li.call(method, f"/consultations/{room}/{what}", body, headers={REV: "0"})
            assert (status, problem["detail"]) == (404, "There is no such consultation."), (method, what, problem)


async def test_every_decision_is_audited_and_none_stands_without(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from commhub import audit

    async with hub.browser("dispatcher") as zhou, hub.browser("admin") as admin:
        room = await made(hub, zhou)
        await enter(hub, zhou, room)
        await decide(zhou, room, "muting", {"muted": True, "unmute": False})
        await zhou.ok("POST", f"/consultations/{room}/hand")
        rows = (await admin.ok("GET", f"/audit?q={room}"))["items"]
        assert {"consultation.mute_all", "consultation.raise_hand"} <= {row["action"] for row in rows}
        before = await zhou.ok("GET", f"/consultations/{room}")

        async def full(*_: Any, **__: Any) -> None:
            raise OSError("no space left on device")

        monkeypatch.setattr(audit, "record", full)
        assert (await put(zhou, room, "muting", {"muted": False}))[0] >= 500
        monkeypatch.undo()
        after = await zhou.ok("GET", f"/consultations/{room}")
        assert after["control"] == before["control"]
        assert hub.conference.speakers[room] is not None
