"""Receiver reports to a device that sends by UDP (RFC 3550 §6.4.2): some stop when nobody tells them that anything arrives.

They cost nothing per packet: at each report the newest number and the count are compared with those of the last one. Jitter is
not measured (0). Nothing is sent to anywhere but the host that media come from.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable

from bridges.gb28181.gate import Gate
from commhub.wire import rtcp

SECONDS = 5.0
_RUN = 16  # datagrams at a time
_SIZE = 1500


class Reporter:
    """What the reports of one call say. ``now`` is monotonic seconds."""

    def __init__(self, own: int) -> None:
        self._own = own
        self._ssrc: int | None = None
        self._base = self._highest = 0  # extended
        self._packets = self._before = self._expected = 0
        self._report: tuple[int, float] | None = None  # the middle of the NTP time of the device's last report, and when it came

    def heard(self, datagram: bytes, now: float) -> None:
        """RTCP of the device; what cannot be read is passed over."""
        with contextlib.suppress(ValueError):
            for one in rtcp.parse(datagram):
                if isinstance(one, rtcp.SenderReport):
                    self._report = one.ntp >> 16 & 0xFFFF_FFFF, now

    def report(self, ssrc: int, newest: int, packets: int, now: float) -> bytes:
        """``newest`` is the highest number so far, ``packets`` have come since the beginning. What was lost before the first
        report is not counted."""
        if ssrc != self._ssrc:
            self._ssrc, self._base, self._highest = ssrc, newest, newest
            self._packets = self._before = packets
            self._expected = 0
        else:
            ahead = newest - self._highest & 0xFFFF
            self._highest += ahead if ahead < 0x8000 else 0
        expected = self._highest - self._base
        missing = max(0, expected - self._expected - (packets - self._before))
        share = min(255, missing * 256 // (expected - self._expected)) if expected > self._expected else 0
        lost = expected - (packets - self._packets)
        self._expected, self._before = expected, packets
        since, age = 0, 0
        if self._report is not None:
            since, age = self._report[0], int((now - self._report[1]) * 65536)
        block = rtcp.Report(ssrc, share, lost, self._highest & 0xFFFF_FFFF, 0, since, age)
        return rtcp.build_receiver_report(self._own, [block]) + rtcp.build_source_description(self._own, "commhub")


class Reports:
    """The socket beside that of the media, on the next port. ``newest`` gives the highest RTP number, None before the first."""

    def __init__(self, host: str, port: int, gate: Gate, newest: Callable[[], int | None]) -> None:
        """OSError when the port is taken."""
        self._gate, self._newest = gate, newest
        self._reporter = Reporter(secrets.randbits(32))
        self._media, self._control = 0, 0  # the device's ports, as it says
        self._socket = made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        try:
            made.bind((host, port))
        except OSError:
            made.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(made.fileno(), self._read)
        self._timer = self._loop.call_later(SECONDS, self._send)

    def towards(self, media: int, control: int | None) -> None:
        """``media`` is the port in the device's answer, ``control`` that of its a=rtcp."""
        self._media, self._control = media, control or 0

    def _read(self) -> None:
        for _ in range(_RUN):
            try:
                data, place = self._socket.recvfrom(_SIZE)
            except OSError:
                return
            if self._gate.source is not None and place[0] == self._gate.source[0]:
                self._reporter.heard(data, time.monotonic())

    def _send(self) -> None:
        self._timer = self._loop.call_later(SECONDS, self._send)
        place, ssrc, newest = self._gate.source, self._gate.ssrc, self._newest()
        port = self._port()
        if place is None or ssrc is None or newest is None or not port:
            return
        with contextlib.suppress(OSError):
            report = self._reporter.report(ssrc, newest, self._gate.packets, time.monotonic())
            self._socket.sendto(report, (place[0], port))

    def _port(self) -> int:
        """Of its RTCP: as it says, else the one after an even port from which it really sends; 0 where that is not known."""
        if self._control:
            return self._control
        sends = self._gate.source is not None and self._gate.source[1] == self._media
        return self._media + 1 if sends and self._media % 2 == 0 else 0

    def close(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
