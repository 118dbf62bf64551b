from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from commhub.errors import HubError
from commhub.media import messages as m
from commhub.media.plane import AUDIO_LEVEL, MID, ReceiverSpec
from commhub.wire import sdp
from tests.support.client import Offer, answer
from tests.support.engine import Bench, settled
from tests.support.recorded import CLIENTS, conversation

# ---- publishing


async def test_a_published_track_is_bound_and_has_a_receiver(bench: Bench) -> None:
    bench.publish()
    assert bench.of(m.TrackBound) == [
        m.TrackBound("r", "PA_a", "TR_audio_PA_a", "1", "audio/opus"),
        m.TrackBound("r", "PA_a", "TR_video_PA_a", "2", "video/VP8"),
    ]
    audio, video = bench.plane.receivers.values()
    assert isinstance(audio, ReceiverSpec)
    assert isinstance(video, ReceiverSpec)
    assert (audio.kind, audio.mid, audio.payload_types, audio.clock_rate) == ("audio", "1", {111: "audio/opus"}, 48_000)
    assert (video.payload_types, video.rtx, video.rids) == ({96: "video/VP8"}, {97: 96}, {"q": 0, "h": 1, "f": 2})
    bench.engine.first_packet(bench.receiver("TR_video_PA_a"), 1)
    bench.engine.first_packet(bench.receiver("TR_video_PA_a"), 0)
    assert bench.of(m.TrackLive) == [m.TrackLive("r", "PA_a", "TR_video_PA_a")]


async def test_the_announcement_may_come_after_the_offer(bench: Bench) -> None:
    bench.offer("PA_a", Offer().send("video", "cam"))
    assert bench.plane.receivers == {}
    bench.announce("PA_a", "TR", "video", "cam")
    assert bench.of(m.TrackBound) == [m.TrackBound("r", "PA_a", "TR", "1", "video/VP8")]


async def test_the_same_offer_again_changes_nothing(bench: Bench) -> None:
    offer = bench.publish()
    before = dict(bench.plane.receivers)
    bench.events.clear()
    bench.offer("PA_a", offer.receive("audio"))
    assert bench.plane.receivers == before
    assert bench.of(m.TrackBound) == []


async def test_who_may_not_publish_gets_inactive_sections(bench: Bench) -> None:
    bench.join("PA_c", may_publish=False)
    bench.announce("PA_c", "TR", "video", "cam")
    described = sdp.parse(bench.offer("PA_c", Offer().send("video", "cam")).sdp)
    assert described.sections[1].direction == sdp.INACTIVE
    assert bench.of(m.TrackBound) == []


async def test_losing_the_right_ends_the_tracks(bench: Bench) -> None:
    bench.publish()
    bench.tell(m.UpdatePeer("r", "PA_a", may_publish=False))
    assert [event.track for event in bench.of(m.TrackEnded)] == ["TR_audio_PA_a", "TR_video_PA_a"]
    assert bench.plane.receivers == {}


async def test_an_offer_that_no_longer_sends_ends_the_track(bench: Bench) -> None:
    offer = bench.publish()
    receiver = bench.receiver("TR_video_PA_a")
    bench.offer("PA_a", offer.stop("2"))
    assert bench.of(m.TrackEnded) == [m.TrackEnded("r", "PA_a", "TR_video_PA_a")]
    assert receiver not in bench.plane.receivers
    bench.tell(m.Withdraw("r", "PA_a", "TR_video_PA_a"))
    assert list(bench.engine.rooms["r"].tracks) == ["TR_audio_PA_a"]


async def test_a_backup_codec_serves_those_who_lack_the_first(bench: Bench) -> None:
    bench.tell(m.Announce("r", "PA_a", "TR", "video", "camera", {"main": "video/VP9", "backup": "video/VP8"}))
    bench.offer("PA_a", Offer().send("video", "main").send("video", "backup"))
    assert [event.mime for event in bench.of(m.TrackBound)] == ["video/VP9", "video/VP8"]
    bench.tell(m.Subscribe("r", "PA_b", ["TR"]))
    old = Offer().receive("video")
    del old.sections[1].codecs[98], old.sections[1].codecs[99]
    bench.offer("PA_b", old)
    (route,) = bench.plane.routes.values()
    assert route.payload_type == 96
    assert route.receiver == bench.track("TR").encodings[1].receiver


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("garbage", "A session description begins with v=0."),
        ("v=0\r\n", "No media section of the description is in use."),
    ],
)
async def test_what_cannot_be_answered(bench: Bench, text: str, sentence: str) -> None:
    with pytest.raises(HubError) as caught:
        bench.engine.command(m.Offer("r", "PA_a", text))
    assert (caught.value.code, caught.value.status, caught.value.message) == ("bad_sdp", 400, sentence)
    assert len(bench.engine.transports) == 0
    with pytest.raises(HubError) as caught:
        bench.engine.command(m.Offer("r", "PA_nobody", text))
    assert caught.value.code == "no_peer"


