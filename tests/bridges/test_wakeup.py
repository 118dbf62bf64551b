"""A machine is looked at when it wants to be, not later."""

from __future__ import annotations

import asyncio

from bridges.wakeup import Wakeup


async def test_the_nearest_deadline_wakes_and_one_that_is_taken_back_does_not() -> None:
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    wakeup = Wakeup(woken.set)
    wakeup.set(loop.time() + 3600)
    wakeup.set(due := loop.time() + 0.01)
    wakeup.set(loop.time() + 3600)  # has moved away: looking too soon costs nothing
    await asyncio.wait_for(woken.wait(), 30)
    assert loop.time() >= due - 0.001
    woken.clear()
    wakeup.set(loop.time() + 0.01)
    wakeup.set(None)
    wakeup.set(loop.time() + 0.01)
    wakeup.stop()
    await asyncio.sleep(0.05)
    assert not woken.is_set()
