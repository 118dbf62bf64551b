from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.catalogues import Bridge
from tests.support.hubs import Hub, running


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with running(tmp_path) as hub:
        yield hub


@pytest.fixture
def bridge(hub: Hub) -> Bridge:
    bridge = Bridge(hub.parts.devices)
    bridge.link()
    return bridge
