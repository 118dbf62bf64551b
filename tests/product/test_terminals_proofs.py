"""Five hundred terminals: how soon a change reaches all of them, and that nothing is lost or repeated: `make prove`. The short
form is in ``test_terminals``."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest

from tests.product.test_terminals import KIND, change, house, invited, kills, rename, written, wrong
from tests.support import until
from tests.support.proofs import Figure

pytestmark = [pytest.mark.peer, pytest.mark.prove, pytest.mark.timeout(900)]

TERMINALS, CHANGES, KILLS = 500, 60, 5


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[18]


async def test_a_change_reaches_five_hundred_terminals(tmp_path: Path, figure: Figure) -> None:
    async with house(tmp_path, TERMINALS) as (hub, host, terminals):
        made, asked = await invited(host, terminals[0].person.org), list[float]()
        await until(lambda: all(one.events for one in terminals))
        for number in range(CHANGES):
            asked.append(time.monotonic())
            made = await change(host, made, f"T{number}")
            await asyncio.sleep(0.2)
        assert await wrong(terminals, await written(hub, made["id"])) == 0
        last, each, spread = list[float](), list[float](), list[float]()
        for number, began in enumerate(asked):
            came = [
                [at for at, event in zip(one.at, one.events, strict=True) if event["type"] == KIND][number] - began
                for one in terminals
            ]
            each += came
            last.append(max(came))
            spread.append(max(came) - min(came))
        figure("500 terminals: event at the first to event at the last terminal, p95", 1000 * p95(spread), "ms")
        reached = [
            figure("500 terminals: change asked to event at a terminal, median", 1000 * statistics.median(each), "ms"),
            figure("500 terminals: change asked to event at a terminal, p95", 1000 * p95(each), "ms", goal="≤ 500 ms"),
            figure("500 terminals: change asked to event at the last terminal, p95", 1000 * p95(last), "ms", goal="≤ 500 ms"),
        ]

        said, shown = list[float](), list[float]()
        for number in range(20):
            one, state = terminals[number], "dnd"
            assert one.socket is not None
            said.append(time.monotonic())
            await one.socket.send_json({"type": "presence", "state": state})
            await until(lambda one=one: all(other.presence.get(one.person.id) == "dnd" for other in terminals))  # type: ignore[misc]
            shown.append(max(next(at for at, people in other.told if people.get(one.person.id) == "dnd") for other in terminals))
        spent = [at - began for at, began in zip(shown, said, strict=True)]
        reached += [
            figure("500 terminals: presence said to shown at the last one, p95", 1000 * p95(spent), "ms", goal="≤ 500 ms")
        ]
        assert all(reached)


async def test_five_hundred_terminals_and_a_hub_that_is_killed(tmp_path: Path, figure: Figure) -> None:
    async with house(tmp_path, TERMINALS) as (hub, host, terminals):
        count, back = await kills(hub, host, terminals, KILLS, 20)
        assert figure("500 terminals: hub kill -9 five times, events lost or repeated", count, "events", goal="= 0")
        figure("500 terminals: hub kill -9 to all registered again, worst of five", max(back), "s")


async def test_five_hundred_terminals_that_are_cut(tmp_path: Path, figure: Figure) -> None:
    async with house(tmp_path, TERMINALS) as (hub, host, terminals):
        made = await invited(host, terminals[0].person.org)
        for number in range(60):
            for one in terminals[number % 20 :: 20]:
                one.cut()
            made = await rename(host, made, f"cut {number}")
        count = await wrong(terminals, await written(hub, made["id"]))
        assert figure("500 terminals: each cut three times amid 60 changes, lost or repeated", count, "events", goal="= 0")
        assert min(one.connected for one in terminals) > 1
