"""Words of pages and acts of the interface, to the bridge: rights, rank, audit, and what stops by itself."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub import audit
from commhub.control import control as module
from commhub.control.hands import HELD
from commhub.control.lock import KEPT
from commhub.errors import Conflict
from commhub.media.messages import AskDevice, Control, DeviceAnswer
from commhub.model import new_id
from commhub.store import tables
from commhub.terminals import Page
from tests.support import until
from tests.support.hubs import Browser, Hub, Stream, serving
from tests.support.recorders import RECORDER, ScriptedBridge, edit, recorder

pytestmark = pytest.mark.timeout(60)


@dataclass
class House:
    hub: Hub
    bridge: ScriptedBridge
    camera: str
    other: str
    now: float = 1_700_000_000.0
    pages: list[Browser] = field(default_factory=list)

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.hub.parts.desk.control.tick()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path) as hub:
        bridge = ScriptedBridge()
        camera, other = await recorder(hub)
        bridge.link(hub)
        house = House(hub, bridge, camera, other)
        hub.parts.desk.control._now = lambda: house.now
        yield house


async def move(stream: Stream, camera: str, **motion: float) -> None:
    await stream.socket.send_json({"type": "move", "camera": camera, **motion})


async def refused(stream: Stream) -> dict[str, Any]:
    while True:
        message = await stream.message()
        if message["type"] == "refused":
            return message


async def rows(house: House, action: str) -> list[tuple[str, str, str]]:
    async with house.hub.browser("admin") as admin:
        found = (await admin.ok("GET", f"/audit?action={action}"))["items"]
    return [(row["actor_name"], row["object"], row["result"]) for row in reversed(found)]


async def moved(house: House, *wanted: tuple[float, float, float]) -> None:
    await until(lambda: house.bridge.moves == list(wanted), 5, f"{wanted}, there are {house.bridge.moves}")


async def test_a_key_that_is_down_and_up(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        for _ in range(3):
            await move(stream, house.camera, pan=-0.5)
        await move(stream, house.camera, pan=-0.5, zoom=1)
        await move(stream, house.camera)
        await moved(house, (-0.5, 0, 0), (-0.5, 0, 1), (0, 0, 0))
        event = await stream.event("camera.lock")
        assert event["data"]["lock"]["holder"]["name"] == "周明远"
        assert event["data"]["camera"] == {"id": house.camera, "name": "临江大堤 K1"}
        await move(stream, house.camera, tilt=1)
        await moved(house, (-0.5, 0, 0), (-0.5, 0, 1), (0, 0, 0), (0, 1, 0))
    assert await rows(house, "camera.move") == [("周明远", "临江大堤 K1", "ok")]  # one for all of it


async def test_silence_stops_it(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await move(stream, house.camera, pan=1)
        await moved(house, (1, 0, 0))
        house.later(HELD)
        await moved(house, (1, 0, 0), (0, 0, 0))


async def test_a_page_that_is_gone_stops_it_at_once(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        async with page.events() as stream:
            await move(stream, house.camera, pan=1)
            await moved(house, (1, 0, 0))
        await moved(house, (1, 0, 0), (0, 0, 0))


async def test_real_time_stops_it_too(house: House) -> None:
    house.hub.parts.desk.control._now = module.steady()
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await move(stream, house.camera, pan=1)
        await moved(house, (1, 0, 0), (0, 0, 0))


async def test_rank_takes_over_and_the_other_hears_who(house: House) -> None:
    async with house.hub.browser("dispatcher") as zhou, house.hub.browser("admin") as admin:
        await level(house, zhou, 5)
        await level(house, admin, 3)
        async with zhou.events() as lower, admin.events() as higher:
            await move(lower, house.camera, pan=1)
            await moved(house, (1, 0, 0))
            await move(higher, house.camera, pan=-1)
            told = await refused(lower)
            assert (told["camera"], told["code"], told["lock"]["mine"]) == (house.camera, "locked", False)
            assert told["lock"]["holder"]["id"] == admin.me["person"]["id"]
            await moved(house, (1, 0, 0), (0, 0, 0), (-1, 0, 0))
            await move(lower, house.camera, pan=1)
            assert (await refused(lower))["text"].endswith("has it now.")
            await move(higher, house.camera)
            house.later(KEPT)
            assert house.hub.parts.desk.control.lock(house.camera, await house.hub.person("admin")) is None
            await move(lower, house.camera, pan=1)
            await moved(house, (1, 0, 0), (0, 0, 0), (-1, 0, 0), (0, 0, 0), (1, 0, 0))
    mine, over, again = await rows(house, "camera.move")
    assert mine == again == ("周明远", "临江大堤 K1", "ok")
    assert over[1] == "临江大堤 K1 ← 周明远"


async def level(house: House, page: Browser, value: int) -> None:
    person = page.me["person"]["id"]
    async with house.hub.parts.store.transaction() as transaction:
        await transaction.run(sa.update(tables.people).where(tables.people.c.id == person).values(level=value))


async def test_the_interface_locks_and_gives_back(house: House) -> None:
    async with house.hub.browser("dispatcher") as zhou, house.hub.browser("admin") as admin:
        await level(house, zhou, 4)
        await level(house, admin, 4)
        lock = await zhou.ok("POST", f"/cameras/{house.camera}/lock")
        assert (lock["camera_id"], lock["mine"], lock["holder"]["level"]) == (house.camera, True, 4)
        assert (lock["since"], lock["until"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:50.000Z")
        status, answer = await admin.call("POST", f"/cameras/{house.camera}/lock")
        assert (status, answer["code"]) == (409, "locked")
        await admin.ok("DELETE", f"/cameras/{house.camera}/lock")  # not his
        assert (await admin.call("POST", f"/cameras/{house.camera}/lock"))[0] == 409
        await zhou.ok("DELETE", f"/cameras/{house.camera}/lock")
        assert (await admin.ok("POST", f"/cameras/{house.camera}/lock"))["mine"]


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ({"protocol": "rtsp"}, "not_movable", "This camera cannot be moved: it is opened by RTSP."),
        ({"ptz": 3}, "not_movable", "This camera is fixed: it cannot be moved."),
        ({"online": False}, "offline", "The device is not online."),
    ],
)
async def test_what_cannot_be_moved_says_why(house: House, values: dict[str, Any], code: str, text: str) -> None:
    await edit(house.hub, house.camera, **values)
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await move(stream, house.camera, pan=1)
        assert await refused(stream) == {
            "type": "refused", "camera": house.camera, "code": code, "text": text, "lock": None,
        }  # fmt: skip
    assert house.bridge.moves == []


async def test_a_device_that_is_back_moves_at_once(house: House) -> None:
    await edit(house.hub, house.camera, online=False)
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await move(stream, house.camera, pan=1)
        assert (await refused(stream))["code"] == "offline"
        await edit(house.hub, house.camera, online=True)
        house.later(1.5)
        await move(stream, house.camera, pan=1)
        await moved(house, (1, 0, 0))


async def test_any_nonsense_is_no_movement(house: House) -> None:
    chance = random.Random(28181)
    odd: list[Any] = [None, True, -1, 1e9, 10**400, "1", "", [], {}, [[]], house.camera, "\u0000", {"pan": 1}]
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        for _ in range(300):
            words = {name: chance.choice(odd) for name in chance.sample(["camera", "pan", "tilt", "zoom", "iris", "x"], 4)}
            if words.get("camera") == house.camera:
                words["tilt"] = chance.choice([2, "1", None, [], True])
            await stream.socket.send_str(json.dumps({"type": "move", **words}))
        await move(stream, house.camera, pan=1)
        await moved(house, (1, 0, 0))


async def test_what_is_no_word(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        for said, code in (
            ({"camera": house.camera, "pan": 2}, "invalid"),
            ({"camera": 7, "pan": 1}, "invalid"),
            ({"pan": 1}, "invalid"),
            ({"camera": new_id(), "pan": 1}, "not_found"),
        ):
            await stream.socket.send_json({"type": "move", **said})
            assert (await refused(stream))["code"] == code
    assert house.bridge.moves == []


async def test_who_may_not(house: House) -> None:
    person = await house.hub.person("emergency")  # sees it, and no more
    async with house.hub.parts.store.transaction() as transaction:
        mine = tables.grants.c.person_id == person.id
        await transaction.run(sa.update(tables.grants).where(mine).values(org_id=house.hub.ids["water"]))
    async with house.hub.browser("emergency") as page, page.events() as stream:
        for _ in range(3):
            await move(stream, house.camera, pan=1)
            assert (await refused(stream))["code"] == "forbidden"
    assert house.bridge.moves == []
    assert [(object, result) for _, object, result in await rows(house, "camera.move")] == [("临江大堤 K1", "denied")]


async def test_a_flood_of_words_is_held_back_and_never_a_stop(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        for number in range(80):
            await move(stream, house.camera, pan=(number % 2 or -1) / 2)
        assert (await refused(stream))["code"] == "busy"
        await move(stream, house.camera)
        await until(lambda: house.bridge.moves[-1:] == [(0, 0, 0)], 5, "a stop")
        assert len(house.bridge.moves) <= module.BURST + 1


async def test_one_page_moves_so_many(house: House) -> None:
    more = [house.camera, house.other]
    async with house.hub.parts.store.transaction() as transaction:
        row = await transaction.first(sa.select(tables.cameras).where(tables.cameras.c.id == house.camera))
        assert row is not None
        for _ in range(module.CAMERAS - 1):
            more.append(id := new_id())
            await transaction.insert(tables.cameras, {**row._mapping, "id": id, "key": id.lower()})
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        for camera in more:
            await move(stream, camera, pan=1)
        assert (await refused(stream))["camera"] == more[-1]


async def test_a_bridge_that_is_away(house: House) -> None:
    house.hub.parts.feeds.bridge("gb28181").unlinked()
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await move(stream, house.camera, pan=1)
        assert (await refused(stream))["code"] == "bridge_down"
        status, answer = await page.call("POST", f"/cameras/{house.camera}/control", {"verb": "reboot"})
        assert (status, answer["code"]) == (503, "unavailable")


async def test_what_is_not_written_is_not_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any, **__: Any) -> None:
        raise sa.exc.OperationalError("insert", {}, OSError("disk full"))

    monkeypatch.setattr(audit, "record", full)
    actor = await house.hub.person("dispatcher")
    said: list[dict[str, Any]] = []
    page_of = Page(1, lambda: actor, said.append)
    await house.hub.parts.desk.control.receive(page_of, {"camera": house.camera, "pan": 1})
    await moved(house, (1, 0, 0), (0, 0, 0))
    assert house.hub.parts.desk.control.lock(house.camera, actor) is None


async def test_acts_and_their_answers(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        path = f"/cameras/{house.camera}/control"
        assert await page.ok("POST", path, {"verb": "preset_call", "values": {"number": "2"}}) == {"done": True}
        assert house.bridge.asked == [Control(RECORDER, "34020000001320000001", "preset_call", {"number": "2"})]
        assert house.hub.parts.desk.control.lock(house.camera, await house.hub.person("dispatcher")) is not None
        status, answer = await page.call("POST", path, {"verb": "preset_call", "values": {"number": "x"}})
        assert (status, answer["detail"]) == (400, "'number' must be a number from 1 to 255.")
        house.bridge.answers[Control] = Conflict("The device refused: ERROR.", "设备拒绝：ERROR。", code="device_refused")
        status, answer = await page.call("POST", path, {"verb": "guard_on"})
        assert (status, answer["code"], answer["detail"]) == (409, "device_refused", "The device refused: ERROR.")
    assert [object for _, object, _ in await rows(house, "camera.control")] == ["临江大堤 K1 guard_on"]
    assert ("周明远", "临江大堤 K1 preset_call number=2", "ok") in await rows(house, "camera.move")


async def test_a_preset_does_not_turn_what_somebody_else_has(house: House) -> None:
    async with house.hub.browser("dispatcher") as zhou, house.hub.browser("admin") as admin:
        await level(house, zhou, 4)
        await level(house, admin, 4)
        await zhou.ok("POST", f"/cameras/{house.camera}/lock")
        body = {"verb": "preset_call", "values": {"number": "2"}}
        assert (await admin.call("POST", f"/cameras/{house.camera}/control", body))[1]["code"] == "locked"
        await admin.ok("POST", f"/cameras/{house.camera}/control", {"verb": "guard_on"})  # does not turn it
    assert [one.verb for one in house.bridge.asked if isinstance(one, Control)] == ["guard_on"]


async def test_presets(house: House) -> None:
    items = [{"number": "2", "name": "水尺"}, {"number": "1", "name": ""}, {"number": "x"}]
    house.bridge.answers[AskDevice] = lambda _: DeviceAnswer(items)
    async with house.hub.browser("dispatcher") as page:
        answer = await page.ok("GET", f"/cameras/{house.camera}/presets")
    assert answer == {"items": [{"number": 1, "name": "1"}, {"number": 2, "name": "水尺"}]}


async def test_the_page_of_a_signed_out_person_moves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.api.checking.CHECK_SECONDS", 0.05)
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await move(stream, house.camera, pan=1)
        await moved(house, (1, 0, 0))
        await page.ok("DELETE", "/session")
        await moved(house, (1, 0, 0), (0, 0, 0))
        await asyncio.wait_for(stream.socket.receive(), 5)
