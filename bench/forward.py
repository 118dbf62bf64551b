"""What a forwarded packet costs: one publisher, many subscribers, real SRTP over real loopback sockets.

    python bench/forward.py --subscribers 20 50 100 --seconds 6 --shape burst

One process forwards (its CPU time is what counts), another one receives, decrypts every 32nd packet and checks it, this
one sends 150 video packets of 1200 octets and 50 audio packets of 120 a second. The yardstick in the same run is
``plain``: the usual asyncio way, a DatagramProtocol with aiortc's packet classes and libsrtp; it does nothing but copy.
In the ``spread`` shape both pay mostly for the kernel. Loss above 0.1 % makes a figure void.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import selectors
import socket
import sys
import time
from typing import Any

import aiortc.rtp
import pylibsrtp

from bench.roles import Role
from commhub.media import plane
from commhub.media.forward import Forwarder
from commhub.media.srtp import Inbound, Outbound
from commhub.wire import rtcp, rtp, stun

GCM = "SRTP_AEAD_AES_128_GCM"
LIBSRTP_GCM = pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM
VIDEO_SSRC, AUDIO_SSRC, OUT_SSRC = 0x1001, 0x1002, 0x20000
EXTENSIONS = {plane.MID: 1, plane.ABS_SEND_TIME: 2, plane.AUDIO_LEVEL: 3}
FPS, PACKETS = 30, 5
CHECK = 32
KEY = bytes(range(200, 228))


class Answering:
    """The control side's only duty here: connectivity checks are answered."""

    def __init__(self) -> None:
        self.forwarder: Forwarder | None = None

    def stun(self, path: plane.Path, data: bytes) -> None:
        message = stun.parse(data)
        if self.forwarder is not None and stun.check_integrity(data, message, KEY):
            self.forwarder.send(path, stun.binding_success(message.transaction_id, path.host, path.port, KEY))

    def nothing(self, *_: Any) -> None:
        """Not of interest here."""

    dtls = first_packet = bandwidth = path_silent = audio_levels = key_frame_wanted = connection_closed = sender_report = nothing


async def forward(setup: dict[str, Any]) -> None:
    """The measured process with the data plane."""
    events = Answering()
    forwarder = Forwarder(events)
    events.forwarder = forwarder
    port = forwarder.open([plane.Address("127.0.0.1", "127.0.0.1")], 0)[0][1]
    forwarder.add_transport(1)
    forwarder.set_path(1, plane.Path(0, "127.0.0.1", setup["publisher"]))
    forwarder.set_keys(1, GCM, KEY, KEY)
    video = plane.ReceiverSpec(1, "video", 90000, {96: "video/H264"}, ssrcs={VIDEO_SSRC: 0}, extensions=EXTENSIONS)
    audio = plane.ReceiverSpec(1, "audio", 48000, {111: "audio/opus"}, ssrcs={AUDIO_SSRC: 0}, extensions=EXTENSIONS, nack=False)
    forwarder.add_receiver(1, video)
    forwarder.add_receiver(2, audio)
    for number, subscriber in enumerate(setup["subscribers"]):
        transport = 10 + number
        forwarder.add_transport(transport)
        forwarder.set_path(transport, plane.Path(0, "127.0.0.1", subscriber))
        forwarder.set_keys(transport, GCM, KEY, KEY)
        for receiver, payload_type in ((1, 96), (2, 111)):
            ssrc = OUT_SSRC + 2 * number + receiver - 1
            route = plane.RouteSpec(receiver, transport, ssrc, payload_type, str(receiver), EXTENSIONS)
            forwarder.add_route(2 * transport + receiver, route)
    await _measured(port)
    forwarder.close()


