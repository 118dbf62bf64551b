"""/events: what happens, to every page that may know it, in order, with resume.

A page gets ``hello`` with the number of the newest event, may ask for what came after the last one it saw, and from then
gets every event it may see. Who may see one is asked anew for each, by the rights of that moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from commhub import log as logs
from commhub.api.gate import COOKIE, Gate, guarded
from commhub.api.problems import language
from commhub.auth import Auth
from commhub.errors import Busy
from commhub.events import Events, Published
from commhub.model import Actor
from commhub.tasks import Tasks
from commhub.terminals import Page

log = logs.get(__name__)

WAITING_LIMIT = 1_000  # events a page may be behind before it has to load everything again
MESSAGE_LIMIT = 4_096  # bytes of what a page says
CHECK_SECONDS = 15.0  # how long a changed right or an ended sign-in may go unnoticed by an open page
PER_PERSON = 16  # pages open at once
RESYNC = json.dumps({"type": "resync"})


class Hearing(Protocol):
    """Who hears what pages say, besides what is about events themselves."""

    async def receive(self, page: Page, said: dict[str, Any]) -> None: ...
    def gone(self, page: Page) -> None: ...


class Stream:
    """One open page."""

    _numbers = itertools.count(1)

    def __init__(self, actor: Actor, english: bool = False) -> None:
        self.actor = actor
        self.page = Page(next(self._numbers), lambda: self.actor, self.tell, english)
        self._waiting: asyncio.Queue[Published | str] = asyncio.Queue(WAITING_LIMIT)
        self._sent = 0  # seq
        self._behind = False
        self._turn = asyncio.Lock()  # live and missed events keep one order

    def tell(self, message: dict[str, Any]) -> None:
        self.hear(json.dumps(message, ensure_ascii=False))

    def hear(self, what: Published | str) -> None:
        if isinstance(what, Published) and not what.concerns(self.actor):
            return
        try:
            self._waiting.put_nowait(what)
        except asyncio.QueueFull:
            self._behind = True

    async def pump(self, send: Callable[[str], Awaitable[None]]) -> None:
        while True:
            what = await self._waiting.get()
            async with self._turn:
                if self._behind:
                    await self._catch_up(what, send)
                elif isinstance(what, str):
                    await send(what)
                elif what.event.seq > self._sent:
                    self._sent = what.event.seq
                    await send(what.wire)

    async def _catch_up(self, what: Published | str, send: Callable[[str], Awaitable[None]]) -> None:
        waiting = [what]
        while not self._waiting.empty():
            waiting.append(self._waiting.get_nowait())
        self._behind = False
        self._sent = max([self._sent, *(one.event.seq for one in waiting if isinstance(one, Published))])
        await send(RESYNC)

    async def resume(self, seq: int, events: Events, send: Callable[[str], Awaitable[None]]) -> None:
        async with self._turn:
            # Something newer has already gone out: what lies before it would come too late.
            missed = await events.since(seq) if self._sent <= seq else None
            if missed is None:
                await send(RESYNC)
                return
            for one in missed:
                self._sent = one.event.seq
                if one.concerns(self.actor):
                    await send(one.wire)


class Streams:
    """``hearing`` says who hears which type of message."""

    def __init__(self, gate: Gate, auth: Auth, events: Events, hearing: Mapping[str, Hearing] | None = None) -> None:
        self._gate, self._auth, self._events, self._hearing = gate, auth, events, dict(hearing or {})
        self._open: set[Stream] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        self._people: Counter[str] = Counter()
        events.listen(self._happened)

    @property
    def online(self) -> set[str]:
        """People with a page open."""
        return set(self._people)

    def _happened(self, published: Published) -> None:
        for stream in self._open:
            stream.hear(published)

    def transient(self, message: dict[str, Any]) -> None:
        """To everybody, without number and history."""
        text = json.dumps(message, ensure_ascii=False)
        for stream in self._open:
            stream.hear(text)

    def handler(self) -> Callable[[web.Request], Awaitable[Any]]:
        return guarded(self._serve)

    async def close(self) -> None:
        for socket in list(self._sockets):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        self._gate.check_origin(request, required=True)
        sign_in = await self._gate.who(request)
        actor = sign_in.actor
        if self._people[actor.id] >= PER_PERSON:
            raise Busy("Too many pages are open under this account.", "该账号打开的页面过多。")
        socket = web.WebSocketResponse(heartbeat=20, max_msg_size=MESSAGE_LIMIT, compress=True)
        await socket.prepare(request)
        stream = Stream(actor, language(request.headers.get("Accept-Language", "")) == "en")
        self._sockets.add(socket)
        self._enter(stream)
        lock = asyncio.Lock()

        async def send(text: str) -> None:
            async with lock:
                await socket.send_str(text)

        try:
            async with Tasks("events") as tasks:
                # Listening already: nothing falls between this number and the first event.
                hello = {"type": "hello", "seq": await self._events.last(), "person": actor.id}
                await send(json.dumps(hello))
                tasks.spawn(_quiet(self._watch(request, stream, socket)), "rights")
                tasks.spawn(_quiet(stream.pump(send)), "pump")
                await self._listen(socket, stream, send)
        except ConnectionError:
            pass  # the page is gone
        finally:
            for hearing in set(self._hearing.values()):
                hearing.gone(stream.page)
            self._sockets.discard(socket)
            self._leave(stream)
        return socket

    async def _listen(self, socket: web.WebSocketResponse, stream: Stream, send: Callable[[str], Awaitable[None]]) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            try:
                said = json.loads(message.data)
                seq = said["seq"] if said["type"] == "resume" else None
                hearing = self._hearing.get(said["type"])
            except (ValueError, KeyError, TypeError, RecursionError):
                await socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
                break
            if hearing is not None:
                try:
                    await hearing.receive(stream.page, said)
                except ValueError as error:
                    stream.tell({"type": "refused", "of": said["type"], "code": "invalid", "detail": str(error)})
            if isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < 1 << 62:
                await stream.resume(seq, self._events, send)
            elif seq is not None:
                await send(RESYNC)

    async def _watch(self, request: web.Request, stream: Stream, socket: web.WebSocketResponse) -> None:
        """An open page keeps its sign-in alive, follows changes of rights, and closes when the sign-in has ended."""
        token, address = request.cookies.get(COOKIE, ""), stream.actor.address
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            sign_in = await self._auth.who(token, address)
            if sign_in is None:
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"signed out")
                return
            stream.actor = sign_in.actor

    def _enter(self, stream: Stream) -> None:
        self._people[stream.actor.id] += 1
        if self._people[stream.actor.id] == 1:
            self.transient({"type": "presence", "person": stream.actor.id, "online": True, "at": int(time.time() * 1000)})
        self._open.add(stream)

    def _leave(self, stream: Stream) -> None:
        self._open.discard(stream)
        self._people[stream.actor.id] -= 1
        if self._people[stream.actor.id] <= 0:
            del self._people[stream.actor.id]
            self.transient({"type": "presence", "person": stream.actor.id, "online": False, "at": int(time.time() * 1000)})


async def _quiet(work: Awaitable[None]) -> None:
    with contextlib.suppress(ConnectionError):
        await work
