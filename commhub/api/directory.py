"""/organisations, /people, /audit."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from commhub import audit
from commhub.api.consultations import Body, Id, Query
from commhub.api.routes import Call, Routes
from commhub.api.stream import Streams
from commhub.directory import Directory
from commhub.store import Store
from commhub.views import AuditRow, Organisation, Page, Person


class Search(Body):
    q: Query = ""
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class AuditSearch(Search):
    action: Annotated[str, Field(max_length=64)] = ""


def routes(store: Store, directory: Directory, streams: Streams) -> Routes:
    r = Routes()

    @r.get("/organisations", "directory.view", "All organisations, in the order of the directory.")
    async def organisations(call: Call) -> Page[Organisation]:
        return await directory.organisations()

    @r.get("/people", "directory.view", "People by name (Chinese, pinyin, initials), post or organisation.")
    async def people(call: Call, query: Search) -> Page[Person]:
        return await directory.people(query.q, streams.online, after=query.cursor, limit=query.limit)

    @r.get("/audit", "audit.view", "Who did what, newest first.")
    async def trail(call: Call, query: AuditSearch) -> Page[AuditRow]:
        async with store.reading() as reading:
            return await audit.rows(reading, call.actor, q=query.q, action=query.action, before=query.cursor, limit=query.limit)

    return r
