"""A publication that is described again: unchanged, in another shape, after its connection ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commhub.errors import Conflict
from commhub.media import messages as m
from commhub.media.plane import DEPENDENCY
from commhub.wire import sdp
from tests.support.client import Offer, answer
from tests.support.engine import Bench, settled


async def test_an_extension_that_was_declined_and_is_not_offered_again_changes_nothing(bench: Bench) -> None:
    # Chromium: the dependency descriptor is in its first offer of VP8, and, declined, not in the second.
    bench.announce("PA_a", "TR", "video", "cam")
    offer = Offer().send("video", "cam", ["q", "h"])
    offer.sections[1].extensions[DEPENDENCY] = 12
    answered = sdp.parse(bench.offer("PA_a", offer).sdp)
    assert DEPENDENCY not in answered.sections[1].extensions
    before = dict(bench.plane.receivers)
    bench.events.clear()
    del offer.sections[1].extensions[DEPENDENCY]
    bench.offer("PA_a", offer)
    assert bench.plane.receivers == before
    assert bench.of(m.TrackEnded) == []
    assert bench.of(m.TrackBound) == []


@pytest.mark.parametrize("dual", [False, True], ids=["single", "dual"])
async def test_another_shape_in_the_same_section_does_not_end_the_track(bench: Bench, dual: bool) -> None:
    offer = bench.publish()
    bench.join("PA_c", dual=dual)
    bench.tell(m.Subscribe("r", "PA_c", ["TR_video_PA_a"]))
    if dual:
        await settled()
        (described,) = bench.of(m.ServerOffer)
        bench.tell(m.ClientAnswer("r", "PA_c", answer(described.sdp), described.id))
    else:
        bench.offer("PA_c", Offer().receive("video"))
    (route,) = bench.plane.routes.values()
    receiver = bench.receiver("TR_video_PA_a")
    bench.events.clear()
    offer.sections[2].rids, offer.sections[2].simulcast = {"q": "send", "h": "send"}, ["q", "h"]
    bench.offer("PA_a", offer)
    await settled()
    assert bench.of(m.TrackEnded) == []
    assert bench.of(m.TrackBound) == [m.TrackBound("r", "PA_a", "TR_video_PA_a", "2", "video/VP8")]
    assert bench.receiver("TR_video_PA_a") != receiver
    # Whoever sees it goes on in the same section, with nothing said.
    assert list(bench.plane.routes.values()) == [replace(route, receiver=bench.receiver("TR_video_PA_a"))]
    assert bench.of(m.SectionsWanted) == []
    assert bench.of(m.ServerOffer) == []


async def test_an_offer_that_comes_after_its_connection_ended_is_refused(bench: Bench) -> None:
    offer = bench.publish()
    connection = bench.engine.rooms["r"].peers["PA_a"].connection
    assert connection is not None
    assert connection.publisher is not None
    connection.publisher.ended("closed")
    bench.events.clear()
    with pytest.raises(Conflict, match="has ended"):
        bench.offer("PA_a", offer)
    assert bench.of(m.TrackBound) == []
    offer.ufrag = "anew"
    for section in offer.sections:
        section.ufrag = offer.ufrag
    bench.offer("PA_a", offer)
    assert [event.track for event in bench.of(m.TrackBound)] == ["TR_audio_PA_a", "TR_video_PA_a"]
