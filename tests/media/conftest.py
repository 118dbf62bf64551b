from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.engine import Bench
from tests.support.stage import Stage


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    bench.join("PA_a", "PA_b")
    return bench


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A data plane with clients; nothing in it may fail."""
    stage = Stage()
    yield stage
    failed = stage.statistic("failed")
    stage.close()
    assert failed == 0
