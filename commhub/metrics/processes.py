"""What the kernel says of the hub's processes (proc(5)): memory, CPU, files, start."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from commhub.metrics.registry import Scrape

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes, seconds of CPU, open files, unix seconds."""

    memory: int
    cpu: float
    files: int
    started: float


def usage(pid: int, proc: Path = Path("/proc")) -> Usage:
    """OSError when there is no such process (any more), ValueError when the kernel says it otherwise."""
    folder = proc / str(pid)
    # The command may contain anything; what follows its closing bracket does not.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    booted = next(int(line.split()[1]) for line in (proc / "stat").read_text().splitlines() if line.startswith("btime "))
    return Usage(
        memory=int(fields[21]) * _PAGE,
        cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
        files=len(os.listdir(folder / "fd")),
        started=booted + int(fields[19]) / _TICKS,
    )


class Processes:
    """The processes the supervisor wrote down in ``pids.json``; without a supervisor this one."""

    def __init__(self, run_dir: Path) -> None:
        self._pids = run_dir / "pids.json"

    def __call__(self, scrape: Scrape) -> None:
        try:
            pids: dict[str, int] = json.loads(self._pids.read_text())
        except (OSError, ValueError):
            pids = {"hub": os.getpid()}
        for name, pid in pids.items():
            try:
                found = usage(pid)
            except (OSError, ValueError, IndexError):
                continue  # it has just ended
            scrape.add("process_resident_memory_bytes", found.memory, name)
            scrape.add("process_cpu_seconds", found.cpu, name)
            scrape.add("process_open_fds", found.files, name)
            scrape.add("process_start_time_seconds", found.started, name)
