from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from commhub.media.messages import CataloguePart, Channel, ChannelsChanged, DeviceState
from commhub.model import HUB
from commhub.store import tables
from tests.support import until
from tests.support.catalogues import PLATFORM, RECORDER, Bridge, admitted, camera, node
from tests.support.hubs import Hub


async def rows(hub: Hub, device: str = RECORDER) -> dict[str, Any]:
    """By channel."""
    c = tables.cameras.c
    async with hub.parts.store.reading() as reading:
        found = await reading.all(sa.select(tables.cameras).where(c.key.like(f"{device}/%")).order_by(c.id))
    return {row.channel: row for row in found}


async def catalogue(hub: Hub, device: str) -> tuple[str, int, int]:
    d = tables.devices.c
    async with hub.parts.store.reading() as reading:
        row = await reading.first(sa.select(tables.devices).where(d.id == device))
    assert row is not None
    return row.catalogue_state, row.catalogue_received, row.catalogue_total


async def test_a_catalogue_becomes_cameras_with_an_owner(hub: Hub, bridge: Bridge) -> None:
    device = await admitted(hub)
    one = camera(1, " 青石桥\t东口\x00 ", ptz=1, streams=2, longitude=120.1, latitude=30.2, manufacturer="H", more={"Block": "1"})
    await bridge.catalogue(RECORDER, [one, camera(2, online=False, streams=1, longitude=0.0, latitude=0.0), camera(3, "  ")])
    found = await rows(hub)
    assert [row.name for row in found.values()] == ["青石桥 东口", "通道 2", camera(3).channel]
    first, second, _ = found.values()
    assert (first.org_id, first.label, first.protocol, first.ptz, first.sub) == (
        hub.ids["binjiang"],
        "internal",
        "gb28181",
        1,
        True,
    )
    assert (first.longitude, first.latitude, first.online, first.device_id) == (120.1, 30.2, True, device)
    assert '"Block":"1"' in first.about
    assert "qsqdongkou" not in first.search
    assert "qsq dk" in first.search
    assert (second.online, second.sub, second.longitude) == (False, False, None)
    assert await catalogue(hub, device) == ("complete", 3, 3)
    record = await hub.parts.directory.camera(first.id)
    assert (record.device, record.channel, record.online, record.movable) == (RECORDER, camera(1).channel, False, True)
    address = await hub.parts.directory.address(first.id)
    assert (address.url, address.password) == (f"gb28181://{RECORDER}/{camera(1).channel}", "")


async def test_the_same_channel_under_two_devices_is_two_cameras(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub)
    await admitted(hub, PLATFORM, "雪亮工程", "ops")
    await bridge.catalogue(RECORDER, [camera(1, "东口")])
    await bridge.catalogue(PLATFORM, [camera(1, "东口")])
    here, there = (await rows(hub, RECORDER)).values(), (await rows(hub, PLATFORM)).values()
    assert {row.id for row in here} & {row.id for row in there} == set()
    assert [row.org_id for row in (*here, *there)] == [hub.ids["binjiang"], hub.ids["ops"]]


async def test_what_a_complete_run_lacks_is_gone_and_comes_back_with_its_id(hub: Hub, bridge: Bridge) -> None:
    device = await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 8)])
    before = await rows(hub)
    await bridge.catalogue(RECORDER, [camera(n) for n in (1, 2, 7)])
    after = await rows(hub)
    assert [row.gone for row in after.values()] == [False, False, True, True, True, True, False]
    assert (await catalogue(hub, device))[0] == "complete"
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 8)])
    again = await rows(hub)
    assert not any(row.gone for row in again.values())
    assert {key: row.id for key, row in again.items()} == {key: row.id for key, row in before.items()}


async def test_a_lost_page_deletes_nothing(hub: Hub, bridge: Bridge) -> None:
    device = await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 8)])
    await bridge.catalogue(RECORDER, [camera(1), camera(2)], complete=False)
    assert not any(row.gone for row in (await rows(hub)).values())
    assert (await catalogue(hub, device))[0] == "incomplete"
    # Nor does a device that is not ready and names none.
    await bridge.catalogue(RECORDER, [])
    assert not any(row.gone for row in (await rows(hub)).values())


async def test_a_run_heard_from_its_middle_deletes_nothing(hub: Hub, bridge: Bridge) -> None:
    """The hub was started again, or the link was lost, while a catalogue came in."""
    await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 8)])
    bridge.devices.receive(CataloguePart(RECORDER, 9, [camera(5)], received=5, total=6, told=5))
    bridge.devices.receive(CataloguePart(RECORDER, 9, [camera(6)], received=6, total=6, last=True, complete=True, told=6))
    await bridge.written()
    assert not any(row.gone for row in (await rows(hub)).values())


async def test_a_link_that_breaks_ends_a_run_as_incomplete(hub: Hub, bridge: Bridge) -> None:
    device = await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 8)], last=False)
    assert await catalogue(hub, device) == ("running", 7, 7)
    bridge.devices.unlinked()
    await bridge.written()
    assert (await catalogue(hub, device))[0] == "incomplete"


