"""Exports in the recorder: a queue of orders, each made by a process of its own (:mod:`recorder.export`).

The hub keeps what was ordered and says it again whenever it or the recorder comes back, so nothing is remembered here but what
lies on the disk: a finished file with its ``done.json``. What a process left behind that did not finish is begun anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from commhub import log as logs
from commhub.archive import SessionKeys
from commhub.media.messages.exports import Export, ExportState
from commhub.tasks import Tasks
from recorder.export import fonts, recipe
from recorder.shelf import replace

log = logs.get(__name__)
TRIES = 2  # of a process that ends without a word
WAITING = 200  # orders
_ID = re.compile(r"[0-9A-Za-z]{1,40}")
_DONE = "done.json"
_LINE = 1 << 16


Secret = Callable[[str], tuple[str, bytes] | None]


def secrets(keys: SessionKeys | None) -> Secret:
    """Of encrypted sessions, by the keys that the recorder has: the process that exports one gets that one's key only."""

    def find(session: str) -> tuple[str, bytes] | None:
        key = keys.find(session) if keys is not None else None
        return (key.algorithm, key.data) if key is not None else None

    return find


def look_for_letters() -> None:
    """Says at the start what films will lack, and not only when the first one was made. Blocking."""
    if fonts.face() is None:
        log.warning("no font with Chinese letters: names will not be readable in films", package=fonts.PACKAGE)


@dataclass(frozen=True, slots=True)
class Terms:
    """``folder`` has a folder for each export; ``at_once`` are made at a time. ``keys`` (a folder), ``signature`` and ``digest``
    as for recordings. ``secret`` gives (algorithm, key) of a session that is encrypted: for a thread. ``store``
    (:class:`commhub.archive.s3.Terms`) has what does not lie here any more."""

    folder: Path
    recordings: Path
    keys: Path
    signature: str = "ed25519"
    digest: str = "sha256"
    at_once: int = 1
    secret: Secret = lambda session: None
    store: Any = None


@dataclass(slots=True)
class _Job:
    order: Export
    state: ExportState
    task: asyncio.Task[None] | None = None


class Exporting:
    """``tell`` brings states to the hub."""

    def __init__(self, terms: Terms, tell: Callable[[ExportState], None]) -> None:
        self._terms, self._tell = terms, tell
        self._jobs: dict[str, _Job] = {}
        self._door, self._turn = asyncio.Lock(), asyncio.Semaphore(terms.at_once)
        self._tasks = Tasks("exports")

    async def close(self) -> None:
        """What is being made is begun anew by the next recorder."""
        await self._tasks.close()

    def receive(self, order: Export) -> None:
        known = self._jobs.get(order.export)
        if known is not None:
            self._tell(known.state)
            return
        if not _ID.fullmatch(order.export) or order.kind not in recipe.KINDS:
            self._tell(_failed(order.export, "invalid", "An export's order has a wrong form.", "导出请求格式不正确。"))
            return
        if sum(job.state.state in ("waiting", "running") for job in self._jobs.values()) >= WAITING:
            self._tell(_failed(order.export, "busy", "Too many exports wait.", "排队的导出过多。"))
            return
        job = self._jobs[order.export] = _Job(order, ExportState(export=order.export, state="waiting"))
        job.task = self._tasks.spawn(self._run(job), "export")

    async def stop(self, export: str) -> None:
        """Nothing of it is left afterwards."""
        job = self._jobs.pop(export, None)
        if job is not None and job.task is not None:
            job.task.cancel()
            await asyncio.wait([job.task])
        if _ID.fullmatch(export):
            await asyncio.to_thread(shutil.rmtree, self._terms.folder / export, ignore_errors=True)

    def _say(self, job: _Job, **changes: Any) -> None:
        job.state = msgspec.structs.replace(job.state, **changes)
        if self._jobs.get(job.order.export) is job:
            self._tell(job.state)

    # ---- one

    async def _run(self, job: _Job) -> None:
        folder = self._terms.folder / job.order.export
        self._say(job)
        async with self._door:  # in the order they came
            found = await asyncio.to_thread(_finished, folder)
            again = found is None and await asyncio.to_thread(lambda: folder.is_dir() and any(folder.iterdir()))
        if found is not None:
            self._say(job, state="done", percent=100.0, **found)
            return
        async with self._turn:
            for attempt in range(1 + again, TRIES + 1 + again):
                self._say(job, state="running", began=attempt, percent=0.0)
                said = await self._made(job, folder)
                if said is not None:
                    break
                log.warning("an export's process ended", export=job.order.export)
            else:
                said = {"code": "crashed", "text": "The export's process ended twice.", "text_zh": "导出进程两次异常结束。"}
            await self._settle(job, folder, said)

    async def _settle(self, job: _Job, folder: Path, said: dict[str, Any]) -> None:
        if "code" in said:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            log.info("export failed", export=job.order.export, code=said["code"])
            texts = {name: str(said.get(name, "")) for name in ("code", "text", "text_zh")}
            self._say(job, state="failed", **texts)
            return
        try:  # after the file itself is on the disk: a power failure leaves none, or all of it
            await asyncio.to_thread(replace, folder / _DONE, json.dumps(said).encode(), durable=True)
        except OSError as error:
            log.warning(
                "an export is whole, and will be made anew after a restart", export=job.order.export, error=error.strerror
            )
        log.info("export made", export=job.order.export, kind=job.order.kind, size=said["size"])
        self._say(job, state="done", percent=100.0, **_told(said))

    async def _made(self, job: _Job, folder: Path) -> dict[str, Any] | None:
        """The process's last word; None when it ended without one."""
        terms = self._terms
        try:
            secret = await asyncio.to_thread(terms.secret, job.order.session)
        except (OSError, ValueError):
            return {"code": "sealed", "text": "The recording's key cannot be read.", "text_zh": "无法读取录制的密钥。"}
        work = {
            "order": msgspec.to_builtins(job.order), "folder": str(folder), "recordings": str(terms.recordings),
            "keys": str(terms.keys), "signature": terms.signature, "digest": terms.digest,
            "store": msgspec.to_builtins(terms.store) if terms.store is not None else None,
            "secret": [secret[0], secret[1].hex()] if secret is not None else None,
        }  # fmt: skip
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "recorder.export", stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=_LINE
            )
        except OSError:
            return {"code": "failed", "text": "The export's process cannot be started.", "text_zh": "无法启动导出进程。"}
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(work).encode() + b"\n")
            return await self._follow(job, process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _follow(self, job: _Job, process: Process) -> dict[str, Any] | None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            async for line in process.stdout:
                said = json.loads(line)
                if "percent" not in said:
                    return dict(said)
                self._say(job, percent=float(said["percent"]))
        return None


def _failed(export: str, code: str, text: str, text_zh: str) -> ExportState:
    return ExportState(export=export, state="failed", code=code, text=text, text_zh=text_zh)


def _finished(folder: Path) -> dict[str, Any] | None:
    """What an earlier process has made."""
    try:
        said = json.loads((folder / _DONE).read_bytes())
        whole = (folder / said["file"]).stat().st_size == said.get("lies", said["size"])
        return _told(said) if whole else None
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _told(said: dict[str, Any]) -> dict[str, Any]:
    return {name: said[name] for name in ("file", "size", "sha256", "text", "text_zh")}