async def test_an_ice_restart_answers_with_new_credentials(bench: Bench) -> None:
    offer = Offer().receive("audio")
    first = sdp.parse(bench.offer("PA_a", offer).sdp)
    again = sdp.parse(bench.offer("PA_a", offer).sdp)
    offer.ufrag = "newufrag"
    restarted = sdp.parse(bench.offer("PA_a", offer).sdp)
    assert first.sections[0].ufrag == again.sections[0].ufrag != restarted.sections[0].ufrag
    assert first.sections[0].password != restarted.sections[0].password
    assert (first.version, again.version, restarted.version) == (1, 2, 3)
    assert first.session_id == restarted.session_id
    assert len(bench.plane.transports) == 1
    assert [(c.transport, c.host, c.port) for c in first.sections[0].candidates] == [
        ("udp", "192.0.2.1", 7882),
        ("tcp", "192.0.2.1", 7882),
    ]


# ---- subscribing, single connection


async def test_a_subscription_rides_in_the_first_answer(bench: Bench) -> None:
    bench.publish()
    bench.tell(m.Subscribe("r", "PA_b", ["TR_audio_PA_a", "TR_video_PA_a", "TR_unknown"]))
    answered = bench.offer("PA_b", Offer().receive("audio", 3).receive("video", 3))
    assert answered.mids == {"1": "TR_audio_PA_a", "4": "TR_video_PA_a"}
    described = sdp.parse(answered.sdp)
    assert [section.direction for section in described.sections[1:]] == [
        "sendonly", "inactive", "inactive", "sendonly", "inactive", "inactive",
    ]  # fmt: skip
    video = described.sections[4]
    assert video.msid == ("PA_a|TR_video_PA_a", "TR_video_PA_a")
    audio_route, video_route = bench.plane.routes.values()
    assert (audio_route.payload_type, audio_route.mid, audio_route.rtx_ssrc) == (111, "1", 0)
    assert audio_route.extensions[AUDIO_LEVEL] == 1
    assert (video_route.payload_type, video_route.rtx_payload_type, video_route.mid) == (96, 97, "4")
    assert video_route.extensions[MID] == 4
    assert list(video.ssrcs) == [video_route.ssrc, video_route.rtx_ssrc]
    assert bench.of(m.TrackSubscribed) == [
        m.TrackSubscribed("r", "PA_a", "TR_audio_PA_a", "PA_b"),
        m.TrackSubscribed("r", "PA_a", "TR_video_PA_a", "PA_b"),
    ]
    await settled()
    assert bench.of(m.SectionsWanted) == []


async def test_sections_are_asked_for_once_and_together(bench: Bench) -> None:
    bench.publish()
    offer = Offer().receive("audio")
    bench.offer("PA_b", offer)
    bench.tell(m.Subscribe("r", "PA_b", ["TR_audio_PA_a"]))
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    await settled()
    assert bench.take(m.SectionsWanted) == [m.SectionsWanted("r", "PA_b", 0, 1)]
    bench.pass_time(5)
    assert bench.take(m.SectionsWanted) == []
    answered = bench.offer("PA_b", offer.receive("video"))
    assert answered.mids == {"1": "TR_audio_PA_a", "2": "TR_video_PA_a"}
    await settled()
    bench.pass_time(30)
    assert bench.take(m.SectionsWanted) == []


async def test_with_enough_free_sections_a_new_offer_is_all_that_is_asked(bench: Bench) -> None:
    bench.offer("PA_b", Offer().receive("audio", 3).receive("video", 3))
    bench.publish()
    bench.tell(m.Subscribe("r", "PA_b", ["TR_audio_PA_a", "TR_video_PA_a"]))
    await settled()
    assert bench.of(m.SectionsWanted) == [m.SectionsWanted("r", "PA_b", 0, 0)]


async def test_a_lost_request_is_made_again(bench: Bench) -> None:
    bench.offer("PA_b", Offer())
    bench.publish()
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    await settled()
    bench.pass_time(12)
    assert bench.of(m.SectionsWanted) == [m.SectionsWanted("r", "PA_b", 0, 1)] * 2


