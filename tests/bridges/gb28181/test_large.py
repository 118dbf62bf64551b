"""Catalogues of a city, one entry in each message."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from bridges.gb28181.catalogue import Run
from bridges.gb28181.manscdp import parse
from bridges.simulated.device import cameras
from commhub.media.messages import AskDevice, DeviceAnswer, Move
from tests.bridges.gb28181.test_hostile import resident
from tests.support import until
from tests.support.gb28181 import DEVICE, device
from tests.support.gb_bridge import Hub, bridge, where
from tests.support.gb_platform import camera, item, page
from tests.support.proofs import Figure


async def read(folder: Path, number: int) -> tuple[float, float, float]:
    """Seconds from the question to the end, MB more, the slowest answer to another question meanwhile."""
    entries = cameras(DEVICE[:6], number, parent=DEVICE)
    async with bridge(folder) as server, Hub(folder) as hub:
        before = resident()
        async with device(where(server), entries=entries, quirks=["one-item"], window=8):
            await hub.online()
            began, slowest = time.monotonic(), 0.0
            ended = asyncio.ensure_future(hub.catalogue(seconds=300))
            while not ended.done():
                await asyncio.wait([ended], timeout=1)
                asked = time.monotonic()
                assert isinstance(await hub.link.ask(AskDevice(DEVICE, "", "status")), DeviceAnswer)
                slowest = max(slowest, time.monotonic() - asked)
            seconds, parts = time.monotonic() - began, await ended
        names = [one.channel for part in parts for one in part.channels]
        assert len(names) == len(set(names)) == number
        assert (parts[-1].complete, parts[-1].received, parts[-1].total) == (True, number, number)
        assert max(len(part.channels) for part in parts) <= 520
        return seconds, resident() - before, slowest


async def test_a_catalogue_with_one_entry_in_each_message(tmp_path: Path) -> None:
    await read(tmp_path, 600)


@pytest.mark.prove
@pytest.mark.timeout(400)
async def test_fifty_thousand_channels(tmp_path: Path, figure: Figure) -> None:
    seconds, grown, slowest = await read(tmp_path, 50_000)
    name = "Catalogue of 50,000, one item in each MESSAGE over UDP"
    assert figure(f"{name}: until it is complete (device beside it)", round(seconds, 1), "s", goal="≤ 120 s")
    assert figure(f"{name}: growth of bridge and device", round(grown), "MB", goal="≤ 500 MB")
    assert figure(f"{name}: slowest answer of that device meanwhile", round(slowest * 1000), "ms", goal="≤ 1000 ms")


def test_the_cost_of_an_entry_does_not_grow() -> None:
    def cost(count: int) -> float:
        run = Run(1, 1, 0.0)
        documents = [parse(page(item(camera(number), f"C{number}"), count)) for number in range(count)]
        began = time.thread_time()
        for at, document in enumerate(documents):
            run.take(document, at * 0.001)
        assert run.received == count
        return (time.thread_time() - began) / count

    cost(200)
    assert cost(4000) < 5 * cost(500)


@pytest.mark.prove
async def test_from_the_hub_to_the_wire(tmp_path: Path, figure: Figure) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub, device(where(server)) as made:
        await hub.online()
        await hub.catalogue()
        channel = next(iter(made.entries))
        took = []
        for number in range(200):
            made.commands.clear()
            began = time.monotonic()
            hub.link.tell(Move(DEVICE, channel, pan=0.2 if number % 2 else -0.2))
            await until(lambda: bool(made.commands))
            took.append(made.commands[-1].at - began)
        p95 = sorted(took)[int(len(took) * 0.95)]
        name = "Move from the hub's link to the device behind it, p95 (GB/T 28181)"
        assert figure(name, round(p95 * 1000, 1), "ms", goal="≤ 50 ms")
