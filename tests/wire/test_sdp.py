from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commhub.wire import sdp
from tests.support.recorded import CLIENTS, Entry, conversation

RECORDED = [
    pytest.param(entry, id=f"{client}-{entry.seconds}") for client in CLIENTS for entry in conversation(client) if entry.sdp
]
SMALL = "v=0\no=- 1 2 IN IP4 0.0.0.0\ns=-\nt=0 0\n"


@pytest.mark.parametrize("entry", RECORDED)
def test_everything_recorded_survives_a_round_trip(entry: Entry) -> None:
    parsed = sdp.parse(entry.sdp)
    assert parsed.bundle == [section.mid for section in parsed.sections]
    assert all(section.ufrag and section.password and section.fingerprints for section in parsed.sections)
    assert sdp.parse(sdp.build(parsed)) == parsed


def test_the_first_offer_of_a_browser() -> None:
    offer = sdp.parse(conversation("livekit-client-2.23")[0].sdp)
    assert [(s.kind, s.mid, s.direction) for s in offer.sections] == [
        *(("audio", str(n), "recvonly") for n in range(3)),
        *(("video", str(n), "recvonly") for n in range(3, 6)),
        ("application", "6", "sendrecv"),
    ]
    audio, video, data = offer.sections[0], offer.sections[3], offer.sections[6]
    assert audio.codecs[111] == sdp.Codec(111, "opus", 48000, 2, "minptime=10;useinbandfec=1", ["transport-cc"])
    assert audio.codecs[111].parameters() == {"minptime": "10", "useinbandfec": "1"}
    assert video.codecs[96].feedback == ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"]
    assert video.codecs[97].name == "rtx"
    assert video.codecs[97].fmtp == "apt=96"
    assert video.setup == "actpass"
    assert (data.protocol, data.formats, data.sctp_port, data.max_message_size) == (
        "UDP/DTLS/SCTP",
        ["webrtc-datachannel"],
        5000,
        262144,
    )
    assert offer.allow_mixed


def test_a_simulcast_publication() -> None:
    offer = sdp.parse(next(e.sdp for e in conversation("livekit-python-1.2.1") if "a=simulcast:send" in e.sdp))
    section = offer.sections[7]
    assert section.direction == sdp.SENDONLY
    assert section.msid == ("-", "0d150539-3496-4306-93a4-164a3d782237")
    assert section.rids == {"f": "send", "h": "send", "q": "send"}
    assert section.simulcast == ["f", "h", "q"]
    assert section.extensions["urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"] == 10


def test_what_the_session_says_holds_for_every_section() -> None:
    text = SMALL + "a=ice-ufrag:abcd\na=ice-pwd:" + "p" * 24 + "\na=setup:active\na=ice-lite\na=recvonly\n"
    text += "m=audio 9 UDP/TLS/RTP/SAVPF 0 111\na=mid:a\na=rtpmap:111 opus/48000/2\n"
    parsed = sdp.parse(text)
    section = parsed.sections[0]
    assert parsed.ice_lite
    assert (section.ufrag, section.password, section.setup, section.direction) == ("abcd", "p" * 24, "active", "recvonly")
    assert list(section.codecs) == [0, 111]
    assert section.codecs[0].name == "PCMU"


def test_a_section_that_only_the_bundle_carries_is_not_rejected() -> None:
    text = SMALL + "a=group:BUNDLE 0 1\nm=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:0\na=rtpmap:111 opus/48000/2\n"
    text += "m=audio 0 UDP/TLS/RTP/SAVPF 111\na=mid:1\na=bundle-only\na=rtpmap:111 opus/48000/2\n"
    assert [section.port for section in sdp.parse(text).sections] == [9, 9]
    assert [section.port for section in sdp.parse(text.replace("a=bundle-only\n", "")).sections] == [9, 0]


def test_candidates_ssrcs_and_groups() -> None:
    text = SMALL + "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:0\na=rtpmap:96 VP8/90000\n"
    text += "a=candidate:1 1 tcp 99 192.0.2.2 7881 typ host tcptype passive ufrag x\na=end-of-candidates\n"
    text += "a=ssrc-group:FID 1 2\na=ssrc:1 cname:c\na=ssrc:1 msid:s t\na=ssrc:2 cname:c\na=msid:s t\na=msid:u t\n"
    section = sdp.parse(text).sections[0]
    assert section.candidates == [sdp.Candidate("1", 1, "tcp", 99, "192.0.2.2", 7881, "host", "passive")]
    assert section.end_of_candidates
    assert section.groups == [("FID", [1, 2])]
    assert section.ssrcs == {1: {"cname": "c", "msid": "s t"}, 2: {"cname": "c"}}
    assert section.msid == ("s", "t")


