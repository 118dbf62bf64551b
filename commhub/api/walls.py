"""/views: a terminal's own room with cameras."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from commhub.api.consultations import Body, Id
from commhub.api.gate import Gate
from commhub.api.routes import Call, Routes
from commhub.desk import LIMIT, Walls
from commhub.desk.shapes import Tile, Tiles, WallJoining
from commhub.feeds import Condition, seat_of
from commhub.views import Reason


class Opening(Body):
    """``terminal`` is a ULID the page keeps."""

    terminal: Id


class Wanted(Body):
    """The whole wall, with what a round shows next."""

    cameras: Annotated[list[Id], Field(max_length=LIMIT)]


def reason_of(condition: Condition, english: bool) -> Reason | None:
    text = condition.text if english else condition.text_zh or condition.text
    return Reason(code=condition.code, text=text) if condition.code else None


def routes(gate: Gate, walls: Walls) -> Routes:
    r = Routes()

    @r.post("/views", "camera.open", "A ticket into the terminal's own room, for ten minutes.")
    async def opening(call: Call, body: Opening) -> WallJoining:
        scheme = "wss" if gate.scheme(call.request) == "https" else "ws"
        return await walls.open(call.actor, body.terminal, f"{scheme}://{call.request.host}")

    @r.put("/views/{terminal}", "camera.open", "The cameras that are to be in it; those left out say why.")
    async def show(call: Call, body: Wanted) -> Tiles:
        shown = await walls.show(call.actor, call.path("terminal"), body.cameras)
        return Tiles(
            items=[
                Tile.model_validate(
                    {
                        "camera_id": camera,
                        "identity": seat_of(camera),
                        "state": condition.state,
                        "reason": reason_of(condition, call.english),
                    }
                )
                for camera, condition in shown.items()
            ]
        )

    @r.delete("/views/{terminal}", "camera.open", "Close it with all its cameras.")
    async def shut(call: Call) -> None:
        await walls.shut(call.actor, call.path("terminal"))

    return r
