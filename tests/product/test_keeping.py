"""A recording is deleted by two people while everything that does it dies: it is decided once, and nothing of it is left."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.installation import Installation, Person
from tests.support.meetings import HOST, consultation, ticket

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]
WHY = {"reason": "误录"}


async def until_so(person: Person, path: str, true: Any, within: float = 60) -> Any:
    began = time.monotonic()
    while not true(found := await person.call("GET", path)):
        assert time.monotonic() - began < within, found
        await asyncio.sleep(0.2)
    return found


async def test_a_deletion_outlives_the_recorder_and_the_hub(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub:
        host, _, made = await consultation(hub, record=True)
        mine = await ticket(host, made["id"], HOST)
        first, second = await hub.sign_in(hub.who("reviewer")), await hub.sign_in(hub.who("admin"))
        async with Caller(mine["url"], mine["token"]):
            await asyncio.sleep(4)
            listing = f"/recordings?consultation={made['id']}"
            [one] = (await first.call("GET", listing))["items"]
            await first.call("POST", f"/recordings/{one['id']}/deletion", WHY, status=409)  # it still goes on
            await host.call("POST", f"/consultations/{made['id']}/recording", {"action": "stop"})
        await until_so(first, listing, lambda found: found["items"][0]["state"] == "complete")
        folder = tmp_path / "data" / "recordings" / one["id"]
        assert (folder / "journal").is_file()
        detail = await first.call("GET", f"/recordings/{one['id']}")
        media = detail["tracks"][0]["segments"][0]["url"].removeprefix("/api/v1")

        asked = await first.call("POST", f"/recordings/{one['id']}/deletion", WHY)
        seen: dict[str, Any] = {"If-Match": f'"{asked["recording"]["keeping"]["rev"]}"'}
        await first.call("POST", f"/recordings/{one['id']}/deletion/confirm", status=403, **seen)
        hub.kill("record-0")
        await second.call("POST", f"/recordings/{one['id']}/deletion/confirm", **seen)
        hub.kill("hub")
        await hub.ready()
        for path in ("", "/keeping/", media.removeprefix(f"/recordings/{one['id']}")):
            await first.call("GET", f"/recordings/{one['id']}{path}", status=404 if path == "/keeping/" else 410)
        kept = await until_so(
            first, f"/recordings/{one['id']}/keeping", lambda found: found["recording"]["keeping"]["state"] == "deleted"
        )
        stone = kept["recording"]["keeping"]["tombstone"]
        assert (stone["reason"], stone["asked_name"], stone["confirmed_name"]) == (
            WHY["reason"], first.me["person"]["name"], second.me["person"]["name"]
        )  # fmt: skip
        assert stone["head"]
        assert stone["checkpoints"]
        assert not folder.exists()
        left = [path for path in (tmp_path / "data").rglob(f"*{one['id']}*") if path.name != "retold"]
        assert left == []  # no key, no folder, no thumbnail
        assert [row["id"] for row in (await first.call("GET", listing))["items"]] == [one["id"]]
        acts = [row["action"] for row in (await second.call("GET", f"/audit?q={one['id']}"))["items"]]
        assert [act for act in reversed(acts) if "delet" in act or act == "recording.remove"] == [
            "recording.ask_deletion", "recording.confirm_deletion", "recording.remove",
        ]  # fmt: skip
