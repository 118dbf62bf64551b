"""Recordings on devices: searched, played into a wall and into a consultation, and what is left over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.conference import CameraSeat
from commhub.desk.playbacks import Playbacks
from commhub.errors import Conflict
from commhub.media.messages import AskDevice, DeviceAnswer, Pull, Replay, SourceState, Standing
from commhub.model import new_id
from commhub.store import tables
from tests.support.hubs import TERMINAL, Browser
from tests.support.recorders import RECORDER, House, edit

DAY = {"from": "2026-07-13T00:00:00+08:00", "to": "2026-07-14T00:00:00+08:00"}
MIDNIGHT = 1783872000  # of that day in Beijing, unix seconds


async def search(page: Browser, camera: str, kind: str = "all") -> tuple[int, Any]:
    day = "from=2026-07-13T00:00:00%2B08:00&to=2026-07-14T00:00:00%2B08:00"
    return await page.call("GET", f"/cameras/{camera}/recordings?{day}&kind={kind}")


async def play(page: Browser, camera: str, **where: str) -> dict[str, Any]:
    made: dict[str, Any] = await page.ok("POST", "/playbacks", {"camera_id": camera, **DAY, **where})
    return made


async def walled(page: Browser) -> str:
    room: str = (await page.ok("POST", "/views", {"terminal": TERMINAL}))["room"]
    return room


async def test_what_a_device_has_of_a_day(house: House) -> None:
    at = MIDNIGHT * 10**9
    items = [
        {"start": str(at + 7200 * 10**9), "end": str(at + 7260 * 10**9), "kind": "alarm", "size": "1048576"},
        {"start": str(at), "end": str(at + 7200 * 10**9), "kind": "time", "size": ""},
        {"start": "yesterday", "end": "today"},
        {"start": str(at), "end": str(at - 1)},
        {"start": str(at), "end": str(1 << 70)},
    ]
    house.bridge.answers[AskDevice] = lambda _: DeviceAnswer(items, complete=False)
    async with house.hub.browser("dispatcher") as page:
        status, answer = await search(page, house.camera)
        assert (status, answer) == (
            200,
            {
                "items": [
                    {"start": "2026-07-12T16:00:00.000Z", "end": "2026-07-12T18:00:00.000Z", "kind": "time", "size": None},
                    {"start": "2026-07-12T18:00:00.000Z", "end": "2026-07-12T18:01:00.000Z", "kind": "alarm", "size": 1048576},
                ],
                "complete": False,
            },
        )
        day = {"start": str(at), "end": str(at + 86400 * 10**9), "kind": "all"}
        assert house.bridge.asked == [AskDevice(RECORDER, "34020000001320000001", "records", day)]
        # Not every device heeds the kind.
        status, answer = await search(page, house.camera, kind="alarm")
        assert [one["kind"] for one in answer["items"]] == ["alarm"]
        assert house.bridge.asked[-1] == AskDevice(RECORDER, "34020000001320000001", "records", day | {"kind": "alarm"})
        house.bridge.answers[AskDevice] = Conflict("The device refused.", "设备拒绝。", code="device_refused")
        assert (await search(page, house.camera))[1]["code"] == "device_refused"
        assert (await search(page, house.hub.ids["camera simulated-underpass"]))[1]["code"] == "not_supported"
        for wrong in (
            "from=2026-07-13T00:00:00Z",
            "from=x&to=y",
            "from=2026-07-13T00:00:00Z&to=2026-07-14T00:00:00Z&kind=x",
            "from=2026-07-13T00:00:00&to=2026-07-14T00:00:00",
        ):
            assert (await page.call("GET", f"/cameras/{house.camera}/recordings?{wrong}"))[0] == 400
        long = "from=2026-01-01T00:00:00Z&to=2026-07-14T00:00:00Z"
        assert (await page.call("GET", f"/cameras/{house.camera}/recordings?{long}"))[1]["code"] == "invalid"


async def test_it_is_a_participant_of_the_wall_that_obeys(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        room = await walled(page)
        made = await play(page, house.camera, terminal=TERMINAL)
        assert made["state"] == "connecting" or made["state"] == "idle"
        seat = house.hub.conference.seats[room][made["identity"]]
        assert (seat.source, seat.name, seat.org) == (made["id"], "临江大堤 K1 回放", "水务局")
        pulled = [one for one in house.bridge.told if isinstance(one, Pull)]
        assert [(one.source, one.url) for one in pulled] == [
            (made["id"], f"gb28181://{RECORDER}/34020000001320000001?from={MIDNIGHT}&to={MIDNIGHT + 86400}")
        ]
        await page.ok("POST", f"/playbacks/{made['id']}", {"action": "seek", "value": 3600})
        await page.ok("POST", f"/playbacks/{made['id']}", {"action": "speed", "value": 4})
        await page.ok("POST", f"/playbacks/{made['id']}", {"action": "pause"})
        assert house.bridge.asked == [
            Replay(made["id"], "seek", 3600.0), Replay(made["id"], "speed", 4.0), Replay(made["id"], "pause", 0.0),
        ]  # fmt: skip
        status, answer = await page.call("POST", f"/playbacks/{made['id']}", {"action": "speed", "value": 16})
        assert (status, answer["code"]) == (400, "invalid")
        async with house.hub.browser("admin") as admin:
            assert (await admin.call("POST", f"/playbacks/{made['id']}", {"action": "play"}))[0] == 404
            await admin.ok("DELETE", f"/playbacks/{made['id']}")  # not his: it plays on
            rows = (await admin.ok("GET", "/audit?action=camera.playback"))["items"]
        assert [row["subject"] for row in rows] == [house.camera]
        assert made["identity"] in house.hub.conference.seats[room]
        await page.ok("DELETE", f"/playbacks/{made['id']}")
        assert house.hub.conference.seats[room] == {}
        assert isinstance(house.bridge.told[-1], Pull)
        assert house.bridge.told[-1].workers == []


async def test_its_end_is_told(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await walled(page)
        made = await play(page, house.camera, terminal=TERMINAL)
        house.bridge.say(house.hub, SourceState(source=made["id"], state="live"))
        live = await stream.event("playback.state")
        assert live["data"]["playback"]["camera_id"] == house.camera
        house.bridge.say(
            house.hub, SourceState(source=made["id"], state="idle", code="ended", text="Over.", text_zh="播放结束。")
        )
        over = await stream.event("playback.state")
        assert (over["subject"], over["data"]["playback"]["state"]) == (made["id"], "idle")
        assert over["data"]["playback"]["reason"]["code"] == "ended"


async def test_into_a_consultation(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        made = await page.ok("POST", "/consultations", {"title": "防汛会商"})
        shown = await play(page, house.camera, consultation_id=made["id"])
        there = house.hub.conference.seats[made["id"]]
        assert there.keys() == {shown["identity"]}
        await page.ok("DELETE", f"/consultations/{made['id']}/participants/{shown['identity']}")
        assert there == {}
        await house.hub.parts.desk.playbacks.look()
        assert (await page.call("POST", f"/playbacks/{shown['id']}", {"action": "play"}))[0] == 404
        public = await page.ok("POST", "/consultations", {"title": "公开", "label": "public"})
        body = {"camera_id": house.camera, **DAY, "consultation_id": public["id"]}
        assert (await page.call("POST", "/playbacks", body))[1]["code"] == "label_too_low"
        assert (await page.call("POST", "/playbacks", {"camera_id": house.camera, **DAY}))[0] == 400


async def test_bounds_and_what_ends_with_the_wall(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        assert (await page.call("POST", "/playbacks", {"camera_id": house.camera, **DAY, "terminal": TERMINAL}))[1][
            "code"
        ] == "no_view"
        await walled(page)
        for _ in range(4):
            await play(page, house.camera, terminal=TERMINAL)
        body = {"camera_id": house.camera, **DAY, "terminal": TERMINAL}
        assert (await page.call("POST", "/playbacks", body))[0] == 429
        await page.ok("DELETE", f"/views/{TERMINAL}")
        await walled(page)
        await play(page, house.camera, terminal=TERMINAL)


async def test_where_it_stands_is_told_and_answered(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await walled(page)
        made = await play(page, house.camera, terminal=TERMINAL)
        assert made["position"] is None
        at = (MIDNIGHT + 60) * 10**9
        for standing in (Standing(0.2, at, playing=True), Standing(3600.0, at + 10**9, speed=4.0)):
            house.bridge.say(house.hub, SourceState(source=made["id"], state="live", standing=standing))
        told = [(await stream.event("playback.state"))["data"]["playback"] for _ in range(2)]
        assert [(one["state"], one["position"]) for one in told] == [
            ("live", {"at": 0.2, "as_of": "2026-07-12T16:01:00.000Z", "speed": 1.0, "playing": True}),
            ("live", {"at": 3600.0, "as_of": "2026-07-12T16:01:01.000Z", "speed": 4.0, "playing": False}),
        ]
        (mine,) = (await page.ok("GET", f"/playbacks?terminal={TERMINAL}"))["items"]
        assert mine == {
            "id": made["id"],
            "identity": made["identity"],
            "camera_id": house.camera,
            "start": "2026-07-12T16:00:00.000Z",
            "end": "2026-07-13T16:00:00.000Z",
            "state": "live",
            "position": told[1]["position"],
        }
        async with house.hub.browser("admin") as admin:
            assert (await admin.ok("GET", "/playbacks"))["items"] == []


async def test_a_bridge_that_starts_again_goes_on_where_it_was(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await walled(page)
        made = await play(page, house.camera, terminal=TERMINAL)
        house.bridge.say(house.hub, SourceState(source=made["id"], state="live", standing=Standing(1234.5, 1, speed=2.0)))
        await stream.event("playback.state")
        house.hub.parts.feeds.bridge("gb28181").unlinked()
        away = (await stream.event("playback.state"))["data"]["playback"]
        assert (away["reason"]["code"], away["position"]["at"], away["position"]["playing"]) == ("bridge_down", 1234.5, False)
        house.bridge.told.clear()
        house.bridge.link(house.hub)
        assert [(one.source, one.at) for one in house.bridge.told if isinstance(one, Pull)] == [(made["id"], 1234.5)]


@asynccontextmanager
async def restarted(house: House) -> AsyncIterator[Playbacks]:
    """A hub of before, as the one that comes after it sees it: the seat and the bridge's pull, and nothing else."""
    old = house.hub.parts.desk.playbacks
    old._running.clear()
    house.hub.parts.feeds._feeds.clear()
    yield old


