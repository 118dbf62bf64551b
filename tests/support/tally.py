"""What several runs of pytest counted, added up into one line like pytest's own: `make test` runs it three times.

``python -m tests.support.tally FILE RUNS`` prints the line of so many runs that were made with ``--tally FILE``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# In pytest's order. What was deselected is not added: each run leaves out what the other one runs.
COUNTED = ("failed", "passed", "skipped", "xfailed", "xpassed", "error")
WIDTH = 80


def write(file: Path, stats: Mapping[str, Sequence[object]], seconds: float) -> None:
    """Append a run: reports by outcome, as pytest's terminal reporter has them, and how long it took."""
    counts = {name: sum(getattr(one, "count_towards_summary", True) for one in stats.get(name, ())) for name in COUNTED}
    with file.open("a") as out:
        out.write(json.dumps({"counts": counts, "seconds": seconds}) + "\n")


def total(file: Path, expected: int) -> str:
    """The line; ValueError when fewer runs than expected have come to their end."""
    runs = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    if len(runs) < expected:
        raise ValueError("pytest did not finish.")
    counts = {name: sum(run["counts"][name] for run in runs) for name in COUNTED}
    said = ", ".join(f"{count} {_plural(name, count)}" for name, count in counts.items() if count) or "no tests ran"
    seconds = sum(run["seconds"] for run in runs)
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f" {said} in {seconds:.2f}s ({hours}:{minutes:02}:{int(seconds) % 60:02}) ".center(WIDTH, "=")


def _plural(name: str, count: int) -> str:
    return "errors" if name == "error" and count > 1 else name


if __name__ == "__main__":
    try:
        print(total(Path(sys.argv[1]), int(sys.argv[2])))
    except ValueError as error:
        print(error)
        sys.exit(1)
