"""/cameras/{id}/recordings and /playbacks: what lies on devices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from commhub.api.consultations import Body, Id
from commhub.api.routes import Call, Routes
from commhub.desk.playbacks import PlaybackList, Playbacks, PlaybackView, RecordedList


class Period(Body):
    start: Annotated[AwareDatetime, Field(alias="from")]
    end: Annotated[AwareDatetime, Field(alias="to")]


class RecordedWhen(Period):
    kind: Literal["all", "time", "alarm", "manual"] = "all"


class NewPlayback(Period):
    """Into one of the two."""

    camera_id: Id
    terminal: Id | None = None
    consultation_id: Id | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> NewPlayback:
        if (self.terminal is None) == (self.consultation_id is None):
            raise ValueError("Say either the terminal or the consultation.")
        return self


class At(Body):
    """Of one terminal's wall only."""

    terminal: Id | None = None


class Steering(Body):
    """``value``: for seek seconds from the beginning, for speed 0.25 to 8."""

    action: Literal["play", "pause", "seek", "speed"]
    value: Annotated[float, Field(ge=0, le=1e7)] = 0.0


def routes(playbacks: Playbacks) -> Routes:
    r = Routes()

    @r.get("/cameras/{id}/recordings", "camera.playback", "What the camera's device has recorded of this time.")
    async def recordings(call: Call, query: RecordedWhen) -> RecordedList:
        return await playbacks.recordings(call.actor, call.path("id"), query.start, query.end, query.kind)

    @r.post("/playbacks", "camera.playback", "Play it into the terminal's view, or into a consultation.", status=201)
    async def play(call: Call, body: NewPlayback) -> PlaybackView:
        return await playbacks.play(
            call.actor,
            body.camera_id,
            body.start,
            body.end,
            terminal=body.terminal or "",
            consultation=body.consultation_id or "",
        )

    @r.get("/playbacks", "camera.playback", "What the caller plays.")
    async def mine(call: Call, query: At) -> PlaybackList:
        return await playbacks.mine(call.actor, query.terminal or "")

    @r.post("/playbacks/{id}", "camera.playback", "Play, pause, seek, change the speed.", status=204)
    async def steer(call: Call, body: Steering) -> None:
        await playbacks.steer(call.actor, call.path("id"), body.action, body.value)

    @r.delete("/playbacks/{id}", "camera.playback", "End it.")
    async def stop(call: Call) -> None:
        await playbacks.stop(call.actor, call.path("id"))

    return r
