"""A whole installation under attack from the network: who is in a call hardly notices, who joins neither."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from commhub.hidden import Secret
from signaling import tokens
from signaling.tokens import Key
from tests.support.caller import Caller
from tests.support.hostile import Attacker
from tests.support.installation import SECRET, Installation
from tests.support.proofs import Figure

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]
KEYS = tokens.Keys({"APItest": Key(Secret(SECRET))})


def token(identity: str, room: str = "attacked") -> str:
    grants = {"roomJoin": True, "room": room, "roomCreate": True}
    return tokens.mint("APItest", KEYS, now=time.time(), ttl=600, identity=identity, name=identity, grants=grants)


def memory(pid: int) -> float:
    """MB that are resident."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def lines(hub: Installation) -> int:
    return hub.log.read_bytes().count(b"\n")


@asynccontextmanager
async def call(folder: Path) -> AsyncIterator[tuple[Installation, Caller, Caller]]:
    async with Installation(folder) as hub:
        url = f"ws://127.0.0.1:{hub.port}"
        async with Caller(url, token("alice")) as alice, Caller(url, token("bob"), video=False) as bob:
            await bob.sees("alice", count=15)
            await asyncio.sleep(2)
            yield hub, alice, bob


async def watch(alice: Caller, bob: Caller, seconds: float) -> float:
    """Of a hundred pictures that alice makes in this time, so many reach bob."""
    since = time.monotonic()
    await asyncio.sleep(seconds)
    until = time.monotonic()
    made = sum(since <= at < until for at in alice.painted)
    seen = sum(since <= at < until for at in bob.frames["alice"])
    return 100 * min(1.0, seen / made)


async def bombard(folder: Path, count: int, rate: int) -> dict[str, float]:
    async with call(folder) as (hub, alice, bob), Attacker("datagrams", hub.media_port, count, rate, 1) as attacker:
        worker = hub.pids()["media-0"]
        quiet = await watch(alice, bob, 4)
        before, said = memory(worker), lines(hub)
        attacker.begin()
        share = await watch(alice, bob, count / rate)
        done = await attacker.done()
        grown, more = memory(worker) - before, lines(hub) - said
        print(f"quiet {quiet:.1f} %, attacked {share:.1f} %, +{grown:.1f} MB, {more} lines, {done}")
        assert done["seconds"] < 1.3 * count / rate, "the attack was slower than it should have been"
        assert done["answered"] <= done["octets"]
        assert not alice.events
        assert not bob.events
        return {"frames": share, "memory": grown, "lines": more}


async def test_malformed_datagrams_do_not_harm_a_call(tmp_path: Path) -> None:
    found = await bombard(tmp_path, 2_000, 1_000)
    assert found["frames"] >= 90
    assert found["memory"] <= 10
    assert found["lines"] <= 100


@pytest.mark.prove
@pytest.mark.parametrize(("count", "rate", "share"), [(10_000, 1_000, 99), (60_000, 6_000, 90)])
async def test_many_malformed_datagrams(tmp_path: Path, figure: Figure, count: int, rate: int, share: int) -> None:
    found = await bombard(tmp_path, count, rate)
    name = f"{count:,} malformed datagrams at {rate:,}/s in a call"
    reached = [
        figure(f"{name}: pictures that arrive", round(found["frames"], 2), "%", goal=f"≥ {share} %"),
        figure(f"{name}: memory", round(found["memory"], 2), "MB", goal="≤ 10 MB"),
        figure(f"{name}: log lines", found["lines"], "", goal="≤ 100"),
    ]
    assert all(reached)


async def join_seconds(url: str, count: int, room: str) -> list[float]:
    """How long it takes to get the answer to a join, one after the other."""
    found = []
    async with aiohttp.ClientSession() as session:
        for number in range(count):
            began = time.monotonic()
            query = {"access_token": token(f"p{number}", room), "auto_subscribe": "1", "protocol": "15"}
            async with session.ws_connect(f"{url}/rtc", params=query) as ws:
                await ws.receive_bytes(timeout=10)
                found.append(time.monotonic() - began)
    return found


async def half_open(folder: Path, count: int, joins: int) -> dict[str, float]:
    async with Installation(folder) as hub, Attacker("upgrades", hub.port, count, 25) as attacker:
        url = f"http://127.0.0.1:{hub.port}"
        quiet = await join_seconds(url, joins, "before")
        attacker.begin()
        await asyncio.sleep(0.5)
        during = await join_seconds(url, joins, "during")
        done = await attacker.done()
        print(f"joins before {statistics.median(quiet):.3f} s, during {max(during):.3f} s at most, {done}")
        assert done["closed"] == count
        return {"last": done["last"], "join": max(during)}


@pytest.mark.prove
async def test_eight_hundred_half_open_upgrades(tmp_path: Path, figure: Figure) -> None:
    found = await half_open(tmp_path, 800, 20)
    assert figure("800 half-open upgrades: the last one is closed after", round(found["last"], 2), "s", goal="≤ 15 s")
    assert figure("800 half-open upgrades: slowest of 20 joins meanwhile", round(found["join"], 3), "s", goal="≤ 0.5 s")
