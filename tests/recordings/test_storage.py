"""Quotas of organisations, and what the hub makes of the recorder's word about the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.errors import Conflict
from commhub.media.messages import Record, RecordSnapshot, Space, Uploads
from commhub.model import Label
from commhub.recordings import storage as storages
from commhub.recordings.storage import Storage, level
from recorder.space import STEPS
from tests.support.hubs import Hub, serving
from tests.support.kept import recorded

HUGE = 1 << 40


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


@pytest.mark.parametrize(
    ("used", "before", "after"),
    [(0, 0, 0), (79, 0, 0), (80, 0, 80), (99, 80, 80), (100, 80, 100), (250, 0, 100), (96, 100, 100), (94, 100, 80), (76, 80, 80),
     (74, 80, 0), (50, 100, 0)],
)  # fmt: skip
def test_steps_of_a_quota_go_back_with_hysteresis(used: int, before: int, after: int) -> None:
    assert level(used, 100, before) == after
    assert level(used, 0, before) == 0  # no quota


def test_the_hub_knows_every_step_of_the_recorders_guard() -> None:
    assert list(storages.LEVELS) == [step.name for step in STEPS]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_has_words_for_every_step(language: str) -> None:
    text = (Path(__file__).parents[2] / "web" / "src" / "i18n" / language / "keeping.ts").read_text("utf-8")
    steps = text.partition("    step: {\n")[2].partition("    },\n")[0]
    assert [line.split(":")[0].strip() for line in steps.splitlines()] == [step.name for step in STEPS]


async def test_quotas_are_shown_set_and_told(hub: Hub) -> None:
    for _ in range(2):
        await recorded(hub, bytes=400)
    await recorded(hub, "water", bytes=70)
    storage = hub.parts.storage
    async with hub.browser("admin") as admin, hub.browser("reviewer") as reviewer, admin.events() as heard:
        shown = await admin.ok("GET", "/storage")
        assert [(one["org_id"], one["bytes"], one["quota"]) for one in shown["organisations"][:2]] == [
            (hub.ids["ops"], 800, None), (hub.ids["water"], 70, None)
        ]  # fmt: skip
        path = f"/storage/{hub.ids['ops']}"
        set_ = await admin.ok("PUT", path, {"bytes": 1000}, headers={"If-Match": '"0"'})
        assert (set_["percent"], set_["level"], set_["own"]) == (80, 80, True)
        assert (await admin.call("PUT", path, {"bytes": 1}, headers={"If-Match": '"0"'}))[1]["code"] == "stale"
        assert (await reviewer.call("PUT", path, {"bytes": 1}, headers={"If-Match": '"1"'}))[0] == 403
        assert (await heard.event("storage.quota"))["data"]["quota"] == 1000
        await storage.compare()
        assert (await heard.event("storage.quota"))["data"]["level"] == 80
        await storage.compare()  # once
        await recorded(hub, bytes=200)
        await storage.compare()
        event = await heard.event("storage.quota")
        assert (event["data"]["level"], event["data"]["percent"]) == (100, 100)


async def test_a_full_quota_refuses_what_is_begun_by_hand_and_nothing_else(hub: Hub) -> None:
    storage, recordings = hub.parts.storage, hub.parts.recordings
    told: list[Record] = []
    recordings.linked(RecordSnapshot(), lambda message: told.append(message) if isinstance(message, Record) else None)
    zhou, admin = await hub.person("dispatcher"), await hub.person("admin")
    org = hub.ids["ops"]
    await storage.set_quota(admin, org, 1000, 0)

    async def consult(label: Label = Label.INTERNAL, record: bool = False) -> str:
        made = await hub.parts.rooms.create(zhou, title="内涝", label=label, organisations=[], people=[], record=record)
        return made.id

    before = await consult()
    assert (await recordings.start(before, zhou)).recording.state == "recording"
    await recorded(hub, bytes=1000)
    assert (await recordings.start(before, zhou)).recording.state == "recording"  # what runs goes on
    by_hand = await consult()
    with pytest.raises(Conflict) as raised:
        await recordings.start(by_hand, zhou)
    assert (raised.value.code, raised.value.message_zh) == ("quota_full", storages.FULL[1])
    async with hub.parts.store.reading() as reading:
        with pytest.raises(Conflict):
            await storage.admit(reading, org)
        await storage.admit(reading, hub.ids["water"])
        for mode in ("always", "start"):
            await recordings.wishes.admit(reading, mode, org)

    wanted = await consult(record=True)  # from the beginning: everybody sees that nothing is recorded, and why
    recordings.begin_wanted(wanted)

    async def light() -> str | None:
        record = await hub.parts.rooms.find(wanted, zhou)
        return record.recording_reason if record.recording_state == "failed" else None

    for _ in range(1_000):
        if await light():
            break
        await asyncio.sleep(0.02)
    assert await light() == storages.FULL[1]
    await storage.set_quota(admin, org, 0, 1)
    assert (await recordings.start(wanted, zhou)).recording.state == "recording"


async def test_a_disk_that_gets_full_is_an_alarm_everywhere(hub: Hub) -> None:
    storage = hub.parts.storage
    storage.start()
    async with hub.browser("admin") as page, page.events() as heard:
        for step, shown in (("low", "low"), ("cameras", "thin"), ("full", "full"), ("ample", "ample")):
            storage.heard(0, Space(free=5, total=100, level=step))
            event = await heard.event("storage.space")
            assert (event["data"]["step"], event["data"]["level"]) == (step, shown)
            assert (await page.ok("GET", "/storage"))["disk"]["level"] == shown
            async with await page.raw("GET", "/healthz") as response:
                assert response.status == 200  # an alarm takes the hub away from nobody
                assert (await response.json()).get("disk", "ample") == shown
        rows = (await page.ok("GET", "/audit?action=storage.space"))["items"]
        assert len(rows) == 4


async def test_uploads_that_fail_are_an_alarm_everywhere(hub: Hub) -> None:
    storage = hub.parts.storage
    storage.start()
    async with hub.browser("admin") as page, page.events() as heard:
        assert (await page.ok("GET", "/storage"))["uploads"] is None
        for failing in (True, False):
            for files in (2, 3):  # said again while it lasts: one event
                storage.heard(0, Uploads(failing, files, 70, 5_000_000_000, "refused") if failing else Uploads(False))
            event = await heard.event("storage.upload")
            assert (event["data"]["failing"], event["data"]["reason"]) == (failing, "refused" if failing else "")
            shown = (await page.ok("GET", "/storage"))["uploads"]
            assert (shown["failing"], shown["files"], shown["since"]) == ((True, 3, 5_000) if failing else (False, 0, None))
            async with await page.raw("GET", "/healthz") as response:
                assert response.status == 200
                assert (await response.json()).get("uploads") == ("failing" if failing else None)
        assert len((await page.ok("GET", "/audit?action=storage.upload"))["items"]) == 2


async def test_several_recorders_lie_on_one_disk_and_the_gravest_word_counts(hub: Hub) -> None:
    storage = Storage(hub.parts.store, hub.parts.events)
    silent = storage.disk
    assert silent is None
    storage.heard(0, Space(free=5, total=100, level="low"))
    storage.heard(1, Space(free=4, total=100, level="feeds"))
    storage.heard(2, Space(free=6, total=100, level="ample"))
    said = storage.disk
    assert said is not None
    assert (said.step, said.free) == ("feeds", 4)
