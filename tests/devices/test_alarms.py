from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from commhub.devices.kinds import KINDS, METHODS, said
from commhub.errors import Forbidden, NotFound
from commhub.events import Published
from commhub.media.messages import AlarmRaised
from commhub.model import utc_ns
from commhub.store import tables
from tests.support.catalogues import PLATFORM, RECORDER, Bridge, admitted, camera
from tests.support.hubs import Hub


def alarm(**more: Any) -> AlarmRaised:
    about: dict[str, Any] = {"device": RECORDER, "channel": camera(1).channel, "priority": 2, "method": 5, "kind": 6}
    return AlarmRaised(**{**about, "at": utc_ns(), **more})


@pytest.fixture
def heard(hub: Hub) -> list[Published]:
    heard: list[Published] = []
    hub.parts.events.listen(lambda one: heard.append(one) if one.event.type.startswith("alarm.") else None)
    return heard


async def full(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(1, "东口"), camera(2, "西口")])


async def listed(hub: Hub, account: str, *, open_only: bool = False, english: bool = False) -> list[Any]:
    alarms = hub.parts.devices.alarms
    return (await alarms.listed(await hub.person(account), english, open_only=open_only, camera=None, before=None, limit=50))[0]


async def test_an_alarm_of_a_camera(hub: Hub, bridge: Bridge, heard: list[Published]) -> None:
    await full(hub, bridge)
    await bridge.say(alarm(longitude=120.1, latitude=30.2))
    (one,) = await listed(hub, "binjiang")
    assert (one.level, one.kind, one.text, one.state) == (2, "intrusion", "入侵", "new")
    assert (one.camera.name, one.camera.org_name, one.device.name) == ("东口", "滨江区", "青石桥录像机")
    assert (one.position.longitude, one.position.latitude) == (120.1, 30.2)
    assert (await listed(hub, "binjiang", english=True))[0].text == "Intrusion"
    (event,) = heard
    assert event.event.type == "alarm.raised"
    assert event.event.data["alarm"]["id"] == one.id
    assert (event.event.data["alarm"]["text"], event.event.data["alarm"]["text_en"]) == ("入侵", "Intrusion")
    assert event.concerns(await hub.person("binjiang"))
    assert event.concerns(await hub.person("dispatcher"))
    assert not event.concerns(await hub.person("water"))
    assert not event.concerns(await hub.person("emergency"))
    found = await hub.parts.devices.listing.find(await hub.person("binjiang"), _with_alarm())
    assert [(item.record.name, item.alarm) for item in found.items] == [("东口", True)]


def _with_alarm() -> Any:
    from commhub.devices import Wanted

    return Wanted(alarm=True)


async def test_the_same_again_is_one(hub: Hub, bridge: Bridge, heard: list[Published]) -> None:
    await full(hub, bridge)
    for _ in range(5):
        await bridge.say(alarm())
    await bridge.say(alarm(kind=2), alarm(channel=camera(2).channel))
    found = await listed(hub, "binjiang")
    assert [(one.camera.name, one.kind, one.repeats) for one in found] == [
        ("西口", "intrusion", 0),
        ("东口", "motion", 0),
        ("东口", "intrusion", 4),
    ]
    assert len(heard) == 3


async def test_confirming(hub: Hub, bridge: Bridge, heard: list[Published]) -> None:
    await full(hub, bridge)
    await bridge.say(alarm())
    (one,) = await listed(hub, "binjiang")
    alarms = hub.parts.devices.alarms
    lin, water = await hub.person("binjiang"), await hub.person("water")
    with pytest.raises(NotFound):
        await alarms.confirm(water, one.id, "", english=False)
    with pytest.raises(NotFound):
        await alarms.confirm(lin, "01K00000000000000000000000", "", english=False)
    done = await alarms.confirm(lin, one.id, "已派人", english=False)
    assert (done.state, done.confirmed_by.name, done.note) == ("confirmed", lin.name, "已派人")  # type: ignore[union-attr]
    again = await alarms.confirm(await hub.person("dispatcher"), one.id, "x", english=False)
    assert (again.confirmed_by, again.note) == (done.confirmed_by, "已派人")
    assert [event.event.type for event in heard] == ["alarm.raised", "alarm.confirmed"]
    assert await listed(hub, "binjiang", open_only=True) == []
    async with hub.parts.store.reading() as reading:
        rows = await reading.all(sa.select(tables.audit.c.object).where(tables.audit.c.action == "alarm.confirm"))
    assert [row.object for row in rows] == ["入侵 东口 已派人"]
    await bridge.say(alarm())  # the next one is a new one
    assert len(await listed(hub, "binjiang", open_only=True)) == 1