async def test_a_run_that_changes_nothing_writes_nothing(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub)
    told = [camera(n, ptz=n) for n in range(1, 6)]
    await bridge.catalogue(RECORDER, told)
    written: list[str] = []

    @sa.event.listens_for(hub.parts.store._engine.sync_engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        written.append(statement)

    await bridge.catalogue(RECORDER, told)
    assert not [one for one in written if one.startswith(("INSERT INTO cameras", "UPDATE cameras", "INSERT INTO camera_nodes"))]
    await bridge.catalogue(RECORDER, [*told[:4], camera(5, "新的名称")])
    assert len([one for one in written if one.startswith("UPDATE cameras")]) == 2
    assert "xdmc" in (await rows(hub))[camera(5).channel].search


async def test_notifications(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 5)])
    signs = [Channel(camera(n).channel, event=event) for n, event in ((1, "OFF"), (2, "VLOST"), (3, "DEL"), (9, "ON"))]
    await bridge.say(ChannelsChanged(RECORDER, [*signs, camera(5, "新增", event="ADD"), camera(4, "改名", event="UPDATE")]))
    found = await rows(hub)
    assert [(row.online, row.gone) for row in found.values()] == [
        (False, False),
        (False, False),
        (False, True),
        (True, False),
        (True, False),
    ]
    assert [row.name for row in found.values()][-2:] == ["改名", "新增"]
    await bridge.say(ChannelsChanged(RECORDER, [Channel(camera(n).channel, event="ON") for n in (1, 2, 3)]))
    assert all((row.online, row.gone) == (True, False) for row in (await rows(hub)).values())


async def test_what_hangs_above_cameras_may_come_after_them(hub: Hub, bridge: Bridge) -> None:
    group = "34020000002150000001"
    await admitted(hub, PLATFORM, "雪亮工程", "ops")
    await bridge.catalogue(PLATFORM, [camera(1, parents=[group]), camera(2, region="330106"), node(group, "group", "汛期")])
    found = await rows(hub, PLATFORM)
    async with hub.parts.store.reading() as reading:
        nodes = {row.id: row for row in await reading.all(sa.select(tables.camera_nodes))}
    assert nodes[found[camera(1).channel].node_id].name == "汛期"
    assert nodes[found[camera(2).channel].node_id].name == "行政区 330106"


async def test_nobody_else_writes_catalogues(hub: Hub, bridge: Bridge) -> None:
    device = await admitted(hub)
    await bridge.catalogue(PLATFORM, [camera(1)])
    await hub.parts.devices.registry.refuse(await hub.person("admin"), device)
    await bridge.catalogue(RECORDER, [camera(1)])
    assert await rows(hub, PLATFORM) == await rows(hub) == {}


async def test_hostile_entries(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub)
    odd = [
        Channel("../../etc/passwd", name="x"),
        Channel("", name="x"),
        Channel("1" * 41, name="x"),
        Channel("a b", name="x"),
        Channel("34020000001320000007", name="名" * 5000, more={"x": "y" * 10_000}, ptz=-4, longitude=1e9, latitude=float("nan")),
        Channel("34020000001320000008", name="' OR 1=1 --%_\\", parents=["\x00"] * 50, group="?", region="x" * 9_999),
    ]
    await bridge.catalogue(RECORDER, odd)
    found = await rows(hub)
    assert set(found) == {"34020000001320000007", "34020000001320000008"}
    first = found["34020000001320000007"]
    assert (len(first.name), first.ptz, first.longitude) == (200, 0, None)
    assert len(first.about) <= 2_000
    assert bridge.devices.intake.refused == 4


async def test_a_large_part_is_cut_and_many_small_ones_are_joined(hub: Hub, bridge: Bridge) -> None:
    device = await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 1_203)], size=2_000)
    assert await catalogue(hub, device) == ("complete", 1_202, 1_202)
    assert list(await rows(hub)) == [camera(n).channel for n in range(1, 1_203)]  # in the order of the catalogue
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 1_202)], size=1)
    assert [row.channel for row in (await rows(hub)).values() if row.gone] == [camera(1_202).channel]


async def test_another_password_or_name_does_not_touch_what_is_there(hub: Hub, bridge: Bridge) -> None:
    device = await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(1)])
    await hub.parts.devices.registry.admit(HUB, device, hub.ids["binjiang"], "新名称")
    await bridge.catalogue(RECORDER, [camera(1)])
    (row,) = (await rows(hub)).values()
    assert (row.gone, row.org_id) == (False, hub.ids["binjiang"])


async def test_a_batch_that_cannot_be_written_is_not_taken_for_a_complete_one(
    hub: Hub, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 5)])
    intake = bridge.devices.intake
    write = intake._write

    async def torn(*words: Any) -> Any:
        monkeypatch.setattr(intake, "_write", write)
        await write(*words)
        raise OSError("the disk is full")

    monkeypatch.setattr(intake, "_write", torn)
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 4)], last=False)  # the first part is lost, the last is not
    bridge.devices.receive(CataloguePart(RECORDER, bridge.runs, [], received=3, total=3, last=True, complete=True, told=3))
    await bridge.written()
    assert not any(row.gone for row in (await rows(hub)).values())
    assert (await catalogue(hub, device))[0] == "incomplete"
    monkeypatch.setattr(intake, "_write", torn)
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 4)])  # all of it is lost
    assert not any(row.gone for row in (await rows(hub)).values())
    assert (await catalogue(hub, device))[0] == "incomplete"
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 4)])
    assert [row.gone for row in (await rows(hub)).values()] == [False, False, False, True]


async def test_people_are_told_what_changed_but_not_of_every_change(
    hub: Hub, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commhub.devices.devices.NEWS", 0.3)
    device = await admitted(hub)
    await bridge.say(DeviceState(device=RECORDER, online=True))
    told: list[dict[str, Any]] = []
    hub.parts.events.listen(lambda one: told.append(one.event.data["device"]))
    await bridge.catalogue(RECORDER, [camera(n) for n in range(1, 4)])
    assert (told[-1]["id"], told[-1]["catalogue"]["state"], told[-1]["channels_online"]) == (device, "complete", 3)
    before = len(told)
    for number in (1, 2, 3) * 5:
        await bridge.say(ChannelsChanged(RECORDER, [Channel(camera(number).channel, event="OFF")]))
    await until(lambda: told[-1]["channels_online"] == 0, 5, "the last of it to be told")
    assert len(told) - before < 8
