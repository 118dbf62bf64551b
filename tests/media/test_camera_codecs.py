"""A camera in a codec that not everybody decodes: who does gets it as it is, H.264 is made of it while somebody needs that."""

from __future__ import annotations

from typing import Any, cast

import pytest

from commhub.media import messages as m
from commhub.media.plane import LayerCounters
from commhub.wire import sdp
from tests.support.client import Offer, answer
from tests.support.engine import H264, Bench, FakeLink, camera, settled

H265 = m.Codec("video/H265", 90_000, fmtp="level-id=123;profile-id=1;tier-flag=0;tx-mode=SRST")
BACKUPS = ("video/H264",)
LOW, HIGH = 0, 2
ABLE = "level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST"


def able(offer: Offer, fmtp: str = ABLE, mid: int = 1) -> Offer:
    """Who decodes H.265, too."""
    codecs = offer.sections[mid].codecs
    codecs[49] = sdp.Codec(49, "H265", 90_000, 1, fmtp, ["nack", "nack pli"])
    codecs[50] = sdp.Codec(50, "rtx", 90_000, 1, "apt=49")
    return offer


def original(handle: int = 1, layer: str = "", codec: m.Codec = H265, *, stored: bool = False) -> m.SourceStream:
    return m.SourceStream(handle, "video", codec, 1920, 1080, layer=layer, backups=BACKUPS, stored=stored)


def made(handle: int = 2, layer: str = "") -> m.SourceStream:
    return m.SourceStream(handle, "video", H264, 1920, 1080, layer=layer, made=True)


def push(bench: Bench, link: FakeLink, *streams: m.SourceStream) -> None:
    bench.engine.bridge(cast(Any, link), m.PushSource("C1", list(streams)))


def demanded(bench: Bench) -> tuple[str, ...]:
    bench.pass_time(0.5)
    return bench.take(m.Demand)[-1].layers


async def watch(bench: Bench, peer: str, offer: Offer) -> None:
    bench.tell(m.Subscribe("r", peer, ["TR_PA_cam"]))
    bench.offer(peer, offer)
    await settled()
    await settled()


def received(bench: Bench, peer: str) -> tuple[str, int]:
    """The mime and the payload type."""
    one = bench.subscription(peer, "TR_PA_cam")
    return one.encoding.codec.mime, bench.plane.routes[one.route].payload_type


@pytest.fixture
async def link(bench: Bench) -> FakeLink:
    camera(bench)
    link = FakeLink()
    push(bench, link, original())
    return link


async def test_who_decodes_it_gets_it_and_nothing_is_made(bench: Bench, link: FakeLink) -> None:
    await watch(bench, "PA_b", able(Offer().receive("video")))
    assert received(bench, "PA_b") == ("video/H265", 49)
    assert demanded(bench) == ("main",)
    assert not bench.of(m.Untaken)


@pytest.mark.parametrize(("fmtp", "passes"), [
    ("level-id=153;profile-id=1", True), ("level-id=180;profile-id=2", True), ("profile-id=1", False),
    ("level-id=120;profile-id=1", False), ("level-id=180;profile-id=4", False), ("level-id=high", True),
])  # fmt: skip
async def test_profile_and_level_are_what_decides(bench: Bench, link: FakeLink, fmtp: str, passes: bool) -> None:
    await watch(bench, "PA_b", able(Offer().receive("video"), fmtp))
    assert demanded(bench) == (("main",) if passes else ("main", "main/H264"))


async def test_who_does_not_gets_what_is_made_of_it_then(bench: Bench, link: FakeLink) -> None:
    await watch(bench, "PA_b", able(Offer().receive("video")))
    before = bench.subscription("PA_b", "TR_PA_cam").route
    bench.take(m.Demand)
    await watch(bench, "PA_a", Offer().receive("video"))
    assert demanded(bench) == ("main", "main/H264")
    assert not bench.of(m.Untaken)  # its bridge makes it
    bench.take(m.SectionsWanted)
    push(bench, link, original(), made())
    await settled()
    assert [wanted.peer for wanted in bench.take(m.SectionsWanted)] == ["PA_a"]
    bench.offer("PA_a", Offer().receive("video"))
    await settled()
    assert received(bench, "PA_a") == ("video/H264", 102)
    assert bench.subscription("PA_b", "TR_PA_cam").route == before
    bench.pass_time(20)
    assert not bench.of(m.Demand)  # it is needed as long as they look
    bench.tell(m.Subscribe("r", "PA_a", ["TR_PA_cam"], False))
    bench.pass_time(4)
    assert not bench.of(m.Demand)
    bench.pass_time(2)
    assert demanded(bench) == ("main",)
    push(bench, link, original())
    assert bench.subscription("PA_b", "TR_PA_cam").route == before
    assert list(bench.plane.receivers.values()) == ["video/H265"]


