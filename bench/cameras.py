"""What cameras cost: many RTSP streams through the bridge into rooms of one media worker, each with a viewer, over loopback.

    python bench/cameras.py --cameras 50 --megabits 2 --seconds 20

Processes of their own: cameras (RTSP over TCP, 25 pictures a second, a key frame every 2 s), the bridge, the media worker,
viewers (a socket each, of ``bench/forward.py``). CPU time of bridge and worker counts. On a machine with other work a figure is
too high: compare with what ``bench/forward.py`` says at the same moment.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import forward
from bench.roles import Role
from bridges import process
from bridges.rtsp_message import Parser, Request, build_reply
from commhub.media import messages as m
from commhub.media import plane
from commhub.media.link import PacketSocket, dial
from commhub.media.worker import Worker
from commhub.wire import h264, rtp
from tests.support.h264 import parameter_sets

FPS, GROUP = 25, 50
FIRST = 100_000  # numbers of transports and routes that the engine does not use


# ---- cameras


class Cameras:
    """All of them behind one port; ``sent`` counts RTP packets."""

    def __init__(self, megabits: float) -> None:
        octets = int(megabits * 1e6 / 8 * GROUP / FPS)
        key = octets // 6
        self.key = h264.fragment(b"\x65\x88" + os.urandom(key), 1100)
        self.plain = h264.fragment(b"\x41\x9a" + os.urandom((octets - key) // (GROUP - 1)), 1100)
        self.sets = h264.aggregate(parameter_sets())
        self.sent = 0
        self._players: list[tuple[asyncio.StreamWriter, list[int]]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sets = ",".join(base64.b64encode(unit).decode() for unit in parameter_sets())
        said = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        said += f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\n"
        parser = Parser()
        while data := await reader.read(65536):
            parser.channels = set(range(4))
            for request in parser.receive(data):
                if not isinstance(request, Request):
                    continue
                fields: dict[str, object] = {"CSeq": request.get("cseq"), "Session": "1;timeout=60"}
                if request.method == "SETUP":
                    fields["Transport"] = request.get("transport")
                writer.write(build_reply(200, "OK", fields, said.encode() if request.method == "DESCRIBE" else b""))
                if request.method == "PLAY":
                    self._players.append((writer, [len(self._players) * 7, 0]))

    async def film(self) -> None:
        """Each camera has its own time within a frame's, as a street of them has."""
        began, number = time.monotonic(), 0
        while True:
            slots = max(1, len(self._players))
            for at, (writer, state) in enumerate(list(self._players)):
                wait = began + (number + at / slots) / FPS - time.monotonic()
                if wait > 0.001:
                    await asyncio.sleep(wait)
                self._picture(writer, state)
            number += 1
            await asyncio.sleep(max(0.0, began + number / FPS - time.monotonic()))

    def _picture(self, writer: asyncio.StreamWriter, state: list[int]) -> None:
        frame, sequence = state
        key = frame % GROUP == 0
        payloads = [*self.sets, *self.key] if key else self.plain
        parts = []
        for place, payload in enumerate(payloads, 1):
            mark = 0x80 if place == len(payloads) else 0
            head = rtp.HEADER.pack(0x80, mark | 96, sequence & 0xFFFF, frame * 3600 & 0xFFFFFFFF, 7)
            parts.append(b"$\0" + (12 + len(payload)).to_bytes(2, "big") + head + payload)
            sequence += 1
        writer.write(b"".join(parts))
        self.sent += len(payloads)
        state[:] = frame + 1, sequence


async def cameras(setup: dict[str, Any]) -> None:
    street = Cameras(setup["megabits"])
    server = await asyncio.start_server(street.serve, "127.0.0.1", 0)
    film = asyncio.ensure_future(street.film())

    def stop() -> int:
        film.cancel()
        return street.sent

    await _answering(server.sockets[0].getsockname()[1], stop)
    server.close()


# ---- the measured ones


