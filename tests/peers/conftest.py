from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.hub import Hub


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub() as running:
        yield running
