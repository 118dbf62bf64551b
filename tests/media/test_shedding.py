"""An engine with too much to do: everybody gets the lowest layers, and publishers are told that these are enough."""

from __future__ import annotations

from commhub.media import messages as m
from tests.support.engine import Bench, settled, watching


async def test_every_viewer_gets_the_lowest_layer_and_no_other_is_asked_for(bench: Bench) -> None:
    route = await watching(bench)
    assert bench.plane.state[route]["layer"] == 2
    bench.engine.shed(True)
    assert bench.plane.state[route]["layer"] == 0
    await settled()
    bench.take(m.Wanted)
    bench.pass_time(1.0)
    assert [layers for told in bench.take(m.Wanted) for _, layers in told.codecs] == [[0]]
    bench.tell(m.Shape("r", "PA_b", ["TR_video_PA_a"], quality=2))
    assert bench.plane.state[route]["layer"] == 0

    bench.engine.shed(False)
    assert bench.plane.state[route]["layer"] == 2
    await settled()
    assert [layers for told in bench.take(m.Wanted) for _, layers in told.codecs] == [[0, 1, 2]]


async def test_who_comes_meanwhile_gets_the_lowest_layer_too(bench: Bench) -> None:
    bench.engine.shed(True)
    route = await watching(bench)
    assert bench.plane.state[route]["layer"] == 0
