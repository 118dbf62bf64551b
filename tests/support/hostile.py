"""An attacker in a process of its own: malformed datagrams, half-open connections, at a stated rate, on loopback only.

    python -m tests.support.hostile datagrams PORT COUNT RATE SEED
    python -m tests.support.hostile upgrades PORT COUNT SECONDS

Prints one line of JSON when it is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import socket
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = 8
UPGRADE = (
    b"GET /rtc/v1?access_token=eyJhbGciOiJIUzI1NiJ9.e30.AAAA&join_request=AAAA HTTP/1.1\r\nHost: hub\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
)


def datagrams(seed: int) -> list[bytes]:
    """Two thousand of what a media port may get: STUN, DTLS, RTP and RTCP with faults, and noise."""
    from commhub.wire import stun
    from tests.support.fuzz import Mutator
    from tests.support.parsers import TARGETS

    random, found = Random(seed), list[bytes]()
    corpora = {target.name: target.corpus() for target in TARGETS if target.name in ("STUN", "RTP", "RTCP")}
    hello = bytes.fromhex("16fefd0000000000000000") + (180).to_bytes(2, "big") + bytes.fromhex("010000a80000000000000a8f")
    corpora["DTLS"] = [hello + random.randbytes(168), b"\x17\xfe\xfd" + random.randbytes(60), b"\x14\xfe\xfd" + bytes(12)]
    mutators = [Mutator(corpus, seed + number) for number, corpus in enumerate(corpora.values())]
    while len(found) < 2000:
        kind = random.randrange(8)
        if kind < 4:
            found.append(mutators[kind].next()[:1400])
        elif kind == 4:
            found.append(random.randbytes(random.choice((1, 12, 20, 100, 1200, 1472))))
        elif kind == 5:  # well made, of nobody: the most work a stranger can cause
            password = random.randbytes(12).hex().encode()
            found.append(stun.binding_request(random.randbytes(12), f"{random.randbytes(8).hex()}:x", password, controlling=1))
        else:
            found.append(random.choice(corpora["RTP"] + corpora["RTCP"]))
    return [one for one in found if one]


def send(port: int, count: int, rate: float, seed: int) -> dict[str, Any]:
    """From several source ports, evenly, as fast as ``rate`` a second; what comes back is counted (octets)."""
    packets, sockets = datagrams(seed), [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOURCES)]
    for one in sockets:
        one.connect(("127.0.0.1", port))
        one.setblocking(False)
    began, sent, octets, answered = time.monotonic(), 0, 0, 0
    while sent < count:
        due = min(count, int((time.monotonic() - began) * rate) + 1)
        while sent < due:
            packet = packets[sent % len(packets)]
            with contextlib.suppress(OSError):
                octets += sockets[sent % SOURCES].send(packet)
            sent += 1
        for one in select.select(sockets, [], [], 0.002)[0]:
            with contextlib.suppress(OSError):
                answered += len(one.recv(2048))
    return {"sent": sent, "octets": octets, "answered": answered, "seconds": time.monotonic() - began}


async def upgrade(port: int, count: int, seconds: float) -> dict[str, Any]:
    """Opens ``count`` half-open upgrades at once and says when the last one was closed by the hub."""
    began = time.monotonic()

    async def one() -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        try:
            async with asyncio.timeout(seconds):
                with contextlib.suppress(ConnectionError):
                    await reader.read()
            return time.monotonic() - began
        except TimeoutError:
            return -1.0
        finally:
            writer.close()

    ended = await asyncio.gather(*(one() for _ in range(count)))
    return {"closed": sum(at >= 0 for at in ended), "last": max(ended), "opened": count}


class Attacker:
    """``async with Attacker("datagrams", port, 10_000, 1_000, 1) as attacker: … await attacker.done()``."""

    def __init__(self, *words: object) -> None:
        self._command = (sys.executable, "-m", "tests.support.hostile", *map(str, words))

    async def __aenter__(self) -> Attacker:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert (await self._process.stdout.readline()).strip() == b"ready"
        return self

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    async def done(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return found

    async def __aexit__(self, *exception: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def main(kind: str, *numbers: str) -> None:
    values = [float(number) for number in numbers]
    if kind == "datagrams":
        datagrams(int(values[3]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    if kind == "datagrams":
        result = send(int(values[0]), int(values[1]), values[2], int(values[3]))
    else:
        result = asyncio.run(upgrade(int(values[0]), int(values[1]), values[2]))
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
