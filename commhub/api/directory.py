"""/directory: the address book as a whole; /organisations and /people as lists; /audit."""

from __future__ import annotations

import asyncio
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated

from aiohttp import web
from pydantic import BeforeValidator, Field

from commhub import audit
from commhub.api.consultations import Body, Id, Ids, Query
from commhub.api.routes import Call, Routes
from commhub.api.stream import Streams
from commhub.directory import AddressBook, Directory, Imported, formats
from commhub.directory.formats import Format
from commhub.directory.shapes import Branch, Contacts, EntryKind, Hits, Reachability, Resolved
from commhub.errors import Invalid
from commhub.store import Store
from commhub.views import AuditRow, Organisation, Page, Person

IN_MEMORY = 1 << 20  # octets of an import; what is larger waits on disk
MEDIA: dict[str, Format] = {"text/csv": "csv", "application/json": "json"}


class Search(Body):
    q: Query = ""
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class AuditSearch(Search):
    action: Annotated[str, Field(max_length=64)] = ""


class PeopleSearch(Search):
    """``org``: of this organisation alone."""

    org: Id | None = None


class BookSearch(Body):
    """``kind``: of these only."""

    q: Annotated[str, Field(min_length=1, max_length=100)]
    kind: EntryKind | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


def _number(said: str) -> int:
    if not said.isascii() or not said.isdigit() or len(said) > 6:
        raise ValueError("This is no cursor.")
    return int(said)


class Below(Body):
    org: Id | None = None
    cursor: Annotated[int, BeforeValidator(_number)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 200


class Report(Body):
    org: Id | None = None


class Exporting(Body):
    format: Format = "csv"
    org: Id | None = None


class Importing(Body):
    """``dry_run``: say what would happen, and change nothing."""

    dry_run: bool = False


class Keeping(Body):
    """``speed``: the key that calls it."""

    speed: Annotated[int, Field(ge=1, le=99)] | None = None


class Invited(Body):
    organisations: Ids = Field(default_factory=list)
    people: Ids = Field(default_factory=list)
    seats: Ids = Field(default_factory=list)


def routes(store: Store, directory: Directory, book: AddressBook, streams: Streams) -> Routes:
    r = Routes()

    @r.get("/organisations", "directory.view", "All organisations that the reader knows, in the order of the directory.")
    async def organisations(call: Call) -> Page[Organisation]:
        return await directory.organisations(call.actor)

    @r.get("/people", "directory.view", "People by name (Chinese, pinyin, initials), post or organisation.")
    async def people(call: Call, query: PeopleSearch) -> Page[Person]:
        return await directory.people(
            query.q, streams.online, org=query.org, reader=call.actor, after=query.cursor, limit=query.limit
        )

    @r.get("/audit", "audit.view", "Who did what, newest first.")
    async def trail(call: Call, query: AuditSearch) -> Page[AuditRow]:
        async with store.reading() as reading:
            return await audit.rows(reading, call.actor, q=query.q, action=query.action, before=query.cursor, limit=query.limit)

    _book(r, store, book, streams)
    _exchange(r, book)
    return r


def _book(r: Routes, store: Store, book: AddressBook, streams: Streams) -> None:
    @r.get("/directory/search", "directory.view", "The best hits by Chinese, pinyin, initials, post or number.")
    async def search(call: Call, query: BookSearch) -> Hits:
        kinds = [query.kind] if query.kind else []
        return await book.book.search(call.actor, query.q, streams.online, kinds=kinds, limit=query.limit)

    @r.get("/directory/tree", "directory.view", "Organisations right below one, or those at the top.")
    async def tree(call: Call, query: Below) -> Page[Branch]:
        after = query.cursor if query.cursor is not None else -1
        return await book.book.branches(call.actor, query.org, after=after, limit=query.limit)

    @r.get("/directory/connectivity", "directory.view", "How each organisation that the reader looks after can be reached.")
    async def connectivity(call: Call, query: Report) -> Reachability:
        return await book.report(call.actor, query.org)

    @r.post("/directory/resolution", "directory.view", "What an invitation of these would ring; of who cannot connect, the seat.")
    async def resolution(call: Call, body: Invited) -> Resolved:
        return await book.resolve(call.actor, body.organisations, body.people, body.seats)

    @r.get("/directory/contacts", "directory.view", "What the reader keeps at hand, by speed key.")
    async def contacts(call: Call) -> Contacts:
        return await book.book.contacts(call.actor, streams.online)

    @r.put("/directory/contacts/{id}", "directory.view", "Keep an entry at hand, with a speed key or without.")
    async def keep(call: Call, body: Keeping) -> Contacts:
        await book.book.keep(call.actor, call.path("id"), body.speed)
        return await book.book.contacts(call.actor, streams.online)

    @r.delete("/directory/contacts/{id}", "directory.view", "Not any more.")
    async def let_go(call: Call) -> None:
        await book.book.let_go(call.actor, call.path("id"))


def _exchange(r: Routes, book: AddressBook) -> None:
    @r.get("/directory/export", "directory.edit", "What the reader administers, as CSV or JSON.", media="text/csv")
    async def give(call: Call, query: Exporting) -> web.StreamResponse:
        parts = await book.exchange.give(call.actor, query.format, query.org)
        response = web.StreamResponse()
        response.content_type = next(media for media, format in MEDIA.items() if format == query.format)
        response.charset = "utf-8"
        response.headers["Content-Disposition"] = f'attachment; filename="directory.{query.format}"'
        response.headers["Cache-Control"] = "no-store"
        await response.prepare(call.request)
        async for part in parts:
            await response.write(part)
        await response.write_eof()
        return response

    @r.post(
        "/directory/import", "directory.edit", "CSV or JSON: all rows, or none and what is wrong with each.", takes=tuple(MEDIA)
    )
    async def take(call: Call, query: Importing) -> Imported:
        format = MEDIA.get(call.request.content_type)
        if format is None:
            raise Invalid(
                "The body must be text/csv or application/json.", "请求内容须为 CSV 或 JSON。", code="not_csv", status=415
            )
        book.exchange.check_free()
        with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            await _receive(call.request, file)
            return await book.exchange.take(call.actor, file, format, dry_run=query.dry_run)


async def _receive(request: web.Request, file: IO[bytes]) -> None:
    """Piece by piece, and on disk: what is too large is not read, and many at once fill no memory."""
    too_large = Invalid("The file is too large.", "文件过大。", code="too_large", status=413)
    if (request.content_length or 0) > formats.SIZE:
        raise too_large
    size = 0
    async for chunk in request.content.iter_chunked(256 << 10):
        size += len(chunk)
        if size > formats.SIZE:
            raise too_large
        if size <= IN_MEMORY:
            file.write(chunk)
        else:
            await asyncio.to_thread(file.write, chunk)
