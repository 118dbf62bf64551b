"""A simulated recorder's cameras are moved, photographed and played back through the whole product; what stops them by itself."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest

from bridges.simulated.device import Device
from tests.support import until
from tests.support.caller import Caller
from tests.support.camera_house import TERMINAL as WALL
from tests.support.camera_house import House, admitted, cameras, gb28181, wall
from tests.support.gb28181 import SMALL, device
from tests.support.installation import Person
from tests.support.proofs import Figure

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150)]

STOP = "A50F0100000000B5"
HELD = "A50F"  # begins every PTZ command
TERMINAL = "01J0000000000000000000{:04}"


@asynccontextmanager
async def recorder(hub: House, count: int = 3) -> AsyncIterator[tuple[Device, Person, list[dict[str, Any]]]]:
    """A recorder, a dispatcher, and the cameras that move."""
    _, password = await admitted(hub)
    person = await hub.sign_in(hub.who("dispatcher"))
    async with device(hub.address, password=password, channels=count, movable=count, style=SMALL) as made:
        found = await cameras(person, lambda one: gb28181(one) and one["ptz"], count)
        yield made, person, found


@asynccontextmanager
async def words(person: Person) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with person.session.ws_connect(f"{person.base}/events", headers={"Origin": person.base}) as socket:
        yield socket


def moves(made: Device) -> list[tuple[float, str]]:
    return [(one.at, one.value) for one in made.commands if one.what == "PTZCmd"]


async def move(socket: aiohttp.ClientWebSocketResponse, camera: str, **motion: float) -> None:
    await socket.send_json({"type": "move", "camera": camera, **motion})


#: A page that holds a key down, as a process of its own: to be stopped, and to be killed.
PAGE = """
import asyncio, json, sys, aiohttp
async def main():
    said = json.loads(sys.stdin.readline())
    async with aiohttp.ClientSession(headers={"Cookie": said["cookie"], "Origin": said["base"]}) as session:
        async with session.ws_connect(said["base"] + "/events") as socket:
            while True:
                await socket.send_json({"type": "move", "camera": said["camera"], "pan": 0.5})
                await asyncio.sleep(0.25)
