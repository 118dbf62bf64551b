from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.hubs import serving
from tests.support.recorders import House, ScriptedBridge, recorder


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path) as hub:
        bridge = ScriptedBridge()
        (camera,) = await recorder(hub, 1)
        bridge.link(hub)
        yield House(hub, bridge, camera)
