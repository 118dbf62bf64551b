from __future__ import annotations

from commhub.devices import Wanted
from commhub.devices.tree import Sight
from commhub.media.messages import DeviceState
from commhub.model import Actor
from tests.support.catalogues import CAMERA, PLATFORM, RECORDER, Bridge, admitted, camera, node
from tests.support.hubs import Hub

GROUP, ORG, SUB = "34020000002150000001", "34020000002160000001", "34020000002160000002"


async def children(hub: Hub, reader: Actor, parent: str = "") -> list[Sight]:
    return (await hub.parts.devices.trees.now()).children(reader, parent)


async def outline(hub: Hub, reader: Actor, parent: str = "", depth: int = 9) -> dict[str, object]:
    """Names with counts → what is below."""
    found: dict[str, object] = {}
    for one in await children(hub, reader, parent):
        below = await outline(hub, reader, one.place.id, depth - 1) if depth and (parent or not one.leaf) else {}
        found[f"{one.place.name} {one.online}/{one.total}{'' if one.leaf else ' +'}"] = below
    return found


async def named(hub: Hub, reader: Actor, node: str, *, deep: bool = False) -> list[str]:
    found = await hub.parts.devices.listing.find(reader, Wanted(node=node, deep=deep))
    return [one.record.name for one in found.items]


async def full(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub, PLATFORM, "雪亮工程", "ops")
    told = [
        node(GROUP, "group", "汛期"),
        node(ORG, "virtual", "临江大堤", group=GROUP),
        node(SUB, "virtual", "泵站", ORG),
        camera(1, "K08", parents=[ORG]),
        camera(2, "K10", parents=[ORG], online=False),
        camera(3, "前池", parents=[SUB]),
        camera(4, "散"),
        camera(5, "无名", parents=["34020000002160000009"]),
        camera(6, "区", region="330106"),
    ]
    await bridge.catalogue(PLATFORM, told)
    await bridge.say(DeviceState(device=PLATFORM, online=True))


def place(hub: Hub, found: list[Sight], name: str) -> str:
    return next(one.place.id for one in found if one.place.name == name)


async def test_the_tree_of_a_city_s_dispatcher(hub: Hub, bridge: Bridge) -> None:
    await full(hub, bridge)
    zhou = await hub.person("dispatcher")
    found = await outline(hub, zhou)
    ops = next(key for key in found if "6/7" in key or "5/6" in key or "雪亮" in str(found[key]))
    assert found[ops] == {
        "雪亮工程 5/6 +": {
            "汛期 2/3 +": {"临江大堤 2/3 +": {"泵站 1/1": {}}},
            "行政区 330106 1/1": {},
        }
    }
    assert any(key.startswith("滨江区 2/2") for key in found)
    assert not any(key.split()[1].endswith("/0") for key in found)


async def test_cameras_of_a_node_and_below_it(hub: Hub, bridge: Bridge) -> None:
    await full(hub, bridge)
    zhou = await hub.person("dispatcher")
    platform = place(hub, await children(hub, zhou, hub.ids["ops"]), "雪亮工程")
    group = place(hub, await children(hub, zhou, platform), "汛期")
    org = place(hub, await children(hub, zhou, group), "临江大堤")
    assert await named(hub, zhou, platform) == ["散", "无名"]  # what nobody has named is not shown
    assert await named(hub, zhou, group) == []
    assert await named(hub, zhou, org) == ["K08", "K10"]
    assert await named(hub, zhou, org, deep=True) == ["K08", "K10", "前池"]
    assert len(await named(hub, zhou, hub.ids["ops"], deep=True)) == 7
    assert await named(hub, zhou, hub.ids["ops"]) == ["大厅主会场"]
    found = await hub.parts.devices.listing.find(zhou, Wanted(node=org, deep=True))
    assert found.items[-1].path[-4:] == ["雪亮工程", "汛期", "临江大堤", "泵站"]
    assert found.items[-1].path[0] == "云江市"
    assert [one.node for one in found.items[:2]] == [org, org]
    assert await named(hub, zhou, "01K00000000000000000000000") == []


async def test_a_part_given_to_an_organisation_hangs_under_it(hub: Hub, bridge: Bridge) -> None:
    await full(hub, bridge)
    admin, zhou, water = await hub.person("admin"), await hub.person("dispatcher"), await hub.person("water")
    platform = place(hub, await children(hub, zhou, hub.ids["ops"]), "雪亮工程")
    group = place(hub, await children(hub, zhou, platform), "汛期")
    org = place(hub, await children(hub, zhou, group), "临江大堤")
    assert await named(hub, water, org) == []
    await hub.parts.devices.give(admin, org, hub.ids["water"])
    assert await named(hub, water, org, deep=True) == ["K08", "K10", "前池"]
    assert "临江大堤" in [one.place.name for one in await children(hub, water, hub.ids["water"])]
    assert "汛期" not in [one.place.name for one in await children(hub, zhou, platform)]  # nothing is left below it
    # What comes later hangs there too, and what moves out of it is not the water office's any more.
    await bridge.catalogue(
        PLATFORM,
        [
            node(GROUP, "group", "汛期"),
            node(ORG, "virtual", "临江大堤", group=GROUP),
            node(SUB, "virtual", "泵站", group=GROUP),
            camera(1, "K08", parents=[ORG]),
            camera(3, "前池", parents=[SUB]),
            camera(7, "K12", parents=[ORG]),
        ],
    )
    assert await named(hub, water, org, deep=True) == ["K08", "K12"]
    assert "前池" not in [one.record.name for one in (await hub.parts.devices.listing.find(water, Wanted())).items]
    await hub.parts.devices.give(admin, org, None)
    assert await named(hub, water, org, deep=True) == []
    assert len(await named(hub, zhou, platform, deep=True)) == 3


async def test_a_device_that_goes_takes_its_cameras_offline(hub: Hub, bridge: Bridge) -> None:
    await full(hub, bridge)
    zhou = await hub.person("dispatcher")
    await bridge.say(DeviceState(device=PLATFORM, online=False, code="silent", text="Silent.", text_zh="无心跳。"))
    (platform,) = [one for one in await children(hub, zhou, hub.ids["ops"]) if one.place.kind != "organisation"]
    assert (platform.place.kind, platform.online, platform.total) == ("platform", 0, 6)


async def test_a_camera_that_calls_in_by_itself_needs_no_folder(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub, CAMERA, "单机", "water")
    own = camera(1, "单机")
    await bridge.catalogue(CAMERA, [own])
    water = await hub.person("water")
    assert [one.place.kind for one in await children(hub, water, hub.ids["water"])] == []
    assert "单机" in await named(hub, water, hub.ids["water"])
    assert "单机" in await named(hub, water, hub.ids["water"], deep=True)


async def test_what_was_read_is_read_again_when_something_has_changed(hub: Hub, bridge: Bridge) -> None:
    trees = hub.parts.devices.trees
    tree = await trees.now()
    trees.forget()
    assert (await trees.now()) is not tree
    tree = await trees.now()
    assert await trees.now() is tree
    await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(1)])
    assert await trees.now() is not tree
