"""Key frames: hand-made payloads, libvpx's and x264's own through aiortc, hostile bytes."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from aiortc.codecs import get_encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import h264, h265, nal, vp8
from tests.support import h265 as support_h265


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        ("67640028", True),  # SPS
        ("6888", False),  # PPS
        ("6588", True),  # IDR
        ("6188", False),
        ("7c8588", True),  # FU-A, begin of IDR
        ("7c0588", False),  # its middle
        ("7c8188", False),
        ("7c", False),
        ("78" + "0002" + "0910" + "0002" + "6764" + "0002" + "6888", True),  # STAP-A: AUD, SPS, PPS
        ("78" + "0002" + "0910" + "0002" + "6188", False),
        ("78" + "ffff" + "09", False),
        ("78", False),
        ("", False),
    ],
)
def test_h264(payload: str, key: bool) -> None:
    assert nal.is_key_frame("video/H264", bytes.fromhex(payload)) is key


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        ("08", True),
        ("882a", True),  # picture id, 7 bits
        ("8880aa", True),  # 15 bits
        ("48", False),  # inter-picture predicted
        ("00", False),  # not the beginning
        ("a88001" + "0005", True),  # layer 0
        ("a88001" + "0205", False),  # a higher spatial layer
        ("88", False),
        ("", False),
    ],
)
def test_vp9(payload: str, key: bool) -> None:
    assert nal.is_key_frame("video/VP9", bytes.fromhex(payload)) is key


def test_av1_and_unknown() -> None:
    assert nal.is_key_frame("video/AV1", b"\x18")
    assert not nal.is_key_frame("video/AV1", b"\x10")
    assert not nal.is_key_frame("video/AV1", b"")
    assert nal.is_key_frame("video/unheard-of", b"")


@pytest.mark.parametrize("mime", ["video/VP8", "video/H264"])
def test_real_encoders(mime: str) -> None:
    """A key frame begins exactly where the encoder was told to make one."""
    parameters: dict[str, int | str | None] = (
        {"packetization-mode": "1", "profile-level-id": "42e01f"} if mime == "video/H264" else {}
    )
    encoder = get_encoder(RTCRtpCodecParameters(mimeType=mime, clockRate=90000, payloadType=96, parameters=parameters))
    begins = []
    for number in range(6):
        frame = av.VideoFrame(320, 240, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes((number * 40 % 256,)) * plane.buffer_size)
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
        payloads, _ = encoder.encode(frame, force_keyframe=number in (0, 4))
        begins.append(any(nal.is_key_frame(mime, payload) for payload in payloads))
        if mime == "video/H264" and number in (0, 4):
            assert nal.h264_size(payloads[0]) == (320, 240)
        if mime == "video/VP8" and number in (0, 4):
            assert vp8.size(payloads[0], vp8.parse(payloads[0]).size) == (320, 240)
    assert begins == [True, False, False, False, True, False]


def test_real_pictures_of_h265() -> None:
    for data, _, key in support_h265.film(10, 5):
        payloads = h265.packets(h264.split_annex_b(data))
        assert nal.is_key_frame("video/H265", payloads[0]) == key
        assert nal.h265_size(payloads[0]) == ((320, 180) if key else (0, 0))


@given(st.sampled_from(sorted(nal.KEY_FRAME)), st.binary(max_size=60))
def test_any_bytes(mime: str, payload: bytes) -> None:
    assert nal.is_key_frame(mime, payload) in (True, False)
    assert nal.h264_size(payload) >= (0, 0)
    assert nal.h265_size(payload) >= (0, 0)
