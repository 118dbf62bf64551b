"""Exports of recordings through the interface, with a recorder that is played."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.archive import Archive, SessionKeys, of_export
from commhub.media.messages import Export, ExportState, Message, RecordSnapshot, StopExport
from commhub.model import Label, utc_ns
from commhub.recordings import exports as module
from commhub.recordings.export_files import Files
from commhub.recordings.exports import Exports
from commhub.store import tables
from tests.support import until
from tests.support.hubs import Browser, Hub, serving
from tests.support.kept import audited, recorded

FILM = {"kind": "film", "from_ms": 1000, "to_ms": 11_000, "layout": "speaker"}
DATA = bytes(range(256)) * 40


class Played:
    """The recorder's end: ``told`` is what it heard."""

    def __init__(self, hub: Hub) -> None:
        self.exports: Exports = hub.parts.exports
        self.told: list[Message] = []
        self.link()

    def link(self) -> None:
        self.exports.linked(RecordSnapshot(), self.told.append)

    async def order(self, export: str) -> Export:
        def mine() -> list[Export]:
            return [one for one in self.told if isinstance(one, Export) and one.export == export]

        await until(lambda: bool(mine()))
        return mine()[-1]

    def say(self, export: str, state: str, **more: Any) -> None:
        self.exports.receive(ExportState(export=export, state=state, **more))

    async def make(self, export: str, file: str = "film.mp4") -> Path:
        await self.order(export)
        folder = self.exports.files.folder / export
        folder.mkdir(parents=True)
        (folder / file).write_bytes(DATA)
        self.say(export, "running", percent=0.0, began=1)
        digest = hashlib.sha256(DATA).hexdigest()
        self.say(export, "done", percent=100.0, began=1, file=file, size=len(DATA), sha256=digest)
        return folder

    def stopped(self) -> list[str]:
        return [one.export for one in self.told if isinstance(one, StopExport)]


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(module, "TICK", 0.05)
    async with serving(tmp_path) as hub:
        hub.parts.exports.start()
        try:
            yield hub
        finally:
            await hub.parts.exports.close()


async def state(page: Browser, one: str, export: str, *wanted: str) -> dict[str, Any]:
    for _ in range(200):
        found: dict[str, Any] = await page.ok("GET", f"/recordings/{one}/exports/{export}")
        if found["state"] in wanted:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found["state"])


async def test_asked_made_fetched_by_range_and_written_down(hub: Hub) -> None:
    one, played = await recorded(hub), Played(hub)
    async with hub.browser("reviewer") as page, page.events() as heard:
        asked = await page.ok("POST", f"/recordings/{one}/exports", FILM)
        assert (asked["state"], asked["acts"], asked["url"]) == ("waiting", ["cancel"], None)
        order = await played.order(asked["id"])
        assert (order.session, order.kind, order.from_ms, order.to_ms, order.layout) == (one, "film", 1000, 11_000, "speaker")
        assert page.me["person"]["name"] in order.by
        await played.make(asked["id"])
        done = await state(page, one, asked["id"], "done")
        assert (done["percent"], done["size"], done["acts"]) == (100.0, len(DATA), ["cancel", "fetch"])
        assert done["until"]
        assert (await heard.event("recording.export"))["data"]["export"]["state"] == "waiting"
        while (event := await heard.event("recording.export"))["data"]["export"]["state"] != "done":
            assert event["data"]["export"]["state"] == "running"
        response = await page.raw("GET", done["url"])
        assert (response.status, await response.read()) == (200, DATA)
        assert response.content_type == "video/mp4"
        name = response.headers["Content-Disposition"]
        assert name.startswith("attachment; filename*=UTF-8''HS-1122-001_00.00.01-00.00.11_film_")
        part = await page.raw("GET", done["url"], headers={"Range": "bytes=10-19"})
        assert (part.status, await part.read()) == (206, DATA[10:20])
    assert [action for action, _ in await audited(hub, one)] == ["recording.export", "recording.export"]
    a = tables.recording_access.c
    async with hub.parts.store.reading() as reading:
        rows = await reading.all(sa.select(a.kind, a.detail).where(a.recording_id == one).order_by(a.id))
    assert [row.kind for row in rows] == ["export", "export"]
    assert "fetched" in rows[1].detail


