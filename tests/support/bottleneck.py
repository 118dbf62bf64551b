"""A narrow line behind a media worker's socket: so many bits a second to each address, behind a queue that drops at its end."""

from __future__ import annotations

import asyncio
from typing import Any

from commhub.media.sockets import Key, UdpPort

QUEUE = 0.3  # s


class Line:
    """To one address. ``free_at`` is when everything that waits has left."""

    def __init__(self) -> None:
        self.free_at = 0.0
        self.dropped = 0


def install(bits_per_second: int, least: int = 100_000) -> None:
    """Every UDP port of this process from now on sends like that. Addresses that were sent less than ``least`` octets so far
    are not slowed: connections come up as ever, and what publishers hear from us is little."""
    real: Any = UdpPort.send
    lines: dict[Key, Line] = {}
    sent: dict[Key, int] = {}

    def send(port: UdpPort, key: Key, pairs: list[bytes]) -> int:
        size = sum(map(len, pairs))
        sent[key] = sent.get(key, 0) + size
        if sent[key] < least:
            result: int = real(port, key, pairs)
            return result
        loop = asyncio.get_running_loop()
        line, now, dropped = lines.setdefault(key, Line()), loop.time(), 0
        for at in range(0, len(pairs), 2):
            pair = pairs[at : at + 2]
            line.free_at = max(line.free_at, now)
            if line.free_at - now > QUEUE:
                dropped += 1
                continue
            line.free_at += sum(map(len, pair)) * 8 / bits_per_second
            loop.call_at(line.free_at, real, port, key, pair)
        return dropped

    setattr(UdpPort, "send", send)  # noqa: B010
