from __future__ import annotations

import pytest

from bridges.gb28181 import offer
from bridges.gb28181.offer import ACTIVE, PASSIVE, Offer, parse, read_ssrc, ssrc, written

US = "34020000002000000001"
CAMERA = "34020000001320000001"


def lines(made: bytes) -> list[str]:
    text = made.decode()
    assert text.endswith("\r\n")
    return text.split("\r\n")[:-1]


def test_ssrc_of_annex_g() -> None:
    assert written(ssrc("13010000002000000001", 1, history=False)) == "0100000001"
    assert written(ssrc(US, 132, history=True)) == "1200000132"
    assert written(ssrc("garbage", 10_001, history=False)) == "0000000001"


def test_a_live_offer_over_udp_is_the_standards_line_by_line() -> None:
    made = Offer(US, "10.0.0.5", 30218, 105000001).text("3.0")
    assert lines(made) == [
        "v=0", f"o={US} 0 0 IN IP4 10.0.0.5", "s=Play", "c=IN IP4 10.0.0.5", "t=0 0", "m=video 30218 RTP/AVP 96 97 98 99",
        "a=recvonly", "a=rtpmap:96 PS/90000", "a=rtpmap:98 H264/90000", "a=rtpmap:97 MPEG4/90000", "a=rtpmap:99 H265/90000",
        "y=0105000001",
    ]  # fmt: skip


@pytest.mark.parametrize(("way", "setup"), [(PASSIVE, "passive"), (ACTIVE, "active")])
def test_tcp_is_offered_by_setup_and_connection(way: str, setup: str) -> None:
    made = lines(Offer(US, "10.0.0.5", 30218, 1, way).text())
    assert "m=video 30218 TCP/RTP/AVP 96 97 98 99" in made
    assert made[-3:] == [f"a=setup:{setup}", "a=connection:new", "y=0000000001"]


def test_streams_are_asked_for_as_the_standard_and_as_the_vendors_have_it() -> None:
    assert lines(Offer(US, "h", 2, 1, layer="sub").text("3.0"))[-2:] == ["a=streamnumber:1", "y=0000000001"]
    old = lines(Offer(US, "h", 2, 1, layer="sub").text("2.0"))
    assert old[-5:-1] == ["a=streamnumber:1", "a=stream:1", "a=streamprofile:1", "a=streamMode:SUB"]
    assert "a=streamMode:MAIN" in lines(Offer(US, "h", 2, 1, layer="main").text("2.0"))
    assert not [line for line in lines(Offer(US, "h", 2, 1).text()) if "stream" in line]


def test_a_recording_is_asked_for_by_channel_and_unix_seconds() -> None:
    made = lines(Offer(US, "h", 2, 1_200_000_001, name="Playback", channel=CAMERA, begin=1_700_000_000, end=1_700_000_600).text())
    assert made[2:6] == ["s=Playback", f"u={CAMERA}:0", "c=IN IP4 h", "t=1700000000 1700000600"]
    assert made[-1] == "y=1200000001"
    made = lines(Offer(US, "::1", 2, 1, name="Download", channel=CAMERA, begin=1, end=2, speed=4).text())
    assert "a=downloadspeed:4" in made
    assert "c=IN IP6 ::1" in made


def test_talk_and_voice() -> None:
    made = lines(Offer(US, "h", 6, 7, name="Talk").text())
    assert made[5:] == ["m=audio 6 RTP/AVP 8", "a=sendrecv", "a=rtpmap:8 PCMA/8000", "y=0000000007", "f=v/////a/1/8/1"]
    assert lines(offer.voice_answer(US, "10.0.0.5", 30000, 200000001)) == [
        "v=0", f"o={US} 0 0 IN IP4 10.0.0.5", "s=Play", "c=IN IP4 10.0.0.5", "t=0 0", "m=audio 30000 RTP/AVP 8", "a=sendonly",
        "a=rtpmap:8 PCMA/8000", "y=0200000001", "f=v/////a/1/8/1",
    ]  # fmt: skip
    assert "a=setup:passive" in lines(offer.voice_answer(US, "h", 2, 1, PASSIVE))


ANSWER = (
    "v=0\r\no=34020000001320000001 0 0 IN IP4 192.168.1.64\r\ns=Play\r\nc=IN IP4 192.168.1.64\r\nt=0 0\r\n"
    "m=video 15060 RTP/AVP 96\r\na=sendonly\r\na=rtpmap:96 PS/90000\r\ny=0100000132\r\nf=v/2/6/25/1/4096a/1/8/1\r\n"
)


