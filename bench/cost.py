"""Forwarded packets per CPU-second of all processes: one publisher, N subscribers, as its users run it.

    python -m bench.cost [--subscribers 20] [--seconds 8] [--rounds 3] [--livekit PATH]

With ``--livekit`` (a ``livekit-server`` binary, also LIVEKIT_SERVER) the same load goes to LiveKit in the same run, the
rounds interleaved, and the ratio of the medians is printed. The publisher is the PyPI livekit SDK (VP8 640x360 and a tone),
the subscribers are :mod:`bench.subscriber`; only the server's processes are counted. A round with a failed join or more
than 0.1 % loss does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import numpy
from livekit import api, rtc

from bench.subscriber import Subscriber
from tests.support import free_port
from tests.support.installation import SECRET, Installation

KEY = "APItest"
TICKS = os.sysconf("SC_CLK_TCK")


class Server(Protocol):
    name: str
    url: str

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def pids(self) -> list[int]: ...


class CommHub:
    name = "commhub"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bench"))
        self.hub = Installation(self.folder)
        self.url = self.hub.base.replace("http", "ws")

    async def start(self) -> None:
        await self.hub.__aenter__()
        await self.hub.stop_camera()

    async def stop(self) -> None:
        await self.hub.__aexit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self) -> list[int]:
        return list(self.hub.pids().values())


class LiveKit:
    name = "livekit"

    def __init__(self, binary: str) -> None:
        self.binary, self.port, self.udp = binary, free_port(), free_port()
        self.url = f"ws://127.0.0.1:{self.port}"

    async def start(self) -> None:
        settings = {
            "port": self.port,
            "bind_addresses": ["127.0.0.1"],
            "rtc": {"udp_port": self.udp, "tcp_port": free_port(), "use_ice_lite": True, "node_ip": "127.0.0.1",
                    "enable_loopback_candidate": True, "use_external_ip": False, "ips": {"includes": ["127.0.0.1/32"]}},
            "keys": {KEY: SECRET},
            "logging": {"level": "error"},
        }  # fmt: skip
        self.process = await asyncio.create_subprocess_exec(self.binary, "--config-body", json.dumps(settings))
        for _ in range(100):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
        raise RuntimeError("LiveKit does not start")

    async def stop(self) -> None:
        self.process.kill()
        await self.process.wait()

    def pids(self) -> list[int]:
        return [self.process.pid]


def cpu_seconds(pids: list[int]) -> float:
    """User and system time so far, with children that ended."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(fields[number]) for number in (11, 12, 13, 14))
    return total / TICKS


def token(identity: str, room: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room)
    made = api.AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).with_ttl(timedelta(hours=1))
    return str(made.to_jwt())


