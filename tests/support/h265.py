"""H.265 for tests: made with x265, read back by an independent, strict reading of RFC 7798."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import av

from bridges.timeline import unwrap
from commhub.wire import h264
from tests.support.h264 import stream

_X265 = "log-level=none:repeat-headers=1:info=0:pools=none:frame-threads=1"


@cache
def film(count: int = 25, group: int = 5, b_frames: int = 0) -> list[tuple[bytes, int, bool]]:
    """Access units (annex B) in the order of decoding, the number of the picture, whether it is a key frame."""
    words = f"{_X265}:keyint={group}:min-keyint={group}:bframes={b_frames}:open-gop=0"
    return stream("libx265", 320, 180, count, {"preset": "ultrafast", "x265-params": words})


def units(film: Iterable[tuple[bytes, int, bool]]) -> list[bytes]:
    return [unit for data, _, _ in film for unit in h264.split_annex_b(data)]


def reassemble(payloads: Iterable[bytes]) -> list[bytes]:
    """NAL units of RTP payloads (sections 4.4.1 to 4.4.3); strict about start and end bits."""
    found: list[bytes] = []
    part: bytearray | None = None
    for payload in payloads:
        kind = payload[0] >> 1 & 0x3F
        if kind == 49:
            begins, ends = payload[2] & 0x80, payload[2] & 0x40
            assert not (begins and ends)
            if begins:
                assert part is None
                part = bytearray([payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]])
            assert part is not None
            part += payload[3:]
            if ends:
                found.append(bytes(part))
                part = None
            continue
        assert part is None
        if kind == 48:
            at = 2
            while at < len(payload):
                size = int.from_bytes(payload[at : at + 2], "big")
                assert size
                assert at + 2 + size <= len(payload)
                found.append(payload[at + 2 : at + 2 + size])
                at += 2 + size
        else:
            assert kind < 48
            found.append(payload)
    return found


def received(packets: Iterable[bytes]) -> list[bytes]:
    """The NAL units of whole pictures in RTP packets."""
    got = [unwrap(packet) for packet in packets]
    while got and not got[-1].marker:
        got.pop()
    return reassemble(one.payload for one in got)


def decode(packets: Iterable[bytes]) -> list[av.VideoFrame]:
    """What a decoder shows of RTP packets that begin with a key frame."""
    decoder = av.CodecContext.create("hevc", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    frames: list[av.VideoFrame] = []
    for unit in received(packets):
        frames += decoder.decode(av.Packet(b"\0\0\0\1" + unit))
    return frames + decoder.decode(None)


def children(parent: int | None = None) -> list[int]:
    """The processes that convert for ``parent``, by default this one."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                of = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if of == (parent or os.getpid()) and b"bridges.transcode_child" in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except (OSError, IndexError):
                continue
    return found