async def test_who_may_only_look_may_not_confirm(hub: Hub, bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    from commhub.model import PERMISSIONS, Role

    await full(hub, bridge)
    await bridge.say(alarm())
    (one,) = await listed(hub, "binjiang")
    monkeypatch.setitem(PERMISSIONS, Role.DISPATCHER, PERMISSIONS[Role.DISPATCHER] - {"alarm.confirm"})
    with pytest.raises(Forbidden):
        await hub.parts.devices.alarms.confirm(await hub.person("binjiang"), one.id, "", english=False)


async def test_odd_alarms(hub: Hub, bridge: Bridge) -> None:
    await full(hub, bridge)
    await bridge.say(
        alarm(priority=0, method=99, kind=99, description="  水位\x00越警戒 \n 28.46 m " + "x" * 9999, at=0),
        alarm(priority=1 << 80, method=2, kind=1 << 80, channel="x" * 9_999, longitude=float("nan"), latitude=5.0),
        alarm(channel="34020000001340000001", method=2, kind=3),
        alarm(device=PLATFORM),
        alarm(device="nobody"),
    )
    disk, odd, water = await listed(hub, "binjiang")
    assert (water.level, water.kind, water.text[:17], len(water.text)) == (
        4,
        "other",
        "水位 越警戒 28.46 m xx"[:17],
        water.text.__len__(),
    )
    assert len(water.text) <= 500
    assert abs(utc_ns() // 10**9 - _seconds(water.at)) < 60
    assert (odd.level, odd.kind, odd.camera, odd.position) == (4, "device", None, None)
    assert (disk.kind, disk.camera, disk.device.name) == ("disk_full", None, "青石桥录像机")


def _seconds(at: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(at).timestamp()


async def test_a_device_s_own_alarm_is_its_only_camera_s(hub: Hub, bridge: Bridge) -> None:
    await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(1, "单机")])
    await bridge.say(alarm(channel=RECORDER, method=2, kind=1))
    (one,) = await listed(hub, "binjiang")
    assert (one.camera.name, one.kind) == ("单机", "video_lost")


async def test_a_device_that_shouts_is_heard_at_a_bounded_rate(hub: Hub, bridge: Bridge) -> None:
    await full(hub, bridge)
    await bridge.say(*(alarm(kind=number) for number in range(200)))
    assert 30 <= len(await listed(hub, "binjiang")) <= 40
    assert bridge.devices.alarms.dropped >= 160


async def test_pages(hub: Hub, bridge: Bridge) -> None:
    await full(hub, bridge)
    for kind in range(1, 6):
        await bridge.say(alarm(kind=kind))
    zhou, alarms = await hub.person("dispatcher"), hub.parts.devices.alarms
    seen: list[str] = []
    before = None
    while True:
        page, before = await alarms.listed(zhou, False, open_only=True, camera=None, before=before, limit=2)
        seen += [one.kind for one in page]
        if before is None:
            break
    assert seen == ["line_crossed", "removed_object", "left_object", "motion", "manual_video"]


def test_every_kind_has_a_name_of_its_own_and_both_languages() -> None:
    everything = [*METHODS.values(), *KINDS.values()]
    assert len({name for name, _, _ in everything}) == len(everything)
    assert all(chinese and english.isascii() for _, chinese, english in everything)
    assert said(5, 99) == METHODS[5]
    assert said(-1, -1) == METHODS[7]
