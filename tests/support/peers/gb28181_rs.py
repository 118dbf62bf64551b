"""A device of GB/T 28181 that nobody here wrote: the crate ``gb28181-rs``, in a program of a few lines (``gb28181_rs/``).

Cargo builds it once, by its lock, into ``.cache/gb28181-rs``: half a minute of one core."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from bridges.scene import Encoder, Scene
from bridges.simulated.film import BEIJING
from commhub.wire import h264
from tests.support import free_port

HERE = Path(__file__).parent / "gb28181_rs"
TARGET = HERE.parents[3] / ".cache" / "gb28181-rs"
_UNREACHABLE = ("failed to download", "Could not resolve host", "failed to fetch", "network failure", "spurious network error")


async def built() -> Path:
    """The program. Skips, where that is allowed, when there is no cargo or no registry."""
    cargo = shutil.which("cargo") or shutil.which("cargo", path=str(Path.home() / ".cargo" / "bin"))
    if cargo is None:
        pytest.skip("There is no cargo.")
    process = await asyncio.create_subprocess_exec(
        cargo, "build", "--quiet", "--locked", "--manifest-path", str(HERE / "Cargo.toml"), "--target-dir", str(TARGET),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    text = errors.decode(errors="replace")
    if process.returncode != 0:
        if any(word in text for word in _UNREACHABLE):
            pytest.skip(f"The registry of crates cannot be reached: {text.strip().splitlines()[-1]}")
        raise RuntimeError(text)
    return TARGET / "debug" / "gb28181-peer"


def film(file: Path, pictures: int = 150) -> None:
    """A street in H.264, 25 pictures a second, a key frame each second."""
    scene, encoder = Scene(320, 180, "RS"), Encoder(320, 180, Fraction(25), 25)
    began = datetime.now(BEIJING)
    with file.open("wb") as out:
        for number in range(pictures):
            for picture in encoder.encode(scene.draw(began + timedelta(seconds=number / 25))):
                out.write(b"".join(h264.START_CODE + unit for unit in picture.units))


class Peer:
    """The device. ``lines`` is what it was told; ``recorded`` when its recording begins, Unix seconds."""

    def __init__(self, process: asyncio.subprocess.Process, recorded: int) -> None:
        self.lines: list[str] = []
        self.recorded = recorded
        self._process = process
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode().strip())

    async def close(self) -> None:
        """It signs out."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading


@asynccontextmanager
async def device(
    folder: Path, address: tuple[str, int], *, code: str, channel: str, domain: str, password: str, transport: str = "udp"
) -> AsyncIterator[Peer]:
    program = await built()
    film(folder / "rs.h264")
    recorded = int(time.time()) - 600
    said = {
        "PLATFORM_HOST": address[0], "PLATFORM_PORT": str(address[1]), "DEVICE": code, "CHANNEL": channel, "DOMAIN": domain,
        "PASSWORD": password, "SIP_PORT": str(free_port()), "VIDEO": str(folder / "rs.h264"),
        "RECORDED_MS": str(recorded * 1000), "TRANSPORT": transport,
        "TZ": "CST-8",  # devices live in Beijing
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        str(program), env=os.environ | said, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    peer = Peer(process, recorded)
    try:
        yield peer
    finally:
        await peer.close()
