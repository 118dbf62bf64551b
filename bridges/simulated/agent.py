"""Who calls in: signs in at a platform with a password, stays signed in, sends messages and hears requests."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from bridges.sip import digest
from bridges.sip.fields import Address, Uri, host_port
from bridges.sip.message import Headers, Request, Response
from bridges.sip.sources import Limits
from bridges.sip.states import Timers
from bridges.sip.transaction import Answered, Asked, Failed, Flow, Key
from bridges.sip.transport import Disconnected, Endpoint, Told
from commhub import log as logs
from commhub.tasks import Tasks

log = logs.get(__name__)

# Whoever calls a device is its platform; a simulator does not have to be careful.
_LIMITS = Limits(strangers_per_second=1e6, stranger_burst=1e6, all_strangers_per_second=1e6)
_MISSES = 3
_DEAD_SECONDS = 8.0


class Refused(Exception):
    """The platform said no; the message is its status."""


@dataclass(slots=True, kw_only=True)
class Account:
    """``platform`` is the platform's code, ``address`` where it listens. ``transport``: udp or tcp. Seconds everywhere.
    ``version`` is X-GB-ver: 1.0, 1.1, 2.0 (2016), 3.0 (2022)."""

    code: str
    platform: str
    address: tuple[str, int]
    password: str = field(default="", repr=False)
    domain: str = ""
    transport: str = "udp"
    host: str = "127.0.0.1"
    port: int = 0
    expires: int = 3600
    heartbeat: float = 60.0
    retry: float = 2.0
    version: str = "3.0"
    agent: str = "CommHub simulated device"

    def __post_init__(self) -> None:
        for code in (self.code, self.platform):
            if len(code) != 20 or not code.isdigit():
                raise ValueError(f"A code has 20 digits; {code[:24]} has not.")
        if self.transport not in ("udp", "tcp"):
            raise ValueError("The transport is udp or tcp.")
        self.domain = self.domain or self.platform[:10]


class Agent:
    """``start`` signs in and keeps at it; ``hear`` is told every request and what becomes of dialogs.

    ``counts`` has ``registered`` (200 to REGISTER), ``heartbeats`` and ``answered heartbeats``.
    """

    def __init__(
        self,
        account: Account,
        hear: Callable[[Told], None],
        *,
        heartbeat: Callable[[], bytes],
        quirks: frozenset[str] = frozenset(),
        timers: Timers | None = None,
    ) -> None:
        self.account = account
        self.registered = asyncio.Event()
        self.counts: Counter[str] = Counter()
        self.status = 0  # of the last answer to REGISTER
        self._hear, self._beat, self._quirks = hear, heartbeat, quirks
        self._endpoint = Endpoint(self._told, limits=_LIMITS, timers=timers)
        self._flow: Flow | None = None
        self._waiting: dict[Key, asyncio.Future[Response]] = {}
        self._tasks = Tasks(f"agent {account.code}")
        self._numbers = itertools.count(1)
        self._call = secrets.token_hex(8)
        self._gone = asyncio.Event()
        self._home = account.address, account.platform

    # ---- beginning and end

    async def start(self) -> None:
        """Signing in goes on in the background: wait for ``registered``."""
        await self._endpoint.open([self.account.host], self.account.port)
        self._tasks.spawn(self._live(), "life")

    async def close(self, *, farewell: bool = True) -> None:
        """``farewell``: signs out first. Without it everything just stops, as when the power is cut."""
        if farewell and self.registered.is_set():
            with suppress(Refused, OSError, TimeoutError):
                await asyncio.wait_for(self._register(0), 1.0)
        self.registered.clear()
        await self._tasks.close()
        await self._endpoint.close()
        for future in self._waiting.values():
            future.cancel()

    @property
    def port(self) -> int:
        return self._endpoint.port

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def flow(self) -> Flow:
        """The way to the platform. OSError without one."""
        if self._flow is None:
            raise OSError("The platform is not connected.")
        return self._flow

    @property
    def own_uri(self) -> str:
        return f"sip:{self.account.code}@{self.account.domain}"

    @property
    def contact(self) -> str:
        where = "10.255.0.9:5060" if "strange-contact" in self._quirks else host_port(self.account.host, self.port)
        return f"<sip:{self.account.code}@{where}>"

    # ---- what is sent

    def request(self, method: str, body: bytes = b"", content_type: str = "", *, user: str = "") -> Request:
        """A request outside of any dialog. ``user``: who it is from, when not the device itself."""
        account = self.account
        first = account.domain if "digit-domain" in self._quirks and method == "MESSAGE" else account.platform
        headers = Headers()
        sender = f"sip:{user or account.code}@{account.domain}"
        headers.add("From", Address(sender).tagged(secrets.token_hex(4)))
        headers.add("To", Address(f"sip:{account.platform}@{account.domain}"))
        headers.add("Call-ID", secrets.token_hex(8))
        headers.add("CSeq", f"{next(self._numbers)} {method}")
        headers.add("User-Agent", account.agent)
        if content_type:
            headers.add("Content-Type", content_type)
        return Request(method, f"sip:{first}@{account.domain}", headers=headers, body=body)

    async def send(self, request: Request) -> Response:
        """The final response; TimeoutError without one, OSError when there is no way."""
        return (await self.ask(request))[1]

    async def ask(self, request: Request) -> tuple[Key, Response]:
        """As ``send``, with the transaction: an ACK needs it."""
        key = self._endpoint.request(request, self.flow)
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        try:
            return key, await future
        finally:
            self._waiting.pop(key, None)

    async def message(self, body: bytes, *, user: str = "") -> Response:
        return await self.send(self.request("MESSAGE", body, "Application/MANSCDP+xml", user=user))

    def respond(self, asked: Asked, status: int, *, tag: str = "", body: bytes = b"", content_type: str = "") -> Response:
        response = asked.request.reply(status, tag=tag or secrets.token_hex(4), body=body, content_type=content_type)
        if asked.request.method in ("INVITE", "SUBSCRIBE") and status < 300:
            response.headers.add("Contact", self.contact)
        response.headers.add("User-Agent", self.account.agent)
        self._endpoint.respond(asked.key, response)
        return response

    # ---- what is heard

    def _told(self, told: Told) -> None:
        match told:
            case Answered() if told.key in self._waiting:
                future = self._waiting[told.key]
                if told.response.final and not future.done():
                    future.set_result(told.response)
            case Failed() if told.key in self._waiting:
                future = self._waiting[told.key]
                if not future.done():
                    future.set_exception(TimeoutError() if told.reason == "timeout" else ConnectionResetError())
            case Disconnected():
                if self._flow is not None and told.flow.connection == self._flow.connection:
                    self._gone.set()
            case _:
                self._hear(told)

    # ---- staying signed in

    async def _live(self) -> None:
        while True:
            self._gone.clear()
            try:
                await self._connect()
                await self._register(self.account.expires)
                await self._stay()
            except (Refused, OSError, TimeoutError) as error:
                log.debug("not signed in", device=self.account.code, reason=repr(error))
            self.registered.clear()
            self.account.address, self.account.platform = self._home
            await asyncio.sleep(self.account.retry)
            self._call = secrets.token_hex(8)

    async def _connect(self) -> None:
        host, port = self.account.address
        if self.account.transport == "tcp":
            self._flow = await self._endpoint.dial(host, port)
        else:
            self._flow = self._endpoint.towards(host, port)

    async def _register(self, expires: int) -> None:
        """Refused with the status when the platform does not want us; follows one 302."""
        for _ in range(2):
            response = await self._attempt(expires)
            if response.status == 302 and response.contacts:
                target = Uri.parse(response.contacts[0].uri)
                self.account.address = (target.host, target.port or 5060)
                self.account.platform = target.user or self.account.platform
                await self._connect()
                continue
            break
        self.status = response.status
        if response.status != 200:
            raise Refused(f"{response.status} {response.reason}")
        if expires:
            self.counts["registered"] += 1
            self.registered.set()

    async def _attempt(self, expires: int) -> Response:
        proof = ""
        for _ in range(3):
            request = self.request("REGISTER")
            request.headers.set("To", Address(self.own_uri))
            request.headers.set("Call-ID", self._call)
            request.headers.add("Contact", self.contact)
            request.headers.add("Expires", expires)
            request.headers.add("X-GB-ver", self.account.version)
            if proof:
                request.headers.add("Authorization", proof)
            async with asyncio.timeout(_DEAD_SECONDS):
                response = await self.send(request)
            stale = any("stale=true" in value.lower() for value in response.headers.all("WWW-Authenticate"))
            if response.status != 401 or (proof and not stale):
                return response
            proof = (
                digest.answer(
                    response.headers.all("WWW-Authenticate"),
                    self.account.code,
                    self.account.password,
                    "REGISTER",
                    request.uri,
                    secrets.token_hex(8),
                )
                or ""
            )
            if not proof:
                return response
        return response

    async def _stay(self) -> None:
        """Until the platform has forgotten us, or is gone."""
        loop = asyncio.get_running_loop()
        refresh = loop.time() + self.account.expires * 0.8
        missed = 0
        while missed < _MISSES:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), self.account.heartbeat)
            if self._gone.is_set():
                return
            if loop.time() >= refresh:
                await self._register(self.account.expires)
                refresh = loop.time() + self.account.expires * 0.8
            if "silent" in self._quirks:
                continue
            try:
                self.counts["heartbeats"] += 1
                async with asyncio.timeout(_DEAD_SECONDS):
                    response = await self.message(self._beat())
            except (TimeoutError, OSError):
                missed += 1
                if "strict-200" in self._quirks:
                    await self._gone.wait()
                continue
            if response.status in (401, 403):
                return
            missed = 0
            self.counts["answered heartbeats"] += 1
