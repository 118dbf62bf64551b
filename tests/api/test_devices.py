"""Devices, their cameras and alarms, as a page and an administrator have them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from commhub.media.messages import AlarmRaised, AskDevice, DeviceAnswer, DeviceSeen, DeviceState, Message
from commhub.model import utc_ns
from tests.support.catalogues import RECORDER, Bridge, camera
from tests.support.hubs import Browser, Hub, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


@pytest.fixture
def bridge(hub: Hub) -> Bridge:
    bridge = Bridge(hub.parts.devices)
    bridge.link()
    return bridge


async def admit(hub: Hub, admin: Browser, bridge: Bridge) -> dict[str, Any]:
    """A recorder with three channels, online."""
    body = {"code": RECORDER, "name": "青石桥录像机", "org_id": hub.ids["binjiang"]}
    made: dict[str, Any] = await admin.ok("POST", "/devices", body)
    await bridge.catalogue(RECORDER, [camera(1, "东口", ptz=1), camera(2, "西口", ptz=3), camera(3, "内", online=False)])
    await bridge.say(DeviceState(device=RECORDER, online=True, address="192.0.2.9:5060", transport="udp"))
    return made


async def test_from_quarantine_to_a_picture_s_address(hub: Hub, bridge: Bridge) -> None:
    async with hub.browser("admin") as admin, hub.browser("dispatcher") as zhou, admin.events() as events:
        await bridge.say(DeviceSeen(RECORDER, "192.0.2.9:5060", "udp", "2.0", "NVR"))
        told = (await events.event("device.state"))["data"]["device"]
        assert (told["state"], told["address"], told["org"]) == ("quarantine", "192.0.2.9:5060", None)
        (waiting,) = (await admin.ok("GET", "/devices?state=quarantine"))["items"]
        assert (waiting["code"], waiting["manufacturer"], waiting["channels"]) == (RECORDER, "NVR", 0)
        answer = await admin.ok(
            "POST", f"/devices/{waiting['id']}/admit", {"org_id": hub.ids["binjiang"], "name": "青石桥录像机"}
        )
        assert answer["device"]["org"] == {"id": hub.ids["binjiang"], "name": "滨江区"}
        assert answer["password"]
        assert answer["password"] not in str(await admin.ok("GET", "/devices"))
        await bridge.catalogue(RECORDER, [camera(1, "东口")])
        await bridge.say(DeviceState(device=RECORDER, online=True))
        while not (told := (await events.event("device.state"))["data"]["device"])["online"]:
            pass
        assert told["catalogue"]["state"] == "complete"
        (found,) = (await zhou.ok("GET", "/cameras?q=%E4%B8%9C%E5%8F%A3&online=true&node=" + hub.ids["binjiang"] + "&deep=true"))[
            "items"
        ][1:]
        assert (found["name"], found["protocol"], found["online"]) == ("东口", "gb28181", True)
        rows = (await admin.ok("GET", "/audit?action=device.admit"))["items"]
        assert [row["actor_name"] for row in rows] == [admin.me["person"]["name"], "系统"]
        assert answer["password"] not in str(rows)


async def test_a_camera_says_what_the_reader_may_do(hub: Hub, bridge: Bridge) -> None:
    async with hub.browser("admin") as admin, hub.browser("dispatcher") as zhou:
        await admit(hub, admin, bridge)
        found = {one["name"]: one for one in (await zhou.ok("GET", "/cameras?limit=200"))["items"]}
        everything = ["open", "move", "control", "playback", "download", "snapshot", "voice"]
        assert found["东口"]["may"] == everything
        assert found["西口"]["may"] == [one for one in everything if one != "move"]
        assert found["青石桥下穿 东口"]["may"] == ["open", "snapshot"]
        assert (found["东口"]["ptz"], found["西口"]["ptz"], found["内"]["online"]) == (True, False, False)
        assert found["东口"]["path"] == ["云江市", "滨江区", "青石桥录像机"]
        one = await zhou.ok("GET", f"/cameras/{found['东口']['id']}")
        assert one["viewers"] == []
        assert one["lock"] is None
        assert one | {} == {**found["东口"], "viewers": [], "lock": None}
        status, answer = await zhou.call("GET", "/cameras/01K00000000000000000000000")
        assert (status, answer["code"]) == (404, "not_found")


async def test_what_its_device_says_is_broken_is_shown(hub: Hub, bridge: Bridge) -> None:
    async with hub.browser("admin") as admin, hub.browser("dispatcher") as zhou, zhou.events() as events:
        await admit(hub, admin, bridge)

        async def faulty() -> list[str]:
            return [one["name"] for one in (await zhou.ok("GET", "/cameras?limit=200"))["items"] if one["faulty"]]

        assert await faulty() == []
        broken = [camera(2).channel, "34020000001310000099"]
        await bridge.say(DeviceState(device=RECORDER, online=True, faulty=broken))
        told = (await events.event("camera.fault"))["data"]["camera"]
        assert (told["name"], told["faulty"]) == ("西口", True)
        assert await faulty() == ["西口"]
        (one,) = [one for one in (await zhou.ok("GET", "/cameras?limit=200"))["items"] if one["faulty"]]
        assert "open" in one["may"]
        await bridge.say(DeviceState(device=RECORDER, online=True))
        assert (await events.event("camera.fault"))["data"]["camera"]["faulty"] is False
        assert await faulty() == []


async def test_the_tree_and_favourites(hub: Hub, bridge: Bridge) -> None:
    async with hub.browser("admin") as admin, hub.browser("dispatcher") as zhou:
        await admit(hub, admin, bridge)
        tops = (await zhou.ok("GET", "/camera-tree"))["items"]
        binjiang = next(one for one in tops if one["id"] == hub.ids["binjiang"])
        assert (binjiang["online"], binjiang["total"], binjiang["leaf"], binjiang["kind"]) == (4, 5, False, "organisation")
        (recorder,) = (await zhou.ok("GET", f"/camera-tree?parent={binjiang['id']}"))["items"]
        assert (recorder["kind"], recorder["name"], recorder["leaf"], recorder["parent_id"]) == (
            "device",
            "青石桥录像机",
            True,
            binjiang["id"],
        )
        page = await zhou.ok("GET", f"/cameras?node={recorder['id']}&limit=2")
        assert ([one["name"] for one in page["items"]], page["total"]) == (["东口", "西口"], 3)
        rest = await zhou.ok("GET", f"/cameras?node={recorder['id']}&limit=2&cursor={page['next']}")
        assert ([one["name"] for one in rest["items"]], rest["next"]) == (["内"], None)
        first = page["items"][0]["id"]
        await zhou.ok("PUT", f"/cameras/{first}/favourite")
        await zhou.ok("PUT", f"/cameras/{first}/favourite")
        assert [one["id"] for one in (await zhou.ok("GET", "/cameras?favourite=true"))["items"]] == [first]
        await zhou.ok("DELETE", f"/cameras/{first}/favourite")
        assert (await zhou.ok("GET", "/cameras?favourite=true"))["total"] == 0
        some = await zhou.ok("GET", "/camera-tree?limit=1")
        assert (len(some["items"]), some["next"]) == (1, "1")
        status, _ = await zhou.call("GET", "/camera-tree?parent=x")
        assert status == 400
        assert (await zhou.ok("GET", "/camera-tree?parent=01K00000000000000000000000"))["items"] == []


async def test_a_part_of_the_tree_is_given_away(hub: Hub, bridge: Bridge) -> None:
    async with hub.browser("admin") as admin, hub.browser("dispatcher") as zhou:
        made = await admit(hub, admin, bridge)
        await bridge.catalogue(
            RECORDER, [camera(4, "泵", parents=["34020000001180000009"]), _node("34020000001180000009", "泵站录像机")]
        )
        (recorder,) = (await zhou.ok("GET", f"/camera-tree?parent={hub.ids['binjiang']}"))["items"]
        (part,) = (await zhou.ok("GET", f"/camera-tree?parent={recorder['id']}"))["items"]
        await admin.ok("PATCH", f"/camera-nodes/{part['id']}", {"org_id": hub.ids["water"]})
        (moved,) = (await admin.ok("GET", f"/camera-tree?parent={hub.ids['water']}"))["items"]
        assert (moved["id"], moved["name"], moved["total"]) == (part["id"], "泵站录像机", 1)
        for wrong in (recorder["id"], "01K00000000000000000000000"):
            assert (await admin.call("PATCH", f"/camera-nodes/{wrong}", {"org_id": hub.ids["water"]}))[0] == 404
        assert (await admin.call("PATCH", f"/camera-nodes/{part['id']}", {"org_id": made["device"]["id"]}))[0] == 404
        await admin.ok("PATCH", f"/camera-nodes/{part['id']}", {"org_id": None})
        rows = (await admin.ok("GET", "/audit?action=device.admit"))["items"]
        assert [row["object"] for row in rows[:2]] == [f"{RECORDER} 泵站录像机", f"{RECORDER} 泵站录像机 → 水务局"]


def _node(code: str, name: str) -> Any:
    from tests.support.catalogues import node

    return node(code, "device", name)


async def test_a_device_is_changed_asked_refused_and_forgotten(hub: Hub, bridge: Bridge) -> None:
    asked: list[Message] = []

    async def answer(message: Message, within: float) -> Message:
        asked.append(message)
        return DeviceAnswer([])

    async with hub.browser("admin") as admin, hub.browser("dispatcher") as zhou:
        device = (await admit(hub, admin, bridge))["device"]["id"]
        changed = await admin.ok(
            "PATCH", f"/devices/{device}", {"name": "新名称", "label": "sensitive", "way": "udp", "options": {"gcj02": True}}
        )
        assert (changed["name"], changed["label"], changed["way"], changed["options"]["gcj02"]) == (
            "新名称",
            "sensitive",
            "udp",
            True,
        )
        status, problem = await zhou.call("POST", f"/devices/{device}/catalogue")
        assert (status, problem["code"]) == (503, "unavailable")  # no bridge is there
        hub.parts.devices.ask = answer
        assert (await zhou.call("POST", f"/devices/{device}/catalogue"))[0] == 202
        assert asked == [AskDevice(RECORDER, RECORDER, "catalogue")]
        assert (await admin.ok("GET", "/devices?q=xmc"))["items"][0]["id"] == device
        assert (await admin.ok("GET", f"/devices?q={RECORDER}&state=refused"))["items"] == []
        refused = await admin.ok("POST", f"/devices/{device}/refuse")
        assert (refused["state"], refused["online"], refused["channels"]) == ("refused", False, 0)
        status, problem = await zhou.call("POST", f"/devices/{device}/catalogue")
        assert (status, problem["code"]) == (409, "offline")
        await admin.ok("DELETE", f"/devices/{device}")
        assert (await admin.call("DELETE", f"/devices/{device}"))[0] == 404


async def test_alarms_ring_and_are_confirmed(hub: Hub, bridge: Bridge) -> None:
    async with hub.browser("admin") as admin, hub.browser("dispatcher") as zhou, zhou.events() as events:
        await admit(hub, admin, bridge)
        about = {"device": RECORDER, "channel": camera(1).channel, "priority": 1, "method": 5, "kind": 13}
        await bridge.say(AlarmRaised(at=utc_ns(), description="水位越警戒 28.46 m", **about))  # type: ignore[arg-type]
        raised = (await events.event("alarm.raised"))["data"]["alarm"]
        assert (raised["level"], raised["text"], raised["kind"]) == (1, "水位越警戒 28.46 m", "covered")
        page = await zhou.ok("GET", f"/alarms?camera={raised['camera']['id']}")
        assert [one["id"] for one in page["items"]] == [raised["id"]]
        assert (await zhou.ok("GET", "/cameras?alarm=true"))["items"][0]["alarm"]
        done = await zhou.ok("POST", f"/alarms/{raised['id']}/confirm", {"note": " 已派人 "})
        assert (done["state"], done["note"]) == ("confirmed", "已派人")
        assert (await events.event("alarm.confirmed"))["data"]["alarm"]["state"] == "confirmed"
        assert (await zhou.ok("GET", "/alarms"))["items"] == []
        assert len((await zhou.ok("GET", "/alarms?state=all"))["items"]) == 1
        assert (await zhou.ok("GET", "/cameras?alarm=true"))["total"] == 0