VIDEO = SMALL + "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:0\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "A session description begins with v=0."),
        ("v=1\n", "A session description begins with v=0."),
        ("v=0" + " " * sdp.MAX_SIZE, f"A session description has at most {sdp.MAX_SIZE} characters."),
        (SMALL + "a=" + "x" * sdp.MAX_LINE, f"A line of a session description has at most {sdp.MAX_LINE} characters."),
        (SMALL + "nonsense", "A line of a session description is a letter, =, and a value."),
        (SMALL + "a=x\ry", "A line of a session description is a letter, =, and a value."),
        ("v=0\no=- x 2 IN IP4 0.0.0.0", "The origin line is not one."),
        ("v=0\no=- " + "1" * 5000, f"A line of a session description has at most {sdp.MAX_LINE} characters."),
        (SMALL + "m=audio 9", "A media line has a kind, a port, a protocol and formats."),
        (SMALL + "m=text 9 x 1", "A media section is audio, video or application."),
        (SMALL + "m=audio 99999 x 1", "A media line's port is not one."),
        (SMALL + "m=audio ９ x 1", "A media line's port is not one."),
        (SMALL + "m=audio 9 x 128", "A payload type is a number up to 127."),
        (SMALL + "m=audio 9 x" + " 1" * 97, "A media section has at most 96 formats."),
        (SMALL + "m=audio 9 x 0\n" * 129, "A session description has at most 128 media sections."),
        (SMALL + "m=audio 9 x 0", "A media section has no mid."),
        (VIDEO + "m=audio 9 x 0\na=mid:0", "Two media sections have the same mid."),
        (SMALL + "a=group:BUNDLE 0", "The bundle group names a mid that no section has."),
        (VIDEO + "a=mid:a b", "A mid is a token of at most 64 characters."),
        (VIDEO + "a=ice-ufrag:abc", "An ICE username fragment has 4 to 256 of its characters."),
        (VIDEO + "a=ice-pwd:" + "p" * 21, "An ICE password has 22 to 256 of its characters."),
        (VIDEO + "a=fingerprint:sha-256 AB", "A fingerprint is an algorithm and octets in hexadecimal."),
        (VIDEO + "a=setup:both", "The setup attribute is actpass, active, passive or holdconn."),
        (VIDEO + "a=rtpmap:96 V(P8/90000", "An rtpmap's encoding name is a token."),
        (VIDEO + "a=rtpmap:96 VP8/fast", "An rtpmap's clock rate is not one."),
        (VIDEO + "a=rtpmap:96 VP8/90000/x", "An rtpmap's channels are not a number."),
        (VIDEO + "a=extmap:0 urn:x", "A header extension has a number and a URI."),
        (VIDEO + "a=extmap:x urn:x", "A header extension's number is 1 to 255."),
        (VIDEO + "".join(f"a=extmap:{n} u:{n}\n" for n in range(1, 67)), "A media section has at most 64 header extensions."),
        (VIDEO + "a=msid:", "An msid is a stream and a track of at most 256 characters."),
        (VIDEO + "a=rid:q", "A rid has a name and a direction."),
        (VIDEO + "".join(f"a=rid:{n} send\n" for n in range(9)), "A media section has at most 8 rids."),
        (VIDEO + "a=simulcast:send", "A simulcast attribute is a direction and a list of rids, once or twice."),
        (VIDEO + "a=ssrc:4294967296 cname:x", "An SSRC is a number of 32 bits."),
        (VIDEO + "".join(f"a=ssrc:{n} cname:x\n" for n in range(33)), "A media section has at most 32 SSRCs."),
        (VIDEO + "a=candidate:1 1 udp 1 host", "A candidate line is not one."),
        (VIDEO + "a=sctp-port:70000", "An SCTP port is a number up to 65535."),
        (VIDEO + "a=max-message-size:-1", "A message size is a number of octets."),
    ],
)
def test_what_cannot_be_used_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        sdp.parse(text)
    assert str(caught.value) == sentence


PIECES = [line for entry in conversation("livekit-python-1.2.1")[:6] for line in entry.sdp.split("\r\n")]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=40)), max_size=40), st.randoms())
def test_no_input_raises_anything_but_value_error(lines: list[str], random: object) -> None:
    try:
        parsed = sdp.parse("v=0\n" + "\n".join(lines))
    except ValueError:
        return
    assert sdp.parse(sdp.build(parsed)).bundle == parsed.bundle


def test_candidates_of_many_interfaces_are_left_out() -> None:
    lines = "".join(f"a=candidate:{n} 1 udp 1 192.0.2.1 {n} typ host\n" for n in range(1, 100))
    assert [one.port for one in sdp.parse(VIDEO + lines).sections[0].candidates] == list(range(1, 65))
