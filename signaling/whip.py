"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) over HTTP: encoders that publish, players that watch, without a WebSocket.

===========================================  ====================================================================
``POST /whip``, ``/whip/v1``, ``/w[/{key}]``  an offer that sends → 201 with the answer; the bearer is a LiveKit token or
                                             an ingress' stream key
``POST /whep``                               an offer that receives → 201; ``participant``, ``source``, ``track`` say what
``PATCH …/resource/{id}``                    ``application/trickle-ice-sdpfrag``: candidates → 204, ICE restart → 200
``DELETE …/resource/{id}``                   the end → 200
===========================================  ====================================================================

Either is a participant of its room: it is announced, muted, recorded and removed like any other, and lives as long as its
media. The resource's URL cannot be guessed and is bound to the token that made it. Mistakes are problem details (RFC 9457).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

from aiohttp import web
from livekit.protocol import models, rtc
from msgspec.structs import replace as changed

from commhub import log as logs
from commhub.conference import Ticket
from commhub.errors import Busy, Forbidden, HubError, Invalid, NotFound, Unauthenticated, Unavailable
from commhub.guard import Entries
from commhub.media import messages as media
from commhub.wire import sdp, sdpfrag
from signaling import offered, tokens, watching
from signaling.participant import Participant
from signaling.resource import Resource, View
from signaling.rooms import Rooms
from signaling.server import bearer
from signaling.session import Room

log = logs.get(__name__)

SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
MAX_OFFER = 64 * 1024  # octets
MAX_SESSIONS = 500  # of one hub
MAX_OF_IDENTITY = 32
ANSWER_SECONDS = 10.0
RETRY_AFTER = 2  # seconds
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After",
    "Access-Control-Max-Age": "86400",
}
_TITLES = {
    400: "Bad request", 401: "Unauthorized", 403: "Forbidden", 404: "Not found", 409: "Conflict", 412: "Precondition failed",
    413: "Too large", 415: "Unsupported media type", 422: "Unprocessable content", 428: "Precondition required",
    429: "Too many requests", 503: "Unavailable",
}  # fmt: skip
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Streams(Protocol):
    """Stream keys, in place of tokens: :class:`signaling.ingress.Ingress`."""

    async def admit(self, stream_key: str) -> tuple[Ticket, str] | None:
        """What this key may (a ticket of the API key that owns it) and the ingress' id. None: it is no stream key. HubError
        when the ingress may not be used now."""


class Outcome:
    """In the place of the WebSocket: hears the answer, or that it will not come."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._why: HubError = Unavailable("The media service did not answer; try again.", "媒体服务未应答，请重试。")

    def send(self, response: rtc.SignalResponse, packed: bytes) -> None:
        if response.HasField("answer") and not self.answer.done():
            self.answer.set_result(response.answer.sdp)
        elif response.HasField("leave") and response.leave.reason == models.DisconnectReason.STATE_MISMATCH:
            self._why = offered.Unsuitable("The offer cannot be answered.", "无法应答该媒体描述。")

    def close(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(self._why)

    async def wait(self) -> str:
        """The answer's text. HubError."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.answer
        except TimeoutError:
            raise self._why from None


