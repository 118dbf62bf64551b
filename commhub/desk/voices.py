"""Speaking through a camera's loudspeaker: the microphone that a terminal publishes in its own room goes to the device.

One person speaks at a camera at a time. Nothing is stored; who leaves the room, or ends it, has stopped speaking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.conference import Conference
from commhub.control import Control, Devices
from commhub.desk.walls import Walls
from commhub.directory import CameraRecord
from commhub.errors import Conflict, HubError
from commhub.events import Audience, Events
from commhub.media.messages import Message, Voice, VoiceState
from commhub.model import Actor, new_id
from commhub.store import Store
from commhub.tasks import Tasks

log = logs.get(__name__)

ANSWER = 15.0  # seconds a device may take to accept
TICK = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class _Spoken:
    id: str
    camera: CameraRecord
    actor: Actor
    room: str
    identity: str

    @property
    def target(self) -> str:
        return f"{self.camera.device}/{self.camera.channel}"


class Voices:
    """``worker_of`` names the media worker of a room. Also a user of the bridge's link (:mod:`commhub.links`)."""

    def __init__(
        self,
        store: Store,
        events: Events,
        control: Control,
        devices: Devices,
        conference: Conference,
        walls: Walls,
        worker_of: Callable[[str], str],
    ) -> None:
        self._store, self._events, self._control, self._devices = store, events, control, devices
        self._conference, self._walls, self._worker_of = conference, walls, worker_of
        self._spoken: dict[str, _Spoken] = {}  # by camera
        self._tasks = Tasks("voices")

    def start(self) -> None:
        self._tasks.spawn(self._watch(), "watch")

    async def close(self) -> None:
        await self._tasks.close()

    async def speak(self, actor: Actor, camera: str, terminal: str) -> None:
        """Idempotent. Conflict while another speaks there; what the device refuses is the error's sentence."""
        record = await self._control.reachable(actor, camera, "camera.voice")
        wall = self._walls.of(actor, terminal)
        spoken = self._spoken.get(camera)
        if spoken is not None and spoken.actor.id != actor.id:
            raise Conflict(
                f"{spoken.actor.name} ({spoken.actor.org_name}) is speaking there.",
                f"{spoken.actor.name}（{spoken.actor.org_name}）正在喊话。",
                code="speaking",
            )
        if spoken is not None and spoken.room == wall.room:
            return
        if not record.online:
            raise Conflict("The device is not online.", "设备不在线，无法喊话。", code="offline")
        made = _Spoken(new_id(), record, actor, wall.room, wall.identity)
        self._spoken[camera] = made
        try:
            async with self._store.transaction() as transaction:
                await audit.record(transaction, actor, "camera.voice", record.id, object=record.name)
            voice = Voice(made.id, self._worker_of(wall.room), wall.room, wall.identity, [made.target])
            await self._devices.ask(voice, ANSWER)
        except BaseException:
            self._forget(made)
            raise

    async def hush(self, actor: Actor, camera: str) -> None:
        """Idempotent."""
        made = self._spoken.get(camera)
        if made is not None and made.actor.id == actor.id:
            self._forget(made)

    def _forget(self, made: _Spoken) -> None:
        if self._spoken.get(made.camera.id) is made:
            del self._spoken[made.camera.id]
        self._devices.tell(Voice(made.id, "", made.room, made.identity, []))

    # ---- the bridge

    def linked(self, snapshot: Message, tell: Callable[[Message], None]) -> None:
        """A new bridge speaks nowhere."""

    def unlinked(self) -> None:
        for made in list(self._spoken.values()):
            self._say(made, VoiceState(made.id, made.target, "ended", "bridge_down", "It was interrupted.", "喊话已中断。"))
        self._spoken.clear()

    def receive(self, message: Message) -> None:
        if not isinstance(message, VoiceState):
            return
        made = next((one for one in self._spoken.values() if one.id == message.voice), None)
        if made is not None:
            if message.state in ("ended", "failed"):
                del self._spoken[made.camera.id]
            self._say(made, message)

    def _say(self, made: _Spoken, state: VoiceState) -> None:
        self._tasks.spawn(self._tell(made, state), "state")

    async def _tell(self, made: _Spoken, state: VoiceState) -> None:
        reason = {"code": state.code, "text": state.text_zh, "text_en": state.text} if state.code else None
        try:
            async with self._store.transaction() as transaction:
                await self._events.emit(
                    transaction,
                    "camera.voice",
                    subject=made.camera.id,
                    org=made.camera.org.id,
                    label=made.camera.label,
                    audience=Audience([made.actor.id]),
                    data={
                        "camera": {"id": made.camera.id, "name": made.camera.name},
                        "by": {"id": made.actor.id, "name": made.actor.name, "org_name": made.actor.org_name},
                        "state": state.state,
                        "reason": reason,
                    },
                )
        except SQLAlchemyError:
            log.exception("voice not told", camera=made.camera.id)

    # ---- time

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.look()

    def look(self) -> None:
        """Who has left speaks no more; nor does who may not any more."""
        for made in list(self._spoken.values()):
            here = any(one.identity == made.identity for one in self._conference.present(made.room, unseen=True))
            try:
                may = self._walls.of(made.actor, made.identity.partition(":")[2]).actor.may(
                    "camera.voice", org=made.camera.org.id, label=made.camera.label
                )
            except HubError:
                may = False
            if not here or not may:
                self._forget(made)
