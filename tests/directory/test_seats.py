"""Seats: somebody signs on, somebody else takes over with a reason, an organisation that cannot connect is met there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.store import tables
from tests.support.hubs import Browser, Hub, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def seats(hub: Hub) -> dict[str, str]:
    async with hub.parts.store.reading() as reading:
        return {row.key: row.id for row in await reading.all(sa.select(tables.seats))}


async def audit(admin: Browser, action: str) -> list[tuple[str, str]]:
    rows = (await admin.ok("GET", f"/audit?action={action}"))["items"]
    return [(row["actor_name"], row["object"]) for row in rows]


async def test_signing_on_twice_needs_a_takeover_with_a_reason(hub: Hub) -> None:
    seat = (await seats(hub))["ops-1"]
    async with hub.browser("dispatcher") as zhou, hub.browser("admin") as wu, zhou.events() as stream:
        on = await zhou.ok("POST", f"/seats/{seat}/sign-on", {})
        assert on["sitting"]["name"] == "周明远"
        assert (await zhou.ok("POST", f"/seats/{seat}/sign-on", {}))["sitting"] == on["sitting"]  # again changes nothing
        assert (await stream.event("seat.state"))["data"]["now"]["name"] == "周明远"
        for body, field, code in (({}, "takeover", "seat_taken"), ({"takeover": True, "reason": " "}, "reason", "no_reason")):
            status, answer = await wu.call("POST", f"/seats/{seat}/sign-on", body)
            assert (status, answer["code"], answer["errors"][0]["where"]) == (422, code, field)
        assert (await zhou.ok("GET", f"/seats/{seat}"))["sitting"]["name"] == "周明远"
        taken = await wu.ok("POST", f"/seats/{seat}/sign-on", {"takeover": True, "reason": "换班"})
        assert taken["sitting"]["name"] == "吴承泽"
        told = (await stream.event("seat.state"))["data"]
        assert (told["before"]["name"], told["now"]["name"], told["reason"]) == ("周明远", "吴承泽", "换班")
        ids = hub.ids
        said = f"一号坐席 带班: 周明远 ({ids['zhou-mingyuan']}) → 吴承泽 ({ids['wu-chengze']}): 换班"
        assert await audit(wu, "seat.takeover") == [("吴承泽", said)]
        assert await audit(wu, "seat.sign_on") == [("吴承泽", said), ("周明远", "一号坐席 带班: 周明远")]
        async with hub.parts.store.reading() as reading:
            h = tables.seat_sessions.c
            rows = await reading.all(sa.select(h.person_id, h.end, h.reason).where(h.seat_id == seat).order_by(h.since))
        assert [tuple(row) for row in rows] == [(ids["zhou-mingyuan"], "takeover", "换班"), (ids["wu-chengze"], "", "")]


async def test_who_signs_out_leaves_the_seat(hub: Hub) -> None:
    """Not while he is signed in elsewhere: it may be there that he sits."""
    seat = (await seats(hub))["ops-1"]
    async with hub.browser("admin") as wu, hub.browser("dispatcher") as zhou, zhou.events() as stream:
        await zhou.ok("POST", f"/seats/{seat}/sign-on", {})
        await stream.event("seat.state")
        async with hub.browser("dispatcher") as phone:
            assert await phone.call("DELETE", "/session") == (204, None)
        assert (await wu.ok("GET", f"/seats/{seat}"))["sitting"]["name"] == "周明远"
        async with wu.events() as heard:
            assert await zhou.call("DELETE", "/session") == (204, None)
            event = await heard.event("seat.state")
            assert (event["data"]["before"]["name"], event["data"]["now"]) == ("周明远", None)
        assert (await wu.ok("GET", f"/seats/{seat}"))["sitting"] is None
        assert (await audit(wu, "seat.sign_off"))[0][0] == "周明远"


async def test_a_person_sits_at_one_seat(hub: Hub) -> None:
    all_seats = await seats(hub)
    async with hub.browser("dispatcher") as zhou:
        await zhou.ok("POST", f"/seats/{all_seats['ops-1']}/sign-on", {})
        await zhou.ok("POST", f"/seats/{all_seats['ops-2']}/sign-on", {})
        assert (await zhou.ok("GET", f"/seats/{all_seats['ops-1']}"))["sitting"] is None
        assert (await zhou.ok("GET", f"/people/{hub.ids['zhou-mingyuan']}"))["seat_id"] == all_seats["ops-2"]
        await zhou.ok("POST", f"/seats/{all_seats['ops-2']}/sign-off")
        assert (await zhou.ok("POST", f"/seats/{all_seats['ops-2']}/sign-off"))["sitting"] is None
        assert (await zhou.ok("GET", f"/people/{hub.ids['zhou-mingyuan']}"))["seat_id"] is None


async def test_the_database_holds_one_person_for_a_seat(hub: Hub) -> None:
    seat = (await seats(hub))["ops-1"]
    row = {"seat_id": seat, "since": 1, "until": None, "end": "", "reason": ""}
    async with hub.parts.store.transaction() as transaction:
        await transaction.insert(tables.seat_sessions, {**row, "id": "a", "person_id": hub.ids["li-sihan"]})
        with pytest.raises(sa.exc.IntegrityError):
            await transaction.insert(tables.seat_sessions, {**row, "id": "b", "person_id": hub.ids["zhou-mingyuan"]})


async def test_strangers_do_not_sit_down_and_do_not_clear_seats(hub: Hub) -> None:
    seat = (await seats(hub))["ops-1"]
    async with hub.browser("dispatcher") as zhou, hub.browser("emergency") as chen:
        await zhou.ok("POST", f"/seats/{seat}/sign-on", {})
        for path in ("sign-on", "sign-off"):
            status, answer = await chen.call("POST", f"/seats/{seat}/{path}", {} if path == "sign-on" else None)
            assert (status, answer["code"]) == (403, "not_found")
            missing = await chen.call("POST", f"/seats/01K00000000000000000000000/{path}", {} if path == "sign-on" else None)
            assert missing == (status, answer)


async def test_who_cannot_connect_is_met_at_a_seat_in_the_hall(hub: Hub) -> None:
    seat = (await seats(hub))["liaison-civil"]
    civil, water, housing = hub.ids["civil"], hub.ids["water"], hub.ids["housing"]
    async with hub.browser("dispatcher") as zhou, hub.browser("admin") as wu:
        found = await zhou.ok("POST", "/directory/resolution", {"organisations": [civil, water, housing], "seats": [seat]})
        first = found["targets"][0]
        assert (first["org"]["id"], first["why"], first["seat_id"], first["person_id"]) == (civil, "liaison", seat, None)
        assert first["endpoint_id"] is not None  # the seat's telephone
        assert [(one["why"], one["person_id"]) for one in found["targets"] if one["org"]["id"] == water] == [
            ("member", hub.ids["li-sihan"])
        ]
        assert found["unreachable"] == [housing]  # by telephone only, and there is none
        report = {one["org"]["id"]: one for one in (await zhou.ok("GET", "/directory/connectivity"))["items"]}
        assert report[civil]["problem"] == "nobody_at_liaison_seat"
        assert report[housing]["problem"] == "no_telephone"
        assert (report[water]["problem"], report[water]["kinds"]) == ("", {"web": 1, "phone": 1, "sip": 1, "app": 1, "im": 1})
        assert report[water]["tested_at"] is None
        await wu.ok("POST", f"/seats/{seat}/sign-on", {})  # who stands in is of the hall
        found = await zhou.ok("POST", "/directory/resolution", {"organisations": [civil]})
        assert found["targets"][0]["person_id"] == hub.ids["wu-chengze"]
        async with wu.events() as stream:
            made = await zhou.ok("POST", "/consultations", {"title": "救助", "organisations": [civil]})
            ring = await stream.event("consultation.invited")
            assert ring["data"]["people"] == [hub.ids["wu-chengze"]]
            assert [one["id"] for one in made["people"]] == [hub.ids["wu-chengze"]]
        report = {one["org"]["id"]: one for one in (await zhou.ok("GET", "/directory/connectivity"))["items"]}
        assert (report[civil]["problem"], report[civil]["liaison"]["sitting"]["name"]) == ("", "吴承泽")
