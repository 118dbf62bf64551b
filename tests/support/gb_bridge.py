"""The bridge of GB/T 28181 as a process has it, and what stands for its hub, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from bridges.gb28181 import process
from bridges.gb28181.calls import Calls, Place
from bridges.gb28181.seam import Devices, Media
from bridges.gb28181.server import NAME, Options, Server
from bridges.transcode import Transcoder
from commhub.media.link import Link, dial, listen
from commhub.media.messages import (
    Admitted,
    BridgeSnapshot,
    CataloguePart,
    DeviceState,
    Hello,
    Message,
    Pull,
    SourceState,
    Terms,
)
from commhub.media.outlet import Outlets
from tests.support import until
from tests.support.gb28181 import DEVICE, PASSWORD, PLATFORM

M = TypeVar("M")
HERE = Options(PLATFORM, hosts=("127.0.0.1",), port=0)

__all__ = ["NAME", "Hub", "bridge", "process"]


class Hub:
    """Dials the bridge, says who is admitted, remembers what it hears."""

    def __init__(self, folder: Path, *terms: Terms, epoch: int = 1) -> None:
        self.folder, self.epoch, self.terms = folder, epoch, list(terms) or [Terms(DEVICE, PASSWORD)]
        self.heard: list[Message] = []

    async def __aenter__(self) -> Hub:
        self.link, self._reading = await dial(self.folder, NAME, lambda _, message: self.heard.append(message))
        snapshot = await self.link.ask(Hello(role="hub", name="hub", epoch=self.epoch))
        assert isinstance(snapshot, BridgeSnapshot)
        self.snapshot = snapshot
        self.admit(*self.terms)
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.link.close()
        await asyncio.gather(self._reading, return_exceptions=True)

    def admit(self, *terms: Terms) -> None:
        self.link.tell(Admitted(list(terms)))

    def told(self, kind: type[M]) -> list[M]:
        return [one for one in self.heard if isinstance(one, kind)]

    def device(self, code: str = DEVICE) -> DeviceState | None:
        return next((one for one in reversed(self.told(DeviceState)) if one.device == code), None)

    async def online(self, code: str = DEVICE, seconds: float = 30) -> DeviceState:
        await until(lambda: (one := self.device(code)) is not None and one.online, seconds, "online")
        found = self.device(code)
        assert found is not None
        return found

    async def offline(self, why: str, code: str = DEVICE, seconds: float = 30) -> None:
        await until(lambda: (one := self.device(code)) is not None and (one.online, one.code) == (False, why), seconds, why)

    async def catalogue(self, code: str = DEVICE, seconds: float = 20) -> list[CataloguePart]:
        """The parts of the first run that has ended."""

        def runs() -> list[int]:
            return [one.run for one in self.told(CataloguePart) if one.last and one.device == code]

        await until(lambda: bool(runs()), seconds, "catalogue")
        return [one for one in self.told(CataloguePart) if one.run == runs()[0] and one.device == code]

    def pull(self, url: str, *workers: str, source: str = "cam", **more: Any) -> None:
        self.link.tell(Pull(source=source, url=url, workers=list(workers), **more))

    def state(self, source: str = "cam") -> SourceState:
        states = [one for one in self.told(SourceState) if one.source == source]
        return states[-1] if states else SourceState(source=source, state="unknown")

    async def turns(self, state: str, code: str = "", source: str = "cam", seconds: float = 30) -> SourceState:
        await until(lambda: (self.state(source).state, self.state(source).code) == (state, code), seconds, f"{state} {code}")
        return self.state(source)


@contextlib.asynccontextmanager
async def bridge(folder: Path, options: Options = HERE, **more: Any) -> AsyncIterator[Server]:
    """Its sockets, its link and its calls. ``more`` are values of ``options``."""
    outlets, transcoder = Outlets(folder, NAME), Transcoder()

    def media(devices: Devices, tell: Any) -> Media:
        return Calls(devices, outlets, transcoder, tell, folder, Place(ports=(0, 0)))

    server = Server(folder, replace(options, **more), media)
    await server.open()
    listener = await listen(folder, NAME, server.hubs.connected, server.receive)
    try:
        yield server
    finally:
        await listener.close()
        await server.close()
        await outlets.close()
        transcoder.close()


def where(server: Server) -> tuple[str, int]:
    return "127.0.0.1", server.endpoint.port


def linked(link: Link) -> bool:
    return not link.closed.is_set()
