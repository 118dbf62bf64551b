"""Dialogs that are open, on disk: what a process leaves behind when it dies, the next one hangs up. A device would else go on
sending, and take no second call for the same picture."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bridges.sip.dialog import Dialog, State
from bridges.sip.fields import Address
from commhub.tasks import Tasks

if TYPE_CHECKING:
    from bridges.gb28181.call import Held

Key = tuple[str, str, str]
_LIMIT = 4 << 20  # octets of the file


class Open(msgspec.Struct, frozen=True):
    """A dialog, as much of it as a BYE needs, and the way to its device."""

    device: str
    call_id: str
    local: str
    remote: str
    target: str
    routes: list[str]
    number: int
    transport: str
    host: str
    port: int

    def dialog(self) -> Dialog:
        return Dialog(self.call_id, Address.parse(self.local), Address.parse(self.remote), self.target, self.routes,
                      State.CONFIRMED, local_number=self.number, remote_number=None, owner=True)  # fmt: skip


class Stale:
    """``left`` are those of the process before; ``add`` and ``remove`` keep the file as things are now, a moment later: a thread
    of ``tasks`` writes it. ``close`` when these have ended."""

    def __init__(self, path: Path, tasks: Tasks) -> None:
        self._path, self._tasks = path, tasks
        self._due = self._writing = False
        self._turn = threading.Lock()  # a thread whose task was ended goes on
        self._open: dict[Key, Open] = {}
        self._left: list[Open] = []
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            if path.stat().st_size <= _LIMIT:
                self._left = msgspec.json.decode(path.read_bytes(), type=list[Open])

    def left(self) -> list[Open]:
        return list(self._left)

    def of(self, device: str) -> list[Open]:
        return [one for one in self._left if one.device == device]

    def forget(self, one: Open) -> None:
        self._left.remove(one)
        self._write()

    def add(self, call: Held) -> None:
        dialog, flow = call.dialog, call.flow
        if dialog is None or flow is None:
            return
        number = dialog.local_number + 1000  # INFOs may follow
        self._open[dialog.key] = Open(call.device, dialog.call_id, str(dialog.local), str(dialog.remote), dialog.target,
                                      dialog.routes, number, flow.transport, flow.host, flow.port)  # fmt: skip
        self._write()

    def remove(self, key: Key) -> None:
        if self._open.pop(key, None) is not None:
            self._write()

    def _write(self) -> None:
        self._due = True
        if not self._writing:
            self._writing = True
            self._tasks.spawn(self._keep(), "calls.json")

    async def _keep(self) -> None:
        try:
            while self._due:
                self._due = False
                await asyncio.to_thread(self._put, self._encoded())
        finally:
            self._writing = False

    def _encoded(self) -> bytes:
        return msgspec.json.encode([*self._left, *self._open.values()])

    def _put(self, data: bytes) -> None:
        beside = self._path.with_suffix(".new")
        with contextlib.suppress(OSError), self._turn:  # a full disk: then the devices time out by themselves
            beside.write_bytes(data)
            beside.replace(self._path)

    def close(self) -> None:
        self._put(self._encoded())
