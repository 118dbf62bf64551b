from __future__ import annotations

import pytest

from tests.support.engine import Bench


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    bench.join("PA_a", "PA_b")
    return bench
