"""People who push to talk: terminals at the hub's socket, PyPI clients in the rooms, ears that know when they hear what."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy
from livekit import rtc

from commhub.model import new_id
from tests.support import until
from tests.support.installation import Installation

LOUD = 10_000.0  # mean square of a frame that is no silence
_FRAME = 480  # 10 ms


@dataclass(frozen=True)
class Colleague:
    """Somebody the test has put into the directory, signed in."""

    id: str
    name: str
    level: int
    token: str


async def colleagues(hub: Installation, levels: Sequence[int], *, dispatchers: int = 1) -> list[Colleague]:
    """As many people as levels, the first ``dispatchers`` of them in charge; signed in without typing fifty passwords."""
    folder = hub.folder / "crew"
    folder.mkdir()
    lines = ['[[organisation]]\nkey = "city"\nname = "云江市"\nname_en = "Yunjiang City"\nshort = "云江"\nkind = "city"\n']
    for number, level in enumerate(levels):
        role = "dispatcher" if number < dispatchers else "participant"
        lines.append(
            f'[[person]]\nkey = "crew-{number}"\norg = "city"\nname = "队员{number:02}"\npost = "队员"\nlevel = {level}\n'
            f'roles = [{{ role = "{role}", org = "city" }}]\n'
        )
    (folder / "crew.toml").write_text("\n".join(lines), "utf-8")
    await hub.run("import", str(folder))
    return await asyncio.to_thread(_signed_in, hub.folder / "data" / "commhub.db", list(levels))


def _signed_in(database: Path, levels: list[int]) -> list[Colleague]:
    found, now = [], time.time_ns()
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        for number, level in enumerate(levels):
            (person,) = connection.execute("SELECT id FROM people WHERE key = ?", (f"crew-{number}",)).fetchone()
            token = secrets.token_urlsafe(32)
            # Nobody types these passwords, and a hundred of their hashes are a minute of work.
            connection.execute("INSERT INTO accounts VALUES (?, ?, 'none', 0, 0, 0)", (person, f"crew{number}"))
            row = (hashlib.sha256(token.encode()).hexdigest(), person, now, now)
            connection.execute("INSERT INTO sign_ins (token_hash, person_id, created_at, seen_at) VALUES (?, ?, ?, ?)", row)
            found.append(Colleague(person, f"队员{number:02}", level, token))
    return found


class Talker:
    """``async with talker(hub, colleague)``: does what it is told. Times are ``time.monotonic``; ``heard`` has, by identity, when
    each frame of 10 ms came that was no silence."""

    def __init__(
        self, hub: Installation, who: Colleague, session: aiohttp.ClientSession, socket: Any, *, talks: bool, once: bool = False
    ) -> None:
        self.hub, self.who, self._session, self._socket, self.talks, self.once = hub, who, session, socket, talks, once
        self.entered: dict[str, float] = {}  # when it was in a room
        self.told = new_id()
        self.identity = f"{who.id}:{self.told}"
        self.heard: dict[str, list[float]] = defaultdict(list)
        self.powers: deque[tuple[float, float]] = deque(maxlen=1000)  # of whatever came last
        self.rooms: dict[str, rtc.Room] = {}
        self.floors: list[tuple[float, dict[str, Any]]] = []
        self.instructions: list[tuple[float, dict[str, Any]]] = []
        self.said: list[str] = []  # whatever came through the socket, as it came
        self.tracks: dict[str, list[Any]] = defaultdict(list)
        self._tasks: set[asyncio.Task[Any]] = set()

    # ---- REST

    async def call(self, method: str, path: str, body: Any = None, *, status: int = 0, **headers: str) -> Any:
        csrf = await self._csrf()
        headers = {"Origin": self.hub.base, "X-CSRF-Token": csrf, **headers}
        async with self._session.request(method, f"{self.hub.base}/api/v1{path}", json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == status if status else answer.status < 300, f"{method} {path}: {answer.status} {text}"
            return json.loads(text) if text else None

    async def _csrf(self) -> str:
        import base64
        import hmac

        digest = hmac.digest(self.who.token.encode(), b"csrf", "sha256")
        return base64.urlsafe_b64encode(digest[:18]).decode()

    # ---- the socket

    async def run(self) -> None:
        await self._socket.send_json({"type": "terminal", "id": self.told, "kind": "console", "name": self.who.name})
        async for message in self._socket:
            said = json.loads(message.data)
            self.said.append(message.data)
            if said["type"] == "instruction":
                self.instructions.append((time.monotonic(), said))
                await self._socket.send_json({"type": "ack", "id": said["id"], "ok": True})
                self._spawn(self._do(said))
            elif said["type"] == "floor":
                self.floors.append((time.monotonic(), said))

    async def say(self, group: str, action: str, reason: str = "") -> None:
        await self._socket.send_json({"type": "floor", "group": group, "action": action, "reason": reason})

    def you(self, group: str) -> str:
        mine = [said for _, said in self.floors if said["group"] == group]
        return str(mine[-1]["you"]) if mine else ""

    # ---- media

    async def _do(self, said: dict[str, Any]) -> None:
        if said["verb"] == "join" and said["room"] not in self.rooms:
            await self.enter(said["room"], said["token"], talks=said["data"]["talks"])
        elif said["verb"] == "leave" and (room := self.rooms.pop(said["room"], None)) is not None:
            await room.disconnect()

    async def enter(self, name: str, token: str, *, talks: bool = True) -> rtc.Room:
        room = self.rooms[name] = rtc.Room()
        room.on("track_subscribed", lambda track, _, participant: self._listen(track, participant.identity))
        url = self.hub.base.replace("http", "ws", 1)
        await room.connect(url, token, rtc.RoomOptions(auto_subscribe=True, single_peer_connection=True))
        self.entered[name] = time.monotonic()
        if talks and self.talks:
            await self.publish(name)
        return room

    async def publish(self, name: str) -> Any:
        """A tone that never stops: whether it is heard is the hub's matter. Their floor may be told before they are in."""
        await until(self.rooms[name].isconnected, what=f"{self.who.name} is in the room")
        sound = rtc.AudioSource(48000, 1)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", sound)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        publication = await self.rooms[name].local_participant.publish_track(track, options)
        self._spawn(self._speak(sound))
        return publication

    async def _speak(self, source: rtc.AudioSource) -> None:
        tone = (numpy.sin(numpy.arange(_FRAME) * 2 * numpy.pi * 400 / 48000) * 9000).astype(numpy.int16).tobytes()
        while True:
            await source.capture_frame(rtc.AudioFrame(tone, 48000, 1, _FRAME))

    def _listen(self, track: Any, identity: str) -> None:
        self.tracks[identity].append(track)
        self._spawn(self._hear(rtc.AudioStream(track), self.heard[identity]))

    async def _hear(self, stream: Any, heard: list[float]) -> None:
        async for event in stream:
            samples = numpy.frombuffer(event.frame.data, dtype=numpy.int16).astype(float)
            power = float((samples**2).mean()) if samples.size else 0.0
            self.powers.append((time.monotonic(), power))
            if power > LOUD:
                heard.append(time.monotonic())
                if self.once:
                    break
        if self.once:
            await stream.aclose()

    async def hears(self, identity: str, since: float, within: float = 30.0) -> float:
        """When the first sound of them after ``since`` came."""
        await until(lambda: any(at > since for at in self.heard[identity]), within, f"{self.who.name} hears {identity}")
        return next(at for at in self.heard[identity] if at > since)

    async def packets(self, identity: str) -> int:
        """RTP packets that came from them, by the client's own count."""
        total = 0
        for track in self.tracks[identity]:
            for stats in await track.get_stats():
                if stats.HasField("inbound_rtp"):
                    total += stats.inbound_rtp.received.packets_received
        return total

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        for room in self.rooms.values():
            with contextlib.suppress(Exception):
                await asyncio.wait_for(room.disconnect(), 5)


@asynccontextmanager
async def talker(hub: Installation, who: Colleague, *, talks: bool = True, once: bool = False) -> AsyncIterator[Talker]:
    """``talks``: publishes a tone wherever it may. ``once``: hears of each track the first sound only; of fifty who look at every
    frame the looking is what would be measured."""
    headers = {"Cookie": f"__Host-commhub={who.token}", "Origin": hub.base}
    async with (
        aiohttp.ClientSession(headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.ws_connect(f"{hub.base}/events", headers=headers) as socket,
    ):
        one = Talker(hub, who, session, socket, talks=talks, once=once)
        listening = asyncio.create_task(one.run())
        try:
            await asyncio.sleep(0)
            yield one
        finally:
            listening.cancel()
            await one.close()


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
