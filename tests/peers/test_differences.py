"""``docs/livekit-differences.md`` says all that the table of differences says, and every difference is shown by a test."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.peers.differences import DIFFERENCES, table

DOCS = Path(__file__).parents[2] / "docs" / "livekit-differences.md"


def shown_by() -> dict[str, list[str]]:
    """Key of a difference → the tests that expect it."""
    found: dict[str, list[str]] = {}
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.AsyncFunctionDef):
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "expected":
                        key = ast.literal_eval(call.args[0])
                        name = f"{file.stem}::{function.name}"
                        if name not in found.setdefault(key, []):
                            found[key].append(name)
    return found


def test_the_page_has_the_table() -> None:
    wanted = table(shown_by())
    assert wanted in DOCS.read_text(), f"docs/livekit-differences.md should have:\n{wanted}"


def test_every_difference_is_shown_by_a_test_and_every_expectation_is_written_down() -> None:
    assert shown_by().keys() == {one.key for one in DIFFERENCES}