async def test_of_an_encrypted_recording_it_lies_encrypted_and_comes_by_ranges(hub: Hub, tmp_path: Path) -> None:
    one, played, keys = await recorded(hub), Played(hub), SessionKeys.of(tmp_path)
    keys.make(one, "aes-256-gcm")
    data, archive = bytes(range(256)) * 4000, Archive(tmp_path / "recordings", keys)
    files = hub.parts.exports.files = Files(tmp_path / "exports", archive)
    async with hub.browser("reviewer") as page, hub.browser("admin") as admin:
        asked = await page.ok("POST", f"/recordings/{one}/exports", FILM)
        await played.order(asked["id"])
        (files.folder / asked["id"]).mkdir(parents=True)
        path = files.folder / asked["id"] / "film.mp4"
        with archive.draft(one, of_export(asked["id"], "film.mp4"), path) as film:
            film.write(data)
        digest = hashlib.sha256(data).hexdigest()
        played.say(asked["id"], "done", percent=100.0, began=1, file="film.mp4", size=len(data), sha256=digest)
        done = await state(page, one, asked["id"], "done")
        response = await page.raw("GET", done["url"])
        assert (response.status, response.content_length, await response.read()) == (200, len(data), data)
        assert response.headers["Content-Disposition"].startswith("attachment; ")
        last = len(data) - 1
        for wanted, begin, end in (("0-0", 0, 0), ("262140-262150", 262_140, 262_150), ("1000000-", 1_000_000, last),
                                   ("-7", last - 6, last), ("5-99999999", 5, last)):  # fmt: skip
            part = await page.raw("GET", done["url"], headers={"Range": f"bytes={wanted}"})
            assert (part.status, await part.read()) == (206, data[begin : end + 1])
            assert part.headers["Content-Range"] == f"bytes {begin}-{end}/{len(data)}"
        beyond = await page.raw("GET", done["url"], headers={"Range": f"bytes={len(data)}-"})
        assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
        resumed = {"Range": "bytes=9-", "If-Range": response.headers["ETag"]}
        assert (await page.raw("GET", done["url"], headers=resumed)).status == 206
        assert (await admin.raw("GET", done["url"], headers={"Range": "bytes=0-9"})).status == 403
        assert (await (await page.raw("HEAD", done["url"])).read()) == b""
        # Another export's file in its place, and one that was cut, are nobody's.
        whole = path.read_bytes()
        path.write_bytes(whole[:-30])
        assert (await page.raw("GET", done["url"])).status == 404
        path.unlink()
        with archive.draft(one, of_export("01K00000000000000000000000", "film.mp4"), path) as film:
            film.write(data)
        assert (await page.raw("GET", done["url"])).status == 404
        path.write_bytes(whole)
        assert (await page.raw("GET", done["url"])).status == 200
        # The recording's key is its exports', too.
        keys.forget(one)
        assert (await page.raw("GET", done["url"])).status == 404
        assert (await page.raw("GET", done["url"], headers={"Range": "bytes=0-9"})).status == 404


async def test_what_lies_plain_of_an_encrypted_recording_is_taken_away(hub: Hub, tmp_path: Path) -> None:
    """As earlier versions left it; who wants it asks again. What is plain as its recording stays."""
    one, other, played, keys = await recorded(hub), await recorded(hub), Played(hub), SessionKeys.of(tmp_path)
    hub.parts.exports.files = Files(tmp_path / "exports", Archive(tmp_path / "recordings", keys))
    async with hub.browser("reviewer") as page:
        found = {}
        for recording in (one, other):
            asked = await page.ok("POST", f"/recordings/{recording}/exports", FILM)
            found[recording] = asked["id"], await played.make(asked["id"])
            await state(page, recording, asked["id"], "done")
        keys.make(one, "aes-256-gcm")
        hub.parts.exports._compared = False
        await hub.parts.exports.sweep(utc_ns())
        assert not found[one][1].exists()
        assert (await state(page, one, found[one][0], "expired"))["url"] is None
        assert found[other][1].exists()
        assert (await page.ok("POST", f"/recordings/{one}/exports", FILM))["state"] == "waiting"


async def test_nobody_else_fetches_it(hub: Hub) -> None:
    one, played = await recorded(hub), Played(hub)
    async with hub.browser("reviewer") as page, hub.browser("admin") as admin, hub.browser("dispatcher") as other:
        asked = await page.ok("POST", f"/recordings/{one}/exports", FILM)
        await played.make(asked["id"])
        done = await state(page, one, asked["id"], "done")
        for headers in ({}, {"Range": "bytes=10-19"}):
            assert (await admin.raw("GET", done["url"], headers=headers)).status == 403
            assert (await other.raw("GET", done["url"], headers=headers)).status == 403
        assert (await other.call("POST", f"/recordings/{one}/exports", FILM))[0] == 403
        assert (await other.call("GET", f"/recordings/{one}/exports"))[0] == 403
        assert "fetch" not in (await admin.ok("GET", f"/recordings/{one}/exports"))["items"][0]["acts"]


