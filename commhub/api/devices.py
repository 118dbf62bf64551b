"""/devices: who waits, who may call in, and their catalogues."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from commhub.api.consultations import Body, Id, Query, Title
from commhub.api.routes import Call, Routes
from commhub.devices import Devices
from commhub.devices.devices import counts, shown
from commhub.devices.shapes import AdmittedDevice, Device, DeviceOptions
from commhub.model import Label
from commhub.store import Store
from commhub.views import Page

Way = Literal["", "udp", "tcp-passive", "tcp-active"]


class DeviceSearch(Body):
    state: Literal["", "quarantine", "admitted", "refused"] = ""
    q: Query = ""
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class NewDevice(Body):
    """``code`` is what it signs in with (GB/T 28181, appendix E)."""

    code: Annotated[str, Field(pattern="^[0-9]{20}$")]
    name: Title
    org_id: Id
    label: Label = Label.INTERNAL
    way: Way = ""
    options: DeviceOptions = DeviceOptions()


class DeviceAdmission(Body):
    """Without ``name`` it keeps the one it has."""

    org_id: Id
    name: Title | None = None
    label: Label | None = None


class DeviceChange(Body):
    name: Title | None = None
    org_id: Id | None = None
    label: Label | None = None
    way: Way | None = None
    options: DeviceOptions | None = None


def routes(store: Store, devices: Devices) -> Routes:
    r = Routes()
    registry = devices.registry

    async def view(call: Call, device: str) -> Device:
        async with store.reading() as reading:
            return await devices.shown(reading, device, call.english)

    @r.get(
        "/devices", "device.list", "Devices of the reader's organisations; who waits or was refused only to those who may admit."
    )
    async def listing(call: Call, query: DeviceSearch) -> Page[Device]:
        rows, after = await registry.listed(call.actor, state=query.state, q=query.q, after=query.cursor, limit=query.limit)
        async with store.reading() as reading:
            counted = await counts(reading, rows)
        return Page(items=[shown(row, counted[row.id], call.english) for row in rows], next=after)

    @r.post("/devices", "device.admit", "Admit a device that has not called yet; its password is shown once.", status=201)
    async def create(call: Call, body: NewDevice) -> AdmittedDevice:
        device, password = await registry.create(
            call.actor,
            body.code,
            body.name,
            body.org_id,
            label=body.label,
            way=body.way,
            options=body.options.stored(),
        )
        return AdmittedDevice(device=await view(call, device), password=password)

    @r.patch("/devices/{id}", "device.admit", "Its name, its owner, and how it is spoken to.")
    async def change(call: Call, body: DeviceChange) -> Device:
        options = body.options.stored() if body.options is not None else None
        await registry.change(
            call.actor,
            call.path("id"),
            name=body.name,
            org=body.org_id,
            label=body.label,
            way=body.way,
            options=options,
        )
        return await view(call, call.path("id"))

    @r.post("/devices/{id}/admit", "device.admit", "Let it in, with a new password that is shown once.")
    async def admit(call: Call, body: DeviceAdmission) -> AdmittedDevice:
        password = await registry.admit(call.actor, call.path("id"), body.org_id, body.name or "", body.label)
        return AdmittedDevice(device=await view(call, call.path("id")), password=password)

    @r.post("/devices/{id}/refuse", "device.admit", "It is not let in.")
    async def refuse(call: Call) -> Device:
        await registry.refuse(call.actor, call.path("id"))
        return await view(call, call.path("id"))

    @r.post("/devices/{id}/catalogue", "device.list", "Ask for its catalogue anew.", status=202)
    async def catalogue(call: Call) -> Device:
        await devices.refresh(call.actor, call.path("id"))
        return await view(call, call.path("id"))

    @r.delete("/devices/{id}", "device.admit", "Forget it; its cameras are there again when it is.")
    async def delete(call: Call) -> None:
        await registry.delete(call.actor, call.path("id"))

    return r
