"""The two runs of `make test` are one in its last line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import tally


def test_runs_are_added_up(tmp_path: Path) -> None:
    file = tmp_path / "tally"
    tally.write(file, {"passed": [1] * 4000, "failed": [1], "deselected": [1] * 900, "": [1] * 5}, 200.25)
    tally.write(file, {"passed": [1] * 340, "failed": [1, 1], "error": [1, 1], "skipped": [1]}, 1400.5)
    assert tally.total(file, 2) == "======= 3 failed, 4340 passed, 1 skipped, 2 errors in 1600.75s (0:26:40) ======="


def test_what_pytest_does_not_count_is_not_counted(tmp_path: Path) -> None:
    file = tmp_path / "tally"
    tally.write(file, {"passed": [SimpleNamespace(count_towards_summary=False), SimpleNamespace()]}, 1)
    assert tally.total(file, 1).strip("= ") == "1 passed in 1.00s (0:00:01)"


def test_a_run_that_did_not_come_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "tally"
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^pytest did not finish\.$"):
            tally.total(file, 2)
        tally.write(file, {"deselected": [1]}, 0.5)
    assert tally.total(file, 2).strip("= ") == "no tests ran in 1.00s (0:00:01)"
