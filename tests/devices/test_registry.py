from __future__ import annotations

import logging
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.devices.registry import QUARANTINE_LIMIT, Options
from commhub.errors import Conflict, Forbidden, Invalid, NotFound
from commhub.media.messages import Admitted, DeviceSeen, DeviceState, Terms, WayLearned
from commhub.model import HUB, Label
from commhub.store import tables
from tests.support import until
from tests.support.catalogues import CAMERA, PLATFORM, RECORDER, Bridge, admitted, camera
from tests.support.hubs import Hub


def holds(folder: Path, what: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and what in path.read_bytes()]


def seen(code: str = RECORDER) -> DeviceSeen:
    return DeviceSeen(code, "192.0.2.9:5060", "udp", "3.0", "IP Camera")


async def state(hub: Hub, code: str = RECORDER) -> str:
    async with hub.parts.store.reading() as reading:
        return str(await reading.value(sa.select(tables.devices.c.state).where(tables.devices.c.code == code)))


def newest(bridge: Bridge) -> Terms:
    last = bridge.told[-1]
    assert isinstance(last, Admitted)
    return last.devices[0]


async def told(bridge: Bridge, *codes: str) -> Admitted:
    """The bridge has been told of exactly these."""

    def last() -> list[str]:
        said = [one for one in bridge.told if isinstance(one, Admitted)]
        return sorted(one.device for one in said[-1].devices) if said else ["nothing yet"]

    await until(lambda: last() == sorted(codes), 5, f"{codes}, not {last()}")
    found = bridge.told[-1]
    assert isinstance(found, Admitted)
    return found


async def test_an_unknown_device_waits_until_it_is_admitted(hub: Hub, bridge: Bridge) -> None:
    registry, admin = hub.parts.devices.registry, await hub.person("admin")
    await told(bridge)
    await bridge.say(seen())
    await bridge.say(seen())
    rows, _ = await registry.listed(admin, state="quarantine")
    assert [(row.code, row.address, row.transport, row.version, row.manufacturer) for row in rows] == [
        (RECORDER, "192.0.2.9:5060", "udp", "3.0", "IP Camera")
    ]
    assert registry.by_code[RECORDER].state == "quarantine"
    password = await registry.admit(admin, rows[0].id, hub.ids["binjiang"], "青石桥录像机")
    (terms,) = (await told(bridge, RECORDER)).devices
    assert (terms.password, terms.algorithm, terms.way) == (password, "MD5", "")
    assert len(password) == 16
    assert await state(hub) == "admitted"
    again = await registry.admit(admin, rows[0].id, hub.ids["binjiang"])
    assert again != password
    await registry.refuse(admin, rows[0].id)
    await told(bridge)
    assert await state(hub) == "refused"
    await bridge.say(seen())  # it calls again, and stays refused
    assert await state(hub) == "refused"


async def test_every_device_has_a_password_of_its_own_that_nobody_can_read(
    hub: Hub, bridge: Bridge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    registry = hub.parts.devices.registry
    made = [await registry.create(HUB, f"3402000000118{n:07d}", "录像机", hub.ids["binjiang"]) for n in range(20)]
    passwords = {password for _, password in made}
    assert len(passwords) == 20
    assert {one.password for one in await registry.terms()} == passwords
    for password in passwords:
        assert holds(tmp_path, password.encode()) == []
        assert password not in caplog.text


async def test_the_bridge_hears_what_a_device_has_to_be_spoken_to_by(hub: Hub, bridge: Bridge) -> None:
    registry, admin = hub.parts.devices.registry, await hub.person("admin")
    options = Options(algorithm="SHA-256", gcj02=True, guard=True)
    device, _ = await registry.create(admin, RECORDER, "录像机", hub.ids["binjiang"], way="udp", options=options)
    (terms,) = (await told(bridge, RECORDER)).devices
    assert (terms.algorithm, terms.gcj02, terms.guard, terms.reset, terms.way) == ("SHA-256", True, True, True, "udp")
    await bridge.say(WayLearned(RECORDER, "tcp-passive"))
    await until(lambda: newest(bridge).worked == "tcp-passive", 5)
    await registry.change(admin, device, way="", options=Options(date=False))
    await until(lambda: not newest(bridge).date, 5)
    assert newest(bridge).way == ""
    bridge.devices.unlinked()
    bridge.told.clear()
    bridge.link()
    await told(bridge, RECORDER)  # again after every link


async def test_who_may_admit_whom(hub: Hub, bridge: Bridge) -> None:
    registry = hub.parts.devices.registry
    lin, admin, zhou = await hub.person("binjiang"), await hub.person("admin"), await hub.person("dispatcher")
    await bridge.say(seen())
    assert [row.code for row in (await registry.listed(admin))[0]] == [RECORDER]
    assert [row.code for row in (await registry.listed(lin))[0]] == []
    assert [row.code for row in (await registry.listed(zhou))[0]] == [RECORDER]  # the city's: he may look
    device = registry.by_code[RECORDER].id
    with pytest.raises(Forbidden):
        await registry.admit(lin, device, hub.ids["binjiang"])
    with pytest.raises(NotFound):
        await registry.admit(admin, device, "01K00000000000000000000000")
    with pytest.raises(NotFound):
        await registry.admit(admin, "01K00000000000000000000000", hub.ids["binjiang"])
    with pytest.raises(Invalid, match="20 digits"):
        await registry.create(admin, "1234", "x", hub.ids["binjiang"])
    await registry.admit(admin, device, hub.ids["binjiang"])
    with pytest.raises(Conflict):
        await registry.create(admin, RECORDER, "x", hub.ids["binjiang"])
    assert [row.code for row in (await registry.listed(lin))[0]] == [RECORDER]
    assert [row.code for row in (await registry.listed(await hub.person("water")))[0]] == []


async def test_another_owner_or_label_goes_to_the_cameras_at_once(hub: Hub, bridge: Bridge) -> None:
    registry, admin = hub.parts.devices.registry, await hub.person("admin")
    device = await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(1)])
    await registry.change(admin, device, name="水务录像机", org=hub.ids["water"], label=Label.SENSITIVE)
    c = tables.cameras.c
    async with hub.parts.store.reading() as reading:
        row = await reading.first(sa.select(c.org_id, c.label).where(c.device_id == device))
        assert tuple(row or ()) == (hub.ids["water"], "sensitive")
        audited = await reading.all(sa.select(tables.audit.c.object).where(tables.audit.c.action == "device.admit"))
    assert f"org_id={hub.ids['water']} label=sensitive" in audited[-1].object