class Plain(asyncio.DatagramProtocol):
    """The yardstick: a protocol object, packet objects, libsrtp."""

    def __init__(self, setup: dict[str, Any]) -> None:
        kinds = pylibsrtp.Policy
        self.inbound = pylibsrtp.Session(kinds(key=KEY, ssrc_type=kinds.SSRC_ANY_INBOUND, srtp_profile=LIBSRTP_GCM))
        self.subscribers = [
            (
                ("127.0.0.1", port),
                pylibsrtp.Session(kinds(key=KEY, ssrc_type=kinds.SSRC_ANY_OUTBOUND, srtp_profile=LIBSRTP_GCM)),
                OUT_SSRC + 2 * number,
            )
            for number, port in enumerate(setup["subscribers"])
        ]
        self.publisher = setup["publisher"]

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr[1] != self.publisher or not 127 < data[0] < 192 or 192 <= data[1] <= 223:
            return
        packet = aiortc.rtp.RtpPacket.parse(self.inbound.unprotect(data))
        offset = packet.ssrc - VIDEO_SSRC
        for address, session, ssrc in self.subscribers:
            packet.ssrc = ssrc + offset
            self.transport.sendto(session.protect(packet.serialize()), address)


async def plain(setup: dict[str, Any]) -> None:
    """The measured process with the yardstick."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Plain(setup), local_addr=("127.0.0.1", 0))
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    await _measured(transport.get_extra_info("sockname")[1])
    transport.close()


async def _measured(port: int) -> None:
    """Say the port, then the CPU time used so far each time a line comes in; end with the input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(port, flush=True)
    while await reader.readline():
        print(time.process_time(), flush=True)


def sink(setup: dict[str, Any]) -> None:
    """The receiving process: counts, checks, and answers as browsers do (a report a second, a check every 2.5 s)."""
    selector = selectors.DefaultSelector()
    sockets = []
    for number in range(setup["count"]):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ, number)
        sockets.append(sock)
    selector.register(sys.stdin, selectors.EVENT_READ, -1)
    print(json.dumps([sock.getsockname()[1] for sock in sockets]), flush=True)
    target = ("127.0.0.1", int(sys.stdin.readline()))
    outbound = [Outbound(GCM, KEY) for _ in sockets]
    inbound = Inbound(GCM, KEY)
    received = checked = bad = 0
    highest: dict[int, int] = {}
    buffer = memoryview(bytearray(2048))
    started, turn = time.monotonic(), 0
    while True:
        for key, _ in selector.select(0.01):
            if key.data < 0:
                if not sys.stdin.readline():
                    return
                print(json.dumps({"received": received, "checked": checked, "bad": bad}), flush=True)
                continue
            sock = sockets[key.data]
            while True:
                try:
                    size = sock.recv_into(buffer)
                except BlockingIOError:
                    break
                if not 127 < buffer[0] < 192 or 192 <= buffer[1] <= 223:
                    continue
                received += 1
                sequence, ssrc = buffer[2] << 8 | buffer[3], int.from_bytes(buffer[8:12], "big")
                before = highest.get(ssrc, sequence)
                delta = (sequence - before & 0xFFFF ^ 0x8000) - 0x8000
                index = highest[ssrc] = before + delta
                if received % CHECK == 0:
                    checked += 1
                    try:
                        header = rtp.header_size(buffer, size)
                        payload = inbound.unprotect(buffer[:size], header, ssrc, index)
                        bad += payload[-8:] != b"the end!"
                    except ValueError:
                        bad += 1
        due = int((time.monotonic() - started) * setup["count"])
        for number in range(turn, due):
            sock = sockets[number % setup["count"]]
            report = rtcp.Report(OUT_SSRC + 2 * (number % setup["count"]), 0, 0, 0, 0, 0, 0)
            try:
                sock.sendto(outbound[number % setup["count"]].protect_rtcp(rtcp.build_receiver_report(1, [report])), target)
                if number % 5 < 2:
                    sock.sendto(stun.binding_request(os.urandom(12), "a:b", KEY), target)
            except OSError:
                bad += 1
        turn = max(turn, due)


