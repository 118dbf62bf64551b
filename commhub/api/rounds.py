"""/rounds and /layouts: walls that change by themselves, and walls that are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from commhub.api.consultations import Body, Id, Title
from commhub.api.routes import Call, Routes
from commhub.desk.rounds import CAMERAS, LAYOUTS, TILES, Layout, LayoutList, Round, RoundList, Rounds


def _grid(tiles: int) -> int:
    if tiles not in TILES:
        raise ValueError(f"There are walls of {', '.join(map(str, TILES))} tiles.")
    return tiles


Cameras = Annotated[list[Id], Field(min_length=1, max_length=CAMERAS)]
Tiles = Annotated[int, AfterValidator(_grid)]
Dwell = Annotated[int, Field(ge=5, le=3600)]


class NewRound(Body):
    name: Title
    cameras: Cameras
    tiles: Tiles
    dwell_seconds: Dwell


class RoundChange(Body):
    name: Title | None = None
    cameras: Cameras | None = None
    tiles: Tiles | None = None
    dwell_seconds: Dwell | None = None


class Kept(Body):
    items: Annotated[list[Layout], Field(max_length=LAYOUTS)]


def routes(rounds: Rounds) -> Routes:
    r = Routes()

    @r.get("/rounds", "round.edit", "Rounds of the organisations the reader reaches.")
    async def listed(call: Call) -> RoundList:
        return await rounds.listed(call.actor)

    @r.post("/rounds", "round.edit", "Make one.", status=201)
    async def make(call: Call, body: NewRound) -> Round:
        return await rounds.make(call.actor, body.name, body.cameras, body.tiles, body.dwell_seconds)

    @r.patch("/rounds/{id}", "round.edit", "Change one.")
    async def change(call: Call, body: RoundChange) -> Round:
        return await rounds.change(call.actor, call.path("id"), body.model_dump(exclude_none=True))

    @r.delete("/rounds/{id}", "round.edit", "Remove one.")
    async def remove(call: Call) -> None:
        await rounds.remove(call.actor, call.path("id"))

    @r.get("/layouts", "camera.open", "The reader's saved walls.")
    async def layouts(call: Call) -> LayoutList:
        return await rounds.layouts(call.actor)

    @r.put("/layouts", "camera.open", "All of them, as a whole.")
    async def keep(call: Call, body: Kept) -> LayoutList:
        return await rounds.keep(call.actor, LayoutList(items=body.items))

    return r