async def test_where_the_label_asks_for_it_another_one_approves(hub: Hub) -> None:
    one, played = await recorded(hub, label=Label.SENSITIVE), Played(hub)
    async with hub.browser("reviewer") as page, hub.browser("admin") as admin:
        asked = await page.ok("POST", f"/recordings/{one}/exports", {**FILM, "grounds": "案卷 2026-7"})
        assert asked["state"] == "asked"
        path = f"/recordings/{one}/exports/{asked['id']}"
        rev = {"If-Match": f'"{asked["rev"]}"'}
        assert (await page.call("POST", f"{path}/approve", {}, headers=rev))[0] == 403
        [waiting] = (await admin.ok("GET", "/exports/waiting"))["items"]
        assert (waiting["id"], waiting["grounds"], waiting["acts"]) == (
            asked["id"],
            "案卷 2026-7",
            ["approve", "refuse", "cancel"],
        )
        stale = await admin.call("POST", f"{path}/approve", {}, headers={"If-Match": '"7"'})
        assert (stale[0], stale[1]["code"]) == (409, "stale")
        assert not [one for one in played.told if isinstance(one, Export)]
        status, approved = await admin.call("POST", f"{path}/approve", {"reason": "同意"}, headers=rev)
        assert (status, approved["state"], approved["decision"]["reason"]) == (200, "waiting", "同意")
        await played.order(asked["id"])
        again = await admin.call("POST", f"{path}/approve", {}, headers={"If-Match": f'"{approved["rev"]}"'})
        assert (again[0], again[1]["code"]) == (409, "not_asked")
        assert (await admin.ok("GET", "/exports/waiting"))["items"] == []
        mine = await admin.ok("POST", f"/recordings/{one}/exports", FILM)
        own = await admin.call(
            "POST", f"/recordings/{one}/exports/{mine['id']}/approve", {}, headers={"If-Match": f'"{mine["rev"]}"'}
        )
        assert (own[0], own[1]["code"]) == (403, "same_person")
        assert (await admin.ok("GET", "/exports/waiting"))["items"] == []
    actions = [action for action, _ in await audited(hub, one)]
    assert actions == ["recording.export", "recording.approve", "recording.export"]


async def test_one_that_is_cancelled_is_gone(hub: Hub) -> None:
    one, played = await recorded(hub), Played(hub)
    async with hub.browser("reviewer") as page:
        asked = await page.ok("POST", f"/recordings/{one}/exports", FILM)
        folder = await played.make(asked["id"])
        await state(page, one, asked["id"], "done")
        assert (await page.call("DELETE", f"/recordings/{one}/exports/{asked['id']}"))[0] == 204
        assert not folder.exists()
        assert asked["id"] in played.stopped()
        gone = await state(page, one, asked["id"], "expired")
        assert (gone["url"], gone["acts"]) == (None, [])
        assert (await page.call("DELETE", f"/recordings/{one}/exports/{asked['id']}"))[0] == 409
        other = await page.ok("POST", f"/recordings/{one}/exports", FILM)
        assert (await page.call("DELETE", f"/recordings/{one}/exports/{other['id']}"))[0] == 204
        played.say(other["id"], "done", file="film.mp4", size=1, sha256="")  # it was too late
        await state(page, one, other["id"], "cancelled")
        await until(lambda: played.stopped().count(other["id"]) >= 2)


async def test_who_made_it_ends_in_the_middle_and_it_goes_on(hub: Hub) -> None:
    one, played = await recorded(hub), Played(hub)
    async with hub.browser("reviewer") as page:
        asked = await page.ok("POST", f"/recordings/{one}/exports", FILM)
        await played.order(asked["id"])
        played.say(asked["id"], "running", percent=40.0, began=1)
        assert (await state(page, one, asked["id"], "running"))["begun"] == 1
        hub.parts.exports.unlinked()
        played.told.clear()
        played.link()  # another recorder
        await played.order(asked["id"])
        played.say(asked["id"], "running", percent=0.0, began=2)
        for _ in range(100):
            if (found := await state(page, one, asked["id"], "running"))["begun"] == 2:
                break
        assert found["begun"] == 2
        played.say(asked["id"], "failed", code="disk_full", text="The disk is nearly full.", text_zh="磁盘空间不足。")
        failed = await state(page, one, asked["id"], "failed")
        assert failed["reason"]["text"] == "The disk is nearly full."


