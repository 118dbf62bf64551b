"""The sockets on which a device's media arrives: UDP and TCP, listening or dialling, on one port of a call's own.

They are read by one clock for all of them, not packet by packet: a picture comes as a burst of datagrams, and waking up
for each costs more than reading it (``POLL_SECONDS`` is the price in delay). What is admitted (``gate``) goes to ``heard`` in
order.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import time
from collections.abc import Callable

from bridges.gb28181.datagrams import Mail
from bridges.gb28181.framing import Splitter, is_control
from bridges.gb28181.gate import Gate, Place
from bridges.gb28181.offer import ACTIVE, PASSIVE, UDP
from bridges.gb28181.ports import Ports
from bridges.gb28181.reports import Reports
from bridges.timeline import Reorder
from commhub.addresses import plain
from commhub.tasks import Tasks

POLL_SECONDS = 0.04  # a picture, as most cameras make them; waking up twice as often costs a fifth more
SHALLOW_POLL_SECONDS = 0.01  # where the system gives sockets less than a burst needs
RECEIVE_BUFFER = 4 << 20  # octets: a key frame of 2K is a burst of hundreds of kilobytes
_FORCED = 33  # SO_RCVBUFFORCE
_WAIT = 100_000_000  # ns for a packet that is missing
_WINDOW = 512
_RUN = 256  # datagrams of one socket before others have their turn
_CHUNK = 256 << 10  # octets of a connection before others have theirs
_CONNECTIONS = 4  # on a listening port
_UNBOUND_SECONDS = 5.0
_DIALS, _DIAL_SECONDS, _REDIAL_SECONDS = 3, 2.0, 1.0
_ATTEMPTS = 16

#: ``(RTP packets, UTC ns)``, or octets of a stream without RTP, where ``Receiver.raw`` is set
Heard = Callable[[list[bytes], int], None]


class Poll:
    """Reads all sockets of devices' media in this process every few milliseconds."""

    def __init__(self) -> None:
        self.mail = Mail()
        self._reads: dict[int, Callable[[], None]] = {}
        self._waiting: dict[int, Callable[[], None]] = {}  # those in whose buffers something waits for its turn
        self._timer: asyncio.TimerHandle | None = None
        self._epoll: select.epoll | None = None
        self._period = POLL_SECONDS
        self._octets = memoryview(bytearray(_CHUNK))

    def receive(self, sock: socket.socket) -> bytes:
        """What waits in a connection, up to a bound. BlockingIOError where nothing does; OSError; empty at its end."""
        return bytes(self._octets[: sock.recv_into(self._octets)])

    def shallow(self) -> None:
        """A socket could not get the buffer it should have: all are looked after more often."""
        self._period = SHALLOW_POLL_SECONDS

    def add(self, key: int, read: Callable[[], None]) -> None:
        """``key`` is the socket's number."""
        self._reads[key] = read
        if self._epoll is None:
            self._epoll = select.epoll()
        self._epoll.register(key, select.EPOLLIN)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._period, self._tick)

    def remove(self, key: int) -> None:
        if self._reads.pop(key, None) is None or self._epoll is None:
            return
        self._waiting.pop(key, None)
        self._epoll.unregister(key)
        if not self._reads:
            self._epoll.close()
            self._epoll = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def again(self, key: int, act: Callable[[], None]) -> None:
        """``act`` is called at the next tick, whether something has come or not."""
        self._waiting[key] = act

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._period, self._tick)
        if self._epoll is None:
            return
        ready = self._epoll.poll(0)
        waiting = self._waiting
        if not ready and not waiting:
            return
        if waiting:
            self._waiting = {}
        for key, _ in ready:
            if (read := self._reads.get(key)) is not None:
                waiting.pop(key, None)
                read()
        for act in waiting.values():
            act()


