"""/recordings: list, one, its bytes."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from commhub.api import ranges
from commhub.api.consultations import Body, Id, Query
from commhub.api.routes import Call, Routes
from commhub.recordings import Review
from commhub.review import Reviewing
from commhub.views import Page, Recording, RecordingDetail


class RecordingSearch(Body):
    q: Query = ""
    consultation: Id | None = None
    kind: Literal["consultation", "call", "group", "camera"] | None = None
    incident: Annotated[str, Field(max_length=64)] = ""
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class RecordingPart(Body):
    """``since_ms``: without segments, spans, events and gaps that were over by then; whoever follows a recording that runs asks
    so for what is new."""

    since_ms: Annotated[int, Field(ge=0, le=10**11)] = 0


def routes(review: Review, reviewing: Reviewing) -> Routes:
    r = Routes()

    @r.get("/recordings", "recording.list", "Recordings the reader may see, newest first.")
    async def listing(call: Call, query: RecordingSearch) -> Page[Recording]:
        return await review.listed(
            call.actor, q=query.q, consultation=query.consultation, kind=query.kind, incident=query.incident,
            before=query.cursor, limit=query.limit,
        )  # fmt: skip

    @r.get("/recordings/{id}", "recording.view", "One recording with its tracks, speakers, events and gaps.")
    async def get(call: Call, query: RecordingPart) -> RecordingDetail:
        recording = call.path("id")
        media_url = f"/api/v1/recordings/{recording}/media"
        shown = await review.detail(call.actor, recording, media_url, call.english, since_ms=query.since_ms)
        await reviewing.viewed(call.actor, recording)
        return shown

    @r.get(
        "/recordings/{id}/media/{track}/{file}",
        "recording.view",
        "Bytes of a track's segment; ranges are honoured.",
        media="application/octet-stream",
    )
    async def media(call: Call) -> web.StreamResponse:
        recording, track, file = call.path("id"), call.path("track"), call.path("file")
        reader, mime = await review.file(call.actor, recording, track, file)
        begin, end = ranges.asked(call.request)
        try:
            await reviewing.went(call.actor, recording, [(track, file, begin, end)])
        except BaseException:
            reader.close()
            raise
        return await ranges.answer(call.request, reader, mime)

    return r
