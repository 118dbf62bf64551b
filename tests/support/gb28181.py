"""Simulated devices of GB/T 28181 for tests, in this process or as their own, and a small platform to try them against."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count

from bridges.simulated.agent import Account
from bridges.simulated.device import Device, Nature, Style, cameras
from bridges.simulated.film import Studio
from bridges.simulated.model import Entry
from bridges.sip import digest
from bridges.sip.dialog import Dialog
from bridges.sip.fields import Address, Uri
from bridges.sip.message import Headers, Request, Response
from bridges.sip.sources import Limits
from bridges.sip.states import Timers
from bridges.sip.transaction import Acknowledged, Answered, Asked, Failed, Flow, Key
from bridges.sip.transport import Endpoint, Told

PLATFORM = "11010500002000000001"
DOMAIN = PLATFORM[:10]
DEVICE = "11010500001180000001"
PASSWORD = "a device's own password"
SMALL = Style(main=(320, 180), sub=(160, 96), fps=Fraction(25), group_seconds=1.0)


@asynccontextmanager
async def device(
    address: tuple[str, int],
    *,
    code: str = DEVICE,
    platform: str = PLATFORM,
    password: str = PASSWORD,
    channels: int = 2,
    movable: int = 1,
    entries: Sequence[Entry] | None = None,
    quirks: Sequence[str] = (),
    transport: str = "udp",
    version: str = "3.0",
    heartbeat: float = 60.0,
    style: Style = SMALL,
    page: int = 0,
    window: int = 1,
    sessions: int = 256,
    name: str = "测试录像机",
    studio: Studio | None = None,
    timers: Timers | None = None,
    wait: float | None = 10.0,
) -> AsyncIterator[Device]:
    """A device in this process that signs in at ``address``; yielded when it has been let in (``wait`` None: at once)."""
    account = Account(
        code=code, platform=platform, address=address, password=password, transport=transport, version=version,
        heartbeat=heartbeat, retry=0.3,
    )  # fmt: skip
    nature = Nature(name=name, quirks=frozenset(quirks), style=style, page=page, window=window, sessions=sessions)
    found = cameras(code[:6], channels, parent=code, movable=movable, alarms=1) if entries is None else entries
    made = Device(account, found, nature, studio=studio, timers=timers)
    await made.start()
    try:
        if wait is not None:
            await asyncio.wait_for(made.registered.wait(), wait)
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def device_process(
    address: tuple[str, int],
    *words: str,
    kind: str = "gb28181",
    code: str = DEVICE,
    platform: str = PLATFORM,
    password: str = PASSWORD,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The same as a process of its own: ``words`` go to ``commhub simulate gb28181`` (or ``platform``)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "commhub", "simulate", kind, "--platform", f"{address[0]}:{address[1]}",
        "--platform-code", platform, "--code", code, *words,
        env=os.environ | {"DEVICE_PASSWORD": password}, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


# ---- a platform that does what a test says


@dataclass(slots=True)
class Heard:
    """What a device has sent: the request and, of XML, its text."""

    request: Request
    text: str
    flow: Flow


@dataclass(slots=True)
class Call:
    """An INVITE that was accepted."""

    dialog: Dialog
    answer: str
    response: Response


@dataclass(slots=True)
class Registrar:
    """Takes every device that knows ``password``, answers 200 to everything, keeps what it hears."""

    password: str = PASSWORD
    challenge: bool = True
    heard: list[Heard] = field(default_factory=list)
    flows: dict[str, Flow] = field(default_factory=dict)
    registers: list[Request] = field(default_factory=list)
    acknowledged: list[Request] = field(default_factory=list)
    answer: Callable[[Request], Response | None] | None = None  # None: 200
    redirect: int = 0  # to the registrar on that port
    endpoint: Endpoint = field(init=False)
    port: int = field(init=False, default=0)
    _waiting: dict[Key, asyncio.Future[Response]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _server: digest.Server = field(init=False)

    async def open(self) -> None:
        self._server = digest.Server(secrets.token_bytes(16), DOMAIN)
        limits = Limits(strangers_per_second=1e6, stranger_burst=1e6, all_strangers_per_second=1e6)
        self.endpoint = Endpoint(self._told, limits=limits)
        self.port = await self.endpoint.open(["127.0.0.1"], 0)

    async def close(self) -> None:
        await self.endpoint.close()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def _told(self, told: Told) -> None:
        match told:
            case Asked():
                self._asked(told)
            case Answered() if told.key in self._waiting and told.response.final:
                if not self._waiting[told.key].done():
                    self._waiting[told.key].set_result(told.response)
            case Failed() if told.key in self._waiting and not self._waiting[told.key].done():
                self._waiting[told.key].set_exception(TimeoutError(told.reason))
            case Acknowledged():
                self.acknowledged.append(told.request)
            case _:
                pass
        self._changed.set()

    def _asked(self, asked: Asked) -> None:
        request = asked.request
        if request.method == "REGISTER":
            self.endpoint.respond(asked.key, self._register(request, asked.flow))
            return
        self.heard.append(
            Heard(request, request.body.decode("utf-8" if _utf8(request.body) else "gb18030", "replace"), asked.flow)
        )
        response = self.answer(request) if self.answer else None
        self.endpoint.respond(asked.key, response or request.reply(200, tag=secrets.token_hex(4)))

    def _register(self, request: Request, flow: Flow) -> Response:
        now = asyncio.get_running_loop().time()
        if self.redirect:
            response = request.reply(302, tag=secrets.token_hex(4))
            response.headers.add("Contact", f"<sip:{PLATFORM}@127.0.0.1:{self.redirect}>")
            return response
        proof = request.headers.get("Authorization")
        if self.challenge:
            verdict = digest.Verdict.STALE
            if proof:
                verdict = self._server.verify(digest.Credentials.parse(proof), self.password, "REGISTER", flow.host, now)
            if verdict is not digest.Verdict.RIGHT:
                response = request.reply(401 if verdict is digest.Verdict.STALE else 403, tag=secrets.token_hex(4))
                for value in self._server.challenge(flow.host, now):
                    response.headers.add("WWW-Authenticate", value)
                return response
        self.registers.append(request)
        if request.expires:
            self.flows[request.sender.user] = flow
        else:
            self.flows.pop(request.sender.user, None)
        response = request.reply(200, tag=secrets.token_hex(4))
        response.headers.add("Expires", request.expires or 0)
        return response

    # ---- asking

    async def until(self, what: Callable[[], bool], seconds: float = 30.0) -> None:
        """Waits for something to be true of what was heard."""
        async with asyncio.timeout(seconds):
            while not what():
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.1)

    def texts(self, command: str) -> list[str]:
        return [one.text for one in self.heard if re.search(rf'<CmdType>\s*{command}\s*</CmdType>|CmdType="{command}"', one.text)]

    async def send(self, request: Request, to: str = DEVICE) -> Response:
        return (await self._ask(request, to))[1]

    async def _ask(self, request: Request, to: str) -> tuple[Key, Response]:
        key = self.endpoint.request(request, self.flows[to])
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        try:
            return key, await asyncio.wait_for(future, 10)
        finally:
            del self._waiting[key]

    def request(self, method: str, user: str, body: bytes = b"", content_type: str = "") -> Request:
        headers = Headers()
        headers.add("From", Address(f"sip:{PLATFORM}@{DOMAIN}").tagged(secrets.token_hex(4)))
        headers.add("To", Address(f"sip:{user}@{DOMAIN}"))
        headers.add("Call-ID", secrets.token_hex(8))
        headers.add("CSeq", f"{next(self._numbers)} {method}")
        headers.add("Contact", f"<sip:{PLATFORM}@127.0.0.1:{self.port}>")
        if content_type:
            headers.add("Content-Type", content_type)
        return Request(method, f"sip:{user}@127.0.0.1", headers=headers, body=body)

    async def say(self, root: str, command: str, channel: str, inside: str = "", *, to: str = DEVICE) -> str:
        """A MANSCDP message; the SN."""
        number = str(next(self._numbers) + 10_000)
        body = (
            f'<?xml version="1.0" encoding="GB2312"?>\r\n<{root}>\r\n<CmdType>{command}</CmdType>\r\n<SN>{number}</SN>\r\n'
            f"<DeviceID>{channel}</DeviceID>\r\n{inside}</{root}>\r\n"
        )
        response = await self.send(self.request("MESSAGE", channel, body.encode("gb18030"), "Application/MANSCDP+xml"), to)
        assert response.status == 200
        return number

    async def subscribe(self, command: str, inside: str = "", expires: int = 60) -> tuple[Dialog, Response]:
        said = f"<CmdType>{command}</CmdType><SN>1</SN><DeviceID>{DEVICE}</DeviceID>{inside}"
        body = f'<?xml version="1.0"?>\r\n<Query>{said}</Query>\r\n'
        request = self.request("SUBSCRIBE", DEVICE, body.encode(), "Application/MANSCDP+xml")
        request.headers.add("Event", "Catalog;id=1" if command == "Catalog" else "presence")
        request.headers.add("Expires", expires)
        response = await self.send(request)
        return Dialog.called(request, response), response

    async def invite(self, channel: str, sdp: str, *, to: str = DEVICE, subject: str = "") -> Call | Response:
        request = self.request("INVITE", channel, sdp.replace("\n", "\r\n").encode(), "application/sdp")
        request.headers.add("Subject", subject or f"{channel}:0{secrets.randbelow(10**9):09d},{PLATFORM}:0")
        key, response = await self._ask(request, to)
        if response.status != 200:
            return response
        dialog = Dialog.called(request, response)
        self.endpoint.acknowledge(key, dialog.ack(response), self.flows[to])
        return Call(dialog, response.body.decode(), response)


def _utf8(body: bytes) -> bool:
    with suppress(UnicodeDecodeError):
        body.decode("utf-8")
        return True
    return False


def user_of(request: Request) -> str:
    return Uri.parse(request.uri).user


@asynccontextmanager
async def registrar() -> AsyncIterator[Registrar]:
    made = Registrar()
    await made.open()
    try:
        yield made
    finally:
        await made.close()


def sdp(port: int, *, way: str = "udp", session: str = "Play", ssrc: str = "0105000001", extra: str = "", t: str = "0 0") -> str:
    """An offer as platforms write it. ``extra``: lines with their line ends."""
    profile = "RTP/AVP" if way == "udp" else "TCP/RTP/AVP"
    setup = "" if way == "udp" else f"a=setup:{way.removeprefix('tcp-')}\na=connection:new\n"
    return (
        f"v=0\no={PLATFORM} 0 0 IN IP4 127.0.0.1\ns={session}\nc=IN IP4 127.0.0.1\nt={t}\nm=video {port} {profile} 96 98\n"
        f"a=recvonly\na=rtpmap:96 PS/90000\na=rtpmap:98 H264/90000\n{setup}{extra}y={ssrc}\n"
    )


class Packets:
    """RTP packets of a play over ``way``; ``port`` goes into the offer, ``connect`` after the answer when we have to dial."""

    def __init__(self, way: str = "udp") -> None:
        self.way = way
        self.packets: list[bytes] = []
        self._got = asyncio.Event()
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.port = 9

    async def open(self) -> None:
        if self.way == "udp":
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self._socket.bind(("127.0.0.1", 0))
            self._socket.setblocking(False)
            self.port = self._socket.getsockname()[1]
            self._tasks.append(asyncio.create_task(self._datagrams(self._socket)))
        elif self.way == "tcp-passive":
            self._server = await asyncio.start_server(self._read, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]

    async def connect(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self._tasks.append(asyncio.create_task(self._read(reader, writer)))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket:
            self._socket.close()
        if self._server:
            self._server.close()

    async def until(self, number: int, seconds: float = 30.0) -> list[bytes]:
        async with asyncio.timeout(seconds):
            while len(self.packets) < number:
                self._got.clear()
                await self._got.wait()
        return self.packets

    async def _datagrams(self, listening: socket.socket) -> None:
        while True:
            self._take(await asyncio.get_running_loop().sock_recv(listening, 65_536))

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
                self._take(await reader.readexactly(size))
        writer.close()

    def _take(self, packet: bytes) -> None:
        self.packets.append(packet)
        self._got.set()


@asynccontextmanager
async def packets(way: str = "udp") -> AsyncIterator[Packets]:
    made = Packets(way)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
