"""A recorder in process, and the hub's end of its link."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from commhub.media import messages
from commhub.media.link import Link, dial
from commhub.media.messages import Checkpoint, Forgotten, Message, RecordSnapshot, SessionState, Space
from recorder.recorder import run
from tests.support import until


class Hub:
    def __init__(self, run_dir: Path, folder: Path) -> None:
        self.run_dir, self.folder = run_dir, folder
        self.states: dict[str, SessionState] = {}
        self.said: list[SessionState] = []
        self.checkpoints: list[Checkpoint] = []
        self.forgotten: list[str] = []
        self.space: list[Space] = []
        self.link: Link | None = None
        self._reading: asyncio.Task[None] | None = None

    def _receive(self, link: Link, message: Message) -> None:
        if isinstance(message, SessionState):
            self.states[message.session] = message
            self.said.append(message)
        elif isinstance(message, Checkpoint):
            self.checkpoints.append(message)
        elif isinstance(message, Forgotten):
            self.forgotten.append(message.session)
        elif isinstance(message, Space):
            self.space.append(message)

    async def dial(self, epoch: int = 1, within: float = 60.0) -> RecordSnapshot:
        async with asyncio.timeout(within):
            while True:
                with contextlib.suppress(OSError):
                    self.link, self._reading = await dial(self.run_dir, "record-0", self._receive)
                    break
                await asyncio.sleep(0.02)
        snapshot = await self.link.ask(messages.Hello("hub", "hub", epoch))
        assert isinstance(snapshot, RecordSnapshot)
        for state in snapshot.sessions:
            self.states[state.session] = state
        return snapshot

    async def record(self, session: str = "S1", room: str = "R1", worker: str = "media-0", **about: str) -> None:
        assert self.link is not None
        self.link.tell(messages.Record(session, room, worker, "会商", about))

    async def stop(self, session: str = "S1", reason: str = "stopped") -> SessionState:
        assert self.link is not None
        self.link.tell(messages.StopRecord(session, reason))
        return await self.state(session, "complete", "failed")

    async def state(self, session: str, *wanted: str, within: float = 60.0) -> SessionState:
        await until(lambda: session in self.states and self.states[session].state in wanted, within)
        return self.states[session]

    def manifest(self, session: str = "S1") -> dict[str, Any]:
        found = json.loads((self.folder / session / "manifest.json").read_bytes())
        assert isinstance(found, dict)
        return found

    async def close(self) -> None:
        if self.link is not None:
            self.link.close()
        if self._reading is not None:
            with contextlib.suppress(Exception):
                await self._reading


@contextlib.asynccontextmanager
async def recorder(run_dir: Path, folder: Path, **settings: Any) -> AsyncIterator[Hub]:
    settings.setdefault("minimum_free_bytes", 0)
    task = asyncio.create_task(run(run_dir, "record-0", folder, **settings))
    hub = Hub(run_dir, folder)
    try:
        await hub.dial()
        yield hub
    finally:
        await hub.close()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
