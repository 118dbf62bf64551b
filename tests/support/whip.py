"""aiortc as an encoder (WHIP) and a player (WHEP): real ICE, DTLS and codecs that nobody here wrote."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import aiohttp
import numpy
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame, VideoFrame

SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"


class Picture(VideoStreamTrack):
    """A grey of one value, a few pictures a second."""

    def __init__(self, value: int = 120) -> None:
        super().__init__()
        self.value = value

    async def recv(self) -> VideoFrame:
        pts, base = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(numpy.full((180, 320, 3), self.value, dtype=numpy.uint8), format="rgb24")
        frame.pts, frame.time_base = pts, base
        return frame


class Tone(AudioStreamTrack):
    """A sine of ``hertz``."""

    def __init__(self, hertz: float = 600.0) -> None:
        super().__init__()
        self.hertz, self._at, self._start = hertz, 0, 0.0

    async def recv(self) -> AudioFrame:
        if not self._start:
            self._start = time.monotonic()
        await asyncio.sleep(max(0.0, self._start + self._at / 48_000 - time.monotonic()))
        wave = numpy.sin(2 * numpy.pi * self.hertz * (numpy.arange(960) + self._at) / 48_000) * 8000
        frame = AudioFrame.from_ndarray(wave.astype(numpy.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._at, fractions.Fraction(1, 48_000)
        self._at += 960
        return frame


class Way:
    """One session. ``pictures`` are ``(monotonic time, mean grey)``, ``sounds`` the times of what is audible."""

    def __init__(self, base: str, path: str, token: str) -> None:
        self.base, self.path, self.token = base, path, token
        self.connection = RTCPeerConnection()
        self.pictures: list[tuple[float, float]] = []
        self.sounds: list[float] = []
        self.status, self.where, self.etag, self.links = 0, "", "", [""]
        self._http: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._watch)

    def send(self, *tracks: MediaStreamTrack) -> Way:
        for track in tracks:
            self.connection.addTransceiver(track, direction="sendonly")
        return self

    def receive(self, *kinds: str) -> Way:
        for kind in kinds:
            self.connection.addTransceiver(kind, direction="recvonly")
        return self

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"})
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = self.connection.localDescription.sdp
        async with self._http.post(urljoin(self.base, self.path), data=offer, headers={"Content-Type": SDP}) as answer:
            self.status, text = answer.status, await answer.text()
            assert self.status == 201, text
            self.where, self.etag = urljoin(str(answer.url), answer.headers["Location"]), answer.headers["ETag"]
            self.links = answer.headers.getall("Link", [])
        await self.connection.setRemoteDescription(RTCSessionDescription(text, "answer"))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._http is not None
        for task in self._tasks:
            task.cancel()
        await self.connection.close()
        if self.where:
            with contextlib.suppress(aiohttp.ClientError):
                await self.call("DELETE")
        await self._http.close()

    async def call(self, method: str, body: str = "", **headers: str) -> tuple[int, str]:
        """To the session's resource."""
        assert self._http is not None
        if body:
            headers["Content-Type"] = FRAGMENT
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._http.request(method, self.where, data=body or None, headers=named) as answer:
            return answer.status, await answer.text()

    def _watch(self, track: Any) -> None:
        self._tasks.append(asyncio.ensure_future(self._see(track) if track.kind == "video" else self._hear(track)))

    async def _see(self, track: Any) -> None:
        with contextlib.suppress(Exception):
            while True:
                frame = await track.recv()
                self.pictures.append((time.monotonic(), float(frame.to_ndarray(format="gray").mean())))

    async def _hear(self, track: Any) -> None:
        with contextlib.suppress(Exception):
            while True:
                frame = await track.recv()
                if numpy.abs(frame.to_ndarray()).max() > 300:
                    self.sounds.append(time.monotonic())

    async def sees(self, *, after: float = 0.0, count: int = 5, within: float = 20) -> float:
        """When the ``count``-th picture after ``after`` came."""
        return await self._count(lambda: [at for at, _ in self.pictures if at > after], count, within)

    async def hears(self, *, after: float = 0.0, count: int = 10, within: float = 20) -> float:
        return await self._count(lambda: [at for at in self.sounds if at > after], count, within)

    async def _count(self, times: Any, count: int, within: float) -> float:
        end = time.monotonic() + within
        while time.monotonic() < end:
            found: list[float] = times()
            if len(found) >= count:
                return found[count - 1]
            await asyncio.sleep(0.05)
        raise AssertionError(f"{len(times())} of {count}; connection {self.connection.connectionState}")
