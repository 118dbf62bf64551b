"""A camera's stream as a bridge feeds it: H.264 in small packets, made by hand."""

from __future__ import annotations

import time

from commhub.media.plane import Plane
from commhub.wire import rtp


class FedTrack:
    """Frames of ``packets`` packets; a key frame's first one begins an IDR slice."""

    def __init__(self, plane: Plane, receiver: int, layer: int = 0, *, ssrc: int = 500, timestamp: int = 0) -> None:
        self.plane, self.receiver, self.layer = plane, receiver, layer
        self.ssrc, self.timestamp, self.sequence = ssrc, timestamp, 0
        self.sent = 0

    def frame(self, *, key: bool = False, packets: int = 2, size: int = 60, ticks: int = 3600, at: int = 0) -> None:
        """One frame, fed at once."""
        for number in range(packets):
            head = b"\x65" if key and not number else b"\x41"
            body = head + self.sent.to_bytes(4, "big") + bytes((self.layer,)) * size
            packet = rtp.build(
                body,
                ssrc=self.ssrc,
                sequence=self.sequence,
                timestamp=self.timestamp,
                payload_type=96,
                marker=number == packets - 1,
            )
            self.plane.feed(self.receiver, packet, [(at or time.time_ns(), 0, len(packet))], self.layer)
            self.sequence = self.sequence + 1 & 0xFFFF
            self.sent += 1
        self.timestamp = self.timestamp + ticks & 0xFFFFFFFF
        self.plane.flush()

    def frames(self, count: int, *, key: bool = False) -> None:
        """``key``: the first one is a key frame."""
        for number in range(count):
            self.frame(key=key and not number)


def layer_of(packet: bytes) -> int:
    """Of a packet that came out: which layer it was cut from."""
    return rtp.payload(packet)[-1]


def is_key(packet: bytes) -> bool:
    return rtp.payload(packet)[0] == 0x65