class Whip:
    """The routes. ``entries`` bounds how often one address may begin; ``streams`` may be set later, without it only tokens
    are taken."""

    def __init__(
        self, rooms: Rooms, entries: Entries | None = None, streams: Streams | None = None, *, most: int = MAX_SESSIONS
    ) -> None:
        self.rooms, self.streams = rooms, streams
        self._entries, self._most = entries, most

    def routes(self) -> list[web.RouteDef]:
        result = []
        for path in ("/whip", "/whip/v1", "/w", "/w/{key}"):
            result += [web.post(path, _told(self._publish)), web.options(path, _options(SDP))]
        result += [web.post("/whep", _told(self._watch)), web.options("/whep", _options(SDP))]
        for path in ("/whip/resource/{id}", "/whep/resource/{id}"):
            result += [
                web.patch(path, _told(self._patch)),
                web.delete(path, _told(self._delete)),
                web.options(path, _options("")),
            ]
        return result

    # ------------------------------------------------------------------------------------------ POST

    async def _publish(self, request: web.Request) -> web.Response:
        token = bearer(request) or request.match_info.get("key", "")
        stream = await self.streams.admit(token) if self.streams is not None and token else None
        ticket, ingress = stream or (self.rooms.verify(token), "")
        text = await _body(request, SDP, MAX_OFFER)
        offer = offered.read(text)
        grants = {**ticket.grants, "canSubscribe": False, "canPublishData": False, "canUpdateOwnMetadata": False}
        ticket = replace(ticket, grants=grants, kind="ingress")
        tracks = offered.publications(offer, tokens.permission(grants))
        resource = _resource(token, ticket, offer, ingress=ingress)
        name = await self._admit(request, ticket)
        return await self._begin("/whip", name, ticket, resource, text, tracks)

    async def _watch(self, request: web.Request) -> web.Response:
        token = bearer(request)
        ticket = self.rooms.verify(token)
        text = await _body(request, SDP, MAX_OFFER)
        offer = offered.read(text)
        audio, video = offered.places(offer)
        if not tokens.permission(ticket.grants).can_subscribe:
            raise Forbidden("The token does not allow watching.", "令牌不允许观看。")
        resource = _resource(token, ticket, offer, view=_view(request, audio, video))
        name = await self._admit(request, ticket)
        resource = self._followed(name, request.query.get("track", ""), resource)
        grants = {name: value for name, value in ticket.grants.items() if name != "canPublishSources"}
        grants |= {"hidden": True, "canPublish": False, "canPublishData": False, "canUpdateOwnMetadata": False}
        # Several players may use one token, beside a person who is in the room with it.
        identity = f"{ticket.identity}~{resource.id[:8]}"
        return await self._begin("/whep", name, replace(ticket, identity=identity, grants=grants), resource, text, [])

    def _followed(self, room: str, track: str, resource: Resource) -> Resource:
        if not track or resource.view is None:
            return resource
        found = watching.follow(self.rooms.find(room), track)
        if found is None:
            raise NotFound("There is no such track in the room.", "会商中没有这一路音视频。")
        identity, source = found
        return changed(resource, view=changed(resource.view, participant=identity, sources=[source] if source else []))

    async def _admit(self, request: web.Request, ticket: Ticket) -> str:
        if self._entries is not None:
            self._entries.join(request)
        self._check_number(ticket)
        name = await self.rooms.admit(ticket, request.query.get("room", ""))
        self._check_number(ticket)  # of those that asked at the same moment the others are in by now
        return name

    def _check_number(self, ticket: Ticket) -> None:
        """Busy. An identity's tokens count together: it gets a new one every few minutes."""
        everybody = [one for room in self.rooms.rooms.values() for one in room.people.values() if one.on_http]
        if len(everybody) >= self._most:
            raise Busy("The hub serves as many WHIP and WHEP sessions as it may.", "WHIP/WHEP 会话数已达上限。")
        mine = sum((one.ticket.key, one.owner) == (ticket.key, ticket.identity) for one in everybody)
        if mine >= MAX_OF_IDENTITY:
            raise Busy("This identity has made as many sessions as it may.", "该身份的会话数已达上限。")

    async def _begin(
        self, path: str, name: str, ticket: Ticket, resource: Resource, text: str, tracks: list[rtc.AddTrackRequest]
    ) -> web.Response:
        join = rtc.JoinRequest(
            client_info=models.ClientInfo(protocol=0),
            connection_settings=rtc.ConnectionSettings(auto_subscribe=False),
            add_track_requests=tracks,
            publisher_offer=rtc.SessionDescription(type="offer", sdp=text, id=1),
        )
        outcome = Outcome()
        sid = self.rooms.join(name, ticket, join, outcome, dual=False, resource=resource)
        try:
            answer = await outcome.wait()
        except BaseException:
            self.rooms.receive(name, sid, rtc.SignalRequest(leave=rtc.LeaveRequest()))
            raise
        resource = self._negotiated(name, sid, resource, answer)
        log.info("session made", room=name, peer=sid, kind=path[1:])
        headers = {**CORS, "Location": f"{path}/resource/{resource.id}", "ETag": resource.etag, "Accept-Patch": FRAGMENT}
        response = web.Response(status=201, text=answer, content_type=SDP, headers=headers)
        for link in self._links(ticket.identity):
            response.headers.add("Link", link)
        return response

    def _negotiated(self, name: str, sid: str, resource: Resource, answer: str) -> Resource:
        first = next(section for section in sdp.parse(answer).sections if section.port)
        resource = changed(resource, etag=f'"{first.ufrag}"')
        room = self.rooms.find(name)
        self.rooms.act(name, room.negotiated(sid, resource))
        return resource

    def _links(self, identity: str) -> list[str]:
        """ICE servers (RFC 9725 §4.6)."""
        links = []
        for server in self.rooms.terms.ice_servers(identity):
            for url in server.urls:
                link = f'<{url}>; rel="ice-server"'
                if server.username:
                    link += f'; username="{server.username}"; credential="{server.credential}"; credential-type="password"'
                links.append(link)
        return links

    # ------------------------------------------------------------------------------------------ PATCH, DELETE

    async def _own(self, request: web.Request) -> tuple[Room, Participant, Resource]:
        """The session, for whoever holds its token, or a newer one for the same participant."""
        token = bearer(request)
        room, person, resource = await self._found(request.match_info["id"])
        if not token:
            raise Unauthenticated("There is no bearer token.", "缺少访问令牌。")
        if not secrets.compare_digest(_hash(token), resource.token):
            ticket = self.rooms.verify(token)
            if (ticket.key, ticket.identity, ticket.room) != (person.ticket.key, resource.owner, person.ticket.room):
                raise Forbidden("The session belongs to another token.", "该会话属于另一个令牌。")
        return room, person, resource

    async def _found(self, id: str) -> tuple[Room, Participant, Resource]:
        """Whose resource this is, also after a restart of the hub. NotFound."""
        await self.rooms.places.wait_settled()
        for room in self.rooms.rooms.values():
            for person in room.people.values():
                if person.resource is not None and person.resource.id == id and not person.replaced:
                    return room, person, person.resource
        raise NotFound("There is no such session; it has ended.", "没有这个会话，或已结束。")

    async def _patch(self, request: web.Request) -> web.Response:
        room, person, resource = await self._own(request)
        text = await _body(request, FRAGMENT, sdpfrag.MAX_SIZE)
        try:
            fragment = sdpfrag.parse(text)
        except ValueError as error:
            raise Invalid(str(error), "无法识别 ICE 片段。", code="bad_fragment") from None
        wanted = request.headers.get("If-Match", "").strip()
        restarts = bool(fragment.ufrag) and fragment.ufrag != resource.ufrag
        if wanted not in ("", "*", resource.etag):
            raise HubError("The ICE session is not the current one.", "ICE 会话已更新。", code="stale_session", status=412)
        if not restarts:
            # Our end is ICE-lite: it answers whoever proves the password, wherever the check comes from.
            return web.Response(status=204, headers={**CORS, "ETag": resource.etag})
        if not wanted:
            raise HubError(
                'An ICE restart needs If-Match: "*".', "ICE 重启需要 If-Match 标头。", code="precondition_required", status=428
            )
        answer = await self.rooms.engine.offer(media.Restart(room.name, person.sid, fragment.ufrag, fragment.password))
        resource = self._negotiated(room.name, person.sid, changed(resource, ufrag=fragment.ufrag), answer.sdp)
        log.info("session restarted", room=room.name, peer=person.sid)
        return web.Response(
            text=sdpfrag.build(sdp.parse(answer.sdp)), content_type=FRAGMENT, headers={**CORS, "ETag": resource.etag}
        )

    async def _delete(self, request: web.Request) -> web.Response:
        room, person, _ = await self._own(request)
        self.rooms.receive(room.name, person.sid, rtc.SignalRequest(leave=rtc.LeaveRequest()))
        return web.Response(headers=CORS)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _resource(token: str, ticket: Ticket, offer: sdp.Description, *, view: View | None = None, ingress: str = "") -> Resource:
    ufrag = offered.used(offer)[0].ufrag
    return Resource(secrets.token_hex(16), _hash(token), ticket.identity, view, ufrag=ufrag, ingress=ingress)


