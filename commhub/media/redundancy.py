"""Redundant audio (RFC 2198) on its way in: repairs what was lost, and goes on as if it had come plain.

Inside the data plane every audio packet is one plain frame; who negotiated redundancy gets it wrapped anew
(:attr:`commhub.media.uplink.Packet.earlier`). So losses on the way here are mended for everybody, recorders too. No I/O.
"""

from __future__ import annotations

from commhub.media.srtp import Window
from commhub.wire import red

MIME = "audio/red"


def unwrap(window: Window, index: int, timestamp: int, mark: int, payload: bytes) -> list[tuple[int, int, int, bytes]]:
    """``(packet index, M and PT octet, time stamp, frame)`` in order: frames that have not come, then the packet's own.
    A sender repeats the packets right before this one, so the last block belongs to ``index - 1``. ValueError."""
    found = red.parse(payload)
    frames: list[tuple[int, int, int, bytes]] = []
    for distance, block in enumerate(reversed(found.earlier), 1):
        missed = index - distance
        if missed >= 0 and window.fresh(missed):
            window.accept(missed)
            frames.append((missed, found.payload_type, timestamp - block.back & 0xFFFFFFFF, block.data))
    frames.reverse()
    frames.append((index, mark & 0x80 | found.payload_type, timestamp, found.primary))
    return frames
