"""The alarm of uploads: while nothing gets into the S3 store all stays where it is, and who looks after storage is told."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.events import Events
from commhub.media.messages import Uploads
from commhub.model import HUB, Label
from commhub.store import Store, tables
from commhub.views import View

log = logs.get(__name__)
_o = tables.organisations.c


class UploadsView(View):
    """``since``: UTC ms, when it began to fail."""

    failing: bool
    files: int
    bytes: int
    since: int | None
    reason: str


class UploadAlarm:
    """:meth:`heard` is fed by the recorders' links; what several say is added up."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store, self._events = store, events
        self._said: dict[int, Uploads] = {}
        self._told = False
        self._changed = asyncio.Event()

    def heard(self, shard: int, message: Uploads) -> None:
        self._said[shard] = message
        self._changed.set()

    @property
    def state(self) -> UploadsView | None:
        """None: no recorder has said anything of it."""
        if not self._said:
            return None
        failing = [one for one in self._said.values() if one.failing]
        since = min((one.since // 1_000_000 for one in failing), default=None)
        files, size = sum(one.files for one in failing), sum(one.bytes for one in failing)
        return UploadsView(
            failing=bool(failing), files=files, bytes=size, since=since, reason=failing[0].reason if failing else ""
        )

    async def watch(self) -> None:
        """Until cancelled. What cannot be written now is written as soon as it can."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            state = self.state
            if state is None or state.failing == self._told:
                continue
            try:
                await self._tell(state)
                self._told = state.failing
            except SQLAlchemyError:
                log.exception("alarm of uploads not written")
                await asyncio.sleep(2)
                self._changed.set()

    async def _tell(self, state: UploadsView) -> None:
        async with self._store.transaction() as transaction:
            root = await transaction.first(sa.select(_o.id).where(_o.parent_id.is_(None)).order_by(_o.position).limit(1))
            if root is None:
                return
            about = f"{state.files} / {state.bytes}: {state.reason}" if state.failing else ""
            await audit.record(transaction, HUB, "storage.upload", root.id, object=about)
            await self._events.emit(
                transaction, "storage.upload", subject=root.id, org=root.id, label=Label.PUBLIC, data=state.model_dump()
            )