async def test_another_track_before_the_offer_asks_for_the_difference(bench: Bench) -> None:
    bench.offer("PA_b", Offer())
    bench.publish()
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    await settled()
    bench.tell(m.Subscribe("r", "PA_b", ["TR_audio_PA_a"]))
    await settled()
    assert bench.of(m.SectionsWanted) == [m.SectionsWanted("r", "PA_b", 0, 1), m.SectionsWanted("r", "PA_b", 1, 0)]


async def test_a_track_the_client_cannot_decode_is_not_asked_for(bench: Bench) -> None:
    bench.tell(m.Announce("r", "PA_a", "TR", "video", "camera", {"cam": "video/VP9"}))
    bench.offer("PA_a", Offer().send("video", "cam"))
    old = Offer().receive("video")
    del old.sections[1].codecs[98], old.sections[1].codecs[99]
    bench.offer("PA_b", old)
    bench.tell(m.Subscribe("r", "PA_b", ["TR"]))
    await settled()
    bench.pass_time(30)
    assert bench.of(m.SectionsWanted) == []
    assert bench.plane.routes == {}


async def test_a_section_is_seen_empty_before_it_carries_another_track(bench: Bench) -> None:
    bench.publish()
    bench.join("PA_c")
    bench.publish("PA_c")
    offer = Offer().receive("video")
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    assert bench.offer("PA_b", offer).mids == {"1": "TR_video_PA_a"}
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"], False))
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_c"]))
    assert bench.plane.routes == {}
    await settled()
    assert bench.take(m.SectionsWanted) == [m.SectionsWanted("r", "PA_b", 0, 1)]
    answered = bench.offer("PA_b", offer.receive("video"))
    assert answered.mids == {"2": "TR_video_PA_c"}
    assert sdp.parse(answered.sdp).sections[1].direction == sdp.INACTIVE
    # Now it may be used again, without a further section.
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    await settled()
    assert bench.take(m.SectionsWanted) == [m.SectionsWanted("r", "PA_b", 0, 0)]
    assert bench.offer("PA_b", offer).mids == {"1": "TR_video_PA_a", "2": "TR_video_PA_c"}


async def test_the_end_of_a_track_frees_its_section(bench: Bench) -> None:
    offer = bench.publish()
    bench.tell(m.Subscribe("r", "PA_b", ["TR_audio_PA_a", "TR_video_PA_a"]))
    theirs = Offer().receive("audio").receive("video")
    bench.offer("PA_b", theirs)
    bench.offer("PA_a", offer.stop("2"))
    assert [route.mid for route in bench.plane.routes.values()] == ["1"]
    await settled()
    assert bench.of(m.SectionsWanted) == [m.SectionsWanted("r", "PA_b", 0, 0)]
    assert bench.offer("PA_b", theirs).mids == {"1": "TR_audio_PA_a"}


async def test_a_stopped_section_lets_go_of_its_subscription(bench: Bench) -> None:
    bench.publish()
    bench.tell(m.Subscribe("r", "PA_b", ["TR_video_PA_a"]))
    offer = Offer().receive("video", 2)
    bench.offer("PA_b", offer)
    offer.sections[1].port = 0
    answered = bench.offer("PA_b", offer)
    assert answered.mids == {"2": "TR_video_PA_a"}
    assert sdp.parse(answered.sdp).sections[1].port == 0
    assert [route.mid for route in bench.plane.routes.values()] == ["2"]


async def test_who_leaves_takes_everything_along(bench: Bench) -> None:
    bench.publish()
    bench.publish("PA_b")
    bench.tell(m.Subscribe("r", "PA_b", ["TR_audio_PA_a"]))
    bench.offer("PA_b", Offer().send("audio", "mic").send("video", "cam").receive("audio"))
    bench.tell(m.RemovePeer("r", "PA_b"))
    room = bench.engine.rooms["r"]
    assert list(room.peers) == ["PA_a"]
    assert list(room.tracks) == ["TR_audio_PA_a", "TR_video_PA_a"]
    assert bench.plane.routes == {}
    assert room.tracks["TR_audio_PA_a"].subscriptions == {}
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(bench.plane.transports) == 1
    bench.tell(m.CloseRoom("r"))
    assert bench.engine.rooms == {}
    assert bench.plane.receivers == {}


# ---- dual


