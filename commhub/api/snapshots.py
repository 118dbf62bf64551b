"""/cameras/{id}/snapshots and /snapshots: pictures of cameras, kept."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from commhub.api.consultations import Body, Id
from commhub.api.routes import PUBLIC, Call, Routes
from commhub.desk.album import Snapshot
from commhub.desk.snapshots import Snapshots
from commhub.views import Page


class SnapshotSearch(Body):
    camera: Id | None = None
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


def routes(snapshots: Snapshots) -> Routes:
    r = Routes()

    @r.post("/cameras/{id}/snapshots", "camera.snapshot", "Take a picture of what it shows now, and keep it.", status=201)
    async def take(call: Call) -> Snapshot:
        return await snapshots.take(call.actor, call.path("id"))

    @r.get("/snapshots", "camera.snapshot", "Pictures that were taken, newest first.")
    async def listing(call: Call, query: SnapshotSearch) -> Page[Snapshot]:
        return await snapshots.album.listed(call.actor, query.camera, query.cursor, query.limit)

    @r.post("/snapshots/upload/{secret}", PUBLIC, "A device brings the picture that it was asked for.", status=204)
    async def upload(call: Call) -> None:
        request = call.request
        kind, pieces = request.headers.get("Content-Type", ""), request.content.iter_chunked(64 << 10)
        await snapshots.uploads.take(call.path("secret"), call.actor.address, kind, request.content_length, pieces)

    @r.get("/snapshots/{id}", "camera.snapshot", "The picture, a JPEG.", media="image/jpeg")
    async def file(call: Call) -> web.StreamResponse:
        response = web.FileResponse(await snapshots.file(call.actor, call.path("id")))
        response.content_type = "image/jpeg"
        # It never changes, but the right to see it may end: the browser asks each time.
        response.headers["Cache-Control"] = "private, no-cache"
        return response

    return r
