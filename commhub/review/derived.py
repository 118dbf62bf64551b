"""Pictures and curves made of a recording's files, for the seek bar: made when they are asked for, kept beside the recordings,
and never in this process: what is decoded came from strangers.

A kept file's name says of which file it was made, how much of that there was, and by which recipe: nothing has to be
remembered, and all of it may be thrown away at any time. The child that makes one gets the bytes as an open file and gives back
the result; it has neither keys nor names, little memory, and a bounded time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from commhub import log as logs
from commhub.archive import Archive
from commhub.archive.sealed import MAGIC
from commhub.errors import NotFound, Unavailable

log = logs.get(__name__)

AT_ONCE = 2  # children
WITHIN = 90.0  # seconds a child has
WAITING = 64  # that are asked for and not begun
LIMIT = 16 << 20  # bytes of a result
SOURCE_LIMIT = 4 << 30  # bytes of a file that is looked at
WRONG_KEPT = 1_000  # files that gave nothing, so that they are not tried again and again


class Derived:
    """``folder`` may be emptied at any time."""

    def __init__(self, archive: Archive, folder: Path, *, within: float = WITHIN) -> None:
        self._archive, self._folder, self._within = archive, folder, within
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._making: dict[Path, asyncio.Task[bytes]] = {}
        self._wrong: OrderedDict[Path, None] = OrderedDict()

    async def close(self) -> None:
        for task in list(self._making.values()):
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    async def of(
        self, recording: str, source: str, name: str, command: Sequence[str], span: tuple[int, int] = (0, SOURCE_LIMIT)
    ) -> bytes:
        """What ``python -m <command>`` makes of the recording's file ``source``, or of its bytes ``span``; ``name`` says of what
        and how, and is new whenever the result would be; what is before its ``~`` says which earlier ones it takes the place of.
        NotFound when there is no such file, Unavailable when nothing can be made of it."""
        path = self._folder / recording / name
        with contextlib.suppress(FileNotFoundError, ValueError):  # ValueError: kept in another form, and made again
            return await asyncio.to_thread(self._kept, recording, path)
        if path in self._wrong:
            raise _nothing()
        task = self._making.get(path)
        if task is None:
            if len(self._making) >= WAITING:
                raise Unavailable("Too much is being made just now: ask again.", "生成任务过多，请稍后再试。", code="busy")
            task = self._making[path] = asyncio.create_task(self._make(recording, source, path, command, span))
            task.add_done_callback(lambda done: self._made(path, done))
        return await asyncio.shield(task)  # who goes away does not take it from others

    def _made(self, path: Path, done: asyncio.Task[bytes]) -> None:
        self._making.pop(path, None)
        if not done.cancelled() and isinstance(done.exception(), Unavailable):
            self._wrong[path] = None
            while len(self._wrong) > WRONG_KEPT:
                self._wrong.popitem(last=False)

    async def _make(self, recording: str, source: str, path: Path, command: Sequence[str], span: tuple[int, int]) -> bytes:
        async with self._turns:
            try:
                fd, encrypted = await asyncio.to_thread(self._plain, recording, source, span)
            except FileNotFoundError:
                raise NotFound("There is no such file in this recording.", "录制中没有这个文件。") from None
            except (OSError, ValueError) as error:
                log.warning("recording not read", session=recording, reason=str(error))
                raise _nothing() from None
            try:
                data = await self._child(fd, command)
            finally:
                os.close(fd)
        with contextlib.suppress(OSError):  # a full disk: it is made again when it is wanted again
            await asyncio.to_thread(self._keep, recording, path, data, encrypted)
        return data

    def _kept(self, recording: str, path: Path) -> bytes:
        return self._archive.unwrap(recording, path.name, path.read_bytes())

    def _keep(self, recording: str, path: Path, data: bytes, encrypted: bool) -> None:
        """Encrypted as the recording is: what was made of it shows what is in it. Of one whose key was deleted meanwhile nothing
        is kept."""
        wrapped = self._archive.wrap(recording, path.name, data)
        if not encrypted or wrapped.startswith(MAGIC):
            _keep(path, wrapped)

    def _plain(self, recording: str, source: str, span: tuple[int, int]) -> tuple[int, bool]:
        """The bytes as they were recorded, as a file in memory that only the child will have; and whether they lie encrypted."""
        with self._archive.open(recording, source) as reader:
            begin, end = span[0], min(span[1], reader.size)
            if end - begin > SOURCE_LIMIT:
                raise ValueError("A file of a recording is larger than the limit.")
            fd = os.memfd_create("recording", os.MFD_CLOEXEC)
            try:
                while part := reader.read_at(begin, min(1 << 20, end - begin)):
                    os.write(fd, part)
                    begin += len(part)
                os.lseek(fd, 0, os.SEEK_SET)
            except BaseException:
                os.close(fd)
                raise
            return fd, reader.layout is not None

    async def _child(self, fd: int, command: Sequence[str]) -> bytes:
        process = await asyncio.create_subprocess_exec(
            "nice", "-n", "15", sys.executable, "-m", *command,
            stdin=fd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._within):
                data, wrong = await process.communicate()
        except TimeoutError:
            data, wrong = b"", b"It took too long."
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0 or not data or len(data) > LIMIT:
            sentence = wrong.decode(errors="replace").strip().splitlines()[-1:] or ["Nothing came."]
            log.warning("nothing made of a recording", of=command[0], reason=sentence[0][:200])
            raise _nothing()
        return data

    def recordings(self) -> list[str]:
        """Of which something is kept. Blocking."""
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir()) if self._folder.is_dir() else []

    def forget(self, recording: str) -> None:
        """Everything made of a recording. Blocking."""
        shutil.rmtree(self._folder / recording, ignore_errors=True)


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.rename(path)
    before, several, _ = path.name.partition("~")
    for old in path.parent.glob(f"{before}~*") if several else ():
        if old != path:
            old.unlink(missing_ok=True)


def _nothing() -> Unavailable:
    return Unavailable("Nothing can be shown of this part.", "该片段无法生成预览。", code="no_preview")