class Publisher:
    """Sends on time, in this process."""

    def __init__(self, shape: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.outbound = Outbound(GCM, KEY)
        self.numbers = {VIDEO_SSRC: 100, AUDIO_SSRC: 200}
        self.sent = 0
        self.shape = shape

    def _send(self, target: tuple[str, int], ssrc: int, mark: int, timestamp: int, payload: bytes, level: bytes = b"") -> None:
        sequence = self.numbers[ssrc]
        self.numbers[ssrc] = sequence + 1
        block = rtp.pack_extensions([(1, b"v")] + ([(3, level)] if level else []))
        header = rtp.HEADER.pack(0x90, mark, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + block
        self.socket.sendto(self.outbound.protect(header, payload, ssrc, sequence), target)
        self.sent += 1

    def run(self, target: tuple[str, int], seconds: float) -> None:
        """``burst``: the packets of a frame back to back; ``spread``: over half the frame's time, as browsers pace."""
        video = {
            key: b"\x67" + os.urandom(1191) + b"the end!" if key else b"\x61" + os.urandom(1191) + b"the end!" for key in (0, 1)
        }
        sound = os.urandom(112) + b"the end!"
        start = time.monotonic()
        slots: list[tuple[float, int]] = []
        gap = 0.5 / FPS / PACKETS if self.shape == "spread" else 0.0
        for frame in range(int(seconds * FPS)):
            slots += [(frame / FPS + number * gap, frame * PACKETS + number) for number in range(PACKETS)]
        slots += [(number / 50 + 0.003, -1 - number) for number in range(int(seconds * 50))]
        for when, number in sorted(slots):
            wait = start + when - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            if number < 0:
                self._send(target, AUDIO_SSRC, 111, 960 * -number, sound, b"\x9e")
            else:
                frame, place = divmod(number, PACKETS)
                last = 0x80 if place == PACKETS - 1 else 0
                self._send(target, VIDEO_SSRC, last | 96, 3000 * frame, video[frame % 60 == 0 and place == 0])


def measure(role: str, subscribers: int, seconds: float, shape: str) -> dict[str, Any]:
    """One run; figures of the forwarding process after a second of warming up."""
    with contextlib.ExitStack() as children:
        receiving = children.enter_context(Role("sink", {"count": subscribers}, __file__))
        ports = receiving.read()
        publisher = Publisher(shape)
        setup = {"subscribers": ports, "publisher": publisher.socket.getsockname()[1]}
        forwarding = children.enter_context(Role(role, setup, __file__))
        target = ("127.0.0.1", int(forwarding.read()))
        receiving.tell(str(target[1]))
        publisher.run(target, 1.0)
        time.sleep(0.2)
        cpu, before, sent = forwarding.ask(), receiving.ask(), publisher.sent
        publisher.run(target, seconds)
        time.sleep(0.2)
        cpu, after = forwarding.ask() - cpu, receiving.ask()
        expected = (publisher.sent - sent) * subscribers
        arrived = after["received"] - before["received"]
        return {
            "role": role,
            "shape": f"1x{subscribers} {shape}",
            "packets": arrived,
            "loss": max(0.0, 1 - arrived / expected),
            "bad": after["bad"],
            "checked": after["checked"],
            "cpu_seconds": round(cpu, 3),
            "us_per_packet": round(cpu / max(1, arrived) * 1e6, 2),
            "packets_per_cpu_second": int(arrived / cpu),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, nargs="+", default=[20, 50, 100])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--shape", choices=("burst", "spread"), nargs="+", default=["burst"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--no-peer", action="store_true", help="without the yardstick")
    parser.add_argument("--role", choices=("forward", "plain", "sink"), help=argparse.SUPPRESS)
    parser.add_argument("--setup", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role == "sink":
        sink(arguments.setup)
        return 0
    if arguments.role:
        asyncio.run((forward if arguments.role == "forward" else plain)(arguments.setup))
        return 0
    failed = False
    for shape in arguments.shape:
        for subscribers in arguments.subscribers:
            best: dict[str, dict[str, Any]] = {}
            for _ in range(arguments.rounds):
                for role in ("forward",) if arguments.no_peer else ("forward", "plain"):
                    result = measure(role, subscribers, arguments.seconds, shape)
                    print(json.dumps(result), flush=True)
                    if role not in best or result["us_per_packet"] < best[role]["us_per_packet"]:
                        best[role] = result
            ours = best["forward"]
            failed |= bool(ours["bad"]) or ours["loss"] > 0.001
            rate, cost = ours["packets_per_cpu_second"], ours["us_per_packet"]
            line = f"{ours['shape']}: {rate} forwarded packets per CPU-second ({cost} us each)"
            if "plain" in best:
                line += f", {best['plain']['us_per_packet'] / cost:.1f} times the plain asyncio way"
            print(f"{line}, loss {ours['loss']:.2%}, load {os.getloadavg()[0]:.1f}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
