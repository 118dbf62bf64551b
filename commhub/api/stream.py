"""/events: what happens, to every page that may know it, in order, with resume.

A page gets ``hello`` with the number of the newest event, may ask for what came after the last one it saw, as a whole or of
each channel (:mod:`commhub.api.channels`), and from then gets every event it wants and may see. Who may see one is asked anew for
each, by the rights of that moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from commhub import log as logs
from commhub.api import channels
from commhub.api.channels import Channels, Wanted
from commhub.api.checking import Checking
from commhub.api.gate import Gate, guarded
from commhub.api.problems import language
from commhub.api.routes import KNOWN, PUBLIC, SIGNED_IN
from commhub.auth import Auth
from commhub.errors import Busy, Forbidden, HubError, Unfit
from commhub.events import Events, Published
from commhub.guard import Rates
from commhub.model import Actor
from commhub.tasks import Tasks
from commhub.terminals import Page

log = logs.get(__name__)

WAITING_LIMIT = 1_000  # events a page may be behind before it has to load everything again
MESSAGE_LIMIT = 8_192  # bytes of what a page says
WORDS, WORDS_AT_ONCE = 50.0, 500.0  # that a page says in a second; whoever says more is no page of ours
SEND_SECONDS = 20.0  # a page that takes nothing for so long is cut at the next check; it resumes where it was
SUBJECTS = ("id", "camera", "call", "group")  # what a word may be about
PER_PERSON = 16  # pages open at once
RESYNC = json.dumps({"type": "resync"})


class Hearing(Protocol):
    """Who hears what pages say, besides what is about events themselves."""

    async def receive(self, page: Page, said: dict[str, Any]) -> None:
        """ValueError with a sentence, HubError: the page is told, and goes on."""

    def gone(self, page: Page) -> None: ...


@dataclass(frozen=True, slots=True)
class Word:
    """What a page may say: the permission it needs (as routes declare theirs), and who hears it. ``checked`` says that the
    hearing refuses by itself, because a refusal belongs to the object and is written down with it."""

    permission: str
    hearing: Hearing
    checked: bool = False


class Stream:
    """One open page."""

    _numbers = itertools.count(1)

    def __init__(self, actor: Actor, english: bool = False, token: str = "") -> None:
        self.actor, self.token = actor, token
        self.channels = Channels()
        self.close: Callable[[], None] = lambda: None  # the sign-in has ended
        self.abort: Callable[[], None] = lambda: None
        self.page = Page(next(self._numbers), lambda: self.actor, self.tell, english, self.hear)
        self._waiting: asyncio.Queue[Published | str] = asyncio.Queue(WAITING_LIMIT)
        self.sending: float | None = None  # since when something waits to be taken, monotonic
        self._sent = 0  # seq
        self._behind = False
        self._turn = asyncio.Lock()  # live and missed events keep one order
        self._ahead: set[int] = set()  # seq of missed ones that were sent and may still wait as live ones

    def tell(self, message: dict[str, Any]) -> None:
        self.hear(json.dumps(message, ensure_ascii=False))

    def hear(self, what: Published | str) -> None:
        if isinstance(what, Published) and not (self.channels.hears(what, self.actor) and what.concerns(self.actor)):
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
                    if self._sent not in self._ahead:
                        await send(what.wire)
                    elif self._sent == max(self._ahead):
                        self._ahead.clear()

    async def _catch_up(self, what: Published | str, send: Callable[[str], Awaitable[None]]) -> None:
        waiting = [what]
        while not self._waiting.empty():
            waiting.append(self._waiting.get_nowait())
        self._behind = False
        self._sent = max([self._sent, *(one.event.seq for one in waiting if isinstance(one, Published))])
        await send(RESYNC)

    async def resume(self, seq: int, events: Events, send: Callable[[str], Awaitable[None]]) -> None:
        """Brings what came after ``seq``, each once, then says up to where that reaches."""
        async with self._turn:
            # Something newer has already gone out: what lies before it would come too late.
            missed = await events.missed(seq, lambda one: one.concerns(self.actor)) if self._sent <= seq else None
            if missed is None:
                await send(RESYNC)
                return
            for one in missed:
                self._sent = one.event.seq
                await send(one.wire)
            self._sent = max(self._sent, seq)
            await send(json.dumps({"type": "resumed", "seq": self._sent}))

    async def subscribe(self, wanted: Wanted, events: Events, send: Callable[[str], Awaitable[None]]) -> None:
        """In place of what it heard before: of each channel what came after its version, each event once, then what is new."""
        async with self._turn:
            self.channels.choose(wanted)
            actor, seq = self.actor, await events.last()
            versions = {name: version for name, version in wanted.items() if version is not None}
            found, lost = await _missed(events, actor, versions)
            for one in found:
                if one.event.seq > self._sent:
                    self._ahead.add(one.event.seq)
                await send(one.wire)
            if lost:
                await send(json.dumps({"type": "resync", "channels": lost}))
            await send(json.dumps(channels.about(wanted, seq)))

    # ---- as :class:`~commhub.api.checking.Open`

    def is_now(self, actor: Actor) -> None:
        now = replace(actor, address=self.actor.address)
        if now != self.actor or now.tree is not self.actor.tree:
            self.actor = now

    def signed_out(self) -> None:
        self.close()

    def tired(self) -> bool:
        tired = self.sending is not None and time.monotonic() - self.sending > SEND_SECONDS
        if tired:
            self.abort()
        return tired


async def _missed(events: Events, actor: Actor, versions: dict[str, int]) -> tuple[list[Published], list[str]]:
    """What is missing of these channels, oldest first, and those whose history does not reach so far back."""

    async def of(some: dict[str, int]) -> list[Published] | None:
        return await events.missed(min(some.values()), lambda one: channels.missed(one, actor, some) and one.concerns(actor))

    if not versions:
        return [], []
    if (together := await of(versions)) is not None:
        return together, []
    # One of them may be what is too old, or too much: the others do not pay for it.
    kept, lost = dict(versions), list[str]()
    for name, version in sorted(versions.items()):
        if await of({name: version}) is None:
            lost.append(name)
            del kept[name]
    found = await of(kept) if kept else []
    return ([], sorted(versions)) if found is None else (found, lost)


class Streams:
    """``words`` are what pages may say. ValueError for one whose permission nobody can hold."""

    def __init__(self, gate: Gate, auth: Auth, events: Events, words: Mapping[str, Word] | None = None) -> None:
        self._gate, self._auth, self._events, self._words = gate, auth, events, dict(words or {})
        for name, word in self._words.items():
            if word.permission == PUBLIC or word.permission not in KNOWN:
                raise ValueError(f"The word {name} declares the permission {word.permission!r}, which nobody can hold.")
        self._open: set[Stream] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        self._people: Counter[str] = Counter()
        self._checking = Checking(auth, lambda: self._open)
        events.listen(self._happened)

    @property
    def words(self) -> dict[str, str]:
        """What pages may say → the permission it needs."""
        return {"resume": SIGNED_IN, "subscribe": SIGNED_IN} | {name: word.permission for name, word in self._words.items()}

    @property
    def online(self) -> set[str]:
        """People with a page open."""
        return set(self._people)

    def _happened(self, published: Published) -> None:
        for stream in self._open:
            stream.hear(published)
        self._checking.heard(published)

    def handler(self) -> Callable[[web.Request], Awaitable[Any]]:
        return guarded(self._serve)

    async def close(self) -> None:
        await self._checking.close()
        for socket in list(self._sockets):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        self._gate.check_origin(request, required=True)
        sign_in = await self._gate.who(request)
        actor = sign_in.actor
        if self._people[actor.id] >= PER_PERSON:
            raise Busy("Too many pages are open under this account.", "该账号打开的页面过多。")
        wanted = _wanted(request)
        # Uncompressed: the same message to hundreds would be compressed for each of them.
        socket = web.WebSocketResponse(heartbeat=20, max_msg_size=MESSAGE_LIMIT, compress=False)
        await socket.prepare(request)
        stream = Stream(actor, language(request.headers.get("Accept-Language", "")) == "en", sign_in.token)
        stream.abort = lambda: _abort(request)
        self._checking.begin()
        self._sockets.add(socket)
        self._enter(stream)
        lock = asyncio.Lock()

        async def send(text: str) -> None:
            async with lock:
                stream.sending = time.monotonic()
                await socket.send_str(text)
                stream.sending = None

        try:
            async with Tasks("events") as tasks:
                stream.close = partial(_ask_out, tasks, socket)
                # Listening already: nothing falls between this number and the first event.
                hello = {"type": "hello", "seq": await self._events.last(), "person": actor.id}
                await send(json.dumps(hello))
                if wanted is not None:
                    await stream.subscribe(wanted, self._events, send)
                elif "after" in request.query:
                    # Before anything live: what was missed is never too late.
                    await self._resume(stream, _number(request.query["after"]), send)
                tasks.spawn(_quiet(stream.pump(send)), "pump")
                await self._listen(socket, stream, send)
        except ConnectionError:
            pass  # the page is gone
        finally:
            for hearing in {id(word.hearing): word.hearing for word in self._words.values()}.values():
                hearing.gone(stream.page)
            self._sockets.discard(socket)
            self._leave(stream)
        return socket

    async def _listen(self, socket: web.WebSocketResponse, stream: Stream, send: Callable[[str], Awaitable[None]]) -> None:
        rates = Rates(WORDS, WORDS_AT_ONCE, 1)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            if rates.take("", time.monotonic()) > 0:
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"too many words a second")
                break
            try:
                said = json.loads(message.data)
                name = said["type"]
                seq = said["seq"] if name == "resume" else None
                word = self._words.get(name)
            except (ValueError, KeyError, TypeError, RecursionError):
                await socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
                break
            if word is not None:
                await _hear(word, name, stream, said)
            elif name == "subscribe":
                await self._subscribe(stream, said, send)
            elif name == "resume":
                await self._resume(stream, seq, send)

    async def _resume(self, stream: Stream, seq: object, send: Callable[[str], Awaitable[None]]) -> None:
        if isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < 1 << 62:
            await stream.resume(seq, self._events, send)
        else:
            await send(RESYNC)

    async def _subscribe(self, stream: Stream, said: dict[str, Any], send: Callable[[str], Awaitable[None]]) -> None:
        try:
            wanted = channels.wanted(said.get("channels"))
        except ValueError as error:
            stream.tell({"type": "refused", "of": "subscribe", "code": "invalid", "text": str(error)})
            return
        await stream.subscribe(wanted, self._events, send)

    def _enter(self, stream: Stream) -> None:
        self._people[stream.actor.id] += 1
        self._open.add(stream)

    def _leave(self, stream: Stream) -> None:
        self._open.discard(stream)
        self._people[stream.actor.id] -= 1
        if self._people[stream.actor.id] <= 0:
            del self._people[stream.actor.id]


async def _hear(word: Word, name: str, stream: Stream, said: dict[str, Any]) -> None:
    """Whatever is wrong with it the page is told, in one shape, with the subject that it named."""
    try:
        if not word.checked and word.permission != SIGNED_IN and not stream.actor.may(word.permission):
            raise Forbidden("You do not have the permission for this.", "没有此项权限。")
        await word.hearing.receive(stream.page, said)
        return
    except ValueError as error:
        code, text = "invalid", str(error)
    except HubError as error:
        code, text = error.code, error.message if stream.page.english else error.message_zh
    except Exception:
        log.exception("word failed", word=name)
        code, text = "internal", "Something went wrong in the hub." if stream.page.english else "系统内部出错，请稍后再试。"
    named = {key: said[key] for key in SUBJECTS if isinstance(said.get(key), str)}
    stream.tell({"type": "refused", "of": name, **named, "code": code, "text": text})


def _wanted(request: web.Request) -> Wanted | None:
    """Unfit."""
    if "channels" not in request.query:
        return None
    try:
        return channels.at_the_door(request.query["channels"])
    except ValueError as error:
        raise Unfit("channels", str(error), "没有这样的频道，或其版本号无效。", code="channels") from None


def _ask_out(tasks: Tasks, socket: web.WebSocketResponse) -> None:
    tasks.spawn(_quiet(_sign_out(socket)), "signed out")


async def _sign_out(socket: web.WebSocketResponse) -> None:
    await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"signed out")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _abort(request: web.Request) -> None:
    """Without a good-bye, which a peer that does not read would not take either."""
    if request.transport is not None:
        request.transport.abort()


async def _quiet(work: Awaitable[None]) -> None:
    with contextlib.suppress(ConnectionError):
        await work
