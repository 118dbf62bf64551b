"""A device of GB/T 28181 as simple as can be, and a platform that knows it without registration: for tests of calls alone. Over
loopback sockets; what it answers and sends is said by each test."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bridges.gb28181.calls import Calls, Place, Us
from bridges.gb28181.offer import ACTIVE, PASSIVE, UDP, Description, parse
from bridges.sip import message as codec
from bridges.sip.dialog import Dialog
from bridges.sip.message import Request, Response
from bridges.sip.transaction import Flow
from bridges.sip.transport import Endpoint, Told
from bridges.transcode import Transcoder
from commhub.addresses import AllowList
from commhub.media.messages import Message, Pull, SourceState
from commhub.media.messages.devices import PlayReport, Terms, WayLearned
from commhub.media.outlet import Outlets
from commhub.tasks import Tasks
from commhub.wire import ps_write, rtp
from tests.support import streams, until
from tests.support.h264 import FAST
from tests.support.h264 import stream as encoded

US = "34020000002000000001"
DEVICE = "34020000001320000001"
CHANNEL = "34020000001310000001"
ANSWERS = (UDP, PASSIVE, ACTIVE)


@dataclass
class Script:
    """``takes`` are the ways in which it really sends; others are agreed to and nothing comes, or refused with ``status``."""

    takes: tuple[str, ...] = ANSWERS
    status: int = 200  # to an INVITE whose way it does not take
    refuses: int = 0  # every INVITE
    silent: bool = False  # to an INVITE
    late: float = 0.0  # s until it answers one
    answer_host: str = "127.0.0.1"
    setup: bool = True  # whether its answer says setup and connection
    profile: str = "TCP/RTP/AVP"
    y: str = "same"  # in the answer: same, none, or a number
    ssrc: int | None = None  # in RTP; None: the offered one
    control_first: bool = False
    codec: str = "h264"  # or h265, b-frames
    said: str = ""  # in the program stream's map, where it is another one
    sound: str | None = None
    raw: bool = False  # a program stream in TCP without RTP
    sub: bool = True  # it has a second, smaller stream
    rate: int = 50  # pictures a second
    frames: int = 1 << 30  # after which it is silent
    info: int = 200  # its answer to MANSRTSP
    refuses_scale: int = 0


@functools.cache
def b_pictures() -> list[tuple[bytes, int, bool]]:
    options = FAST | {"g": "12", "bf": "2", "b_strategy": "0", "sc_threshold": "0", "flags": "+cgop"}
    return encoded("libx264", 320, 180, 24, options)


class Device:
    """``heard`` are the methods that came, in order; ``offers`` what was offered."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.heard: list[str] = []
        self.offers: list[Description] = []
        self.invites: list[Request] = []
        self.acks: list[Request] = []
        self.controls: list[str] = []
        self.key_frames = 0
        self.sending: dict[str, asyncio.Task[None]] = {}
        self.port = 0
        self._dialogs: dict[str, Dialog] = {}
        self._seen: dict[str, Response | None] = {}  # calls, and what was answered
        self._tasks = Tasks("device")
        self._transport: asyncio.DatagramTransport | None = None
        self._platform: tuple[str, int] = ("", 0)
        self._branch = 0

    async def __aenter__(self) -> Device:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Protocol(self), ("127.0.0.1", port))
        self.port = self._transport.get_extra_info("sockname")[1]

    async def stop(self) -> None:
        """As when its power goes."""
        await self._tasks.close()
        self.sending.clear()
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0.01)  # its port is free in the loop's next turn
        self._dialogs.clear()
        self._tasks = Tasks("device")

    def send(self, message: Request | Response, address: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(codec.serialize(message), address)

    def datagram(self, data: bytes, address: tuple[str, int]) -> None:
        message = codec.parse(data)
        if isinstance(message, Response):
            return
        self._platform = address
        self.heard.append(message.method)
        match message.method:
            case "INVITE":
                self._tasks.spawn(self._invited(message, address), "invite")
            case "ACK":
                self.acks.append(message)
            case "BYE":
                self.send(message.reply(200), address)
                self._stop_sending(message.call_id)
            case "CANCEL":
                self.send(message.reply(200), address)
            case "INFO":
                text = message.body.decode()
                self.controls.append(text)
                scale = "Scale:" in text and "Scale: 1.0" not in text
                status = self.script.refuses_scale if scale and self.script.refuses_scale else self.script.info
                self.send(message.reply(status), address)
            case _:
                self.send(message.reply(200), address)

    def _stop_sending(self, call_id: str) -> None:
        task = self.sending.pop(call_id, None)
        if task is not None:
            task.cancel()

    def hang_up(self, method: str = "BYE", body: bytes = b"") -> None:
        """Ends all calls by itself, or sends something else in them."""
        for call_id, dialog in list(self._dialogs.items()):
            self._branch += 1
            request = dialog.request(method, body=body, content_type="Application/MANSCDP+xml" if body else "")
            request.headers.first("Via", f"SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch=z9hG4bKd{self._branch}")
            request.headers.add("Max-Forwards", 70)
            self.send(request, self._platform)
            if method == "BYE":
                self._stop_sending(call_id)

    # ---- calls

    async def _invited(self, request: Request, address: tuple[str, int]) -> None:
        script = self.script
        if request.call_id in self._seen:  # once more, for UDP
            if (said := self._seen[request.call_id]) is not None:
                self.send(said, address)
            return
        self._seen[request.call_id] = None
        self.invites.append(request)
        offer = parse(request.body)
        self.offers.append(offer)
        if script.silent:
            return
        if script.late:
            await asyncio.sleep(script.late)
        way = UDP if not offer.tcp else PASSIVE if offer.setup == "passive" else ACTIVE
        status = script.refuses or (script.status if way not in script.takes else 200)
        if status != 200:
            self.send(request.reply(status, tag="device"), address)
            return
        listener = None
        port = 15_060
        if way == ACTIVE and way in script.takes:
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            listener.setblocking(False)
            port = listener.getsockname()[1]
        elif way == ACTIVE:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        response = request.reply(200, tag=f"device{len(self.invites)}", body=self._answer(offer, way, port),
                                 content_type="APPLICATION/SDP")  # fmt: skip
        response.headers.add("Contact", f"<sip:{CHANNEL}@192.168.1.64:5060>")  # nobody is there
        self._dialogs[request.call_id] = Dialog.calling(request, response)
        self._seen[request.call_id] = response
        self.send(response, address)
        if way in script.takes:
            self.sending[request.call_id] = self._tasks.spawn(self._media(offer, way, listener, request), "media")

    def _answer(self, offer: Description, way: str, port: int) -> bytes:
        script = self.script
        profile = "RTP/AVP" if way == UDP else script.profile
        lines = ["v=0", f"o={CHANNEL} 0 0 IN IP4 {script.answer_host}", "s=Play", f"c=IN IP4 {script.answer_host}", "t=0 0",
                 f"m=video {port} {profile} 96", "a=sendonly", "a=rtpmap:96 PS/90000"]  # fmt: skip
        if way != UDP and script.setup:
            lines += [f"a=setup:{'active' if way == PASSIVE else 'passive'}", "a=connection:new"]
        if script.y == "same":
            lines.append(f"y={offer.ssrc:010d}")
        elif script.y != "none":
            lines.append(f"y={script.y}")
        return ("\r\n".join(lines) + "\r\n").encode()

    def _pictures(self, request: Request) -> list[tuple[bytes, int, bool]]:
        """A loop of pictures in decoding order, each with its number in showing order, and whether it is a key frame."""
        if self.script.codec == "b-frames":
            return b_pictures()
        if self.script.codec == "h265":
            return [(data, number, number % 6 == 0) for number, data in enumerate(streams.h265_pictures())]
        small = self.script.sub and b"a=streamnumber:1" in request.body
        found = streams.h264_pictures(width=160, height=96) if small else streams.h264_pictures()
        return [(data, number, number % 8 == 0) for number, data in enumerate(found)]

    async def _media(self, offer: Description, way: str, listener: socket.socket | None, request: Request) -> None:
        loop = asyncio.get_running_loop()
        script = self.script
        ssrc = script.ssrc if script.ssrc is not None else offer.ssrc or 1
        if way == UDP:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            sock.connect((offer.host, offer.port))
        elif listener is not None:
            sock, _ = await loop.sock_accept(listener)
            listener.close()
        else:
            sock = socket.socket()
            sock.setblocking(False)
            await loop.sock_connect(sock, (offer.host, offer.port))
        sock.setblocking(False)

        async def send(packet: bytes) -> None:
            if way == UDP:
                with contextlib.suppress(OSError):
                    sock.send(packet)
            else:
                await loop.sock_sendall(sock, packet if script.raw else struct.pack("!H", len(packet)) + packet)

        try:
            with contextlib.suppress(ConnectionError):
                await self._pump(send, ssrc, self._pictures(request))
        finally:
            sock.close()

    async def _pump(self, send: Callable[[bytes], object], ssrc: int, pictures: list[tuple[bytes, int, bool]]) -> None:
        script = self.script
        muxer = ps_write.Muxer(script.said or ("h265" if script.codec == "h265" else "h264"), script.sound)
        sequence = 65_500
        if script.control_first:
            await send(bytes.fromhex("80c80006") + (99).to_bytes(4, "big") + bytes(20))  # type: ignore[misc]
        begin = time.monotonic()
        for number in range(script.frames):
            data, shown, key = pictures[number % len(pictures)]
            shown += number // len(pictures) * len(pictures)
            heard = streams.SILENCE if script.sound == "pcma" else b""
            pack = muxer.video(data, 90_000 + shown * 3600, key=key, audio=heard)
            pieces = [pack] if script.raw else ps_write.cut(pack)
            for index, piece in enumerate(pieces):
                packet = piece if script.raw else rtp.build(piece, ssrc=ssrc, sequence=sequence & 0xFFFF, payload_type=96,
                                                            timestamp=number * 3600, marker=index == len(pieces) - 1)  # fmt: skip
                sequence += 1
                await send(packet)  # type: ignore[misc]
            early = begin + (number + 1) / script.rate - time.monotonic()
            begin -= min(0.0, early + 0.2)  # where the machine is too slow for it, it does not make up for it
            await asyncio.sleep(max(0.0, early))


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, device: Device) -> None:
        self._device = device

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._device.datagram(data, addr)


