"""After devices, this process, or somebody on the network did what they should not."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import time
from pathlib import Path

import pytest

from bridges.gb28181.offer import PASSIVE
from commhub.wire import rtp
from tests.support import until
from tests.support.bridge import marked
from tests.support.gb_device import DEVICE, Device, Platform, Script, both
from tests.support.h264 import decode
from tests.support.media_worker import MediaWorker
from tests.support.proofs import Figure


async def test_what_a_killed_process_left_open_is_hung_up_by_the_next_one(tmp_path: Path) -> None:
    async with Device() as device:
        killed = Platform(tmp_path)
        await killed.__aenter__()
        killed.knows(device)
        killed.pull("media-0")
        killed.pull("media-0", source="record", query="?from=5&to=500")
        await killed.turns("live")
        await killed.turns("live", source="record")
        await killed.kill()
        assert "BYE" not in device.heard
        assert len(device.sending) == 2
        async with Platform(tmp_path) as platform:
            await until(lambda: device.heard.count("BYE") == 2)
            assert not device.sending
            platform.knows(device)
            platform.pull("media-0")
            await platform.turns("live")
            assert (device.heard.count("INVITE"), device.heard.count("BYE")) == (3, 2)


async def test_a_broken_file_of_open_calls_is_no_reason_not_to_begin(tmp_path: Path) -> None:
    for content in (b"", b"[{", b'[{"device": 5}]', b"\xff" * 100):
        (tmp_path / "calls.json").write_bytes(content)
        async with both(tmp_path) as (platform, _):
            platform.pull("media-0")
            await platform.turns("live")


async def power_cycles(folder: Path, count: int) -> list[float]:
    """Seconds from a device's return to its picture, each time."""
    seconds = []
    async with MediaWorker(folder) as worker, both(folder) as (platform, device):
        platform.pull("media-0", layers=("main", "sub"))
        await until(lambda: len(worker.streams("cam")) == 2)
        tasks = len(asyncio.all_tasks())
        for _ in range(count):
            port = device.port
            await device.stop()
            platform.loses()
            assert platform.state().code == "not_registered"
            await device.start(port)
            seen = marked(worker.of("cam"))
            began = time.monotonic()
            platform.knows(device)
            await platform.turns("live")
            await until(lambda seen=seen: marked(worker.of("cam")) > seen)  # type: ignore[misc]
            seconds.append(time.monotonic() - began)
        await until(lambda: len(device.sending) == 2)
        assert platform.calls.ports.used == 2
        assert len(platform.calls._calls) == 2
        assert len(platform.calls.wiring.waiting) <= 2 + 2 * count  # of BYEs nobody has answered, for 32 s
        gc.collect()
        assert len(asyncio.all_tasks()) <= tasks + 2
    return seconds


async def test_a_device_whose_power_goes_is_back(tmp_path: Path) -> None:
    assert max(await power_cycles(tmp_path, 3)) < 5


@pytest.mark.prove
async def test_a_device_whose_power_goes_twenty_times_is_back(tmp_path: Path, figure: Figure) -> None:
    seconds = await power_cycles(tmp_path, 20)
    assert figure("GB/T 28181 device back after its power went, worst of 20", max(seconds), "s", goal="≤ 5 s")


async def test_fifty_pulls_of_a_channel_are_one_call(tmp_path: Path) -> None:
    """Whatever viewers come and go, the hub's word only changes its workers."""
    async with MediaWorker(tmp_path), MediaWorker(tmp_path, "media-1") as other, both(tmp_path) as (platform, device):
        for number in range(50):
            platform.pull("media-0", *(["media-1"] if number % 2 else []))
            await asyncio.sleep(0.005)
        await platform.turns("live")
        await until(lambda: marked(other.of("cam")) >= 5)
        platform.pull()
        await until(lambda: "BYE" in device.heard)
        assert (device.heard.count("INVITE"), device.heard.count("BYE")) == (1, 1)


async def test_torn_tcp_costs_pictures_not_the_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose buffer is full leaves octets out."""
    real = asyncio.BaseEventLoop.sock_sendall
    loop = asyncio.get_running_loop()
    count = 0

    async def torn(sock: socket.socket, data: bytes) -> None:
        nonlocal count
        count += 1
        await real_send(sock, data[: len(data) // 2] if count % 90 == 0 else data)

    real_send = loop.sock_sendall
    assert real is not None
    monkeypatch.setattr(loop, "sock_sendall", torn)
    async with MediaWorker(tmp_path) as worker, both(tmp_path, Script(takes=(PASSIVE,), status=488)) as (platform, device):
        platform.pull("media-0")
        await platform.turns("live")
        await until(lambda: marked(worker.of("cam")) >= 150, 15)
        assert count > 180
        assert device.heard.count("INVITE") == 2  # UDP was refused
        assert platform.state().state == "live"
        monkeypatch.undo()


async def test_strangers_rtp_does_not_reach_viewers(tmp_path: Path) -> None:
    async with MediaWorker(tmp_path) as worker, both(tmp_path) as (platform, device):
        platform.pull("media-0")
        await platform.turns("live")
        port, agreed = device.offers[0].port, device.offers[0].ssrc or 0
        random.seed(7)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.3", 0))
            for number in range(400):
                kind = number % 4
                hostile = random.randbytes(random.randrange(200))
                if kind:
                    ssrc = agreed if kind == 1 else random.getrandbits(32)
                    hostile = rtp.build(hostile, ssrc=ssrc, sequence=number, timestamp=0, payload_type=96)
                stranger.sendto(hostile, ("127.0.0.1", port))
                if number % 40 == 0:
                    await asyncio.sleep(0.01)
        before = marked(worker.of("cam"))
        await until(lambda: marked(worker.of("cam")) > before + 30)
        gate = platform.calls._channels["cam"].plays[0]._receiver
        assert gate is not None
        assert gate.gate.strangers >= 250
        assert gate.gate.source is not None
        assert gate.gate.source[0] == "127.0.0.1"
        assert len(decode(worker.of("cam"))) >= 30
        assert device.heard.count("INVITE") == 1


async def test_strangers_on_the_tcp_port_are_sent_away(tmp_path: Path) -> None:
    script = Script(takes=())
    async with both(tmp_path, script) as (platform, device):
        platform.ways[DEVICE] = PASSIVE
        platform.pull("media-0")
        await until(lambda: bool(device.offers))
        port = device.offers[0].port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.4", 0))
        packet = rtp.build(b"\0\0\1\xba" + bytes(50), ssrc=666, sequence=1, timestamp=0, payload_type=96)
        writer.write(len(packet).to_bytes(2, "big") + packet)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
        await asyncio.sleep(0.1)
        closed = sum(one.at_eof() or one.exception() is not None for one, _ in crowd)
        assert closed >= 8
        for _, one in crowd:
            one.close()


async def test_an_answer_that_is_no_description_is_hung_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "_answer", lambda self, offer, way, port: b"\xff\x00 not a description")
    async with both(tmp_path) as (platform, device):
        platform.pull("media-0")
        await platform.turns("failed", "bad_answer")
        await until(lambda: "BYE" in device.heard)
        assert platform.calls.ports.used == 0
