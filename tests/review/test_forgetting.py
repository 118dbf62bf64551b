"""A recording that was deleted leaves nothing of what was said, marked, shown or exported: rows, files, the database's file."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.archive import Archive, SessionKeys
from commhub.archive.sealed import MAGIC
from commhub.errors import NotFound, Unavailable
from commhub.media.messages import ExportState
from commhub.model import utc_ns
from commhub.recordings.export_files import Files
from commhub.review.derived import Derived
from commhub.store import tables
from tests.review.test_words import Shelf, chat
from tests.support.hubs import Browser, serving
from tests.support.kept import PlayedRecorder

CHAT, NAME, MARK, GROUNDS, OTHER = "闸门钥匙在老赵家", "欧阳慧敏", "住址雨花路七号", "家属要求调阅", "泵车已到桥下"
FILM = b"film " * 1000
CHILD = ("base64", "-e")  # makes something of what it gets


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with serving(tmp_path) as hub:
        yield Shelf(hub)


def everything(path: Path) -> dict[str, str]:
    """All rows of all tables, as text."""
    with sqlite3.connect(path) as database:
        names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        return {name: str(database.execute(f'select * from "{name}"').fetchall()) for name in names}


def where(path: Path, word: str) -> list[str]:
    return sorted(name for name, text in everything(path).items() if word in text)


def lay(folder: Path, export: str) -> Path:
    """A film as a recorder leaves it."""
    (folder / export).mkdir(parents=True)
    (folder / export / "film.mp4").write_bytes(FILM)
    return folder / export


async def exported(shelf: Shelf, page: Browser, one: str) -> Path:
    exports = shelf.hub.parts.exports
    asked = await page.ok("POST", f"/recordings/{one}/exports", {"kind": "film", "grounds": GROUNDS})
    folder = lay(exports.files.folder, asked["id"])
    exports.receive(ExportState(export=asked["id"], state="done", file="film.mp4", size=len(FILM), sha256="x"))
    await exports.look()
    assert (await page.ok("GET", f"/recordings/{one}/exports/{asked['id']}"))["state"] == "done"
    return folder


async def made(shelf: Shelf, one: str) -> Path:
    """Something like a thumbnail."""
    source = shelf.hub.folder / "recordings" / one / "tracks" / "0001" / "0001.webm"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"media")
    await shelf.hub.parts.reviewing.derived.of(one, "tracks/0001/0001.webm", "0001~1", CHILD)
    return shelf.hub.folder / "derived" / one


async def deleted(page: Browser, admin: Browser, one: str) -> None:
    await page.ok("POST", f"/recordings/{one}/deletion", {"reason": "误录"})
    rev = (await admin.ok("GET", f"/recordings/{one}/keeping"))["recording"]["keeping"]["rev"]
    assert (await admin.call("POST", f"/recordings/{one}/deletion/confirm", {}, headers={"If-Match": str(rev)}))[0] < 300


async def test_nothing_of_it_is_left(shelf: Shelf) -> None:
    hub, database = shelf.hub, shelf.hub.folder / "hub.db"
    joined = {"type": "joined", "at_ms": 500, "identity": "a:t", "name": NAME, "text": "", "data": {}}
    events: list[dict[str, Any]] = [chat(1000, CHAT), joined]
    one, other = await shelf.put(events), await shelf.put([chat(1000, OTHER)])
    async with hub.parts.store.transaction() as transaction:
        mine = sa.update(tables.recordings).where(tables.recordings.c.id == one)
        await transaction.run(mine.values(people=f'["{NAME}"]', ended_at=utc_ns()))
    async with hub.browser("reviewer") as page, hub.browser("admin") as admin:
        said = {"kind": "comment", "at_ms": 1000, "until_ms": None, "title": "核对", "text": MARK}
        for recording in (one, other):
            await page.ok("POST", f"/recordings/{recording}/marks", said)
        films, pictures = await exported(shelf, page, one), await made(shelf, one)
        kept_films, kept_pictures = await exported(shelf, page, other), await made(shelf, other)
        await page.ok("POST", f"/recordings/{one}/holds", {"reason": "复核"})  # its event names who took part
        hold = (await page.ok("GET", f"/recordings/{one}/keeping"))["holds"][0]["id"]
        await page.ok("POST", f"/recordings/{one}/holds/{hold}/lift", {"reason": "复核完毕"})
        assert await shelf.found(CHAT[2:4]) == [(1000, "chat")]  # what somebody looks for is kept with who looked
        assert set(where(database, CHAT)) == {"recording_texts"}
        assert {"recording_texts", "recordings", "events"} <= set(where(database, NAME))
        assert {"recording_marks", "recording_texts", "events"} <= set(where(database, MARK))
        terms = hub.parts.store
        async with terms.reading() as reading:
            before = await reading.value(sa.select(sa.func.count()).select_from(tables.recording_terms))

        await deleted(page, admin, one)
        await shelf.fill()
        await hub.parts.exports.sweep(utc_ns())
        recorder = PlayedRecorder(hub.parts.keeper)
        recorder.forgotten(one)
        for found in (CHAT, NAME):
            assert where(database, found) == [], found
        for name, text in everything(database).items():  # the other one's are all there is
            assert text.count(MARK) == {"recording_marks": 1, "recording_texts": 2, "events": 1}.get(name, 0), name
        assert not films.exists()
        assert not pictures.exists()
        assert kept_films.exists()
        assert kept_pictures.exists()
        assert await shelf.found(CHAT[2:4]) == await shelf.found(NAME[:2]) == []
        assert await shelf.found(OTHER) == [(1000, "chat")]
        async with terms.reading() as reading:
            after = await reading.value(sa.select(sa.func.count()).select_from(tables.recording_terms))
        assert 0 < after < before
        for path in ("", "/marks", "/lanes", "/exports", "/thumbnails/0001"):
            status, answer = await page.call("GET", f"/recordings/{one}{path}")
            assert (status, answer["code"]) == (410, "deleted"), path
        # What stays: who did what. Why somebody wanted an export is part of that.
        assert {"audit"} <= set(where(database, GROUNDS)) <= {"audit", "recording_access", "recording_exports", "events"}
        # A page that was away hears of everything that happened, in order.
        assert await hub.parts.events.since(0, 10_000) is not None
    with sqlite3.connect(database) as connection:  # the log of changes is written over by the next ones; here at once
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    lies = database.read_bytes()
    assert OTHER.encode() in lies
    for word in (CHAT, NAME):
        assert word.encode() not in lies


async def test_what_was_just_being_made_is_not_kept(tmp_path: Path) -> None:
    """A child that still looks at a recording when its key is deleted: nothing plain comes of that."""
    keys = SessionKeys.of(tmp_path)
    keys.make("S1", "aes-256-gcm")
    archive = Archive(tmp_path / "recordings", keys)
    source = tmp_path / "recordings" / "S1" / "tracks" / "0001" / "0001.webm"
    source.parent.mkdir(parents=True)
    source.write_bytes(archive.wrap("S1", "tracks/0001/0001.webm", b"media"))
    derived = Derived(archive, tmp_path / "derived")
    child = derived._child

    async def slow(fd: int, command: Any) -> bytes:
        data = await child(fd, command)
        keys.forget("S1")
        return data

    made = await derived.of("S1", "tracks/0001/0001.webm", "0001~0", CHILD)
    assert base64.b64decode(made) == b"media"
    [kept] = (tmp_path / "derived" / "S1").iterdir()
    assert kept.read_bytes().startswith(MAGIC)
    derived._child = slow  # type: ignore[method-assign]
    await derived.of("S1", "tracks/0001/0001.webm", "0001~1", CHILD)
    assert all(path.read_bytes().startswith(MAGIC) for path in (tmp_path / "derived" / "S1").iterdir())
    with pytest.raises((Unavailable, NotFound)):
        await derived.of("S1", "tracks/0001/0001.webm", "0001~0", CHILD)


async def test_what_was_made_a_moment_too_late_goes_a_moment_later(shelf: Shelf) -> None:
    one, other = await shelf.put([chat(1000, CHAT)]), await shelf.put([chat(1000, OTHER)])
    async with shelf.hub.browser("reviewer") as page, shelf.hub.browser("admin") as admin:
        await deleted(page, admin, one)
    await shelf.fill()
    late, kept = await made(shelf, one), await made(shelf, other)
    filling = shelf.hub.parts.reviewing.filling
    await filling.look()
    assert late.exists()  # looked for once a minute
    filling._looked -= 61
    await filling.look()
    assert (late.exists(), kept.exists()) == (False, True)


async def test_an_export_of_an_encrypted_one_is_unreadable_with_its_key_gone_wherever_its_copy_is(tmp_path: Path) -> None:
    keys = SessionKeys.of(tmp_path)
    keys.make("S1", "sm4-gcm")
    archive = Archive(tmp_path / "recordings", keys)
    files, export = Files(tmp_path / "exports", archive), "01K00000000000000000000000"
    (files.folder / export).mkdir(parents=True)
    with archive.draft("S1", f"exports/{export}/film.mp4", files.path(export, "film.mp4")) as file:
        file.write(FILM)
    with files.open("S1", export, "film.mp4", len(FILM)) as reader:
        assert reader.read() == FILM
    keys.forget("S1")
    with pytest.raises(ValueError, match="its key is not here"):
        files.open("S1", export, "film.mp4", len(FILM))
    assert b"film film" not in files.path(export, "film.mp4").read_bytes()
