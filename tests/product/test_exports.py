"""Exports in the whole product: whoever is killed while one is made, nothing half is offered, nothing plain lies there, and it is
whole in the end."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from commhub.archive.sealed import MAGIC
from commhub.model import new_id, utc_ns
from commhub.store import Store, tables
from recorder import exported
from recorder.keys import HISTORY, load
from tests.support import until
from tests.support.cabinets import cabinet
from tests.support.installation import Installation, Person
from tests.support.taken import record

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]


async def laid(hub: Installation, run_dir: Path, seconds: int = 12) -> str:
    """An encrypted recording that is over, among those of the hub; its id."""
    data, one = hub.folder / "data", new_id()
    made = await record(
        hub.folder / "made", run_dir, seconds, session=one, cabinet=cabinet(data), keys=data / "evidence", title="内涝处置"
    )
    await asyncio.to_thread(shutil.move, made.folder, data / "recordings" / one)
    store = Store(f"sqlite+aiosqlite:///{data / 'commhub.db'}")
    async with store.transaction() as transaction:
        org = await transaction.value(sa.select(tables.organisations.c.id).where(tables.organisations.c.key == "ops"))
        now = utc_ns()
        row = {
            "id": one, "consultation_id": new_id(), "org_id": org, "label": "internal", "title": "内涝处置",
            "code": "HS-1", "started_at": now - seconds * 1_000_000_000, "ended_at": now, "duration_ms": seconds * 1000,
            "state": "complete", "tracks": 4, "bytes": 5_000, "people": "[]",
        }  # fmt: skip
        await transaction.insert(tables.recordings, row)
    await store.close()
    return one


async def now(person: Person, path: str) -> dict[str, Any]:
    """As it stands, as soon as there is a hub that says so."""
    deadline = time.monotonic() + 90
    while True:
        try:
            found: dict[str, Any] = await person.call("GET", path)
        except (aiohttp.ClientError, AssertionError):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
            continue
        return found


def lying(folder: Path) -> dict[str, bytes]:
    """The beginnings of an export's files."""
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            with path.open("rb") as file:
                found[path.name] = file.read(len(MAGIC))
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize("what", ["record-0", "hub", "everything"])
async def test_whoever_is_killed_while_it_is_made_it_is_whole_in_the_end(tmp_path: Path, data_dir: Path, what: str) -> None:
    async with Installation(tmp_path) as hub:
        one = await laid(hub, data_dir)
        reviewer = await hub.sign_in(hub.who("reviewer"))
        asked = await reviewer.call("POST", f"/recordings/{one}/exports", {"kind": "film"})
        path, folder = f"/recordings/{one}/exports/{asked['id']}", hub.folder / "data" / "exports" / asked["id"]
        await until(lambda: "drawn.part" in lying(folder), 90, what="the film being drawn")
        if what == "everything":
            await hub.crash()
            await hub.start()
        else:
            hub.kill(what)
        fetching = f"{hub.base}/api/v1{path}/file"
        deadline = time.monotonic() + 180
        while (found := await now(reviewer, path))["state"] not in ("done", "failed"):
            assert time.monotonic() < deadline, found
            assert found["url"] is None
            async with reviewer.session.get(fetching) as answer:
                assert answer.status in (409, 200), answer.status  # 200: it became whole just now
            assert all(name == "done.json" or MAGIC.startswith(begin) for name, begin in lying(folder).items())
            await asyncio.sleep(0.2)
        assert found["state"] == "done", found
        assert found["begun"] == (1 if what == "hub" else 2)
        async with reviewer.session.get(fetching) as answer:
            data = await answer.read()
            assert (answer.status, len(data), hashlib.sha256(data).hexdigest()) == (200, found["size"], found["sha256"])
        assert sorted(lying(folder)) == ["done.json", "film.mp4"]
        assert lying(folder)["film.mp4"] == MAGIC
        (tmp_path / "film.mp4").write_bytes(data)
        trusted = [entry.key for entry in load(hub.folder / "data" / "evidence" / HISTORY)]
        assert exported.check(tmp_path / "film.mp4", trusted).verdict.faults == []
