"""CPU time of bringing GB/T 28181 cameras into rooms: a program stream of 2 Mbit/s each, 25 pictures a second, from a device over
UDP or TCP, through the bridge and a media worker.

    python -m bench.ingest [--streams 50] [--seconds 20] [--way udp] [--sound]

Prints which part of a core a stream costs, over both processes, and what was lost. The device runs in a process of its own, which
is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bench import ps
from commhub.media import messages as m
from commhub.media.link import dial
from tests.support import free_port, until
from tests.support.gb_device import Device, Platform, Script

TICKS = os.sysconf("SC_CLK_TCK")
CHANNEL = "340200000013100{:05d}"


class Sender(Device):
    """The pictures of :mod:`bench.ps`, one stream a little later than the other."""

    def __init__(self, ways: tuple[str, ...], sound: str | None) -> None:
        super().__init__(Script(takes=ways, status=488, sound=sound, rate=ps.PICTURES))
        self._film = [(data, number, number % 50 == 0) for number, data in enumerate(ps.pictures(4))]

    def _pictures(self, request: object) -> list[tuple[bytes, int, bool]]:
        turn = 50 * (len(self.invites) % 2)
        return self._film[turn:] + self._film[:turn]


def device(port: Connection, way: str, sound: str | None) -> None:
    async def run() -> None:
        async with Sender((way,), sound) as sender:
            port.send(sender.port)
            await asyncio.to_thread(port.recv)

    asyncio.run(run())


def bridge(folder: Path, port: Connection, sip: int, streams: int, way: str) -> None:
    """The calls as the bridge has them, with a device that is known from the beginning. Tells what was lost in the end."""

    async def run() -> None:
        async with Platform(folder) as platform, Device() as place:
            await place.stop()
            place.port = sip
            platform.ways["34020000001320000001"] = way
            platform.knows(place)
            for number in range(streams):
                platform.pull("media-0", source=f"cam{number}", channel=CHANNEL.format(number))
                await asyncio.sleep(0.02)
            port.send(os.getpid())
            while True:
                if (await asyncio.to_thread(port.recv)) == "end":
                    return
                plays = [play for channel in platform.calls._channels.values() for play in channel.plays]
                live = sum(one.state == "live" for one in platform.calls.states())
                gaps = sum(play.picture.demuxer.counts.gaps for play in plays)
                port.send((live, gaps, sum(play.picture.pictures for play in plays), time.monotonic()))

    asyncio.run(run())


def worker(folder: Path, media: int) -> None:
    from commhub import children
    from commhub.settings import load

    os.environ["COMMHUB_DATA_DIR"] = str(folder.parent)
    os.environ |= {"COMMHUB_MEDIA__PORT": str(media), "COMMHUB_MEDIA__ADDRESS": "127.0.0.1"}
    asyncio.run(children.media(load().settings, 0))


def cpu(pid: int) -> float:
    """Seconds of user and system time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def rooms(folder: Path, streams: int) -> None:
    """A room for each ten cameras, as if people looked at them; stays linked."""
    link, _ = await dial(folder, "media-0", lambda *_: None)
    await link.ask(m.Hello(role="hub", name="hub", epoch=1))
    for number in range(streams):
        room, peer = f"r{number // 10}", f"PA_{number}"
        if number % 10 == 0:
            await link.ask(m.OpenRoom(room))
        await link.ask(m.AddPeer(room, peer, f"camera{number}", kind="bridge"))
        await link.ask(m.AttachSource(room, peer, f"cam{number}"))
        await link.ask(m.Announce(room, peer, f"TR_{number}", "video", "camera"))


@dataclass(frozen=True, slots=True)
class Measured:
    """``core`` is the part of a core for a stream of 25 pictures a second, by process. The pictures that came are counted: on a
    busy machine they come in fits and starts."""

    core: dict[str, float]
    live: int
    gaps: int
    pictures: float

    @property
    def total(self) -> float:
        return sum(self.core.values())


async def measure(streams: int, seconds: int, way: str, sound: str | None) -> Measured:
    base = Path(tempfile.mkdtemp(prefix="ingest"))
    folder = base / "run"
    folder.mkdir()
    spawn = multiprocessing.get_context("spawn")
    (to_device, device_end), (to_bridge, bridge_end) = spawn.Pipe(), spawn.Pipe()
    media = spawn.Process(target=worker, args=(folder, free_port()), daemon=True)
    sender = spawn.Process(target=device, args=(device_end, way, sound), daemon=True)
    media.start()
    sender.start()
    sip = await asyncio.to_thread(to_device.recv)
    await until((folder / "media-0.pkt").exists)
    await rooms(folder, streams)
    calls = spawn.Process(target=bridge, args=(folder, bridge_end, sip, streams, way), daemon=True)
    calls.start()
    try:
        await asyncio.to_thread(to_bridge.recv)
        assert calls.pid is not None
        assert media.pid is not None
        for _ in range(30):
            await asyncio.sleep(1)
            to_bridge.send("state")
            live, gaps, pictures, began = await asyncio.to_thread(to_bridge.recv)
            if live == streams:
                break
        await asyncio.sleep(2)
        to_bridge.send("state")
        live, gaps, pictures, began = await asyncio.to_thread(to_bridge.recv)
        before = (cpu(calls.pid), cpu(media.pid))
        await asyncio.sleep(seconds)
        to_bridge.send("state")
        live, lost, shown, ended = await asyncio.to_thread(to_bridge.recv)
        used = [cpu(pid) - was for pid, was in zip((calls.pid, media.pid), before, strict=True)]
        passed = ended - began
        core = {name: one / (shown - pictures) * ps.PICTURES for name, one in zip(("bridge", "worker"), used, strict=True)}
        return Measured(core, live, lost - gaps, (shown - pictures) / passed / streams)
    finally:
        to_bridge.send("end")
        to_device.send("end")
        for process in (calls, sender):
            process.join(5)
        media.terminate()
        media.join(5)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--streams", type=int, default=50)
    arguments.add_argument("--seconds", type=int, default=20)
    arguments.add_argument("--way", default="udp")
    arguments.add_argument("--sound", action="store_true", help="G.711 beside each, which becomes Opus")
    said = arguments.parse_args()
    got = asyncio.run(measure(said.streams, said.seconds, said.way, "pcma" if said.sound else None))
    parts = ", ".join(f"{name} {one:.3%}" for name, one in got.core.items())
    print(f"{got.total:.3%} of a core for a stream of {ps.RATE / 1e6:.0f} Mbit/s over {said.way} ({parts})")
    print(f"{got.live} of {said.streams} live, {got.gaps} gaps, {got.pictures:.2f} pictures a second each")


if __name__ == "__main__":
    main()
