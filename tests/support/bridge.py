"""A bridge as a process has it, with a hub, cameras and media workers around it, all on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from bridges import process
from bridges.simulated.rtsp import Camera, Options
from bridges.timeline import signed32, unwrap
from commhub.media.link import Link, dial
from commhub.media.messages import BridgeSnapshot, Hello, Message, Pull, SourceState
from tests.support import until

SMALL = {"width": 320, "height": 180, "fps": Fraction(25), "group": 10, "report_every": 0.5}


class Hub:
    """What stands for the hub: dials the bridge and remembers what it says."""

    def __init__(self, folder: Path, epoch: int = 1) -> None:
        self.folder, self.epoch = folder, epoch
        self.states: list[SourceState] = []

    async def __aenter__(self) -> Hub:
        self.link, self._reading = await dial(self.folder, "bridge-rtsp", self._receive)
        snapshot = await self.link.ask(Hello(role="hub", name="hub", epoch=self.epoch))
        assert isinstance(snapshot, BridgeSnapshot)
        self.snapshot = snapshot
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.link.close()
        await asyncio.gather(self._reading, return_exceptions=True)

    def _receive(self, link: Link, message: Message) -> None:
        if isinstance(message, SourceState):
            self.states.append(message)

    def pull(self, url: str, *workers: str, source: str = "cam", **more: Any) -> None:
        self.link.tell(Pull(source=source, url=url, workers=list(workers), **more))

    def state(self, source: str = "cam") -> SourceState:
        states = [state for state in self.states if state.source == source]
        return states[-1] if states else SourceState(source=source, state="unknown")

    async def turns(self, state: str, code: str = "", source: str = "cam", seconds: float = 30) -> SourceState:
        await until(lambda: (self.state(source).state, self.state(source).code) == (state, code), seconds, f"{state} {code}")
        return self.state(source)


@contextlib.asynccontextmanager
async def bridge(folder: Path, *allow: str) -> AsyncIterator[None]:
    running = asyncio.ensure_future(process.run(folder, "bridge-rtsp", allow or ["127.0.0.1:1"]))
    await until(lambda: (folder / "bridge-rtsp.ctl").exists())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@contextlib.asynccontextmanager
async def camera(port: int = 0, **options: object) -> AsyncIterator[Camera]:
    made = Camera(Options(**SMALL | options))  # type: ignore[arg-type]
    await made.start("127.0.0.1", port)
    try:
        yield made
    finally:
        await made.close()


def continuous(packets: list[bytes]) -> bool:
    """Sequence numbers without a gap, times that never go back."""
    pairs = list(pairwise([unwrap(packet) for packet in packets]))
    return all(
        (later.sequence - one.sequence) & 0xFFFF == 1
        and signed32(later.timestamp - one.timestamp) >= 0
        and one.ssrc == later.ssrc
        for one, later in pairs
    )


def marked(packets: list[bytes]) -> int:
    return sum(unwrap(packet).marker for packet in packets)
