"""/agenda: scheduled consultations, their series, replies, materials, attendance and minutes."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from aiohttp import web
from pydantic import AfterValidator, Field

from commhub.agenda import TYPES, Attending, Materials, Scheduled, Wanted, Writing, moment
from commhub.agenda import attendance as attendances
from commhub.agenda import minutes as writings
from commhub.agenda.series import NS
from commhub.agenda.shapes import Agenda as AgendaView
from commhub.agenda.shapes import AgendaItem, Attendance, Clashes, Material, Minutes, Repeats, Reply
from commhub.api.consultations import Body, Id, Ids, Title, once, revision
from commhub.api.gate import Gate
from commhub.api.routes import Call, Routes
from commhub.errors import NotFound
from commhub.model import Label
from commhub.views import View


def _words(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if any(not (character.isprintable() or character in "\n\t") for character in text):
        raise ValueError("The text has control characters.")
    return text


Words = Annotated[str, Field(max_length=200), AfterValidator(_words)]
Text = Annotated[str, Field(max_length=4000), AfterValidator(_words)]
MinutesText = Annotated[str, Field(max_length=100_000), AfterValidator(_words)]
Time = Annotated[str, Field(max_length=40)]
Length = Annotated[int, Field(ge=5, le=24 * 60)]
_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}
_REV = {"If-Match": 'The revision it was read at, as "7".'}


class ScheduledConsultation(Body):
    """``starts_at`` ISO 8601 with its offset; ``begins`` by itself or by its chair; people may enter ``early_minutes`` before."""

    title: Title
    starts_at: Time
    minutes: Length
    label: Label = Label.INTERNAL
    notes: Text = ""
    repeats: Repeats = Field(default_factory=Repeats)
    begins: Literal["self", "chair"] = "chair"
    early_minutes: Annotated[int, Field(ge=0, le=120)] = 10
    record: bool = False
    organisations: Ids = Field(default_factory=list)
    people: Ids = Field(default_factory=list)


class OccurrenceChange(Body):
    starts_at: Time | None = None
    minutes: Length | None = None
    cancelled: bool | None = None


class Answering(Body):
    """``at``: of one occurrence only, unix seconds."""

    reply: Reply
    comment: Words = ""
    at: Annotated[int, Field(ge=1, le=4_000_000_000)] | None = None


class Cancelling(Body):
    reason: Words = ""


class AgendaTime(Body):
    """ISO 8601 with their offsets."""

    after: Time
    before: Time


class ClashQuestion(Body):
    """``without``: the scheduled consultation that is being changed."""

    starts_at: Time
    minutes: Length
    people: Ids
    without: Id | None = None


class MaterialName(Body):
    name: Annotated[str, Field(min_length=1, max_length=200)]


class SigningIn(Body):
    person: Id | None = None


class MinutesWords(Body):
    text: MinutesText


class MinutesChoice(Body):
    rev: Annotated[int, Field(ge=1, le=100_000)] | None = None


class MinutesForm(Body):
    format: Literal["text", "html"] = "text"


class Opened(View):
    consultation_id: str


def routes(gate: Gate, parts: Scheduled) -> Routes:
    r = Routes()
    agenda = parts.agenda

    @r.get("/agenda", "agenda.list", "What takes place in a time, of what the reader may see; at most 92 days.")
    async def between(call: Call, query: AgendaTime) -> AgendaView:
        return await agenda.between(call.actor, moment(query.after, "query.after"), moment(query.before, "query.before"))

    @r.post("/agenda", "agenda.edit", "Schedule a consultation, or a series.", status=201, headers=_KEY)
    async def create(call: Call, body: ScheduledConsultation) -> AgendaItem:
        return await agenda.create(call.actor, _wanted(body), once(call, body))

    @r.post("/agenda/clashes", "agenda.edit", "Who of these people is invited to something else at that time.")
    async def clashes(call: Call, body: ClashQuestion) -> Clashes:
        start = moment(body.starts_at, "body.starts_at")
        return await agenda.clashes(call.actor, start, body.minutes, body.people, body.without or "")

    @r.get("/agenda/{id}", "agenda.list", "One, with its next occurrences, replies and materials.")
    async def one(call: Call) -> AgendaItem:
        return await agenda.one(call.path("id"), call.actor)

    @r.put("/agenda/{id}", "agenda.edit", "Change it, all of the series; its grade stays.", headers=_REV)
    async def change(call: Call, body: ScheduledConsultation) -> AgendaItem:
        return await agenda.change(call.actor, call.path("id"), revision(call), _wanted(body))

    @r.post("/agenda/{id}/cancel", "agenda.edit", "Cancel it, all of the series.", status=204)
    async def cancel(call: Call, body: Cancelling) -> None:
        await agenda.cancel(call.actor, call.path("id"), body.reason)

    @r.patch("/agenda/{id}/occurrences/{at}", "agenda.edit", "Move or cancel one of a series.", headers=_REV)
    async def change_one(call: Call, body: OccurrenceChange) -> AgendaItem:
        start = moment(body.starts_at, "body.starts_at") if body.starts_at is not None else None
        more = {"start": start, "minutes": body.minutes, "cancelled": body.cancelled}
        return await agenda.change_one(call.actor, call.path("id"), _at(call), revision(call), **more)  # type: ignore[arg-type]

    @r.post("/agenda/{id}/reply", "agenda.reply", "Accept, decline, or say that it is not certain.")
    async def reply(call: Call, body: Answering) -> AgendaItem:
        return await agenda.reply(call.actor, call.path("id"), (body.at or 0) * NS, body.reply, body.comment)

    @r.post("/agenda/{id}/occurrences/{at}/start", "agenda.edit", "Begin it: everybody's pages ring.")
    async def begin(call: Call) -> Opened:
        return Opened(consultation_id=await parts.beginning.begin(call.actor, call.path("id"), _at(call)))

    @r.post("/agenda/{id}/occurrences/{at}/enter", "agenda.reply", "The consultation to join, some minutes early.")
    async def enter(call: Call) -> Opened:
        return Opened(consultation_id=await parts.beginning.enter(call.actor, call.path("id"), _at(call)))

    @r.get("/agenda/{id}/calendar", "agenda.list", "As iCalendar.", media="text/calendar")
    async def ics(call: Call) -> web.StreamResponse:
        origin = f"{gate.scheme(call.request)}://{call.request.host}"
        return _file(await agenda.ics(call.actor, call.path("id"), origin), "text/calendar", "consultation.ics")

    _materials(r, parts.materials)
    _attendance(r, parts.attending)
    _minutes(r, parts.writing)
    return r


def _materials(r: Routes, materials: Materials) -> None:
    types = tuple(sorted({kind for kind, _ in TYPES.values()}))

    @r.post(
        "/agenda/{id}/materials", "agenda.edit", "Add a file; its content must be what its name says.", status=201, takes=types
    )
    async def add(call: Call, query: MaterialName) -> Material:
        materials.check_size(call.request.content_length or 0)
        parts = call.request.content.iter_chunked(256 << 10)
        return await materials.add(call.actor, call.path("id"), query.name, parts)

    @r.get("/agenda/{id}/materials/{material}", "agenda.list", "The file.", media="application/octet-stream")
    async def download(call: Call) -> web.StreamResponse:
        path, found = await materials.open(call.actor, call.path("id"), call.path("material"))
        if not path.is_file():
            raise NotFound("The file is not there any more.", "文件已不存在。")
        response = web.FileResponse(path, chunk_size=256 << 10)
        response.content_type = found.type
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(found.name)}"
        return response

    @r.delete("/agenda/{id}/materials/{material}", "agenda.edit", "Take the file away.")
    async def remove(call: Call) -> None:
        await materials.remove(call.actor, call.path("id"), call.path("material"))


def _attendance(r: Routes, attending: Attending) -> None:
    @r.get("/agenda/{id}/occurrences/{at}/attendance", "agenda.list", "Who was there, by organisation.")
    async def look(call: Call) -> Attendance:
        return await attending.look(call.actor, call.path("id"), _at(call))

    @r.post("/agenda/{id}/occurrences/{at}/attendance", "agenda.reply", "Sign in oneself; whoever is in charge, others.")
    async def sign(call: Call, body: SigningIn) -> Attendance:
        return await attending.sign(call.actor, call.path("id"), _at(call), body.person or call.actor.id)

    @r.get("/agenda/{id}/occurrences/{at}/attendance/report", "agenda.list", "As a CSV.", media="text/csv")
    async def report(call: Call) -> web.StreamResponse:
        found = await attending.look(call.actor, call.path("id"), _at(call))
        return _file(attendances.sheet(found), "text/csv", "attendance.csv")


def _minutes(r: Routes, writing: Writing) -> None:
    @r.get("/agenda/{id}/occurrences/{at}/minutes", "agenda.list", "The minutes, newest revision or the one asked for.")
    async def look(call: Call, query: MinutesChoice) -> Minutes:
        return await writing.look(call.actor, call.path("id"), _at(call), query.rev)

    @r.put("/agenda/{id}/occurrences/{at}/minutes", "agenda.edit", "Write them: a new revision.", headers=_REV)
    async def write(call: Call, body: MinutesWords) -> Minutes:
        return await writing.write(call.actor, call.path("id"), _at(call), revision(call), body.text)

    @r.post("/agenda/{id}/occurrences/{at}/minutes/sign", "agenda.edit", "Sign them off.", headers=_REV)
    async def sign(call: Call) -> Minutes:
        return await writing.sign(call.actor, call.path("id"), _at(call), revision(call))

    @r.get("/agenda/{id}/occurrences/{at}/minutes/file", "agenda.list", "As a file of text or HTML.", media="text/plain")
    async def file(call: Call, query: MinutesForm) -> web.StreamResponse:
        found = await writing.page(call.actor, call.path("id"), _at(call))
        if query.format == "html":
            return _file(writings.page(*found).encode(), "text/html", "minutes.html")
        return _file(writings.text(*found).encode(), "text/plain", "minutes.txt")


def _wanted(body: ScheduledConsultation) -> Wanted:
    return Wanted(
        body.title, moment(body.starts_at, "body.starts_at"), body.minutes, body.label, body.notes, body.repeats, body.begins,
        body.early_minutes, body.record, body.organisations, body.people,
    )  # fmt: skip


def _at(call: Call) -> int:
    text = call.path("at")
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise NotFound("It does not take place then.", "该时间没有这场会商。")
    return int(text) * NS


def _file(data: bytes, kind: str, name: str) -> web.Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return web.Response(body=data, content_type=kind, charset="utf-8", headers=headers)
