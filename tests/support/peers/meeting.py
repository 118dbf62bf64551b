"""A room in which clients of every kind meet, on one of the servers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from typing import Any

import pytest
from livekit import api
from playwright.async_api import Browser

from tests.support.browser import chromium
from tests.support.peers import scripts
from tests.support.peers.differences import BY_KEY
from tests.support.peers.firefox import Firefox
from tests.support.peers.node import NodeHost, NodePeer
from tests.support.peers.pages import ChromiumPage, PagePeer
from tests.support.peers.peer import Peer
from tests.support.peers.python import PythonPeer
from tests.support.peers.servers import Server, WithoutV1

# What every module of tests/peers that meets begins with: peers live in one event loop.
MARKS = [pytest.mark.peer, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]
BROWSERS = ("chromium-single", "firefox-single")


def full(*clients: str) -> list[Any]:
    """Asked in ``make prove`` alone: what they share with others is asked each time."""
    return [pytest.param(client, marks=pytest.mark.prove) for client in clients]


EACH = ("python-single", "node-single", "chromium-single", "chromium-dual", "firefox-single")
MORE = ("python-dual", "node-dual", "firefox-dual")
KINDS = [*EACH, *full(*MORE)]
SINGLES = ["python-single", "chromium-single", *full("node-single", "firefox-single")]
FALLBACKS = ["chromium-fallback", *full("python-fallback", "node-fallback", "firefox-fallback")]
RECORDING = os.environ.get("COMMHUB_TESTS_RECORD") == "1"
_rooms = itertools.count(1)


class Clients:
    """What the peers of all tests share, started when it is asked for first."""

    def __init__(self, stack: contextlib.AsyncExitStack, pages: str, no_firefox: str = "") -> None:
        self._stack, self._pages, self._no_firefox = stack, pages, no_firefox
        self._chromium: Browser | None = None
        self._firefox: Firefox | None = None

    async def make(self, client: str, identity: str, stack: contextlib.AsyncExitStack) -> Peer:
        """Somebody; what is theirs alone ends with ``stack``."""
        kind, mode = client.split("-")
        if kind == "python":
            return PythonPeer(mode, identity)
        if kind == "node":
            try:
                host = await stack.enter_async_context(NodeHost())
            except ConnectionError as error:
                pytest.skip(str(error))
            return NodePeer(host, mode, identity)
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
        peer = await self._clients.make(client, identity, self._stack)
        self._stack.push_async_callback(_leave, peer)
        return peer

    async def url(self, peer: Peer) -> str:
        if peer.mode != "fallback":
            return self.server.url
        if self._without_v1 is None:
            self._without_v1 = await self._stack.enter_async_context(WithoutV1(self.server))
        return self._without_v1.url

    async def __call__(
        self, client: str, identity: str, *, room: str = "", grants: dict[str, Any] | None = None, **options: Any
    ) -> Peer:
        peer = await self.make(client, identity)
        token = self.server.token(identity, room or self.room, **(grants or {}))
        await peer.join(await self.url(peer), token, **options)
        return peer

    async def published(self, identity: str, *sources: str, within: float = 15.0) -> None:
        """Until the server itself says that these are there: who joins from now on finds them."""
        end = time.monotonic() + within
        while True:
            answer = await self.admin.room.list_participants(api.ListParticipantsRequest(room=self.room))
            tracks = [track for one in answer.participants if one.identity == identity for track in one.tracks]
            if {api.TrackSource.Name(track.source).lower() for track in tracks} >= set(sources):
                return
            assert time.monotonic() < end, f"{identity} has {tracks}"
            await asyncio.sleep(0.05)

    def refused(self) -> list[str]:
        """What the proxy that has never heard of ``/rtc/v1`` said no to."""
        return self._without_v1.refused if self._without_v1 is not None else []

    def expected(self, key: str) -> Any:
        """What this server shows where the two differ. KeyError when nobody wrote it into the table of differences."""
        one = BY_KEY[key]
        return one.livekit if self.server.name == "livekit" else one.commhub

    async def as_recorded(self, script: str, client: str, *listeners: Peer) -> None:
        """Each heard what was heard on LiveKit. AssertionError with both."""
        for listener in listeners:
            heard = scripts.sorted_out(await listener.told())
            name = f"{script}: {listener.identity}"
            if self.server.name == "livekit" and RECORDING:
                scripts.record(name, client, heard)
            expected = scripts.recorded(name, client)
            if (key := f"{script}/{client}/{listener.identity}") in BY_KEY:
                expected = {**expected, **self.expected(key)}
            assert heard == expected, f"{name} ({client}):\n" + scripts.compared(heard, expected)


async def _leave(peer: Peer) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(peer.close(), 10)
