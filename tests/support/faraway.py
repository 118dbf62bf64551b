"""A :class:`Caller` in another network: a process there, which says on its standard output what it sees.

``python -m tests.support.faraway URL TOKEN IDENTITY`` prints one line for every picture of IDENTITY and every event: JSON,
``[time.monotonic, "frame" | event]``. The clock is the machine's, so its times can be compared with ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.caller import Caller
from tests.support.far import Far


async def _main(url: str, token: str, identity: str) -> None:
    async with Caller(url, token) as caller:
        frames = events = 0
        while True:
            for at in caller.frames[identity][frames:]:
                print(json.dumps([at, "frame"]), flush=True)
            frames = len(caller.frames[identity])
            for at, name in caller.events[events:]:
                print(json.dumps([at, name]), flush=True)
            events = len(caller.events)
            await asyncio.sleep(0.02)


class Faraway:
    """What it saw so far: times of pictures, and events."""

    def __init__(self) -> None:
        self.frames: list[float] = []
        self.events: list[str] = []

    async def sees(self, *, after: float = 0.0, count: int = 3, within: float = 30) -> float:
        """When the ``count``-th picture after ``after`` came."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            late = [at for at in self.frames if at > after]
            if len(late) >= count:
                return late[count - 1]
            await asyncio.sleep(0.05)
        raise AssertionError(f"no pictures over there: {len(self.frames)} in all, {self.events}")


@asynccontextmanager
async def faraway(far: Far, url: str, token: str, identity: str) -> AsyncIterator[Faraway]:
    words = far.command(sys.executable, "-m", "tests.support.faraway", url, token, identity)
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        env=dict(os.environ),
    )
    there = Faraway()

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            with contextlib.suppress(ValueError):  # the SDK's own words
                at, what = json.loads(line)
                if what == "frame":
                    there.frames.append(at)
                else:
                    there.events.append(what)

    reading = asyncio.create_task(read())
    try:
        yield there
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
