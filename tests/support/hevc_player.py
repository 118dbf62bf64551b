"""aiortc as a viewer who decodes H.265: its ICE, DTLS, SRTP, NACK and jitter buffer, FFmpeg's decoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import aiortc.codecs
import aiortc.rtcrtpreceiver
import av
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpCodecParameters

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


@contextmanager
def decodes_h265() -> Iterator[None]:
    """Connections that are made meanwhile offer it, best of all."""
    videos, receiver = aiortc.codecs.CODECS["video"], aiortc.rtcrtpreceiver
    before = list(videos), receiver.depayload, receiver.get_decoder  # type: ignore[attr-defined]
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

    receiver.depayload, receiver.get_decoder = depayload, get_decoder  # type: ignore[attr-defined]
    try:
        yield
    finally:
        videos[:] = before[0]
        receiver.depayload, receiver.get_decoder = before[1:]  # type: ignore[attr-defined]
