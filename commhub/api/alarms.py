"""/alarms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from commhub.api.consultations import Body, Id
from commhub.api.routes import Call, Routes
from commhub.devices import Devices
from commhub.devices.shapes import Alarm
from commhub.views import Page


class AlarmSearch(Body):
    state: Literal["open", "all"] = "open"
    camera: Id | None = None
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class Confirmation(Body):
    note: Annotated[str, Field(max_length=500)] = ""


def routes(devices: Devices) -> Routes:
    r = Routes()

    @r.get("/alarms", "alarm.list", "Alarms of cameras and devices the reader may see, newest first.")
    async def listing(call: Call, query: AlarmSearch) -> Page[Alarm]:
        items, after = await devices.alarms.listed(
            call.actor,
            call.english,
            open_only=query.state == "open",
            camera=query.camera,
            before=query.cursor,
            limit=query.limit,
        )
        return Page(items=items, next=after)

    @r.post("/alarms/{id}/confirm", "alarm.confirm", "Somebody has seen it, and says what was done.")
    async def confirm(call: Call, body: Confirmation) -> Alarm:
        return await devices.alarms.confirm(call.actor, call.path("id"), " ".join(body.note.split()), call.english)

    return r