async def test_files_expire_and_go_with_their_recording(hub: Hub) -> None:
    one, played = await recorded(hub), Played(hub)
    exports = hub.parts.exports
    async with hub.browser("reviewer") as page:
        asked = await page.ok("POST", f"/recordings/{one}/exports", FILM)
        folder = await played.make(asked["id"])
        await state(page, one, asked["id"], "done")
        await exports.sweep(utc_ns())
        assert folder.exists()
        await exports.sweep(utc_ns() + 8 * 86_400_000_000_000)
        assert not folder.exists()
        assert (await state(page, one, asked["id"], "expired"))["url"] is None
        second = await page.ok("POST", f"/recordings/{one}/exports", FILM)
        folder = await played.make(second["id"])
        await state(page, one, second["id"], "done")
        async with hub.parts.store.transaction() as transaction:
            blank = {column.name: "" for column in tables.recording_keeping.columns if column.type.python_type is str}
            numbers = {column.name: 0 for column in tables.recording_keeping.columns if column.type.python_type is int}
            values = {**blank, **numbers, "recording_id": one, "state": "deleting", "asked_by": None, "deleted_by": None}
            await transaction.insert(tables.recording_keeping, values)
        assert (await page.raw("GET", f"/api/v1/recordings/{one}/exports/{second['id']}/file")).status == 410
        await exports.sweep(utc_ns())
        assert not folder.exists()
        assert (await page.call("POST", f"/recordings/{one}/exports", FILM))[0] == 410
        for path in (f"/recordings/{one}/exports", f"/recordings/{one}/exports/{second['id']}"):
            status, answer = await page.call("GET", path)
            assert (status, answer["code"]) == (410, "deleted")


async def test_of_what_is_not_there_nothing_is_listed(hub: Hub) -> None:
    """Unknown, somebody else's, and no id at all: answered as by the recording itself."""
    foreign = await recorded(hub, org="yunhu")
    async with hub.browser("reviewer") as page, hub.browser("admin") as admin:
        assert (await admin.ok("GET", f"/recordings/{foreign}/exports"))["items"] == []
        mine = await recorded(hub)
        assert (await page.ok("GET", f"/recordings/{mine}/exports"))["items"] == []
    async with hub.parts.store.transaction() as transaction:
        grant = {"person_id": hub.ids["zhao-jingyi"], "role": "reviewer", "org_id": hub.ids["binjiang"]}
        await transaction.insert(tables.grants, grant)
    async with hub.browser("binjiang") as other:
        answers = [await other.call("GET", f"/recordings/{one}/exports") for one in (foreign, "01K00000000000000000000000", "x")]
        assert [status for status, _ in answers] == [404, 404, 404]
        assert {answer["code"] for _, answer in answers} == {(await other.call("GET", f"/recordings/{foreign}"))[1]["code"]}


async def test_a_person_has_only_so_many_and_a_repeated_request_is_one(hub: Hub) -> None:
    one = await recorded(hub)
    async with hub.browser("reviewer") as page:
        key = {"Idempotency-Key": "k1"}
        first = await page.call("POST", f"/recordings/{one}/exports", FILM, headers=key)
        again = await page.call("POST", f"/recordings/{one}/exports", FILM, headers=key)
        assert (first[0], again[0], first[1]["id"]) == (201, 201, again[1]["id"])
        for _ in range(module.PER_PERSON - 1):
            assert (await page.call("POST", f"/recordings/{one}/exports", FILM))[0] == 201
        assert (await page.call("POST", f"/recordings/{one}/exports", FILM))[0] == 429


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "disc"},
        {"kind": "film", "from_ms": -1},
        {"kind": "film", "from_ms": 5000, "to_ms": 5000},
        {"kind": "film", "layout": "round"},
        {"kind": "film", "tracks": ["../../etc"]},
        {"kind": "film", "name": "x.mp4"},
    ],
)
async def test_what_is_no_export_is_refused(hub: Hub, body: dict[str, Any]) -> None:
    one = await recorded(hub)
    async with hub.browser("reviewer") as page:
        status, answer = await page.call("POST", f"/recordings/{one}/exports", body)
        assert status in (400, 422), answer
        assert (await page.ok("GET", f"/recordings/{one}/exports"))["items"] == []
