"""From whoever has a Source (a bridge, another worker) to media workers: one link per worker, found again when it dies. What no
worker takes is dropped and counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from commhub import log as logs
from commhub.errors import HubError, PeerError
from commhub.media.link import BATCH_LIMIT, RECORD, Link, PacketSocket, dial
from commhub.media.messages import EndSource, Hello, KeyFrameWanted, Message, PushSource, SourceClock, SourceStream
from commhub.media.reserve import Reserve
from commhub.tasks import Tasks

log = logs.get(__name__)

REDIAL = 0.2  # s
PUSH_TIMEOUT = 0.5  # s
LINGER = 0.003  # s a camera's packets wait for those of others: each send wakes the worker
HELD = 256  # batches of a camera that wait for a worker to know its streams
FIRST = 64  # of one that waits for the link itself: a few seconds


class Feeder(Protocol):
    """What an outlet asks of whoever has the Source."""

    source: str
    clocks: dict[int, SourceClock]  # by handle: the newest

    @property
    def streams(self) -> list[SourceStream]: ...
    def key_frame_wanted(self, handle: int) -> None: ...


class Outlet:
    """One media worker. Dials as long as a camera wants it, and says every camera again after a reconnect."""

    def __init__(self, folder: Path, worker: str, name: str) -> None:
        self.worker = worker
        self._folder, self._name = folder, name
        self._link: Link | None = None
        self._feeders: dict[str, Feeder] = {}
        self._held: dict[str, list[bytes]] = {}
        self._missed: set[str] = set()  # cameras of which something was not kept
        self._gathered = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = Tasks(f"outlet to {worker}")
        self.dropped = 0  # pictures
        self._reserve = Reserve()
        self._tasks.spawn(self._keep(), "dial")

    def __len__(self) -> int:
        return len(self._feeders)

    def attach(self, feeder: Feeder) -> None:
        self._feeders[feeder.source] = feeder
        if self._link is None:
            self._held.setdefault(feeder.source, [])  # it may show its first picture before the worker was dialled
        self.announce(feeder)

    def announce(self, feeder: Feeder) -> None:
        """The camera's streams are known, or have changed. Packets wait until the worker knows them: the two sockets of a
        link have no order between them, and the first packets are a key frame that must not be lost."""
        if self._link is None or not feeder.streams:
            return
        self._held.setdefault(feeder.source, [])
        self._tasks.spawn(self._push(self._link, feeder), f"push {feeder.source}")

    async def _push(self, link: Link, feeder: Feeder) -> None:
        with contextlib.suppress(HubError):
            await link.ask(PushSource(source=feeder.source, streams=feeder.streams), within=PUSH_TIMEOUT)
        if link is self._link:
            for clock in feeder.clocks.values():
                link.tell(clock)
            for batch in self._held.pop(feeder.source, []):
                self._write(batch)
            if feeder.source in self._missed:
                self._missed.discard(feeder.source)
                for stream in feeder.streams:
                    if stream.kind == "video":
                        feeder.key_frame_wanted(stream.handle)

    def detach(self, source: str) -> None:
        self._held.pop(source, None)
        self._missed.discard(source)
        if self._feeders.pop(source, None) is not None and self._link is not None:
            self._link.tell(EndSource(source=source))

    def send(self, source: str, batch: bytes) -> None:
        """Packets of one camera. Never waits; what the worker does not take is lost."""
        held = self._held.get(source)
        if held is not None:
            if len(held) >= (HELD if self._link is not None else FIRST):
                held.clear()
                self._missed.add(source)
            held.append(batch)
        elif self._link is not None:
            self._write(batch)
        else:
            self._missed.add(source)

    def _write(self, batch: bytes) -> None:
        if len(self._gathered) + len(batch) > BATCH_LIMIT:
            self._flush()
        self._gathered += batch
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        link, gathered, reserve = self._link, self._gathered, self._reserve
        packets = link.packets if link is not None else None
        if gathered and packets is not None and not (reserve.quiet and packets.offer(gathered)):
            if not reserve:
                packets.when_room(self._go_on)
            self._put(packets, bytes(gathered))
        gathered.clear()

    def _put(self, packets: PacketSocket, batch: bytes) -> None:
        """The worker does not read for a moment: what comes waits."""
        reserve = self._reserve
        before = reserve.left_out
        reserve.put(batch)
        if not (lost := reserve.left_out - before):
            return
        packets.left_out(lost)
        self.dropped += lost
        if (suppressed := logs.limited(("outlet", self.worker), 60)) is not None:
            log.warning("pictures left out: the media worker is slow", worker=self.worker, dropped=self.dropped,
                        suppressed=suppressed)  # fmt: skip

    def _go_on(self) -> None:
        """There is room again."""
        reserve, packets = self._reserve, self._link.packets if self._link is not None else None
        while packets is not None and reserve and packets.offer(reserve.first()):
            reserve.sent()
        if packets is not None and not reserve:
            packets.when_room(None)

    def clock(self, clock: SourceClock) -> None:
        if self._link is not None:
            self._link.tell(clock)

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(OSError, HubError, PeerError, TimeoutError):
                await self._serve()
            await asyncio.sleep(REDIAL)

    async def _serve(self) -> None:
        link, reading = await dial(self._folder, self.worker, self._receive, packets=True)
        try:
            await link.ask(Hello(role="bridge", name=self._name))
            if link.packets is not None:
                link.packets.on_end = link.close
            self._link = link
            log.info("worker linked", worker=self.worker)
            for feeder in self._feeders.values():
                self.announce(feeder)
            await reading
        finally:
            if self._link is not None:
                log.info("worker lost", worker=self.worker)
            self._link = None
            self._held.clear()
            self._gathered.clear()
            self._reserve.clear()
            link.close()
            reading.cancel()

    def _receive(self, link: Link, message: Message) -> None:
        if isinstance(message, KeyFrameWanted):
            for feeder in self._feeders.values():
                if any(stream.handle == message.handle for stream in feeder.streams):
                    feeder.key_frame_wanted(message.handle)

    async def close(self) -> None:
        self._flush()
        await self._tasks.close()


class Outlets:
    """The outlets in use, by the worker's name."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._outlets: dict[str, Outlet] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def attach(self, worker: str, feeder: Feeder) -> Outlet:
        outlet = self._outlets.get(worker)
        if outlet is None:
            outlet = self._outlets[worker] = Outlet(self._folder, worker, self._name)
        outlet.attach(feeder)
        return outlet

    def detach(self, worker: str, source: str) -> None:
        outlet = self._outlets.get(worker)
        if outlet is None:
            return
        outlet.detach(source)
        if not len(outlet):
            del self._outlets[worker]
            task = asyncio.get_running_loop().create_task(outlet.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        for outlet in self._outlets.values():
            await outlet.close()
        await asyncio.gather(*self._closing, return_exceptions=True)


class Batch:
    """Records for the packet socket; ``send`` gets each batch when it is full or flushed."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, handle: int, packet: bytes, at: int) -> None:
        """``at`` is when the packet came in, UTC ns."""
        self._size += RECORD.size + len(packet)
        if self._size > BATCH_LIMIT:
            self.flush()
            self._size = RECORD.size + len(packet)
        self._parts += RECORD.pack(handle, at, len(packet)), packet

    def add_all(self, handle: int, packets: list[bytes], at: int) -> None:
        """A picture's packets."""
        size = RECORD.size * len(packets) + sum(map(len, packets))
        if self._size + size > BATCH_LIMIT:
            for packet in packets:
                self.add(handle, packet, at)
            return
        self._size += size
        parts, pack = self._parts, RECORD.pack
        for packet in packets:
            parts += pack(handle, at, len(packet)), packet

    def flush(self) -> None:
        if self._parts:
            batch = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            self._send(batch)
