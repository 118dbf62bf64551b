"""How soon a camera that runs is seen, and what many cameras cost."""

from __future__ import annotations

import statistics

import pytest

from bench import cameras, joining
from tests.support.proofs import Figure

pytestmark = [pytest.mark.prove, pytest.mark.peer, pytest.mark.timeout(400)]


async def test_a_running_camera_is_seen_at_once(figure: Figure) -> None:
    """Chromium, 720p, a key frame every two seconds; tabs come at any time between them."""
    results = await joining.measure(12, 50, (1280, 720))
    first = [one["first"] / 1000 for one in results]
    behind = [one["behind"] for one in results]
    worst = figure("running camera, Chromium: click to first picture, worst of 12", max(first), "s", goal="≤ 0.3 s")
    figure("running camera, Chromium: click to first picture, median", statistics.median(first), "s")
    late = figure("running camera, Chromium: held back in the sixth second, worst of 12", max(behind), "ms", goal="≤ 50 ms")
    assert worst
    assert late


async def test_what_fifty_cameras_cost(figure: Figure) -> None:
    """RTSP, 2 Mbit/s each, through the bridge into 50 rooms of one worker with a viewer each."""
    found = await cameras.measure(50, 2.0, 20.0)
    missing = found["sent"] - found["received"]
    assert figure("50 RTSP cameras of 2 Mbit/s: packets that did not reach a viewer", missing, "", goal="= 0")
    # Both say as much of what else the machine does.
    figure("50 RTSP cameras of 2 Mbit/s: batches dropped between processes", found["batches_dropped"], "", goal="= 0")
    figure("50 RTSP cameras of 2 Mbit/s: bridge and worker, of a core, each", found["percent_per_camera"], "%", goal="≤ 0.5 %")
