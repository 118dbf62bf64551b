"""A hundred posts asked at once, with a real hub and a socket for each."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import until
from tests.support.installation import Installation
from tests.support.proofs import Figure
from tests.support.talkers import Talker, colleagues, talker

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]


async def _asked(one: Talker) -> tuple[float, str]:
    """When it was told which roll call is answered."""

    def told() -> list[tuple[float, dict[str, Any]]]:
        return [(at, said) for at, said in one.instructions if said["verb"] == "show"]

    await until(told, 60, f"{one.who.name} is asked")
    at, said = told()[0]
    return at, str(said["subject"])


async def posts(tmp_path: Path, count: int) -> tuple[float, float]:
    """Seconds from the question until the last one has it, and until the last answer is on the sheet."""
    async with Installation(tmp_path) as hub, AsyncExitStack() as stack:
        crew = [await stack.enter_async_context(talker(hub, who)) for who in await colleagues(hub, [5] * (count + 1))]
        chief, *others = crew
        await until(lambda: all(any('"terminal"' in said for said in one.said) for one in crew), 60, "all are at their terminals")
        body = {"title": "查岗", "people": [one.who.id for one in others], "window_seconds": 60}
        began = time.monotonic()
        roll = await chief.call("POST", "/roll-calls", body)

        async def answers(one: Talker) -> float:
            at, subject = await _asked(one)
            assert subject == roll["id"]
            await one.call("POST", f"/roll-calls/{subject}/answer")
            return at

        told = await asyncio.gather(*map(answers, others))
        for _ in range(600):
            sheet = await chief.call("GET", f"/roll-calls/{roll['id']}")
            if sheet["counts"]["present"] == count:
                return max(told) - began, time.monotonic() - began
            await asyncio.sleep(0.05)
        raise AssertionError(f"not all answers are on the sheet: {sheet['counts']}")


async def test_ten_posts_answer(tmp_path: Path) -> None:
    await posts(tmp_path, 10)


@pytest.mark.prove
async def test_a_hundred_posts_answer(tmp_path: Path, figure: Figure) -> None:
    told, answered = await posts(tmp_path, 100)
    good = figure("roll call of 100 posts: asked → at the last terminal", told, "s", goal="≤ 2 s")
    good &= figure("roll call of 100 posts, all answer at once: asked → all present on the sheet", answered, "s", goal="≤ 5 s")
    assert good
