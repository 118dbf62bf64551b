"""What encryption costs: the same media written, proved and closed, plain and encrypted, in turns in one run."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from recorder.container import Seal
from recorder.files import Disk, File
from recorder.shelf import Shelf
from tests.support.cabinets import cabinet
from tests.support.proofs import Figure

TRACKS, RATE, SECONDS, PIECE = 80, 30e6, 60, 0.5  # tracks, bit/s of all, s of media, s of a piece


async def spent(folder: Path, shelf: Shelf, pieces: list[bytes], seconds: int) -> float:
    """CPU seconds of the whole process for so many seconds of media."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    disk = Disk(sync_seconds=2.0)
    files = [File(disk, folder / "tracks" / f"{n:04d}" / "0001.webm.part", _never, shelf) for n in range(TRACKS)]
    for file in files:
        file.append(b"head" * 50)
    for number in range(round(seconds / PIECE)):
        for n, file in enumerate(files):
            file.append(pieces[(number + n) % len(pieces)], round(number * PIECE * 1000))
        await disk.run(lambda: None)
    for file in files:
        assert (await file.finish(Seal(b"tail", [(10, b"patch")]))).error is None
    await disk.close()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _never(error: OSError) -> None:
    raise AssertionError(error)


async def measured(data_dir: Path, seconds: int, rounds: int) -> dict[str, float]:
    """The least of ``rounds`` of each, % of a core."""
    pieces = [os.urandom(round(RATE / 8 / TRACKS * PIECE)) for _ in range(16)]
    out: dict[str, float] = {}
    for turn in range(rounds):
        for algorithm in ("none", "aes-256-gcm", "sm4-gcm"):
            folder = data_dir / "recordings" / f"{algorithm}-{turn}"
            cpu = await spent(folder, Shelf(folder, cabinet(data_dir, algorithm)), pieces, seconds)
            out[algorithm] = min(out.get(algorithm, 1e9), 100 * cpu / seconds)
    return out


async def test_both_are_written(data_dir: Path) -> None:
    found = await measured(data_dir, 2, 1)
    assert len(found) == 3
    plain = sum(path.stat().st_size for path in (data_dir / "recordings" / "none-0").rglob("*.webm"))
    for algorithm in ("aes-256-gcm", "sm4-gcm"):
        sealed = sum(path.stat().st_size for path in (data_dir / "recordings" / f"{algorithm}-0").rglob("*.webm"))
        assert plain < sealed < plain * 1.02


@pytest.mark.prove
async def test_what_it_costs(data_dir: Path, figure: Figure) -> None:
    found = await measured(data_dir, SECONDS, 3)
    for algorithm, load in found.items():
        figure(f"80 tracks, 30 Mbit/s, written and proved, encryption {algorithm}: CPU", load, "% of a core")
    ratio = found["aes-256-gcm"] / found["none"]
    assert figure("aes-256-gcm ÷ plain, CPU of writing in the same run", ratio, "×", goal="≤ 2")
    figure("sm4-gcm ÷ plain, CPU of writing in the same run", found["sm4-gcm"] / found["none"], "×")
