"""Many members of a group in one process of their own: each a terminal at the hub's socket and a light client with real
signalling, ICE, DTLS and SRTP, that decodes sound until it has heard some.

PyPI clients of one process share one WebRTC factory and its threads: fifty of them take half a minute to connect to any server,
in which not the server is measured. These leave the two cores of a test machine to what is tested.

    python -m tests.support.crowd

reads one line ``{"base", "people": [{"id", "name", "token"}]}`` and says a line each: ``{"ready": n}``, then
``{"who", "what": "told" | "floor" | "entered" | "heard", "at"}``; times are ``time.monotonic``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import av
import numpy

from bench.subscriber import Subscriber
from commhub.model import new_id
from commhub.wire import red, rtp
from tests.support import until

LOUD = 10_000.0  # mean square of a frame that is no silence
_OPUS, _RED = 111, 63


class Ear(Subscriber):
    """Hears until it has heard: then what comes is counted only."""

    every = 1

    def __init__(self) -> None:
        super().__init__("", "")
        self.heard = asyncio.Event()
        self._decoder: Any = av.CodecContext.create("opus", "r")

    def media(self, packet: bytes) -> None:
        kind, payload = packet[1] & 0x7F, rtp.payload(packet)
        if self.heard.is_set() or kind not in (_OPUS, _RED) or not payload:
            return
        for frame in self._decoder.decode(av.Packet(red.parse(payload).primary if kind == _RED else payload)):
            samples = frame.to_ndarray().astype(float)
            samples *= 32768.0 if frame.format.name.startswith("flt") else 1.0
            if float(numpy.mean(samples**2)) > LOUD:
                self.heard.set()


async def _member(base: str, who: dict[str, str], ready: asyncio.Semaphore) -> None:
    ear, cookie = Ear(), {"Cookie": f"__Host-commhub={who['token']}", "Origin": base}

    def say(what: str) -> None:
        print(json.dumps({"who": who["id"], "what": what, "at": time.monotonic()}), flush=True)

    async def enter(said: dict[str, Any]) -> None:
        ear.url, ear.token = base.replace("http", "ws", 1), said["token"]
        await ear.join()
        say("entered")
        await ear.heard.wait()
        say("heard")

    async with (
        aiohttp.ClientSession(headers=cookie, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.ws_connect(f"{base}/events") as socket,
    ):
        await socket.send_json({"type": "terminal", "id": new_id(), "kind": "console", "name": who["name"]})
        entering = None
        async for message in socket:
            said = json.loads(message.data)
            if said["type"] == "terminal":
                ready.release()
            elif said["type"] == "instruction" and said["verb"] == "join":
                say("told")
                await socket.send_json({"type": "ack", "id": said["id"], "ok": True})
                entering = entering or asyncio.create_task(enter(said))
            elif said["type"] == "floor":
                say("floor")


async def _main() -> None:
    asked = json.loads(sys.stdin.readline())
    ready = asyncio.Semaphore(0)
    members = [asyncio.create_task(_member(asked["base"], who, ready)) for who in asked["people"]]
    for _ in members:
        await ready.acquire()
    print(json.dumps({"ready": len(members)}), flush=True)
    await asyncio.gather(*members)


class Crowd:
    """What the others say: ``at["heard"][person]`` is a time of ``time.monotonic``."""

    def __init__(self, process: asyncio.subprocess.Process, count: int) -> None:
        self.process, self.count = process, count
        self.at: dict[str, dict[str, float]] = {"told": {}, "floor": {}, "entered": {}, "heard": {}}

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            said = json.loads(line)
            if "what" in said:
                self.at[said["what"]].setdefault(said["who"], said["at"])

    async def all(self, what: str, within: float = 120.0) -> list[float]:
        await until(lambda: len(self.at[what]) >= self.count, within, f"of each light client: {what}")
        return list(self.at[what].values())


@asynccontextmanager
async def crowd(base: str, people: Sequence[dict[str, str]]) -> AsyncIterator[Crowd]:
    """At their terminals when this begins, gone when it ends. ``people``: ``id``, ``name``, ``token`` of a sign-in."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.crowd", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps({"base": base, "people": list(people)}).encode() + b"\n")
        first = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        assert first == {"ready": len(people)}
        all_of_them = Crowd(process, len(people))
        listening = asyncio.create_task(all_of_them.listen())
        yield all_of_them
        listening.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(_main())
