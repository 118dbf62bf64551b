"""Who sends and who gets redundant audio, as it is negotiated."""

from __future__ import annotations

from typing import Any

import pytest

from commhub.media import messages as m
from commhub.media.messages import Codec
from commhub.wire import sdp
from tests.support.client import Offer, answer
from tests.support.engine import Bench, settled


def formats(answered: str, mid: str) -> list[str]:
    section = next(one for one in sdp.parse(answered).sections if one.mid == mid)
    return [codec.name for codec in section.codecs.values()]


def speaking(bench: Bench, **how: Any) -> str:
    bench.announce("PA_a", "TR_a", "audio", "mic", **how)
    return bench.offer("PA_a", Offer().send("audio", "mic")).sdp


async def test_redundancy_both_ways(bench: Bench) -> None:
    assert formats(speaking(bench, red=True), "1") == ["red", "opus"]
    spec = bench.track("TR_a").encodings[0].spec
    assert spec.payload_types == {111: "audio/opus", 63: "audio/red"}
    assert bench.track("TR_a").encodings[0].codec == Codec("audio/opus", 48_000, 2, "minptime=10;useinbandfec=1")
    bench.tell(m.Subscribe("r", "PA_b", ["TR_a"]))
    answered = bench.offer("PA_b", Offer().receive("audio")).sdp
    assert formats(answered, "1") == ["red", "opus"]
    (route,) = bench.plane.routes.values()
    assert (route.payload_type, route.red) == (63, 111)


@pytest.mark.parametrize("how", [{"red": False}, {"red": True, "encrypted": True}])
async def test_plain_where_it_is_not_wanted_or_cannot_be(bench: Bench, how: dict[str, Any]) -> None:
    assert formats(speaking(bench, **how), "1") == ["opus"]
    bench.tell(m.Subscribe("r", "PA_b", ["TR_a"]))
    assert formats(bench.offer("PA_b", Offer().receive("audio")).sdp, "1") == ["opus"]
    (route,) = bench.plane.routes.values()
    assert (route.payload_type, route.red) == (111, 0)


@pytest.mark.parametrize("able", [True, False])
async def test_one_who_cannot_gets_plain_frames(bench: Bench, able: bool) -> None:
    speaking(bench, red=True)
    bench.tell(m.AddPeer("r", "PA_c", "id-c", takes_red=able))
    bench.tell(m.Subscribe("r", "PA_c", ["TR_a"]))
    offer = Offer().receive("audio")
    if able:
        del offer.sections[1].codecs[63]  # nor does its description list it
    answered = bench.offer("PA_c", offer).sdp
    assert formats(answered, "1") == ["opus"]
    (route,) = bench.plane.routes.values()
    assert (route.payload_type, route.red) == (111, 0)


@pytest.mark.parametrize(("without", "found"), [((), (63, 111)), (("red",), (111, 0))])
async def test_two_connections_offer_it(bench: Bench, without: tuple[str, ...], found: tuple[int, int]) -> None:
    speaking(bench, red=True)
    bench.tell(m.AddPeer("r", "PA_d", "id-d", dual=True))
    bench.tell(m.Subscribe("r", "PA_d", ["TR_a"]))
    await settled()
    offer = bench.of(m.ServerOffer)[-1]
    audio = next(one for one in sdp.parse(offer.sdp).sections if one.kind == "audio")
    assert [codec.name for codec in audio.codecs.values()] == ["red", "opus"]
    assert audio.codecs[111].feedback == ["nack"]
    bench.tell(m.ClientAnswer("r", "PA_d", answer(offer.sdp, without=without), offer.id))
    (route,) = bench.plane.routes.values()
    assert (route.payload_type, route.red) == found


async def test_lost_sound_is_asked_for_where_the_client_offers_that(bench: Bench) -> None:
    bench.announce("PA_a", "TR_a", "audio", "mic")
    offer = Offer().send("audio", "mic")
    offer.sections[1].codecs[111].feedback.append("nack")
    answered = sdp.parse(bench.offer("PA_a", offer).sdp)
    assert "nack" in answered.sections[1].codecs[111].feedback
    assert bench.track("TR_a").encodings[0].spec.nack
