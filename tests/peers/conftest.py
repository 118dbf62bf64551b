"""The same tests against both servers, with clients of every kind.

``meet`` is a room of one test: ``await meet("chromium-single", "alice")`` is somebody in it. Servers, browsers and the Node
process live as long as all the tests; a test has a room of its own, and pages of its own.

CommHub is always tested. LiveKit 1.13.3 is where ``COMMHUB_TESTS_LIVEKIT=1`` is set, and in ``make prove``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.far import Far, reason
from tests.support.hub import Hub
from tests.support.peers.meeting import Clients, Meeting
from tests.support.peers.pages import PageServer
from tests.support.peers.servers import CommHub, LiveKit, Server, livekit_binary

ASKED = os.environ.get("COMMHUB_TESTS_LIVEKIT") == "1"
LIVEKIT = pytest.param("livekit", marks=() if ASKED else pytest.mark.prove)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", ["commhub", LIVEKIT], indirect=True, scope="session")


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def addresses() -> AsyncIterator[list[str]]:
    """Where media goes: loopback, and the near end of a cable to a network of our own, because Firefox wants another."""
    if reason():
        yield ["127.0.0.1"]
        return
    async with Far() as far:
        yield ["127.0.0.1", far.here]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(request: pytest.FixtureRequest, addresses: list[str]) -> AsyncIterator[Server]:
    if request.param == "commhub":
        async with CommHub(addresses) as hub:
            yield hub
        return
    binary = livekit_binary()
    if not binary:
        pytest.skip("LiveKit 1.13.3 could not be built (.cache/livekit.log)")
    async with LiveKit(binary, addresses) as livekit:
        yield livekit


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def clients(addresses: list[str]) -> AsyncIterator[Clients]:
    async with contextlib.AsyncExitStack() as stack:
        pages = await stack.enter_async_context(PageServer())
        yield Clients(stack, pages.url, reason() if len(addresses) == 1 else "")


@pytest_asyncio.fixture(loop_scope="session")
async def meet(server: Server, clients: Clients, request: pytest.FixtureRequest) -> AsyncIterator[Meeting]:
    async with contextlib.AsyncExitStack() as stack:
        meeting = Meeting(server, clients, stack, request.node.originalname)
        stack.push_async_callback(meeting.admin.aclose)
        yield meeting
