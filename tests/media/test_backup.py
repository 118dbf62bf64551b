"""A viewer who cannot decode what a track is sent in: its publisher is asked for its other codec."""

from __future__ import annotations

from commhub.media import messages as m
from tests.support.client import Offer, answer
from tests.support.engine import Bench, settled

VP9, VP8 = "video/VP9", "video/VP8"


def without(offer: Offer, mid: int, *names: str) -> Offer:
    codecs = offer.sections[mid].codecs
    gone = {number for number, codec in codecs.items() if codec.name in names}
    offer.sections[mid].codecs = {
        number: codec
        for number, codec in codecs.items()
        if number not in gone and not any(codec.fmtp == f"apt={one}" for one in gone)
    }
    return offer


def announce(bench: Bench, cids: dict[str, str], codecs: list[str]) -> None:
    bench.tell(m.Announce("r", "PA_a", "TR_v", "video", "camera", cids, codecs=codecs))


async def watched(bench: Bench, codecs: list[str], *unknown: str) -> Offer:
    """PA_a sends VP9, PA_b wants it and does not know ``unknown``."""
    announce(bench, {"cam": VP9}, codecs)
    offer = Offer().send("video", "cam")
    bench.offer("PA_a", offer)
    bench.tell(m.Subscribe("r", "PA_b", ["TR_v"]))
    bench.offer("PA_b", without(Offer().receive("video"), 1, *unknown))
    await settled()
    await settled()
    return offer


async def test_the_backup_is_asked_for_and_comes(bench: Bench) -> None:
    offer = await watched(bench, [VP9, VP8], "VP9")
    assert bench.subscription("PA_b", "TR_v").untaken
    wanted = bench.take(m.Wanted)[-1]
    assert dict(wanted.codecs)[VP8] == [0, 1, 2]
    assert not bench.of(m.Untaken)
    assert not bench.plane.routes
    bench.take(m.SectionsWanted)
    announce(bench, {"cam": VP9, "cam2": VP8}, [VP9, VP8])
    bench.offer("PA_a", offer.send("video", "cam2"))
    await settled()
    assert [encoding.codec.mime for encoding in bench.track("TR_v").encodings] == [VP9, VP8]
    assert bench.of(m.SectionsWanted)
    bench.offer("PA_b", without(Offer().receive("video"), 1, "VP9"))
    await settled()
    subscription = bench.subscription("PA_b", "TR_v")
    assert (subscription.untaken, subscription.encoding.codec.mime) == (False, VP8)
    assert len(bench.plane.routes) == 1


async def test_the_first_codec_may_rest_when_nobody_takes_it(bench: Bench) -> None:
    await watched(bench, [VP9, VP8], "VP9")
    bench.pass_time(4)
    assert dict(bench.of(m.Wanted)[-1].codecs) == {VP9: [], VP8: [0, 1, 2]}


async def test_who_takes_nothing_at_all_is_told(bench: Bench) -> None:
    await watched(bench, [VP9, VP8], "VP9", "VP8")
    assert bench.of(m.Untaken) == [m.Untaken("r", "PA_b", "TR_v")]
    assert VP8 not in dict(bench.of(m.Wanted)[-1].codecs) if bench.of(m.Wanted) else True
    bench.pass_time(2)
    assert len(bench.of(m.Untaken)) == 1


async def test_who_takes_the_first_codec_needs_no_other(bench: Bench) -> None:
    await watched(bench, [VP9, VP8])
    assert not bench.of(m.Untaken)
    assert all(VP8 not in dict(one.codecs) for one in bench.of(m.Wanted))


async def test_two_connections(bench: Bench) -> None:
    announce(bench, {"cam": VP9}, [VP9, VP8])
    offer = Offer().send("video", "cam")
    bench.offer("PA_a", offer)
    bench.tell(m.AddPeer("r", "PA_d", "id-d", dual=True))
    bench.tell(m.Subscribe("r", "PA_d", ["TR_v"]))
    await settled()
    first = bench.take(m.ServerOffer)[-1]
    bench.tell(m.ClientAnswer("r", "PA_d", answer(first.sdp, without=("VP9",)), first.id))
    await settled()
    await settled()
    assert dict(bench.take(m.Wanted)[-1].codecs)[VP8] == [0, 1, 2]
    announce(bench, {"cam": VP9, "cam2": VP8}, [VP9, VP8])
    bench.offer("PA_a", offer.send("video", "cam2"))
    await settled()
    await settled()
    assert bench.subscription("PA_d", "TR_v").encoding.codec.mime == VP8
    assert len(bench.plane.routes) == 1
