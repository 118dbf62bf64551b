"""SIP's sockets: one port for UDP and TCP, answers to where requests come from, and floods that change nothing for the others."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest

from bridges.sip.message import Headers, Message, Request, Response, parse, serialize
from bridges.sip.sources import Limits
from bridges.sip.stream import Framer, Ping
from bridges.sip.transaction import Answered, Asked, Failed, Flow
from bridges.sip.transport import Disconnected, Endpoint, Told
from tests.support.fuzz import Mutator
from tests.support.sip_messages import CORPUS, KEEPALIVE

BOUND = 5.0  # seconds; what is waited for comes at once


class Platform:
    """An endpoint and what it tells; answers MESSAGE 200 and believes everybody whose From begins with ``sip:known``."""

    def __init__(self, **limits: float) -> None:
        self.told: list[Told] = []
        self.arrived = asyncio.Event()
        self.endpoint = Endpoint(self.hear, limits=Limits(**limits))  # type: ignore[arg-type]

    def hear(self, told: Told) -> None:
        self.told.append(told)
        self.arrived.set()
        if isinstance(told, Asked):
            if told.request.method == "INFO":
                raise RuntimeError("A user that fails.")
            if told.request.sender.uri.startswith("sip:known"):
                self.endpoint.learn(told.request.sender.user, told.flow)
            if told.request.method == "MESSAGE":
                self.endpoint.respond(told.key, told.request.reply(200, tag="p"))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(BOUND):
            while not condition():
                self.arrived.clear()
                try:
                    await asyncio.wait_for(self.arrived.wait(), 0.02)
                except TimeoutError:
                    pass


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    one = Platform()
    await one.endpoint.open(["127.0.0.1", "::1"], 0)
    yield one
    await one.endpoint.close()


class Device:
    """A UDP socket of some address of the loopback network."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.host, self.port = host, self.socket.getsockname()[1]
        self.platform = ("::1" if ":" in host else "127.0.0.1", port)

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, self.platform)

    async def receive(self) -> Message:
        async with asyncio.timeout(BOUND):
            return parse(await asyncio.get_running_loop().sock_recv(self.socket, 65_535))

    async def ask(self, data: bytes) -> Response:
        self.send(data)
        answer = await self.receive()
        assert isinstance(answer, Response)
        return answer


def asking(
    method: str = "OPTIONS", number: int = 1, *, user: str = "cam", via: str = "UDP 10.1.2.3:5060", body: bytes = b""
) -> bytes:
    headers = Headers(
        [
            ("Via", f"SIP/2.0/{via};branch=z9hG4bK{user}{number}"),
            ("From", f"<sip:{user}@3402000000>;tag=1"),
            ("To", "<sip:3402000000>"),
            ("Call-ID", f"{user}{number}"),
            ("CSeq", f"{number} {method}"),
        ]
    )
    return serialize(Request(method, "sip:3402000000@3402000000", headers=headers, body=body))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.7", "::1"])
async def test_an_answer_goes_to_where_the_request_came_from(platform: Platform, host: str) -> None:
    device = Device(platform.endpoint.port, host)
    answer = await device.ask(asking())
    assert (answer.status, answer.via.host) == (200, "10.1.2.3")
    assert answer.via.parameters["received"] == host
    assert answer.via.parameters["rport"] == str(device.port)
    assert "REGISTER" in answer.headers.get("Allow")
    device.socket.close()


async def test_a_request_without_what_an_answer_needs_is_told_so(platform: Platform) -> None:
    device = Device(platform.endpoint.port)
    answer = await device.ask(asking().replace(b"1 OPTIONS", b"1 INVITE"))
    assert (answer.status, answer.reason) == (400, "A SIP request's CSeq names another method")
    device.socket.close()


async def test_a_user_that_fails_answers_500_and_the_next_message_is_heard(platform: Platform) -> None:
    device = Device(platform.endpoint.port)
    assert (await device.ask(asking("INFO"))).status == 500
    assert (await device.ask(asking("MESSAGE", 2))).status == 200
    assert platform.endpoint.counts["errors"] == 1
    device.socket.close()


async def test_repetitions_are_told_once(platform: Platform) -> None:
    device = Device(platform.endpoint.port)
    for _ in range(5):
        assert (await device.ask(asking("MESSAGE"))).status == 200
    assert len([told for told in platform.told if isinstance(told, Asked)]) == 1
    device.socket.close()


