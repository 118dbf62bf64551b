"""The table of figures that `make prove` keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import proofs
from tests.support.proofs import Figure, Proof

AT = datetime(2026, 3, 1, tzinfo=UTC)


def proof(name: str, value: float, goal: str | None = "≤ 1.5 s") -> Proof:
    return Proof(name, value, "s", goal, "make prove WORDS=tests/a.py::test_a")


def test_a_figure_takes_the_place_of_its_older_one_and_others_stay(tmp_path: Path) -> None:
    table = tmp_path / "docs" / "proofs.md"
    proofs.write(table, proof("worker kill", 2.0), at=AT, cores=2)
    proofs.write(table, proof("hub kill", 0.1), at=AT, cores=2)
    proofs.write(table, proof("worker kill", 1.25), at=AT, cores=2)
    rows = [line for line in table.read_text().splitlines() if "make prove WORDS" in line]
    assert rows == [
        "| hub kill | 0.1 s | ≤ 1.5 s | 是 yes | 2026-03-01 | 2 cores | `make prove WORDS=tests/a.py::test_a` |",
        "| worker kill | 1.25 s | ≤ 1.5 s | 是 yes | 2026-03-01 | 2 cores | `make prove WORDS=tests/a.py::test_a` |",
    ]
    assert table.read_text().startswith(proofs.HEAD)


@pytest.mark.parametrize(
    ("value", "goal", "reached"),
    [
        (1.5, "≤ 1.5 s", True),
        (1.6, "≤ 1.5 s", False),
        (99, "≥ 99 %", True),
        (5000, "= 5,000", True),
        (20, "> 20", False),
        (9, None, True),
    ],
)
def test_a_goal_is_reached_or_not(value: float, goal: str | None, reached: bool) -> None:
    assert proof("x", value, goal).reached is reached
    assert ("**否 no**" in proof("x", value, goal).row(AT, 2)) is not reached


def test_a_goal_without_a_number_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="A goal begins with ≤ ≥ < > or = and a number, not 'fast'\\."):
        proof("x", 1, "fast")


def test_figures_outside_make_prove_are_measured_and_written_nowhere(figure: Figure, request: pytest.FixtureRequest) -> None:
    assert request.config.getoption("--proofs") is None
    assert figure("nothing", 1, "s", goal="≤ 2 s")
    assert not figure("nothing", 3, "s", goal="≤ 2 s")
