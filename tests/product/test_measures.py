"""What an installation measures of itself, with calls of the PyPI SDK: metrics move, and a verdict follows seeded loss."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect
from prometheus_client.parser import text_string_to_metric_families

from commhub.metrics.catalogue import METRICS
from tests.support.browser import chromium, screenshot
from tests.support.caller import Caller
from tests.support.installation import Installation, Person
from tests.support.meetings import GUEST, HOST, consultation, ticket
from tests.support.nat import Address, Nat
from tests.support.pages import signed_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]


class Lossy(Nat):
    """Loses datagrams of some clients on their way up or down, by a seed."""

    def __init__(self, inside: Address, outside: Address, seed: int = 7) -> None:
        super().__init__(inside, outside)
        self.random = random.Random(seed)
        self.up: dict[Address, float] = {}
        self.down: dict[Address, float] = {}

    @property
    def clients(self) -> set[Address]:
        return set(self._mappings)

    def passes(self, client: Address, *, up: bool) -> bool:
        return self.random.random() >= (self.up if up else self.down).get(client, 0.0)


def value(text: str, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert found, f"{name} {labels}"
    return sum(found)


async def metrics(hub: Installation) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{hub.base}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


async def verdicts(
    host: Person, room: str, wanted: Callable[[dict[str, Any]], bool], within: float = 40
) -> dict[str, dict[str, Any]]:
    """By name, once they are as wanted."""
    until = time.monotonic() + within
    while True:
        seen = await host.call("GET", f"/consultations/{room}/stats")
        by_identity = {one["identity"]: one for one in seen["participants"]}
        if wanted(by_identity):
            return by_identity
        told = {identity: one["verdict"] for identity, one in by_identity.items()}
        assert time.monotonic() < until, told
        await asyncio.sleep(2)


async def test_metrics_move_and_the_verdict_follows_the_loss(tmp_path: Path) -> None:
    async with Installation(tmp_path, COMMHUB_MEDIA__ADDRESS="127.0.0.1=127.0.0.2") as hub:
        inside, outside = ("127.0.0.2", hub.media_port), ("127.0.0.1", hub.media_port)
        async with Lossy(inside, outside) as net:
            host, guest, made = await consultation(hub, record=True)
            mine, theirs = await ticket(host, made["id"], HOST), await ticket(guest, made["id"], GUEST)
            me, they = mine["identity"], theirs["identity"]
            before = await metrics(hub)
            assert value(before, "commhub_up", process="media-0") == 1
            async with Caller(mine["url"], mine["token"]) as first:
                mine_at = net.clients
                async with Caller(theirs["url"], theirs["token"]) as second:
                    await first.sees(they)
                    await second.sees(me)
                    theirs_at = net.clients - mine_at
                    fine = lambda seen: all(one["verdict"]["grade"] == "fine" for one in seen.values()) and len(seen) == 2  # noqa: E731
                    seen = await verdicts(host, made["id"], fine)
                    assert {one["over"] for one in seen.values()} == {"udp"}
                    assert all(one["bitrate_up"] > 20_000 and one["bitrate_down"] > 20_000 for one in seen.values())
                    await verdicts(host, made["id"], lambda seen: 0 < seen[me]["rtt_ms"] < 400)
                    await asyncio.sleep(6)  # the children tell every 5 s
                    moved = await metrics(hub)
                    check(before, moved)

                    net.up = dict.fromkeys(theirs_at, 0.25)
                    await verdicts(host, made["id"], lambda seen: faults(seen)[they] == "network_up" != faults(seen)[me])
                    net.up, net.down = {}, dict.fromkeys(theirs_at, 0.25)
                    await verdicts(host, made["id"], lambda seen: faults(seen) == {they: "network_down", me: "fine"})
                    net.down = {}
                    await verdicts(host, made["id"], fine, within=60)
                    after = await metrics(hub)
                    assert value(after, "commhub_nacks_total", direction="out") > value(
                        moved, "commhub_nacks_total", direction="out"
                    )
                    assert value(after, "commhub_packets_resent_total") > value(moved, "commhub_packets_resent_total")
            for _ in range(30):
                if (left := value(await metrics(hub), "commhub_participants")) == 0:
                    break
                await asyncio.sleep(1)
            assert left == 0


def faults(seen: dict[str, Any]) -> dict[str, str]:
    return {identity: one["verdict"]["fault"] for identity, one in seen.items()}


def check(before: str, moved: str) -> None:
    """A call of two with sound and picture, recorded."""
    assert {family.name for family in text_string_to_metric_families(moved)} == {metric.name for metric in METRICS}
    assert value(moved, "commhub_rooms") >= 1
    assert value(moved, "commhub_participants", kind="person") == 2
    assert value(moved, "commhub_tracks", kind="video", source="camera") == 2
    assert value(moved, "commhub_tracks", kind="audio", source="microphone") == 2
    assert value(moved, "commhub_worker_participants", process="media-0") == 2
    for name, labels in {
        "commhub_packets_total": {"direction": "in"},
        "commhub_bytes_total": {"direction": "out"},
        "commhub_plis_total": {"direction": "out"},
        "commhub_routes": {},
        "commhub_taps": {},
        "commhub_recorder_bytes_total": {"process": "record-0"},
        "commhub_join_seconds_count": {"stage": "connected"},
        "commhub_join_seconds_sum": {"stage": "media"},
        "commhub_database_seconds_count": {"operation": "writing"},
        "commhub_process_resident_memory_bytes": {"process": "media-0"},
        "commhub_process_cpu_seconds_total": {"process": "record-0"},
        "commhub_process_open_fds": {"process": "bridge-rtsp"},
    }.items():
        assert value(moved, name, **labels) > 0, name
    assert value(moved, "commhub_join_seconds_count", stage="connected") == 2
    assert value(moved, "commhub_recordings", process="record-0") == 1
    assert value(moved, "commhub_process_cpu_seconds_total", process="hub") > value(
        before, "commhub_process_cpu_seconds_total", process="hub"
    )
    for process in ("hub", "media-0", "record-0", "bridge-rtsp"):
        assert 0 <= value(moved, "commhub_loop_lag_seconds", process=process) < 5
    assert value(moved, "commhub_recorder_lag_seconds") < 5


async def test_the_dispatcher_sees_in_the_page_where_it_hurts(tmp_path: Path) -> None:
    async with Installation(tmp_path, COMMHUB_MEDIA__ADDRESS="127.0.0.1=127.0.0.2") as hub:
        net_of_hub = Lossy(("127.0.0.2", hub.media_port), ("127.0.0.1", hub.media_port))
        async with net_of_hub as net, chromium() as browser:
            host, guest, made = await consultation(hub)
            page = await signed_in(browser, hub, "dispatcher")
            await page.goto(f"/room/{made['id']}")
            await expect(page.get_by_test_id("room")).to_be_visible(timeout=60_000)
            at_first = net.clients
            theirs = await ticket(guest, made["id"], GUEST)
            async with Caller(theirs["url"], theirs["token"]) as caller:
                await host.call("POST", f"/consultations/{made['id']}/cameras", {"camera_id": hub.camera["id"]})
                await caller.sees(f"{hub.camera['id']}:bridge", within=40)
                bars = page.locator(f'[data-testid="member"][data-identity="{hub.camera["id"]}:bridge"] .bars')
                await expect(bars).to_have_attribute("aria-label", "摄像机正常", timeout=30_000)
                await page.keyboard.press("d")
                rows = page.get_by_test_id("diagnosis")
                await expect(rows).to_have_count(3, timeout=30_000)
                row = page.locator(f'[data-testid="diagnosis"][data-identity="{theirs["identity"]}"]')
                net.up = dict.fromkeys(net.clients - at_first, 0.25)
                await expect(row).to_have_attribute("data-fault", "network_up", timeout=60_000)
                await expect(rows.first).to_have_attribute("data-grade", "bad")
                await expect(row).to_contain_text("上行丢包")
                head = row.get_by_role("button")
                await head.focus()
                await page.keyboard.press("Enter")
                await expect(head).to_have_attribute("aria-expanded", "true")
                await expect(row).to_contain_text("UDP")
                await screenshot(page, "diagnosis")
            # Who may not lead it has no such panel.
            other = await signed_in(browser, hub, "participant")
            await other.goto(f"/room/{made['id']}")
            await expect(other.get_by_test_id("room")).to_be_visible(timeout=60_000)
            await other.keyboard.press("d")
            await expect(other.get_by_test_id("tab-diagnosis")).to_have_count(0)
            await expect(other.get_by_test_id("panel-diagnosis")).to_have_count(0)
            assert page.complaints == []  # type: ignore[attr-defined]
