"""The bridge as the process that it is: killed while a camera plays, its spare goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridges.simulated.device import code
from tests.support import free_port, until
from tests.support.gb28181 import DEVICE, PLATFORM, device
from tests.support.gb_bridge import NAME, Hub
from tests.support.media_worker import MediaWorker
from tests.support.proofs import Figure

CAMERA = code("110105", "131", 1)


@contextlib.asynccontextmanager
async def process(folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = {
        "DATA_DIR": folder, "GB28181__ENABLED": "true", "GB28181__ID": PLATFORM, "GB28181__PORT": port,
        "GB28181__HOSTS": "127.0.0.1", "GB28181__MEDIA_PORTS": f"{port + 2}-{port + 40}",
    }  # fmt: skip
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "commhub", "bridge", "--kind", "gb28181",
        env=os.environ | {f"COMMHUB_{name}": str(value) for name, value in settings.items()},
    )  # fmt: skip
    try:
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            made.terminate()
        await asyncio.wait_for(made.wait(), 10)


async def linked(folder: Path, epoch: int) -> Hub:
    """As soon as somebody listens."""
    for _ in range(200):
        hub = Hub(folder, epoch=epoch)
        try:
            return await hub.__aenter__()
        except OSError:
            await asyncio.sleep(0.05)
    raise AssertionError("Nobody listens.")


async def killed(folder: Path) -> float:
    """Seconds from the kill to the packets of the next process's play."""
    run, port = folder / "run", free_port()
    spares = contextlib.AsyncExitStack()
    async with spares, MediaWorker(run) as worker, process(folder, port) as first:
        await until(lambda: (run / f"{NAME}.ctl").exists(), 20)
        await spares.enter_async_context(process(folder, port))
        await until(lambda: (run / f"{NAME}.turn.next").exists(), 20)
        hub = await linked(run, 1)
        async with device(("127.0.0.1", port)) as made:
            await hub.online()
            hub.pull(f"gb28181://{DEVICE}/{CAMERA}", "media-0")
            await hub.turns("live")
            await until(lambda: (run / "gb28181.devices").exists() and (run / "calls.json").exists(), 3)
            await asyncio.sleep(1.5)  # until who is registered is on disk
            first.send_signal(signal.SIGKILL)
            began = time.monotonic()
            await until(lambda: hub.link.closed.is_set())
            packets = len(worker.packets)
            second = await linked(run, 2)
            await second.online(seconds=5)
            second.pull(f"gb28181://{DEVICE}/{CAMERA}", "media-0")
            await second.turns("live")
            await until(lambda: len(worker.packets) >= packets + 10)
            seconds = time.monotonic() - began
            await until(lambda: made.counts["BYE"] == 1)
            assert made.counts["INVITE"] == 2
            second.link.close()
    return seconds


@pytest.mark.prove
@pytest.mark.timeout(120)
async def test_a_killed_bridge_plays_again(tmp_path: Path, figure: Figure) -> None:
    seconds = await killed(tmp_path)
    assert figure(
        "GB/T 28181 bridge killed while a camera plays: until its packets come again", round(seconds, 2), "s", goal="≤ 5 s"
    )
