"""Where a key frame begins in an RTP payload, whatever the codec; of H.264 and H.265 also its size."""

from __future__ import annotations

from collections.abc import Callable

from commhub.wire import av1, h264, h265, vp8, vp9


def h264_key_frame(payload: bytes) -> bool:
    """A sequence parameter set or the beginning of an IDR slice, alone, in STAP-A or in FU-A (RFC 6184 §5.6 … §5.8)."""
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == 28:
        return len(payload) > 1 and bool(payload[1] & 0x80) and payload[1] & 0x1F in (5, 7)
    if kind != 24:
        return kind in (5, 7)
    at, size = 1, len(payload)
    while at + 2 < size:
        if payload[at + 2] & 0x1F in (5, 7):
            return True
        at += 2 + (payload[at] << 8 | payload[at + 1])
    return False


def h264_size(payload: bytes) -> tuple[int, int]:
    """Width and height of the sequence parameter set in this payload, alone or in STAP-A; (0, 0) without one."""
    try:
        if payload and payload[0] & 0x1F == h264.SPS:
            found = h264.parse_sps(payload)
            return found.width, found.height
        if payload and payload[0] & 0x1F == h264.STAP_A:
            at, size = 1, len(payload)
            while at + 2 < size:
                length = payload[at] << 8 | payload[at + 1]
                if payload[at + 2] & 0x1F == h264.SPS:
                    found = h264.parse_sps(payload[at + 2 : at + 2 + length])
                    return found.width, found.height
                at += 2 + length
    except ValueError:
        pass
    return 0, 0


def h265_size(payload: bytes) -> tuple[int, int]:
    """Likewise of H.265, alone or in an aggregation packet."""
    try:
        if len(payload) > 2 and h265.kind(payload) == h265.AGGREGATION:
            units = [bytes(unit) for unit in h265.aggregated(payload)]
        else:
            units = [payload] if len(payload) > 2 else []
        for unit in units:
            if h265.kind(unit) == h265.SPS:
                found = h265.parse_sps(unit)
                return found.width, found.height
    except ValueError:
        pass
    return 0, 0


#: mime, lower case → whether a key frame begins in this payload
KEY_FRAME: dict[str, Callable[[bytes], bool]] = {
    "video/vp8": vp8.key_frame,
    "video/vp9": vp9.key_frame,
    "video/h264": h264_key_frame,
    "video/h265": h265.key_frame,
    "video/av1": av1.key_frame,
}


def is_key_frame(mime: str, payload: bytes) -> bool:
    """Whether a key frame begins in this RTP payload. An unknown codec is taken as beginning anywhere."""
    detect = KEY_FRAME.get(mime.lower())
    return detect is None or detect(payload)
