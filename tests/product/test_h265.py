"""An H.265 camera in a consultation of a whole hub: who decodes that gets it as it is, everybody else shares one H.264."""

from __future__ import annotations

import os
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from livekit.api import AccessToken, VideoGrants

from tests.support import h265, until
from tests.support.caller import Caller
from tests.support.camera_house import PICTURE, TERMINAL, House, admitted, cameras, gb28181
from tests.support.gb28181 import device
from tests.support.hevc_player import speaks_h265
from tests.support.whip import Way

pytestmark = [pytest.mark.peer, pytest.mark.timeout(500)]

SECRET = "0123456789abcdef0123456789abcdef"


async def test_who_decodes_it_gets_it_and_the_rest_share_one_h264(tmp_path: Path) -> None:
    async with House(tmp_path, COMMHUB_KEYS=f'{{"wall": {{"secret": "{SECRET}", "scope": "all"}}}}') as hub:
        _, password = await admitted(hub)
        host = await hub.sign_in(hub.who("dispatcher"))
        async with device(hub.address, password=password, channels=1, quirks=("h265",), style=PICTURE) as recorder:
            (camera,) = await cameras(host, gb28181, 1)
            body = {"title": "H.265", "label": "internal", "organisations": [], "people": [], "record": True}
            made = await host.call("POST", "/consultations", body)
            mine = await host.call("POST", f"/consultations/{made['id']}/join", {"terminal": TERMINAL})
            await host.call("POST", f"/consultations/{made['id']}/cameras", {"camera_id": camera["id"]})
            bridge = hub.pids()["bridge-gb28181"]
            grants = VideoGrants(room_join=True, room=made["id"], can_publish=False, hidden=True)
            token = AccessToken("wall", SECRET).with_identity("wall").with_grants(grants).to_jwt()
            async with AsyncExitStack() as stack:
                stack.enter_context(speaks_h265())
                able = await stack.enter_async_context(Way(hub.base, "/whep", token).receive("video"))
                await able.sees(count=25, within=40)
                assert h265.children(bridge) == []  # nor does the recording need it
                async with Caller(mine["url"], mine["token"], video=False, audio=False) as viewer:
                    (identity,) = [one["identity"] for one in (await host.call("GET", f"/consultations/{made['id']}"))["cameras"]]
                    await viewer.sees(identity, count=10, within=30)
                    (child,) = h265.children(bridge)
                    os.kill(child, signal.SIGKILL)
                    killed = time.monotonic()
                    await able.sees(after=killed, count=40)
                    await viewer.sees(identity, after=killed + 1, count=10, within=30)
                await until(lambda: h265.children(bridge) == [], 60, "the end of the last child")
                await able.sees(after=time.monotonic(), count=10)
            assert recorder.counts["INVITE"] <= 2
