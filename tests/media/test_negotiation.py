from __future__ import annotations

from collections.abc import Iterator

import pytest

from commhub.media import negotiation, plane
from commhub.media.messages import Codec, Layer
from commhub.media.negotiation import Announcement, Local, Sending, Slot
from commhub.wire import sdp
from tests.support.recorded import CLIENTS, Entry, conversation

LOCAL = Local("ufrag", "p" * 24, [("sha-256", "AB:" * 31 + "AB")], negotiation.host_candidates([("192.0.2.1", 7882)]), 7)
OPUS, VP8 = Codec("audio/opus", 48_000, 2), Codec("video/VP8", 90_000)
H264_HIGH = Codec("video/H264", 90_000, fmtp="packetization-mode=1;profile-level-id=640028")
JS, RUST = CLIENTS


def exchanges() -> Iterator[object]:
    """Every recorded offer with the tracks announced before it and LiveKit's answer to it."""
    for client in CLIENTS:
        open_offers: dict[str, Entry] = {}
        announced: dict[str, list[Announcement]] = {"c1": [], "c2": []}
        kinds: dict[str, str] = {}
        for entry in conversation(client):
            if entry.kind == "offer":
                open_offers[entry.connection] = entry
            elif entry.kind == "add_track":
                kinds[entry.facts["cid"]] = entry.facts.get("type", "AUDIO").lower()
            elif entry.kind == "track_published":
                cid = entry.facts["cid"]
                announced[entry.connection].append(Announcement(entry.facts["sid"], kinds[cid], {cid: ""}))
            else:
                said = open_offers[entry.connection]
                yield pytest.param(said, list(announced[entry.connection]), entry, id=f"{client}-{said.seconds}")


@pytest.mark.parametrize(("said", "announced", "theirs"), list(exchanges()))
def test_our_answers_have_the_shape_of_livekits(said: Entry, announced: list[Announcement], theirs: Entry) -> None:
    offer, reference = sdp.parse(said.sdp), sdp.parse(theirs.sdp)
    bound = negotiation.bind(offer.sections, announced)
    publishing = {s.mid: codec for s in offer.sections if s.mid in bound and (codec := negotiation.choose(s))}
    kinds = {section.mid: section.kind for section in offer.sections}
    sending = {
        mid: Sending("PA_x|TR_y", track, OPUS if kinds[mid] == "audio" else VP8, 1000 + n, 2000 + n)
        for n, (mid, track) in enumerate(theirs.facts["mids"].items())
        if mid in kinds  # the recording cut the last section off
    }
    text = sdp.build(negotiation.answer(offer, LOCAL, publishing, sending))
    ours = sdp.parse(text)

    assert text.startswith("v=0\r\n")
    assert ours.ice_lite
    assert ours.bundle == offer.bundle
    count = len(offer.sections)
    for asked, mine, livekit in zip(offer.sections, ours.sections, reference.sections[:count], strict=True):
        assert (mine.kind, mine.mid, mine.port != 0) == (livekit.kind, livekit.mid, livekit.port != 0)
        assert mine.setup == livekit.setup == "active"
        assert (mine.ufrag, mine.password) == (LOCAL.ufrag, LOCAL.password)
        if asked.kind == "application":
            assert mine.sctp_port == livekit.sctp_port
            assert mine.formats == livekit.formats
            continue
        # LiveKit leaves free sections sendonly without a track; ours are inactive.
        free = livekit.direction == sdp.SENDONLY and livekit.msid is None
        assert mine.direction == (sdp.INACTIVE if free else livekit.direction)
        assert (mine.msid is None) == (livekit.msid is None)
        assert (mine.rids, mine.simulcast) == (livekit.rids, livekit.simulcast)
        assert set(mine.codecs) <= set(asked.codecs)
        assert {plane.MID} <= set(mine.extensions.items() and mine.extensions) <= set(asked.extensions)
        if plane.RID in asked.extensions:
            assert plane.RID in mine.extensions
            assert plane.REPAIRED_RID in mine.extensions
        feedback = [kind for codec in mine.codecs.values() for kind in codec.feedback]
        assert ("transport-cc" in feedback) == (mine.direction == sdp.RECVONLY)
        if mine.direction == sdp.RECVONLY:
            assert len([codec for codec in mine.codecs.values() if codec.name != "rtx"]) == 1
        if mine.direction == sdp.SENDONLY and asked.kind == "video":
            assert next(iter(mine.codecs.values())).name == "VP8"
            assert mine.groups == [("FID", list(mine.ssrcs))]
    assert [bool(section.candidates) for section in ours.sections] == [True] + [False] * (count - 1)
    assert ours.sections[0].end_of_candidates


