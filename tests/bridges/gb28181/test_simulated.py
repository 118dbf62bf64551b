"""Simulated devices, each with one fault of a real one, all at once at one bridge: it knows their cameras and shows them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from fractions import Fraction
from pathlib import Path

import pytest

from bridges.simulated.device import Device, Style, cameras, code
from bridges.simulated.film import Studio
from bridges.simulated.quirks import QUIRKS
from commhub.media.messages import CataloguePart, Terms
from tests.support import until
from tests.support.bridge import marked
from tests.support.gb28181 import PASSWORD, device
from tests.support.gb_bridge import Hub, bridge, where
from tests.support.media_worker import MediaWorker

AT_ONCE = 12  # so that nothing waits for the machine
TINY = Style(main=(160, 96), sub=(160, 96), fps=Fraction(25, 2), group_seconds=1.0)
# What cannot be shown.
NOT_SHOWN = {"no-200", "no-media", "busy"}
NO_CATALOGUE = {"no-catalogue"}
INCOMPLETE = {"wrong-total", "small-total", "lost-page"}
APART = {"hangs-up", "stale-session", "silent", "no-121", "no-scale", "info-121"}  # need more than one play
APART |= {"slow-download", "stalling-download", "broken-file"}


def _code(number: int) -> str:
    return code("110105", "118", number)


def _channel(number: int) -> str:
    return code("110105", "131", 10 * number + 1)


async def _devices(stack: AsyncExitStack, address: tuple[str, int], quirks: list[str]) -> dict[str, Device]:
    studio = Studio()
    stack.push_async_callback(studio.close)
    found = {}
    for number, quirk in enumerate(quirks, 1):
        entries = cameras("110105", 5, parent=_code(number), first=10 * number + 1, movable=1)
        found[quirk] = await stack.enter_async_context(
            device(address, code=_code(number), entries=entries, quirks=[quirk], style=TINY, studio=studio, wait=None)
        )
    await asyncio.gather(*(asyncio.wait_for(one.registered.wait(), 60) for one in found.values()))
    return found


async def test_their_catalogues_are_known(tmp_path: Path) -> None:
    quirks = sorted(QUIRKS)
    terms = [Terms(_code(number), PASSWORD) for number in range(1, len(quirks) + 1)]
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(bridge(tmp_path))
        hub = await stack.enter_async_context(Hub(tmp_path, *terms))
        await _devices(stack, where(server), quirks)
        wanted = {_code(number): quirk for number, quirk in enumerate(quirks, 1) if quirk not in NO_CATALOGUE}

        def ended() -> dict[str, CataloguePart]:
            return {wanted[one.device]: one for one in hub.told(CataloguePart) if one.last and one.device in wanted}

        await until(lambda: len(ended()) == len(wanted), 60, "catalogues")
        assert {quirk for quirk, part in ended().items() if not part.complete} == INCOMPLETE
        for device_code, quirk in wanted.items():
            parts = [one for one in hub.told(CataloguePart) if one.device == device_code]
            seen = {channel.channel for part in parts for channel in part.channels if channel.kind == "camera"}
            assert len(seen) == (3 if quirk == "lost-page" else 5), quirk


async def test_they_are_shown(tmp_path: Path) -> None:
    quirks = sorted(QUIRKS.keys() - NOT_SHOWN - APART)
    terms = [Terms(_code(number), PASSWORD) for number in range(1, len(quirks) + 1)]
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(MediaWorker(tmp_path))
        server = await stack.enter_async_context(bridge(tmp_path))
        hub = await stack.enter_async_context(Hub(tmp_path, *terms))
        devices = await _devices(stack, where(server), quirks)
        for begin in range(0, len(quirks), AT_ONCE):
            group = quirks[begin : begin + AT_ONCE]
            for number, quirk in enumerate(group, begin + 1):
                hub.pull(f"gb28181://{_code(number)}/{_channel(number)}", "media-0", source=quirk)
            await _shown(hub, worker, group)
            for quirk in group:
                hub.pull("", source=quirk)
            await until(lambda: not any(one.plays for one in devices.values()), 60, "the end of all plays")


async def _shown(hub: Hub, worker: MediaWorker, sources: list[str]) -> None:
    def late() -> list[str]:
        return [source for source in sources if marked(worker.of(source)) < 8]

    try:
        await until(lambda: not late(), 60)
    except AssertionError:
        raise AssertionError({one: (hub.state(one).state, hub.state(one).code) for one in late()}) from None


@pytest.mark.parametrize(("quirk", "why"), [("busy", "busy")])
async def test_they_are_not_shown_and_it_is_said_why(tmp_path: Path, quirk: str, why: str) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub, device(where(server), quirks=[quirk], style=TINY):
        hub.pull(f"gb28181://{_code(1)}/{code('110105', '131', 1)}", "media-0")
        await hub.turns("failed", why)
