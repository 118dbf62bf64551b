"""Many DTLS handshakes at once: what is being forwarded does not wait for them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, cast

import pytest

from commhub.media import plane
from commhub.media.forward import Forwarder
from commhub.media.plane import Address
from commhub.media.transport import Transport, Transports
from commhub.wire import sdp
from tests.support import until
from tests.support.hostile import REPOSITORY
from tests.support.plane import Client, Vp8Track
from tests.support.proofs import Figure


class Bench:
    """A plane and its transports, joined as in a worker."""

    def __init__(self) -> None:
        self.connected: set[int] = set()
        self.transports: Transports | None = None
        self.plane = Forwarder(cast(Any, self))
        self.port = self.plane.open([Address("127.0.0.1", "127.0.0.1")], 0)[0][1]
        self.transports = Transports(self.plane, cast(Any, self), [], time.monotonic)

    def stun(self, path: plane.Path, data: bytes) -> None:
        assert self.transports is not None
        self.transports.stun(path, data)

    def dtls(self, number: int, data: bytes) -> None:
        assert self.transports is not None
        self.transports.dtls(number, data)

    def transport_connected(self, transport: Transport) -> None:
        self.connected.add(transport.number)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def forwarding(bench: Bench, stop: asyncio.Event, every: float) -> list[float]:
    """A voice through the plane, a packet every so many seconds: how long each took, in seconds."""
    publisher, subscriber = Client(bench.plane, 9001, bench.port), Client(bench.plane, 9002, bench.port)
    bench.plane.add_receiver(1, plane.ReceiverSpec(9001, "audio", 48_000, {111: "audio/opus"}, mid="v", nack=False))
    bench.plane.add_route(1, plane.RouteSpec(1, 9002, 77, 111))
    track, took = Vp8Track(5), list[float]()
    while not stop.is_set():
        seen, sent = len(subscriber.raw), time.monotonic()
        publisher.send(track.packet(b"voice", payload_type=111))
        while len(subscriber.raw) == seen and time.monotonic() - sent < 2:  # noqa: ASYNC110 (the loop is what is measured)
            await asyncio.sleep(0)
        took.append(time.monotonic() - sent)
        await asyncio.sleep(max(0.0, every - took[-1]))
    publisher.close()
    subscriber.close()
    return took


async def handshakes(count: int, every: float = 0.010) -> dict[str, float]:
    bench = Bench()
    assert bench.transports is not None
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.handshakes", str(bench.port), cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    fingerprints = [(algorithm, value) for algorithm, value in json.loads(await process.stdout.readline())]
    made = [bench.transports.add("somebody", "both") for _ in range(count)]
    for transport in made:
        section = sdp.Section("application", "0", ufrag="them", password="p" * 24, fingerprints=fingerprints, setup="passive")
        transport.remote(sdp.Description([section]), answered=True)
    stop, quiet = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_later(2, quiet.set)
    before = await forwarding(bench, quiet, every)
    measured = asyncio.create_task(forwarding(bench, stop, every))
    said = {
        "transports": [(transport.ufrag, transport.password) for transport in made],
        "fingerprints": bench.transports.certificate.fingerprints,
    }
    process.stdin.write(json.dumps(said).encode() + b"\n")
    seconds, good = json.loads(await process.stdout.readline())
    assert good == count
    # They are the servers of these handshakes: the last flight is on its way to us when they are done.
    await until(lambda: len(bench.connected) == count)
    stop.set()
    took = await measured
    for transport in made:
        bench.transports.close(transport)
    await asyncio.sleep(0.1)
    bench.plane.close()
    await process.wait()
    ordered = sorted(took)
    found = {
        "before": max(before),
        "worst": ordered[-1],
        "p99": ordered[len(ordered) * 99 // 100],
        "seconds": seconds,
        "packets": len(took),
    }
    print({name: round(value, 4) for name, value in found.items()})
    return found


async def test_handshakes_hold_no_packet_up() -> None:
    found = await handshakes(40, every=0.002)
    assert found["worst"] < 1  # a figure is for the proof: here only that nothing waits until all are done
    assert found["packets"] > 5


@pytest.mark.prove
async def test_a_hundred_handshakes_at_once(figure: Figure) -> None:
    found = await handshakes(100)
    figure("100 DTLS handshakes at once: the last one is done after", round(found["seconds"], 2), "s")
    figure("a forwarded packet without handshakes: the slowest", round(found["before"] * 1000, 2), "ms")
    figure("100 DTLS handshakes at once: 99 % of forwarded packets within", round(found["p99"] * 1000, 2), "ms")
    name = "100 DTLS handshakes at once: slowest forwarded packet"
    assert figure(name, round(found["worst"] * 1000, 2), "ms", goal="≤ 50 ms")
