"""One camera's pictures as H.264 that browsers show, made by a child process (:mod:`bridges.transcode_child`) of H.265, or of
H.264 with B-frames. One for each camera that needs it however many look at it, and no more of them than the machine bears.

    transcodes = Transcodes(limit)                              # of a bridge's process
    transcode = transcodes.open(source, "H265", taken, failed)  # Fault "transcodes_full"
    transcode.push(data, pts, key)                              # access units, annex B, in the order of decoding; never waits
    … taken(Picture)                                            # in the event loop, in the order of showing
    transcode.close()

Time is the caller's: a picture comes out with the PTS it came in with (any 90 kHz count that grows; 64 bits, signed).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from bridges.faults import Fault
from bridges.timeline import Timeline
from bridges.transcode_child import FRAME_LIMIT, IN, KEY, OUT, QUIET
from commhub import log as logs
from commhub.wire import h264

log = logs.get(__name__)

LIMIT = 4  # at a time; a core converts some four of 1080p at 25 pictures a second
LATE = 1.5  # s a picture may be under way until pictures are left out, up to a key frame
STUCK = 8.0  # s until the child is ended
WAITING = 4 << 20  # octets that may wait for the child
DELAYS = (0.5, 1.0, 2.0, 5.0, 10.0)  # s until a child that died is replaced
CATCH_UP = 0.05  # s that the child may need for a picture that came before it was there
CALM = 30.0  # s after which its death is a first one again
#: The codec as it leaves, for whoever announces it; the level is the one of :data:`bridges.transcode_child.MOST`.
FMTP = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e028"


class Picture(NamedTuple):
    """An access unit of H.264, constrained baseline: NAL units, parameter sets before each IDR."""

    units: list[bytes]
    pts: int
    key: bool
    width: int
    height: int

    def packets(self, timeline: Timeline, now: int) -> list[bytes]:
        """RTP packets in the timeline's numbers; ``now`` is UTC ns."""
        at = timeline.time(self.pts & 0xFFFF_FFFF, now)
        payloads = h264.aggregate(self.units)
        return [timeline.packet(payload, at, number == len(payloads)) for number, payload in enumerate(payloads, 1)]


class Transcode:
    """One camera's. ``taken(picture)`` and ``failed(fault)`` are called in the event loop; after ``failed`` it goes on
    by itself."""

    def __init__(
        self, owner: Transcodes, name: str, codec: str, taken: Callable[[Picture], None], failed: Callable[[Fault], None]
    ) -> None:
        self._owner, self._name, self._codec, self._taken, self._failed = owner, name, codec, taken, failed
        self._process: Process | None = None
        self._under_way: deque[tuple[int, float]] = deque()  # PTS, when it was pushed
        self._held: list[tuple[bytes, int]] = []  # since a key frame, while there is no child yet
        self._held_octets = 0
        self._wants_key = False
        self._behind = True  # until a key frame
        self._deaths, self._died = 0, 0.0
        self.dropped = 0  # access units
        self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"transcode {name}")

    def push(self, data: bytes, pts: int, key: bool) -> None:
        """One access unit. Those the child cannot take in time are left out, up to the next key frame."""
        now = time.monotonic()
        process = self._process
        stdin = process.stdin if process is not None else None
        late = now - self._under_way[0][1] if self._under_way else 0.0
        if process is not None and late > STUCK:
            self._kill(process)
        waiting = self._held_octets if stdin is None else stdin.transport.get_write_buffer_size()
        if late > LATE or waiting > WAITING or len(data) > FRAME_LIMIT:
            self.lose()
        elif key:
            self._behind = False
        if self._behind:
            self.dropped += 1
        elif stdin is None:
            if key:
                self._forget()
            self._held.append((data, pts))
            self._held_octets += len(data)
        else:
            self._write(stdin, data, pts, now)

    def lose(self) -> None:
        """Something is missing: nothing is converted up to the next key frame."""
        self._behind = True
        self._forget()

    def _forget(self) -> None:
        self.dropped += len(self._held)
        self._held, self._held_octets = [], 0

    def _write(self, stdin: asyncio.StreamWriter, data: bytes, pts: int, now: float) -> None:
        self._under_way.append((pts, now))
        if not stdin.transport.is_closing():
            stdin.write(IN.pack(len(data), KEY if self._wants_key else 0, pts) + data)
        self._wants_key = False

    def want_key_frame(self) -> None:
        """The next picture is one."""
        self._wants_key = True

    def close(self) -> None:
        """Nothing is called any more."""
        self._task.cancel()
        self._owner.closed(self)

    # ---- the child

    async def _keep(self) -> None:
        while True:
            try:
                await self._run()
            except OSError as error:
                log.warning("transcode not started", source=self._name, why=str(error))
            now = time.monotonic()
            self._deaths = 1 if now - self._died > CALM else self._deaths + 1
            self._died = now
            self._owner.deaths += 1
            log.warning("transcode died", source=self._name, deaths=self._deaths)
            self._failed(Fault("transcode_failed"))
            await asyncio.sleep(DELAYS[min(self._deaths, len(DELAYS)) - 1])

    async def _run(self) -> None:
        program = (sys.executable, "-m", "bridges.transcode_child", self._codec)
        process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=1 << 20)
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        held, now = self._held, time.monotonic()
        self._held, self._held_octets = [], 0
        self._behind = self._behind or not held
        for data, pts in held[:-1]:  # decoded, for the newest one, with which what is shown begins
            process.stdin.write(IN.pack(len(data), QUIET, pts) + data)
        for data, pts in held[-1:]:
            self._write(process.stdin, data, pts, now + len(held) * CATCH_UP)
        try:
            while True:
                size, flags, pts, width, height = OUT.unpack(await process.stdout.readexactly(OUT.size))
                if size > FRAME_LIMIT:
                    return
                data = await process.stdout.readexactly(size)
                while self._under_way and self._under_way[0][0] <= pts:
                    self._under_way.popleft()
                self._taken(Picture(h264.split_annex_b(data), pts, bool(flags & KEY), width, height))
        except asyncio.IncompleteReadError:
            return
        finally:
            self._process = None
            self._under_way.clear()
            self.lose()
            self._kill(process)
            await asyncio.shield(process.wait())

    @staticmethod
    def _kill(process: Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    async def ended(self) -> None:
        """After :meth:`close`: the child is gone."""
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Transcodes:
    """Of a bridge's process; ``limit`` at a time."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._open: set[Transcode] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self.deaths = 0

    def __len__(self) -> int:
        return len(self._open)

    def open(self, name: str, codec: str, taken: Callable[[Picture], None], failed: Callable[[Fault], None]) -> Transcode:
        """``codec`` of what will be pushed: H264, H265. Fault ``transcodes_full``."""
        if len(self._open) >= self._limit:
            raise Fault("transcodes_full")
        opened = Transcode(self, name, codec, taken, failed)
        self._open.add(opened)
        return opened

    def closed(self, transcode: Transcode) -> None:
        if transcode in self._open:
            self._open.discard(transcode)
            task = asyncio.get_running_loop().create_task(transcode.ended())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        for transcode in list(self._open):
            transcode.close()
        await asyncio.gather(*self._ending)
