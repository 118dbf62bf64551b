"""What several tests share."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago. Prefer binding 0 where the program under test can tell its port."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(true: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Returns as soon as `true()` is; AssertionError after `seconds`. For real processes only: time is a
    parameter everywhere else."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"Not within {seconds} s: {what or true}"
        time.sleep(0.01)


async def until(true: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
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
