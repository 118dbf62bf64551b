"""Why a camera shows nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.media.messages import Attempt, PlayReport, SourceState, Step
from tests.support.hubs import TERMINAL, Browser, Hub, serving
from tests.support.recorders import ScriptedBridge, recorder


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def watch(page: Browser, *cameras: str) -> None:
    await page.ok("POST", "/views", {"terminal": TERMINAL})
    await page.ok("PUT", f"/views/{TERMINAL}", {"cameras": list(cameras)})


async def test_a_play_that_failed(hub: Hub) -> None:
    bridge = ScriptedBridge()
    broken, works, sensitive = await recorder(hub, 3)
    bridge.link(hub)
    async with hub.browser("dispatcher") as page:
        await watch(page, broken, works, sensitive)
        bridge.say(hub, SourceState(source=works, state="live"))
        report = PlayReport(
            source=broken, at=1_700_000_000_000_000_000, code="no_media",
            text="It answered, and nothing came.", text_zh="设备在线并接受了点播，但 15 秒内没有任何视频数据到达。",
            advice="Look at the firewall.", advice_zh="最可能：边界防火墙未放行端口。",
            steps=[
                Step("registered", "done", "Registered.", "设备已注册", 0.0),
                Step("received", "failed", "0 packets", "0 包", 15.31),
            ],
            attempts=[
                Attempt("tcp-passive", 30218, 15.0, 0, "no_media"),
                Attempt("udp", 30218, 5.0, 0, "no_media", "10.0.0.1:9", 132),
            ],
        )  # fmt: skip
        bridge.say(hub, report)
        bridge.say(hub, SourceState(source=broken, state="failed", code="no_media", text="x", text_zh="y"))
        card = await page.ok("GET", f"/cameras/{broken}/diagnosis")
        assert (card["at"], card["code"], card["advice"]) == ("2023-11-14T22:13:20.000Z", "no_media", "Look at the firewall.")
        assert [(step["name"], step["state"], step["seconds"]) for step in card["steps"]] == [
            ("registered", "done", 0.0),
            ("received", "failed", 15.31),
        ]
        assert card["attempts"][1] == {
            "way": "udp", "port": 30218, "seconds": 5.0, "packets": 0, "code": "no_media", "sender": "10.0.0.1:9", "ssrc": 132,
        }  # fmt: skip
        assert card["last_success"] is None
        assert card["owner"] == {"org_name": "水务局"}
        await hub.parts.feeds.plays.write()
        card = await page.ok("GET", f"/cameras/{broken}/diagnosis", headers={"Accept-Language": "zh"})
        assert card["text"].startswith("设备在线并接受了点播")
        assert [(one["id"], one["state"]) for one in card["neighbours"]] == [(works, "live")]
        assert card["neighbours"][0]["at"] is not None
        again = await page.ok("POST", f"/cameras/{broken}/retry")
        assert again == {"camera_id": broken, "state": "connecting"}


async def test_one_by_rtsp_says_where_it_stopped(hub: Hub) -> None:
    camera = hub.ids["camera simulated-underpass"]
    rtsp = hub.parts.feeds.bridge("rtsp")
    async with hub.browser("dispatcher") as page:
        assert (await page.ok("GET", f"/cameras/{camera}/diagnosis"))["steps"] == []
        assert (await page.call("POST", f"/cameras/{camera}/retry"))[1]["code"] == "not_open"
        await watch(page, camera)
        text, text_zh = "It refuses the password. Correct it.", "摄像机拒绝了密码。请改正。"
        rtsp.receive(SourceState(source=camera, state="failed", code="unauthorized", text=text, text_zh=text_zh))
        card = await page.ok("GET", f"/cameras/{camera}/diagnosis")
        assert (card["text"], card["advice"]) == ("It refuses the password.", "Correct it.")
        assert [step["state"] for step in card["steps"]] == ["done", "done", "failed", "skipped", "skipped", "skipped"]
        card = await page.ok("GET", f"/cameras/{camera}/diagnosis", headers={"Accept-Language": "zh"})
        assert (card["text"], card["advice"]) == ("摄像机拒绝了密码。", "请改正。")
        rtsp.receive(SourceState(source=camera, state="live"))
        card = await page.ok("GET", f"/cameras/{camera}/diagnosis")
        assert {step["state"] for step in card["steps"]} == {"done"}
        assert card["last_success"] is not None


async def test_not_for_everybody(hub: Hub) -> None:
    (camera,) = await recorder(hub, 1)
    async with hub.browser("binjiang") as page:
        status, answer = await page.call("GET", f"/cameras/{camera}/diagnosis")
        assert status in (403, 404), answer