async def test_a_request_goes_to_the_source_of_the_last_believed_message(platform: Platform) -> None:
    before, after, stranger = (Device(platform.endpoint.port) for _ in range(3))
    await before.ask(asking("MESSAGE", 1, user="known"))
    await after.ask(asking("MESSAGE", 2, user="known"))  # its NAT has given it another port
    await stranger.ask(asking("MESSAGE", 3))
    flow = platform.endpoint.flow("known")
    assert flow is not None
    assert flow.port == after.port
    assert platform.endpoint.flow("cam") is None
    made = parse(asking("MESSAGE", 9))
    assert isinstance(made, Request)
    made.headers.set("Via")
    key = platform.endpoint.request(made, flow)
    request = await after.receive()
    assert isinstance(request, Request)
    assert (request.via.host, request.via.port) == ("127.0.0.1", platform.endpoint.port)
    after.send(serialize(request.reply(200)))
    await platform.until(lambda: any(isinstance(told, Answered) and told.key == key for told in platform.told))
    for device in (before, after, stranger):
        device.socket.close()


class Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.framer, self.found = reader, writer, Framer(), list[Message | Ping]()

    @classmethod
    async def open(cls, port: int, host: str = "127.0.0.1") -> Stream:
        return cls(*await asyncio.open_connection(host, port))

    async def receive(self) -> Message:
        async with asyncio.timeout(BOUND):
            while not self.found:
                data = await self.reader.read(65_536)
                assert data, "The connection was closed."
                self.found += self.framer.receive(data)
        one = self.found.pop(0)
        assert not isinstance(one, Ping)
        return one

    async def ended(self) -> bool:
        async with asyncio.timeout(BOUND):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return True


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_tcp_on_the_same_port(platform: Platform, host: str) -> None:
    stream = await Stream.open(platform.endpoint.port, host)
    data = asking("MESSAGE", via="TCP 10.1.2.3:5060", body=b"x" * 20_000)
    for at in range(0, len(data), 3_000):
        stream.writer.write(data[at : at + 3_000])
        await asyncio.sleep(0)
    answer = await stream.receive()
    assert isinstance(answer, Response)
    assert answer.status == 200
    stream.writer.write(b"\r\n\r\n")
    async with asyncio.timeout(BOUND):
        assert await stream.reader.readexactly(2) == b"\r\n"
    stream.writer.close()


async def test_requests_go_by_the_devices_connection_and_end_with_it(platform: Platform) -> None:
    stream = await Stream.open(platform.endpoint.port)
    stream.writer.write(asking("MESSAGE", user="known"))
    await stream.receive()
    flow = platform.endpoint.flow("known")
    assert flow is not None
    assert flow.transport == "TCP"
    made = parse(asking("MESSAGE", 9))
    assert isinstance(made, Request)
    made.headers.set("Via")
    key = platform.endpoint.request(made, flow)
    request = await stream.receive()
    assert isinstance(request, Request)
    assert request.via.transport == "TCP"
    stream.writer.close()
    await platform.until(lambda: any(isinstance(told, Disconnected) for told in platform.told))
    assert [told.reason for told in platform.told if isinstance(told, Failed) and told.key == key] == ["lost"]
    assert [told.peers for told in platform.told if isinstance(told, Disconnected)] == [["known"]]
    assert platform.endpoint.flow("known") is None
    late = platform.endpoint.request(made, flow)
    await platform.until(lambda: any(isinstance(told, Failed) and told.key == late for told in platform.told))


async def test_a_connection_of_ours() -> None:
    one, other = Platform(), Platform()
    await one.endpoint.open(["127.0.0.1"], 0)
    port = await other.endpoint.open(["127.0.0.1"], 0)
    flow = await one.endpoint.dial("127.0.0.1", port)
    made = parse(asking("MESSAGE"))
    assert isinstance(made, Request)
    made.headers.set("Via")
    one.endpoint.request(made, flow)
    await one.until(lambda: any(isinstance(told, Answered) and told.response.status == 200 for told in one.told))
    await one.endpoint.close()
    await other.endpoint.close()


async def test_torn_nonsense_ends_that_connection_only(platform: Platform) -> None:
    stream, other = await Stream.open(platform.endpoint.port), await Stream.open(platform.endpoint.port)
    stream.writer.write(b"x" * 200_000)
    assert await stream.ended()
    other.writer.write(asking())
    assert isinstance(await other.receive(), Response)
    other.writer.close()


