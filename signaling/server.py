"""LiveKit's WebSocket and the validate endpoints, for aiohttp.

``GET /rtc/v1`` (single peer connection), ``GET /rtc`` (two), each with ``/validate``. A request that may not enter gets its
HTTP status and a sentence before the WebSocket opens; browsers cannot read that, so clients ask ``/validate`` for it, and
every answer carries CORS headers.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from livekit.protocol import models, rtc

from commhub import log as logs
from commhub.conference import Ticket
from commhub.errors import Busy, HubError, Invalid
from commhub.guard import Entries, Pace
from signaling import describing, messages, tokens
from signaling.joining import JoinTimes
from signaling.rooms import Rooms

log = logs.get(__name__)

# Keyword arguments of the AppRunner: a join request with an offer does not fit into aiohttp's default request line.
HTTP_LIMITS: dict[str, Any] = {"max_line_size": 72 * 1024, "max_field_size": 32 * 1024}

HEARTBEAT_SECONDS = 20.0
MAX_QUEUE_BYTES = 8 * 1024 * 1024
MAX_QUEUE_FRAMES = 4000
REQUESTS_PER_SECOND = 100.0
# A session description is the most work that a client can ask a media worker for: each octet counts so many times more.
DESCRIPTIONS, DESCRIPTION_WEIGHT = ("offer", "answer"), 4
TEXT_WEIGHT = 4
# Frames to others and commands to a worker that one message may cause; so many more count as one more message: nobody keeps
# a room of hundreds busy by what costs himself nothing.
WORK_OF_A_MESSAGE = 25
CLOSE_SECONDS = 5.0

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Max-Age": "86400",
}


class PeerSocket:
    """One WebSocket: a queue and the task that empties it. A client that does not read is cut; it may resume."""

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.BaseTransport | None) -> None:
        self._ws, self._transport = ws, transport
        self._queue: deque[bytes | str] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self.json = False

    def send(self, response: rtc.SignalResponse, packed: bytes) -> None:
        if self._closing:
            return
        frame = messages.encode_json(response) if self.json else packed
        self._queue.append(frame)
        self._bytes += len(frame)
        if self._bytes > MAX_QUEUE_BYTES or len(self._queue) > MAX_QUEUE_FRAMES:
            self._queue.clear()
            self.abort()
        self._wake.set()

    def abort(self) -> None:
        """Now, whatever is still to be sent."""
        self._closing = True
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    def close(self) -> None:
        self._closing = True
        self._wake.set()

    async def write(self) -> None:
        """Until closed; then the WebSocket is closed too."""
        try:
            while not self._ws.closed:
                while self._queue:
                    frame = self._queue.popleft()
                    self._bytes -= len(frame)
                    if isinstance(frame, str):
                        await self._ws.send_str(frame)
                    else:
                        await self._ws.send_bytes(frame)
                if self._closing:
                    break
                self._wake.clear()
                await self._wake.wait()
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._ws.close(code=WSCloseCode.OK)
        except (ConnectionError, RuntimeError, TimeoutError):
            pass  # the reader sees the end of the connection and tells


class Signalling:
    """The routes of LiveKit's signalling. ``malformed`` counts messages that could not be read, ``pace`` is how many one client
    may send a second."""

    def __init__(self, rooms: Rooms, entries: Entries | None = None, pace: float = REQUESTS_PER_SECOND) -> None:
        self.rooms = rooms
        self._entries, self._pace = entries, pace
        self.malformed = 0
        self.joins: JoinTimes | None = None
        self._open: set[web.WebSocketResponse] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/rtc/v1", self._connect_v1),
            web.get("/rtc/v1/validate", self._validate),
            web.get("/rtc", self._connect_v0),
            web.get("/rtc/validate", self._validate),
            web.options("/rtc/v1/validate", _preflight),
            web.options("/rtc/validate", _preflight),
        ]

    async def close(self) -> None:
        """The hub stops: every WebSocket ends, clients come back by themselves."""
        ending = (ws.close(code=WSCloseCode.SERVICE_RESTART) for ws in list(self._open))
        await asyncio.gather(*ending, return_exceptions=True)

    # ------------------------------------------------------------------------------------------ before the WebSocket

    def ticket(self, request: web.Request) -> Ticket:
        """From ``Authorization: Bearer`` or the query. Unauthenticated."""
        return tokens.verify(bearer(request), self.rooms.keys, self.rooms.now())

    async def _validate(self, request: web.Request) -> web.Response:
        try:
            await self.rooms.admit(self.ticket(request), request.query.get("room", ""), only_ask=True)
        except HubError as error:
            return refusal(error)
        return web.Response(text="success", headers=CORS)

    async def _connect_v1(self, request: web.Request) -> web.StreamResponse:
        return await self._connect(request, lambda: messages.parse_join(request.query.get("join_request", "")), dual=False)

    async def _connect_v0(self, request: web.Request) -> web.StreamResponse:
        return await self._connect(request, lambda: messages.join_from_query(request.query), dual=True)

    async def _connect(self, request: web.Request, read: Callable[[], rtc.JoinRequest], *, dual: bool) -> web.StreamResponse:
        """The token comes first: a join request of 700 octets may unpack to more work than a stranger is worth."""
        ws = web.WebSocketResponse(
            heartbeat=HEARTBEAT_SECONDS,
            compress=False,
            max_msg_size=messages.MAX_FRAME * 2,  # what is too long is refused by name, not by a cut connection
            timeout=CLOSE_SECONDS,
        )
        since = self.rooms.now()
        try:
            if not ws.can_prepare(request).ok:
                raise Invalid("This address speaks WebSocket only.", "此地址仅支持 WebSocket。")
            ticket = self.ticket(request)
            if self._entries is not None and (seconds := self._entries.again(f"{ticket.key} {ticket.identity}")) > 0:
                return _too_often(seconds)
            join = self._read_join(read)
            resuming = join.reconnect and bool(join.participant_sid)
            describing.introduced(ticket, join)
            if self._entries is not None and not resuming:
                self._entries.join(request)
            room = await self.rooms.admit(ticket, request.query.get("room", ""), resuming=resuming)
        except HubError as error:
            return refusal(error)
        await ws.prepare(request)
        self._open.add(ws)
        try:
            await self._serve(ws, request.transport, room, ticket, join, resuming=resuming, dual=dual, since=since)
        finally:
            self._open.discard(ws)
        return ws

    def _read_join(self, read: Callable[[], rtc.JoinRequest]) -> rtc.JoinRequest:
        try:
            return read()
        except ValueError as error:
            self._count("join request", str(error))
            raise Invalid(str(error), "加入请求无法读取。") from None

    # ------------------------------------------------------------------------------------------ the WebSocket

    async def _serve(
        self,
        ws: web.WebSocketResponse,
        transport: asyncio.BaseTransport | None,
        room: str,
        ticket: Ticket,
        join: rtc.JoinRequest,
        *,
        resuming: bool,
        dual: bool,
        since: float,
    ) -> None:
        socket = PeerSocket(ws, transport)
        sid = join.participant_sid
        try:
            if not resuming:
                sid = self.rooms.join(room, ticket, join, socket, dual=dual)
                if self.joins is not None:
                    self.joins.began(sid, since)
            elif not self.rooms.resume(room, ticket, join, socket):
                await _leave(ws, models.DisconnectReason.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
                return
        except HubError:
            await _leave(ws, models.DisconnectReason.ROOM_DELETED, rtc.LeaveRequest.DISCONNECT)
            return
        writer = asyncio.create_task(socket.write(), name=f"signalling {sid}: write")
        try:
            await self._read(ws, room, sid, socket)
        finally:
            self.rooms.disconnected(room, sid, socket)
            socket.close()
            _, late = await asyncio.wait([writer], timeout=CLOSE_SECONDS)
            if late:
                socket.abort()
                await writer

    async def _read(self, ws: web.WebSocketResponse, room: str, sid: str, socket: PeerSocket) -> None:
        loop = asyncio.get_running_loop()
        pace = Pace(self._pace)
        async for frame in ws:
            if frame.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                return
            try:
                # Who sends too much waits; what he sends meanwhile stays in his socket.
                octets = len(frame.data) * (TEXT_WEIGHT if frame.type == WSMsgType.TEXT else 1)
                ahead = pace.take(octets, loop.time())
                request = messages.parse_request(frame.data)
                if request.WhichOneof("message") in DESCRIPTIONS:
                    ahead = pace.take(DESCRIPTION_WEIGHT * len(frame.data), loop.time())
            except ValueError as error:
                self._cut(room, sid, error)
                return
            socket.json = frame.type == WSMsgType.TEXT
            caused = self.rooms.receive(room, sid, request)
            if caused > WORK_OF_A_MESSAGE:
                try:
                    ahead = pace.take(caused * Pace.WEIGHT // WORK_OF_A_MESSAGE, loop.time())
                except ValueError as error:
                    self._cut(room, sid, error)
                    return
            if ahead > 0:
                await asyncio.sleep(ahead)

    def _cut(self, room: str, sid: str, why: ValueError) -> None:
        self._count(sid, str(why))
        self.rooms.misbehaved(room, sid)

    def _count(self, who: str, why: str) -> None:
        self.malformed += 1
        if (suppressed := logs.limited("malformed signalling", 60)) is not None:
            log.warning("malformed signalling", who=who, why=why, suppressed=suppressed)


def bearer(request: web.Request) -> str:
    header = request.headers.get("Authorization", "")
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.query.get("access_token", "")


def refusal(error: HubError) -> web.Response:
    """A sentence for people. Clients show it for 401, 403 and 404 only, so a full or locked room is a 403. Of an overloaded
    server (503) livekit-client gives pages the status line."""
    status = 403 if error.status in (409, 429) else error.status
    text = error.message if error.message_zh == error.message else f"{error.message} {error.message_zh}"
    later = {"Retry-After": str(error.retry_after)} if isinstance(error, Busy) and error.retry_after else {}
    reason = error.message if error.code == "overloaded" else None
    return web.Response(status=status, reason=reason, text=text, headers={**CORS, **later})


def _too_often(seconds: float) -> web.Response:
    """Whoever comes back takes a 403 for the end, a 429 for a delay."""
    text = "This identity connects too often. 该身份连接过于频繁，请稍后再试。"
    return web.Response(status=429, text=text, headers={**CORS, "Retry-After": str(math.ceil(seconds))})


async def _preflight(request: web.Request) -> web.Response:
    return web.Response(status=204, headers=CORS)


async def _leave(ws: web.WebSocketResponse, reason: models.DisconnectReason, action: rtc.LeaveRequest.Action) -> None:
    try:
        await ws.send_bytes(messages.leave(reason, action).SerializeToString())
        async with asyncio.timeout(CLOSE_SECONDS):
            await ws.close()
    except (ConnectionError, RuntimeError, TimeoutError):
        pass  # it has gone already
