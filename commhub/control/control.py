"""Who may move which camera, and does: words of pages and acts of the interface become orders to the bridge.

A motion leaves before its audit row is written: a key press must not wait for a disk. The row belongs to the time somebody
has the camera; when it cannot be written they lose it again.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.control import verbs
from commhub.control.hands import Drive, Hands, Motion, motion_of
from commhub.control.lock import Decision, Holder, Lock, Locks
from commhub.control.shapes import HolderView, LockView, Preset
from commhub.directory import CameraRecord, Directory
from commhub.errors import Busy, Forbidden, HubError, Invalid, NotFound, Unavailable
from commhub.events import Events
from commhub.guard import Rates
from commhub.log import Limiter
from commhub.media.messages import AskDevice, DeviceAnswer, Message, Move
from commhub.media.messages import Control as Act
from commhub.model import ULID_PATTERN, Actor, iso
from commhub.store import Store
from commhub.tasks import Tasks
from commhub.terminals import Page

log = logs.get(__name__)

WORDS = 30.0  # a second of one page; a key that is down says four
BURST = 60.0
CAMERAS = 4  # that one page moves at once
REFUSALS = 10.0  # a second that one page is told
FRESH = 15.0  # seconds what is known of a camera counts
LITTLE = 1.0  # seconds, where that would be a refusal
KNOWN = 1_000  # cameras
ANSWER = 8.0  # seconds a device may take
_ID = re.compile(ULID_PATTERN)


class Devices(Protocol):
    """The bridge to devices that call in."""

    @property
    def up(self) -> bool: ...
    def tell(self, message: Message) -> None: ...
    async def ask(self, message: Message, within: float = 10.0) -> Message: ...


class Refused(HubError):
    """Not moved. ``lock`` is who has the camera."""

    status, code = 409, "refused"

    def __init__(self, message: str, message_zh: str, code: str, lock: Lock | None = None) -> None:
        super().__init__(message, message_zh, code=code)
        self.lock = lock


def steady() -> Callable[[], float]:
    """Unix seconds that never jump."""
    start = time.time() - time.monotonic()
    return lambda: start + time.monotonic()


class Control:
    def __init__(
        self,
        store: Store,
        events: Events,
        directory: Directory,
        devices: Devices,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._store, self._events, self._directory, self._devices = store, events, directory, devices
        self._now = clock or steady()
        self._locks, self._hands = Locks(), Hands()
        self._pages: dict[int, Page] = {}  # that move something, or did
        self._driven: dict[str, tuple[str, str]] = {}  # what moves: device and channel
        self._cameras: dict[str, tuple[float, CameraRecord]] = {}
        self._rates, self._refusals = Rates(WORDS, BURST), Rates(REFUSALS, 2 * REFUSALS)
        self._denied = Limiter()
        self._tasks = Tasks("control")
        self._timer: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        for page in list(self._pages.values()):
            self.gone(page)
        if self._timer is not None:
            self._timer.cancel()
        await self._tasks.close()

    # ---- words of a page

    async def receive(self, page: Page, said: Mapping[str, Any]) -> None:
        """A ``move``. Whatever is wrong with it the page is told; never raises."""
        camera = said.get("camera")
        try:
            if not isinstance(camera, str) or not _ID.fullmatch(camera):
                raise Invalid("camera must be the id of one.", "摄像机编号不正确。")
            try:
                motion = motion_of(said)
            except ValueError as error:
                raise Invalid(str(error), "方向和速度须为 -1 到 1 的数。") from None
            await self.move(page, camera, motion)
        except HubError as error:
            lock = error.lock if isinstance(error, Refused) else None
            self._refuse(page, camera if isinstance(camera, str) else "", error, lock)

    async def move(self, page: Page, camera: str, motion: Motion) -> None:
        """Forbidden, NotFound, Refused, Busy. Stopping what this page moves always works."""
        if not motion.still:
            if self._rates.take(str(page.number), self._now()) > 0:
                raise Busy("Too many words a second.", "操作过于频繁。")
            record = await self._movable(page.actor(), camera)
            if self._hands.holder(camera) != page.number and self._hands.moves(page.number) >= CAMERAS:
                raise Busy(f"At most {CAMERAS} cameras at once.", f"最多同时控制 {CAMERAS} 个摄像机。")
            self._take(page.actor(), record)
            self._pages[page.number] = page
            self._driven[camera] = record.device, record.channel
        self._drive(self._hands.receive(page.number, camera, motion, self._now()))
        self._arm()

    def gone(self, page: Page) -> None:
        """It is closed: what it moved stops now."""
        self._pages.pop(page.number, None)
        self._drive(self._hands.let_go(page.number))

    def _taken_from(self, page: Page, camera: str) -> None:
        lock = self._locks.of(camera, self._now())
        if lock is not None and lock.holder.id != page.actor().id:
            self._refuse(page, camera, _held_by(lock), lock)

    def _refuse(self, page: Page, camera: str, error: HubError, lock: Lock | None) -> None:
        if self._refusals.take(str(page.number), self._now()) > 0:
            return  # who floods is not answered each time
        shown = lock_view(lock, page.actor()).model_dump(mode="json") if lock is not None else None
        text = error.message if page.english else error.message_zh
        page.tell({"type": "refused", "camera": camera, "code": error.code, "text": text, "lock": shown})

    # ---- who has it

    def lock(self, camera: str, reader: Actor) -> LockView | None:
        lock = self._locks.of(camera, self._now())
        return lock_view(lock, reader) if lock is not None else None

    async def take(self, actor: Actor, camera: str) -> LockView:
        """Keep it without moving it. Forbidden, NotFound, Refused."""
        record = await self._movable(actor, camera)
        decision = self._take(actor, record)
        self._arm()
        return lock_view(decision.lock, actor)

    async def give_back(self, actor: Actor, camera: str) -> None:
        """Idempotent; another's lock stays."""
        if self._locks.release(camera, actor.id, self._now()):
            self._drive(self._hands.free(camera))
            await self._announce(await self._directory.camera(camera), None)

    def _take(self, actor: Actor, record: CameraRecord) -> Decision:
        decision = self._locks.ask(record.id, Holder(actor.id, actor.name, actor.org_name, actor.level), self._now())
        if not decision.granted:
            raise _held_by(decision.lock)
        if decision.changed:
            if decision.before is not None and (hand := self._hands.holder(record.id)) is not None:
                self._drive(self._hands.free(record.id))
                if (page := self._pages.get(hand)) is not None:
                    self._taken_from(page, record.id)
            self._tasks.spawn(self._note(actor, record, decision), "note")
        return decision

    async def _note(self, actor: Actor, record: CameraRecord, decision: Decision) -> None:
        try:
            async with self._store.transaction() as transaction:
                over = f" ← {decision.before.holder.name}" if decision.before is not None else ""
                await audit.record(transaction, actor, "camera.move", record.id, object=record.name + over)
            await self._announce(record, decision.lock)
        except SQLAlchemyError:
            log.exception("movement not written: it ends", camera=record.id)
            if self._locks.release(record.id, actor.id, self._now()):
                self._drive(self._hands.free(record.id))

    async def _announce(self, record: CameraRecord, lock: Lock | None) -> None:
        shown = None
        if lock is not None:
            shown = lock_view(lock, None).model_dump(mode="json", exclude={"mine"})
        async with self._store.transaction() as transaction:
            await self._events.emit(
                transaction,
                "camera.lock",
                subject=record.id,
                org=record.org.id,
                label=record.label,
                data={"camera": {"id": record.id, "name": record.name}, "lock": shown},
            )

    # ---- acts

    async def act(self, actor: Actor, camera: str, verb: str, values: Mapping[str, str]) -> None:
        """What the device refuses or does not answer is the error's sentence. Invalid, Forbidden, NotFound, Refused."""
        try:
            given = verbs.checked(verb, values)
        except ValueError as error:
            raise Invalid(str(error), "该操作或其参数不正确。") from None
        known = verbs.VERBS[verb]
        if known.moves:
            record = await self._movable(actor, camera)
            self._take(actor, record)
            self._drive(self._hands.free(camera))
            self._arm()
        else:
            record = await self.reachable(actor, camera, known.right)
        async with self._store.transaction() as transaction:
            said = " ".join(f"{name}={value}" for name, value in given.items())
            about = f"{record.name} {verb} {said}".strip()
            await audit.record(transaction, actor, known.right, record.id, object=about)
            await self._events.emit(
                transaction,
                "camera.act",
                subject=record.id,
                org=record.org.id,
                label=record.label,
                by=actor,
                data={"camera": {"id": record.id, "name": record.name}, "act": {"verb": verb, "values": dict(given)}},
            )
        await self._devices.ask(Act(record.device, record.channel, verb, given), ANSWER)

    async def presets(self, actor: Actor, camera: str) -> list[Preset]:
        record = await self.reachable(actor, camera, "camera.move")
        items = (await self.ask(record, "presets")).items
        found = {int(item["number"]): item.get("name", "") for item in items if item.get("number", "").isdigit()}
        return [Preset(number=number, name=name or f"{number}") for number, name in sorted(found.items())]

    async def ask(
        self, record: CameraRecord, what: str, values: dict[str, str] | None = None, within: float = ANSWER
    ) -> DeviceAnswer:
        """The answer of the camera's device. Its refusal, or Unavailable."""
        answer = await self._devices.ask(AskDevice(record.device, record.channel, what, values or {}), within)
        if not isinstance(answer, DeviceAnswer):
            raise Unavailable("The device answered something else.", "设备的应答不正确。")
        return answer

    # ---- cameras

    async def reachable(self, actor: Actor, camera: str, permission: str) -> CameraRecord:
        """A camera behind a device with which the actor may do this. NotFound, Forbidden, Refused."""
        record = await self._camera(camera)
        if not actor.may("camera.list", org=record.org.id, label=record.label):
            raise NotFound("There is no such camera.", "没有这个摄像机。")
        if not actor.may(permission, org=record.org.id, label=record.label):
            await self._note_denied(actor, permission, record)
            raise Forbidden("You may not do this with this camera.", "没有对该摄像机进行此操作的权限。")
        if record.protocol != "gb28181":
            raise Refused(
                "This camera is opened by RTSP: it shows pictures, and can do nothing else.",
                "该摄像机通过 RTSP 接入，只能观看，不支持此操作。",
                "not_supported",
            )
        return record

    async def _movable(self, actor: Actor, camera: str) -> CameraRecord:
        record = await self._camera(camera)
        if record.protocol != "gb28181" and actor.may("camera.list", org=record.org.id, label=record.label):
            raise Refused(
                "This camera cannot be moved: it is opened by RTSP.", "该摄像机通过 RTSP 接入，不能转动。", "not_movable"
            )
        record = await self.reachable(actor, camera, "camera.move")
        if "move" not in record.acts():
            raise Refused("This camera is fixed: it cannot be moved.", "该摄像机为固定枪机，不能转动。", "not_movable")
        if not self._devices.up:
            raise Refused(
                "The process that speaks with devices is being restarted.", "设备接入进程正在重启，请稍候。", "bridge_down"
            )
        if not record.online and not (await self._camera(camera, LITTLE)).online:
            raise Refused("The device is not online.", "设备不在线，无法控制。", "offline")
        return record

    async def _camera(self, camera: str, fresh: float = FRESH) -> CameraRecord:
        """As it was at most a moment ago: a key that is down must not cost a query each time."""
        now = self._now()
        known = self._cameras.get(camera)
        if known is not None and now - known[0] < fresh:
            return known[1]
        record = await self._directory.camera(camera)
        self._cameras.pop(camera, None)
        if len(self._cameras) >= KNOWN:
            del self._cameras[next(iter(self._cameras))]
        self._cameras[camera] = (now, record)
        return record

    async def _note_denied(self, actor: Actor, permission: str, record: CameraRecord) -> None:
        if self._denied((actor.id, permission, record.id), 60) is None:
            return
        async with self._store.transaction() as transaction:
            await audit.record(transaction, actor, permission, record.id, object=record.name, result="denied")

    # ---- the bridge, and time

    def _drive(self, drives: list[Drive]) -> None:
        for drive in drives:
            if (where := self._driven.get(drive.camera)) is not None:
                motion = drive.motion
                self._devices.tell(Move(*where, motion.pan, motion.tilt, motion.zoom, motion.focus, motion.iris))
                if motion.still:
                    del self._driven[drive.camera]

    def _arm(self) -> None:
        """A timer for what ends next by itself."""
        times = [at for at in (self._hands.deadline, self._locks.deadline) if at is not None]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if times:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, min(times) - self._now()) + 0.001, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.tick()

    def tick(self) -> None:
        """Whatever is due."""
        now = self._now()
        self._drive(self._hands.tick(now))
        for lock in self._locks.tick(now):
            self._drive(self._hands.free(lock.camera))
            self._tasks.spawn(self._tell_free(lock.camera), "free")
        self._arm()

    async def _tell_free(self, camera: str) -> None:
        try:
            if self._locks.of(camera, self._now()) is None:
                await self._announce(await self._directory.camera(camera), None)
        except (SQLAlchemyError, HubError):
            log.exception("end of a lock not told", camera=camera)


def _held_by(lock: Lock) -> Refused:
    who = lock.holder
    return Refused(
        f"{who.name} ({who.org_name}) has it now.",
        f"{who.name}（{who.org_name}）正在控制。",
        "locked",
        lock,
    )


def lock_view(lock: Lock, reader: Actor | None) -> LockView:
    holder = lock.holder
    return LockView(
        camera_id=lock.camera,
        holder=HolderView(id=holder.id, name=holder.name, org_name=holder.org_name, level=holder.level),
        since=iso(int(lock.since * 1e9)),
        until=iso(int(lock.until * 1e9)),
        mine=reader is not None and reader.id == holder.id,
    )
