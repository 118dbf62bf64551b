"""What the kernel says of processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commhub.metrics import Processes
from commhub.metrics.processes import usage
from commhub.metrics.registry import Scrape

# A fresh process: in one that has run for long, what it takes may come from memory that it has had before.
WORKS = """
import time
print("up", flush=True)
input()
files = [open("/dev/null") for _ in range(5)]
block = b"x" * (32 << 20)
until = time.process_time() + 0.1
while time.process_time() < until:
    pass
print("done", flush=True)
input()
"""


def test_what_a_process_takes() -> None:
    began = time.time()
    with subprocess.Popen([sys.executable, "-c", WORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        before = usage(child.pid)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "done\n"
        after = usage(child.pid)
        child.stdin.write("\n")
    assert child.returncode == 0
    assert after.files == before.files + 5
    assert (32 << 20) <= after.memory - before.memory < (48 << 20)
    assert after.cpu - before.cpu >= 0.1 - 2 / os.sysconf("SC_CLK_TCK")
    assert before.started == after.started
    assert abs(after.started - began) < 60  # by the kernel's whole seconds of its boot, and however long a start takes


def test_a_command_may_be_called_anything(tmp_path: Path) -> None:
    fields = ["S", *["0"] * 10, "150", "50", *["0"] * 6, "200", "0", "77", *["0"] * 20]
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "stat").write_text(f"7 (a) b) {' '.join(fields)}")
    (tmp_path / "stat").write_text("cpu 1\nbtime 1000\n")
    found = usage(7, tmp_path)
    ticks = os.sysconf("SC_CLK_TCK")
    assert (found.cpu, found.started) == (200 / ticks, 1000 + 200 / ticks)
    assert found.memory == 77 * os.sysconf("SC_PAGE_SIZE")
    with pytest.raises(OSError, match="No such file"):
        usage(8, tmp_path)


def test_the_supervisors_children_and_those_that_have_just_ended(tmp_path: Path) -> None:
    (tmp_path / "pids.json").write_text(json.dumps({"hub": os.getpid(), "media-0": 2**22 - 1}))
    scrape = Scrape()
    Processes(tmp_path)(scrape)
    samples = scrape.families["commhub_process_resident_memory_bytes"].samples
    assert [sample.labels["process"] for sample in samples] == ["hub"]
    scrape = Scrape()
    Processes(tmp_path / "nowhere")(scrape)
    assert [sample.labels["process"] for sample in scrape.families["commhub_process_open_fds"].samples] == ["hub"]