async def publish(url: str, room: str, pipe: Connection) -> None:
    connection = rtc.Room()
    await connection.connect(url, token("publisher", room))
    video, audio = rtc.VideoSource(640, 360), rtc.AudioSource(48000, 1)
    encoding = rtc.VideoEncoding(max_framerate=30, max_bitrate=1_500_000)
    options = rtc.TrackPublishOptions(simulcast=False, video_codec=rtc.VideoCodec.VP8, video_encoding=encoding)
    await connection.local_participant.publish_track(rtc.LocalVideoTrack.create_video_track("v", video), options)
    await connection.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("a", audio))
    generator = numpy.random.default_rng(1)
    noise = generator.integers(0, 255, (8, 360, 640, 4), dtype=numpy.uint8)
    tone = (numpy.sin(numpy.arange(480) * 2 * numpy.pi * 440 / 48000) * 8000).astype(numpy.int16).tobytes()
    loop = asyncio.get_running_loop()
    pipe.send("up")
    number, start = 0, loop.time()
    while not pipe.poll():
        if number % 3 == 0:
            picture = noise[number // 3 % 8].copy()
            picture[:, : 640 // 2] = (number * 3) % 255
            video.capture_frame(rtc.VideoFrame(640, 360, rtc.VideoBufferType.RGBA, picture.tobytes()))
        await audio.capture_frame(rtc.AudioFrame(tone, 48000, 1, 480))
        number += 1
        await asyncio.sleep(max(0.0, start + number * 0.01 - loop.time()))
    await connection.disconnect()


async def subscribe(url: str, room: str, count: int, pipe: Connection) -> None:
    people = [Subscriber(url, token(f"subscriber-{number}", room)) for number in range(count)]
    for person in people:
        await person.join()
    until = asyncio.get_running_loop().time() + 15
    while any(not person.counters.packets for person in people):
        if asyncio.get_running_loop().time() > until:
            raise RuntimeError("a subscriber receives nothing")
        await asyncio.sleep(0.1)
    pipe.send("up")
    while True:
        if await _answer(pipe, within=300) == "end":
            break
        total = [person.counters for person in people]
        pipe.send({name: sum(getattr(each, name) for each in total) for name in ("packets", "octets", "lost", "checked", "bad")})
    for person in people:
        await person.close()


def _process(work: str, *arguments: object) -> None:
    asyncio.run({"publish": publish, "subscribe": subscribe}[work](*arguments))  # type: ignore[operator]


async def _answer(pipe: Connection, within: float = 60) -> object:
    until = asyncio.get_running_loop().time() + within
    while not pipe.poll():
        if asyncio.get_running_loop().time() > until:
            raise RuntimeError("a client process does not answer")
        await asyncio.sleep(0.02)
    return pipe.recv()


async def measure(server: Server, subscribers: int, seconds: float) -> dict[str, float]:
    """One round: a fresh server, its clients in two other processes."""
    context = multiprocessing.get_context("spawn")
    room = "bench"
    await server.start()
    clients: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []
    try:
        for work, more in (("publish", ()), ("subscribe", (subscribers,))):
            mine, theirs = context.Pipe()
            process = context.Process(target=_process, args=(work, server.url, room, *more, theirs), daemon=True)
            process.start()
            clients.append((process, mine))
            assert await _answer(mine) == "up"
        await asyncio.sleep(3)  # bandwidth estimates settle
        pipe = clients[1][1]
        pids = server.pids()
        pipe.send("count")
        before, used = await _answer(pipe), cpu_seconds(pids)
        await asyncio.sleep(seconds)
        pipe.send("count")
        after, used = await _answer(pipe), cpu_seconds(pids) - used
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        packets = after["packets"] - before["packets"]
        lost = after["lost"] - before["lost"]
        return {
            "packets_per_cpu_second": packets / used,
            "packets_per_second": packets / seconds,
            "mbit_per_second": (after["octets"] - before["octets"]) * 8e-6 / seconds,
            "cpu_percent": used / seconds * 100,
            "loss": lost / max(1, packets),
            "bad": after["bad"],
        }
    finally:
        for _, pipe in clients:
            try:
                pipe.send("end")
            except OSError:
                pass
        for client, _ in clients:
            client.join(5)
            if client.is_alive():
                client.kill()
        await server.stop()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--livekit", default=os.environ.get("LIVEKIT_SERVER", ""))
    options = parser.parse_args()
    results: dict[str, list[float]] = {}
    for number in range(options.rounds):
        servers: list[Server] = [CommHub()]
        if options.livekit:
            servers.append(LiveKit(options.livekit))
        for server in servers:
            figures = await measure(server, options.subscribers, options.seconds)
            counts = figures["loss"] <= 0.001 and figures["bad"] == 0
            print(
                f"round {number + 1} {server.name:8} {figures['packets_per_cpu_second']:9,.0f} packets/CPU-s "
                f"{figures['packets_per_second']:7,.0f} packets/s {figures['mbit_per_second']:6.1f} Mbit/s "
                f"{figures['cpu_percent']:5.1f} % CPU loss {figures['loss']:.4%} load {os.getloadavg()[0]:.1f}"
                + ("" if counts else "  does not count"),
                flush=True,
            )
            if counts:
                results.setdefault(server.name, []).append(figures["packets_per_cpu_second"])
    if not results.get("commhub"):
        sys.exit("no round counts")
    middle = {name: statistics.median(values) for name, values in results.items()}
    for name, value in middle.items():
        print(f"{name}: {value:,.0f} forwarded packets per CPU-second of all processes, 1 to {options.subscribers}")
    if "livekit" in middle:
        print(f"ratio commhub / livekit: {middle['commhub'] / middle['livekit']:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