def recorded(client: str, marker: str) -> sdp.Description:
    return sdp.parse(next(e.sdp for e in conversation(client) if e.kind == "offer" and marker in e.sdp))


def test_a_track_is_found_by_its_cid() -> None:
    offer = recorded(RUST, "a=simulcast:send")
    cid = "0d150539-3496-4306-93a4-164a3d782237"
    others = [Announcement("TR_1", "video", {"other": ""}), Announcement("TR_2", "video", {cid: ""})]
    assert negotiation.bind(offer.sections, others) == {"7": "TR_2"}


def section(mid: str, cid: str, direction: str = "sendonly", kind: str = "video") -> sdp.Section:
    return sdp.Section(kind, mid, direction=direction, msid=("s", cid) if cid else None)


def test_unknown_ids_take_the_oldest_announced_track_of_their_kind() -> None:
    announced = [
        Announcement("TR_a", "audio", {"x": ""}),
        Announcement("TR_old", "video", {"x": ""}),
        Announcement("TR_new", "video", {"z": ""}),
        Announcement("TR_by_cid", "video", {"named": ""}),
    ]
    sections = [section("0", "{uuid-1}"), section("1", "named"), section("2", "{uuid-2}"), section("3", "{uuid-3}")]
    assert negotiation.bind(sections, announced) == {"0": "TR_old", "1": "TR_by_cid", "2": "TR_new"}


def test_a_bound_section_keeps_its_track_until_its_msid_changes() -> None:
    first = Announcement("TR_1", "video", {"x": ""}, bound={"0": "{uuid-1}"})
    second = Announcement("TR_2", "video", {"y": ""})
    assert negotiation.bind([section("0", "{uuid-1}")], [first, second]) == {"0": "TR_1"}
    assert negotiation.bind([section("0", "{uuid-9}")], [first, second]) == {"0": "TR_2"}


def test_a_republished_media_track_binds_to_its_new_sid() -> None:
    old, new = Announcement("TR_1", "video", {"x": ""}, bound={"0": "x"}), Announcement("TR_2", "video", {"x": ""})
    assert negotiation.bind([section("0", "x", "inactive"), section("1", "x")], [old, new]) == {"1": "TR_2"}
    assert negotiation.bind([section("0", "x")], [old, new]) == {"0": "TR_1"}


def test_two_codecs_of_one_track_are_two_sections() -> None:
    track = Announcement("TR_1", "video", {"main": "video/VP9", "backup": "video/VP8"})
    assert negotiation.bind([section("0", "main"), section("1", "backup")], [track]) == {"0": "TR_1", "1": "TR_1"}


def test_what_receives_is_no_publication() -> None:
    assert negotiation.bind([section("0", "x", "recvonly")], [Announcement("TR_1", "video", {"x": ""})]) == {}
    both = section("0", "", "sendrecv")
    assert negotiation.is_slot(both)
    assert not negotiation.is_publication(both)
    stopped = section("0", "x")
    stopped.port = 0
    assert not negotiation.is_publication(stopped)
    assert not negotiation.is_slot(stopped)