async def test_two_connections(bench: Bench, link: FakeLink) -> None:
    bench.join("PA_d", "PA_e", dual=True)
    bench.tell(m.Subscribe("r", "PA_d", ["TR_PA_cam"]))
    bench.tell(m.Subscribe("r", "PA_e", ["TR_PA_cam"]))
    await settled()
    first, second = bench.take(m.ServerOffer)
    assert "H265/90000" in first.sdp
    bench.tell(m.ClientAnswer("r", "PA_d", answer(first.sdp, without=("H265",)), first.id))
    bench.tell(m.ClientAnswer("r", "PA_e", answer(second.sdp), second.id))
    await settled()
    await settled()
    assert received(bench, "PA_e") == ("video/H265", 116)
    assert demanded(bench) == ("main", "main/H264")
    push(bench, link, original(), made())
    await settled()
    assert received(bench, "PA_d") == ("video/H264", 106)


async def test_a_recorder_takes_the_original_and_asks_for_nothing(bench: Bench, link: FakeLink) -> None:
    recorder = FakeLink()
    bench.engine.recorder(cast(Any, recorder), m.OpenSink("r", "s"))
    await settled()
    bench.pass_time(1)
    assert demanded(bench) == ("main",)
    push(bench, link, original(), made())
    (told,) = recorder.of(m.SinkTrack)
    assert told.codec == H265


async def test_pictures_in_another_order_are_for_recorders(bench: Bench) -> None:
    """H.264 with B-frames: seen after the first pictures. What viewers get goes on until something better has come."""
    camera(bench)
    link, recorder = FakeLink(), FakeLink()
    bench.engine.recorder(cast(Any, recorder), m.OpenSink("r", "s"))
    push(bench, link, original(codec=H264))
    await watch(bench, "PA_b", Offer().receive("video"))
    before = bench.subscription("PA_b", "TR_PA_cam").route
    assert demanded(bench) == ("main",)
    push(bench, link, original(codec=H264, stored=True))
    await settled()
    await settled()
    bench.pass_time(1)
    assert demanded(bench) == ("main", "main/H264")
    one = bench.subscription("PA_b", "TR_PA_cam")
    assert one.route == before
    assert not bench.of(m.TrackEnded)
    push(bench, link, original(codec=H264, stored=True), made())
    await settled()
    assert one.route != before
    assert one.encoding.made == {""}
    assert len(recorder.of(m.SinkTrack)) == 1
    await watch(bench, "PA_a", able(Offer().receive("video")))
    assert received(bench, "PA_a") == ("video/H264", 102)


async def test_where_nothing_can_be_made_the_viewer_is_told(bench: Bench, link: FakeLink) -> None:
    await watch(bench, "PA_b", Offer().receive("video"))
    assert not bench.of(m.Untaken)
    push(bench, link, m.SourceStream(1, "video", H265, 1920, 1080))
    assert bench.take(m.Untaken) == [m.Untaken("r", "PA_b", "TR_PA_cam")]
    bench.pass_time(6)
    assert demanded(bench) == ("sub",)


