from __future__ import annotations

import dataclasses

import pytest

from commhub.devices import Found, Wanted
from commhub.errors import NotFound
from commhub.media.messages import DeviceState
from commhub.model import HUB, Actor, Grant, Label, Role
from tests.support.catalogues import PLATFORM, RECORDER, Bridge, admitted, camera, node
from tests.support.hubs import Hub

ORG = "34020000002160000001"


async def find(hub: Hub, reader: str | Actor, **wanted: object) -> Found:
    actor = await hub.person(reader) if isinstance(reader, str) else reader
    return await hub.parts.devices.listing.find(actor, Wanted(**wanted))  # type: ignore[arg-type]


def names(found: Found) -> list[str]:
    return [one.record.name for one in found.items]


@pytest.mark.parametrize(
    ("account", "sees", "misses"),
    [
        ("dispatcher", {"青石桥下穿 东口", "青石桥北匝道", "云湖水闸 上游"}, set()),
        ("water", {"青石桥泵站 前池"}, {"青石桥下穿 东口"}),
        ("binjiang", {"青石桥下穿 东口", "青石桥下穿 西口"}, {"青石桥北匝道"}),
        ("emergency", set(), {"青石桥下穿 东口"}),
        ("reviewer", set(), {"青石桥下穿 东口"}),  # looks at recordings, not at cameras
    ],
)
async def test_cameras_a_reader_sees(hub: Hub, account: str, sees: set[str], misses: set[str]) -> None:
    found = await find(hub, account)
    assert sees <= set(names(found))
    assert not misses & set(names(found))
    assert found.total == len(found.items)


async def test_cameras_are_found_by_pinyin_of_name_and_place(hub: Hub) -> None:
    for q, count in (("qsq", 4), ("青石桥 泵站", 1), ("yunhushuizha", 1), ("nothing", 0), ("%", 0), ("_", 0)):
        found = await find(hub, "dispatcher", q=q)
        assert (len(found.items), found.total) == (count, count), q


async def test_pages(hub: Hub) -> None:
    zhou, listing = await hub.person("dispatcher"), hub.parts.devices.listing
    first = await listing.find(zhou, Wanted("qsq"), limit=3)
    rest = await listing.find(zhou, Wanted("qsq"), after=first.next, limit=3)
    assert (len(first.items), first.total, len(rest.items), rest.total, rest.next) == (3, 4, 1, 4, None)


async def test_cameras_of_a_catalogue_are_found_by_what_they_hang_under(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub, PLATFORM, "雪亮工程", "ops")
    await bridge.catalogue(
        PLATFORM, [node(ORG, "virtual", "临江大堤"), *(camera(n, f"K{n}", parents=[ORG]) for n in (8, 9)), camera(1)]
    )
    assert names(await find(hub, "dispatcher", q="ljdd")) == ["K8", "K9"]
    assert names(await find(hub, "dispatcher", q="临江 k9")) == ["K9"]
    assert names(await find(hub, "dispatcher", q="xlgc k8")) == ["K8"]
    assert names(await find(hub, "dispatcher", q="0013200")) == []
    assert names(await find(hub, "dispatcher", q=camera(1).channel)) == ["通道 1"]
    by_org = await find(hub, "dispatcher", q="滨江")
    assert {"青石桥下穿 东口", "青石桥下穿 西口"} <= set(names(by_org))
    assert "通道 1" not in names(by_org)
    assert names(await find(hub, "water", q="ljdd")) == []  # another organisation's


async def test_filters(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(1, "转", ptz=1), camera(2, "停", online=False), camera(3, "固", ptz=3)])
    assert names(await find(hub, "binjiang", online=True)) == ["青石桥下穿 东口", "青石桥下穿 西口"]
    await bridge.say(DeviceState(device=RECORDER, online=True))
    assert names(await find(hub, "binjiang", online=True))[2:] == ["转", "固"]
    assert names(await find(hub, "binjiang", online=False)) == ["停"]
    assert names(await find(hub, "binjiang", ptz=True)) == ["转"]
    assert "转" not in names(await find(hub, "binjiang", ptz=False))
    assert names(await find(hub, "binjiang", alarm=True)) == []
    assert len(names(await find(hub, "binjiang", alarm=False))) == 5


async def test_favourites_are_one_s_own(hub: Hub, bridge: Bridge) -> None:
    listing = hub.parts.devices.listing
    lin, zhou = await hub.person("binjiang"), await hub.person("dispatcher")
    first = (await find(hub, lin)).items[0].record.id
    for _ in range(2):
        await listing.favour(lin, first, on=True)
    found = await find(hub, lin, favourite=True)
    assert [(one.record.id, one.favourite) for one in found.items] == [(first, True)]
    assert names(await find(hub, zhou, favourite=True)) == []
    assert not (await listing.one(zhou, first)).favourite
    with pytest.raises(NotFound):
        await listing.favour(await hub.person("water"), first, on=True)
    for _ in range(2):
        await listing.favour(lin, first, on=False)
    assert names(await find(hub, lin, favourite=True)) == []


async def test_labels_bound_what_a_participant_sees(hub: Hub, bridge: Bridge) -> None:
    await hub.parts.devices.registry.create(HUB, RECORDER, "指挥部", hub.ids["binjiang"], label=Label.SENSITIVE)
    await bridge.catalogue(RECORDER, [camera(1, "指挥部内")])
    lin = await hub.person("binjiang")
    assert "指挥部内" in names(await find(hub, lin))
    guest = dataclasses.replace(lin, grants=(Grant(Role.PARTICIPANT, hub.ids["binjiang"]),))
    assert "指挥部内" not in names(await find(hub, guest))
    found = await find(hub, lin, q="指挥部内")
    with pytest.raises(NotFound):
        await hub.parts.devices.listing.one(guest, found.items[0].record.id)
