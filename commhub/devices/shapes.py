"""What programs outside see of devices, their trees and their alarms."""

from __future__ import annotations

from typing import Literal

from commhub.devices.registry import Options
from commhub.model import Label
from commhub.views import OrgName, Page, Position, Reason, Time, View


class Node(View):
    """A place in the tree of cameras: ``online`` of ``total`` cameras below it. A leaf has no nodes below it."""

    id: str
    kind: Literal["organisation", "platform", "region", "system", "group", "virtual", "device"]
    name: str
    parent_id: str | None
    online: int
    total: int
    leaf: bool


class Catalogue(View):
    """``incomplete``: the last run has lost some. ``total`` is what the device announced."""

    state: Literal["idle", "running", "complete", "incomplete"]
    received: int
    total: int
    at: Time | None


class DeviceOptions(View):
    """How it has to be spoken to. ``local_times``: it takes the times of a playback for local ones; ``gcj02``: its positions are
    not WGS-84; ``reset``: its alarms are reset; ``guard``: it raises none unless its guard is set; ``positions``: asked for."""

    algorithm: Literal["MD5", "SHA-256"] = "MD5"
    date: bool = True
    local_times: bool = False
    gcj02: bool = False
    reset: bool = True
    guard: bool = False
    positions: bool = False

    def stored(self) -> Options:
        return Options(**self.model_dump())


class Device(View):
    """A recorder, a camera or a lower platform that calls in. ``reason`` says why it is not there."""

    id: str
    code: str
    name: str
    org: OrgName | None
    label: Label
    state: Literal["quarantine", "admitted", "refused"]
    online: bool
    address: str
    transport: str
    version: str
    manufacturer: str
    model: str
    firmware: str
    channels: int
    channels_online: int
    heartbeat_seconds: float | None
    seen_at: Time | None
    reason: Reason | None
    way: Literal["", "udp", "tcp-passive", "tcp-active"]
    worked: str
    options: DeviceOptions
    catalogue: Catalogue


class AdmittedDevice(View):
    """``password`` is for the device's form; nobody is told it again."""

    device: Device
    password: str


class AlarmCamera(View):
    id: str
    name: str
    org_name: str


class AlarmDevice(View):
    id: str
    name: str


class Confirmer(View):
    name: str


class Alarm(View):
    """``level`` 1 is the gravest. ``kind`` is stable, ``text`` for people; ``repeats``: the same again shortly after."""

    id: str
    camera: AlarmCamera | None
    device: AlarmDevice
    level: Literal[1, 2, 3, 4]
    kind: str
    text: str
    at: Time
    state: Literal["new", "confirmed"]
    repeats: int
    confirmed_by: Confirmer | None
    confirmed_at: Time | None
    note: str
    position: Position | None


class Nodes(Page[Node]):
    """In order, organisations first."""
