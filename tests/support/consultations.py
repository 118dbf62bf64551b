"""Consultations made, joined and heard of in a test's hub."""

from __future__ import annotations

from typing import Any

from commhub.conference import Ticket
from commhub.events import Published
from commhub.model import Label
from commhub.rooms import Rooms
from commhub.views import Consultation
from tests.support.hubs import TERMINAL, Hub, ticket_of


async def create(hub: Hub, account: str = "dispatcher", **more: Any) -> Consultation:
    about = {"title": "内涝处置", "label": Label.INTERNAL, "organisations": [], "people": []} | more
    return await hub.parts.rooms.create(await hub.person(account), **about)


async def ticket(hub: Hub, room: str, account: str, terminal: str = TERMINAL) -> Ticket:
    joining = await hub.parts.rooms.join(room, await hub.person(account), terminal, "ws://hub")
    return ticket_of(joining.token)


async def come_in(hub: Hub, room: str, account: str, terminal: str = TERMINAL) -> Ticket:
    held = await ticket(hub, room, account, terminal)
    await hub.door.admit(held)
    await hub.conference.enter(room, held.identity, held.name, "person", held.attributes["org"])
    return held


def heard(hub: Hub) -> list[Published]:
    events: list[Published] = []
    hub.parts.events.listen(events.append)
    return events


async def bring(hub: Hub, rooms: Rooms, account: str, room: str, camera: str) -> Consultation:
    return await rooms.add_camera(room, await hub.person(account), hub.ids[f"camera {camera}"])
