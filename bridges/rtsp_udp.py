"""The two UDP sockets on which a camera's RTP and RTCP arrive (RFC 3550 section 11: an even port and the next one)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

from commhub.addresses import plain

_ATTEMPTS = 64
_RECEIVE_BUFFER = 4 << 20  # a key frame comes at once; the default loses its end
_RUN = 64  # datagrams before other sockets get their turn

Heard = Callable[[bytes, int], None]


class Pair:
    """Bound at once; ``start`` begins to read. Only datagrams from the camera's own address are taken. OSError without ports."""

    def __init__(self, local: str, remote: str) -> None:
        self._remote = plain(remote)
        self._address = remote
        self._rtp, self._rtcp, self.port = _bind(local)
        self._targets: tuple[int, int] | None = None
        self._reading = False
        for sock in (self._rtp, self._rtcp):
            sock.setblocking(False)
        with contextlib.suppress(OSError):
            self._rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)

    def target(self, rtp: int, rtcp: int) -> None:
        """The camera's ports. A first datagram to each opens the way through firewalls that track connections."""
        if not (0 < rtp < 65536 and 0 < rtcp < 65536):
            return
        self._targets = (rtp, rtcp)
        self._send(self._rtp, bytes((0x80, 0)) + bytes(10), rtp)

    def start(self, on_rtp: Heard, on_rtcp: Heard, on_flush: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._rtp.fileno(), self._read, self._rtp, on_rtp, on_flush)
        loop.add_reader(self._rtcp.fileno(), self._read, self._rtcp, on_rtcp, on_flush)
        self._reading = True

    def _read(self, sock: socket.socket, heard: Heard, flush: Callable[[], None]) -> None:
        now = time.time_ns()
        for _ in range(_RUN):
            try:
                data, source = sock.recvfrom(2048)
            except OSError:  # nothing more, or an ICMP error of something we sent
                break
            if plain(source[0]) == self._remote:
                heard(data, now)
        flush()

    def send_control(self, data: bytes) -> None:
        if self._targets is not None:
            self._send(self._rtcp, data, self._targets[1])

    def _send(self, sock: socket.socket, data: bytes, port: int) -> None:
        with contextlib.suppress(OSError):
            sock.sendto(data, (self._address, port))

    def close(self) -> None:
        if self._reading:
            self._reading = False
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._rtp.fileno())
            loop.remove_reader(self._rtcp.fileno())
        self._rtp.close()
        self._rtcp.close()


def _bind(local: str) -> tuple[socket.socket, socket.socket, int]:
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    for _ in range(_ATTEMPTS):
        rtp = socket.socket(family, socket.SOCK_DGRAM)
        rtcp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            rtp.bind((local, 0))
            port: int = rtp.getsockname()[1]
            if port % 2 == 0 and port < 65535:
                rtcp.bind((local, port + 1))
                return rtp, rtcp, port
        except OSError:
            pass
        rtp.close()
        rtcp.close()
    raise OSError("No pair of free UDP ports was found.")