def _view(request: web.Request, audio: int, video: int) -> View:
    query = request.query
    sources = query.get("source", "")
    named = [name for name in sources.split(",") if name]
    if any(name not in tokens.SOURCES for name in named):
        raise Invalid(
            "A source is camera, microphone, screen_share or screen_share_audio.",
            "source 应为 camera、microphone、screen_share 或 screen_share_audio。",
        )
    participant = query.get("participant", "")
    if len(participant) > tokens.MAX_IDENTITY:
        raise Invalid("The participant's identity is too long.", "参会者标识过长。")
    return View(audio, video, participant, named)


# ---------------------------------------------------------------------------------------------- HTTP


async def _body(request: web.Request, kind: str, limit: int) -> str:
    """The text of the request; its size is checked before and while it is read."""
    if request.content_type != kind:
        raise HubError(f"The content type is not {kind}.", f"内容类型应为 {kind}。", code="content_type", status=415)
    too_long = HubError(f"The request is longer than {limit} octets.", "请求内容过长。", code="too_long", status=413)
    if request.content_length is not None and request.content_length > limit:
        raise too_long
    body = bytearray()
    async for part in request.content.iter_chunked(16384):
        body += part
        if len(body) > limit:
            raise too_long
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Invalid("The request is not UTF-8.", "请求不是 UTF-8 文本。") from None


def _told(handler: Handler) -> Handler:
    """What goes wrong, as problem details in the reader's language."""

    async def told(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except HubError as error:
            return problem(error, request.headers.get("Accept-Language", ""))

    return told


def problem(error: HubError, language: str = "") -> web.Response:
    """Problem details (RFC 9457), in Chinese when ``language`` (Accept-Language) begins with it."""
    chinese = language.strip().lower().startswith("zh")
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(error.status, "Error"),
        "status": error.status,
        "detail": error.message_zh if chinese else error.message,
        "code": error.code,
    }
    headers = dict(CORS)
    if error.status in (429, 503):
        headers["Retry-After"] = str(getattr(error, "retry_after", 0) or RETRY_AFTER)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == 415:
        headers["Accept-Patch" if FRAGMENT in error.message else "Accept-Post"] = FRAGMENT if FRAGMENT in error.message else SDP
    return web.json_response(body, status=error.status, content_type="application/problem+json", headers=headers)


def _options(accepted: str) -> Handler:
    headers = {**CORS, "Accept-Post": accepted} if accepted else {**CORS, "Accept-Patch": FRAGMENT}

    async def options(request: web.Request) -> web.Response:
        return web.Response(status=204, headers=headers)

    return options
