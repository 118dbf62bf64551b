"""The ``commhub record`` process: takes the hub's orders, records rooms of the media workers, repairs what it finds.

It needs the hub only to be told what to begin and to end: a hub that dies is not missed, a new one gets a snapshot of
all that is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import re
from collections import deque
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any

from commhub import log as logs
from commhub import machine
from commhub.errors import Conflict
from commhub.media import messages
from commhub.media.counting import tell_counters
from commhub.media.link import Link, Listener, listen
from commhub.media.messages import Checkpoint, Done, ExportState, Forgotten, Message, RecordSnapshot, SessionState, Space
from commhub.media.messages.recording import shard_of
from commhub.tasks import Tasks
from recorder import exporting, forgetting, repair, space, uploading
from recorder.book import RESERVED, Book
from recorder.files import Disk, disk_space
from recorder.keys import Keys
from recorder.notary import Evidence
from recorder.session import Session
from recorder.shelf import Cabinet, Shelf
from recorder.track import Limits
from recorder.worker import Worker

log = logs.get(__name__)
_TICK = 0.1  # s
LOOK = 60.0  # s between two looks for what nobody closed
_SPACE = 1.0  # s between two looks at the free space
_SAY = 5.0  # s between two words about it
_COUNT = 30.0  # s between two words about how large what runs has become
_PATIENCE = 5.0  # s a new hub waits for repairs; what takes longer is told when it is done
_SNAPSHOT = 4000  # recordings
_UNTOLD = 20_000  # checkpoints
_SESSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")

FULL = (
    "The recording cannot start: the disk has less free space than it must keep.",
    "磁盘剩余空间低于下限，无法开始录制。",
)


async def run(
    run_dir: Path,
    name: str,
    folder: Path,
    *,
    cluster_ms: int = 500,
    sync_seconds: float = 2.0,
    segment_minutes: float = 5.0,
    minimum_free_bytes: int = 1 << 30,
    layers: str = "best",
    digest: str = "sha256",
    signature: str = "ed25519",
    checkpoint_seconds: float = 10.0,
    keys: Path | None = None,
    index: int = 0,
    shards: int = 1,
    cabinet: Cabinet | None = None,
    exports: tuple[Path, int] | None = None,
    uploads: tuple[uploading.Store, uploading.Policy] | None = None,
    store: object = None,
) -> None:
    """Serve the link ``name`` in ``run_dir`` and keep recordings in ``folder`` until cancelled; then close them cleanly.
    ``keys`` is the folder of those that sign; without it, ``evidence`` beside ``folder``. Of ``shards`` recorders this is the
    number ``index``. ``cabinet`` says how recordings are kept; without it, as they are. ``exports``: where
    they go (beside ``folder``), and how many are made at a time. ``uploads``: into which store;
    ``store`` (:class:`commhub.archive.s3.Terms`): where exports find what lies there only."""
    limits = Limits(cluster_ms / 1000, segment_minutes * 60)
    keys = keys or folder.parent / "evidence"
    evidence = Evidence(Keys(keys, signature), digest, checkpoint_seconds)
    recorder = Recorder(
        run_dir, name, folder, limits, sync_seconds, minimum_free_bytes, evidence, layers, (index, shards), cabinet
    )
    place, at_once = exports or (folder.parent / "exports", 1)
    secret = exporting.secrets(cabinet.keys if cabinet is not None else None)
    recorder.export(exporting.Terms(place, folder, keys, signature, digest, at_once, secret, store))
    if uploads is not None:
        recorder.upload(*uploads)
    try:
        await recorder.start()
        await asyncio.Event().wait()
    finally:
        await asyncio.shield(recorder.close())


class Recorder:
    def __init__(
        self,
        run_dir: Path,
        name: str,
        folder: Path,
        limits: Limits,
        sync_seconds: float,
        minimum_free_bytes: int,
        evidence: Evidence,
        layers: str = "best",
        shard: tuple[int, int] = (0, 1),
        cabinet: Cabinet | None = None,
    ) -> None:
        self._index, self._shards = shard
        self._cabinet = cabinet
        self._run_dir, self._name, self._folder = run_dir, name, folder
        self._limits, self._minimum, self._layers = limits, minimum_free_bytes, layers
        self._disk = Disk(sync_seconds=sync_seconds, digest=evidence.digest)
        self._guard = space.Guard(minimum_free_bytes, RESERVED)
        self._room = (0, 0)  # bytes: free, of so many
        self._said = self._counted = 0.0  # when the hub was last told of it, and of what runs
        self._evidence = evidence
        self._untold: deque[Checkpoint] = deque(maxlen=_UNTOLD)  # while no hub is there
        self._tasks = Tasks(name)
        self._listener: Listener | None = None
        self._hubs: dict[Link, int] = {}
        self._epoch = 0
        self._running: dict[str, Session] = {}
        self._known: dict[str, SessionState] = {}  # not running
        self._repairs: dict[str, asyncio.Task[None]] = {}
        self._hopeless: set[str] = set()  # folders that hold no recording which can be read
        self.look_seconds = LOOK
        self._workers: dict[str, Worker] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._exporting: exporting.Exporting | None = None
        self._uploader: uploading.Uploader | None = None

    def export(self, terms: exporting.Terms) -> None:
        """Exports are made like this; before it starts."""
        self._exporting = exporting.Exporting(terms, self._tell)
        self._tasks.spawn(asyncio.to_thread(exporting.look_for_letters), "letters")

    def upload(self, store: uploading.Store, policy: uploading.Policy) -> None:
        """Recordings go there; before it starts."""
        loop = asyncio.get_running_loop()

        def tell(said: messages.Uploads) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._tell, said)

        self._uploader = uploading.Uploader(self._folder, store, policy, self._mine, tell)
        self._guard.store = True

    async def start(self) -> None:
        try:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:  # orders are answered all the same: with what is wrong
            log.error("folder of recordings not usable", error=error.strerror)
        try:
            await asyncio.to_thread(forgetting.sweep, self._folder, self._mine)
        except OSError as error:  # asked for again by the hub
            log.error("deleted recordings not taken away", error=error.strerror)
        closed, broken = await asyncio.to_thread(repair.survey, self._folder, self._mine, self._cabinet)
        self._known = {state.session: state for state in closed}
        turn = asyncio.Lock()
        for folder in reversed(broken):  # the newest first
            self._repairs[folder.name] = self._tasks.spawn(self._repair(folder, turn), "repair")
        self._listener = await listen(self._run_dir, self._name, lambda link: None, self._receive)
        if self._uploader is not None:
            self._uploader.start()
        self._tasks.spawn(self._tick(), "tick")
        self._tasks.spawn(self._watch_space(), "space")
        self._tasks.spawn(self._look_again(turn), "look again")
        self._tasks.spawn(tell_counters(self._name, self._counters, lambda: self._hubs), "counters")
        self._tasks.spawn(asyncio.to_thread(importlib.import_module, "recorder.chat"), "load")  # before somebody writes
        machine.at_work()
        log.info("recorder started", closed=len(closed), broken=len(broken))

    def _mine(self, session: str) -> bool:
        return shard_of(session, self._shards) == self._index

    async def close(self) -> None:
        """Close every recording; one that is ordered again later goes on."""
        if self._exporting is not None:
            await self._exporting.close()
        stops = [asyncio.ensure_future(session.stop("shutdown")) for session in self._running.values()]
        if stops:
            await asyncio.wait(stops, timeout=10)
        if self._listener is not None:
            await self._listener.close()
        while self._workers:  # whoever is idle may be closed elsewhere meanwhile
            _, worker = self._workers.popitem()
            await worker.close()
        await self._tasks.close()
        await self._disk.close()
        if self._uploader is not None:
            await asyncio.to_thread(self._uploader.close)

    async def _look_again(self, turn: asyncio.Lock) -> None:
        """What was left open after the start: brought back from elsewhere, or ended on a disk that took nothing more."""
        while True:
            await asyncio.sleep(self.look_seconds)
            for folder in await asyncio.to_thread(self._left_open, set(self._known)):
                name = folder.name
                if name not in self._running and name not in self._repairs and name not in self._hopeless:
                    self._known.pop(name, None)
                    self._repairs[name] = self._tasks.spawn(self._repair(folder, turn), "repair")

    def _left_open(self, known: set[str]) -> list[Path]:
        """Blocking."""
        _, broken = repair.survey(self._folder, lambda session: self._mine(session) and session not in known, self._cabinet)
        return broken + [path for session in known if repair.left_open(path := self._folder / session)]

    async def _repair(self, folder: Path, turn: asyncio.Lock) -> None:
        async with turn:
            try:
                manifest = await asyncio.to_thread(repair.repair, folder, self._evidence, self._cabinet)
            except (OSError, ValueError) as error:
                log.error("recording not repaired", session=folder.name, error=str(error))
                manifest = None
        self._repairs.pop(folder.name, None)
        if manifest is None:
            self._hopeless.add(folder.name)
        else:
            self._known[manifest.session] = Session(folder, self._disk, self._limits, self._changed, manifest).state()
            self._tell(self._known[manifest.session])

    # ---------------------------------------------------------------------------------------------------------- hub

    def _receive(self, link: Link, message: Message) -> Awaitable[Message] | Message | None:
        if isinstance(message, messages.Hello):
            return self._hello(link, message)
        if link not in self._hubs:
            log.warning("order before a greeting")
            link.close()
            return None
        if isinstance(message, messages.Record):
            self._order(message.session, self._record(message))
        elif isinstance(message, messages.StopRecord):
            self._order(message.session, self._stop(message))
        elif isinstance(message, messages.Mark):
            self._order(message.session, self._mark(message))
        elif isinstance(message, messages.Export) and self._exporting is not None:
            self._exporting.receive(message)
        elif isinstance(message, messages.StopExport) and self._exporting is not None:
            self._tasks.spawn(self._exporting.stop(message.export), "stop export")
        elif isinstance(message, messages.Forget):
            self._order(message.session, self._forget(message.session))
        return Done()

    async def _hello(self, link: Link, hello: messages.Hello) -> RecordSnapshot:
        if hello.epoch < self._epoch:
            raise Conflict("A newer hub has spoken.", "已有更新的中心进程连接。", code="stale_epoch")
        self._epoch = hello.epoch
        for other in [other for other, epoch in self._hubs.items() if epoch < hello.epoch]:
            other.close()
        if self._repairs:
            await asyncio.wait(list(self._repairs.values()), timeout=_PATIENCE)
        self._hubs[link] = hello.epoch
        link.on_close.append(self._hub_gone)
        while self._untold:
            link.tell(self._untold.popleft())
        if self._room[1]:
            link.tell(self._space())
        states = sorted(self._known.values(), key=lambda state: state.started_at)[-_SNAPSHOT:]
        return RecordSnapshot(sessions=[*states, *(session.state() for session in self._running.values())])

    def _hub_gone(self, link: Link) -> None:
        self._hubs.pop(link, None)

    def _tell(self, message: SessionState | Checkpoint | Forgotten | Space | ExportState | messages.Uploads) -> None:
        for link in list(self._hubs):
            link.tell(message)

    def _witness(self, checkpoint: Checkpoint) -> None:
        if self._hubs:
            self._tell(checkpoint)
        else:
            self._untold.append(checkpoint)

    def _changed(self, session: Session) -> None:
        state = session.state()
        if state.state == "failed" and state.code == "disk_full":
            self._guard.hit()
            self._tell(self._space())
        if not session.running and state.state != "recording" and self._running.get(session.id) is session:
            del self._running[session.id]
            self._known[session.id] = state
            if session.worker in self._workers:
                self._workers[session.worker].remove(session)
        self._tell(state)

    def _order(self, session: str, work: Coroutine[Any, Any, None]) -> None:
        """Orders for one recording are done one after the other, and hold up no others."""

        async def in_turn() -> None:
            async with self._locks.setdefault(session, asyncio.Lock()):
                await work

        self._tasks.spawn(in_turn(), "order")

    async def _record(self, order: messages.Record) -> None:
        if not _SESSION.fullmatch(order.session):
            self._refuse(order, "invalid", "A recording's id has a wrong form.", "录制编号格式不正确。")
            return
        if (repairing := self._repairs.get(order.session)) is not None:
            await asyncio.wait([repairing])
        session = self._running.get(order.session)
        if session is not None and not session.running:  # it is just ending: after that it may begin again
            await session.stop("ended")
            session = self._running.get(order.session)
        if session is None:
            known = self._known.get(order.session)
            if known is not None and known.state == "complete" and known.code != "shutdown":
                self._tell(known)
                return
            session = await self._begin(order, known)
            if session is None:
                return
        session.hold(order.paused, asyncio.get_running_loop().time())
        self._place(session, order.worker)
        self._tell(session.state())

    async def _begin(self, order: messages.Record, known: SessionState | None) -> Session | None:
        try:
            free, total = await self._disk.run(lambda: disk_space(self._folder))
            if free < self._minimum + RESERVED or self._look_at(free, total) is space.FULL:
                self._refuse(order, "disk_full", *FULL)
                return None
            folder = self._folder / order.session
            shelf = Shelf(folder, self._cabinet)
            loaded = await asyncio.to_thread(repair.load, shelf) if known is not None else None
            chain = await asyncio.to_thread(repair.chained, shelf, self._evidence.digest) if loaded is not None else None
        except (OSError, ValueError) as error:
            log.error("recording not started", session=order.session, error=str(error))
            self._refuse(order, "disk_error", "The folder of recordings cannot be used.", "录制目录不可用。")
            return None
        manifest = loaded[0] if loaded else None
        session = Session(folder, self._disk, self._limits, self._changed, manifest, self._evidence, chain, shelf)
        session.told(self._witness)
        self._known.pop(order.session, None)
        self._running[order.session] = session
        session.only = order.only
        session.evidence = order.evidence
        session.layers = order.layers or self._layers
        session.start(order)
        return session

    def _refuse(self, order: messages.Record, code: str, text: str, text_zh: str) -> None:
        state = SessionState(
            session=order.session, room=order.room, state="failed", code=code, text=text, text_zh=text_zh, about=order.about
        )
        self._tell(state)

    def _place(self, session: Session, name: str) -> None:
        """Record it from this worker."""
        old = self._workers.get(session.worker)
        if session.worker != name and old is not None:
            old.remove(session)
            session.unlinked(asyncio.get_running_loop().time(), "moved")
        worker = self._workers.get(name)
        if worker is None:
            worker = self._workers[name] = Worker(self._run_dir, name, self._name)
        session.worker = name
        if session.id not in worker.sessions:
            worker.add(session)

    async def _stop(self, order: messages.StopRecord) -> None:
        if (repairing := self._repairs.get(order.session)) is not None:
            await asyncio.wait([repairing])
        session = self._running.get(order.session)
        if session is not None:
            await session.stop(order.reason)
            return
        missing = SessionState(
            session=order.session, room="", state="failed", code="not_found", text="There is no such recording.",
            text_zh="没有这个录制。",
        )  # fmt: skip
        self._tell(self._known.get(order.session, missing))

    async def _forget(self, name: str) -> None:
        """It was deleted: end what is at work on it, then take it away. What the disk refuses is asked for once more."""
        if not _SESSION.fullmatch(name):
            return
        if (repairing := self._repairs.get(name)) is not None:
            await asyncio.wait([repairing])
        if (session := self._running.get(name)) is not None:
            await session.stop("deleted")
        try:
            await asyncio.to_thread(self._take_away, name)
        except OSError as error:
            log.error("recording not taken away", session=name, error=error.strerror)
            return
        self._known.pop(name, None)
        self._hopeless.discard(name)
        log.info("recording taken away", session=name)
        self._tell(Forgotten(name))

    def _take_away(self, name: str) -> None:
        """Blocking. OSError."""
        if self._cabinet is not None and self._cabinet.keys is not None:
            self._cabinet.keys.forget(name)  # the deletion itself, of every copy
        if self._uploader is not None:
            self._uploader.forget(name)
        forgetting.forget(self._folder, name)

    async def _mark(self, mark: messages.Mark) -> None:
        session = self._running.get(mark.session)
        if session is not None:
            session.mark(mark)

    def _counters(self) -> dict[str, float]:
        lags = [worker.take_lag() for worker in self._workers.values()]
        return {
            "recordings": len(self._running),
            "recorder_bytes": self._disk.written,
            "recorder_waiting_bytes": self._disk.pending,
            "recorder_free_bytes": self._room[0],
            "recorder_disk_bytes": self._room[1],
            "recorder_disk_step": space.STEPS.index(self._guard.step),
            "recorder_gaps": Book.all_gaps,
            "recorder_lag_seconds": max(lags, default=0.0),
            **(self._uploader.counters() if self._uploader is not None else {}),
        }

    # --------------------------------------------------------------------------------------------------------- time

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK)
            for session in list(self._running.values()):
                try:
                    session.tick(loop.time())
                except Exception:
                    # One recording's fault must not stop the others.
                    if (suppressed := logs.limited(("tick", session.id), 60)) is not None:
                        log.exception("recording in trouble", session=session.id, suppressed=suppressed)
            for name in list(self._workers):
                if not self._workers[name].sessions:
                    await self._workers.pop(name).close()

    async def _watch_space(self) -> None:
        while True:
            await asyncio.sleep(_SPACE)
            with contextlib.suppress(OSError):
                await self._see_space(*await self._disk.run(lambda: disk_space(self._folder)))

    async def _see_space(self, free: int, total: int) -> None:
        before, self._room = self._guard.step, (free, total)
        step, now = self._look_at(free, total), asyncio.get_running_loop().time()
        if step is not before:
            log.warning("disk of recordings", step=step.name, before=before.name, free=free, total=total)
        if step is not before or now - self._said >= _SAY:
            self._said = now
            self._tell(self._space())
        count, self._counted = (True, now) if now - self._counted >= _COUNT else (False, self._counted)
        for session in list(self._running.values()):
            if count:
                self._tell(session.state())
            if step is space.FULL:
                await session.fail("disk_full")
            else:
                session.thin(step, free, total, now)

    def _look_at(self, free: int, total: int) -> space.Step:
        """What lies in the store, too, goes before anything else."""
        if self._uploader is None:
            return self._guard.look(free, total)
        self._uploader.make_room(self._guard.wanted(free, total))
        return self._guard.look(free, total, easing=self._uploader.dropping.busy)

    def _space(self) -> Space:
        return Space(free=self._room[0], total=self._room[1], level=self._guard.step.name)
