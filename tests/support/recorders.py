"""A hub whose cameras stand behind a recorder, and the link to a bridge that only writes down and answers by a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from commhub.errors import HubError
from commhub.media.messages import BridgeSnapshot, Done, Message, Move, SourceState
from commhub.model import new_id, utc_ns
from commhub.store import tables
from tests.support.hubs import Hub

RECORDER = "34020000001180000001"


class ScriptedBridge:
    """``answers`` by the type of the question; what it has no answer for is Done."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self.asked: list[Message] = []
        self.answers: dict[type, Callable[[Any], Message] | HubError] = {}

    def link(self, hub: Hub, *states: SourceState) -> None:
        """``states`` are what it pulls already."""
        bridge = hub.parts.feeds.bridge("gb28181")
        bridge.asking = self._ask
        bridge.linked(BridgeSnapshot(list(states)), self.told.append)

    async def _ask(self, message: Message, within: float) -> Message:
        self.asked.append(message)
        answer = self.answers.get(type(message), lambda _: Done())
        if isinstance(answer, HubError):
            raise answer
        return answer(message)

    def say(self, hub: Hub, message: Message) -> None:
        hub.parts.feeds.bridge("gb28181").receive(message)

    @property
    def moves(self) -> list[tuple[float, float, float]]:
        return [(one.pan, one.tilt, one.zoom) for one in self.told if isinstance(one, Move)]


async def recorder(hub: Hub, count: int = 2, **values: Any) -> list[str]:
    """An admitted recorder of the water bureau that is online, with this many cameras; their ids."""
    at, device = utc_ns(), new_id()
    made = [new_id() for _ in range(count)]
    texts = ("way", "worked", "options", "search", "address", "transport", "version", "manufacturer", "model", "firmware")
    row = {
        "id": device, "code": RECORDER, "name": "临江泵站", "org_id": hub.ids["water"], "label": "internal",
        "state": "admitted", "password": b"", "online": True, "heartbeat": 60.0, "reason_code": "", "reason": "",
        "reason_en": "", "catalogue_state": "complete", "catalogue_received": count, "catalogue_total": count,
        "created_at": at, **dict.fromkeys(texts, ""),
    }  # fmt: skip
    cameras = [
        {
            "id": id, "key": id.lower(), "org_id": hub.ids["water"], "name": f"临江大堤 K{number}", "label": "internal",
            "url": "", "user": "", "password": b"", "transport": "", "audio": False, "search": "", "protocol": "gb28181",
            "device_id": device, "channel": f"340200000013200000{number:02}", "ptz": 1, **values,
        }
        for number, id in enumerate(made, 1)
    ]  # fmt: skip
    async with hub.parts.store.transaction() as transaction:
        await transaction.insert(tables.devices, row)
        await transaction.insert(tables.cameras, *cameras)
    return made


async def edit(hub: Hub, camera: str, **values: Any) -> None:
    async with hub.parts.store.transaction() as transaction:
        await transaction.run(sa.update(tables.cameras).where(tables.cameras.c.id == camera).values(values))


@dataclass
class House:
    """A hub, the bridge that it thinks it has, and a recorder's camera."""

    hub: Hub
    bridge: ScriptedBridge
    camera: str