def browser_video() -> sdp.Section:
    return recorded(JS, "a=group").sections[3]


@pytest.mark.parametrize(
    ("wanted", "name", "number"),
    [("", "VP8", 96), ("video/h264", "H264", 108), ("video/VP9", "VP9", 98), ("video/AV1", "AV1", 45)],
)
def test_the_codec_to_publish(wanted: str, name: str, number: int) -> None:
    chosen = negotiation.choose(browser_video(), wanted)
    assert chosen is not None
    assert (chosen.name, chosen.payload_type) == (name, number)


def test_an_unknown_wish_falls_back_to_what_is_there() -> None:
    only_vp8 = recorded(RUST, "a=simulcast:send").sections[7]
    chosen = negotiation.choose(only_vp8, "video/AV1")
    assert chosen is not None
    assert chosen.name == "VP8"
    assert negotiation.choose(sdp.Section("video", codecs={1: sdp.Codec(1, "theora", 90000)})) is None


@pytest.mark.parametrize(
    ("codec", "number"),
    [
        (VP8, 96),
        (Codec("video/H264", 90_000, fmtp="packetization-mode=1;profile-level-id=42e01f"), 108),
        (Codec("video/H264", 90_000, fmtp="packetization-mode=0;profile-level-id=42e01f"), 114),
        (Codec("video/h264", 90_000, fmtp="packetization-mode=1;profile-level-id=42001f"), 102),
        (Codec("video/VP9", 90_000, fmtp="profile-id=2"), 100),
    ],
)
def test_a_copy_takes_the_most_similar_payload_type(codec: Codec, number: int) -> None:
    taken = negotiation.accept(browser_video(), codec)
    assert taken is not None
    assert taken.payload_type == number


def test_a_camera_of_high_profile_still_finds_h264() -> None:
    taken = negotiation.accept(browser_video(), H264_HIGH)
    assert taken is not None
    assert taken.parameters()["packetization-mode"] == "1"
    assert negotiation.accept(browser_video(), Codec("video/H265", 90_000)) is None


def test_a_section_that_cannot_decode_the_track_stays_inactive() -> None:
    offer = recorded(RUST, "a=simulcast:send")
    result = negotiation.answer(offer, LOCAL, {}, {"3": Sending("PA", "TR", Codec("video/H265", 90_000), 1)})
    assert result.sections[3].direction == sdp.INACTIVE
    assert result.sections[3].msid is None


def test_stopped_and_unbundled_sections_are_rejected() -> None:
    offer = recorded(JS, "a=group")
    offer.sections[0].port = 0
    offer.bundle.remove("1")
    result = negotiation.answer(offer, LOCAL, {}, {})
    assert [s.port for s in result.sections[:3]] == [0, 0, 9]
    assert result.bundle == ["2", "3", "4", "5", "6"]
    assert result.sections[2].candidates == LOCAL.candidates
    assert not result.sections[0].candidates
    assert sdp.parse(sdp.build(result)).bundle == result.bundle


def test_the_setup_of_an_established_connection_is_kept() -> None:
    offer = recorded(JS, "a=group")
    for asked, answered in (("actpass", "active"), ("passive", "active"), ("active", "passive")):
        for one in offer.sections:
            one.setup = asked
        assert {s.setup for s in negotiation.answer(offer, LOCAL, {}, {}).sections} == {answered}


