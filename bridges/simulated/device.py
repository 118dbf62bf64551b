"""A recorder of GB/T 28181 with cameras, as client of a platform: signs in, answers, plays, moves, raises alarms."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction

from bridges.simulated import answers, snapshots, xml
from bridges.simulated.agent import Account, Agent
from bridges.simulated.calls import Calls
from bridges.simulated.controls import Controls
from bridges.simulated.film import Look, Studio
from bridges.simulated.model import Command, Entry, Mount
from bridges.simulated.subscriptions import Subscriptions
from bridges.sip.message import Request
from bridges.sip.states import Timers
from bridges.sip.transaction import Acknowledged, Asked, Cancelled, Failed
from bridges.sip.transport import Told
from commhub import log as logs
from commhub.tasks import Tasks

log = logs.get(__name__)

_COMMANDS = 1000
_ALARM_KINDS = {5: 2, 2: 1, 6: 1}  # method: type; motion, video loss, disk fault
_REBOOT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What the pictures are like. ``main`` and ``sub`` are sizes. ``shared``: all cameras show one picture, with ``name`` of
    the device in it, from one encoder; else each has its own. ``repeat``: see :class:`~bridges.simulated.film.Look`."""

    main: tuple[int, int] = (1280, 720)
    sub: tuple[int, int] = (640, 360)
    fps: Fraction = Fraction(25, 2)
    group_seconds: float = 2.0
    audio: bool = False
    shared: bool = False
    repeat: float = 0.0


@dataclass(slots=True, kw_only=True)
class Nature:
    """What a device is like beside its account. ``page``: items in a message, 0 as usual for its transport. ``window``:
    messages of an answer that are under way at once. ``sessions``: how many plays at once."""

    name: str = "模拟录像机"
    quirks: frozenset[str] = frozenset()
    style: Style = field(default_factory=Style)
    page: int = 0
    window: int = 1
    sessions: int = 256


