"""H.264 for tests: made with x264, read back by an independent reading of RFC 6184."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from itertools import groupby

import av

from commhub.wire import h264

FAST = {"preset": "ultrafast", "tune": "zerolatency"}


def encode(width: int, height: int, frames: int, options: dict[str, str]) -> list[list[bytes]]:
    """Access units (lists of NAL units) of a pattern that moves."""
    encoder = _encoder("libx264", width, height, options)
    units = []
    for number in range(frames):
        units += [h264.split_annex_b(bytes(packet)) for packet in encoder.encode(_frame(width, height, number))]
    return units + [h264.split_annex_b(bytes(packet)) for packet in encoder.encode(None)]


def stream(name: str, width: int, height: int, frames: int, options: dict[str, str]) -> list[tuple[bytes, int, bool]]:
    """Access units (annex B) in the order of decoding, the number of the picture, and whether it is a key frame."""
    encoder = _encoder(name, width, height, options)
    packets = [packet for number in range(frames) for packet in encoder.encode(_frame(width, height, number))]
    packets += encoder.encode(None)
    return [(bytes(packet), packet.pts or 0, packet.is_keyframe) for packet in packets]


def _encoder(name: str, width: int, height: int, options: dict[str, str]) -> av.VideoCodecContext:
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.options = {"threads": "1"} | options
    return encoder


def _frame(width: int, height: int, number: int) -> av.VideoFrame:
    pattern = bytes(range(256))
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane in frame.planes:
        size, moved = plane.buffer_size, number * 3 % 256
        plane.update((pattern * (size // 256 + 2))[moved : moved + size])
    frame.pts = number
    return frame


@cache
def pictures(count: int = 12, group: int = 6) -> list[list[bytes]]:
    """Small pictures without parameter sets in band: ``[slice]`` each, the first of every ``group`` an IDR."""
    units = encode(320, 180, count, FAST | {"g": str(group), "bf": "0"})
    return [[unit for unit in access if unit[0] & 31 in (h264.SLICE, h264.IDR)] for access in units]


@cache
def parameter_sets() -> list[bytes]:
    units = encode(320, 180, 1, FAST | {"g": "6", "bf": "0"})[0]
    return [unit for unit in units if unit[0] & 31 in (h264.SPS, h264.PPS)]


def reassemble(payloads: Iterable[h264.Bytes]) -> list[bytes]:
    """NAL units of RTP payloads; strict about start and end bits."""
    units: list[bytes] = []
    open_unit: bytearray | None = None
    for payload in payloads:
        kind = payload[0] & 31
        if kind == 28:
            start, end = payload[1] & 0x80, payload[1] & 0x40
            assert not (start and end)
            if start:
                assert open_unit is None
                open_unit = bytearray([payload[0] & 0xE0 | payload[1] & 0x1F])
            assert open_unit is not None
            open_unit += payload[2:]
            if end:
                units.append(bytes(open_unit))
                open_unit = None
            continue
        assert open_unit is None
        units += [bytes(unit) for unit in h264.aggregated(payload)] if kind == 24 else [bytes(payload)]
    assert open_unit is None
    return units


def decode(packets: Iterable[bytes]) -> list[av.VideoFrame]:
    """What a decoder makes of RTP packets with 12-octet headers: whole pictures in order of arrival."""
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    frames: list[av.VideoFrame] = []
    for _, picture in groupby(packets, key=lambda packet: packet[4:8]):
        units = reassemble(packet[12:] for packet in picture)
        frames += decoder.decode(av.Packet(b"".join(h264.START_CODE + unit for unit in units)))
    return frames + decoder.decode(None)
