"""Scheduled consultations by REST, with a real database and a clock that the test moves."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commhub.agenda import Materials, Room, Scheduled
from commhub.agenda.series import CHINA, NS
from commhub.errors import HubError
from tests.support import until
from tests.support.hubs import TERMINAL, Browser, Hub, serving

MINUTE = 60 * NS


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


def soon(**more: float) -> str:
    """A time from now on, whole minutes."""
    return (datetime.now(CHINA).replace(second=0, microsecond=0) + timedelta(**more)).isoformat()


async def schedule(hub: Hub, page: Browser, *people: str, **more: Any) -> dict[str, Any]:
    invited = [(await hub.person(one)).id for one in people]
    body = {"title": "防汛例会", "starts_at": soon(hours=2), "minutes": 60, "people": invited, **more}
    made: dict[str, Any] = await page.ok("POST", "/agenda", body)
    return made


def window(days: int = 30) -> str:
    after, before = (datetime.now(CHINA) + timedelta(days=days * n - 1) for n in (0, 1))
    return f"/agenda?after={after.strftime('%Y-%m-%dT%H:%M:%SZ')}&before={before.strftime('%Y-%m-%dT%H:%M:%SZ')}"


async def test_a_series_with_one_moved_and_one_cancelled(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("emergency") as guest, hub.browser("street") as stranger:
        item = await schedule(hub, page, "emergency", repeats={"frequency": "daily", "count": 4})
        assert [one["state"] for one in item["occurrences"]] == ["planned"] * 4
        at = [one["at"] for one in item["occurrences"]]
        assert {b - a for a, b in itertools.pairwise(at)} == {86_400}
        link = f"/agenda/{item['id']}"
        rev = {"If-Match": f'"{item["rev"]}"'}
        body = {"starts_at": soon(hours=5), "minutes": 30}
        item = await page.ok("PATCH", f"{link}/occurrences/{at[1]}", body, headers=rev)
        assert (await page.call("PATCH", f"{link}/occurrences/{at[2]}", {"cancelled": True}, headers=rev))[0] == 409
        rev = {"If-Match": f'"{item["rev"]}"'}
        item = await page.ok("PATCH", f"{link}/occurrences/{at[2]}", {"cancelled": True}, headers=rev)
        listed = (await guest.ok("GET", window()))["items"]
        assert [one["at"] for one in listed] == [at[0], at[1], at[3]]
        assert [one["moved"] for one in listed] == [False, True, False]
        text = await (await guest.raw("GET", f"/api/v1{link}/calendar")).text()
        assert ("COUNT=4" in text, text.count("EXDATE"), text.count("RECURRENCE-ID")) == (True, 1, 1)
        assert (await stranger.call("GET", link))[0] == 404
        assert (await stranger.ok("GET", window()))["items"] == []
        missing = f"{link}/occurrences/{at[0] + 1}/attendance"
        assert (await page.call("GET", missing))[0] == 404

        rev = {"If-Match": f'"{item["rev"]}"'}
        body = {"title": "防汛周会", "starts_at": soon(hours=3), "minutes": 60, "people": []}
        changed = await page.ok("PUT", link, body, headers=rev)
        assert [one["title"] for one in changed["occurrences"]] == ["防汛周会"]
        assert (await guest.call("GET", link))[0] == 404  # invited no longer
        await page.ok("POST", f"{link}/cancel", {"reason": "雨停"})
        assert (await page.call("PUT", link, body, headers={"If-Match": f'"{changed["rev"] + 1}"'}))[1]["code"] == "cancelled"
        async with hub.browser("admin") as admin:
            rows = (await admin.ok("GET", "/audit?action=agenda.edit"))["items"]
        assert len(rows) == 5


async def test_replies(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("emergency") as guest:
        item = await schedule(hub, page, "emergency", repeats={"frequency": "weekly", "count": 3})
        link, second = f"/agenda/{item['id']}/reply", item["occurrences"][1]["at"]
        await guest.ok("POST", link, {"reply": "accepted"})
        await guest.ok("POST", link, {"reply": "declined", "comment": "出差", "at": second})
        shown = await guest.ok("GET", f"/agenda/{item['id']}")
        assert [one["reply"] for one in shown["occurrences"]] == ["accepted", "declined", "accepted"]
        replies = (await page.ok("GET", f"/agenda/{item['id']}"))["replies"]
        assert [(one["reply"], one["comment"], one["at"]) for one in replies] == [
            ("accepted", "", None),
            ("declined", "出差", second),
        ]
        assert (await page.call("POST", link, {"reply": "accepted"}))[0] == 403  # the host comes anyway
        assert (await guest.call("POST", link, {"reply": "accepted", "at": second + 1}))[0] == 404


async def test_reminders_come_once_also_after_a_restart(hub: Hub, tmp_path: Path) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("emergency") as guest:
        item = await schedule(hub, page, "emergency", starts_at=soon(minutes=30))
        start = item["occurrences"][0]["at"] * NS
        async with guest.events() as stream:
            look = hub.parts.scheduled.beginning.look
            await look(start - 16 * MINUTE)
            await look(start - 14 * MINUTE)
            await look(start - 13 * MINUTE)
            first = await stream.event("agenda.reminder")
            assert (first["data"]["kind"], first["data"]["item"]["title"]) == ("before", "防汛例会")
            parts = hub.parts
            anew = Scheduled(parts.store, parts.auth, parts.events, parts.rooms, tmp_path / "m")
            await anew.beginning.look(start - 12 * MINUTE)
            await anew.beginning.look(start)
            await look(start + MINUTE)
            assert (await stream.event("agenda.reminder"))["data"]["kind"] == "start"
            await guest.ok("POST", f"/agenda/{item['id']}/reply", {"reply": "tentative"})
            while True:  # nothing else between
                message = await stream.message()
                assert message["type"] != "event" or message["event"]["type"] != "agenda.reminder"
                if message["type"] == "event" and message["event"]["type"] == "agenda.replied":
                    break


async def test_early_comers_enter_and_at_its_time_it_begins_by_itself(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("emergency") as guest, hub.browser("street") as stranger:
        item = await schedule(hub, page, "emergency", "water", starts_at=soon(minutes=12), begins="self", early_minutes=20)
        at = item["occurrences"][0]["at"]
        link = f"/agenda/{item['id']}/occurrences/{at}"
        room = (await guest.ok("POST", f"{link}/enter"))["consultation_id"]
        assert (await stranger.call("POST", f"{link}/enter"))[0] == 404
        assert (await guest.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL}))["room"] == room
        invited = {one["id"] for one in (await page.ok("GET", f"/consultations/{room}"))["people"]}
        assert invited == {(await hub.person("emergency")).id}  # nobody else is rung before its time
        async with page.events() as stream:
            await hub.parts.scheduled.beginning.look(at * NS)
            await hub.parts.scheduled.beginning.look(at * NS + MINUTE)
            await stream.event("agenda.started")
        shown = await page.ok("GET", f"/consultations/{room}")
        assert {one["name"] for one in shown["people"]} >= {(await hub.person("water")).name}
        item = await page.ok("GET", f"/agenda/{item['id']}")
        assert (item["occurrences"][0]["state"], item["occurrences"][0]["consultation_id"]) == ("started", room)
        assert len((await page.ok("GET", "/consultations?state=live"))["items"]) == 1
        await page.ok("POST", f"/consultations/{room}/end")
        await until(lambda: hub.parts.scheduled.beginning._coming is None)

        async def over() -> str:
            return str((await page.ok("GET", f"/agenda/{item['id']}"))["occurrences"][0]["state"])

        for _ in range(50):
            if await over() == "ended":
                break
        assert await over() == "ended"
        assert (await guest.call("POST", f"{link}/enter"))[1]["code"] == "over"


async def test_a_chair_begins_it_and_not_too_early(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("emergency") as guest:
        item = await schedule(hub, page, "emergency", starts_at=soon(minutes=40))
        link = f"/agenda/{item['id']}/occurrences/{item['occurrences'][0]['at']}"
        assert (await page.call("POST", f"{link}/start"))[1]["code"] == "too_early"
        item = await schedule(hub, page, "emergency", starts_at=soon(minutes=9))
        link = f"/agenda/{item['id']}/occurrences/{item['occurrences'][0]['at']}"
        assert (await guest.call("POST", f"{link}/enter"))[1]["code"] == "not_begun"
        assert (await guest.call("POST", f"{link}/start"))[0] == 403
        room = (await page.ok("POST", f"{link}/start"))["consultation_id"]
        assert (await page.ok("POST", f"{link}/start"))["consultation_id"] == room
        assert (await guest.ok("POST", f"{link}/enter"))["consultation_id"] == room


async def test_clashes(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("admin") as admin:
        await schedule(hub, admin, "emergency", starts_at=soon(hours=2), title="另一场")
        emergency, water = (await hub.person("emergency")).id, (await hub.person("water")).id
        question = {"starts_at": soon(hours=2.5), "minutes": 60, "people": [emergency, water]}
        found = (await page.ok("POST", "/agenda/clashes", question))["items"]
        assert [(one["person"]["id"], one["title"]) for one in found] == [(emergency, "另一场")]
        assert (await page.ok("POST", "/agenda/clashes", {**question, "starts_at": soon(hours=3)}))["items"] == []


async def test_materials(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("emergency") as guest, hub.browser("street") as stranger:
        item = await schedule(hub, page, "emergency")
        link = f"/api/v1/agenda/{item['id']}/materials"
        pdf = b"%PDF-1.7\n" + b"x" * 2000
        headers = {"Content-Type": "application/pdf"}
        made = await (await page.raw("POST", f"{link}?name=水位.pdf", data=pdf, headers=headers)).json()
        assert (made["name"], made["size"], made["type"]) == ("水位.pdf", len(pdf), "application/pdf")
        for name, data, status in (
            ("a.exe", b"MZ", 415),
            ("b.pdf", b"MZ" * 400, 415),
            ("c.txt", b"", 400),
            ("d.txt", b"\0", 415),
        ):
            assert (await page.raw("POST", f"{link}?name={name}", data=data, headers=headers)).status == status, name
        assert (await guest.raw("POST", f"{link}?name=e.pdf", data=pdf, headers=headers)).status == 403
        got = await guest.raw("GET", f"{link}/{made['id']}")
        assert await got.read() == pdf
        assert "attachment" in got.headers["Content-Disposition"]
        assert (await stranger.raw("GET", f"{link}/{made['id']}")).status == 404
        async with hub.browser("admin") as admin:
            rows = (await admin.ok("GET", "/audit?action=agenda.list"))["items"]
        assert [row["object"] for row in rows] == ["material 水位.pdf"]
        assert [path.name for path in (hub.folder / "materials").iterdir()] == [made["id"]]
        await page.ok("DELETE", f"/agenda/{item['id']}/materials/{made['id']}")
        assert list((hub.folder / "materials").iterdir()) == []


async def test_materials_have_their_room(hub: Hub) -> None:
    room = Room(file=1000, total=1500, count=3)
    async with hub.browser("dispatcher") as page:
        item = await schedule(hub, page, "emergency")
        actor = await hub.person("dispatcher")
        store, agenda = hub.parts.store, hub.parts.scheduled.agenda
        materials = Materials(store, agenda, hub.folder / "materials", room)

        async def parts(size: int) -> AsyncIterator[bytes]:
            for _ in range(size // 100):
                yield b"x" * 100

        async def added(size: int) -> str:
            try:
                await materials.add(actor, item["id"], "a.txt", parts(size))
            except HubError as error:
                return error.code
            return ""

        assert [await added(size) for size in (1100, 1000, 600, 400, 100, 100)] == [
            "too_large",
            "",
            "too_large",
            "",
            "",
            "too_many",
        ]
        assert len(list((hub.folder / "materials").iterdir())) == 3


async def test_attendance(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("emergency") as guest, hub.browser("water") as other:
        binjiang = hub.ids["binjiang"]
        item = await schedule(hub, page, "emergency", "water", starts_at=soon(minutes=5), organisations=[binjiang])
        at = item["occurrences"][0]["at"]
        link = f"/agenda/{item['id']}/occurrences/{at}"
        room = (await page.ok("POST", f"{link}/start"))["consultation_id"]
        joining = await guest.ok("POST", f"/consultations/{room}/join", {"terminal": TERMINAL})
        await hub.enter(joining, "陈知行", "应急管理局")
        await other.ok("POST", f"{link}/attendance", {})
        emergency = (await hub.person("emergency")).id
        assert (await other.call("POST", f"{link}/attendance", {"person": emergency}))[0] == 403
        shown = await page.ok("GET", f"{link}/attendance")
        how = {one["person"]["id"]: one["how"] for org in shown["organisations"] for one in org["people"]}
        assert how == {
            emergency: "entered",
            (await hub.person("water")).id: "signed",
            (await hub.person("dispatcher")).id: "absent",
        }
        assert [org["present"] for org in shown["organisations"] if org["org"]["id"] == binjiang] == [0]
        text = await (await page.raw("GET", f"/api/v1{link}/attendance/report")).text()
        assert [word in text for word in ("入会签到", "人工签到", "缺席", "无人参会")] == [True] * 4


async def test_who_waits_in_the_lobby_learns_no_names(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("emergency") as guest, hub.browser("water") as other:
        item = await schedule(hub, page, "emergency", "water", starts_at=soon(minutes=5))
        link = f"/agenda/{item['id']}/occurrences/{item['occurrences'][0]['at']}"
        room = (await page.ok("POST", f"{link}/start"))["consultation_id"]
        rev = (await page.ok("GET", f"/consultations/{room}"))["control"]["rev"]
        await page.ok("PUT", f"/consultations/{room}/lobby", {"mode": "everybody"}, headers={"If-Match": f'"{rev}"'})
        water, emergency = (await hub.person("water")).id, (await hub.person("emergency")).id
        await page.ok("POST", f"/consultations/{room}/lobby/admit", {"people": [water]})
        async with guest.events() as waiting, other.events() as inside:
            await page.ok("POST", f"{link}/attendance", {"person": water})
            assert (await inside.event("agenda.signed"))["data"]["person"] == water
            await guest.ok("POST", f"{link}/attendance", {})
            await page.ok("POST", f"/agenda/{item['id']}/cancel", {"reason": "改期"})
            heard = set[str]()
            while "agenda.cancelled" not in heard:
                heard.add((await waiting.message()).get("event", {}).get("type", ""))
            assert "agenda.signed" not in heard
        for reader, seen in ((guest, {emergency}), (other, {water, emergency, (await hub.person("dispatcher")).id})):
            shown = await reader.ok("GET", f"{link}/attendance")
            assert {one["person"]["id"] for org in shown["organisations"] for one in org["people"]} == seen


async def test_minutes(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page, hub.browser("emergency") as guest:
        item = await schedule(hub, page, "emergency")
        link = f"/agenda/{item['id']}/occurrences/{item['occurrences'][0]['at']}/minutes"
        assert (await guest.ok("GET", link))["rev"] == 0
        assert (await page.call("POST", f"{link}/sign", {}, headers={"If-Match": '"0"'}))[1]["code"] == "empty"
        for rev in (0, 1):
            body = {"text": f"第{rev + 1}稿\n<b>水位</b>"}
            await page.ok("PUT", link, body, headers={"If-Match": f'"{rev}"'})
        assert (await page.call("PUT", link, {"text": "晚了"}, headers={"If-Match": '"1"'}))[1]["code"] == "stale"
        assert (await guest.call("PUT", link, {"text": "改"}, headers={"If-Match": '"2"'}))[0] == 403
        assert (await guest.ok("GET", f"{link}?rev=1"))["text"].startswith("第1稿")
        signed = await page.ok("POST", f"{link}/sign", {}, headers={"If-Match": '"2"'})
        assert (signed["signed_by"]["name"], len(signed["revisions"])) == ((await hub.person("dispatcher")).name, 2)
        assert (await page.call("PUT", link, {"text": "再改"}, headers={"If-Match": '"2"'}))[1]["code"] == "signed"
        text = await (await guest.raw("GET", f"/api/v1{link}/file")).text()
        assert "第2稿\n<b>水位</b>" in text
        page_text = await (await guest.raw("GET", f"/api/v1{link}/file?format=html")).text()
        assert "&lt;b&gt;水位" in page_text
        assert "<b>" not in page_text


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"starts_at": "2026-11-23 09:00"}, "body.starts_at"),
        ({"starts_at": "2020-01-01T00:00:00Z"}, "body.starts_at"),
        ({"people": ["01K00000000000000000000000"]}, "body.people"),
        ({"repeats": {"frequency": "weekly", "days": [7]}}, "body.repeats.days"),
        ({"repeats": {"frequency": "daily", "until": "2020-01-01T00:00:00Z"}}, "body.repeats.until"),
    ],
)
async def test_what_cannot_be_scheduled(hub: Hub, wrong: dict[str, Any], field: str) -> None:
    async with hub.browser("dispatcher") as page:
        body = {"title": "例会", "starts_at": soon(hours=1), "minutes": 60, **wrong}
        status, problem = await page.call("POST", "/agenda", body)
        assert (status, problem["errors"][0]["where"]) == (422, field)
