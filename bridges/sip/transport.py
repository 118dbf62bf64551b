"""SIP's sockets: UDP and TCP on one port number, IPv4 and IPv6, with the transactions behind them (RFC 3261 §18, RFC 3581, RFC
5626).

Answers go to where the request came from, requests to the flow they are given. ``tell`` hears what ``transaction`` has to say
to its
user, and ``Disconnected``. Only the user can judge a message: what it has believed (a right password, a known device) it
reports with
``learn``; until then the sender is a stranger with few rights (``sources``).
"""

from __future__ import annotations

import asyncio
import errno
import functools
import itertools
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridges.sip import message as codec
from bridges.sip.fields import host_port, received
from bridges.sip.message import Message, Request, Response
from bridges.sip.sources import Limits, Routes, Sources
from bridges.sip.states import Timers
from bridges.sip.stream import PONG, Framer, Ping
from bridges.sip.transaction import (
    Acknowledged,
    Answered,
    Asked,
    Cancelled,
    Failed,
    Flow,
    Key,
    Out,
    Send,
    Stray,
    Transactions,
)
from bridges.wakeup import Wakeup
from commhub import log as logs
from commhub.guard.origins import group
from commhub.tasks import Tasks

log = logs.get(__name__)

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "INFO")
RECEIVE_BUFFER = 4 << 20  # octets; a catalogue comes as a burst of datagrams
_DIAL_SECONDS = 5.0
_SWEEP_SECONDS = 1.0
_ATTEMPTS = 32
_OURS, _OURS_SECONDS = 4_096, 5.0


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A TCP connection is gone, and with it the way to these peers."""

    flow: Flow
    peers: list[str]


Told = Asked | Acknowledged | Cancelled | Answered | Failed | Stray | Disconnected


class Endpoint:
    """``open``, then ``request``, ``respond`` and the rest from within the loop; ``close`` at the end.

    ``counts`` is for metrics: messages, and what was dropped for which reason. ``contact`` of a flow is in ``Flow.local``.
    """

    def __init__(
        self,
        tell: Callable[[Told], None],
        *,
        limits: Limits | None = None,
        timers: Timers | None = None,
        methods: Sequence[str] = METHODS,
    ) -> None:
        self.limits = limits or Limits()
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._tell, self._methods = tell, methods
        self._sources, self._routes = Sources(self.limits), Routes(self.limits.peers)
        self._transactions = Transactions(functools.partial(secrets.token_hex, 8), timers)
        self._udp: dict[int, asyncio.DatagramTransport] = {}  # by address family
        self._servers: list[asyncio.Server] = []
        self._connections: dict[int, _Connection] = {}
        self._crowds: Counter[str] = Counter()  # connections of each address
        self._numbers = itertools.count(1)
        self._wakeup = Wakeup(self._tick)
        self._ours: dict[str, tuple[str, float]] = {}  # host → our address towards it, until when it is believed
        self._tasks = Tasks("sip")

    # ---- beginning and end

    async def open(self, hosts: Sequence[str], port: int) -> int:
        """Binds UDP and TCP of that port on each address (of each family one); 0 picks one. OSError when it is taken."""
        udp, tcp = _bind(hosts, port)
        self.port = udp[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        for one in udp:
            made, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=one)
            self._udp[one.family] = made
        for one in tcp:
            self._servers.append(await loop.create_server(lambda: _Connection(self), sock=one, backlog=256))
        self._tasks.spawn(self._sweep(), "sweep")
        return self.port

    async def close(self) -> None:
        await self._tasks.close()
        self._wakeup.stop()
        for server in self._servers:
            server.close()
        for connection in list(self._connections.values()):
            connection.abort()
        for transport in self._udp.values():
            transport.close()
        await asyncio.sleep(0)  # the sockets close in the loop's next turn

    # ---- for the user

    def request(self, request: Request, flow: Flow) -> Key:
        """ValueError when the request may not be sent as it is. What comes of it is told under this key."""
        codec.serialize(request)
        key, outs = self._transactions.request(request, flow, self._now())
        self._carry_out(outs)
        if flow.connection and flow.connection not in self._connections:
            asyncio.get_running_loop().call_soon(self._lost, flow)
        return key

    def respond(self, key: Key, response: Response) -> None:
        codec.serialize(response)
        self._carry_out(self._transactions.respond(key, response, self._now()))

    def acknowledge(self, key: Key, ack: Request, flow: Flow) -> None:
        codec.serialize(ack)
        self._carry_out(self._transactions.acknowledge(key, ack, flow))

    def cancel(self, key: Key) -> None:
        self._carry_out(self._transactions.cancel(key, self._now()))

    def learn(self, peer: str, flow: Flow) -> None:
        """A message that came by that flow was believed to be the peer's."""
        self._sources.believe(flow.host, self._now())
        if not flow.connection or flow.connection in self._connections:
            self._routes.learn(peer, flow)

    def flow(self, peer: str) -> Flow | None:
        return self._routes.flow(peer)

    def forget(self, peer: str) -> None:
        self._routes.forget(peer)

    def towards(self, host: str, port: int) -> Flow:
        """A way by UDP to an address that has not sent anything yet."""
        return Flow("UDP", host, port, self._local(host))

    async def dial(self, host: str, port: int) -> Flow:
        """A way by TCP; OSError (TimeoutError) when nobody answers."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_DIAL_SECONDS):
            _, made = await loop.create_connection(lambda: _Connection(self, dialled=True), host, port)
        if made.flow is None:
            raise ConnectionRefusedError("There are too many connections.")
        return made.flow

    # ---- what arrives

    def datagram(self, data: bytes, address: tuple[str, int]) -> None:
        now = self._now()
        if not self._sources.admit(address[0], now):
            self.counts["limited"] += 1
            return
        if codec.blank(data):
            self.counts["keepalive"] += 1
            return
        try:
            message = codec.parse(data)
        except ValueError:
            self.counts["malformed"] += 1
            return
        self.arrived(message, Flow("UDP", address[0], address[1], self._local(address[0])), now)

    def arrived(self, message: Message, flow: Flow, now: float) -> None:
        self.counts["messages"] += 1
        try:
            codec.demand(message)
        except ValueError as error:
            self.counts["malformed"] += 1
            if isinstance(message, Request) and message.method != "ACK" and "Via" in message.headers:
                _complete(message, flow)
                self._send(message.reply(400, reason=str(error).rstrip(".")), flow)
            return
        if isinstance(message, Request):
            _complete(message, flow)
        self._carry_out(self._transactions.receive(message, flow, now))

    def connected(self, connection: _Connection, address: tuple[str, int]) -> Flow | None:
        """None when it has to go again."""
        now, host = self._now(), address[0]
        known = self._sources.known(host, now)
        allowed = self.limits.connections_of_known if known or connection.dialled else self.limits.connections_of_stranger
        if self._crowds[group(host)] >= allowed or (len(self._connections) >= self.limits.connections and not self._make_room()):
            self.counts["connections refused"] += 1
            return None
        number = next(self._numbers)
        self._connections[number] = connection
        self._crowds[group(host)] += 1
        return Flow("TCP", host, address[1], connection.local, number)

    def disconnected(self, flow: Flow) -> None:
        self._connections.pop(flow.connection, None)
        crowd = group(flow.host)
        self._crowds[crowd] -= 1
        if not self._crowds[crowd]:
            del self._crowds[crowd]
        self._lost(flow)

    def admit(self, host: str) -> bool:
        admitted = self._sources.admit(host, self._now())
        if not admitted:
            self.counts["limited"] += 1
        return admitted

    def _make_room(self) -> bool:
        """The oldest connection over which nobody has been believed goes."""
        for number, connection in self._connections.items():
            if not self._routes.carries(number) and not connection.dialled:
                connection.abort()
                del self._connections[number]
                return True
        return False

    # ---- what leaves

    def _carry_out(self, outs: Sequence[Out]) -> None:
        for out in outs:
            match out:
                case Send():
                    self._send(out.message, out.flow)
                case Asked() if out.request.method == "OPTIONS" and not out.request.receiver.tag:
                    self.respond(out.key, self._abilities(out.request))
                case _:
                    self._told(out)
        self._wakeup.set(self._transactions.deadline)

    def _told(self, told: Told) -> None:
        try:
            self._tell(told)
        except Exception:
            # Whatever a message did to its user ends that message only.
            self.counts["errors"] += 1
            log.exception("sip_user_failed", kind=type(told).__name__)
            if isinstance(told, Asked):
                self.respond(told.key, told.request.reply(500, tag=secrets.token_hex(4)))

    def _abilities(self, request: Request) -> Response:
        response = request.reply(200, tag=secrets.token_hex(4))
        response.headers.add("Allow", ", ".join(self._methods))
        response.headers.add("Accept", "application/sdp")
        return response

    def _send(self, message: Message, flow: Flow) -> None:
        try:
            data = codec.serialize(message)
        except ValueError:
            self.counts["unsendable"] += 1  # an answer that would have to repeat something impossible
            return
        if not flow.reliable:
            socket_of = self._udp.get(socket.AF_INET6 if ":" in flow.host else socket.AF_INET)
            if socket_of is not None and not socket_of.is_closing() and len(data) <= codec.DATAGRAM_LIMIT - 28:
                socket_of.sendto(data, (flow.host, flow.port))
                return
        elif connection := self._connections.get(flow.connection):
            connection.send(data)
            return
        self.counts["undeliverable"] += 1

    # ---- time

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _tick(self) -> None:
        self._carry_out(self._transactions.tick(self._now()))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self._now()
            for number, connection in list(self._connections.items()):
                if connection.overdue(now, believed=self._routes.carries(number)):
                    self.counts["connections closed"] += 1
                    connection.abort()

    def _lost(self, flow: Flow) -> None:
        self._carry_out(self._transactions.lost(flow.connection, self._now()))
        self._told(Disconnected(flow, self._routes.lost(flow.connection)))

    def _local(self, host: str) -> str:
        now = self._now()
        known = self._ours.get(host)
        if known is not None and now < known[1]:
            return known[0]
        made = self._udp.get(socket.AF_INET6 if ":" in host else socket.AF_INET)
        bound = made.get_extra_info("sockname")[0] if made else ""
        local = host_port(_own_address(host) if bound in ("", "0.0.0.0", "::") else bound, self.port)
        if len(self._ours) >= _OURS:
            self._ours.clear()
        self._ours[host] = local, now + _OURS_SECONDS
        return local


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._endpoint.datagram(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        self._endpoint.counts["undeliverable"] += 1  # ICMP: somebody is not there; the transaction finds out by itself


class _Connection(asyncio.Protocol):
    def __init__(self, endpoint: Endpoint, *, dialled: bool = False) -> None:
        self.dialled = dialled
        self.flow: Flow | None = None
        self.local = ""
        self._endpoint = endpoint
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._began = self._heard = 0.0
        self._incomplete: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        own = transport.get_extra_info("sockname")
        self._began = self._heard = asyncio.get_running_loop().time()
        if peer and own:  # neither is there when it is gone already
            self.local = host_port(own[0], self._endpoint.port)
            self.flow = self._endpoint.connected(self, (peer[0], peer[1]))
        if self.flow is None:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        flow, now = self.flow, asyncio.get_running_loop().time()
        if flow is None:
            return
        self._heard = now
        try:
            found = self._framer.receive(data)
        except ValueError:
            self._endpoint.counts["malformed"] += 1
            self.abort()
            return
        # Each message has its time from its first octet; a trickle of octets does not prolong it.
        if not self._framer.pending:
            self._incomplete = None
        elif found or self._incomplete is None:
            self._incomplete = now
        for one in found:
            if not self._endpoint.admit(flow.host):
                continue
            if isinstance(one, Ping):
                self.send(PONG)
            else:
                self._endpoint.arrived(one, flow, now)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.flow is not None:
            self._endpoint.disconnected(self.flow)

    def send(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > self._endpoint.limits.unsent:
            self._endpoint.counts["connections closed"] += 1
            self.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def overdue(self, now: float, *, believed: bool) -> bool:
        limits = self._endpoint.limits
        if self._incomplete is not None and now - self._incomplete > limits.message_seconds:
            return True
        if not believed and not self.dialled and now - self._began > limits.stranger_seconds:
            return True
        return now - self._heard > limits.idle_seconds


def _complete(request: Request, flow: Flow) -> None:
    vias = request.headers.values("Via")
    request.headers.set("Via", received(vias[0], flow.host, flow.port), *vias[1:])


@functools.lru_cache(4096)
def _own_address(host: str) -> str:
    """Ours as seen on the way to that host; nothing is sent."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"


def _bind(hosts: Sequence[str], port: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """UDP and TCP sockets with one port number; a number that is free for one may be taken for the other."""
    for attempt in itertools.count(1):
        made: list[socket.socket] = []
        try:
            wanted = port
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                for host in hosts:
                    made.append(_socket(host, kind, wanted))
                    wanted = made[0].getsockname()[1]
            return made[: len(hosts)], made[len(hosts) :]
        except OSError as error:
            for one in made:
                one.close()
            if port or error.errno != errno.EADDRINUSE or attempt >= _ATTEMPTS:
                raise
    raise AssertionError("The attempts are counted.")


def _socket(host: str, kind: socket.SocketKind, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, kind)
    try:
        made.setblocking(False)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
