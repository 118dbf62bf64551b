"""A room in which clients of every kind meet, on one of the servers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.support.browser import chromium
from tests.support.peers.differences import Difference, of
from tests.support.peers.firefox import Firefox
from tests.support.peers.node import NodeHost, NodePeer
from tests.support.peers.pages import ChromiumPage, PagePeer
from tests.support.peers.peer import Peer
from tests.support.peers.python import PythonPeer
from tests.support.peers.servers import Server, WithoutV1

# What every module of tests/peers that meets begins with: peers live in one event loop.
MARKS = [pytest.mark.peer, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]
KINDS = ["python-single", "python-dual", "node-single", "node-dual", "chromium-single", "chromium-dual", "firefox-single",
         "firefox-dual"]  # fmt: skip
_rooms = itertools.count(1)


class Clients:
    """What the peers of all tests share, started when it is asked for first."""

    def __init__(self, stack: contextlib.AsyncExitStack, pages: str, no_firefox: str = "") -> None:
        self._stack, self._pages, self._no_firefox = stack, pages, no_firefox
        self._chromium: Browser | None = None
        self._firefox: Firefox | None = None
        self._node: NodeHost | None = None

    async def make(self, client: str, identity: str) -> Peer:
        kind, mode = client.split("-")
        if kind == "python":
            return PythonPeer(mode, identity)
        if kind == "node":
            if self._node is None:
                try:
                    self._node = await self._stack.enter_async_context(NodeHost())
                except ConnectionError as error:
                    pytest.skip(str(error))
            return NodePeer(self._node, mode, identity)
        if kind == "chromium":
            if self._chromium is None:
                self._chromium = await self._stack.enter_async_context(chromium())
            return PagePeer(kind, mode, identity, await ChromiumPage.open(self._chromium, self._pages))
        if self._no_firefox:
            pytest.skip(f"Firefox needs an address besides loopback: {self._no_firefox}")
        if self._firefox is None:
            self._firefox = await self._stack.enter_async_context(Firefox())
        return PagePeer(kind, mode, identity, await self._firefox.page(self._pages))


class Meeting:
    """A room of a server's. Called, it makes somebody and lets them join; ``grants`` are of their token."""

    def __init__(self, server: Server, clients: Clients, stack: contextlib.AsyncExitStack, name: str) -> None:
        self.server, self.room = server, f"{name}-{next(_rooms)}"
        self.admin = server.admin()
        self._clients, self._stack = clients, stack
        self._without_v1: WithoutV1 | None = None

    async def make(self, client: str, identity: str) -> Peer:
        """Somebody who has not joined yet."""
        peer = await self._clients.make(client, identity)
        self._stack.push_async_callback(_leave, peer)
        return peer

    async def url(self, peer: Peer) -> str:
        if peer.mode != "fallback":
            return self.server.url
        if self._without_v1 is None:
            self._without_v1 = await self._stack.enter_async_context(WithoutV1(self.server))
        return self._without_v1.url

    async def __call__(
        self, client: str, identity: str, *, grants: dict[str, Any] | None = None, ttl: float = 600, **options: Any
    ) -> Peer:
        peer = await self.make(client, identity)
        token = self.server.token(identity, self.room, ttl=ttl, **(grants or {}))
        await peer.join(await self.url(peer), token, **options)
        return peer

    def differs(self, key: str) -> Difference | None:
        """The entry of the table of differences when this server is the one that differs from LiveKit, else None."""
        found = of(key)
        return found if self.server.name == "commhub" else None


async def _leave(peer: Peer) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(peer.close(), 10)
