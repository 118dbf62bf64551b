from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.far import Far, reason


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    if why := reason():
        pytest.skip(why)
    async with Far() as network:
        yield network
