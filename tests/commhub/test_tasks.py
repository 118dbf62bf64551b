import asyncio
import logging
import time

import pytest

from commhub.tasks import Lag, Tasks, rounds


async def test_close_cancels_and_waits() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)  # cleaning up takes a moment
            ended.append("work")

    async with Tasks("owner") as tasks:
        tasks.spawn(work(), "work")
        await asyncio.sleep(0)
        assert len(tasks) == 1
    assert ended == ["work"]
    assert len(tasks) == 0


async def test_failure_is_logged_once_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("torn")

    async with Tasks("camera 7") as tasks:
        other = tasks.spawn(asyncio.sleep(60), "other")
        with pytest.raises(ValueError, match="torn"):
            await tasks.spawn(fail(), "pull")
        assert not other.done()
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "camera 7: pull" in caplog.text


async def test_failure_while_being_cancelled_does_not_escape_close() -> None:
    async def fail() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("torn")

    async with Tasks("owner") as tasks:
        tasks.spawn(fail(), "fail")
        await asyncio.sleep(0)


async def test_nothing_starts_after_close() -> None:
    tasks = Tasks("camera 7")
    await tasks.close()
    with pytest.raises(RuntimeError, match=r"The tasks of camera 7 are closed\."):
        tasks.spawn(asyncio.sleep(0), "late")


async def test_a_task_may_close_its_owner() -> None:
    tasks = Tasks("owner")

    async def last() -> str:
        await tasks.close()
        return "closed"

    waiting = tasks.spawn(asyncio.sleep(60), "waiting")
    assert await tasks.spawn(last(), "last") == "closed"
    assert waiting.cancelled()


async def test_a_blocked_loop_is_measured() -> None:
    lag = Lag("hub")
    async with Tasks("test") as tasks:
        tasks.spawn(lag.run(), "lag")
        await asyncio.sleep(0.15)
        lag.take()
        time.sleep(0.4)  # noqa: ASYNC251  somebody does not give way
        await asyncio.sleep(0.15)
        assert 0.2 < lag.take() < 5


async def test_a_cancellation_that_is_lost_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `asyncio.wait_for` of Python 3.11 loses it, when its result comes at the same moment."""
    monkeypatch.setattr("commhub.tasks.AGAIN", 0.02)
    lost = 0

    async def forgetful() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost > 2:
                    raise

    tasks = Tasks("test")
    tasks.spawn(forgetful(), "forgetful")
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.close(), 5)
    assert lost == 3


async def test_a_round_goes_on_past_whom_it_fails_at() -> None:
    going = {"ill": 0, "well": 0, "over": 0}
    enough = asyncio.Event()

    async def look(one: str) -> None:
        going[one] += 1
        if one == "ill":
            raise RuntimeError
        if one == "over":
            del going[one]  # what ends while it is looked at is not looked at again
        elif going[one] == 3:
            enough.set()

    async with Tasks("test") as tasks:
        tasks.spawn(rounds(0.01, "patient", going, look), "round")
        await asyncio.wait_for(enough.wait(), 30)
    assert going["ill"] >= 3
    assert "over" not in going