async def test_a_deleted_device_that_comes_again_has_the_same_cameras(hub: Hub, bridge: Bridge) -> None:
    registry, admin = hub.parts.devices.registry, await hub.person("admin")
    device = await admitted(hub)
    await bridge.catalogue(RECORDER, [camera(1)])
    c = tables.cameras.c
    mine = sa.select(c.id, c.gone, c.device_id).where(c.channel == camera(1).channel)
    async with hub.parts.store.reading() as reading:
        before = await reading.first(mine)
    await registry.delete(admin, device)
    await told(bridge)
    async with hub.parts.store.reading() as reading:
        assert (await reading.first(mine)).gone  # type: ignore[union-attr]
    await bridge.say(seen())
    again = registry.by_code[RECORDER].id
    await registry.admit(admin, again, hub.ids["water"])
    await bridge.catalogue(RECORDER, [camera(1)])
    async with hub.parts.store.reading() as reading:
        after = await reading.first(mine)
    assert before is not None
    assert after is not None
    assert (after.id, after.gone, after.device_id) == (before.id, False, again)


async def test_quarantine_is_bounded(hub: Hub, bridge: Bridge) -> None:
    registry = hub.parts.devices.registry
    async with hub.parts.store.transaction() as transaction:
        for number in range(QUARANTINE_LIMIT + 20):
            await registry.seen(transaction, seen(f"3402000000118{number:07d}"))
    waiting = [one for one in registry.by_code.values() if one.state == "quarantine"]
    assert len(waiting) == QUARANTINE_LIMIT
    assert max(one.code for one in waiting).endswith(str(QUARANTINE_LIMIT + 19))
    for number in range(1_000):  # a flood is heard in part only
        bridge.devices.receive(seen(f"3402000000119{number:07d}"))
    assert bridge.devices.waiting <= 201
    await bridge.say(seen("not a code"))
    assert "not a code" not in registry.by_code


async def test_how_a_device_is(hub: Hub, bridge: Bridge) -> None:
    device = await admitted(hub)
    on = DeviceState(
        device=RECORDER, online=True, address="192.0.2.9:5060", transport="tcp", version="3.0", heartbeat=59.96,
        manufacturer="H", model="NVR", firmware="1.0",
    )  # fmt: skip
    await bridge.say(on)
    await bridge.say(DeviceState(device=RECORDER, online=False, code="silent", text="Silent.", text_zh="连续三次无心跳。"))
    async with hub.parts.store.reading() as reading:
        shown = await hub.parts.devices.shown(reading, device, english=True)
        chinese = await hub.parts.devices.shown(reading, device, english=False)
    assert (shown.online, shown.address, shown.transport, shown.model) == (False, "192.0.2.9:5060", "tcp", "NVR")
    assert shown.heartbeat_seconds == 60.0
    assert shown.reason is not None
    assert shown.seen_at is not None
    assert (shown.reason.code, shown.reason.text) == ("silent", "Silent.")
    assert chinese.reason is not None
    assert chinese.reason.text == "连续三次无心跳。"
    await bridge.say(on)
    assert hub.parts.devices.registry.by_code[RECORDER].online
    await bridge.say(DeviceState(device=PLATFORM, online=True), DeviceState(device=CAMERA, online=True))
    assert PLATFORM not in hub.parts.devices.registry.by_code


async def test_devices_of_a_bridge_that_stays_away_are_gone(hub: Hub, bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.devices.devices.AWAY", 0.0)
    await admitted(hub)
    await bridge.say(DeviceState(device=RECORDER, online=True))
    bridge.devices.unlinked()
    registry = hub.parts.devices.registry
    await until(lambda: not registry.by_code[RECORDER].online, 10, "the device to be gone")


async def test_restarted_hub_knows_its_devices(hub: Hub, bridge: Bridge) -> None:
    from commhub.devices import Registry
    from commhub.vault import Vault

    await admitted(hub)
    fresh = Registry(hub.parts.store, Vault(hub.folder / "secrets"))
    await fresh.open()
    assert fresh.by_code == hub.parts.devices.registry.by_code
    assert await fresh.terms() == await hub.parts.devices.registry.terms()
