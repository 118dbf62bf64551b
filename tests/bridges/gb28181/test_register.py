from __future__ import annotations

import time
from pathlib import Path

from bridges.gb28181.devices import Device, Entry
from bridges.gb28181.register import Register
from bridges.sip.transaction import Flow
from commhub.media.messages import DeviceState, Terms
from tests.support.gb_platform import DEVICE, FLOW, Camera, Table


def device(**more: object) -> Device:
    made = Device(
        Terms(DEVICE, "secret"), flow=FLOW, host=FLOW.host, call_id="c", registered=True, registered_at=100.0, expires=3600
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_what_is_written_is_read(tmp_path: Path) -> None:
    register = Register(tmp_path / "devices")
    register.write([device(version="3.0", name="门"), device(registered=False), device(flow=Flow("TCP", "x", 1, "", 3))], 100.0)
    (entry,) = register.read()
    assert (entry.device, entry.host, entry.port, entry.version, entry.name) == (DEVICE, "192.0.2.64", 5060, "3.0", "门")
    assert abs(entry.ends - time.time() - 3600) < 60
    assert (tmp_path / "devices").stat().st_mode & 0o777 == 0o600
    assert b"secret" not in (tmp_path / "devices").read_bytes()


def test_what_cannot_be_read_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "devices"
    assert Register(path).read() == []
    path.write_bytes(b"\xc1garbage")
    assert Register(path).read() == []
    Register(path).write([device(expires=1)], 1_000_000.0)
    assert Register(path).read() == []  # it has run out long ago


def restored(heartbeat: float = 20.0, ends: float = 3000.0) -> tuple[Table, Camera]:
    table = Table(admitted=False)
    entry = Entry(DEVICE, FLOW.host, FLOW.port, "call-1", 1_000_000 + ends, 1_000_000.0, heartbeat, "3.0")
    table.take(table.platform.restore([entry], {DEVICE: FLOW}, 1_000_000.0, table.now))
    return table, Camera(table)


def test_a_restored_device_is_there_once_it_is_admitted() -> None:
    table, camera = restored()
    assert not table.told(DeviceState)
    table.admit(Terms(DEVICE, "secret"))
    assert [(one.online, one.heartbeat) for one in table.told(DeviceState)] == [(True, 20.0)]
    table.wait(1)
    assert [one.command for one in table.documents()] == ["DeviceInfo"]
    assert camera.beat().status == 200


def test_a_restored_device_that_is_silent_goes() -> None:
    table, _ = restored()
    table.admit(Terms(DEVICE, "secret"))
    table.wait(62)
    assert table.told(DeviceState)[-1].code == "silent"


def test_who_is_not_admitted_any_more_is_not_restored() -> None:
    table, camera = restored()
    table.admit()
    assert camera.beat().status == 403


def test_one_whose_registration_ran_out_is_not_restored() -> None:
    table, camera = restored(ends=-1)
    table.admit(Terms(DEVICE, "secret"))
    assert not table.told(DeviceState)
    assert camera.beat().status == 403
