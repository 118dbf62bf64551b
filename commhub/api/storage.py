"""/storage: the room that recordings take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from commhub.api.consultations import Body, revision
from commhub.api.routes import Call, Routes
from commhub.recordings.storage import Storage, StorageView, Usage


class Quota(Body):
    """``bytes`` null: the quota of all others; 0: none."""

    bytes: Annotated[int, Field(ge=0, le=1 << 60)] | None


def routes(storage: Storage) -> Routes:
    r = Routes()

    @r.get("/storage", "storage.view", "What recordings take, by organisation, and what is left on the disk.")
    async def look(call: Call) -> StorageView:
        return await storage.look(call.actor)

    @r.put(
        "/storage/{id}",
        "storage.edit",
        "An organisation's quota.",
        headers={"If-Match": 'The revision it was read at, as "7".'},
    )
    async def quota(call: Call, body: Quota) -> Usage:
        return await storage.set_quota(call.actor, call.path("id"), body.bytes, revision(call))

    return r
