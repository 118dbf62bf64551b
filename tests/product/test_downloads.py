"""A recording of a device becomes a file that people fetch: what they are told meanwhile, what survives when something dies."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from bridges.simulated.device import Device, Style
from tests.bridges.gb28181.test_download import period
from tests.recorder.test_download import streams
from tests.support import until
from tests.support.camera_house import House, admitted, cameras, gb28181
from tests.support.gb28181 import device
from tests.support.installation import Person

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

TINY = Style(main=(160, 96), sub=(160, 96), fps=Fraction(25, 2), group_seconds=1.0, audio=True)


@asynccontextmanager
async def house(folder: Path, *quirks: str) -> AsyncIterator[tuple[House, Person, dict[str, Any], Device]]:
    """A hub with one camera of a device, and who may download from it."""
    async with House(folder) as hub:
        admin, password = await admitted(hub)
        async with device(hub.address, password=password, style=TINY, quirks=quirks) as one:
            found = await cameras(admin, gb28181, 1, within=60)
            yield hub, admin, found[0], one


def asked(seconds: int) -> dict[str, str]:
    begin, end = period(seconds)
    return {"from": datetime.fromtimestamp(begin, UTC).isoformat(), "to": datetime.fromtimestamp(end, UTC).isoformat()}


async def over(person: Person, download: str, within: float = 90) -> dict[str, Any]:
    async with asyncio.timeout(within):
        while True:
            now: dict[str, Any] = await person.call("GET", f"/downloads/{download}")
            if now["state"] in ("done", "failed"):
                return now
            await asyncio.sleep(0.3)


async def fetched(person: Person, url: str, **headers: str) -> tuple[int, bytes]:
    async with person.session.get(person.base + url, headers=headers) as answer:
        return answer.status, await answer.read()


async def test_a_recording_is_fetched_and_read(tmp_path: Path) -> None:
    async with house(tmp_path) as (_, admin, camera, one):
        made = await admin.call("POST", f"/cameras/{camera['id']}/downloads", asked(20))
        assert made["state"] == "waiting"
        assert (await admin.call("POST", f"/cameras/{camera['id']}/downloads", asked(20)))["id"] == made["id"]
        done = await over(admin, made["id"])
        assert (done["state"], done["percent"], done["reason"]) == ("done", 100, None)
        await until(lambda: bool(one.calls.sent), 5, "the end at the device")
        assert done["pictures"] == sum(count for session, count in one.calls.sent if session == "download")
        status, data = await fetched(admin, done["url"])
        assert (status, len(data), hashlib.sha256(data).hexdigest()) == (200, done["bytes"], done["sha256"])
        film = tmp_path / "film.mp4"
        film.write_bytes(data)
        video = streams(film)["video"]
        assert int(video["nb_read_frames"]) == done["pictures"]
        assert float(video["duration"]) == pytest.approx(20, abs=0.3)
        assert await fetched(admin, done["url"], Range="bytes=4-7") == (206, b"ftyp")
        rows = (await admin.call("GET", "/audit?action=camera.download"))["items"]
        assert len(rows) == 2  # asked for, fetched
        assert [one["id"] for one in (await admin.call("GET", "/downloads?mine=true"))["items"]] == [made["id"]]
        await admin.call("DELETE", f"/downloads/{made['id']}")
        assert (await admin.call("GET", "/downloads"))["items"] == []
        await admin.call("GET", f"/downloads/{made['id']}", status=404)


@pytest.mark.parametrize("what", ["hub", "bridge-gb28181"])
async def test_it_goes_on_when_something_dies(tmp_path: Path, what: str) -> None:
    async with house(tmp_path, "slow-download") as (hub, admin, camera, _):
        await hub.spare(what)
        made = await admin.call("POST", f"/cameras/{camera['id']}/downloads", asked(20))
        async with asyncio.timeout(60):
            while (await admin.call("GET", f"/downloads/{made['id']}"))["seconds"] < 4:  # noqa: ASYNC110 (as a page asks)
                await asyncio.sleep(0.3)
        hub.kill(what)
        await asyncio.sleep(1)
        await hub.ready()
        done = await over(admin, made["id"])
        assert (done["state"], done["reason"]) == ("done", None)
        film = tmp_path / "film.mp4"
        film.write_bytes((await fetched(admin, done["url"]))[1])
        video = streams(film)["video"]
        assert int(video["nb_read_frames"]) == done["pictures"]
        assert done["pictures"] in range(249, 253)
        assert float(video["duration"]) == pytest.approx(20, abs=0.3)


async def test_cameras_without_recordings_say_so(tmp_path: Path) -> None:
    async with house(tmp_path) as (_, admin, camera, _device):
        rtsp = next(one for one in (await admin.call("GET", "/cameras?limit=200"))["items"] if one["protocol"] == "rtsp")
        refused = await admin.call("POST", f"/cameras/{rtsp['id']}/downloads", asked(20), status=409)
        assert refused["code"] == "not_supported"
        long_ago = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-01T00:01:00Z"}
        made = await admin.call("POST", f"/cameras/{camera['id']}/downloads", long_ago)
        failed = await over(admin, made["id"])
        assert (failed["state"], failed["reason"]["code"], failed["url"]) == ("failed", "no_recording", None)
        backwards = {"from": "2020-01-01T00:01:00Z", "to": "2020-01-01T00:00:00Z"}
        await admin.call("POST", f"/cameras/{camera['id']}/downloads", backwards, status=400)
