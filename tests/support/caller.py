"""A person with the PyPI livekit SDK: publishes a moving picture and a tone, counts what arrives from whom."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from types import TracebackType
from typing import Any, Self

import numpy
from livekit import rtc

# Seconds without pictures until streams are opened again, and what the SDK decoded is asked: livekit 1.2's streams may stay
# silent after joins in a row, however often they are opened, while its statistics count every picture.
SILENT = 3.0


class Caller:
    """``async with Caller(url, token)``: in the room, publishing. Times are ``time.monotonic``."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        video: bool = True,
        audio: bool = True,
        single: bool = True,
        codec: rtc.VideoCodec.ValueType = rtc.VideoCodec.VP8,
        simulcast: bool = False,
    ) -> None:
        self.url, self.token, self.video, self.audio, self.codec = url, token, video, audio, codec
        self.room = rtc.Room()
        self.options = rtc.RoomOptions(auto_subscribe=True, single_peer_connection=single)
        self.frames: dict[str, list[float]] = defaultdict(list)  # identity → when each picture came
        self.simulcast = simulcast
        self.width, self.height = (960, 540) if simulcast else (640, 360)  # of less, the SDK sends one size only
        self.widths: dict[str, int] = {}  # identity → of the last picture
        self.sounds: dict[str, list[float]] = defaultdict(list)
        self.painted: list[float] = []  # when each picture of ours was made
        self.events: list[tuple[float, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: dict[tuple[str, Any], asyncio.Task[None]] = {}  # identity and kind → who reads the newest stream

    async def __aenter__(self) -> Self:
        self.room.on("track_subscribed", self._subscribed)
        self.room.on("reconnected", self._look_again)
        for name in ("reconnecting", "reconnected", "disconnected"):
            self.room.on(name, lambda *_, name=name: self.events.append((time.monotonic(), name)))
        await asyncio.wait_for(self.room.connect(self.url, self.token, self.options), 20)
        if self.video:
            source = rtc.VideoSource(self.width, self.height)
            track = rtc.LocalVideoTrack.create_video_track("camera", source)
            options = rtc.TrackPublishOptions(
                source=rtc.TrackSource.SOURCE_CAMERA, simulcast=self.simulcast, video_codec=self.codec
            )
            await self.room.local_participant.publish_track(track, options)
            self._spawn(self._paint(source))
        if self.audio:
            sound = rtc.AudioSource(48000, 1)
            voice = rtc.LocalAudioTrack.create_audio_track("microphone", sound)
            await self.room.local_participant.publish_track(
                voice, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            )
            self._spawn(self._speak(sound))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.room.disconnect(), 5)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        return task

    async def _paint(self, source: rtc.VideoSource) -> None:
        picture = numpy.zeros((self.height, self.width, 4), dtype=numpy.uint8)
        number = 0
        while True:
            picture[:] = 40
            picture[:, (number * 8) % 600 : (number * 8) % 600 + 40] = (200, 120, 40, 255)
            source.capture_frame(rtc.VideoFrame(self.width, self.height, rtc.VideoBufferType.RGBA, picture.tobytes()))
            self.painted.append(time.monotonic())
            number += 1
            await asyncio.sleep(1 / 15)

    async def _speak(self, source: rtc.AudioSource) -> None:
        tone = (numpy.sin(numpy.arange(480) * 2 * numpy.pi * 400 / 48000) * 9000).astype(numpy.int16).tobytes()
        while True:
            await source.capture_frame(rtc.AudioFrame(tone, 48000, 1, 480))

    def _subscribed(self, track: Any, publication: Any, participant: Any) -> None:
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            work = self._watch(rtc.VideoStream(track), self.frames[participant.identity], participant.identity)
        else:
            work = self._watch(rtc.AudioStream(track), self.sounds[participant.identity])
        before = self._watching.pop((participant.identity, track.kind), None)
        if before is not None:
            before.cancel()
        self._watching[participant.identity, track.kind] = self._spawn(work)

    def _look_again(self) -> None:
        """When the SDK had to join twice to be back, a stream that was opened between the two stays silent though its track is
        decoded (livekit 1.2: ``track_subscribed`` comes once): whoever shows pictures opens it again."""
        for participant in self.room.remote_participants.values():
            for publication in participant.track_publications.values():
                if publication.track is not None:
                    self._subscribed(publication.track, publication, participant)

    async def _watch(self, stream: Any, times: list[float], pictures_of: str = "") -> None:
        async for event in stream:
            times.append(time.monotonic())
            if pictures_of:
                self.widths[pictures_of] = event.frame.width

    async def _decoded(self, identity: str) -> int:
        """Pictures of somebody that the SDK has decoded, whether its streams hand them out or not."""
        person = self.room.remote_participants.get(identity)
        tracks = [one.track for one in person.track_publications.values()] if person is not None else []
        reports = [await asyncio.wait_for(track.get_stats(), 5) for track in tracks if isinstance(track, rtc.RemoteVideoTrack)]
        return sum(one.inbound_rtp.inbound.frames_decoded for report in reports for one in report if one.HasField("inbound_rtp"))

    async def sees(self, identity: str, *, after: float = 0.0, count: int = 5, within: float = 20) -> float:
        """When the ``count``-th picture of this participant after ``after`` came. AssertionError when it does not in time."""
        until = time.monotonic() + within
        look = time.monotonic() + SILENT
        decoded: int | None = None
        while (now := time.monotonic()) < until:
            if now > look:
                look = now + SILENT
                self._look_again()
                before, decoded = decoded, await self._decoded(identity)
                if before is not None and now > after and decoded - before >= count:
                    return now
            times = [at for at in self.frames[identity] if at > after]
            if len(times) >= count:
                return times[count - 1]
            await asyncio.sleep(0.05)
        raise AssertionError(f"no pictures of {identity}: {len(self.frames[identity])} in all, {self.events}")


def longest_gap(times: list[float], since: float, until: float) -> float:
    """The longest time without anything between two moments, seconds."""
    marks = [since, *(at for at in times if since < at < until), until]
    return max(later - earlier for earlier, later in itertools.pairwise(marks))
