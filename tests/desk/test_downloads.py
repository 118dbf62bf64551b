"""Downloads of devices' recordings: who may, how many, in which order, what is told, what is kept and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from commhub.desk import downloads as downloads_module
from commhub.desk.downloads import Downloads
from commhub.errors import Unavailable
from commhub.media.messages import AskDevice, BridgeSnapshot, DeviceAnswer, Download, DownloadState, StopDownload
from commhub.model import utc_ns
from tests.support import until
from tests.support.hubs import serving
from tests.support.recorders import RECORDER, House, ScriptedBridge, recorder

BEGIN = 1_700_000_000
SPAN = {"from": "2023-11-14T22:13:20Z", "to": "2023-11-14T22:14:20Z"}
LATER = {"from": "2023-11-14T23:13:20Z", "to": "2023-11-14T23:14:20Z"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path) as hub:
        camera, _ = await recorder(hub, 2)
        bridge = ScriptedBridge()
        bridge.link(hub)
        bridge.answers[AskDevice] = lambda _: DeviceAnswer([_item(BEGIN - 60, BEGIN + 86_400)])
        yield House(hub, bridge, camera)


def _item(start: int, end: int) -> dict[str, str]:
    return {"start": str(start * 10**9), "end": str(end * 10**9), "kind": "time"}


def part(house: House) -> Downloads:
    return house.hub.parts.desk.downloads


def wanted(house: House) -> list[Download]:
    return [one for one in house.bridge.asked if isinstance(one, Download)]


async def look(house: House) -> None:
    """As the hub does each two seconds."""
    await part(house).look()
    await until(lambda: not part(house)._searching, 5, "what is searched for")


async def told(house: House, download: str, state: str, **more: Any) -> None:
    part(house).receive(DownloadState(download=download, state=state, **more))
    await look(house)


async def test_a_download_is_asked_of_the_bridge_and_told_as_it_goes(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, page.events() as stream, house.hub.browser("admin") as admin:
        made = await page.ok("POST", f"/cameras/{house.camera}/downloads", SPAN)
        assert (made["state"], made["percent"], made["url"], made["camera_name"]) == ("waiting", 0, None, "临江大堤 K1")
        assert (await stream.event("download.state"))["data"]["download"]["state"] == "waiting"
        await look(house)
        (asked,) = wanted(house)
        assert (asked.download, asked.device, asked.begin, asked.end) == (made["id"], RECORDER, BEGIN, BEGIN + 60)
        assert asked.path == str(part(house).storage.folder / made["id"])
        part(house).receive(DownloadState(download=made["id"], state="receiving", seconds=15, octets=1000, size=2000))
        assert (await page.ok("GET", f"/downloads/{made['id']}"))["percent"] == 50  # at once
        assert (await page.call("GET", f"/downloads/{made['id']}/file"))[1]["code"] == "not_ready"
        part(house).storage.film(made["id"]).parent.mkdir(exist_ok=True)
        part(house).storage.film(made["id"]).write_bytes(b"film")
        await told(house, made["id"], "done", seconds=60, octets=2000, size=2000, pictures=1500, bytes=4, sha256="ab" * 32)
        done = await page.ok("GET", f"/downloads/{made['id']}")
        assert (done["state"], done["percent"], done["pictures"], done["reason"]) == ("done", 100, 1500, None)
        assert StopDownload(made["id"]) in house.bridge.told
        async with await page.raw("GET", done["url"], headers={"Range": "bytes=1-2"}) as response:
            assert (response.status, response.content_type, await response.read()) == (206, "video/mp4", b"il")
            assert response.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''%E4%B8%B4%E6%B1%9F")
        async with await admin.raw("GET", done["url"]) as response:
            assert (response.status, await response.read()) == (200, b"film")
        rows = (await admin.ok("GET", "/audit?action=camera.download"))["items"]
        assert len(rows) == 3  # asked for, fetched by two


async def test_who_may_not_is_refused(house: House) -> None:
    async with house.hub.browser("emergency") as page, house.hub.browser("dispatcher") as other:
        assert (await page.call("POST", f"/cameras/{house.camera}/downloads", SPAN))[0] == 403
        made = await other.ok("POST", f"/cameras/{house.camera}/downloads", SPAN)
        assert (await page.call("GET", f"/downloads/{made['id']}"))[0] == 403


async def test_one_span_of_a_device_at_a_time(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        first = await page.ok("POST", f"/cameras/{house.camera}/downloads", SPAN)
        second = await page.ok("POST", f"/cameras/{house.camera}/downloads", LATER)
        await look(house)
        await look(house)
        assert {one.download for one in wanted(house)} == {first["id"]}
        await told(house, first["id"], "failed", code="busy", text="It is busy.", text_zh="设备正忙。")
        await look(house)
        assert wanted(house)[-1].download == second["id"]
        failed = await page.ok("GET", f"/downloads/{first['id']}")
        assert (failed["state"], failed["reason"]) == ("failed", {"code": "busy", "text": "It is busy."})
        again = await page.ok("POST", f"/cameras/{house.camera}/downloads", SPAN)  # goes on
        assert (again["id"], again["state"], again["reason"]) == (first["id"], "waiting", None)


async def test_a_new_bridge_is_asked_again(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        made = await page.ok("POST", f"/cameras/{house.camera}/downloads", SPAN)
        await look(house)
        await told(house, made["id"], "receiving", seconds=3)
        await look(house)
        assert len(wanted(house)) == 1
        part(house).unlinked()
        part(house).linked(BridgeSnapshot([]), house.bridge.told.append)
        await look(house)
        assert [one.download for one in wanted(house)] == [made["id"]] * 2
        house.bridge.answers[Download] = Unavailable("It is being restarted.")


async def test_nothing_recorded_is_said(house: House) -> None:
    house.bridge.answers[AskDevice] = lambda _: DeviceAnswer([])
    async with house.hub.browser("dispatcher") as page:
        made = await page.ok("POST", f"/cameras/{house.camera}/downloads", SPAN)
        await look(house)
        assert wanted(house) == []
        failed = await page.ok("GET", f"/downloads/{made['id']}")
        assert failed["reason"] == {"code": "no_recording", "text": "The device has no recording of this time."}


@pytest.mark.parametrize(
    ("items", "complete", "span"),
    [
        ([(BEGIN + 10, BEGIN + 30)], True, (BEGIN + 10, BEGIN + 30)),
        ([(BEGIN - 10, BEGIN + 5), (BEGIN + 50, BEGIN + 99)], True, (BEGIN, BEGIN + 60)),
        ([(BEGIN + 10, BEGIN + 30)], False, (BEGIN, BEGIN + 60)),
        ([], False, (BEGIN, BEGIN + 60)),
    ],
)
async def test_what_the_device_has_is_asked_for(
    house: House, items: list[tuple[int, int]], complete: bool, span: tuple[int, int]
) -> None:
    house.bridge.answers[AskDevice] = lambda _: DeviceAnswer([_item(*one) for one in items], complete)
    async with house.hub.browser("dispatcher") as page:
        await page.ok("POST", f"/cameras/{house.camera}/downloads", SPAN)
        await look(house)
        (asked,) = wanted(house)
        assert (asked.begin, asked.end) == span


async def test_limits_are_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house.hub.browser("dispatcher") as page:
        path = f"/cameras/{house.camera}/downloads"
        for wrong in (
            {"from": SPAN["to"], "to": SPAN["from"]},
            {"from": "2023-11-14T00:00:00Z", "to": "2023-11-15T00:00:01Z"},
            {"from": "2200-01-01T00:00:00Z", "to": "2200-01-01T00:01:00Z"},
        ):
            assert (await page.call("POST", path, wrong))[0] == 400
        monkeypatch.setattr(downloads_module, "PER_PERSON", 1)
        await page.ok("POST", path, SPAN)
        assert (await page.call("POST", path, LATER))[0] == 429
        part(house)._bounds = replace(part(house)._bounds, free=1 << 62)
        assert (await page.call("POST", path, SPAN))[1]["code"] == "disk_full"


async def test_deleting_ends_it_and_takes_its_files_away(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, house.hub.browser("admin") as admin:
        made = await admin.ok("POST", f"/cameras/{house.camera}/downloads", SPAN)
        await look(house)
        path = part(house).storage.path(made["id"])
        path.parent.mkdir(exist_ok=True)
        for ending in (".part", ".index", ".lock"):
            path.with_suffix(ending).write_bytes(b"x")
        assert (await page.call("DELETE", f"/downloads/{made['id']}"))[0] == 403
        await admin.ok("DELETE", f"/downloads/{made['id']}")
        assert StopDownload(made["id"]) in house.bridge.asked
        assert list(path.parent.iterdir()) == []
        await told(house, made["id"], "receiving", seconds=9)  # a word that was under way
        assert (await admin.call("GET", f"/downloads/{made['id']}"))[0] == 404


async def test_old_ones_are_taken_away(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        made = await page.ok("POST", f"/cameras/{house.camera}/downloads", SPAN)
        await look(house)
        film = part(house).storage.film(made["id"])
        film.parent.mkdir(exist_ok=True)
        film.write_bytes(b"film")
        await told(house, made["id"], "done", bytes=4, sha256="ab" * 32)
        await part(house).sweep(utc_ns())
        assert film.exists()
        await part(house).sweep(utc_ns() + int(timedelta(days=8).total_seconds() * 1e9))
        assert not film.exists()
        assert (await page.ok("GET", "/downloads"))["items"] == []


async def test_old_snapshots_are_taken_away(tmp_path: Path) -> None:
    async with serving(tmp_path) as hub:
        camera, _ = await recorder(hub, 2)
        ScriptedBridge().link(hub)
        snapshots = hub.parts.desk.snapshots

        async def take(worker: str, room: str, identity: str) -> bytes:
            await asyncio.sleep(0)
            return b"\xff\xd8picture"

        snapshots._taking = take
        snapshots.album._keep = 1.0
        async with hub.browser("dispatcher") as page, hub.browser("emergency") as nobody:
            made = [await page.ok("POST", f"/cameras/{camera}/snapshots") for _ in range(3)]
            first = await page.ok("GET", f"/snapshots?camera={camera}&limit=2")
            assert first["items"] == made[:0:-1]
            rest = await page.ok("GET", f"/snapshots?camera={camera}&limit=2&cursor={first['next']}")
            assert (rest["items"], rest["next"]) == (made[:1], None)
            assert (await nobody.call("GET", "/snapshots"))[0] == 403
            assert await snapshots.album.sweep(utc_ns()) == 0
            assert await snapshots.album.sweep(utc_ns() + 2 * 86_400 * 10**9) == 3
            assert (await page.ok("GET", "/snapshots"))["items"] == []
            assert list((tmp_path / "snapshots").iterdir()) == []