def test_our_own_offer() -> None:
    slots = [
        Slot("1", "audio", Sending("PA|TR_1", "TR_1", OPUS, 5)),
        Slot("2", "video", Sending("PA|TR_2", "TR_2", H264_HIGH, 6, 7)),
    ]
    offer = sdp.parse(sdp.build(negotiation.offer(LOCAL, [*slots, Slot("3", "video")])))
    assert offer.sections[0].protocol == "UDP/DTLS/SCTP"
    assert [(s.kind, s.mid, s.direction, s.setup) for s in offer.sections] == [
        ("application", "0", "sendrecv", "actpass"),
        ("audio", "1", "sendonly", "actpass"),
        ("video", "2", "sendonly", "actpass"),
        ("video", "3", "inactive", "actpass"),
    ]
    assert offer.ice_lite
    assert offer.sections[0].candidates
    audio, video = offer.sections[1:3]
    assert list(audio.codecs) == [111]
    first = next(iter(video.codecs.values()))
    assert (first.name, first.parameters()["profile-level-id"]) == ("H264", "640c1f")
    assert {codec.name for codec in video.codecs.values()} == {"VP8", "H264", "VP9", "AV1", "H265", "rtx"}
    hevc = [codec.parameters() for codec in video.codecs.values() if codec.name == "H265"]
    assert [(one["profile-id"], one["tier-flag"], one["level-id"], one["tx-mode"]) for one in hevc] == [
        ("1", "0", "186", "SRST"),  # Main, at any level; the answer says what the client decodes
        ("2", "0", "186", "SRST"),
    ]
    assert video.groups == [("FID", [6, 7])]
    assert video.msid == ("PA|TR_2", "TR_2")
    assert plane.MID in video.extensions


def test_layers_are_counted_from_the_lowest() -> None:
    offer = recorded(RUST, "a=simulcast:send").sections[7]
    assert offer.simulcast == ["f", "h", "q"]
    assert negotiation.layer_rids(offer) == ["q", "h", "f"]
    renamed = [Layer(2, rid="q"), Layer(0, rid="h"), Layer(1, rid="f")]
    assert negotiation.layer_rids(offer, renamed) == ["h", "f", "q"]
    codec = negotiation.choose(offer)
    assert codec is not None
    spec = negotiation.receiver_spec(3, offer, codec)
    assert (spec.transport, spec.mid, spec.layers, spec.rids, spec.payload_types) == (
        3,
        "7",
        3,
        {"q": 0, "h": 1, "f": 2},
        {96: "video/VP8"},
    )
    assert spec.extensions[plane.RID] == 10
    assert plane.ABS_SEND_TIME not in spec.extensions
    assert spec.nack


def test_layers_by_ssrc_group() -> None:
    text = "v=0\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\na=mid:0\na=sendonly\na=rtpmap:96 VP8/90000\n"
    text += "a=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n"
    text += "a=ssrc-group:SIM 1 2 3\na=ssrc-group:FID 1 11\na=ssrc-group:FID 2 12\na=ssrc-group:FID 3 13\n"
    text += "".join(f"a=ssrc:{n} cname:c\n" for n in (1, 2, 3, 11, 12, 13))
    offered = sdp.parse(text).sections[0]
    spec = negotiation.receiver_spec(1, offered, offered.codecs[96])
    assert (spec.layers, spec.ssrcs, spec.rtx, spec.rtx_ssrcs) == (3, {1: 0, 2: 1, 3: 2}, {97: 96}, {11: 1, 12: 2, 13: 3})


def test_candidates_prefer_udp_and_the_first_address() -> None:
    candidates = negotiation.host_candidates([("192.0.2.1", 1), ("2001:db8::1", 2)])
    assert [(c.transport, c.host, c.port, c.tcptype) for c in candidates] == [
        ("udp", "192.0.2.1", 1, ""),
        ("udp", "2001:db8::1", 2, ""),
        ("tcp", "192.0.2.1", 1, "passive"),
        ("tcp", "2001:db8::1", 2, "passive"),
    ]
    assert [c.priority for c in candidates] == sorted({c.priority for c in candidates}, reverse=True)
    assert candidates[0].priority == 2130706431


def test_wide_header_extension_numbers_are_not_sent() -> None:
    assert negotiation.sent_extensions(sdp.Section("audio", extensions={plane.MID: 4, plane.AUDIO_LEVEL: 15})) == {plane.MID: 4}
