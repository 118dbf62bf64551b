"""/cameras/{id}/snapshots and /snapshots: pictures of cameras, kept."""

from __future__ import annotations

from aiohttp import web

from commhub.api.routes import Call, Routes
from commhub.desk.snapshots import Snapshot, Snapshots


def routes(snapshots: Snapshots) -> Routes:
    r = Routes()

    @r.post("/cameras/{id}/snapshots", "camera.snapshot", "Take a picture of what it shows now, and keep it.", status=201)
    async def take(call: Call) -> Snapshot:
        return await snapshots.take(call.actor, call.path("id"))

    @r.get("/snapshots/{id}", "camera.snapshot", "The picture, a JPEG.", media="image/jpeg")
    async def file(call: Call) -> web.StreamResponse:
        response = web.FileResponse(await snapshots.file(call.actor, call.path("id")))
        response.content_type = "image/jpeg"
        # It never changes, but the right to see it may end: the browser asks each time.
        response.headers["Cache-Control"] = "private, no-cache"
        return response

    return r
