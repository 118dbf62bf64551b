"""Cameras of devices that call in, from their sign-in to a decoded picture, with all processes of the product."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import until
from tests.support.camera_house import PICTURE, House, admitted, cameras, gap, gb28181, wall
from tests.support.gb28181 import device

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150)]


async def test_a_device_signs_in_and_its_camera_is_seen(tmp_path: Path) -> None:
    async with House(tmp_path) as hub:
        _, password = await admitted(hub)
        dispatcher = await hub.sign_in(hub.who("dispatcher"))
        async with device(hub.address, password=password, channels=4, movable=2, style=PICTURE) as recorder:
            found = await cameras(dispatcher, gb28181, 4)
            async with wall(dispatcher, found[0], found[1]) as (viewer, (first, second)):
                await viewer.sees(first, count=10)
                await viewer.sees(second, count=10)
                assert recorder.counts["INVITE"] <= 4  # two streams each at the most

                # The bridge dies. How fast it should be back, the proof below says.
                assert await gap(viewer, first, lambda: hub.kill("bridge-gb28181")) < 12

                # The power of the recorder fails.
                assert await gap(viewer, first, recorder.power_cycle) < 12
            await until(lambda: recorder.plays == 0, 40, "the plays' end")
