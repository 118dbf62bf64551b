"""A hub with a device in it, and what the bridge would say of it."""

from __future__ import annotations

from collections.abc import Iterable

from commhub.devices import Devices
from commhub.media.messages import Admitted, CataloguePart, Channel, Message
from commhub.model import HUB
from tests.support import until
from tests.support.hubs import Hub

RECORDER = "34020000001180000001"
PLATFORM = "34020000002000000001"
CAMERA = "34020000001320000001"


def camera(number: int, name: str = "", **more: object) -> Channel:
    return Channel(channel=f"3402000000131{number:07d}", name=name or f"通道 {number}", **more)  # type: ignore[arg-type]


def node(code: str, kind: str, name: str, *parents: str, **more: object) -> Channel:
    return Channel(channel=code, kind=kind, name=name, parents=list(parents), **more)  # type: ignore[arg-type]


class Bridge:
    """The bridge's end of the link: what it was told, and how it speaks."""

    def __init__(self, devices: Devices) -> None:
        self.devices = devices
        self.told: list[Message] = []
        self.runs = 0

    def link(self) -> None:
        self.devices.linked(Admitted([]), self.told.append)

    async def say(self, *messages: Message) -> None:
        """Returns when all of it is written."""
        for message in messages:
            self.devices.receive(message)
        await self.written()

    async def written(self) -> None:
        await until(lambda: not self.devices.waiting, 20, "all that was said to be written")
        self.devices.trees.forget()

    async def catalogue(
        self, device: str, channels: Iterable[Channel], *, complete: bool = True, size: int = 3, last: bool = True
    ) -> None:
        """A run, in parts of ``size``."""
        self.runs += 1
        told = list(channels)
        parts = [told[start : start + size] for start in range(0, len(told), size)] or [[]]
        count = 0
        for number, part in enumerate(parts, 1):
            count += len(part)
            ends = last and number == len(parts)
            self.devices.receive(
                CataloguePart(
                    device, self.runs, part, received=count, total=len(told), last=ends, complete=ends and complete, told=count
                )
            )
        await self.written()


async def admitted(hub: Hub, code: str = RECORDER, name: str = "青石桥录像机", org: str = "binjiang") -> str:
    """Its id."""
    device, _ = await hub.parts.devices.registry.create(HUB, code, name, hub.ids[org])
    return device
