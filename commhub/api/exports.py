"""/recordings/{id}/exports: films, tracks and evidence bundles of recordings, as jobs."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from aiohttp import web
from pydantic import AfterValidator, Field

from commhub.api import ranges
from commhub.api.consultations import Body, Id, once, revision
from commhub.api.routes import Call, Routes
from commhub.recordings.export_rows import ExportView
from commhub.recordings.exports import Exports, Wanted
from commhub.views import Page

_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}
_REV = {"If-Match": 'The revision of the export that was seen, as "7".'}
_DAY = 24 * 3_600_000
_Ms = Annotated[int, Field(ge=0, le=30 * _DAY)]


def _words(text: str) -> str:
    text = " ".join(text.split())
    if not text.isprintable():
        raise ValueError("The text has control characters.")
    return text


Words = Annotated[str, Field(max_length=500), AfterValidator(_words)]


class NewExport(Body):
    """``from_ms`` and ``to_ms`` on the session's clock; 0 and 0: all of it. ``tracks`` by their ids, none: all. ``layout`` and
    ``chat`` are a film's; with ``focus`` the first of ``tracks`` that has pictures is large. ``grounds`` are read by whoever
    approves it."""

    kind: Literal["film", "tracks", "bundle"]
    from_ms: _Ms = 0
    to_ms: _Ms = 0
    layout: Literal["grid", "speaker", "focus"] = "grid"
    tracks: Annotated[list[Annotated[str, Field(pattern="^[0-9]{4,9}$")]], Field(max_length=200, default_factory=list)]
    chat: bool = False
    grounds: Words = ""


class Decision(Body):
    reason: Words = ""


class ExportSearch(Body):
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


def routes(exports: Exports) -> Routes:
    r = Routes()

    @r.post(
        "/recordings/{id}/exports",
        "recording.export",
        "Have a film, the tracks or an evidence bundle made of it.",
        status=201,
        headers=_KEY,
    )
    async def create(call: Call, body: NewExport) -> ExportView:
        wanted = Wanted(body.kind, body.from_ms, body.to_ms, body.layout, tuple(body.tracks), body.chat, body.grounds)
        return await exports.ask(call.actor, call.path("id"), wanted, once(call, body), call.english)

    @r.get("/recordings/{id}/exports", "recording.export", "Exports of this recording, newest first.")
    async def listing(call: Call, query: ExportSearch) -> Page[ExportView]:
        return await exports.listed(
            call.actor, recording=call.path("id"), before=query.cursor, limit=query.limit, english=call.english
        )

    @r.get("/exports/waiting", "recording.approve", "Exports that the reader may approve, newest first.")
    async def waiting(call: Call, query: ExportSearch) -> Page[ExportView]:
        return await exports.listed(call.actor, waiting=True, before=query.cursor, limit=query.limit, english=call.english)

    @r.get("/recordings/{id}/exports/{export}", "recording.export", "How far it is.")
    async def get(call: Call) -> ExportView:
        return await exports.one(call.actor, call.path("id"), call.path("export"), call.english)

    @r.post(
        "/recordings/{id}/exports/{export}/approve", "recording.approve", "Approve what somebody else asked for.", headers=_REV
    )
    async def approve(call: Call, body: Decision) -> ExportView:
        return await exports.decide(
            call.actor, call.path("id"), call.path("export"), revision(call), approve=True, reason=body.reason,
            english=call.english,
        )  # fmt: skip

    @r.post("/recordings/{id}/exports/{export}/refuse", "recording.approve", "Refuse what somebody else asked for.", headers=_REV)
    async def refuse(call: Call, body: Decision) -> ExportView:
        return await exports.decide(
            call.actor, call.path("id"), call.path("export"), revision(call), approve=False, reason=body.reason,
            english=call.english,
        )  # fmt: skip

    @r.delete("/recordings/{id}/exports/{export}", "recording.export", "End it, and take its file away.")
    async def cancel(call: Call) -> None:
        await exports.cancel(call.actor, call.path("id"), call.path("export"))

    @r.get(
        "/recordings/{id}/exports/{export}/file",
        "recording.export",
        "The export's file, for who asked for it; ranges are honoured.",
        media="application/octet-stream",
    )
    async def file(call: Call) -> web.StreamResponse:
        begins = ranges.asked(call.request)[0] == 0
        reader, mime, name = await exports.file(call.actor, call.path("id"), call.path("export"), begins=begins)
        named = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return await ranges.answer(call.request, reader, mime, named)

    return r