@dataclass
class Platform:
    """What calls ask for: knows its devices by where they are. ``told`` is what the hub would hear."""

    folder: Path
    place: Place = field(default_factory=lambda: Place("127.0.0.1", "127.0.0.1", (0, 0), AllowList([])))
    told: list[Message] = field(default_factory=list)
    flows: dict[str, Flow] = field(default_factory=dict)
    ways: dict[str, str] = field(default_factory=dict)
    worked: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    key_frames: int = 0
    notices: list[dict[str, str]] = field(default_factory=list)

    async def __aenter__(self) -> Platform:
        self._endpoint = Endpoint(self._told)
        await self._endpoint.open(["127.0.0.1"], 0)
        self.outlets, self.transcoder = Outlets(self.folder, "bridge-gb28181"), Transcoder()
        self.calls = Calls(self, self.outlets, self.transcoder, self.told.append, self.folder, self.place)
        self.calls.begin()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.calls.close()
        await self.outlets.close()
        self.transcoder.close()
        await asyncio.sleep(0.02)  # the BYEs leave
        await self._endpoint.close()

    async def kill(self) -> None:
        """Ends without a word to anybody, and leaves behind what a killed process leaves."""
        self.calls._stale.close()  # a moment after the last change
        left = (self.folder / "calls.json").read_bytes()
        await self._endpoint.close()
        await self.calls.close()
        await self.outlets.close()
        self.transcoder.close()
        (self.folder / "calls.json").write_bytes(left)

    def _told(self, event: Told) -> None:
        self.calls.told(event)

    # ---- for the calls

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def us(self) -> Us:
        return Us(US, US[:10])

    def route(self, device: str) -> tuple[Flow, str] | None:
        flow = self.flows.get(device)
        return (flow, f"127.0.0.1:{self._endpoint.port}") if flow is not None else None

    def terms(self, device: str) -> Terms | None:
        return Terms(device=device, password="", way=self.ways.get(device, ""), worked=self.worked.get(device, ""))

    def version(self, device: str) -> str:
        return self.versions.get(device, "2.0")

    def key_frame(self, device: str, channel: str) -> None:
        self.key_frames += 1

    def notify(self, device: str, body: dict[str, str]) -> str:
        if device not in self.flows:
            raise KeyError(device)
        self.notices.append(body)
        return str(len(self.notices))

    # ---- for tests

    def knows(self, device: Device, code: str = DEVICE) -> None:
        self.flows[code] = self._endpoint.towards("127.0.0.1", device.port)
        self._endpoint.learn(code, self.flows[code])
        self.calls.online(code)

    def loses(self, code: str = DEVICE) -> None:
        self.flows.pop(code, None)
        self.calls.offline(code)

    def pull(self, *workers: str, source: str = "cam", channel: str = CHANNEL, layers: tuple[str, ...] = ("main",),
             query: str = "", device: str = DEVICE) -> None:  # fmt: skip
        url = f"gb28181://{device}/{channel}{query}"
        self.calls.pull(Pull(source=source, url=url, workers=list(workers), layers=layers))

    def state(self, source: str = "cam") -> SourceState:
        states = [one for one in self.told if isinstance(one, SourceState) and one.source == source]
        return states[-1] if states else SourceState(source=source, state="unknown")

    def report(self, source: str = "cam") -> PlayReport:
        return [one for one in self.told if isinstance(one, PlayReport) and one.source == source][-1]

    def learned(self) -> list[str]:
        return [one.way for one in self.told if isinstance(one, WayLearned)]

    async def turns(self, state: str, code: str = "", source: str = "cam", seconds: float = 30) -> SourceState:
        await until(lambda: (self.state(source).state, self.state(source).code) == (state, code), seconds, f"{state} {code}")
        return self.state(source)


@contextlib.asynccontextmanager
async def both(folder: Path, script: Script | None = None) -> AsyncIterator[tuple[Platform, Device]]:
    """A platform and a device that it knows."""
    async with Platform(folder) as platform, Device(script) as device:
        platform.knows(device)
        yield platform, device
