"""The media process: listens on the link, hands the hub's, bridges' and recorders' messages to the engine, turns its clock."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from commhub import log as logs
from commhub import machine
from commhub.errors import Conflict, HubError, Invalid
from commhub.media.engine import TICK, Engine
from commhub.media.forward import Forwarder
from commhub.media.link import Link, Listener, PacketSocket
from commhub.media.messages import Counters, Done, Draining, Hello, Load, Message
from commhub.media.overload import Level, Overload, Step, steps
from commhub.media.plane import Address, Plane, PlaneEvents

log = logs.get(__name__)

ROLES = ("hub", "bridge", "record")
COUNTERS_SECONDS = 5.0
LOAD_TICKS = 10  # of the clock between two reports
DRAIN = 5.0  # seconds the rooms may take to go elsewhere
ORPHANED = 1.0  # seconds without a hub after which nobody is going to take the rooms
LOOK = 0.02  # seconds between two looks whether they are gone
PORT_ATTEMPTS = 20  # to bind, LOOK apart: the one before may be dying still


class Worker:
    """One media worker in the running event loop. :meth:`start` binds and listens, :meth:`close` ends everything."""

    def __init__(
        self,
        run_dir: Path,
        index: int,
        addresses: list[Address],
        port: int,
        *,
        silence: float = 20.0,
        make_plane: Callable[[PlaneEvents], Plane] = Forwarder,
        overload: tuple[Step, ...] = steps(),
    ) -> None:
        self.name = f"media-{index}"
        self._addresses, self._port = addresses, port
        self._hub: Link | None = None
        self._epoch = -1
        self._epochs: dict[Link, int] = {}
        self.engine = Engine(self.name, make_plane, self._emit, silence=silence, run_dir=run_dir)
        self._listener = Listener(run_dir, self.name, self._linked, self._receive)
        self._listener.on_packets = self._paired
        self._clock: asyncio.Task[None] | None = None
        self._overload = Overload(overload)
        self._counted_at = 0.0
        self._worst = (0.0, 0.0)  # lag and wait since the last report
        self._reported = 0  # ticks since then
        self._drain_by: float | None = None  # monotonic
        self.announced: list[tuple[str, int]] = []

    async def start(self) -> None:
        """OSError when an address or the sockets' folder cannot be used."""
        self.announced = await self._open()
        await self._listener.start(packets=True)
        self._clock = asyncio.get_running_loop().create_task(self._turn(), name=f"{self.name} clock")
        machine.at_work()
        log.info("media worker listens", worker=self.name, addresses=[f"{host}:{port}" for host, port in self.announced])

    async def _open(self) -> list[tuple[str, int]]:
        for attempt in range(PORT_ATTEMPTS):
            try:
                return self.engine.open(self._addresses, self._port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or attempt == PORT_ATTEMPTS - 1:
                    raise
                await asyncio.sleep(LOOK)
        raise AssertionError

    async def drain(self, within: float = DRAIN) -> None:
        """Say that this worker ends; returns when its rooms are gone, ``within`` seconds at the latest. Without a hub nobody
        takes them: then much sooner."""
        now = time.monotonic()
        self._drain_by, with_hub = now + within, now
        log.info("draining", worker=self.name, rooms=len(self.engine.rooms), within=within)
        self._emit(Draining(within))
        while self.engine.rooms and now < self._drain_by and now - with_hub < ORPHANED:
            await asyncio.sleep(LOOK)
            now = time.monotonic()
            if self._hub is not None:
                with_hub = now
        if self.engine.rooms:
            log.warning("rooms end with their worker", worker=self.name, rooms=len(self.engine.rooms))

    async def close(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._clock
        await self._listener.close()
        await self.engine.relays.close()
        self.engine.close()

    async def _turn(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + TICK, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            try:
                self._measure(due, time.monotonic())
                self.engine.tick()
            except Exception:  # the clock of all rooms goes on whatever one of them holds
                if (suppressed := logs.limited("engine tick", 10)) is not None:
                    log.exception("engine tick failed", worker=self.name, suppressed=suppressed)

    def _measure(self, due: float, now: float) -> None:
        """How late everything is, and what follows from it."""
        lag, waited = max(0.0, now - due), self.engine.plane.waited()
        before = self._overload.level
        level = self._overload.measure(lag, waited, now)
        self._worst = max(lag, self._worst[0]), max(waited, self._worst[1])
        self._reported += 1
        if level is not before:
            say = log.warning if level > before else log.info
            say("load", worker=self.name, state=level.name.lower(), delay=round(self._overload.delay, 3))
            self.engine.shed(level >= Level.SHED)
        if level is not before or self._reported >= LOAD_TICKS:
            self._emit(Load(int(level), *self._worst))
            self._worst, self._reported = (0.0, 0.0), 0
        if now - self._counted_at >= COUNTERS_SECONDS:
            self._counted_at = now
            counters = self.engine.plane.statistics() | {"link_batches_dropped": PacketSocket.all_dropped}
            self._emit(Counters({name: float(value) for name, value in counters.items()}))

    # ---- links

    def _emit(self, message: Message) -> None:
        """An event for the hub; without one nobody needs it, the next one takes the snapshot."""
        if self._hub is not None:
            self._hub.tell(message)

    def _linked(self, link: Link) -> None:
        link.on_close.append(self._unlinked)

    def _unlinked(self, link: Link) -> None:
        self._epochs.pop(link, None)
        if link is self._hub:
            self._hub = None
            log.warning("hub is gone; rooms go on", worker=self.name, rooms=len(self.engine.rooms))
        elif link.role in ("bridge", "record"):
            self.engine.link_closed(link)

    def _paired(self, link: Link) -> None:
        assert link.packets is not None
        link.packets.on_batch = partial(self._batch, link)
        # A half-dead bridge or recorder is a dead one: it dials again with both sockets.
        link.packets.on_end = link.close

    def _batch(self, link: Link, batch: bytes) -> None:
        try:
            self.engine.sources.batch(link, batch)
        except ValueError as error:
            log.warning("link cut", worker=self.name, peer=link.name, reason=str(error))
            link.close()

    def _receive(self, link: Link, message: Message) -> Message | None:
        if isinstance(message, Hello):
            return self._hello(link, message)
        if link.role == "hub":
            if self._epochs[link] < self._epoch:
                raise Conflict("A newer hub commands this worker.", "已有更新的中心进程接管该媒体进程。", code="stale_epoch")
            return self._command(message) or Done()
        if link.role == "bridge":
            self.engine.bridge(link, message)
        elif link.role == "record":
            self.engine.recorder(link, message)
        else:
            raise Invalid("The first message of a link is Hello.", code="unexpected")
        return Done()

    def _command(self, message: Message) -> Message | None:
        try:
            return self.engine.command(message)
        except HubError:
            raise
        except Exception as error:  # the hub's link goes on; it would only dial again and meet the same
            log.exception("command failed", worker=self.name, command=type(message).__name__)
            raise HubError("The media worker failed at this command.", "媒体进程执行该命令时出错。") from error

    def _hello(self, link: Link, message: Hello) -> Message:
        if message.role not in ROLES or link.role not in ("", message.role):
            raise Invalid("A link's role is hub, bridge or record, and stays.", code="unexpected")
        link.role, link.name = message.role, message.name
        if message.role != "hub":
            return Done()
        if message.epoch < self._epoch:
            link.role = ""
            raise Conflict("A newer hub commands this worker.", "已有更新的中心进程接管该媒体进程。", code="stale_epoch")
        self._epochs[link] = self._epoch = message.epoch
        self._hub = link
        log.info("hub linked", worker=self.name, epoch=message.epoch, rooms=len(self.engine.rooms))
        # What it must also know follows the snapshot.
        asyncio.get_running_loop().call_soon(self._retell)
        return self.engine.snapshot()

    def _retell(self) -> None:
        if self._drain_by is not None:
            self._emit(Draining(max(0.0, self._drain_by - time.monotonic())))
        self._emit(Load(int(self._overload.level), *self._worst))
        self.engine.sources.retell()


async def run(
    run_dir: Path,
    index: int,
    pairs: list[tuple[str, str]],
    port: int,
    *,
    drain: float = DRAIN,
    silence: float = 20.0,
    overload: tuple[Step, ...] = steps(),
) -> None:
    """Serve until cancelled, then :meth:`Worker.drain`; a second cancellation ends that.

    ``pairs``: address to bind and address to announce; none means every address of this machine that has one, loopback last.
    ``port`` is this worker's own, UDP and TCP.
    """
    addresses = [Address(host, announced) for host, announced in pairs]
    if not addresses:
        addresses = [Address(str(one), str(one)) for one in machine.addresses() if _usable(str(one))]
    worker = Worker(run_dir, index, addresses, port, silence=silence, overload=overload)
    try:
        await worker.start()
        try:
            await asyncio.Event().wait()
        finally:
            await worker.drain(drain)
    finally:
        await worker.close()


def _usable(host: str) -> bool:
    """Can a socket be bound to it? An interface may be down, or its IPv6 address still be tentative."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
        return True
    except OSError:
        return False
