"""The diagnosis of a consultation through the interface: who may see it, whom it shows, in whose language."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from commhub.media.messages import DownStats, PeerStats, RoomStats, SourceState, UpStats
from commhub.media.overload import Level
from commhub.media.workers import WorkerLoad
from tests.support.hubs import TERMINAL, Browser, Hub, serving

CHINESE = {"Accept-Language": "zh-CN"}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def consultation(hub: Hub, dispatcher: Browser, guest: Browser) -> tuple[str, str]:
    """Its id, and the identity of the guest, who is in."""
    made = await dispatcher.ok("POST", "/consultations", {"title": "T", "people": [hub.ids["li-sihan"]]})
    joining = await guest.ok("POST", f"/consultations/{made['id']}/join", {"terminal": TERMINAL})
    await hub.enter(joining)
    return made["id"], joining["identity"]


def peer(identity: str, **more: Any) -> PeerStats:
    up = [UpStats("TR_1", "video", "camera", bitrate=800_000, age=0.1, layers=[150_000, 650_000], width=1280, height=720)]
    well = {"connected": True, "over": "udp", "heard": 0.2, "rtt_ms": 31.0, "up": up}
    return PeerStats(**{"peer": "PA_1", "identity": identity, "kind": "client", **well, **more})


async def test_a_dispatcher_sees_where_it_hurts(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        room, identity = await consultation(hub, zhou, li)
        up = [UpStats("TR_1", "video", "camera", bitrate=400_000, loss=0.25, age=0.1)]
        down = [DownStats("TR_9", "video", bitrate=1, layer=0, wanted=2), DownStats("TR_1", "video", bitrate=50_000)]
        hidden = peer("monitor", peer="PA_9", up=[UpStats("TR_9", "video", "camera")])
        hub.engine.looks = [RoomStats(room, 4.0, [peer(identity, up=up, down=down), hidden])]
        seen = await zhou.ok("GET", f"/consultations/{room}/stats")
        assert seen["seconds"] == 4.0
        (one,) = seen["participants"]  # who is hidden is not shown
        assert (one["identity"], one["name"], one["org_name"], one["kind"]) == (identity, "李思涵", "水务局", "person")
        assert one["verdict"] == {
            "fault": "network_up",
            "grade": "bad",
            "code": "up_bad",
            "text": "25% of what is sent is lost: others see and hear gaps.",
            "step": "Use a cable or move nearer to the router; if that does not help, switch the camera off.",
        }
        assert (one["over"], one["rtt_ms"], one["bitrate_up"], one["loss_up"]) == ("udp", 31.0, 400_000, 0.25)
        assert [track["identity"] for track in one["down"]] == [identity]  # of nobody he does not see
        hub.engine.looks = [RoomStats(room, 4.0, [peer(identity, up=up)])]
        chinese = await zhou.ok("GET", f"/consultations/{room}/stats", headers=CHINESE)
        assert chinese["participants"][0]["verdict"]["text"] == "上行丢包 25%，别人看到和听到的会中断。"


async def test_the_first_look_is_taken_twice(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commhub.diagnosis.AGAIN", 0.01)
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        room, identity = await consultation(hub, zhou, li)
        hub.engine.looks = [RoomStats(room, 0.0, [peer(identity)]), RoomStats(room, 1.0, [peer(identity)])]
        seen = await zhou.ok("GET", f"/consultations/{room}/stats")
        assert (seen["seconds"], hub.engine.looks) == (1.0, [])
        assert seen["participants"][0]["verdict"]["code"] == "fine"


async def test_a_camera_shows_its_source(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        room, _ = await consultation(hub, zhou, li)
        camera = (await zhou.ok("GET", "/cameras"))["items"][0]["id"]
        there = await zhou.ok("POST", f"/consultations/{room}/cameras", {"camera_id": camera})
        seat = there["cameras"][0]["identity"]
        hub.parts.feeds.bridge("rtsp").receive(SourceState(camera, "failed", "password", "The password is wrong.", "密码错误。"))
        hub.engine.looks = [RoomStats(room, 2.0, [PeerStats("PA_2", seat, "bridge")])]
        (one,) = (await zhou.ok("GET", f"/consultations/{room}/stats", headers=CHINESE))["participants"]
        assert (one["kind"], one["verdict"]["fault"], one["verdict"]["text"]) == ("camera", "camera", "摄像机打不开：密码错误。")


async def test_an_overloaded_worker_is_named(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        room, identity = await consultation(hub, zhou, li)
        hub.engine.load = {"media-0": WorkerLoad(True, False, Level.FULL, 0.5, 0.1, 1, 1)}
        hub.engine.looks = [RoomStats(room, 2.0, [peer(identity)])]
        (one,) = (await zhou.ok("GET", f"/consultations/{room}/stats"))["participants"]
        assert one["verdict"]["fault"] == "hub"


async def test_who_may_not_look_and_what_is_not_there(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        room, _ = await consultation(hub, zhou, li)
        made = await zhou.ok("GET", f"/consultations/{room}")
        assert "diagnose" in made["may"]
        assert "diagnose" not in (await li.ok("GET", f"/consultations/{room}"))["may"]
        assert (await li.call("GET", f"/consultations/{room}/stats"))[0] == 403
        status, problem = await zhou.call("GET", f"/consultations/{room}/stats")
        assert status == 503, problem  # its worker is being restarted
        await zhou.ok("POST", f"/consultations/{room}/end")
        assert (await zhou.call("GET", f"/consultations/{room}/stats"))[0] == 409
