"""Recordings in the records of a hub, and the recorder's end of what becomes of them, played."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from commhub.media.messages import Forget, Forgotten, Message, RecordSnapshot
from commhub.model import Label, new_id, utc_ns
from commhub.recordings.keeper import Keeper
from commhub.store import tables
from tests.support.hubs import Hub


async def recorded(hub: Hub, org: str = "ops", label: Label = Label.INTERNAL, **values: Any) -> str:
    """A recording that is over, with two checkpoints; its id."""
    made, now = new_id(), utc_ns()
    row = {
        "id": made, "consultation_id": new_id(), "org_id": hub.ids[org], "label": str(label), "title": "内涝处置",
        "code": "HS-1122-001", "started_at": now - 60_000_000_000, "ended_at": now, "duration_ms": 60_000, "state": "complete",
        "tracks": 2, "bytes": 5_000, "people": json.dumps(["李思涵"], ensure_ascii=False), **values,
    }  # fmt: skip
    checkpoints = [
        {
            "session": made,
            "number": n,
            "at": now,
            "until": 10 * n,
            "head": f"{n:064x}",
            "key": "k",
            "signature": "s",
        }
        for n in (1, 2)
    ]
    async with hub.parts.store.transaction() as transaction:
        await transaction.insert(tables.recordings, row)
        await transaction.insert(tables.recording_checkpoints, *checkpoints)
    return made


class PlayedRecorder:
    """``told``: the sessions it was told to forget, in order."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.told: list[str] = []
        keeper.linked(RecordSnapshot(), self._hear)

    def _hear(self, message: Message) -> None:
        assert isinstance(message, Forget)
        self.told.append(message.session)

    def forgotten(self, session: str) -> None:
        self.keeper.receive(Forgotten(session))


async def audited(hub: Hub, recording: str) -> list[tuple[str, str]]:
    """(action, who) of all that was done with it, in order."""
    a = tables.audit.c
    async with hub.parts.store.reading() as reading:
        rows = await reading.all(sa.select(a.action, a.actor_name).where(a.subject == recording).order_by(a.seq))
    return [(row.action, row.actor_name) for row in rows]