async def test_a_restarted_hub_goes_on_with_what_it_finds(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        room = await walled(page)
        made = await play(page, house.camera, terminal=TERMINAL)
        pulled = [one for one in house.bridge.told if isinstance(one, Pull)][-1]
        async with restarted(house):
            house.bridge.told.clear()
            standing = Standing(77.0, MIDNIGHT * 10**9, playing=True)
            house.bridge.link(house.hub, SourceState(source=made["id"], state="live", standing=standing))
            # The page acts before anybody has looked.
            await page.ok("POST", f"/playbacks/{made['id']}", {"action": "seek", "value": 100})
            assert house.bridge.asked == [Replay(made["id"], "seek", 100.0)]
            assert [one for one in house.bridge.told if isinstance(one, Pull)] == [pulled]
            (mine,) = (await page.ok("GET", "/playbacks"))["items"]
            assert (mine["id"], mine["state"], mine["position"]["at"]) == (made["id"], "live", 77.0)
            await page.ok("DELETE", f"/playbacks/{made['id']}")
            assert house.hub.conference.seats[room] == {}


@pytest.mark.parametrize("record", ["", "{}", '{"camera":"none","person":"none","start":1,"end":2}'])
async def test_a_restarted_hub_takes_out_what_it_cannot_go_on_with(house: House, record: str) -> None:
    async with house.hub.browser("dispatcher") as page:
        room = await walled(page)
        identity = f"{new_id()}:playback"
        await house.hub.conference.add_camera(room, CameraSeat(new_id(), identity, "昨天", "某局", record=record))
        await house.hub.parts.desk.playbacks.look()
        assert house.hub.conference.seats[room] == {}


async def test_a_restarted_hub_ends_what_nobody_may_see_any_more(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        room = await walled(page)
        await play(page, house.camera, terminal=TERMINAL)
        async with restarted(house) as playbacks:
            # He is of the dispatch hall; from now on only there.
            await edit(house.hub, house.camera, org_id=house.hub.ids["water"])
            async with house.hub.parts.store.transaction() as transaction:
                await transaction.run(sa.update(tables.grants).values(org_id=house.hub.ids["emergency"]))
            await playbacks.look()
            assert house.hub.conference.seats[room] == {}
