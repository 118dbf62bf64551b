"""/cameras, /camera-tree, /camera-nodes."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from commhub.api.consultations import Body, Id, Query
from commhub.api.routes import Call, Routes
from commhub.control import LockView
from commhub.desk import Desk
from commhub.desk.shapes import Viewer
from commhub.devices import Devices, Listed, Wanted
from commhub.devices.shapes import Node, Nodes
from commhub.errors import Invalid
from commhub.feeds import Condition, Feeds
from commhub.model import Actor
from commhub.views import Camera, Page, Reason


class Cameras(Page[Camera]):
    """``total`` counts all pages."""

    total: int


class CameraDetail(Camera):
    """And who has it open, and who moves it."""

    viewers: list[Viewer]
    lock: LockView | None


def _words(text: str) -> str:
    if not text.isprintable():
        raise ValueError("The text has control characters.")
    return text


class CameraSearch(Body):
    """``node`` is a place of the tree: its own cameras, with ``deep`` those of everything below."""

    q: Annotated[Query, AfterValidator(_words)] = ""
    node: Id | None = None
    deep: bool = False
    online: bool | None = None
    ptz: bool | None = None
    alarm: bool | None = None
    favourite: bool | None = None
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class TreeSearch(Body):
    """``parent`` is a place of the tree; without it the top."""

    parent: Annotated[str, Field(pattern="^([0-7][0-9A-HJKMNP-TV-Z]{25})?$")] = ""
    cursor: Annotated[str, Field(pattern="^[0-9]{1,9}$")] = "0"
    limit: Annotated[int, Field(ge=1, le=1000)] = 500


class Owner(Body):
    """``org_id`` null: it belongs to whom belongs what is above it."""

    org_id: Id | None


def camera_view(listed: Listed, condition: Condition, reader: Actor, english: bool) -> Camera:
    record = listed.record
    text = condition.text if english else condition.text_zh or condition.text
    may = [act for act in record.acts() if reader.may(f"camera.{act}", org=record.org.id, label=record.label)]
    position = record.position
    return Camera.model_validate(
        {
            "id": record.id,
            "name": record.name,
            "place": record.place,
            "org": record.org,
            "label": record.label,
            "state": condition.state,
            "reason": Reason(code=condition.code, text=text) if condition.code else None,
            "protocol": record.protocol,
            "online": record.online,
            "ptz": record.movable,
            "sub": record.sub,
            "node_id": listed.node,
            "path": listed.path,
            "position": {"longitude": position[0], "latitude": position[1]} if position else None,
            "alarm": listed.alarm,
            "favourite": listed.favourite,
            "faulty": listed.faulty,
            "codec": condition.codec or None,
            "may": may,
        }
    )


def routes(devices: Devices, feeds: Feeds, desk: Desk) -> Routes:
    r = Routes()

    def seen(call: Call, listed: Listed) -> Camera:
        return camera_view(listed, feeds.condition(listed.record.id), call.actor, call.english)

    @r.get("/cameras", "camera.list", "Cameras the reader may see, by name (Chinese, pinyin, initials), place and state.")
    async def cameras(call: Call, query: CameraSearch) -> Cameras:
        wanted = Wanted(query.q, query.node or "", query.deep, query.online, query.ptz, query.alarm, query.favourite)
        found = await devices.listing.find(call.actor, wanted, after=query.cursor, limit=query.limit)
        return Cameras(items=[seen(call, one) for one in found.items], next=found.next, total=found.total)

    @r.get("/cameras/{id}", "camera.list", "One camera, who has it open, and who moves it.")
    async def camera(call: Call) -> CameraDetail:
        listed = await devices.listing.one(call.actor, call.path("id"))
        viewers = await desk.watching.viewers(listed.record.id, call.actor)
        lock = desk.control.lock(listed.record.id, call.actor)
        return CameraDetail(**dict(seen(call, listed)), viewers=viewers, lock=lock)

    @r.put("/cameras/{id}/favourite", "camera.list", "It is among the reader's favourites.", status=204)
    async def favour(call: Call) -> None:
        await devices.listing.favour(call.actor, call.path("id"), on=True)

    @r.delete("/cameras/{id}/favourite", "camera.list", "It is none of the reader's favourites.")
    async def forget(call: Call) -> None:
        await devices.listing.favour(call.actor, call.path("id"), on=False)

    @r.get("/camera-tree", "camera.list", "What stands above cameras the reader may see, level by level.")
    async def tree(call: Call, query: TreeSearch) -> Nodes:
        found = (await devices.trees.now()).children(call.actor, query.parent)
        start = int(query.cursor)
        page = found[start : start + query.limit]
        items = [
            Node.model_validate(
                {
                    "id": one.place.id,
                    "kind": one.place.kind,
                    "name": one.place.name,
                    "parent_id": query.parent or None,
                    "online": one.online,
                    "total": one.total,
                    "leaf": one.leaf,
                }
            )
            for one in page
        ]
        return Nodes(items=items, next=str(start + len(page)) if start + len(page) < len(found) else None)

    @r.patch("/camera-nodes/{id}", "device.admit", "A part of a device's tree belongs to another organisation.", status=204)
    async def give(call: Call, body: Owner) -> None:
        if len(call.path("id")) > 26:
            raise Invalid("This is no id.", "编号不正确。")
        await devices.give(call.actor, call.path("id"), body.org_id)

    return r
