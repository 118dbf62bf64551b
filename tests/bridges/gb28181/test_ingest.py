"""What cameras of devices cost on their way into rooms."""

from __future__ import annotations

import pytest

from bench.ingest import measure
from tests.support.proofs import Figure


@pytest.mark.prove
@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", ["udp", "tcp-passive"])
async def test_fifty_cameras_in_rooms(figure: Figure, way: str) -> None:
    got = await measure(50, 20, way, None)
    assert figure(f"50 cameras of 2 Mbit/s over {way} into rooms, all live", got.live, "", goal="= 50")
    assert figure(f"of them, gaps over {way}", got.gaps, "", goal="= 0")
    assert figure(f"of them, part of a core each over {way}, bridge and worker", 100 * got.total, "%", goal="≤ 0.5 %")
