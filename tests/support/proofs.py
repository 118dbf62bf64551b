"""What `make prove` measured, kept in docs/proofs.md: of each figure the newest; those of parts not run this time stay."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

HEAD = """# 实测记录 / Proofs

`make prove` 测量，并把结果写到这里；没有重跑的项目保留上次的数字。
Measured and written by `make prove`; figures of parts that were not run again are kept. Do not edit the table by hand.

| 项目 figure | 结果 measured | 目标 goal | 达到 reached | 日期 date | 机器 machine | 重测 measure again |
|---|---|---|---|---|---|---|
"""
_GOAL = re.compile(r"(≤|≥|<|>|=)\s*([\d,]+(?:\.\d+)?)(?:\s|$)")
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "≤": lambda value, bound: value <= bound,
    "≥": lambda value, bound: value >= bound,
    "<": lambda value, bound: value < bound,
    ">": lambda value, bound: value > bound,
    "=": lambda value, bound: value == bound,
}


class Figure(Protocol):
    """The fixture `figure`: records one measured figure and says whether its goal is reached (True when there is none)."""

    def __call__(self, name: str, value: float, unit: str, *, goal: str | None = None) -> bool: ...


@dataclass(frozen=True)
class Proof:
    """A row of the table. `name` is its key; `goal` begins with ≤ ≥ < > or = and a number in the figure's own unit."""

    name: str
    value: float
    unit: str
    goal: str | None
    command: str

    def __post_init__(self) -> None:
        if "|" in self.name + self.unit + (self.goal or "") or "\n" in self.name:
            raise ValueError("A figure's name, unit and goal are cells of a table: neither '|' nor line breaks.")
        if self.goal is not None and not _GOAL.match(self.goal):
            raise ValueError(f"A goal begins with ≤ ≥ < > or = and a number, not {self.goal!r}.")

    @property
    def reached(self) -> bool:
        found = _GOAL.match(self.goal) if self.goal is not None else None
        return found is None or _HOLDS[found[1]](self.value, float(found[2].replace(",", "")))

    def row(self, at: datetime, cores: int) -> str:
        number = f"{self.value:,.0f}" if float(self.value).is_integer() or abs(self.value) >= 1000 else f"{self.value:.3g}"
        verdict = "—" if self.goal is None else "是 yes" if self.reached else "**否 no**"
        cells = [self.name, f"{number} {self.unit}".strip(), self.goal or "—", verdict, f"{at:%Y-%m-%d}", f"{cores} cores"]
        return "| " + " | ".join([*cells, f"`{self.command}`"]) + " |\n"


def write(path: Path, proof: Proof, *, at: datetime | None = None, cores: int | None = None) -> None:
    """Puts the proof's row in place of the older one of that name; rows stand in the order of their commands and names.

    Two runs at once do not lose each other's rows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        rows = {name: row for row in file if (name := _name(row)) is not None}
        rows[proof.name] = proof.row(at or datetime.now(UTC), cores or len(os.sched_getaffinity(0)))
        ordered = sorted(rows.values(), key=lambda row: (row.rsplit(" | ", 1)[-1], row))
        file.seek(0)
        file.truncate()
        file.write(HEAD + "".join(ordered))


def _name(row: str) -> str | None:
    cells = row.split(" | ")
    return cells[0].removeprefix("| ") if len(cells) == 7 and "`make prove" in cells[-1] else None