async def test_dual_begins_with_our_offer_and_sends_one_at_a_time(bench: Bench) -> None:
    bench.join("PA_d", dual=True)
    await settled()
    (first,) = bench.take(m.ServerOffer)
    assert [section.kind for section in sdp.parse(first.sdp).sections] == ["application"]
    assert (first.id, first.mids) == (1, {})
    bench.publish()
    bench.tell(m.Subscribe("r", "PA_d", ["TR_audio_PA_a", "TR_video_PA_a"]))
    await settled()
    assert bench.take(m.ServerOffer) == []  # the first is not answered yet
    bench.tell(m.ClientAnswer("r", "PA_d", answer(first.sdp), 1))
    await settled()
    (second,) = bench.take(m.ServerOffer)
    assert (second.id, second.mids) == (2, {"1": "TR_audio_PA_a", "2": "TR_video_PA_a"})
    assert bench.plane.routes == {}
    bench.tell(m.ClientAnswer("r", "PA_d", answer(second.sdp), 1))  # late, to the first
    assert bench.plane.routes == {}
    bench.tell(m.ClientAnswer("r", "PA_d", answer(second.sdp), 2))
    assert [(route.mid, route.payload_type) for route in bench.plane.routes.values()] == [("1", 111), ("2", 96)]
    assert len(bench.of(m.TrackSubscribed)) == 2
    await settled()
    bench.pass_time(5)
    assert bench.take(m.ServerOffer) == []


async def dual(bench: Bench) -> m.ServerOffer:
    """PA_d, subscribed to the video of PA_a; its last offer, answered."""
    bench.publish()
    bench.join("PA_d", dual=True)
    bench.tell(m.Subscribe("r", "PA_d", ["TR_video_PA_a"]))
    await settled()
    (offer,) = bench.take(m.ServerOffer)
    bench.tell(m.ClientAnswer("r", "PA_d", answer(offer.sdp), offer.id))
    await settled()
    return offer


async def test_dual_sections_are_used_again(bench: Bench) -> None:
    await dual(bench)
    bench.tell(m.Subscribe("r", "PA_d", ["TR_video_PA_a"], False))
    await settled()
    (gone,) = bench.take(m.ServerOffer)
    assert gone.mids == {}
    assert sdp.parse(gone.sdp).sections[1].direction == sdp.INACTIVE
    bench.tell(m.Subscribe("r", "PA_d", ["TR_video_PA_a"]))
    bench.tell(m.ClientAnswer("r", "PA_d", answer(gone.sdp), gone.id))
    await settled()
    (again,) = bench.take(m.ServerOffer)
    assert again.mids == {"1": "TR_video_PA_a"}
    bench.tell(m.ClientAnswer("r", "PA_d", answer(again.sdp), again.id))
    assert len(bench.plane.routes) == 1


async def test_dual_offers_again_after_a_resume(bench: Bench) -> None:
    offer = await dual(bench)
    bench.tell(m.Reoffer("r", "PA_d", restart=True))
    (again,) = bench.take(m.ServerOffer)
    before, after = sdp.parse(offer.sdp).sections[0], sdp.parse(again.sdp).sections[0]
    assert again.mids == offer.mids
    assert before.ufrag != after.ufrag
    routes = dict(bench.plane.routes)
    bench.tell(m.ClientAnswer("r", "PA_d", answer(again.sdp, ufrag="newufrag"), again.id))
    assert bench.plane.routes == routes


async def test_dual_publishes_on_the_other_connection(bench: Bench) -> None:
    await dual(bench)
    bench.announce("PA_d", "TR_d", "audio", "mic")
    described = sdp.parse(bench.offer("PA_d", Offer().send("audio", "mic").receive("video")).sdp)
    assert [section.direction for section in described.sections] == ["sendrecv", "recvonly", "inactive"]
    assert len(bench.plane.transports) == 3


async def test_a_codec_the_client_struck_out_is_not_sent(bench: Bench) -> None:
    bench.publish()
    bench.join("PA_d", dual=True)
    bench.tell(m.Subscribe("r", "PA_d", ["TR_video_PA_a"]))
    await settled()
    (offer,) = bench.take(m.ServerOffer)
    bench.tell(m.ClientAnswer("r", "PA_d", answer(offer.sdp, without=("VP8",)), offer.id))
    assert bench.plane.routes == {}


async def test_an_unreadable_answer_loses_that_peer_only(bench: Bench) -> None:
    bench.join("PA_d", dual=True)
    await settled()
    bench.tell(m.ClientAnswer("r", "PA_d", "garbage", 1))
    assert bench.of(m.PeerLost) == [m.PeerLost("r", "PA_d", "A session description begins with v=0.")]


# ---- hostile offers