class Receiver:
    """One attempt at a call. ``open`` binds, ``answered`` dials where we do; ``close`` gives the port back. ``lost`` is called
    when a TCP connection that brought media ends, or none could be made."""

    def __init__(self, way: str, ports: Ports, poll: Poll, tasks: Tasks, gate: Gate, heard: Heard, flush: Callable[[], None],
                 lost: Callable[[], None]) -> None:  # fmt: skip
        self.way = way
        self.gate = gate
        self.port = 0
        self.raw = False
        self.arrived = ""  # the way that media really came: udp, tcp-passive, tcp-active
        self.connected = False  # by TCP
        self.refused = ""  # why it could not be dialled
        self.torn = 0
        self._ports, self._poll, self._heard, self._flush, self._lost = ports, poll, heard, flush, lost
        self._leased: int | None = None
        self._udp: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._connections: list[_Connection] = []
        self._chosen: _Connection | None = None
        self._reorder = Reorder(_WAIT, _WINDOW)
        self.reports: Reports | None = None  # to a device that sends by UDP
        self._tasks = tasks
        self._dialling: asyncio.Task[None] | None = None
        self._closed = False

    def open(self, host: str) -> None:
        """Binds ``host`` ("" is every address). OSError or ValueError when there is no port."""
        for _ in range(_ATTEMPTS):
            port = self._ports.take(time.monotonic())
            self._leased = port
            try:
                if self.way != ACTIVE:
                    self._bind(host, port)
                break
            except OSError:
                self._unbind()
                self._ports.give(port, time.monotonic())
                self._leased = None
        else:
            raise OSError("No free media port was found.")
        self.port = self.port or port or 9  # discard: who dials us not needs none (RFC 4145)
        if self._udp is not None:
            self._poll.add(self._udp.fileno(), self._read)
        if self.way == UDP:
            with contextlib.suppress(OSError, OverflowError):
                self.reports = Reports(host, self.port + 1, self.gate, lambda: self._reorder.newest)
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept, self._listener)

    def _bind(self, host: str, port: int) -> None:
        """Where TCP was offered UDP is listened to as well: some devices agree and send as they always do."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        if self.way == PASSIVE:
            self._listener = listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(8)
            port = listener.getsockname()[1]
        self._udp = made = socket.socket(family, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        with contextlib.suppress(OSError):  # beyond the system's limit only with CAP_NET_ADMIN
            made.setsockopt(socket.SOL_SOCKET, _FORCED, RECEIVE_BUFFER)
        if made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < RECEIVE_BUFFER:  # it tells twice what was asked for
            self._poll.shallow()
        made.bind((host, port))
        self.port = made.getsockname()[1]

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            accepted, place = listener.accept()
            self._join(accepted, place)

    def _join(self, sock: socket.socket, place: tuple[str, int]) -> None:
        """A connection was made; sent away where there are too many."""
        waiting = [one for one in self._connections if not one.closed]
        if self._closed or len(waiting) >= _CONNECTIONS:
            sock.close()
            return
        host = place[0]
        with contextlib.suppress(ValueError):
            host = str(plain(host))
        self._connections = [*waiting, _Connection(self, self._poll, sock, (host, place[1]))]
        self.connected = True

    def answered(self, host: str, port: int) -> None:
        """Where the device waits for us, where it is we who dial."""
        if self.way == ACTIVE:
            self._dialling = self._tasks.spawn(self._dial(host, port), "dial")

    async def _dial(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        for attempt in range(_DIALS):
            if attempt:
                await asyncio.sleep(_REDIAL_SECONDS)
            try:
                async with asyncio.timeout(_DIAL_SECONDS):
                    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
                    sock.setblocking(False)
                    try:
                        await loop.sock_connect(sock, (host, port))
                    except BaseException:
                        sock.close()
                        raise
                self.refused = ""
                self._join(sock, (host, port))
                return
            except TimeoutError:
                self.refused = "timeout"
            except OSError:
                self.refused = "refused"
        self._lost()

    # ---- what arrives

    def _read(self) -> None:
        """Everything that waits in the UDP socket."""
        sock = self._udp
        if sock is None:
            return
        now, at = time.monotonic(), time.time_ns()
        mail = self._poll.mail
        got = False
        for _ in range(_RUN // mail.most):
            try:
                read = mail.read(sock)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                continue
            for source, packets in read:
                if admitted := self.gate.admit_all(packets, source, now):
                    if not got:
                        got = True
                        self.arrived = self.arrived or UDP
                    if due := self._reorder.push_all(admitted, at):
                        self._heard(due, at)
            if sum(len(packets) for _, packets in read) < mail.most:
                break
        if self._reorder.waits:
            self._poll.again(sock.fileno(), self._overdue)
        if got:
            self._flush()

    def _overdue(self) -> None:
        """Nothing has come since; what waits for a packet that is missing may not wait for ever."""
        at = time.time_ns()
        due = self._reorder.due(at)
        if due:
            self._heard(due, at)
        if self._udp is not None and self._reorder.waits:
            self._poll.again(self._udp.fileno(), self._overdue)
        if due:
            self._flush()

    def taken(self, connection: _Connection, data: bytes) -> None:
        """What a TCP connection has brought."""
        at = time.time_ns()
        torn = connection.splitter.torn
        pieces = connection.splitter.push(data)
        self.torn += connection.splitter.torn - torn
        if admitted := self._admitted(connection, pieces, time.monotonic()):
            self._heard(admitted, at)
            self._flush()

    def _admitted(self, connection: _Connection, pieces: list[bytes], now: float) -> list[bytes]:
        """What of it is media of the call."""
        gate = self.gate
        if connection is self._chosen and not connection.splitter.raw:
            return gate.admit_all([piece for piece in pieces if not is_control(piece)], connection.place, now)
        admitted: list[bytes] = []
        for piece in pieces:
            if connection.splitter.raw:
                if connection.place[0] not in gate.expected or not self._choose(connection):
                    gate.strangers += 1
                    connection.abort()
                    break
                self.raw = True
                gate.take(connection.place, now)
            elif is_control(piece):
                gate.control += 1
                continue
            elif not gate.admit(piece, connection.place, now):
                if connection is not self._chosen:
                    connection.abort()  # a stranger
                    break
                continue
            elif not self._choose(connection):
                break
            admitted.append(piece)
        return admitted

    def _choose(self, connection: _Connection) -> bool:
        if self._chosen is None or self._chosen.closed:
            self._chosen = connection
            self.arrived = self.arrived or (ACTIVE if self.way == ACTIVE else PASSIVE)
            for other in self._connections:
                if other is not connection:
                    other.abort()
        return self._chosen is connection

    def left(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        if connection is self._chosen and not self._closed:
            self._lost()

    def hold(self, held: bool) -> bool:
        """Reads no more of its connection for a while. False where there is none."""
        if self._chosen is None or self._chosen.closed:
            return False
        self._chosen.hold(held)
        return True

    # ---- the end

    def _unbind(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
        if self._udp is not None:
            self._poll.remove(self._udp.fileno())
            self._udp.close()
            self._udp = None

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self.reports is not None:
            self.reports.close()
        self._unbind()
        if self._dialling is not None:
            self._dialling.cancel()
        for connection in list(self._connections):
            connection.abort()
        if self._leased is not None:
            self._ports.give(self._leased, time.monotonic())
            self._leased = None


class _Connection:
    """RTP over TCP, read by the clock that reads all."""

    def __init__(self, receiver: Receiver, poll: Poll, sock: socket.socket, place: Place) -> None:
        self.splitter = Splitter()
        self.place = place
        self.closed = False
        self._held = False
        self._receiver, self._poll, self._socket = receiver, poll, sock
        sock.setblocking(False)
        poll.add(sock.fileno(), self._read)
        self._timer = asyncio.get_running_loop().call_later(_UNBOUND_SECONDS, self._unused)

    def _unused(self) -> None:
        """Nothing that could be media has come: another one may have its place."""
        if not self._receiver.gate.welcome(self.place[0]) and self is not self._receiver._chosen:
            self.abort()

    def _read(self) -> None:
        try:
            data = self._poll.receive(self._socket)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._receiver.taken(self, data)
        else:
            self.abort()

    def hold(self, held: bool) -> None:
        if held != self._held and not self.closed:
            self._held = held
            if held:
                self._poll.remove(self._socket.fileno())
            else:
                self._poll.add(self._socket.fileno(), self._read)

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            self._timer.cancel()
            self._poll.remove(self._socket.fileno())
            self._socket.close()
            self._receiver.left(self)
