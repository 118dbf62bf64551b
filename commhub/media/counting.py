"""What a process beside the media workers measures of itself, told to the hub every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from commhub.media.link import Link, PacketSocket
from commhub.media.messages import Counters
from commhub.tasks import Lag, Tasks

SECONDS = 5.0


async def tell_counters(process: str, values: Callable[[], dict[str, float]], hubs: Callable[[], Iterable[Link]]) -> None:
    """Until cancelled: ``values`` besides how late the loop was, at worst, and what its packet sockets dropped."""
    lag = Lag(process)
    async with Tasks(f"counters of {process}") as tasks:
        tasks.spawn(lag.run(), "lag")
        while True:
            await asyncio.sleep(SECONDS)
            own = {"loop_lag_seconds": lag.take(), "link_batches_dropped": float(PacketSocket.all_dropped)}
            counters = Counters(own | values())
            for link in list(hubs()):
                link.tell(counters)
