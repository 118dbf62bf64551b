"""The recorder's end of a media worker: one link for all recordings of its rooms, dialled again until it is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from commhub import log as logs
from commhub.errors import HubError, PeerError, Unavailable
from commhub.media import messages
from commhub.media.link import Link, dial, records
from commhub.media.messages import Message
from commhub.tasks import Tasks
from recorder.session import Live, Session

log = logs.get(__name__)
REDIAL = 0.2  # s
_ABSENT = 0.25  # s between two questions for a room that the worker does not have
_ANSWER = 5.0
_EARLY_HANDLES, _EARLY_PACKETS, _EARLY_SECONDS = 64, 512, 2.0

Packet = tuple[bytes, int]


class Worker:
    """``sessions`` are recorded from it as long as they are in there."""

    def __init__(self, run_dir: Path, name: str, me: str) -> None:
        self.name = name
        self.sessions: dict[str, Session] = {}
        self.unknown = 0  # packets of no known track
        self._lag = 0  # ns
        self._run_dir, self._me = run_dir, me
        self._tasks = Tasks(f"recorder at {name}")
        self._link: Link | None = None
        self._lives: dict[int, tuple[Session, Live]] = {}
        self._early: dict[int, tuple[float, list[Packet]]] = {}
        self._runner: asyncio.Task[None] | None = None

    def take_lag(self) -> float:
        """Seconds from a packet's arrival in the network until it was here, at worst since the last call."""
        lag, self._lag = self._lag, 0
        return lag / 1e9

    def add(self, session: Session) -> None:
        self.sessions[session.id] = session
        if self._runner is None:
            self._runner = self._tasks.spawn(self._run(), "link")
        elif self._link is not None:
            self._tasks.spawn(self._open(self._link, session), "open")

    def remove(self, session: Session) -> None:
        if self.sessions.pop(session.id, None) is None:
            return
        self._forget(session)
        if self._link is not None:
            self._link.tell(messages.CloseSink(room=session.manifest.room, sink=session.id))

    async def close(self) -> None:
        await self._tasks.close()

    def _forget(self, session: Session) -> None:
        for handle in [handle for handle, (owner, _) in self._lives.items() if owner is session]:
            del self._lives[handle]

    async def _run(self) -> None:
        while True:
            reading: asyncio.Task[None] | None = None
            try:
                link, reading = await dial(self._run_dir, self.name, self._receive, packets=True)
                try:
                    await self._serve(link)
                finally:
                    link.close()
                await reading
            except (OSError, HubError, PeerError, TimeoutError) as error:
                if (suppressed := logs.limited(("worker", self.name), 60)) is not None:
                    log.info("worker not there", worker=self.name, error=str(error), suppressed=suppressed)
            except Exception:
                # A fact that nobody foresaw costs this link, not the recordings of the worker.
                log.exception("link to worker failed", worker=self.name)
            finally:
                if reading is not None:
                    reading.cancel()
                self._lost()
            await asyncio.sleep(REDIAL)

    async def _serve(self, link: Link) -> None:
        assert link.packets is not None
        link.packets.on_batch = self._batch
        link.packets.on_end = link.close
        await link.ask(messages.Hello(role="record", name=self._me), _ANSWER)
        self._link = link
        for session in list(self.sessions.values()):
            self._tasks.spawn(self._open(link, session), "open")
        await link.closed.wait()

    def _lost(self) -> None:
        self._link = None
        self._lives.clear()
        self._early.clear()
        now = asyncio.get_running_loop().time()
        for session in self.sessions.values():
            session.unlinked(now)

    async def _open(self, link: Link, session: Session) -> None:
        """Ask until the worker has the room."""
        if session.running:
            session.linked(self.name, asyncio.get_running_loop().time())
        while session.running and self.sessions.get(session.id) is session and not link.closed.is_set():
            try:
                await link.ask(messages.OpenSink(session.manifest.room, session.id, session.only, session.layers), _ANSWER)
                return
            except Unavailable:
                return  # the link has ended, or the worker answers by facts alone
            except HubError as error:
                if (suppressed := logs.limited(("sink", session.id), 60)) is not None:
                    log.info("room not there", session=session.id, code=error.code, suppressed=suppressed)
                await asyncio.sleep(_ABSENT)

    # ---------------------------------------------------------------------------------------------- from the worker

    def _receive(self, link: Link, message: Message) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(message, messages.SinkGap | messages.SinkClock):
            entry = self._lives.get(message.handle)
            if entry is not None and isinstance(message, messages.SinkGap):
                entry[1].feed.dropped()
            elif entry is not None and isinstance(message, messages.SinkClock):
                entry[1].feed.clock(message.rtp_time, message.ntp)
            return
        session = self.sessions.get(getattr(message, "sink", ""))
        if session is None:
            return
        if isinstance(message, messages.SinkTrack):
            self._track(link, session, message, now)
        elif isinstance(message, messages.SinkPeer):
            session.peer(message)
        elif isinstance(message, messages.SinkMuted):
            session.muted(message, now)
        elif isinstance(message, messages.SinkSpeakers):
            session.speakers(message)
        elif isinstance(message, messages.SinkData):
            session.data(message, now)
        elif isinstance(message, messages.SinkClosed):
            self._forget(session)
            session.unlinked(now, "room")
            self._tasks.spawn(self._again(link, session), "open again")

    async def _again(self, link: Link, session: Session) -> None:
        """The room is closed; should it be opened again while the recording runs, it is recorded."""
        await asyncio.sleep(_ABSENT)
        await self._open(link, session)

    def _track(self, link: Link, session: Session, fact: messages.SinkTrack, now: float) -> None:
        handle = fact.handle
        want: Callable[[], None] = lambda: link.tell(messages.KeyFrameWanted(handle=handle))  # noqa: E731
        live = session.track(fact, now, want, lambda most: link.tell(messages.SinkLayer(handle=handle, most=most)))
        _, early = self._early.pop(handle, (0.0, []))
        if live is None:
            self._lives.pop(handle, None)
            return
        self._lives[handle] = (session, live)
        for data, at in early:
            session.packet(live, data, at, now)

    def _batch(self, batch: bytes) -> None:
        now = asyncio.get_running_loop().time()
        lives = self._lives
        try:
            for handle, at, data in records(batch):
                entry = lives.get(handle)
                if entry is not None:
                    entry[0].packet(entry[1], data, at, now)
                else:
                    self._keep(handle, bytes(data), at, now)
            self._lag = max(self._lag, time.time_ns() - at)
        except ValueError as error:
            log.warning("batch torn", worker=self.name, reason=str(error))

    def _keep(self, handle: int, data: bytes, at: int, now: float) -> None:
        """Packets overtake the fact that opens their track: it comes by another socket."""
        self.unknown += 1
        since, packets = self._early.get(handle, (now, []))
        if now - since > _EARLY_SECONDS:
            since, packets = now, []
        if len(packets) < _EARLY_PACKETS:
            packets.append((data, at))
        if handle not in self._early and len(self._early) >= _EARLY_HANDLES:
            del self._early[next(iter(self._early))]
        self._early[handle] = (since, packets)
