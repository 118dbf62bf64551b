"""/recordings, for those who review: lanes, marks, words, thumbnails, waveforms, and who looked."""

from __future__ import annotations

import zlib
from typing import Annotated, Literal

from aiohttp import web
from pydantic import AfterValidator, BaseModel, Field

from commhub import access
from commhub.api.consultations import Body, Id, once, revision
from commhub.api.routes import Call, Routes
from commhub.review import Reviewing
from commhub.review.marks import LONGEST_MS, Said
from commhub.review.shapes import FoundKind, FoundPage, Lanes, Mark, MarkKind, Marks, Rebuilding, Thumbnails, Waveform
from commhub.views import Access, Page


def _words(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if any(not (character.isprintable() or character in "\n\t") for character in text):
        raise ValueError("The text has control characters.")
    return text


MarkTitle = Annotated[str, Field(max_length=200), AfterValidator(_words)]
MarkText = Annotated[str, Field(max_length=4000), AfterValidator(_words)]
Ms = Annotated[int, Field(ge=0, le=LONGEST_MS)]
Number = Annotated[str, Field(pattern="^[0-9]{1,18}$")]
_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}
_REV = {"If-Match": 'The revision it was read at, as "7".'}


class LaneQuestion(Body):
    after: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    limit: Annotated[int, Field(ge=1, le=5_000)] = 2_000


class NewMark(Body):
    """``until_ms`` null: a moment."""

    kind: MarkKind = "mark"
    at_ms: Ms
    until_ms: Ms | None = None
    title: MarkTitle = ""
    text: MarkText = ""


class MarkChange(Body):
    """What is not named stays; ``until_ms`` may be null."""

    kind: MarkKind | None = None
    at_ms: Ms | None = None
    until_ms: Ms | None = None
    title: MarkTitle | None = None
    text: MarkText | None = None


class WordSearch(Body):
    q: Annotated[str, Field(max_length=200)]
    recording: Id | None = None
    kind: FoundKind | None = None
    cursor: Number | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class WaveformPart(Body):
    from_ms: Ms = 0
    until_ms: Ms | None = None
    step_ms: Annotated[int, Field(ge=100, le=600_000)] | None = None


class AccessQuestion(Body):
    recording: Id | None = None
    person: Id | None = None
    kind: Literal["view", "seek", "export", "search"] | None = None
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class AccessReport(Body):
    recording: Id | None = None
    person: Id | None = None
    kind: Literal["view", "seek", "export", "search"] | None = None


REPORTED = 100_000  # rows of a CSV


def routes(reviewing: Reviewing) -> Routes:
    r = Routes()

    @r.get("/recordings/search", "recording.view", "Where words are: in chat, names, marks, events and titles.")
    async def search(call: Call, query: WordSearch) -> FoundPage:
        before = int(query.cursor) if query.cursor is not None else None
        return await reviewing.search(
            call.actor, query.q, recording=query.recording, kind=query.kind, before=before, limit=query.limit
        )

    @r.post("/recordings/search/rebuild", "recording.policy", "Take the words of all recordings in anew.")
    async def rebuild(call: Call) -> Rebuilding:
        return await reviewing.anew(call.actor)

    @r.get("/recordings/access", "audit.view", "Who viewed, sought, exported and searched, newest first.")
    async def looks(call: Call, query: AccessQuestion) -> Page[Access]:
        return await reviewing.looks(
            call.actor, recording=query.recording, person=query.person, kind=query.kind, before=query.cursor, limit=query.limit
        )

    @r.get("/recordings/access/report", "audit.view", f"The same as a CSV; the newest {REPORTED} rows.", media="text/csv")
    async def report(call: Call, query: AccessReport) -> web.StreamResponse:
        items: list[Access] = []
        before: str | None = None
        while len(items) < REPORTED:
            page = await reviewing.looks(call.actor, **query.model_dump(), before=before, limit=1_000)
            items += page.items
            if (before := page.next) is None:
                break
        headers = {"Content-Disposition": 'attachment; filename="access.csv"', "Cache-Control": "no-store"}
        return web.Response(body=access.sheet(items), content_type="text/csv", charset="utf-8", headers=headers)

    @r.get("/recordings/{id}/lanes", "recording.view", "What happened, in lanes; what followed an earlier answer.")
    async def lanes(call: Call, query: LaneQuestion) -> Lanes:
        return await reviewing.lanes(call.actor, call.path("id"), query.after, query.limit, call.english)

    _marks(r, reviewing)
    _pictures(r, reviewing)
    return r


def _marks(r: Routes, reviewing: Reviewing) -> None:
    @r.get("/recordings/{id}/marks", "recording.view", "Marks and comments of all who review it.")
    async def listing(call: Call) -> Marks:
        return await reviewing.marks.of(call.actor, call.path("id"))

    @r.post("/recordings/{id}/marks", "recording.mark", "Mark a moment or a span, or comment on it.", status=201, headers=_KEY)
    async def add(call: Call, body: NewMark) -> Mark:
        said = Said(body.kind, body.at_ms, body.until_ms, body.title, body.text)
        return await reviewing.marks.add(call.actor, call.path("id"), said, once(call, body))

    @r.patch("/recordings/{id}/marks/{mark}", "recording.mark", "Change one's own.", headers=_REV)
    async def change(call: Call, body: MarkChange) -> Mark:
        changes = _named(body)
        return await reviewing.marks.change(call.actor, call.path("id"), call.path("mark"), revision(call), changes)

    @r.delete("/recordings/{id}/marks/{mark}", "recording.mark", "Delete one's own; an administrator anybody's.")
    async def remove(call: Call) -> None:
        await reviewing.marks.remove(call.actor, call.path("id"), call.path("mark"))


def _named(body: BaseModel) -> dict[str, object]:
    said = body.model_dump(exclude_unset=True)
    return {name: value for name, value in said.items() if value is not None or name == "until_ms"}


def _pictures(r: Routes, reviewing: Reviewing) -> None:
    @r.get("/recordings/{id}/thumbnails/{track}", "recording.view", "Where the thumbnails of a track's seek bar are.")
    async def thumbnails(call: Call) -> Thumbnails:
        recording, track = call.path("id"), call.path("track")
        url = f"/api/v1/recordings/{recording}/thumbnails/{track}"
        return await reviewing.thumbnails(call.actor, recording, track, url)

    @r.get("/recordings/{id}/thumbnails/{track}/{file}", "recording.view", "A sheet of thumbnails.", media="image/jpeg")
    async def sheet(call: Call) -> web.StreamResponse:
        data = await reviewing.sheet(call.actor, call.path("id"), call.path("track"), call.path("file"))
        headers = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
        tag = f"{len(data):x}-{zlib.crc32(data):08x}"
        headers["ETag"] = f'"{tag}"'
        if any(one.value == tag for one in call.request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=data, content_type="image/jpeg", headers=headers)

    @r.get("/recordings/{id}/waveforms/{track}", "recording.view", "How loud a track is over time.")
    async def waveform(call: Call, query: WaveformPart) -> Waveform:
        return await reviewing.waveform(
            call.actor, call.path("id"), call.path("track"), query.from_ms, query.until_ms, query.step_ms
        )
