"""Connections of cameras take turns: who has brought media is read again together with all others, some milliseconds later.
Waking up for each piece of each picture costs more than reading it."""

from __future__ import annotations

import asyncio
import contextlib
from weakref import WeakKeyDictionary

TURN_SECONDS = 0.04  # the price in delay: a picture, as most cameras make them
OCTETS = 256 << 10  # of one reading: what a connection may take before others have their turn

_all: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


class Turns:
    """One for each event loop. ``octets`` is where its connections are read to, one after the other."""

    def __init__(self) -> None:
        self.octets = memoryview(bytearray(OCTETS))
        self._resting: list[asyncio.Transport] = []

    @staticmethod
    def here() -> Turns:
        loop = asyncio.get_running_loop()
        if loop not in _all:
            _all[loop] = Turns()
        return _all[loop]

    def rest(self, transport: asyncio.Transport) -> None:
        """Not read until the next turn. What comes waits in the kernel."""
        if transport.is_closing() or not transport.is_reading():
            return
        transport.pause_reading()
        if not self._resting:
            asyncio.get_running_loop().call_later(TURN_SECONDS, self._turn)
        self._resting.append(transport)

    def _turn(self) -> None:
        resting, self._resting = self._resting, []
        for transport in resting:
            with contextlib.suppress(RuntimeError):  # it has been closed since
                transport.resume_reading()
