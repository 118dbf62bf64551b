"""Legal holds and deletion by two people, through the interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from commhub.model import Label
from commhub.recordings.keeping import HOUR
from tests.support import until
from tests.support.hubs import Browser, Hub, serving
from tests.support.kept import PlayedRecorder, audited, recorded

WHY = {"reason": "当事人申请，已核准"}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def confirm(page: Browser, recording: str, rev: int) -> tuple[int, Any]:
    return await page.call("POST", f"/recordings/{recording}/deletion/confirm", headers={"If-Match": f'"{rev}"'})


async def refuse(page: Browser, recording: str, rev: int) -> tuple[int, Any]:
    return await page.call("POST", f"/recordings/{recording}/deletion/refuse", WHY, headers={"If-Match": f'"{rev}"'})


async def test_two_people_delete_a_recording_and_a_tombstone_stays(hub: Hub) -> None:
    one = await recorded(hub)
    recorder = PlayedRecorder(hub.parts.keeper)
    async with hub.browser("reviewer") as first, hub.browser("admin") as second, second.events() as heard:
        asked = await first.ok("POST", f"/recordings/{one}/deletion", WHY)
        assert asked["recording"]["keeping"]["state"] == "asked"
        assert asked["recording"]["keeping"]["request"]["reason"] == WHY["reason"]
        assert asked["acts"] == ["hold", "refuse"]  # he may withdraw it, and cannot confirm it
        assert (await heard.event("recording.deletion_asked"))["data"]["reason"] == WHY["reason"]
        waiting = (await second.ok("GET", "/deletions"))["items"]
        assert [row["id"] for row in waiting] == [one]
        status, body = await confirm(second, one, waiting[0]["keeping"]["rev"])
        assert (status, body["recording"]["keeping"]["state"], body["acts"]) == (200, "deleting", [])
        event = await heard.event("recording.deleted")
        tombstone = event["data"]["recording"]["keeping"]["tombstone"]
        assert (tombstone["asked_name"], tombstone["confirmed_name"]) == (first.me["person"]["name"], second.me["person"]["name"])
        assert (tombstone["head"], tombstone["checkpoints"], tombstone["bytes"]) == (f"{2:064x}", 2, 5_000)
        assert (tombstone["why"], tombstone["reason"]) == ("people", WHY["reason"])

        await until(lambda: recorder.told == [one])
        recorder.forgotten(one)
        assert (await heard.event("recording.removed"))["subject"] == one
        [row] = (await first.ok("GET", "/recordings"))["items"]
        assert (row["id"], row["title"], row["people"], row["keeping"]["state"]) == (one, "内涝处置", [], "deleted")
        assert row["keeping"]["tombstone"]["removed_at"]
        for path in ("", "/media/0001/0001.webm"):
            status, body = await first.call("GET", f"/recordings/{one}{path}")
            assert (status, body["code"], body["detail"]) == (410, "deleted", "The recording was deleted.")
        for act in ("holds", "deletion"):
            assert (await first.call("POST", f"/recordings/{one}/{act}", WHY))[0] == 410
    assert await audited(hub, one) == [
        ("recording.ask_deletion", first.me["person"]["name"]),
        ("recording.confirm_deletion", second.me["person"]["name"]),
        ("recording.remove", "系统"),
    ]


async def test_nobody_confirms_his_own_request(hub: Hub) -> None:
    one = await recorded(hub)
    async with hub.browser("admin") as page:
        asked = await page.ok("POST", f"/recordings/{one}/deletion", WHY)
        status, body = await confirm(page, one, asked["recording"]["keeping"]["rev"])
        assert (status, body["code"]) == (403, "same_person")
        assert (await page.ok("GET", f"/recordings/{one}/keeping"))["recording"]["keeping"]["state"] == "asked"
        [row] = (await page.ok("GET", "/audit?action=recording.confirm_deletion"))["items"]
        assert (row["subject"], row["result"]) == (one, "denied")


async def test_a_request_that_was_changed_meanwhile_is_not_confirmed(hub: Hub) -> None:
    one = await recorded(hub)
    async with hub.browser("reviewer") as first, hub.browser("admin") as second:
        rev = (await first.ok("POST", f"/recordings/{one}/deletion", WHY))["recording"]["keeping"]["rev"]
        assert (await confirm(second, one, rev - 1))[1]["code"] == "stale"
        assert (await refuse(first, one, rev))[0] == 200  # withdrawn
        rev = (await first.ok("POST", f"/recordings/{one}/deletion", {"reason": "另一理由"}))["recording"]["keeping"]["rev"]
        assert (await confirm(second, one, rev - 2))[1]["code"] == "stale"
        assert (await first.call("POST", f"/recordings/{one}/deletion", WHY))[1]["code"] == "asked"
        assert (await refuse(second, one, rev))[0] == 200
        assert (await confirm(second, one, rev + 1))[1]["code"] == "not_asked"
        assert (await second.call("POST", f"/recordings/{one}/deletion/confirm"))[0] == 428


async def test_a_request_lapses(hub: Hub) -> None:
    one = await recorded(hub)
    keeper = hub.parts.keeper
    async with hub.browser("reviewer") as first, hub.browser("admin") as second:
        rev = (await first.ok("POST", f"/recordings/{one}/deletion", WHY))["recording"]["keeping"]["rev"]
        real = keeper._wall
        keeper._wall = lambda: real() + 73 * HOUR
        assert (await confirm(second, one, rev))[1]["code"] == "lapsed"
        await keeper.look()
        assert (await second.ok("GET", f"/recordings/{one}/keeping"))["recording"]["keeping"]["state"] == "kept"
    assert (await audited(hub, one))[-1] == ("recording.lapse_deletion", "系统")


async def test_holds_stand_side_by_side_and_forbid_everything(hub: Hub) -> None:
    one = await recorded(hub)
    async with hub.browser("reviewer") as first, hub.browser("admin") as second:
        rev = (await first.ok("POST", f"/recordings/{one}/deletion", WHY))["recording"]["keeping"]["rev"]
        held = await second.ok("POST", f"/recordings/{one}/holds", {"reason": "行政复议"})
        assert (held["recording"]["keeping"]["state"], held["recording"]["keeping"]["request"]) == ("held", None)
        assert (await confirm(second, one, rev + 1))[1]["code"] == "held"
        assert (await first.call("POST", f"/recordings/{one}/deletion", WHY))[1]["code"] == "held"
        both = (await first.ok("POST", f"/recordings/{one}/holds", {"reason": "诉讼"}))["holds"]
        assert [hold["reason"] for hold in both] == ["行政复议", "诉讼"]
        lift = f"/recordings/{one}/holds/{both[0]['id']}/lift"
        after = await second.ok("POST", lift, {"reason": "复议终结"})
        assert (after["recording"]["keeping"]["state"], after["holds"][0]["lifted_reason"]) == ("held", "复议终结")
        assert (await second.call("POST", lift, WHY))[0] == 404
        after = await second.ok("POST", f"/recordings/{one}/holds/{both[1]['id']}/lift", WHY)
        assert (after["recording"]["keeping"]["state"], after["acts"]) == ("kept", ["hold", "ask"])
        names = [first.me["person"]["name"], second.me["person"]["name"]]
    assert await audited(hub, one) == [
        ("recording.ask_deletion", names[0]), ("recording.hold", names[1]), ("recording.hold", names[0]),
        ("recording.release", names[1]), ("recording.release", names[1]),
    ]  # fmt: skip


async def test_the_same_request_twice_is_one(hub: Hub) -> None:
    one = await recorded(hub)
    async with hub.browser("reviewer") as page:
        for _ in range(2):
            held = await page.ok("POST", f"/recordings/{one}/holds", WHY, headers={"Idempotency-Key": "k"})
        assert len(held["holds"]) == 1


async def test_what_still_goes_on_may_be_held_and_not_deleted(hub: Hub) -> None:
    one = await recorded(hub, state="recording", ended_at=None)
    async with hub.browser("reviewer") as page:
        status, body = await page.call("POST", f"/recordings/{one}/deletion", WHY)
        assert (status, body["code"]) == (409, "running")
        assert (await page.ok("POST", f"/recordings/{one}/holds", WHY))["recording"]["keeping"]["state"] == "held"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\0b"])
async def test_without_a_reason_nothing_is_asked(hub: Hub, reason: str) -> None:
    one = await recorded(hub)
    async with hub.browser("reviewer") as page:
        for act in ("holds", "deletion"):
            assert (await page.call("POST", f"/recordings/{one}/{act}", {"reason": reason}))[0] == 400


async def test_rights_are_those_of_the_recording(hub: Hub) -> None:
    """A reviewer sees it; only who has the right at its organisation and label does something."""
    one = await recorded(hub, "water", Label.SENSITIVE)
    async with hub.browser("reviewer") as page, hub.browser("emergency") as nobody:
        assert (await page.ok("GET", f"/recordings/{one}/keeping"))["acts"] == ["hold", "ask"]
        assert (await nobody.call("POST", f"/recordings/{one}/deletion", WHY))[0] == 403
        assert (await confirm(page, one, 0))[0] == 403
