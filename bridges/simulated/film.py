"""Moving pictures for everybody who watches, encoded once: streams that look alike share an encoder and its packets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from fractions import Fraction

import av

from bridges.scene import Encoder, Panorama, Picture, Scene, View, tone
from bridges.simulated.packing import Packer, packer
from commhub.tasks import Tasks

BEIJING = timezone(timedelta(hours=8))  # the time zone of every device of GB/T 28181
CLOCK = 90_000


@dataclass(frozen=True, slots=True)
class Look:
    """What streams must have in common to share one encoder. ``group``: pictures from one key frame to the next. ``repeat``:
    seconds after which what was encoded comes again (the clock in the picture with it), 0 never: for hundreds of streams.
    ``movable``: the picture follows a view. ``audio``: pcma, or None."""

    name: str
    width: int = 640
    height: int = 360
    fps: Fraction = Fraction(25, 2)
    group: int = 25
    audio: str | None = None
    repeat: float = 0.0
    movable: bool = False
    quirks: frozenset[str] = frozenset()

    @property
    def codec(self) -> str:
        return "h265" if self.quirks & {"h265", "h265-said-h264"} else "h264"

    def encoder(self) -> Encoder:
        bs = 2 if "b-frames" in self.quirks else 0
        return Encoder(self.width, self.height, self.fps, self.group, codec=self.codec, b_frames=bs)

    def packer(self) -> Packer:
        return packer(self.codec, self.audio, self.quirks)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture, ready to be sent. ``time`` in 90 kHz, of the film."""

    payloads: list[bytes]
    time: int
    key: bool


class Sound:
    """A beep each second, in pieces as long as a picture stands."""

    def __init__(self, audio: str | None) -> None:
        self._second = tone() if audio else b""
        self._at = 0

    def until(self, seconds: Fraction) -> bytes:
        """What has not been taken yet of so many seconds of film."""
        if not self._second:
            return b""
        end, found = int(seconds * 8000), b""
        while self._at < end:
            at = self._at % 8000
            piece = self._second[at : at + end - self._at]
            found += piece
            self._at += len(piece)
        return found


class Film:
    """Live pictures. Encodes while somebody watches; who joins, gets a key frame at once unless told otherwise."""

    def __init__(self, look: Look, view: Callable[[], View] | None = None) -> None:
        self.look = look
        self.pictures = 0
        self.key_frames_asked = 0
        self._view = view
        self._viewers: dict[Callable[[Shot], None], None] = {}
        self._task: asyncio.Task[None] | None = None
        self._key = False
        self._number = 0
        self._kept: list[Picture] = []
        self._at = 0
        self._scene: Scene | Panorama | None = None

    def watch(self, viewer: Callable[[Shot], None], tasks: Tasks, *, key: bool = True) -> None:
        self._viewers[viewer] = None
        self._key |= key
        if self._task is None or self._task.done():
            self._task = tasks.spawn(self._run(), f"film {self.look.name}")

    def leave(self, viewer: Callable[[Shot], None]) -> None:
        self._viewers.pop(viewer, None)

    def want_key(self) -> None:
        self.key_frames_asked += 1
        self._key = True

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        interval = 1 / self.look.fps
        encoder, packing, sound = self.look.encoder(), self.look.packer(), Sound(self.look.audio)
        first = self._number
        due = loop.time()
        while self._viewers:
            for picture in self._next(encoder):
                pts = int((first + picture.pts + 2) * interval * CLOCK)
                dts = int((first + picture.dts + 2) * interval * CLOCK)
                audio = sound.until((self._number - first + 1) * interval)
                shot = Shot(packing.pack(picture.units, pts, dts, key=picture.key, audio=audio), pts, picture.key)
                self.pictures += 1
                for viewer in list(self._viewers):
                    viewer(shot)
            self._number += 1
            due = max(due + float(interval), loop.time() - 1)
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _next(self, encoder: Encoder) -> list[Picture]:
        kept = self._kept
        repeat = 0 if encoder.b_frames else round(self.look.repeat * self.look.fps)
        key, self._key = self._key, False
        if repeat and len(kept) >= repeat:
            if key:
                self._at = next((at for at in range(self._at, len(kept)) if kept[at].key), 0)
            picture = replace(kept[self._at], pts=encoder.number, dts=encoder.number)
            self._at = (self._at + 1) % len(kept)
            encoder.number += 1
            return [picture]
        pictures = encoder.encode(self._draw(datetime.now(BEIJING)), key=key)
        if repeat:
            kept += pictures
        return pictures

    def _draw(self, now: datetime) -> av.VideoFrame:
        look = self.look
        if self._scene is None:
            self._scene = (Panorama if look.movable else Scene)(look.width, look.height, look.name)
        if isinstance(self._scene, Panorama):
            return self._scene.draw(now, self._view() if self._view else View())
        return self._scene.draw(now)


class Studio:
    """The films of a process. ``close`` ends them all."""

    def __init__(self) -> None:
        self._films: dict[tuple[Look, str], Film] = {}
        self.tasks = Tasks("films")

    def film(self, look: Look, camera: str = "", view: Callable[[], View] | None = None) -> Film:
        """``camera`` tells apart those that look alike and do not move alike."""
        return self._films.setdefault((look, camera), Film(look, view))

    async def close(self) -> None:
        await self.tasks.close()
        self._films.clear()
