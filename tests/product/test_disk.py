"""A disk that runs full in a call: nobody in the call notices, everybody may know, and recording goes on with the room."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.installation import Installation, Person
from tests.support.media_files import probe
from tests.support.meetings import meeting
from tests.support.proofs import Figure

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]

MIB = 1 << 20
FLOOR = MIB  # what is left to others


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """The folder of recordings on a disk of 64 MiB of its own."""
    folder = tmp_path / "data" / "recordings"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(small: Path, left: int) -> None:
    """Somebody else's file takes all but so many bytes."""
    other = small / "other"
    other.unlink(missing_ok=True)
    with other.open("wb", buffering=0) as file, contextlib.suppress(OSError):  # the recorder takes of it, too
        while (more := shutil.disk_usage(small).free - left) > 0:
            file.write(bytes(min(more, MIB)))


async def when(true: Callable[[], Awaitable[object]], within: float = 60.0) -> float:
    """Seconds until it is so."""
    began = time.monotonic()
    while not await true():
        assert time.monotonic() - began < within, "not in time"
        await asyncio.sleep(0.05)
    return time.monotonic() - began


@dataclass
class Cycle:
    """Seconds."""

    alarm: float  # from little room to the alarm
    full: float  # from none to the word that nothing is recorded
    again: float  # from room to recording


async def cycle(hub: Installation, admin: Person, host: Person, room: str, small: Path) -> Cycle:
    async def step() -> str:
        disk = (await admin.call("GET", "/storage"))["disk"]
        return disk["level"] if disk else ""

    async def light() -> str:
        state: str = (await host.call("GET", f"/consultations/{room}"))["recording"]["state"]
        return state

    async def at(level: str) -> bool:
        return await step() == level

    async def lit(state: str) -> bool:
        return await light() == state

    fill(small, FLOOR + 2 * MIB)
    alarm = await when(lambda: at("thin"))
    assert await light() == "recording"  # thinned, and not stopped
    fill(small, 0)
    full = await when(lambda: lit("failed"))
    assert await step() == "full"
    await asyncio.sleep(2)
    (small / "other").unlink()
    again = await when(lambda: lit("recording"))
    await when(lambda: at("ample"))
    await asyncio.sleep(3)
    return Cycle(alarm, full, again)


async def in_a_call(tmp_path: Path, small: Path, cycles: int) -> tuple[list[Cycle], float]:
    """What ``cycles`` of a full disk cost, and the longest time without a picture or a sound in the call (s)."""
    async with Installation(tmp_path, COMMHUB_RECORDER__MINIMUM_FREE_BYTES=str(FLOOR)) as hub:
        admin = await hub.sign_in(hub.who("admin"))
        async with meeting(hub, record=True) as call:
            await asyncio.sleep(3)
            began = time.monotonic()
            found = [await cycle(hub, admin, call.person, call.room, small) for _ in range(cycles)]
            gaps = call.gaps(began, time.monotonic())
            await call.stop_recording()
            await readable(hub, admin, call.room, tmp_path)
        return found, max(gaps)


async def readable(hub: Installation, admin: Person, room: str, tmp_path: Path) -> None:
    """It is one recording, whole and proved; every file of it can be played as long as it says."""

    async def closed() -> list[Any]:
        listed: list[Any] = (await admin.call("GET", f"/recordings?consultation={room}"))["items"]
        return listed if all(one["state"] == "complete" for one in listed) else []

    await when(closed)
    [one] = await closed()
    detail = await admin.call("GET", f"/recordings/{one['id']}")
    assert {(track["kind"], track["source"]) for track in detail["tracks"]} == {("audio", "microphone"), ("video", "camera")}
    for track in detail["tracks"]:
        assert len(track["segments"]) >= 2  # before it was full, and after
        for segment in track["segments"]:
            file = tmp_path / "one"
            async with admin.session.get(hub.base + segment["url"]) as answer:
                assert answer.status == 200
                file.write_bytes(await answer.read())
            assert abs(await probe(file) * 1000 - segment["duration_ms"]) < 1_000, (track["source"], segment)
    types = [event["type"] for event in detail["events"]]
    assert "thinned" in types
    assert "continued" in types
    await hub.run("verify", one["id"])


async def test_a_disk_that_runs_full_in_a_call_costs_the_call_nothing(tmp_path: Path, small: Path) -> None:
    [found], gap = await in_a_call(tmp_path, small, 1)
    assert gap < 2.0, f"{gap:.2f} s without a picture or a sound"
    assert max(found.alarm, found.full, found.again) < 30  # figures are the proof's


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_a_disk_that_runs_full_in_a_call_five_times(tmp_path: Path, small: Path, figure: Figure) -> None:
    found, gap = await in_a_call(tmp_path, small, 5)
    figure("disk full in a call (64 MiB): alarm, slowest of 5", round(max(one.alarm for one in found), 1), "s", goal="≤ 5")
    figure("disk full to the light off, slowest of 5", round(max(one.full for one in found), 1), "s", goal="≤ 5")
    figure("room again to recording, slowest of 5", round(max(one.again for one in found), 1), "s", goal="≤ 10")
    figure("longest gap of a picture or sound in that call", round(gap, 2), "s", goal="≤ 0.5")
    assert max(one.alarm for one in found) <= 5
    assert max(one.again for one in found) <= 10
    assert gap < 1
    assert max(one.full for one in found) <= 5