def test_an_answer_as_the_standard_has_it() -> None:
    got = parse(ANSWER.encode())
    assert (got.name, got.kind, got.host, got.port) == ("Play", "video", "192.168.1.64", 15060)
    assert (got.tcp, got.setup, got.direction, got.ssrc, got.codecs) == (False, "", "sendonly", 100_000_132, {96: "PS"})
    assert got.sound == "pcma"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0100000132", 100_000_132),
        ("200000001", 200_000_001),  # without its leading zero
        (" 0200000001 ", 200_000_001),
        ("0000000000", None),
        ("", None),
        ("0x0BEBC201", 200_000_001),
        ("-5", None),
        ("99999999999", None),
        ("9999999999", None),
        ("abc", None),
        ("４２", None),
    ],
)
def test_y_is_read_in_whatever_way_it_stands(text: str, value: int | None) -> None:
    assert read_ssrc(text) == value
    assert parse(f"c=IN IP4 1.2.3.4\nm=video 6 RTP/AVP 96\ny={text}\n".encode()).ssrc == value


@pytest.mark.parametrize(
    ("change", "tcp", "setup"),
    [
        (("RTP/AVP 96", "TCP/RTP/AVP 96"), True, ""),
        (("a=sendonly", "a=setup:active\r\na=connection:new"), True, "active"),  # the profile says nothing of TCP
        (("a=sendonly", "a=setup: PASSIVE"), True, "passive"),
        (("a=sendonly", "a=setup:actpass"), True, "active"),
        (("t=0 0", "a=setup:active"), True, "active"),  # at the session
        (("RTP/AVP 96", "RTP/AVP/TCP 96"), True, ""),
        (("a=sendonly", "a=setup:sideways"), False, ""),
    ],
)
def test_tcp_is_told_by_setup_more_than_by_the_profile(change: tuple[str, str], tcp: bool, setup: str) -> None:
    got = parse(ANSWER.replace(*change).encode())
    assert (got.tcp, got.setup, got.port) == (tcp, setup, 15060)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("o=- 0 0 IN IP4 10.1.1.1\nm=video 30 RTP/AVP 96", "10.1.1.1", 30),  # no c=
        ("c=IN IP4 10.1.1.1/127\nm=video 30/2 RTP/AVP 96", "10.1.1.1", 30),
        ("c=IN IP4 10.1.1.1\nm=video 30 RTP/AVP 96\nc=IN IP4 10.2.2.2", "10.2.2.2", 30),
        ("c=IN IP6 fd00::1\nm=video 30 RTP/AVP 96", "fd00::1", 30),
        ("c=10.1.1.1\nm=video 30 RTP/AVP", "10.1.1.1", 30),
        ("c=IN IP4 camera.example\nm=video 30 RTP/AVP 96", "", 30),
        ("m=audio 8 RTP/AVP 8\nm=video 30 RTP/AVP 96\nc=IN IP4 1.1.1.1", "1.1.1.1", 30),  # picture before sound
        ("M = video 30 RTP/AVP 96\nC=IN IP4 1.1.1.1", "1.1.1.1", 30),
        ("\0\0v=0\rc=IN IP4 1.1.1.1\rm=video 30 RTP/AVP 96\r", "1.1.1.1", 30),
        ("m=video 30 RTP/AVP 96\na=broken:\x01\n\n===\na\nm=junk\nf=\nc=IN IP4 1.1.1.1", "1.1.1.1", 30),
    ],
)
def test_places_are_found_in_descriptions_that_are_wrong(text: str, host: str, port: int) -> None:
    got = parse(text.encode())
    assert (got.host, got.port, got.kind) == (host, port, "video")


def test_codecs_without_and_with_maps() -> None:
    got = parse(
        b"m=audio 30 RTP/AVP 8 0 96\na=rtpmap:96 mpeg4-generic/16000\na=rtpmap:8 PCMA/8000/1\na=recvonly\nc=IN IP4 1.1.1.1"
    )
    assert (got.kind, got.direction, got.codecs) == ("audio", "recvonly", {8: "PCMA", 0: "PCMU", 96: "MPEG4-GENERIC"})
    assert parse(b"m=video 30 RTP/AVP 96\nf=v/2/4///a/6/64/3\na=filesize:4096").size == 4096
    assert parse(b"m=video 30 RTP/AVP 96\nf=v/2/4///a/6/64/3").sound == "aac"
    assert parse(b"m=video 30 RTP/AVP 96").sound is None


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The session description has no picture and no sound."),
        (b"v=0\r\nm=application 5 RTP/AVP 96\r\n", "The session description has no picture and no sound."),
        (b"m=video 0 RTP/AVP 96", "The session description has no port for media."),
        (b"m=video 70000 RTP/AVP 96", "The session description has no port for media."),
        (b"m=video 99999999 RTP/AVP 96", "The session description has no picture and no sound."),
        (b"a=x\n" * 300, "The session description has too many lines."),
        (b"x" * 16_385, "The session description is longer than 16 KiB."),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(body: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(body)
    assert str(refused.value) == sentence


def test_our_own_offers_can_be_read() -> None:
    for way in (offer.UDP, PASSIVE, ACTIVE):
        got = parse(Offer(US, "10.0.0.5", 30218, 105000001, way).text())
        assert (got.host, got.port, got.tcp, got.ssrc) == ("10.0.0.5", 30218, way != offer.UDP, 105_000_001)
