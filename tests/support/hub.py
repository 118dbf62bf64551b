"""A hub's signalling with a real media process on loopback, without accounts: its host lets everybody in."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from commhub.hidden import Secret
from commhub.media.workers import Workers
from commhub.turn import Turn
from signaling import tokens
from signaling.outs import Terms, ice_servers
from signaling.room_service import RoomService
from signaling.rooms import Rooms
from signaling.server import HTTP_LIMITS, Signalling
from signaling.twirp import Twirp
from signaling.whip import Whip
from tests.support import free_port, until
from tests.support.livekit import HUB_KEY, KEYS, OpenHost

REPOSITORY = Path(__file__).resolve().parents[2]
LIVEKIT_CLIENT = REPOSITORY / "web" / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js"
WORKER = """
import asyncio, ctypes, sys
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: a test that is killed leaves nothing running
from pathlib import Path
from commhub.media import worker
pairs = [tuple(pair.split("=")) for pair in sys.argv[4:]]
asyncio.run(worker.run(pairs=pairs, port=int(sys.argv[2]), run_dir=Path(sys.argv[1]), index=int(sys.argv[3])))
"""


class MediaProcess:
    """``media-<index>`` as a process of its own, to be killed and started again."""

    def __init__(self, run_dir: Path, *pairs: str, index: int = 0) -> None:
        self.run_dir, self.port, self.index = run_dir, free_port(), index
        self.pairs = pairs or ("127.0.0.1=127.0.0.1",)  # address to bind=address to announce
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = (sys.executable, "-c", WORKER, str(self.run_dir), str(self.port), str(self.index), *self.pairs)
        self._process = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            await self._process.wait()


async def _page(request: web.Request) -> web.FileResponse:
    return web.FileResponse(Path(__file__).with_name("page.html"))


async def _livekit_client(request: web.Request) -> web.FileResponse:
    return web.FileResponse(LIVEKIT_CLIENT)


class Hub:
    """``async with Hub() as hub``: ``hub.url`` is what LiveKit clients connect to, ``hub.base`` the page's origin.

    :meth:`crash` and :meth:`start` are a hub that is killed and started again; the media process does not notice.
    """

    def __init__(
        self,
        *,
        away: float = 20.0,
        host: str = "127.0.0.1",
        media: tuple[str, ...] = (),
        turn: Turn | None = None,
        workers: int = 1,
    ) -> None:
        self.run_dir = Path(tempfile.mkdtemp(prefix="hub-"))
        self.media = MediaProcess(self.run_dir, *media)
        self.processes = [self.media, *(MediaProcess(self.run_dir, *media, index=n) for n in range(1, workers))]
        # Held by the supervisor in a whole installation: it outlives the hub, and who dials meanwhile waits instead of failing.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, 0), family=family, backlog=128)
        self.port = self._listening.getsockname()[1]
        place = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.url, self.base = f"ws://{place}", f"http://{place}"
        self._ice_servers = ice_servers(turn or Turn((), Secret(""), 0), time.time)
        self.host = OpenHost()
        self._away, self._epoch = away, 0

    async def start(self) -> None:
        self._epoch += 1
        self.workers = Workers(self.run_dir, [f"media-{one.index}" for one in self.processes], self._epoch)
        terms = Terms(hub_key=HUB_KEY, away=self._away, ice_servers=self._ice_servers)
        self.rooms = Rooms(self.workers, self.host, KEYS, terms, workers=len(self.processes))
        self.signalling = Signalling(self.rooms)
        app = web.Application()
        app.add_routes(Whip(self.rooms).routes())
        app.add_routes([*self.signalling.routes(), *Twirp(self.rooms, RoomService(self.rooms).services()).routes()])
        app.router.add_get("/page", _page)
        app.router.add_get("/livekit-client.umd.js", _livekit_client)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, **HTTP_LIMITS)
        await self._runner.setup()
        await self.rooms.start()
        await self.workers.start()
        await web.SockSite(self._runner, self._listening.dup()).start()

    async def crash(self) -> None:
        """As the kernel ends a killed hub: every socket is gone, nobody is told anything."""
        assert self._runner.server is not None
        for site in list(self._runner.sites):
            await site.stop()
        for connection in list(self._runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await self.workers.close()
        await self.rooms.close_all()
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        for process in self.processes:
            await process.start()
        await self.start()
        await until(lambda: all(self.workers.health().values()), what="the media processes")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.signalling.close()
        await self.rooms.close_all()
        await self.workers.close()
        await self._runner.cleanup()
        for process in self.processes:
            await process.end(signal.SIGTERM)
        self._listening.close()
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def token(self, identity: str, room: str = "r", key: str = "own", **grants: object) -> str:
        grants = {"roomJoin": True, "room": room, "canUpdateOwnMetadata": True, **grants}
        return tokens.mint(key, KEYS, now=time.time(), ttl=600, identity=identity, name=identity.title(), grants=grants)
