"""/organisations, /people, /cameras, /audit."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from commhub import audit
from commhub.api.consultations import Body, Id, Query
from commhub.api.routes import Call, Routes
from commhub.api.stream import Streams
from commhub.directory import CameraRecord, Directory
from commhub.feeds import Condition, Feeds
from commhub.store import Store
from commhub.views import AuditRow, Camera, Organisation, Page, Person, Reason


class Search(Body):
    q: Query = ""
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class AuditSearch(Search):
    action: Annotated[str, Field(max_length=64)] = ""


def camera_view(record: CameraRecord, condition: Condition, english: bool) -> Camera:
    text = condition.text if english else condition.text_zh or condition.text
    return Camera.model_validate(
        {
            "id": record.id,
            "name": record.name,
            "place": record.place,
            "org": record.org,
            "label": record.label,
            "state": condition.state,
            "reason": Reason(code=condition.code, text=text) if condition.code else None,
        }
    )


def routes(store: Store, directory: Directory, feeds: Feeds, streams: Streams) -> Routes:
    r = Routes()

    @r.get("/organisations", "directory.view", "All organisations, in the order of the directory.")
    async def organisations(call: Call) -> Page[Organisation]:
        return await directory.organisations()

    @r.get("/people", "directory.view", "People by name (Chinese, pinyin, initials), post or organisation.")
    async def people(call: Call, query: Search) -> Page[Person]:
        return await directory.people(query.q, streams.online, after=query.cursor, limit=query.limit)

    @r.get("/cameras", "camera.list", "Cameras the reader may see, by name, place or organisation.")
    async def cameras(call: Call, query: Search) -> Page[Camera]:
        found, after = await directory.cameras(call.actor, query.q, after=query.cursor, limit=query.limit)
        return Page(items=[camera_view(one, feeds.condition(one.id), call.english) for one in found], next=after)

    @r.get("/audit", "audit.view", "Who did what, newest first.")
    async def trail(call: Call, query: AuditSearch) -> Page[AuditRow]:
        async with store.reading() as reading:
            return await audit.rows(reading, call.actor, q=query.q, action=query.action, before=query.cursor, limit=query.limit)

    return r
