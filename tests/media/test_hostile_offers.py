"""Session descriptions that a client made up: the engine refuses them with a sentence or answers, and goes on."""

from __future__ import annotations

import pytest

from commhub.errors import HubError
from commhub.media import messages as m
from tests.support.client import Offer
from tests.support.engine import Bench
from tests.support.fuzz import Result, hammer
from tests.support.parsers import TARGETS
from tests.support.proofs import Figure


async def fuzz(count: int, seed: int) -> Result:
    corpus = next(target for target in TARGETS if target.name == "SDP").corpus()
    numbers = iter(range(count + 1000))
    bench = Bench()

    def offer(data: bytes) -> None:
        nonlocal bench
        number = next(numbers)
        if number % 50 == 0:
            bench.engine.command(m.CloseRoom("r", "ended"))
            bench = Bench()
            bench.join("PA_a", "PA_b")
            bench.publish()
            bench.announce("PA_b", "TR_b", "video", "cam")
            bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a", "TR_audio_PA_a"]))
        try:
            bench.engine.command(m.Offer("r", "PA_b", data.decode("utf-8", "replace"), number + 1))
        except HubError as error:
            raise ValueError(error.message) from None
        if number % 10 == 0:
            bench.pass_time(0.1)

    result = hammer(offer, corpus, count, seed, text=True, slowest=0.3)
    good = bench.engine.command(m.Offer("r", "PA_a", Offer().text(), 9))  # nobody else was harmed
    assert isinstance(good, m.Answer)
    return result


async def test_any_offer_is_refused_or_answered() -> None:
    result = await fuzz(600, 3)
    assert 50 < result.refused < 590


@pytest.mark.prove
@pytest.mark.timeout(1200)
async def test_any_of_many_offers_is_refused_or_answered(figure: Figure) -> None:
    result = await fuzz(20_000, 4)
    assert figure("20,000 hostile offers through the engine: slowest", round(result.slowest * 1000, 1), "ms", goal="≤ 300 ms")
