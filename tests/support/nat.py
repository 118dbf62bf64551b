"""A NAT between clients and a media port: it forwards datagrams, and gives its clients another outer port when told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import TracebackType
from typing import Self

Address = tuple[str, int]


class Nat:
    """Listens at ``inside``, forwards to ``outside``; every client has one outer socket, as a NAT's mapping."""

    def __init__(self, inside: Address, outside: Address) -> None:
        self.inside, self.outside = inside, outside
        self.listener = _udp(inside)
        self._mappings: dict[Address, socket.socket] = {}
        self._before: dict[Address, int] = {}

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self.listener, self._out)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        loop = asyncio.get_running_loop()
        for one in (self.listener, *self._mappings.values()):
            loop.remove_reader(one)
            one.close()

    def passes(self, client: Address, *, up: bool) -> bool:
        """Does this datagram of a client (or to it) get through?"""
        return True

    def rebind(self, *, back: bool = False) -> None:
        """Every client gets another outer port, or the one it had before: what is sent to the present one is lost from now on."""
        for client, one in list(self._mappings.items()):
            asyncio.get_running_loop().remove_reader(one)
            port = self._before.get(client, 0) if back else 0
            self._before[client] = one.getsockname()[1]
            one.close()
            self._map(client, port)

    def _map(self, client: Address, port: int = 0) -> socket.socket:
        one = _udp(("127.0.0.1", port))
        self._mappings[client] = one
        asyncio.get_running_loop().add_reader(one, self._in, one, client)
        return one

    def _out(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, client = self.listener.recvfrom(2048)
                one = self._mappings.get(client) or self._map(client)
                if self.passes(client, up=True):
                    with contextlib.suppress(OSError):
                        one.sendto(data, self.outside)

    def _in(self, one: socket.socket, client: Address) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = one.recv(2048)
                if self.passes(client, up=False):
                    self.listener.sendto(data, client)


def _udp(address: Address) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    one.bind(address)
    return one
