from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges import rtsp_sdp
from bridges.rtsp_sdp import Description, join

CAMERA = b"""v=0\r
o=- 1109162014219182 1109162014219192 IN IP4 x.y.z.w\r
s=Media Presentation\r
c=IN IP4 0.0.0.0\r
t=0 0\r
a=control:*\r
a=range:npt=now-\r
m=video 0 RTP/AVP 96\r
b=AS:5000\r
a=control:trackID=1\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 profile-level-id=42801F; packetization-mode=1; sprop-parameter-sets=Z0IAH5WoFAFuQA==,aM48gA==\r
m=audio 0 RTP/AVP 8\r
a=control:trackID=2\r
a=rtpmap:8 PCMA/8000/1\r
m=audio 0 RTP/AVP 0\r
a=sendonly\r
a=control:trackID=5\r
m=application 0 RTP/AVP 107\r
a=rtpmap:107 vnd.onvif.metadata/90000\r
"""


def test_a_cameras_description() -> None:
    description = rtsp_sdp.parse(CAMERA)
    assert description.control == "*"
    video, audio, talk, metadata = description.media
    assert (video.kind, video.codec, video.clock_rate, video.payload_type) == ("video", "H264", 90000, 96)
    assert video.fmtp["packetization-mode"] == "1"
    assert [unit[0] & 31 for unit in video.parameter_sets] == [7, 8]
    assert (audio.codec, audio.clock_rate, audio.channels, audio.control) == ("PCMA", 8000, 1, "trackID=2")
    assert talk.backchannel
    assert (talk.codec, talk.clock_rate) == ("PCMU", 8000)
    assert metadata.kind == "application"


@pytest.mark.parametrize(
    ("lines", "codec", "sets"),
    [
        ("m=video 0 RTP/AVP 26", "JPEG", 0),
        ("m=video 0 RTP/AVP 98\na=rtpmap:98 h265/90000", "H265", 0),
        ("m=video 0 RTP/AVP 96\na=rtpmap:97 H264/90000", "", 0),
        ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264", "", 0),
        ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/x", "", 0),
        ("m=video 0 RTP/AVP 96\na=rtpmap:96  H264/90000\na=fmtp:96 sprop-parameter-sets=Z0IAH5WoFAFuQA,*?,aM48gA", "H264", 2),
        ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=", "H264", 0),
        ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets="
         + base64.b64encode(b"\0\0\0\1\x67\x42\0\x1f\0\0\0").decode(), "H264", 1),
        ("m=video 0 RTP/AVP 200", "", 0),
        ("m=video", "", 0),
    ],
)  # fmt: skip
def test_what_cameras_write(lines: str, codec: str, sets: int) -> None:
    (media,) = rtsp_sdp.parse(b"v=0\n" + lines.encode()).media
    assert (media.kind, media.codec, len(media.parameter_sets)) == ("video", codec, sets)


def test_wrong_descriptions() -> None:
    with pytest.raises(ValueError, match=r"^The camera's description is not SDP\.$"):
        rtsp_sdp.parse(b"<html>Not here</html>")
    with pytest.raises(ValueError, match=r"^The SDP has more than 32 media\.$"):
        rtsp_sdp.parse(b"v=0\n" + b"m=video 0 RTP/AVP 96\n" * 33)
    assert rtsp_sdp.parse(b"v=0\ns=-") == Description()


def test_a_control_that_is_no_url_is_not_taken() -> None:
    (media,) = rtsp_sdp.parse(b"v=0\nm=video 0 RTP/AVP 96\na=control:a b\x00c").media
    assert media.control == ""


@pytest.mark.parametrize(
    ("base", "control", "url"),
    [
        ("rtsp://h/cam/", "trackID=1", "rtsp://h/cam/trackID=1"),
        ("rtsp://h/cam", "trackID=1", "rtsp://h/cam/trackID=1"),
        ("rtsp://h/cam?channel=1", "trackID=1", "rtsp://h/cam?channel=1/trackID=1"),
        ("rtsp://h/cam", "", "rtsp://h/cam"),
        ("rtsp://h/cam/", "*", "rtsp://h/cam/"),
        ("rtsp://h/cam", "rtsp://10.0.0.9/other", "rtsp://10.0.0.9/other"),
        ("rtsp://h/cam", "/trackID=1", "rtsp://h/cam/trackID=1"),
    ],
)
def test_join(base: str, control: str, url: str) -> None:
    assert join(base, control) == url


@given(st.binary(max_size=400))
def test_anything(body: bytes) -> None:
    for data in (body, b"v=0\nm=video 0 RTP/AVP 96\n" + body):
        try:
            description = rtsp_sdp.parse(data)
        except ValueError:
            continue
        assert all(isinstance(unit, bytes) for media in description.media for unit in media.parameter_sets)
