"""Recordings on a device: pause, seek and speed by MANSRTSP in INFO (GB/T 28181-2022 §9.8, annex B), and what is done instead
where a device refuses it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from bridges.gb28181.ladder import State
from bridges.gb28181.play import Play
from bridges.gb28181.standing import SLACK
from commhub import log as logs
from commhub.errors import Conflict, HubError
from commhub.tasks import Tasks

log = logs.get(__name__)

SPEEDS = (0.25, 8.0)
GLIMPSE_SECONDS = 0.5  # that a paused recording plays when it is opened anew, for viewers to have a picture of it
STEP_SECONDS = 2.0  # between the seeks that stand for speed where a device has none
RATE = 90_000
_STATUS = re.compile(r"RTSP/1\.\d\s+(\d{3})", re.IGNORECASE)


def message(method: str, *headers: str) -> str:
    """MANSRTSP; its number is filled in when it is sent."""
    return "\r\n".join([f"{method} RTSP/1.0", "CSeq: {cseq}", *headers, "", ""])


class Replayer:
    """The hand on one playback. ``begin`` and ``end`` are Unix seconds of the whole recording, as the device is asked for it."""

    def __init__(self, play: Play, begin: int, end: int, tasks: Tasks) -> None:
        self.begin, self.end = begin, end
        self.speed = 1.0
        self.held = False  # somebody has paused it, and so it stays, whatever becomes of the call
        self.play = play
        self._base = 0.0  # seconds from the beginning at which the newest session, or seek, began
        self._tasks = tasks
        self._stepping: asyncio.Task[None] | None = None

    @property
    def position(self) -> float:
        """Seconds from the beginning."""
        return min(self._base + (self.play.picture.position or 0) / RATE, float(self.end - self.begin))

    @property
    def playing(self) -> bool:
        """It moves on, in pictures that are shown."""
        return self.play.state is State.LIVE and not (self.held or self.play.paused) and self.play.picture.running

    @property
    def slack(self) -> float:
        """Seconds by which a position may be off between two words about it, at the recording's own speed."""
        return SLACK if self._stepping is None else STEP_SECONDS

    @property
    def nearly_over(self) -> bool:
        return self.position >= self.end - self.begin - 5

    def close(self) -> None:
        if self._stepping is not None:
            self._stepping.cancel()
            self._stepping = None

    async def act(self, verb: str, value: float) -> None:
        """HubError when that is no act, or the device does not do it."""
        acts: dict[str, Callable[[float], Awaitable[None]]] = {
            "play": self._resume, "pause": self._pause, "seek": self._seek, "speed": self._speed,
        }  # fmt: skip
        if verb not in acts:
            raise HubError("A playback knows play, pause, seek and speed.", "回放只支持播放、暂停、定位和倍速。",
                           code="invalid_value", status=400)  # fmt: skip
        await acts[verb](value)

    def again(self, seconds: float) -> None:
        """From there with a new call; also where the last one is over."""
        self.held = False
        self.play.leave()
        self.rebase(seconds)
        self.play.want()

    def rebase(self, seconds: float) -> None:
        """The next call begins there."""
        self.close()
        seconds = float(int(min(max(seconds, 0.0), max(0.0, self.end - self.begin - 1.0))))
        self._base, self.speed = seconds, 1.0
        self.play.paused = False
        self.play.picture.speed, self.play.picture.position = 1.0, None
        self.play.recording = (self.begin + int(seconds), self.end)

    def shown(self) -> None:
        """A call shows its first picture. One that replaces a paused one goes on until viewers have it, and no further."""
        if self.held and not self.play.paused:
            self._tasks.spawn(self._hold_again(), "pause again")

    async def _hold_again(self) -> None:
        await asyncio.sleep(GLIMPSE_SECONDS)
        if self.held and self.play.state is State.LIVE:
            await self._hold()

    # ---- acts

    async def _pause(self, value: float) -> None:
        self._running()
        self.close()
        if not await self._hold():
            raise _refused("pause", "暂停")

    async def _hold(self) -> bool:
        self.held = self.play.paused = True
        if await self._sent(message("PAUSE", "PauseTime: now")):
            return True
        self.held = self.play.paused = False
        return False

    async def _resume(self, value: float) -> None:
        self.held = False
        if self.play.state is not State.LIVE:
            if self.play.state is State.IDLE:
                self.again(0.0 if self.nearly_over else self.position)
            return
        if await self._sent(message("PLAY", "Range: npt=now-")):
            self.play.picture.resume()
            self.play.paused = False
        else:
            self.again(self.position)

    async def _seek(self, value: float) -> None:
        if not 0 <= value <= self.end - self.begin:
            raise HubError("The recording does not reach that far.", "录像没有这么长。", code="invalid_value", status=400)
        if self.play.state is not State.LIVE or not await self._sent(message("PLAY", f"Range: npt={value:.0f}-")):
            self.again(value)
            return
        self._moved(value)

    def _moved(self, value: float) -> None:
        self._base = value
        self.held = self.play.paused = False
        self.play.picture.seek()

    async def _speed(self, value: float) -> None:
        if not SPEEDS[0] <= value <= SPEEDS[1]:
            raise HubError("The speed is from 0.25 to 8.", "倍速范围为 0.25 至 8。", code="invalid_value", status=400)
        self._running()
        stepped = self._stepping is not None
        self.close()
        if stepped and value == 1.0:
            self.speed = 1.0
            return
        if await self._sent(message("PLAY", f"Scale: {value}")):
            self.speed = value
            self.held = self.play.paused = False
            self.play.picture.accelerate(value)
        elif value > 1.0:
            self.speed = value
            self._stepping = self._tasks.spawn(self._step(value), "seek in steps")
        elif value < 1.0:
            raise _refused("slower play", "慢放")

    async def _step(self, speed: float) -> None:
        """What of a recording would have passed is jumped over, picture by picture."""
        at = self.position
        while at < self.end - self.begin:
            await asyncio.sleep(STEP_SECONDS)
            at += STEP_SECONDS * speed
            if self.play.state is not State.LIVE or not await self._sent(message("PLAY", f"Range: npt={at:.0f}-")):
                break
            self._moved(at)
        self._stepping = None
        self.speed = 1.0

    # ----

    def _running(self) -> None:
        if self.play.state is not State.LIVE or self.play.call is None:
            raise Conflict("The playback is not running.", "回放未在播放。")

    async def _sent(self, text: str) -> bool:
        """Whether the device does it: both SIP's answer and the one in its body count."""
        call = self.play.call
        if call is None:
            return False
        try:
            status, body = await call.control(text)
        except (ConnectionError, ValueError):
            return False
        said = _STATUS.search(body)
        return 200 <= status < 300 and (said is None or said[1].startswith("2"))


def _refused(act: str, act_zh: str) -> HubError:
    return HubError(f"The device does not do {act}.", f"设备不支持{act_zh}。", code="refused_by_device", status=502)
