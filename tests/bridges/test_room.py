"""A camera nobody here wrote, in a consultation of a whole hub, seen by an SDK nobody here wrote."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import gst_camera, until
from tests.support.caller import Caller
from tests.support.installation import Installation, Person

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

TERMINAL = "01J00000000000000000000001"


class WithGStreamer(Installation):
    """Its simulated camera is replaced: the same address, another maker."""

    device: subprocess.Popen[str] | None = None

    async def start_camera(self) -> None:
        user, password = self.camera["user"], self.camera["password"]
        with contextlib.closing(sqlite3.connect(next((self.folder / "data").glob("*.db")))) as records:
            records.execute("UPDATE cameras SET audio = 1 WHERE id = ?", (self.camera["id"],))  # the sample's has no microphone
            records.commit()
        self.device = gst_camera.start(self.camera_port, user, password, "--path", "/camera", "--audio", "alaw")

    async def stop_camera(self) -> None:
        if self.device is not None:
            self.device.kill()
            self.device.wait()
            self.device = None


async def state(person: Person, camera: str) -> dict[str, Any]:
    listed = await person.call("GET", "/cameras")
    found: dict[str, Any] = next(each for each in listed["items"] if each["id"] == camera)
    return found


async def becomes(person: Person, camera: str, wanted: str, within: float = 15) -> dict[str, Any]:
    deadline = time.monotonic() + within
    while (now := await state(person, camera))["state"] != wanted:
        assert time.monotonic() < deadline, f"{now['state']} {now['reason']}, not {wanted}"
        await asyncio.sleep(0.1)
    return now


async def test_a_camera_is_seen_and_heard_and_is_back_after_a_kill(tmp_path: Path) -> None:
    async with WithGStreamer(tmp_path) as hub:
        host = await hub.sign_in(hub.who("dispatcher"))
        body = {"title": "摄像机接入", "label": "internal", "organisations": [], "people": [], "record": False}
        made = await host.call("POST", "/consultations", body)
        mine = await host.call("POST", f"/consultations/{made['id']}/join", {"terminal": TERMINAL})
        async with Caller(mine["url"], mine["token"], video=False, audio=False) as viewer:
            camera = hub.camera["id"]
            asked = time.monotonic()
            await host.call("POST", f"/consultations/{made['id']}/cameras", {"camera_id": camera})
            await becomes(host, camera, "live")
            (identity,) = [each["identity"] for each in (await host.call("GET", f"/consultations/{made['id']}"))["cameras"]]
            seen = await viewer.sees(identity)
            assert seen - asked < 8
            await until(lambda: len(viewer.sounds[identity]) >= 50)

            await hub.stop_camera()
            gone = time.monotonic()
            reason = (await becomes(host, camera, "failed"))["reason"]
            assert reason["code"] == "refused"
            assert reason["text"]
            await hub.start_camera()
            started = time.monotonic()
            back = await viewer.sees(identity, after=gone + 0.5, count=1)
            assert back - started <= 5, f"back after {back - started:.1f} s"
            await viewer.sees(identity, after=back, count=20)
            await becomes(host, camera, "live")

            hub.kill("bridge-rtsp")
            killed = time.monotonic()
            back = await viewer.sees(identity, after=killed + 0.5, count=5)
            assert back - killed <= 10, f"back after {back - killed:.1f} s"
            await becomes(host, camera, "live")
        log = hub.log.read_text()
        for line in log.splitlines():
            assert hub.camera["password"] not in line
        assert any(json.loads(line).get("event") == "camera live" for line in log.splitlines() if line.startswith("{"))
