"""Key frames and VP8 numbers: hand-made payloads, libvpx's and x264's own through aiortc, hostile bytes."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from aiortc.codecs import get_encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import nal


def test_vp8_descriptor() -> None:
    payload = bytes.fromhex("90c0" + "8123" + "45" + "10")
    assert nal.vp8(payload) == nal.Vp8(5, True, 0x123, 2, True, 0x45, 4)
    assert nal.vp8_key_frame(payload)
    assert nal.vp8(bytes.fromhex("90e0" + "23" + "45" + "60" + "11")) == nal.Vp8(5, True, 0x23, 2, False, 0x45, 3)
    assert nal.vp8(bytes.fromhex("00ff")) == nal.Vp8(1, False, -1, -1, False, -1, -1)
    assert nal.vp8(b"\x10\x00").start
    assert not nal.vp8(b"\x11\x00").start  # the second partition


def test_vp8_numbers_move_in_their_own_width() -> None:
    payload = bytes.fromhex("90c0" + "fffe" + "ff" + "1020")
    moved = nal.shift_vp8(payload, nal.vp8(payload), 3, 2)
    assert moved.hex() == "90c0" + "8001" + "01" + "1020"
    narrow = bytes.fromhex("90c0" + "7e" + "ff" + "10")
    assert nal.shift_vp8(narrow, nal.vp8(narrow), 3, 0).hex() == "90c0" + "01" + "ff" + "10"
    bare = b"\x10\x10"
    assert nal.shift_vp8(bare, nal.vp8(bare), 5, 5) == bare


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x90\x80", b"\x90\x80\x80", b"\x90\xc0\x01", b"\x90\x30"])
def test_torn_vp8(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^The VP8 payload descriptor ends behind the packet\.$"):
        nal.vp8(data)
    assert not nal.vp8_key_frame(data)


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
        ("88aa", True),  # picture id, 7 bits
        ("8880aa", True),
        ("48", False),  # inter-picture predicted
        ("00", False),  # not the beginning
        ("a88001" + "00", True),  # layer 0
        ("a88001" + "02", False),  # a higher spatial layer
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
        if mime == "video/VP8" and number in (0, 4):
            assert nal.vp8_size(payloads[0], nal.vp8(payloads[0]).size) == (320, 240)
    assert begins == [True, False, False, False, True, False]


@given(st.sampled_from(sorted(nal.KEY_FRAME)), st.binary(max_size=60))
def test_any_bytes(mime: str, payload: bytes) -> None:
    assert nal.is_key_frame(mime, payload) in (True, False)
    try:
        descriptor = nal.vp8(payload)
    except ValueError:
        return
    moved = nal.shift_vp8(payload, descriptor, 12345, 200)
    assert len(moved) == len(payload)
    assert moved[descriptor.size :] == payload[descriptor.size :]
    assert nal.vp8_size(payload, descriptor.size) >= (0, 0)
