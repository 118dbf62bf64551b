"""The process ``commhub bridge --kind gb28181``: SIP's sockets, the platform, its calls, and the link to the hub.

It never needs the hub: devices stay registered, calls go on, alarms wait for the next one. Only what a hand moves stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridges.gb28181 import outs
from bridges.gb28181.outs import Out
from bridges.gb28181.platform import Identity, Platform
from bridges.gb28181.register import Register
from bridges.gb28181.registrar import Policy
from bridges.gb28181.seam import Devices, Media, Us
from bridges.hubs import Hubs
from bridges.sip.sources import Limits
from bridges.sip.states import Timers
from bridges.sip.transaction import Answered, Asked, Failed, Flow, Key
from bridges.sip.transport import Disconnected, Endpoint, Told
from bridges.wakeup import Wakeup
from commhub import log as logs
from commhub import machine
from commhub.errors import HubError
from commhub.media.counting import tell_counters
from commhub.media.link import Link, listen
from commhub.media.messages import (
    Admitted,
    AlarmRaised,
    AskDevice,
    BridgeSnapshot,
    CataloguePart,
    ChannelsChanged,
    Control,
    Done,
    Download,
    Hello,
    Message,
    Move,
    Pull,
    Replay,
    StopDownload,
    Terms,
    Voice,
)
from commhub.tasks import Tasks

log = logs.get(__name__)

NAME = "bridge-gb28181"
ALARMS_KEPT = 1000  # while there is no hub
REGISTER_SECONDS, REFRESH_SECONDS = 1.0, 60.0  # between two writings of who is registered, when they come and go, and else
STATUSES = {"device_offline": 503, "no_answer": 504, "refused_by_device": 502, "busy": 503, "invalid_value": 400}

MakeMedia = Callable[[Devices, Callable[[Message], None]], Media]


@dataclass(frozen=True, slots=True)
class Options:
    """``hosts`` and ``port`` of SIP, UDP and TCP; ``code`` (20 digits) and ``domain`` are ours."""

    code: str
    domain: str = ""
    hosts: Sequence[str] = ("0.0.0.0",)
    port: int = 5060
    policy: Policy = field(default_factory=Policy)
    limits: Limits | None = None
    timers: Timers | None = None


class Server:
    """``receive`` is the handler of the hub's link. ``open`` before it is used, ``close`` at the end."""

    def __init__(self, run_dir: Path, options: Options, media: MakeMedia) -> None:
        self._options = options
        self._us = Us(options.code, options.domain or options.code[:10])
        self.hubs = Hubs(self._hub_gone)
        self.endpoint = Endpoint(self._told, limits=options.limits, timers=options.timers)
        self.platform = Platform(
            Identity(self._us.code, self._us.domain),
            options.policy,
            secrets.token_bytes(32),
            time.time_ns,
            functools.partial(secrets.token_hex, 8),
        )
        self.media = media(self, self._tell)
        self._register = Register(run_dir / "gb28181.devices")
        self._register_due = False
        self._keys: dict[Key, int] = {}  # our requests
        self._questions: dict[int, asyncio.Future[Message]] = {}
        self._numbers = itertools.count(1)
        self._missed: set[str] = set()  # devices of whose catalogues no hub has heard
        self._alarms: deque[AlarmRaised] = deque(maxlen=ALARMS_KEPT)
        self._greeted: set[Link] = set()  # those that have heard of every device
        self._wakeup = Wakeup(self._tick)
        self._tasks = Tasks(NAME)

    async def open(self) -> int:
        """The port. OSError when it is taken."""
        port = await self.endpoint.open(self._options.hosts, self._options.port)
        found = self._register.read()
        ways = {one.device: self.endpoint.towards(one.host, one.port) for one in found}
        self._do(self.platform.restore(found, ways, time.time(), self._now()))
        self.media.begin()
        self._tasks.spawn(self._keep_register(), "register")
        return port

    async def close(self) -> None:
        await self._tasks.close()
        await self.media.close()
        self._wakeup.stop()
        self._register.write(self.platform.devices, self._now())
        await self.endpoint.close()

    # ---- what calls ask (bridges.gb28181.seam.Devices)

    @property
    def us(self) -> Us:
        return self._us

    def route(self, device: str) -> tuple[Flow, str] | None:
        one = self.platform.device(device)
        if one is None or not one.registered or one.flow is None:
            return None
        return one.flow, one.flow.local

    def terms(self, device: str) -> Terms | None:
        one = self.platform.device(device)
        return None if one is None else one.terms

    def version(self, device: str) -> str:
        one = self.platform.device(device)
        return "2.0" if one is None else one.version

    def key_frame(self, device: str, channel: str) -> None:
        self._do(self.platform.key_frame(device, channel, self._now()))

    def notify(self, device: str, body: dict[str, str]) -> str:
        sn, todo = self.platform.notify(device, body)
        self._do(todo)
        return sn

    # ---- the hub

    def receive(self, link: Link, message: Message) -> Awaitable[Message | None] | Message | None:
        """Moves take the straight way: nothing here waits for anything before their bytes are on the wire."""
        if isinstance(message, Hello):
            return self._hello(link, message)
        if not self.hubs.obeys(link):
            return None
        match message:
            case Move():
                self._do(self.platform.move(message, self._now()))
                return Done()
            case Admitted():
                self._admitted(link, message)
                return Done()
            case Pull():
                self.media.pull(message)
                return Done()
            case AskDevice():
                return self._settled(lambda number: self.platform.ask(message, number, self._now()))
            case Control():
                return self._settled(lambda number: self.platform.control(message, number, self._now()))
            case Replay():
                return _done(self.media.replay(message))
            case Voice():
                return _done(self.media.voice(message))
            case Download():
                self.media.download(message)
                return Done()
            case StopDownload():
                return _done(self.media.stop_download(message.download))
            case _:
                return None

    def _hello(self, link: Link, hello: Hello) -> BridgeSnapshot:
        self.hubs.hello(link, hello)
        log.info("hub linked", epoch=hello.epoch, sources=len(self.media.states()))
        return BridgeSnapshot(sources=self.media.states())

    def _admitted(self, link: Link, admitted: Admitted) -> None:
        self._do(self.platform.admit(admitted, self._now()))
        if link in self._greeted:
            return
        self._greeted = {one for one in self._greeted if not one.closed.is_set()} | {link}
        for state in self.platform.states():
            link.tell(state)
        while self._alarms:
            link.tell(self._alarms.popleft())
        while self._missed:
            self._do(self.platform.ask(AskDevice(self._missed.pop(), "", "catalogue"), 0, self._now()))

    async def _settled(self, ask: Callable[[int], list[Out]]) -> Message:
        number = next(self._numbers)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._questions[number] = future
        try:
            self._do(ask(number))
            return await future
        finally:
            self._questions.pop(number, None)

    def _tell(self, message: Message) -> None:
        if self.hubs.tell(message):
            return
        if isinstance(message, AlarmRaised):
            self._alarms.append(message)
        elif isinstance(message, CataloguePart | ChannelsChanged):
            self._missed.add(message.device)

    def _hub_gone(self) -> None:
        self._do(self.platform.stop_all(self._now()))

    # ---- SIP

    def _told(self, event: Told) -> None:
        now = self._now()
        match event:
            case Answered() if (number := self._keys.get(event.key)) is not None:
                if event.response.final:
                    del self._keys[event.key]
                self._do(self.platform.answered(number, event.response, now))
            case Failed() if (number := self._keys.pop(event.key, None)) is not None:
                self._do(self.platform.failed(number, event.reason, now))
            case Disconnected():
                self._do(self.platform.disconnected(event.flow, event.peers, now))
            case Asked() if not self.platform.here(event.flow):
                self._do(self.platform.receive(event, now))  # a stranger is in no call
            case _ if self.media.told(event):
                pass
            case Asked():
                self._do(self.platform.receive(event, now))

    def _do(self, todo: list[Out]) -> None:
        for out in todo:
            match out:
                case outs.Post():
                    self._post(out)
                case outs.Respond():
                    self.endpoint.respond(out.key, out.response)
                case outs.Learn():
                    self.endpoint.learn(out.peer, out.flow)
                case outs.Forget():
                    self.endpoint.forget(out.peer)
                    self.endpoint.forget(f"{out.peer} also")
                case outs.Tell():
                    self._tell(out.message)
                case outs.Settle():
                    if (future := self._questions.get(out.ask)) is not None and not future.done():
                        future.set_result(out.message)
                case outs.Refuse():
                    if (future := self._questions.get(out.ask)) is not None and not future.done():
                        future.set_exception(HubError(out.text, out.text_zh, code=out.code, status=STATUSES[out.code]))
                case outs.Online():
                    self._register_due = True
                    self.media.online(out.device)
                case outs.Offline():
                    self._register_due = True
                    self.media.offline(out.device)
                case outs.Ended():
                    self.media.media_status(out.device, out.channel, out.request)
                case outs.Broadcast():
                    self.media.broadcast_answer(out.device, out.sn, out.accepted)
        self._wakeup.set(self.platform.deadline)

    def _post(self, out: outs.Post) -> None:
        try:
            self._keys[self.endpoint.request(out.request, out.flow)] = out.number
        except ValueError as error:
            log.warning("request not sent", reason=str(error))
            asyncio.get_running_loop().call_soon(self._unsent, out.number)

    def _unsent(self, number: int) -> None:
        self._do(self.platform.failed(number, "unsendable", self._now()))

    # ---- time

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _tick(self) -> None:
        self._do(self.platform.tick(self._now()))

    async def _keep_register(self) -> None:
        written = self._now()
        while True:
            await asyncio.sleep(REGISTER_SECONDS)
            if self._register_due or self._now() - written >= REFRESH_SECONDS:
                self._register_due, written = False, self._now()
                self._register.write(self.platform.devices, written)

    def counters(self) -> dict[str, float]:
        """For metrics: what is there now, and what has happened since the start."""
        there = {f"gb28181_{name}": value for name, value in self.platform.figures().items()}
        counts = {f"gb28181 {name}": float(value) for name, value in self.platform.counts.items()}
        return there | counts | {f"sip {name}": float(value) for name, value in self.endpoint.counts.items()}


async def _done(work: Coroutine[Any, Any, None] | Awaitable[None]) -> Done:
    await work
    return Done()


async def run(run_dir: Path, options: Options, media: MakeMedia, name: str = NAME) -> None:
    """Serves until it is cancelled. OSError when SIP's port is taken."""
    server = Server(run_dir, options, media)
    port = await server.open()
    listener = await listen(run_dir, name, server.hubs.connected, server.receive)
    machine.at_work()
    log.info("bridge ready", name=name, port=port)
    try:
        await tell_counters(name, server.counters, lambda: server.hubs.links)
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await listener.close()
        await server.close()