class TestMixed:
    """The main stream is H.265, the sub stream H.264: what most recorders are set to."""

    @pytest.fixture
    async def streams(self, bench: Bench) -> tuple[m.SourceStream, ...]:
        camera(bench)
        return original(1, "main"), m.SourceStream(2, "video", H264, 640, 360, layer="sub")

    def shape(self, bench: Bench, peer: str, quality: int) -> None:
        bench.tell(m.Shape("r", peer, ["TR_PA_cam"], quality=quality))

    async def test_who_decodes_both_gets_each_as_it_is(self, bench: Bench, streams: tuple[m.SourceStream, ...]) -> None:
        link = FakeLink()
        push(bench, link, *streams)
        await watch(bench, "PA_b", able(Offer().receive("video")))
        assert received(bench, "PA_b") == ("video/H265", 49)
        ssrc = bench.plane.routes[bench.subscription("PA_b", "TR_PA_cam").route].ssrc
        self.shape(bench, "PA_b", LOW)
        assert received(bench, "PA_b") == ("video/H264", 102)
        bench.pass_time(20)
        assert demanded(bench) == ("sub",)
        push(bench, link, streams[1])  # the larger one is no longer pulled
        self.shape(bench, "PA_b", HIGH)
        assert received(bench, "PA_b") == ("video/H264", 102)
        bench.pass_time(1)
        assert demanded(bench) == ("main", "sub")
        push(bench, link, *streams)
        assert received(bench, "PA_b") == ("video/H265", 49)
        assert bench.plane.routes[bench.subscription("PA_b", "TR_PA_cam").route].ssrc == ssrc

    async def test_a_narrow_line_gets_the_small_one(self, bench: Bench, streams: tuple[m.SourceStream, ...]) -> None:
        push(bench, FakeLink(), *streams)
        await watch(bench, "PA_b", able(Offer().receive("video")))
        large, small = (one.receiver for one in bench.track("TR_PA_cam").encodings)
        bench.plane.layer_counters[large] = [LayerCounters(), LayerCounters(packets=9, bitrate=4_000_000, last_at=bench.now)]
        bench.plane.layer_counters[small] = [LayerCounters(packets=9, bitrate=400_000, last_at=bench.now), LayerCounters()]
        for limit, mime in ((1_000_000, "video/H264"), (9_000_000, "video/H265"), (1_000_000, "video/H264"), (0, "video/H265")):
            bench.tell(m.Limit("r", "PA_b", limit))
            bench.pass_time(1)
            assert received(bench, "PA_b")[0] == mime

    async def test_who_does_not_needs_only_the_large_one_made(self, bench: Bench, streams: tuple[m.SourceStream, ...]) -> None:
        link = FakeLink()
        push(bench, link, *streams)
        await watch(bench, "PA_b", Offer().receive("video"))
        self.shape(bench, "PA_b", LOW)
        bench.pass_time(20)
        assert demanded(bench) == ("sub",)
        self.shape(bench, "PA_b", HIGH)
        bench.pass_time(1)
        assert demanded(bench) == ("main", "main/H264", "sub")
        push(bench, link, *streams, made(3, "main"))
        assert sorted(map(str, bench.plane.receivers.values())) == ["video/H264", "video/H265"]
        receiver = bench.subscription("PA_b", "TR_PA_cam").encoding.receiver
        bench.engine.key_frame_wanted(receiver, 1)
        assert link.told == [m.KeyFrameWanted(3)]

    async def test_a_recording_goes_over_to_the_larger_one(self, bench: Bench, streams: tuple[m.SourceStream, ...]) -> None:
        link, recorder = FakeLink(), FakeLink()
        bench.engine.recorder(cast(Any, recorder), m.OpenSink("r", "s"))
        push(bench, link, streams[1])
        push(bench, link, *streams)
        told = [(one.open, one.codec.mime if one.codec else "") for one in recorder.of(m.SinkTrack)]
        assert told == [(True, "video/H264"), (False, "video/H264"), (True, "video/H265")]


async def test_h265_of_a_participant_is_for_who_decodes_it(bench: Bench) -> None:
    """An SDK publishes it: of the variants it offers the one that most decode; its own level says nothing of what it sends."""
    bench.tell(m.Announce("r", "PA_a", "TR_v", "video", "camera", {"cam": "video/H265"}, codecs=["video/H265", "video/VP8"]))
    offer = able(Offer().send("video", "cam"))
    offer.sections[1].codecs[51] = sdp.Codec(51, "H265", 90_000, 1, "level-id=180;profile-id=2;tier-flag=0")
    answered = sdp.parse(bench.offer("PA_a", offer).sdp)
    assert [codec.payload_type for codec in answered.sections[1].codecs.values()] == [49, 50]
    assert bench.track("TR_v").encodings[0].codec.mime == "video/H265"
    for peer, section in (
        ("PA_b", able(Offer().receive("video"), "level-id=93;profile-id=1")),
        ("PA_c", Offer().receive("video")),
    ):
        if peer == "PA_c":
            bench.join("PA_c")
        bench.tell(m.Subscribe("r", peer, ["TR_v"]))
        bench.offer(peer, section)
        await settled()
        await settled()
    one = bench.subscription("PA_b", "TR_v")
    assert bench.plane.routes[one.route].payload_type == 49
    assert bench.subscription("PA_c", "TR_v").untaken
    assert dict(bench.take(m.Wanted)[-1].codecs) == {"video/H265": [0, 1, 2], "video/VP8": [0, 1, 2]}
