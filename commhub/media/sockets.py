"""The plane's sockets: one UDP socket and one TCP listener (RFC 4571 framing, ICE-TCP passive) per address.

Nothing here waits: reading goes on until the kernel has no more, writing that would block is dropped and counted.
Runs of equally long packets to one destination leave in one call (UDP generic segmentation offload).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from commhub import log
from commhub.media.plane import Address, Path

if TYPE_CHECKING:
    from commhub.media.peer import Peer

MAX_DATAGRAM = 2048
BATCH = 128  # datagrams read before what they caused leaves
SEGMENTS = 10
BUFFER = 4 << 20
CONNECTIONS = 2048
CONNECTIONS_PER_HOST = 1024  # a hall behind one address that lets only TCP out
UNBOUND_PER_HOST = 256  # that have not carried a valid check yet
UNBOUND_SECONDS = 10.0  # a TCP connection must carry a valid check by then
UNBOUND_OCTETS = 64 << 10  # and before it has sent so many
REST_SECONDS = 0.2  # no accepting, when there are no file descriptors
OUT_LIMIT = 256 << 10  # octets that may wait in a TCP connection
_SO_TIMESTAMPNS, _SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 35, 32, 33
_UDP_SEGMENT = 103
_SOL_UDP = 17
_MSG_TRUNC = int(socket.MSG_TRUNC)  # as a plain int: the enum's operators cost microseconds
_NO_GSO = {errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.EMSGSIZE, errno.ENOPROTOOPT}
_TIMESPEC = struct.Struct("@qq")
_ANCILLARY = socket.CMSG_SPACE(16)

_LOG = log.get(__name__)

Key = tuple[str, int]
#: ``(source, host and port, buffer, octets in it, arrival as UTC ns)``
Receive = Callable[["Source", Key, memoryview, int, int], None]


class Source(ABC):
    """Where datagrams come from and go to. ``peers`` finds a transport by its remote address."""

    connection = 0

    def __init__(self, sockets: Sockets, index: int) -> None:
        self.sockets = sockets
        self.index = index
        self.peers: dict[Key, Peer] = {}

    def path(self, key: Key) -> Path:
        return Path(self.index, key[0], key[1], self.connection)

    @abstractmethod
    def send(self, key: Key, pairs: list[bytes]) -> int:
        """Send packets given as header, body, header, body …; returns how many were dropped."""


class UdpPort(Source):
    """One bound UDP socket."""

    def __init__(self, sockets: Sockets, index: int, host: str, port: int) -> None:
        super().__init__(sockets, index)
        self.wide = ":" in host
        self.gso = True
        self.socket = sock = socket.socket(socket.AF_INET6 if self.wide else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            for option, forced in ((socket.SO_RCVBUF, _SO_RCVBUFFORCE), (socket.SO_SNDBUF, _SO_SNDBUFFORCE)):
                sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
                with contextlib.suppress(PermissionError):  # beyond the system's limit only with CAP_NET_ADMIN
                    sock.setsockopt(socket.SOL_SOCKET, forced, BUFFER)
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if self.wide:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port))
        except BaseException:
            sock.close()
            raise
        self.port: int = sock.getsockname()[1]
        self._segment: dict[int, list[tuple[int, int, bytes]]] = {}

    def read(self) -> None:
        """Everything that waits, up to a batch; then what it caused leaves."""
        sockets = self.sockets
        buffer, receive, wide = sockets.buffer, sockets.receive, self.wide
        buffers = [buffer]
        recvmsg_into = self.socket.recvmsg_into
        at = 0
        for _ in range(BATCH):
            try:
                size, ancillary, flags, address = recvmsg_into(buffers, _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # an ICMP error about something sent before
                continue
            if flags & _MSG_TRUNC or not size:
                sockets.malformed += 1
                continue
            if ancillary:
                seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
                at = seconds * 1_000_000_000 + nanoseconds
            else:
                at = time.time_ns()
            receive(self, address[:2] if wide else address, buffer, size, at)
        sockets.done()
        if at and (waited := time.time_ns() - at) > sockets.waited:
            sockets.waited = waited

    def send(self, key: Key, pairs: list[bytes]) -> int:
        count = len(pairs)
        if count == 2:
            return self._one(key, pairs)
        if not self.gso:
            return sum([self._one(key, pairs[at : at + 2]) for at in range(0, count, 2)])
        at = dropped = 0
        while at < count:
            size = len(pairs[at]) + len(pairs[at + 1])
            end, stop = at + 2, min(count, at + 2 * SEGMENTS)
            while end < stop:
                other = len(pairs[end]) + len(pairs[end + 1])
                if other > size:
                    break
                end += 2
                if other < size:
                    break
            if end - at == 2:
                dropped += self._one(key, pairs[at:end])
            else:
                dropped += self._run(key, pairs[at:end], size)
            at = end
        return dropped

    def _one(self, key: Key, pair: list[bytes]) -> int:
        try:
            self.socket.sendmsg(pair, (), 0, key)
        except OSError:
            return 1
        return 0

    def _run(self, key: Key, pairs: list[bytes], size: int) -> int:
        ancillary = self._segment.get(size)
        if ancillary is None:
            ancillary = self._segment[size] = [(_SOL_UDP, _UDP_SEGMENT, struct.pack("@H", size))]
        try:
            self.socket.sendmsg(pairs, ancillary, 0, key)
        except BlockingIOError:
            return len(pairs) // 2
        except OSError as error:
            if error.errno not in _NO_GSO:
                return len(pairs) // 2
            self.gso = False
            return self.send(key, pairs)
        return 0


class Connection(Source):
    """One accepted TCP connection; every frame is a datagram (RFC 4571)."""

    def __init__(self, sockets: Sockets, index: int, number: int, sock: socket.socket, key: Key) -> None:
        super().__init__(sockets, index)
        self.connection = number
        self.socket = sock
        self.key = key
        self.since = time.monotonic()
        self._heard = 0
        self._in = bytearray()
        self._out = bytearray()

    def read(self) -> None:
        try:
            data = self.socket.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._heard += len(data)
        if not data or (not self.peers and self._heard > UNBOUND_OCTETS):
            self.sockets.drop(self)
            return
        self._in += data
        at, now = 0, time.time_ns()
        sockets = self.sockets
        while len(self._in) - at >= 2:
            size = self._in[at] << 8 | self._in[at + 1]
            if size > MAX_DATAGRAM:
                sockets.malformed += 1
                sockets.drop(self)
                return
            if len(self._in) - at - 2 < size:
                break
            if size:
                sockets.receive(self, self.key, memoryview(bytes(self._in[at + 2 : at + 2 + size])), size, now)
            at += 2 + size
        del self._in[:at]
        sockets.done()

    def send(self, key: Key, pairs: list[bytes]) -> int:
        dropped = 0
        frames: list[bytes] = []
        waiting = len(self._out)
        for at in range(0, len(pairs), 2):
            size = len(pairs[at]) + len(pairs[at + 1])
            if waiting > OUT_LIMIT:
                dropped += 1
                continue
            waiting += size + 2
            frames += (size.to_bytes(2, "big"), pairs[at], pairs[at + 1])
        idle = not self._out
        self._out += b"".join(frames)
        if idle and self._out:
            self.write()
            if self._out and self.socket.fileno() >= 0:
                self.sockets.loop.add_writer(self.socket, self.write)
        return dropped

    def write(self) -> None:
        try:
            sent = self.socket.send(self._out)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._out.clear()  # the reader sees the end
            sent = 0
        del self._out[:sent]
        if not self._out:
            self.sockets.loop.remove_writer(self.socket)


class Sockets:
    """All of them. ``receive`` gets every datagram; ``done`` is called after each batch; ``closed`` when a connection ended."""

    def __init__(self, receive: Receive, done: Callable[[], None], closed: Callable[[Path], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.receive = receive
        self.done = done
        self._closed = closed
        self.buffer = memoryview(bytearray(MAX_DATAGRAM))
        self.malformed = self.refused = 0
        self.waited = 0  # ns from the arrival of a datagram until its batch was done, the longest since somebody set it to 0
        self._udp: list[UdpPort] = []
        self._listeners: list[socket.socket] = []
        self._connections: dict[int, Connection] = {}
        self._numbers = 0
        self._rests: deque[asyncio.TimerHandle] = deque(maxlen=8)

    def open(self, addresses: list[Address], port: int) -> list[tuple[str, int]]:
        """Bind UDP and TCP of every address to the same port number (0 = a free one, per address)."""
        opened: list[tuple[str, int]] = []
        try:
            for address in addresses:
                opened.append((address.announced, self._bind(address.host, port)))
        except OSError:
            self.close()
            raise
        return opened

    def _bind(self, host: str, port: int) -> int:
        for attempt in range(20):
            udp = UdpPort(self, len(self._udp), host, port)
            listener = socket.socket(socket.AF_INET6 if udp.wide else socket.AF_INET, socket.SOCK_STREAM)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if udp.wide:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.setblocking(False)
                listener.bind((host, udp.port))
                listener.listen(64)
            except OSError:
                listener.close()
                udp.socket.close()
                if port or attempt == 19:
                    raise
                continue  # the free UDP port was not free for TCP: another one
            break
        self._udp.append(udp)
        self._listeners.append(listener)
        self.loop.add_reader(udp.socket, udp.read)
        self.loop.add_reader(listener, self._accept, listener, udp.index)
        return udp.port

    def _accept(self, listener: socket.socket, index: int) -> None:
        for _ in range(16):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # it went while it waited
            except OSError as error:
                self._exhausted(listener, index, error)
                return
            host = address[0]
            if not self._has_room(host):
                self.refused += 1
                sock.close()
                continue
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._numbers += 1
            connection = Connection(self, index, self._numbers, sock, (host, address[1]))
            self._connections[connection.connection] = connection
            self.loop.add_reader(sock, connection.read)

    def _exhausted(self, listener: socket.socket, index: int, error: OSError) -> None:
        """The listener stays readable: without a rest the loop would do nothing else, and media would stop."""
        self.loop.remove_reader(listener)
        self._rests.append(self.loop.call_later(REST_SECONDS, self.loop.add_reader, listener, self._accept, listener, index))
        if (suppressed := log.limited("media accept", 60)) is not None:
            _LOG.error("cannot accept", reason=error.strerror, connections=len(self._connections), suppressed=suppressed)

    def _has_room(self, host: str) -> bool:
        """Of too many that have proven nothing the oldest goes: who means it has sent his check long before."""
        same = [one for one in self._connections.values() if one.key[0] == host]
        unbound = [one for one in same if not one.peers]
        if len(self._connections) >= CONNECTIONS:
            unbound = unbound or [one for one in self._connections.values() if not one.peers]
        elif len(same) < CONNECTIONS_PER_HOST and len(unbound) < UNBOUND_PER_HOST:
            return True
        if unbound:
            self.refused += 1
            self.drop(unbound[0])
        return bool(unbound)

    def source(self, path: Path) -> Source | None:
        """The socket or connection of a path, None when it is gone."""
        if path.connection:
            return self._connections.get(path.connection)
        return self._udp[path.socket] if 0 <= path.socket < len(self._udp) else None

    def drop(self, connection: Connection) -> None:
        """End one connection and tell."""
        if self._connections.pop(connection.connection, None) is None:
            return
        self.loop.remove_reader(connection.socket)
        self.loop.remove_writer(connection.socket)
        connection.socket.close()
        self._closed(connection.path(connection.key))

    def expire(self, now: float) -> None:
        """End connections that have not become anybody's path in time."""
        for connection in list(self._connections.values()):
            if not connection.peers and now - connection.since > UNBOUND_SECONDS:
                self.drop(connection)

    def close(self) -> None:
        for rest in self._rests:
            rest.cancel()
        for udp in self._udp:
            self.loop.remove_reader(udp.socket)
            udp.socket.close()
        for listener in self._listeners:
            self.loop.remove_reader(listener)
            listener.close()
        for connection in self._connections.values():
            self.loop.remove_reader(connection.socket)
            self.loop.remove_writer(connection.socket)
            connection.socket.close()
        self._udp.clear()
        self._listeners.clear()
        self._connections.clear()