@pytest.mark.parametrize("says", [b"", b"OPTIONS sip:a SIP/2.0\r\n", asking()])
async def test_a_connection_that_nobody_believes_goes(says: bytes) -> None:
    one = Platform(stranger_seconds=0.3, message_seconds=0.3)
    port = await one.endpoint.open(["127.0.0.1"], 0)
    stream = await Stream.open(port)
    stream.writer.write(says)
    assert await stream.ended()
    await one.endpoint.close()


async def test_one_address_has_a_bounded_number_of_connections() -> None:
    one = Platform(connections_of_stranger=3)
    port = await one.endpoint.open(["127.0.0.1"], 0)
    streams = [await Stream.open(port) for _ in range(5)]
    await one.until(lambda: one.endpoint.counts["connections refused"] == 2)
    for stream in streams[3:]:
        assert await stream.ended()
    streams[0].writer.write(asking())
    assert isinstance(await streams[0].receive(), Response)
    for stream in streams:
        stream.writer.close()
    await one.endpoint.close()


async def test_when_all_places_are_taken_the_oldest_stranger_goes() -> None:
    one = Platform(connections=2)
    port = await one.endpoint.open(["127.0.0.1"], 0)
    known = await Stream.open(port)
    known.writer.write(asking("MESSAGE", user="known"))
    await known.receive()
    strangers = [await Stream.open(port)]
    for _ in range(3):
        strangers.append(await Stream.open(port))
        assert await strangers[-2].ended()
    known.writer.write(asking("MESSAGE", 2, user="known"))
    assert isinstance(await known.receive(), Response)
    for stream in (known, strangers[-1]):
        stream.writer.close()
    await one.endpoint.close()


async def test_a_peer_that_does_not_read_is_cut() -> None:
    one = Platform(unsent=50_000, known_per_second=1_000_000)
    port = await one.endpoint.open(["127.0.0.1"], 0)
    stream = await Stream.open(port)
    stream.writer.write(asking("MESSAGE", user="known"))
    await stream.receive()
    flow = one.endpoint.flow("known")
    assert flow is not None
    made = parse(asking("MESSAGE", 9))
    assert isinstance(made, Request)
    made.headers.set("Via")
    made.body = b"x" * 200_000
    for number in range(200):
        one.endpoint.request(made, flow)
        if number % 20 == 0:
            await asyncio.sleep(0)
    await one.until(lambda: any(isinstance(told, Disconnected) for told in one.told))
    stream.writer.close()
    await one.endpoint.close()


async def flood(platform: Platform, count: int, seed: int) -> float:
    """Hostile datagrams from forty addresses; the slowest OPTIONS of a known device meanwhile, seconds."""
    device = Device(platform.endpoint.port, "127.0.0.3")
    await device.ask(asking("MESSAGE", user="known"))
    strangers = [Device(platform.endpoint.port, f"127.0.1.{number + 1}") for number in range(40)]
    mutator = Mutator([*CORPUS, KEEPALIVE], seed, text=True, largest=60_000)
    slowest = 0.0
    for number in range(count):
        strangers[number % len(strangers)].send(mutator.next())
        if number % 50 == 0:
            await asyncio.sleep(0)
        if number % (count // 20) == 0:
            began = time.monotonic()
            answer = await device.ask(asking(number=number + 2, user="known"))
            slowest = max(slowest, time.monotonic() - began)
            assert (answer.status, answer.cseq.number) == (200, number + 2)
    for one in (device, *strangers):
        one.socket.close()
    return slowest


@pytest.mark.timeout(60)
async def test_ten_thousand_hostile_datagrams_do_not_touch_a_known_device(platform: Platform) -> None:
    await flood(platform, 10_000, 7)  # each question was answered within its bound
    counts = platform.endpoint.counts
    assert counts["limited"] > 1_000
    assert counts["errors"] == 0
    assert platform.endpoint.flow("known") is not None


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_options_during_floods(platform: Platform, figure: Callable[..., bool]) -> None:
    slowest = max([await flood(platform, 10_000, seed) for seed in range(5)])
    assert figure("10,000 hostile SIP datagrams: slowest OPTIONS meanwhile", round(slowest, 3), "s", goal="≤ 1")


async def test_a_port_that_is_taken_is_said(platform: Platform) -> None:
    with pytest.raises(OSError, match="in use"):
        await Endpoint(lambda told: None).open(["127.0.0.1"], platform.endpoint.port)


async def test_nobody_is_there(platform: Platform) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(OSError):
            await platform.endpoint.dial("127.0.0.1", free.getsockname()[1])
    assert platform.endpoint.towards("127.0.0.9", 5060) == Flow("UDP", "127.0.0.9", 5060, f"127.0.0.1:{platform.endpoint.port}")
