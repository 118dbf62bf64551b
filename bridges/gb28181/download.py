"""A recording on a device becomes a file (GB/T 28181-2022 §9.9): asked for with ``s=Download``, taken as fast as it comes,
written by a process of its own (``recorder.download``).

What interrupts it costs what was not kept: the device is asked again from the last whole second on, as long as that leads
further. A device that says nothing at the end of a recording is believed when as much of it is there as was asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from bridges.gb28181.ladder import State
from bridges.gb28181.play import Session
from bridges.gb28181.reel import CLOCK, END, HEAD, WHOLE, Reel
from bridges.gb28181.report import Verdict
from commhub import log as logs
from commhub.media.messages import Download as Wanted
from commhub.media.messages import DownloadState

if TYPE_CHECKING:
    from bridges.gb28181.calls import Calls

log = logs.get(__name__)

LOCAL_SECONDS = 8 * 3600  # Beijing time, for devices that read t= so
TICK = 0.5
TOLD_SECONDS = 1.0  # between two words of how far it is
NEAR_SECONDS = 1.0  # of the end: what a last picture may lack of the time that was asked for
SILENT_SECONDS = 3.0  # after which what is near the end is over
DRAINED_SECONDS = 1.0  # the same where the device has said that it is over
BEYOND_SECONDS = 2.0  # a device that does not stop at the end is stopped
TRIES = 3  # that lead no further, one after the other
PATIENCE_SECONDS = 600.0  # for a device that is away, or busy
WRITERS = 3  # processes that may die
WRITER_SECONDS = 5.0  # until one that is to end is ended
HIGH, LOW = 32 << 20, 4 << 20  # octets that may wait for the disk
_PATIENT = {"not_registered", "busy", "no_port", "connection_lost"}

_SENTENCES = {
    "disk_full": ("The disk is full: the download was stopped.", "磁盘空间不足，下载已停止。"),
    "too_large": ("The recording is larger than a download may be.", "录像超过单个下载的大小上限。"),
    "disk": ("The file could not be written.", "下载文件无法写入，请联系管理员。"),
    "empty": ("The device sent nothing of this time.", "设备没有发来该时段的录像。"),
    "writer": ("The process that writes the file ended again and again.", "写文件的进程反复退出，请联系管理员。"),
    "codec_unsupported": ("The recording is {0}, which cannot be written to an MP4.", "录像为 {0} 编码，无法写入 MP4。"),
    "short": ("The device had only {0} of the {1} s that were asked for.", "请求 {1} 秒，设备上只有 {0} 秒录像。"),
}


class Download:
    """``begin``; ``stop`` at the end, whatever came of it. ``state`` is the last word."""

    def __init__(self, calls: Calls, wanted: Wanted) -> None:
        self.wanted, self.device = wanted, wanted.device
        self.state = DownloadState(download=wanted.download, state="connecting")
        self._calls = calls
        self._reel = Reel(self._write, self._unfit)
        self._session: Session[Reel] = Session(
            calls, self, wanted.device, wanted.channel, self._reel, lambda: None, recording=(0, 1), source=wanted.download,
            hurry=wanted.speed,
        )  # fmt: skip
        self._process: Process | None = None
        self._kept: dict[str, int] = {"until": 0, "pictures": 0, "octets": 0}
        self._before = 0  # octets that earlier sessions brought
        self._tries = 0
        self._led_at = time.monotonic()  # when something came last
        self._told_at = 0.0
        self._ending = ""  # "whole", or why it is given up
        self._verdict: tuple[str, str, str] = ("", "", "")
        self._stopped = asyncio.Event()
        self._tasks = calls.tasks

    @property
    def span(self) -> int:
        return self.wanted.end - self.wanted.begin

    @property
    def seconds(self) -> float:
        return max(self._kept["until"], self._reel.until) / CLOCK

    @property
    def over(self) -> bool:
        return self.state.state in ("done", "failed")

    # ---- from outside

    def begin(self) -> None:
        self._tasks.spawn(self._run(), "download")

    async def stop(self) -> None:
        """Nothing is written any more when this returns."""
        self._ending = self._ending or "stopped"
        self._session.leave()
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await self._stopped.wait()

    def close(self) -> None:
        """The bridge ends: the next one goes on."""
        self._ending = self._ending or "stopped"
        self._session.leave()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def online(self) -> None:
        self._session.online()

    def offline(self) -> None:
        self._session.offline()

    def has(self, call: object) -> bool:
        return self._session.call is call

    @property
    def nearly_over(self) -> bool:
        return self._session.state is State.LIVE and self.seconds >= self.span - NEAR_SECONDS

    def say(self) -> None:
        self._told_at = time.monotonic()
        self._calls.tell(self.state)

    # ---- the process that writes

    async def _run(self) -> None:
        try:
            for _ in range(WRITERS):
                if await self._written():
                    return
                if self._ending == "stopped":
                    return
            self._fail("writer")
            self._settle({})
        finally:
            self._session.leave()
            self._stopped.set()

    async def _written(self) -> bool:
        """One process from its beginning to its end. Whether there is a last word."""
        wanted = self.wanted
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "recorder.download", wanted.path, str(wanted.limit), str(wanted.free),
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
            )  # fmt: skip
        except OSError:
            return False
        assert process.stdout is not None
        ticking: asyncio.Task[None] | None = None
        try:
            async for line in process.stdout:
                said = json.loads(line)
                if "sealed" in said or "error" in said:
                    self._settle(said)
                    return True
                self._kept = said
                if ticking is None:
                    self._reel.until = said["until"]
                    self._ask()
                    ticking = asyncio.get_running_loop().create_task(self._tick())
        except (ValueError, OSError):
            log.warning("a writer of a download said something strange", download=wanted.download)
        finally:
            if ticking is not None:
                ticking.cancel()
            self._session.leave()
            await _undisturbed(_ended(process))
        return False

    def _write(self, record: bytes) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing() or self._ending:
            return
        process.stdin.write(record)
        if process.stdin.transport.get_write_buffer_size() > HIGH and not self._session.hold(True):
            # By UDP nobody waits: what was kept stays, the rest is asked for once more.
            asyncio.get_running_loop().call_soon(self._session.fail, Verdict("lost", "0"))

    # ---- the device

    def _ask(self) -> None:
        """From the last whole second that is kept."""
        terms = self._calls.devices.terms(self.device)
        ahead = LOCAL_SECONDS if terms is not None and terms.local_times else 0
        self._aim(ahead)
        self._session.want()

    def _aim(self, ahead: int) -> None:
        self._reel.base = base = min(self._reel.until // CLOCK, max(0, self.span - 1))
        self._session.recording = (self.wanted.begin + base + ahead, self.wanted.end + ahead)

    def _unfit(self, codec: str) -> None:
        asyncio.get_running_loop().call_soon(self._give_up, "codec_unsupported", codec.upper())

    def shown(self, play: Session[Reel]) -> None:
        self._turn("receiving")

    def failed(self, play: Session[Reel], verdict: Verdict, *, live: bool) -> None:
        if self._ending:
            return
        if live and self._enough():
            self._end()
            return
        self._before += self._reel.received
        self._reel.received = 0
        further = self._reel.until // CLOCK > self._reel.base
        self._tries = 0 if live and further else self._tries + 1
        begin, _ = play.recording or (0, 0)
        self._aim(begin - self.wanted.begin - self._reel.base)
        patient = verdict.code in _PATIENT and time.monotonic() - self._led_at < PATIENCE_SECONDS
        if self._tries >= TRIES and not patient:
            self._verdict = (verdict.code, verdict.text, verdict.text_zh)
            self._give_up(verdict.code)
        else:
            self._turn("connecting", verdict.code, verdict.text, verdict.text_zh)

    def finished(self, play: Session[Reel]) -> None:
        self._end()

    def _enough(self) -> bool:
        """Whether what came can be all there is: as many octets as the device told, or up to the end of the time."""
        size = self._session.told_size
        return self._session.file_over or self.seconds >= self.span - NEAR_SECONDS or (size > 0 and self._reel.received >= size)

    # ---- the end

    def _end(self) -> None:
        """All of it is here."""
        if not self._ending:
            self._finish("whole", WHOLE)

    def _give_up(self, code: str, *details: str) -> None:
        """What is kept may be looked at, and gone on with."""
        if not self._ending:
            if not self._verdict[0]:
                self._fail(code, *details)
            self._finish(code, 0)

    def _finish(self, ending: str, flags: int) -> None:
        self._session.leave()  # its last picture comes with that
        self._write(HEAD.pack(END, flags, 0, 0, 0))
        self._ending = ending

    def _fail(self, code: str, *details: str) -> None:
        text, text_zh = _SENTENCES.get(code, ("The download has failed.", "下载失败。"))
        self._verdict = (code, text.format(*details), text_zh.format(*details))

    def _settle(self, said: dict[str, Any]) -> None:
        """The last word."""
        error = said.get("error", "")
        if error and not (error == "empty" and self._verdict[0]):
            self._fail(str(error))
        if "until" in said:
            self._kept = {name: int(said[name]) for name in ("until", "pictures", "octets")}
            self._reel.until = self._kept["until"]
        self._before, self._reel.received = self._before + self._reel.received, 0
        done = "sealed" in said and not self._verdict[0]
        missing = self.span - self.seconds
        if done and missing > max(NEAR_SECONDS, self.span / 50):
            self._fail("short", f"{self.seconds:.0f}", f"{self.span}")
        self._ending = self._ending or "over"
        self._turn("done" if done else "failed", *self._verdict, bytes=int(said.get("sealed", 0)), sha256=said.get("sha256", ""))
        log.info("download over", download=self.wanted.download, state=self.state.state, code=self.state.code)

    # ---- what people see

    def _turn(self, state: str, code: str = "", text: str = "", text_zh: str = "", **more: Any) -> None:
        if self.over:
            return
        octets = self._before + self._reel.received
        told = 0 if self._ending else self._session.told_size
        size = max(self.state.size, self._before + told) if told else self.state.size
        self.state = DownloadState(
            download=self.wanted.download, state=state, seconds=round(min(self.seconds, self.span), 2), octets=octets, size=size,
            pictures=self._kept["pictures"], lost=self._reel.lost, code=code, text=text, text_zh=text_zh, **more,
        )  # fmt: skip
        self.say()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            now, session, reel = time.monotonic(), self._session, self._reel
            if self._ending or session.state not in (State.OPENING, State.LIVE):
                continue
            self._led_at = max(self._led_at, reel.heard_at)
            stdin = self._process.stdin if self._process is not None else None
            if session.paused and stdin is not None and stdin.transport.get_write_buffer_size() < LOW:
                session.hold(False)
            silent = now - max(reel.heard_at, session.heard_at)
            patience = DRAINED_SECONDS if session.file_over else SILENT_SECONDS
            if self.seconds > self.span + BEYOND_SECONDS or (silent > patience and not session.paused and self._enough()):
                self._end()
            elif session.state is State.OPENING:
                continue
            elif now - self._told_at >= TOLD_SECONDS:
                self._turn("receiving")


async def _ended(process: Process) -> None:
    """With its pipes. One that has nothing to read any more ends by itself."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(WRITER_SECONDS):
            await process.stdout.read()
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.stdout.read()
        await process.wait()
    with contextlib.suppress(OSError):
        await process.stdin.wait_closed()


async def _undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """A cancellation waits until it is done."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


class Downloads:
    """All of a bridge. Those that are over are kept until the hub has heard so."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._running: dict[str, Download] = {}

    def want(self, wanted: Wanted) -> None:
        known = self._running.get(wanted.download)
        if known is not None:
            known.say()
            return
        self._running[wanted.download] = made = Download(self._calls, wanted)
        made.begin()
        made.say()

    async def stop(self, download: str) -> None:
        made = self._running.pop(download, None)
        if made is not None:
            await made.stop()

    def online(self, device: str) -> None:
        for one in self._of(device):
            one.online()

    def offline(self, device: str) -> None:
        for one in self._of(device):
            one.offline()

    def has(self, call: object) -> bool:
        return any(one.has(call) for one in self._running.values())

    def nearly_over(self, call: object) -> bool:
        return any(one.has(call) and one.nearly_over for one in self._running.values())

    def _of(self, device: str) -> list[Download]:
        return [one for one in self._running.values() if one.device == device]

    def close(self) -> None:
        for one in self._running.values():
            one.close()
