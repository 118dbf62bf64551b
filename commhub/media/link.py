"""The link between the hub's processes: two unix sockets, one for facts and one for packets.

*Control* is a stream of frames ``u32 length (little endian) | msgpack [number, kind, body]``. Nothing is dropped; a
peer that does not read is cut once :data:`CONTROL_BACKLOG` bytes wait for it. ``kind`` is one of the four
constants below; a request is answered by exactly one reply or failure with the same number.

*Packets* is ``SOCK_SEQPACKET``: batches of plain RTP with the time at which each packet entered the city's network.
A batch is a run of records ``u32 handle | u64 ingress time (UTC ns) | u16 length | RTP``. It never blocks:
when the socket is full the batch is dropped and counted, and the sender says so by control as a gap.

The server side gives every control connection a number in :class:`~commhub.media.messages.Welcome`; the client opens
the packet socket with a first message ``b"CHPK" | u32 number``, which pairs the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from commhub import log as logs
from commhub.errors import HubError, PeerError, Unavailable
from commhub.media.messages import Message, Welcome
from commhub.media.plane import Place

log = logs.get(__name__)

# One frame. A worker's snapshot is the biggest that travels: some hundred octets for each participant, or a mebibyte for each
# that says as much as it may. A hub that could not read it could not find any room of that worker again.
CONTROL_LIMIT = 512 << 20
CONTROL_BACKLOG = 32 << 20  # before a frame; a large one alone is nobody's fault
BATCH_LIMIT = 60_000  # below the kernel's default wmem, so that a batch always fits when the queue is empty
PACKET_LIMIT = 2_048
PAIRING = struct.Struct("<4sI")
RECORD = struct.Struct("<IQH")
_LENGTH = struct.Struct("<I")
MESSAGE, REQUEST, REPLY, FAILURE = range(4)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, int, msgspec.Raw])
_body = msgspec.msgpack.Decoder(Message)
_failure = msgspec.msgpack.Decoder(tuple[str, str, str, int])

Handler = Callable[["Link", Message], Awaitable[Message | None] | Message | None]


class Link:
    """One control connection. ``handler(link, message)`` is called in order for every message and request;
    what it returns (or the value it awaits) answers a request; a :class:`HubError` it raises travels back as one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> None:
        self._reader, self._writer, self._handler = reader, writer, handler
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.number = 0
        self.role = ""
        self.name = ""
        self.pid = 0  # of the listener, at the dialler's end
        self.packets: PacketSocket | None = None
        self.closed = asyncio.Event()
        self.on_close: list[Callable[[Link], None]] = []

    def tell(self, message: Message) -> None:
        """Send without an answer. Silently nothing after the link has closed: whoever cares watches ``closed``."""
        self._write(0, MESSAGE, message)

    async def ask(self, message: Message, within: float = 10.0) -> Message:
        """Send and wait for the answer. Raises the peer's HubError, or Unavailable when the link ends or is slow."""
        number = next(self._numbers)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._write(number, REQUEST, message)
            if self.closed.is_set():
                raise Unavailable("The process that does this is being restarted.", "负责该功能的进程正在重启。")
            async with asyncio.timeout(within):  # not wait_for: in Python 3.11 it forgets a cancellation that meets the answer
                return await future
        except TimeoutError:
            raise Unavailable("The process that does this did not answer in time.", "负责该功能的进程未及时应答。") from None
        finally:
            self._waiting.pop(number, None)

    def _write(self, number: int, kind: int, body: object) -> None:
        if self.closed.is_set():
            return
        if self._writer.transport.get_write_buffer_size() > CONTROL_BACKLOG:
            self.close()
            return
        frame = _encoder.encode((number, kind, body))
        self._writer.write(_LENGTH.pack(len(frame)) + frame)

    async def run(self) -> None:
        """Read until the peer ends or breaks the protocol (PeerError). Always closes the link."""
        try:
            while True:
                (size,) = _LENGTH.unpack(await self._reader.readexactly(4))
                if size > CONTROL_LIMIT:
                    raise PeerError("A control frame is larger than the limit.")
                await self._dispatch(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.close()

    async def _dispatch(self, frame: bytes) -> None:
        try:
            number, kind, raw = _decoder.decode(frame)
            if kind in (REPLY, FAILURE):
                future = self._waiting.get(number)
                if future is None or future.done():
                    return
                if kind == REPLY:
                    future.set_result(_body.decode(raw))
                else:
                    code, english, chinese, status = _failure.decode(raw)
                    future.set_exception(HubError(english, chinese, code=code, status=status))
                return
            message = _body.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise PeerError(f"A control frame cannot be read: {error}.") from None
        try:
            result = self._handler(self, message)
            if kind == MESSAGE and isinstance(result, Awaitable):
                await result
        except HubError as error:
            if kind == REQUEST:
                self._fail(number, error)
            return  # nobody waits to hear of a message that could not be obeyed
        if kind == MESSAGE:
            return
        if isinstance(result, Awaitable):
            task = asyncio.ensure_future(self._answer(number, result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif result is not None:
            self._write(number, REPLY, result)

    async def _answer(self, number: int, result: Awaitable[Message | None]) -> None:
        try:
            answer = await result
            if answer is not None:
                self._write(number, REPLY, answer)
        except HubError as error:
            self._fail(number, error)

    def _fail(self, number: int, error: HubError) -> None:
        self._write(number, FAILURE, (error.code, error.message, error.message_zh, error.status))

    def close(self) -> None:
        if self.closed.is_set():
            return
        self.closed.set()
        if self.packets is not None:
            self.packets.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Unavailable("The process that does this is being restarted.", "负责该功能的进程正在重启。"))
        for task in self._tasks:
            task.cancel()
        self._writer.close()
        for callback in self.on_close:
            callback(self)


class PacketSocket:
    """One packet connection: ``send`` batches, ``on_batch`` gets them. Belongs to one event loop."""

    all_dropped = 0  # batches, by this process

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self.on_batch: Callable[[bytes], None] | None = None
        self.on_end: Callable[[], None] | None = None
        self.dropped = 0  # batches
        self._open = True
        self._loop.add_reader(sock.fileno(), self._readable)

    def send(self, batch: bytes | bytearray | memoryview) -> bool:
        """False when it was dropped because the other side is slow or gone."""
        try:
            self._sock.send(batch)
            return True
        except (BlockingIOError, InterruptedError):
            self._drop()
        except OSError:
            self._drop()
            self.close()
        return False

    def offer(self, batch: bytes | bytearray | memoryview) -> bool:
        """The same, but whoever has it keeps it where there is no room for now: False then."""
        try:
            self._sock.send(batch)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._drop()
            self.close()
        return True

    def when_room(self, act: Callable[[], None] | None) -> None:
        """``act`` is called whenever there is room, until None is said."""
        if self._open and act is not None:
            self._loop.add_writer(self._sock.fileno(), act)
        elif self._open:
            self._loop.remove_writer(self._sock.fileno())

    def left_out(self, count: int) -> None:
        """What was not even offered."""
        self.dropped += count
        PacketSocket.all_dropped += count

    def _drop(self) -> None:
        self.dropped += 1
        PacketSocket.all_dropped += 1

    def _readable(self) -> None:
        for _ in range(64):  # yields to other readers of the loop under load
            try:
                batch = self._sock.recv(BATCH_LIMIT + 4096)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                batch = b""
            if not batch:
                self.close()
                return
            if self.on_batch is not None:
                self.on_batch(batch)

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        if self.on_end is not None:
            self.on_end()


def records(batch: bytes) -> Iterator[tuple[int, int, memoryview]]:
    """The records of a batch: ``(handle, ingress time in UTC ns, RTP packet)``. ValueError when it is torn."""
    view = memoryview(batch)
    offset, end = 0, len(batch)
    while offset < end:
        if offset + RECORD.size > end:
            raise ValueError("A record's head is torn.")
        handle, at, size = RECORD.unpack_from(view, offset)
        offset += RECORD.size
        if size > PACKET_LIMIT or offset + size > end:
            raise ValueError("A record is longer than its batch.")
        yield handle, at, view[offset : offset + size]
        offset += size


def runs(batch: bytes) -> Iterator[tuple[int, list[Place]]]:
    """The same without a copy: ``(handle, where its packets stand)`` for each run of one handle."""
    unpack, head = RECORD.unpack_from, RECORD.size
    offset, end = 0, len(batch)
    newest, places = -1, list[Place]()
    while offset < end:
        if offset + head > end:
            raise ValueError("A record's head is torn.")
        handle, at, size = unpack(batch, offset)
        offset += head
        stop = offset + size
        if size > PACKET_LIMIT or stop > end:
            raise ValueError("A record is longer than its batch.")
        if handle != newest:
            if places:
                yield newest, places
            newest, places = handle, []
        places.append((at, offset, stop))
        offset = stop
    if places:
        yield newest, places


async def listen(
    folder: Path, name: str, connected: Callable[[Link], None], handler: Handler, *, packets: bool = False
) -> Listener:
    """Serve ``<folder>/<name>.ctl`` and, with ``packets``, ``<name>.pkt``. ``connected`` gets every new link first."""
    listener = Listener(folder, name, connected, handler)
    await listener.start(packets)
    return listener


class Listener:
    def __init__(self, folder: Path, name: str, connected: Callable[[Link], None], handler: Handler) -> None:
        self._folder, self._name, self._connected, self._handler = folder, name, connected, handler
        self._pid = os.getpid()
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._packets: socket.socket | None = None
        self._unpaired: set[socket.socket] = set()
        self.links: dict[int, Link] = {}

    async def start(self, packets: bool) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{self._name}.ctl"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._server = await asyncio.start_unix_server(self._serve, path)
        path.chmod(0o600)
        if packets:
            path = self._folder / f"{self._name}.pkt"
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            self._packets = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._packets.setblocking(False)
            self._packets.bind(os.fspath(path))
            path.chmod(0o600)
            self._packets.listen(16)
            asyncio.get_running_loop().add_reader(self._packets.fileno(), self._accept)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer, self._handler)
        link.number = next(self._numbers)
        self.links[link.number] = link
        link.on_close.append(self._forget)
        link.tell(Welcome(number=link.number, name=self._name, pid=self._pid))
        self._connected(link)
        try:
            await link.run()
        except PeerError as error:
            log.warning("link cut", listener=self._name, peer=link.name, reason=str(error))

    def _forget(self, link: Link) -> None:
        self.links.pop(link.number, None)

    def _accept(self) -> None:
        assert self._packets is not None
        with contextlib.suppress(OSError):
            sock, _ = self._packets.accept()
            sock.setblocking(False)
            self._unpaired.add(sock)
            asyncio.get_running_loop().add_reader(sock.fileno(), self._pair, sock)

    def _pair(self, sock: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(sock.fileno())
        self._unpaired.discard(sock)
        try:
            magic, number = PAIRING.unpack(sock.recv(PAIRING.size))
        except (OSError, struct.error):
            magic, number = b"", 0
        link = self.links.get(number)
        if magic != b"CHPK" or link is None or link.packets is not None:
            sock.close()
            return
        link.packets = PacketSocket(sock)
        if self.on_packets is not None:
            self.on_packets(link)

    on_packets: Callable[[Link], None] | None = None  # called when a link's packet socket is there

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        if self._server is not None:
            self._server.close()
        if self._packets is not None:
            loop.remove_reader(self._packets.fileno())
            self._packets.close()
            self._packets = None
        for sock in self._unpaired:
            loop.remove_reader(sock.fileno())
            sock.close()
        self._unpaired.clear()
        for link in list(self.links.values()):
            link.close()


async def dial(folder: Path, name: str, handler: Handler, *, packets: bool = False) -> tuple[Link, asyncio.Task[None]]:
    """Connect to a listener; returns the link and the task that reads it. OSError when nobody listens.

    The listener's :class:`Welcome` has been consumed; ``link.name`` is its name. The caller owns the task.
    """
    reader, writer = await asyncio.open_unix_connection(folder / f"{name}.ctl")
    greeted: asyncio.Future[Welcome] = asyncio.get_running_loop().create_future()

    def receive(link: Link, message: Message) -> Any:
        if isinstance(message, Welcome):
            if not greeted.done():
                greeted.set_result(message)
            return None
        return handler(link, message)

    link = Link(reader, writer, receive)
    task = asyncio.create_task(link.run(), name=f"link to {name}")

    def ended(_: Link) -> None:
        if not greeted.done():
            greeted.set_exception(ConnectionError("The link closed."))

    link.on_close.append(ended)
    try:
        welcome = await asyncio.wait_for(greeted, 5.0)
        link.number, link.name, link.pid = welcome.number, welcome.name, welcome.pid
        if packets:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, os.fspath(folder / f"{name}.pkt"))
            sock.send(PAIRING.pack(b"CHPK", link.number))
            link.packets = PacketSocket(sock)
    except BaseException:
        link.close()
        task.cancel()
        raise
    return link, task
