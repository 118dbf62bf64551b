"""aiortc as a viewer who decodes H.265, and as a publisher who sends it: its ICE, DTLS, SRTP, NACK and jitter buffer, FFmpeg's
codecs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import aiortc.codecs
import aiortc.rtcrtpreceiver
import aiortc.rtcrtpsender
import av
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpCodecParameters
from av.video.frame import PictureType

from commhub.wire import h264, h265

_FMTP = {"level-id": "180", "profile-id": "1", "tier-flag": "0", "tx-mode": "SRST"}
_CODE = b"\0\0\0\1"


def _depayload(payload: bytes) -> bytes:
    """RFC 7798 §4.4 to annex B; what a fragment begins, the next ones go on with."""
    kind = payload[0] >> 1 & 0x3F
    if kind == 49:
        if payload[2] & 0x80:
            return _CODE + bytes([payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]]) + payload[3:]
        return payload[3:]
    if kind != 48:
        return _CODE + payload
    out, at = b"", 2
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 2], "big")
        out += _CODE + payload[at + 2 : at + 2 + size]
        at += 2 + size
    return out


class _Decoder:
    def __init__(self) -> None:
        self._codec = av.CodecContext.create("hevc", "r")

    def decode(self, encoded: Any) -> list[Any]:
        packet = av.Packet(encoded.data)
        packet.pts, packet.time_base = encoded.timestamp, Fraction(1, 90_000)
        return list(self._codec.decode(packet))


class _Encoder:
    """``encode`` as aiortc's encoders have it."""

    def __init__(self) -> None:
        self._codec: av.VideoCodecContext | None = None

    def _open(self, frame: av.VideoFrame) -> av.VideoCodecContext:
        made = av.CodecContext.create("libx265", "w")
        assert isinstance(made, av.VideoCodecContext)
        made.width, made.height, made.pix_fmt, made.time_base = frame.width, frame.height, "yuv420p", Fraction(1, 90_000)
        words = "log-level=none:repeat-headers=1:info=0:bframes=0:pools=none:frame-threads=1:keyint=1000"
        made.options = {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", "x265-params": words}
        return made

    def encode(self, frame: av.VideoFrame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        self._codec = self._codec or self._open(frame)
        picture = frame.reformat(format="yuv420p")
        picture.pts, picture.time_base = frame.pts, frame.time_base
        picture.pict_type = PictureType.I if force_keyframe else PictureType.NONE
        units = [unit for packet in self._codec.encode(picture) for unit in h264.split_annex_b(bytes(packet))]
        return h265.packets(units), frame.pts or 0


@contextmanager
def speaks_h265() -> Iterator[None]:
    """Connections that offer meanwhile offer it, best of all."""
    videos, receiver, sender = aiortc.codecs.CODECS["video"], aiortc.rtcrtpreceiver, aiortc.rtcrtpsender
    before = list(videos), receiver.depayload, receiver.get_decoder, sender.get_encoder  # type: ignore[attr-defined]
    feedback = [RTCRtcpFeedback(type="nack"), RTCRtcpFeedback(type="nack", parameter="pli")]
    videos[:0] = [
        RTCRtpCodecParameters(
            mimeType="video/H265", clockRate=90_000, payloadType=120, rtcpFeedback=feedback, parameters=dict(_FMTP)
        ),
        RTCRtpCodecParameters(mimeType="video/rtx", clockRate=90_000, payloadType=121, parameters={"apt": 120}),
    ]

    def depayload(codec: RTCRtpCodecParameters, payload: bytes) -> bytes:
        return _depayload(payload) if codec.name == "H265" else before[1](codec, payload)

    def get_decoder(codec: RTCRtpCodecParameters) -> Any:
        return _Decoder() if codec.name == "H265" else before[2](codec)

    def get_encoder(codec: RTCRtpCodecParameters) -> Any:
        return _Encoder() if codec.name == "H265" else before[3](codec)

    receiver.depayload, receiver.get_decoder = depayload, get_decoder  # type: ignore[attr-defined]
    sender.get_encoder = get_encoder  # type: ignore[attr-defined]
    try:
        yield
    finally:
        videos[:] = before[0]
        receiver.depayload, receiver.get_decoder, sender.get_encoder = before[1:]  # type: ignore[attr-defined]
