"""What several tests share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path

# Below what the kernel gives away itself: there a port that was free is taken by anybody's next connection.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port that nobody uses, for both UDP and TCP. Prefer binding 0 where the program under test can tell its port."""
    for _ in range(100):
        port = PORTS.start + secrets.randbelow(len(PORTS))  # not `random`, which tests seed
        with (
            contextlib.suppress(OSError),
            socket.socket(type=socket.SOCK_STREAM) as tcp,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("0.0.0.0", port))
            udp.bind(("0.0.0.0", port))
            return port
    raise RuntimeError("No free port.")


def wait_until(true: Callable[[], object], seconds: float = 30.0, what: str = "") -> None:
    """Returns as soon as `true()` is; AssertionError after `seconds`. For real processes only: time is a
    parameter everywhere else."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"Not within {seconds} s: {what or true}"
        time.sleep(0.01)


async def until(true: Callable[[], object], seconds: float = 30.0, what: str = "") -> None:
    """`wait_until` for tests that run an event loop."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"Not within {seconds} s: {what or true}"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without any setting of a hub, for a program that is started."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COMMHUB_")} | more
