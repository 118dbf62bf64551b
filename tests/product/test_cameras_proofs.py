"""What people see when a bridge dies or a recorder loses its power, over and over: measured."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support import until
from tests.support.camera_house import PICTURE, House, admitted, cameras, gap, gb28181, wall
from tests.support.gb28181 import device
from tests.support.proofs import Figure

pytestmark = [pytest.mark.prove, pytest.mark.peer, pytest.mark.timeout(600)]

KILLS, CUTS = 10, 20
SETTLED = 5.0  # s between two kills: what dies again at once is started later each time


async def test_kills_and_power_cuts(tmp_path: Path, figure: Figure) -> None:
    async with House(tmp_path) as hub:
        _, password = await admitted(hub)
        dispatcher = await hub.sign_in(hub.who("dispatcher"))
        async with device(hub.address, password=password, channels=2, movable=1, style=PICTURE) as recorder:
            (camera, *_) = await cameras(dispatcher, gb28181, 2)
            async with wall(dispatcher, camera) as (viewer, (identity,)):
                await viewer.sees(identity, count=10)
                cuts = [await gap(viewer, identity, recorder.power_cycle) for _ in range(CUTS)]
                before = _files(hub)
                again = [await gap(viewer, identity, recorder.power_cycle) for _ in range(3)]
                assert _files(hub) <= before + 2  # sockets and files of the bridge
                kills = []
                for _ in range(KILLS):
                    await asyncio.sleep(SETTLED)
                    await until(lambda: Path(f"/proc/{hub.pids()['bridge-gb28181']}").exists())
                    kills.append(await gap(viewer, identity, lambda: hub.kill("bridge-gb28181")))
            await until(lambda: recorder.plays == 0, 40, "the plays' end")
    reached = [
        figure(
            f"whole product: device power-cycled {CUTS} times, longest without a picture", max(cuts + again), "s", goal="≤ 5 s"
        ),
        figure(
            f"whole product: GB/T 28181 bridge killed {KILLS} times, longest without a picture", max(kills), "s", goal="≤ 5 s"
        ),
    ]
    assert all(reached), (cuts, kills)


def _files(hub: House) -> int:
    return len(list(Path(f"/proc/{hub.pids()['bridge-gb28181']}/fd").iterdir()))
