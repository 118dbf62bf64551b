"""Floods, forgeries and torn framing on the bridge's sockets: devices that are in do not notice."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import time
from pathlib import Path

import pytest

from bridges.gb28181.server import Server
from bridges.sip.sources import Limits
from commhub.media.messages import AskDevice, DeviceAnswer, DeviceSeen, DeviceState, Terms
from tests.support import gb_quirks, sip_messages, until
from tests.support.fuzz import Mutator
from tests.support.gb28181 import DEVICE, PASSWORD, PLATFORM, device
from tests.support.gb_bridge import Hub, bridge, where
from tests.support.proofs import Figure

# Everything here comes from one machine, so strangers and devices are told apart by their loopback addresses.
STRANGER = "127.0.0.66"
OTHER = "34020000001110000099"


def resident() -> float:
    """MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def _register(code: str, number: int) -> bytes:
    return (
        f"REGISTER sip:{PLATFORM}@1101050000 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKh{number}\r\n"
        f"From: <sip:{code}@1101050000>;tag={number}\r\nTo: <sip:{code}@1101050000>\r\nCall-ID: h{number}\r\nCSeq: 1 REGISTER\r\n"
        f"Contact: <sip:{code}@10.0.0.1:5060>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def _message(code: str, body: bytes, number: int) -> bytes:
    head = (
        f"MESSAGE sip:{PLATFORM}@1101050000 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKm{number}\r\n"
        f"From: <sip:{code}@1101050000>;tag={number}\r\nTo: <sip:{PLATFORM}@x>\r\nCall-ID: m{number}\r\nCSeq: 1 MESSAGE\r\n"
        f"Content-Type: Application/MANSCDP+xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def hostile(seed: int) -> Mutator:
    corpus = [*sip_messages.CORPUS, *(_register(f"3402000000111{number:07}", number) for number in range(20))]
    corpus += [_message(DEVICE, body, number) for number, body in enumerate(gb_quirks.corpus())]
    corpus += [_register(DEVICE, 1), bytes(1400), b"\xff" * 60_000]
    return Mutator(corpus, seed, text=True, largest=60_000)


async def _options(server: Server, host: str) -> float:
    """Seconds until the answer to OPTIONS from that address."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        asking.bind((host, 0))
        word = (
            f"OPTIONS sip:{PLATFORM}@x SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5060;rport;branch=z9hG4bK{time.monotonic_ns()}\r\n"
            f"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: {time.monotonic_ns()}\r\nCSeq: 1 OPTIONS\r\n\r\n"
        )
        began = time.monotonic()
        await loop.sock_sendto(asking, word.encode(), ("127.0.0.1", server.endpoint.port))
        answer = await asyncio.wait_for(loop.sock_recv(asking, 65535), 5)
        assert answer.startswith(b"SIP/2.0 200"), answer[:80]
        return time.monotonic() - began


async def flood(folder: Path, number: int, hosts: list[str]) -> tuple[float, float]:
    """The slowest OPTIONS and the growth in MB."""
    async with bridge(folder) as server, Hub(folder) as hub, device(where(server), heartbeat=0.5) as made:
        await hub.online()
        await hub.catalogue()
        mutator, slowest = hostile(1), 0.0
        senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in hosts]
        try:
            for sender, host in zip(senders, hosts, strict=True):
                sender.bind((host, 0))
            gc.collect()
            before = resident()
            for count in range(number):
                senders[count % len(senders)].sendto(mutator.next()[:60_000], ("127.0.0.1", server.endpoint.port))
                if count % 20 == 19:
                    await asyncio.sleep(0)
                if count % (number // 5) == number // 5 - 1:
                    slowest = max(slowest, await _options(server, "127.0.0.1"))
                    answer = await hub.link.ask(AskDevice(DEVICE, "", "status"), 5)
                    assert isinstance(answer, DeviceAnswer)
            gc.collect()
            grown = resident() - before
        finally:
            for sender in senders:
                sender.close()
        assert [one.online for one in hub.told(DeviceState) if one.device == DEVICE][-1]
        assert not [one for one in hub.told(DeviceState) if not one.online and one.code != "never_seen"]
        assert made.registered.is_set()
        assert len(hub.told(DeviceSeen)) <= 200
        assert server.endpoint.counts["errors"] == 0
        assert server.endpoint.counts["messages"] + server.endpoint.counts["limited"] >= number / 10
    return slowest, grown


async def test_devices_do_not_notice_a_flood(tmp_path: Path) -> None:
    _, grown = await flood(tmp_path, 1000, [STRANGER])  # how soon is for the proof
    assert grown <= 20


@pytest.mark.prove
@pytest.mark.timeout(300)
async def test_ten_thousand_hostile_datagrams(tmp_path: Path, figure: Figure) -> None:
    hosts = [f"127.0.{number}.{at}" for number in range(1, 5) for at in range(1, 11)]
    slowest, grown = await flood(tmp_path, 10_000, hosts)
    assert figure("10,000 hostile SIP datagrams: slowest OPTIONS", round(slowest * 1000, 1), "ms", goal="≤ 1000 ms")
    assert figure("10,000 hostile SIP datagrams: growth of the bridge", round(grown, 1), "MB", goal="≤ 20 MB")


async def test_those_who_are_in_may_be_hostile_too(tmp_path: Path) -> None:
    """From a device's own address, with its own code: whatever it says, it ends that message only."""
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub, device(where(server)):
        await hub.online()
        await hub.catalogue()
        loop, mutator = asyncio.get_running_loop(), Mutator(gb_quirks.corpus(), 3, text=True, largest=30_000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.bind(("127.0.0.1", 0))
            for number in range(600):
                await loop.sock_sendto(sender, _message(DEVICE, mutator.next(), number), ("127.0.0.1", server.endpoint.port))
                if number % 5 == 4:
                    await asyncio.sleep(0)
        await _options(server, "127.0.0.1")
        assert server.endpoint.counts["errors"] == 0
        assert server.platform.counts["unreadable documents"] > 10


async def test_a_spoofed_source_moves_nothing(tmp_path: Path) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub, device(where(server)):
        await hub.online()
        way = server.route(DEVICE)
        beat = b"<Notify><CmdType>Keepalive</CmdType><SN>1</SN></Notify>"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((STRANGER, 0))
            sender.settimeout(5)
            sender.sendto(_message(DEVICE, beat, 1), ("127.0.0.1", server.endpoint.port))
            answer = await asyncio.to_thread(sender.recv, 65535)
        assert answer.startswith(b"SIP/2.0 403")
        assert server.route(DEVICE) == way
        assert server.platform.counts["messages refused"] == 1


TORN = (
    b"\x00" * 40_000,
    _register(OTHER, 1)[:100],
    b"REGISTER sip:x SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
)


async def test_torn_framing_ends_that_connection_only(tmp_path: Path) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub, device(where(server), transport="tcp", heartbeat=0.3):
        await hub.online()
        for torn in TORN:
            reader, writer = await asyncio.open_connection(*where(server), local_addr=(STRANGER, 0))
            writer.write(torn)
            await writer.drain()
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 5)
            writer.close()
        await asyncio.sleep(0.8)
        state = hub.device()
        assert state is not None
        assert state.online


async def test_half_open_connections_leave_room_for_devices(tmp_path: Path) -> None:
    limits = Limits(connections=64, stranger_seconds=1.0)
    async with bridge(tmp_path, limits=limits) as server, Hub(tmp_path) as hub:
        strangers = []
        for number in range(80):
            strangers.append(await asyncio.open_connection(*where(server), local_addr=(f"127.0.9.{number + 1}", 0)))
        async with device(where(server), transport="tcp"):
            await hub.online()
        for _, writer in strangers:
            writer.close()


async def test_a_wrong_password_over_and_over_does_not_lock_the_device_out(tmp_path: Path) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path, Terms(DEVICE, PASSWORD)) as hub:
        async with device(where(server), password="wrong", wait=None) as wrong:
            await until(lambda: wrong.agent.status == 403)
        assert hub.device() is None or not hub.told(DeviceState)[-1].online
        async with device(where(server)):
            await hub.online()


def test_the_flood_is_the_same_every_time() -> None:
    assert random.Random(1).random() == random.Random(1).random()
    assert hostile(1).next() == hostile(1).next()