OFFERS = [entry.sdp.split("\r\n") for client in CLIENTS for entry in conversation(client) if entry.kind == "offer"]
LINES = [line for offer in OFFERS[:6] for line in offer]


@pytest.mark.parametrize("seed", range(40))
async def test_no_offer_raises_anything_but_its_sentence(seed: int) -> None:
    chance = random.Random(seed)
    bench = Bench()
    bench.join("PA_a", "PA_b")
    bench.publish("PA_b")
    bench.announce("PA_a", "TR_1", "video", "0d150539-3496-4306-93a4-164a3d782237")
    bench.tell(m.Subscribe("r", "PA_a", ["TR_audio_PA_b", "TR_video_PA_b"]))
    for _ in range(6):
        lines = list(chance.choice(OFFERS))
        for _ in range(chance.randrange(7)):
            at = chance.randrange(1, len(lines))
            lines[at : at + 1] = chance.choice([[], [lines[at]] * 2, [chance.choice(LINES)], [lines[at][: chance.randrange(20)]]])
        with contextlib.suppress(HubError):
            answered = bench.engine.command(m.Offer("r", "PA_a", "\r\n".join(lines)))
            assert isinstance(answered, m.Answer)
            described = sdp.parse(answered.sdp)
            sending = {section.mid for section in described.sections if section.msid}
            assert sending == set(answered.mids) == {route.mid for route in bench.plane.routes.values()}
            assert len(bench.plane.receivers) == 2 + len(bench.track("TR_1").encodings)
    bench.tell(m.RemovePeer("r", "PA_a"))
    assert bench.plane.routes == {}
    assert len(bench.plane.receivers) == 2


# ---- clients that offer once (WHEP)


def _watching(bench: Bench) -> sdp.Description:
    bench.join("PA_w", fixed=True, hidden=True, may_publish=False)
    return sdp.parse(bench.offer("PA_w", Offer(data=False).receive("audio").receive("video")).sdp)


def _stream(section: sdp.Section) -> int:
    return next(iter(section.ssrcs))


async def test_a_fixed_client_s_sections_send_before_anything_is_there(bench: Bench) -> None:
    audio, video = _watching(bench).sections
    assert [audio.direction, video.direction] == [sdp.SENDONLY] * 2
    assert audio.msid == ("PA_w", "PA_w-0")
    assert video.msid == ("PA_w", "PA_w-1")
    assert [semantics for semantics, _ in video.groups] == ["FID"]
    assert len(video.ssrcs) == 2
    assert [codec.name for codec in video.codecs.values()] == ["VP8", "rtx", "H264", "rtx", "VP9", "rtx"]
    assert bench.plane.routes == {}


async def test_a_fixed_client_s_section_carries_one_track_after_another(bench: Bench) -> None:
    audio, video = _watching(bench).sections
    bench.publish()
    bench.tell(m.Subscribe("r", "PA_w", ["TR_audio_PA_a", "TR_video_PA_a"]))
    await settled()
    assert {spec.ssrc for spec in bench.plane.routes.values()} == {_stream(audio), _stream(video)}
    bench.tell(m.RemovePeer("r", "PA_a"))
    await settled()
    assert bench.plane.routes == {}
    bench.join("PA_c")
    bench.announce("PA_c", "TR_again", "video", "cam")
    bench.offer("PA_c", Offer().send("video", "cam"))
    bench.tell(m.Subscribe("r", "PA_w", ["TR_again"]))
    await settled()
    (route,) = bench.plane.routes.values()
    assert (route.ssrc, route.mid) == (_stream(video), "1")
    assert route.rtx_ssrc == list(video.ssrcs)[1]
    assert bench.of(m.SectionsWanted) == []


async def test_an_ice_restart_keeps_the_description(bench: Bench) -> None:
    before = _watching(bench)
    bench.publish()
    bench.tell(m.Subscribe("r", "PA_w", ["TR_video_PA_a"]))
    await settled()
    routes = dict(bench.plane.routes)
    result = bench.engine.command(m.Restart("r", "PA_w", "anew", "q" * 24))
    assert isinstance(result, m.Answer)
    after = sdp.parse(result.sdp)
    assert after.sections[0].ufrag != before.sections[0].ufrag
    assert [section.ssrcs for section in after.sections] == [section.ssrcs for section in before.sections]
    assert after.sections[0].candidates == before.sections[0].candidates
    assert bench.plane.routes == routes
    with pytest.raises(HubError, match="There is no connection to restart"):
        bench.engine.command(m.Restart("r", "PA_b", "anew", "q" * 24))
