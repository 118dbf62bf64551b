"""/cameras/{id}/downloads and /downloads: recordings of devices, as files."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from commhub.api.consultations import Body, Id
from commhub.api.playbacks import Period
from commhub.api.routes import Call, Routes
from commhub.desk.download_views import DownloadView
from commhub.desk.downloads import Downloads
from commhub.views import Page


class NewDownload(Period):
    """The time of the recording."""


class DownloadSearch(Body):
    """``mine``: only those that the reader asked for."""

    camera: Id | None = None
    mine: bool = False
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


def routes(downloads: Downloads) -> Routes:
    r = Routes()

    @r.post(
        "/cameras/{id}/downloads",
        "camera.download",
        "Fetch what the camera's device has recorded of this time; the same again goes on with it.",
        status=201,
    )
    async def create(call: Call, body: NewDownload) -> DownloadView:
        return await downloads.create(call.actor, call.path("id"), body.start, body.end, call.english)

    @r.get("/downloads", "camera.download", "Downloads of cameras that the reader may download from, newest first.")
    async def listing(call: Call, query: DownloadSearch) -> Page[DownloadView]:
        return await downloads.listed(
            call.actor, camera=query.camera, mine=query.mine, before=query.cursor, limit=query.limit, english=call.english
        )

    @r.get("/downloads/{id}", "camera.download", "How far it is.")
    async def get(call: Call) -> DownloadView:
        return await downloads.one(call.actor, call.path("id"), call.english)

    @r.get("/downloads/{id}/file", "camera.download", "The film, an MP4; ranges are honoured.", media="video/mp4")
    async def file(call: Call) -> web.StreamResponse:
        wanted = call.request.headers.get("Range", "bytes=0-")
        begins = wanted.replace(" ", "").startswith("bytes=0-")
        path, name = await downloads.file(call.actor, call.path("id"), whole=begins)
        response = web.FileResponse(path, chunk_size=256 << 10)
        response.content_type = "video/mp4"
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
        return response

    @r.delete("/downloads/{id}", "camera.download", "End it, and take its file away.")
    async def remove(call: Call) -> None:
        await downloads.remove(call.actor, call.path("id"))

    return r
