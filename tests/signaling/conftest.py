from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from signaling.outs import Terms
from signaling.room_service import RoomService
from signaling.rooms import Rooms
from signaling.server import HTTP_LIMITS, Signalling
from signaling.twirp import Twirp
from tests.support.house import House
from tests.support.livekit import HUB_KEY, KEYS, OpenHost, ScriptedEngine


@pytest.fixture
async def house() -> AsyncIterator[House]:
    engine = ScriptedEngine()
    rooms = Rooms(engine, OpenHost(), KEYS, Terms(hub_key=HUB_KEY, away=0.6), patience=0.8, settle=0.2)
    signalling = Signalling(rooms)
    app = web.Application()
    app.add_routes([*signalling.routes(), *Twirp(rooms, RoomService(rooms).services()).routes()])
    server = TestServer(app)
    await server.start_server(**HTTP_LIMITS)
    async with TestClient(server) as client:
        await rooms.start()
        engine.ready("media-0")
        yield House(client, rooms, signalling)
        await rooms.close_all()
        await signalling.close()
