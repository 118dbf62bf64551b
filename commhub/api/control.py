"""/cameras/{id}/lock, /presets, /control: what may be done to a camera. Moving it by hand is said on ``/events``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from commhub.api.consultations import Body
from commhub.api.routes import Call, Routes
from commhub.control import Control, LockView
from commhub.control.shapes import Controlled, Presets

Word = Annotated[str, Field(max_length=100)]


class Doing(Body):
    """``verb`` and ``values`` as in the handbook; values are numbers as text, and names of presets."""

    verb: Annotated[str, Field(pattern="^[a-z_]{1,20}$")]
    values: Annotated[dict[Word, Word], Field(max_length=10, default_factory=dict)]


def routes(control: Control) -> Routes:
    r = Routes()

    @r.post("/cameras/{id}/lock", "camera.move", "Have it to oneself for a while, by rank.")
    async def take(call: Call) -> LockView:
        return await control.take(call.actor, call.path("id"))

    @r.delete("/cameras/{id}/lock", "camera.move", "Give it back; what moves stops.")
    async def give_back(call: Call) -> None:
        await control.give_back(call.actor, call.path("id"))

    @r.get("/cameras/{id}/presets", "camera.move", "Its presets, as the device lists them.")
    async def presets(call: Call) -> Presets:
        return Presets(items=await control.presets(call.actor, call.path("id")))

    @r.post(
        "/cameras/{id}/control",
        "camera.move",
        "An act: presets, cruises, scans, guard, recording, restart; some need more rights.",
    )
    async def act(call: Call, body: Doing) -> Controlled:
        await control.act(call.actor, call.path("id"), body.verb, body.values)
        return Controlled()

    return r