class Device:
    """``start`` signs in (wait for ``registered``), ``close`` signs out. ``entries`` is the catalogue, by code.

    For tests: ``commands`` are the last things it was told, ``counts`` has invites (also by channel), byes, queries by name and
    more, ``plays`` the streams that run.
    """

    def __init__(
        self,
        account: Account,
        entries: Sequence[Entry],
        nature: Nature | None = None,
        *,
        studio: Studio | None = None,
        timers: Timers | None = None,
    ) -> None:
        self.account, self.nature = account, nature or Nature()
        self.entries = {entry.code: entry for entry in entries}
        self.mounts = {entry.code: Mount() for entry in entries if entry.ptz == 1}
        self.commands: deque[Command] = deque(maxlen=_COMMANDS)
        self.counts: Counter[str] = Counter()
        self.studio = studio or Studio()
        self._own_studio = studio is None
        self._closed = False
        self._timers = timers
        self._numbers = itertools.count(1)
        self._tasks = Tasks(f"device {account.code}")
        self.facts = answers.Facts(
            account.code, self.nature.name, self.entries, self.mounts, self.nature.quirks, account.version, account.transport,
            self.nature.page, account.heartbeat, account.expires, account.platform,
        )  # fmt: skip
        self.faulty: set[str] = set()  # channels it says do not work
        self.controls = Controls(self)
        self.calls = Calls(self)
        self.subscriptions = Subscriptions(self)
        self.agent = self._new_agent()

    def _new_agent(self) -> Agent:
        return Agent(
            self.account, self._hear, heartbeat=lambda: answers.keepalive(self.facts, self.number(), sorted(self.faulty)),
            quirks=self.nature.quirks, timers=self._timers,
        )  # fmt: skip

    # ---- beginning and end

    async def start(self) -> None:
        await self.agent.start()

    async def close(self, *, farewell: bool = True) -> None:
        self._closed = True
        await self._tasks.close()
        await self.calls.close(farewell=farewell)
        await self.agent.close(farewell=farewell)
        if self._own_studio:
            await self.studio.close()

    async def power_cycle(self, seconds: float = 0.0) -> None:
        """Everything stops without a word, and begins anew: other ports, another Call-ID, nothing remembered but presets."""
        await self.agent.close(farewell=False)
        await self.calls.close(farewell=False)
        self.subscriptions.clear()
        await asyncio.sleep(seconds)
        self.agent = self._new_agent()
        await self.agent.start()

    def snapshots(self, channel: str, block: str) -> None:
        self._tasks.spawn(snapshots.upload(self, channel, block), "snapshots")

    def reboot(self) -> None:
        self._tasks.spawn(self.power_cycle(_REBOOT_SECONDS), "reboot")

    @property
    def registered(self) -> asyncio.Event:
        return self.agent.registered

    @property
    def tasks(self) -> Tasks:
        return self._tasks

    @property
    def plays(self) -> int:
        return len(self.calls)

    def number(self) -> str:
        return str(next(self._numbers))

    def look(self, entry: Entry, *, sub: bool) -> Look:
        style = self.nature.style
        width, height = style.sub if sub else style.main
        name = self.nature.name if style.shared else entry.name
        return Look(
            _latin(name, entry.code), width, height, style.fps, max(1, round(style.group_seconds * style.fps)),
            "pcma" if style.audio else None, style.repeat, entry.code in self.mounts and not style.shared, self.nature.quirks,
        )  # fmt: skip

    # ---- what it tells unasked

    async def alarm(
        self, channel: str, *, priority: int = 2, method: int = 5, kind: int | None = None, text: str = "", message: bool = False
    ) -> None:
        """To who has subscribed to alarms; as a MESSAGE when nobody has, or if told so."""
        body = answers.alarm(
            self.facts, self.number(), channel, time.time(), priority=priority, method=method,
            kind=_ALARM_KINDS.get(method, 0) if kind is None else kind, text=text, entry=self.entries.get(channel),
        )  # fmt: skip
        if message or not self.subscriptions.tell("Alarm", body):
            await self.agent.message(body)

    async def position(
        self, channel: str, longitude: float, latitude: float, *, speed: float = 0.0, direction: float = 0.0
    ) -> None:
        body = answers.position(self.facts, self.number(), channel, time.time(), longitude, latitude, speed, direction)
        if not self.subscriptions.tell("MobilePosition", body):
            await self.agent.message(body)

    def change(self, event: str, entry: Entry) -> None:
        """ON, OFF, VLOST, DEFECT, ADD, DEL, UPDATE of an entry, told to who has subscribed to the catalogue."""
        if event == "DEL":
            self.entries.pop(entry.code, None)
        elif event in ("ADD", "UPDATE"):
            self.entries[entry.code] = entry
        else:
            self.entries[entry.code] = replace(entry, online=event == "ON")
        self.subscriptions.tell("Catalog", answers.changed(self.facts, self.number(), [(event, entry)]))

    # ---- what it hears

    def _hear(self, told: Told) -> None:
        if self._closed:
            return
        match told:
            case Asked():
                self._asked(told)
            case Acknowledged():
                self.calls.acknowledged(told)
            case Cancelled() | Failed():
                self.calls.failed(told)
            case _:
                pass

    def _asked(self, asked: Asked) -> None:
        request = asked.request
        self.counts[request.method] += 1
        if request.method in ("INVITE", "BYE", "INFO"):
            self.calls.asked(asked)
        elif request.method in ("SUBSCRIBE",):
            self.subscriptions.asked(asked)
        elif request.method in ("MESSAGE", "NOTIFY"):
            self._message(asked, request)
        else:
            self.agent.respond(asked, 405)

    def _message(self, asked: Asked, request: Request) -> None:
        self.agent.respond(asked, 200)
        text = xml.decoded(request.body)
        command, root = xml.said(text, "CmdType"), xml.root(text)
        self.counts[f"{root} {command}"] += 1
        if root == "Query":
            self._tasks.spawn(self._answer(command, text), f"answer {command}")
        elif root == "Control":
            for body in self.controls.told(command, text):
                self._tasks.spawn(self.say(body), "response")
        elif root == "Notify" and command == "Broadcast":
            self.calls.broadcast(text)

    async def say(self, body: bytes) -> None:
        with suppress(OSError, TimeoutError):
            await self.agent.message(body)

    async def _answer(self, command: str, text: str) -> None:
        """Message after message, each when the one before was answered; ``window`` of them at once."""
        bodies = answers.bodies(self.facts, command, text, time.time())

        async def some() -> None:
            for body in bodies:
                await self.say(body)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.nature.window):
                group.create_task(some())


def _latin(name: str, code: str) -> str:
    """The letters of the picture are Latin: of a Chinese name its last octets of the code stand for it."""
    return name if name.isascii() else f"CAM {code[-4:]}"


def code(region: str, kind: str, serial: int) -> str:
    """A 20-digit code of a place (6 digits), a type (131 camera, 118 recorder, 200 platform …) and a number."""
    return f"{region.ljust(8, '0')}00{kind}0{serial:06d}"


#: What cameras of a recorder look at.
PLACES = ("下穿东口", "下穿西口", "水尺", "泵房", "配电间", "检修道", "出水口", "值班室")


def cameras(region: str, count: int, *, parent: str, first: int = 1, movable: int = 0, alarms: int = 0) -> list[Entry]:
    """So many cameras: the first ``movable`` of them domes, the last ``alarms`` with alarms."""
    return [
        Entry(
            code(region, "131" if number < movable else "132", first + number),
            f"{PLACES[number % len(PLACES)]} {first + number:02d}", parent,
            region=region, ptz=1 if number < movable else 3, alarms=number >= count - alarms,
            longitude=round(116.40 + 0.001 * number, 6), latitude=round(39.90 + 0.001 * (number % 100), 6),
        )
        for number in range(count)
    ]  # fmt: skip


def fresh_password() -> str:
    return secrets.token_urlsafe(12)