async def bridge(setup: dict[str, Any]) -> None:
    running = asyncio.ensure_future(process.run(Path(setup["folder"]), "bridge-rtsp", [f"127.0.0.1:{setup['port']}"]))
    await _answering(0, lambda: [time.process_time(), PacketSocket.all_dropped])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def worker(setup: dict[str, Any]) -> None:
    """A worker with a room for each camera, and a route out of it."""
    made = Worker(Path(setup["folder"]), 0, [plane.Address("127.0.0.1", "127.0.0.1")], 0)
    await made.start()
    engine = made.engine
    for number, viewer in enumerate(setup["viewers"]):
        room, track = f"r{number}", f"TR_{number}"
        engine.command(m.OpenRoom(room))
        engine.command(m.AddPeer(room, "PA", "camera", kind="bridge"))
        engine.command(m.AttachSource(room, "PA", f"cam{number}"))
        engine.command(m.Announce(room, "PA", track, "video", "camera"))
        transport = FIRST + number
        engine.plane.add_transport(transport)
        engine.plane.set_path(transport, plane.Path(0, "127.0.0.1", viewer))
        engine.plane.set_keys(transport, forward.GCM, forward.KEY, forward.KEY)
    watching = asyncio.ensure_future(_watch(engine, len(setup["viewers"])))
    await _answering(made.announced[0][1], lambda: [time.process_time(), engine.plane.statistics()["packets_out"]])
    watching.cancel()
    await made.close()


async def _watch(engine: Any, count: int) -> None:
    waiting = set(range(count))
    while waiting:
        for number in list(waiting):
            encodings = engine.rooms[f"r{number}"].tracks[f"TR_{number}"].encodings
            if encodings:
                waiting.discard(number)
                ssrc = forward.OUT_SSRC + 2 * number
                spec = plane.RouteSpec(encodings[0].receiver, FIRST + number, ssrc, 96, "1", forward.EXTENSIONS)
                engine.plane.add_route(FIRST + number, spec)
        await asyncio.sleep(0.1)


async def _answering(first: float, value: Any) -> None:
    """Say ``first``, then the value each time a line comes in; end with the input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(first, flush=True)
    while await reader.readline():
        print(json.dumps(value()), flush=True)


# ---- the measurement


async def measure(count: int, megabits: float, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="cameras-") as folder, contextlib.ExitStack() as children:

        def begin(role: str, setup: dict[str, Any], script: str = __file__) -> Role:
            return children.enter_context(Role(role, setup, script, quiet=True))

        viewers = begin("sink", {"count": count}, forward.__file__)
        street = begin("cameras", {"megabits": megabits})
        ports, port = viewers.read(), street.read()
        serving = begin("worker", {"folder": folder, "viewers": ports})
        viewers.tell(str(serving.read()))
        pulling = begin("bridge", {"folder": folder, "port": port})
        pulling.read()
        link, _ = await dial(Path(folder), "bridge-rtsp", lambda link, message: None)
        await link.ask(m.Hello(role="hub", name="hub", epoch=1))
        for number in range(count):
            link.tell(m.Pull(source=f"cam{number}", url=f"rtsp://127.0.0.1:{port}/{number}", workers=["media-0"]))
        await asyncio.sleep(6)
        before = [one.ask() for one in (pulling, serving)]
        began = time.monotonic()
        await asyncio.sleep(seconds)
        after = [one.ask() for one in (pulling, serving)]
        passed = time.monotonic() - began
        costs = [(later[0] - earlier[0]) / passed * 100 for later, earlier in zip(after, before, strict=True)]
        street.ask()  # they stop: what is still on its way arrives
        await asyncio.sleep(2)
        bridged, served, got = [one.ask() for one in (pulling, serving, viewers)]
        link.close()
        return {
            "cameras": count,
            "megabits": megabits,
            "sent": served[1],
            "received": got["received"],
            "batches_dropped": bridged[1],
            "bridge_percent": round(costs[0], 1),
            "worker_percent": round(costs[1], 1),
            "percent_per_camera": round(sum(costs) / count, 3),
            "load": round(os.getloadavg()[0], 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=50)
    parser.add_argument("--megabits", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--role", choices=("cameras", "bridge", "worker"), help=argparse.SUPPRESS)
    parser.add_argument("--setup", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        asyncio.run({"cameras": cameras, "bridge": bridge, "worker": worker}[options.role](options.setup))
        return
    result = asyncio.run(measure(options.cameras, options.megabits, options.seconds))
    print(json.dumps(result))
    gap = result["sent"] - result["received"]
    print(f"{options.cameras} cameras of {options.megabits} Mbit/s: {result['percent_per_camera']} % of a core each "
          f"(bridge {result['bridge_percent']} %, worker {result['worker_percent']} % together), "
          f"{result['batches_dropped']} batches dropped on the link, {gap} of {result['sent']} packets did not reach a viewer, "
          f"load {result['load']}")  # fmt: skip


if __name__ == "__main__":
    main()