asyncio.run(main())
"""


@asynccontextmanager
async def held_down(person: Person, camera: str) -> AsyncIterator[asyncio.subprocess.Process]:
    cookie = "; ".join(f"{one.key}={one.value}" for one in person.session.cookie_jar)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PAGE, stdin=asyncio.subprocess.PIPE)
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"cookie": cookie, "base": person.base, "camera": camera}).encode() + b"\n")
        await process.stdin.drain()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.wait()


async def more(made: Device, than: int | None = None) -> None:
    """Until it was moved again."""
    before = len(moves(made)) if than is None else than
    await until(lambda: len(moves(made)) > before, 10, "a movement")


async def still(made: Device) -> None:
    """Until what it was told last is to stop. How fast that is, the proof below says."""
    await until(lambda: moves(made)[-1][1] == STOP, 5, "a stop")


async def stopped(made: Device, since: float, within: float = 5) -> float:
    """Seconds from ``since`` to the stop."""
    await until(lambda: any(at >= since and value == STOP for at, value in moves(made)), within, "a stop")
    return next(at for at, value in moves(made) if at >= since and value == STOP) - since


async def test_a_camera_moves_speaks_and_is_pulled_once(tmp_path: Path) -> None:
    async with House(tmp_path) as hub, recorder(hub) as (made, person, found):
        camera = found[0]["id"]
        async with words(person) as socket:
            await move(socket, camera, pan=0.5, tilt=-1)
            await until(lambda: len(moves(made)) == 1, 5, "a movement")
            assert moves(made)[0][1].startswith("A50F0105")  # right and down
            # Nothing more is said, and the page is still there.
            await still(made)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            async with held_down(person, camera) as page:
                await more(made)
                await asyncio.sleep(0.8)
                await until(lambda: moves(made)[-1][1] != STOP, 10, "a movement that goes on")
                page.send_signal(number)
                await still(made)
        status = await person.call("POST", f"/cameras/{camera}/control", {"verb": "preset_call", "values": {"number": "1"}})
        assert status == {"done": True}
        await until(lambda: moves(made)[-1][1].startswith("A50F0182"), 5, "a preset")

        # The microphone of the terminal's view is heard at the camera.
        joining = await person.call("POST", "/views", {"terminal": TERMINAL.format(0)})
        async with Caller(joining["url"], joining["token"], video=False) as speaker:
            assert not speaker.frames
            await person.call("POST", f"/cameras/{camera}/voice", {"terminal": TERMINAL.format(0)})
            await until(lambda: any(one.loud > 10 for one in made.calls.speakers.values()), 15, "a voice")
            await person.call("DELETE", f"/cameras/{camera}/voice")
            await until(lambda: not made.calls.speakers, 10, "silence")

        assert await watched_by(hub, made, found[1]["id"], 2, 2) == (1, 1)


async def test_pictures_recordings_and_a_wall_that_outlives_the_hub(tmp_path: Path) -> None:
    async with (
        House(tmp_path) as hub,
        recorder(hub) as (made, person, found),
        wall(person, found[0]) as (viewer, (identity,)),
    ):
        await viewer.sees(identity)
        shot = await person.call("POST", f"/cameras/{found[0]['id']}/snapshots")
        picture = await bytes_of(person, shot["url"])
        assert hashlib.sha256(picture).hexdigest() == shot["sha256"]
        with av.open(io.BytesIO(picture), "r", format="mjpeg") as file:
            frame = next(file.decode(video=0))
        assert (frame.width, frame.height) == SMALL.main
        assert frame.to_ndarray(format="gray").std() > 10  # it shows something

        now = datetime.now(UTC).replace(microsecond=0)
        day = {"from": (now - timedelta(hours=5)).isoformat(), "to": now.isoformat()}
        query = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in day.items())
        there = await person.call("GET", f"/cameras/{found[0]['id']}/recordings?{query}")
        assert there["complete"]
        assert {one["kind"] for one in there["items"]} == {"time", "alarm"}
        begin = next(one for one in there["items"] if one["kind"] == "time")
        body = {
            "camera_id": found[0]["id"],
            "from": begin["start"],
            "to": begin["end"],
            "terminal": WALL,
        }
        playing = await person.call("POST", "/playbacks", body)
        await viewer.sees(playing["identity"], count=10)
        await person.call("POST", f"/playbacks/{playing['id']}", {"action": "seek", "value": 60})
        await viewer.sees(playing["identity"], after=time.monotonic(), count=10)
        byes = made.counts["BYE"]
        await person.call("DELETE", f"/playbacks/{playing['id']}")
        await until(lambda: made.counts["BYE"] > byes, 20, "the end of the playback")
        # A camera that nobody has open is opened for its picture.
        shot = await person.call("POST", f"/cameras/{found[1]['id']}/snapshots")
        assert (await bytes_of(person, shot["url"])).startswith(b"\xff\xd8")

        # The hub dies: what is on the wall goes on, and is what the page says next.
        running = next(f"INVITE {code}" for code, entry in made.entries.items() if entry.name == found[0]["name"])
        invited = made.counts[running]
        assert invited
        hub.kill("hub")
        await hub.ready()
        await viewer.sees(identity, after=time.monotonic() + 1, count=10)
        joining = await person.call("POST", "/views", {"terminal": WALL})
        assert joining["identity"] == viewer.room.local_participant.identity
        body = {"cameras": [found[0]["id"], found[2]["id"]]}
        other = (await person.call("PUT", f"/views/{WALL}", body))["items"][1]["identity"]
        await viewer.sees(other, count=5)
        await until(lambda: set(viewer.room.remote_participants) == {identity, other}, 10, "the wall as it was said")
        await viewer.sees(identity, after=time.monotonic(), count=5)
        assert made.counts[running] == invited  # nobody asked again for what was running


async def bytes_of(person: Person, url: str) -> bytes:
    async with person.session.get(person.base + url) as response:
        assert response.status == 200
        return await response.read()


async def watched_by(hub: House, made: Device, camera: str, walls: int, seats: int) -> tuple[int, int]:
    """INVITEs and BYEs of so many viewers, at walls and in a consultation, who come and go."""
    before = made.counts["INVITE"], made.counts["BYE"]
    people = [await hub.sign_in(hub.who(role)) for role in ("dispatcher", "admin")]
    room = (await people[0].call("POST", "/consultations", {"title": "同看一路"}))["id"]
    await people[0].call("POST", f"/consultations/{room}/cameras", {"camera_id": camera})
    shown = [("/views", f"/views/{TERMINAL.format(number)}", number) for number in range(walls)]
    shown += [(f"/consultations/{room}/join", "", walls + number) for number in range(seats)]
    async with AsyncExitStack() as stack:
        for address, wall_address, number in shown:
            person = people[number % 2]
            joining = await person.call("POST", address, {"terminal": TERMINAL.format(number)})
            viewer = await stack.enter_async_context(Caller(joining["url"], joining["token"], video=False, audio=False))
            if wall_address:
                await person.call("PUT", wall_address, {"cameras": [camera]})
            await viewer.sees(f"{camera}:bridge", count=2)
    for _, wall_address, number in shown[:walls]:
        await people[number % 2].call("DELETE", wall_address)
    await people[0].call("POST", f"/consultations/{room}/end")
    await until(lambda: made.plays == 0, 40, "the play's end")
    return made.counts["INVITE"] - before[0], made.counts["BYE"] - before[1]


@pytest.mark.prove
@pytest.mark.timeout(300)
async def test_fifty_viewers_of_one_camera_are_one_play(tmp_path: Path, figure: Figure) -> None:
    async with House(tmp_path) as hub, recorder(hub, 1) as (made, _, found):
        invites, byes = await watched_by(hub, made, found[0]["id"], 30, 20)
    assert figure("50 viewers of one camera: INVITEs", invites, "", goal="= 1")
    assert figure("50 viewers of one camera: BYEs", byes, "", goal="= 1")


@pytest.mark.prove
@pytest.mark.timeout(300)
async def test_how_fast_a_camera_moves_and_stops(tmp_path: Path, figure: Figure) -> None:
    async with House(tmp_path) as hub, recorder(hub) as (made, person, found):
        camera, waits, ends = found[0]["id"], [], []
        async with words(person) as socket:
            for number in range(100):
                before, pressed = len(moves(made)), time.monotonic()
                await move(socket, camera, pan=(number % 9 + 1) / 10)
                await more(made, before)
                waits.append(moves(made)[before][0] - pressed)
                await move(socket, camera)
                await until(lambda: moves(made)[-1][1] == STOP, 5, "a stop")
                await asyncio.sleep(0.05)
        for _ in range(10):
            async with held_down(person, camera) as page:
                await more(made)
                await asyncio.sleep(0.4)
                killed = time.monotonic()
                os.kill(page.pid, signal.SIGKILL)
                ends.append(await stopped(made, killed))
        waits.sort()
        assert figure("camera moves: key to octets at the device, p95", waits[94] * 1000, "ms", goal="≤ 50 ms")
        figure("camera moves: key to octets at the device, median", statistics.median(waits) * 1000, "ms")
        assert figure("camera stops after its page was killed, worst of 10", max(ends), "s", goal="≤ 1 s")
