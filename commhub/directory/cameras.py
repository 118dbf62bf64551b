"""Cameras as records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from commhub.model import Label
from commhub.store import tables
from commhub.views import Org


@dataclass(frozen=True, slots=True)
class CameraRecord:
    id: str
    name: str
    place: str | None
    org: Org
    label: Label
    audio: bool
    protocol: str = "rtsp"  # or gb28181
    online: bool = True  # its device says so, and is there itself
    ptz: int = 0  # PTZType of GB/T 28181, 0 not said
    sub: bool = False  # has a second, smaller stream
    node_id: str | None = None
    position: tuple[float, float] | None = None  # longitude, latitude, WGS-84
    device_id: str = ""
    device: str = ""  # the code it signs in with
    channel: str = ""

    @property
    def movable(self) -> bool:
        """It turns, as far as it says: a dome, half dome, or remote gun (A.2.1.9)."""
        return self.ptz in (1, 2, 4, 5)

    def acts(self) -> tuple[str, ...]:
        """What may be done to it at all, by whoever has the right: names of permissions without ``camera.``."""
        if self.protocol != "gb28181":
            return ("open", "snapshot")
        move = () if self.ptz in (3, 6) else ("move",)  # fixed, panorama; one that says nothing may turn
        return ("open", *move, "control", "playback", "download", "snapshot", "voice")


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """How to open it. Never leaves the hub but to the bridge. ``gb28181://<device>/<channel>``: by the device's own call-in."""

    url: str
    user: str
    password: str
    transport: str
    sub_url: str = ""


def camera_query() -> sa.Select[Any]:
    """Rows for :func:`camera_record`."""
    o, p, d = tables.organisations.c, tables.places.c, tables.devices.c
    return (
        sa.select(
            tables.cameras,
            o.name.label("org_name"),
            o.short,
            p.name.label("place"),
            d.code.label("device_code"),
            d.online.label("device_online"),
        )
        .join_from(tables.cameras, tables.organisations)
        .outerjoin(tables.places, p.id == tables.cameras.c.place_id)
        .outerjoin(tables.devices, d.id == tables.cameras.c.device_id)
    )


def camera_record(row: sa.Row[Any]) -> CameraRecord:
    return CameraRecord(
        row.id,
        row.name,
        row.place,
        Org(id=row.org_id, name=row.org_name, short=row.short),
        Label(row.label),
        row.audio,
        protocol=row.protocol,
        online=row.online and not row.gone and (row.device_id is None or bool(row.device_online)),
        ptz=row.ptz,
        sub=row.sub,
        node_id=row.node_id,
        position=None if row.longitude is None or row.latitude is None else (row.longitude, row.latitude),
        device_id=row.device_id or "",
        device=row.device_code or "",
        channel=row.channel,
    )
