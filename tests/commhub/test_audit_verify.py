"""``commhub audit verify``: its exit status and its words, for everything that can be done to a chain; and the file of heads."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from commhub import audit, cli
from commhub.model import HUB
from commhub.store import Store
from tests.support import clean_environment

ROWS = 12
WHOLE = f"审计完整，{ROWS} 条 / the audit is whole: {ROWS} rows\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data directory of a hub that has done something."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("COMMHUB_")]:
        del os.environ[name]
    monkeypatch.chdir(tmp_path)
    os.environ["COMMHUB_DATA_DIR"] = str(tmp_path / "data")

    async def fill() -> None:
        store = Store(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'commhub.db'}")
        await store.open()
        for number in range(ROWS):
            async with store.transaction() as transaction:
                await audit.record(transaction, HUB, "camera.open", f"s{number}", object="青石桥")
            if number == 7:
                async with store.reading() as reading:
                    await audit.export_head(reading, tmp_path / "data" / "audit-heads")
        await store.close()

    asyncio.run(fill())
    yield tmp_path / "data"
    os.environ.clear()
    os.environ.update(before)


def verify(capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit status, what is printed, what is complained of."""
    status = 0
    try:
        cli.app(["audit", "verify"])
    except SystemExit as left:
        status = int(left.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def do(data: Path, *statements: str) -> None:
    with closing(sqlite3.connect(data / "commhub.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_a_chain_nobody_touched(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(capsys) == (0, WHOLE, "")


@pytest.mark.parametrize(
    ("statements", "fault"),
    [
        (["UPDATE audit SET object = 'other' WHERE seq = 3"], "Row 3 is not what was written."),
        (["UPDATE audit SET result = 'refused' WHERE seq = 12"], "Row 12 is not what was written."),
        (["DELETE FROM audit WHERE seq = 4"], "Rows 4 to 4 are missing."),
        (["DELETE FROM audit WHERE seq IN (5, 6, 7)"], "Rows 5 to 7 are missing."),
        (
            [
                "UPDATE audit SET seq = 99 WHERE seq = 5",
                "UPDATE audit SET seq = 5 WHERE seq = 6",
                "UPDATE audit SET seq = 6 WHERE seq = 99",
            ],
            "Row 5 is not what was written.",
        ),
        (["DELETE FROM audit WHERE seq > 9"], "The chain ends with row 9; row 12 had been written."),
        (["DELETE FROM audit"], "The chain ends with row 0; row 12 had been written."),
        (
            ["DELETE FROM audit WHERE seq > 6", "UPDATE counters SET value = 6 WHERE name = 'audit'"],
            "The chain ends with row 6; row 8 had been written.",  # by the head that was exported
        ),
        (["DELETE FROM audit", "DELETE FROM counters"], "The chain ends with row 0; row 8 had been written."),
        (["UPDATE audit SET seq = NULL WHERE seq = 12"], "1 rows do not belong to the chain."),
    ],
)
def test_what_was_done_to_it_is_said(data: Path, capsys: pytest.CaptureFixture[str], statements: list[str], fault: str) -> None:
    do(data, *statements)
    status, out, err = verify(capsys)
    assert status == 1
    assert fault in out.splitlines()
    assert err == f"审计链已被改动 / the audit has been changed: {len(out.splitlines())}\n"


def test_a_head_that_was_rewritten_is_a_fault_too(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heads = data / "audit-heads"
    line = heads.read_text()
    heads.write_text(line.replace(" 8 ", " 9 "))
    assert verify(capsys)[:2] == (1, "Row 9 is not the one whose hash was exported.\n")
    heads.write_text(line + "2025-01-01T00:00:00Z 8 " + "0" * 64 + "\nnothing\n")
    assert verify(capsys)[:2] == (1, "The heads have two hashes of row 8.\nLine 3 of the heads is none.\n")


def test_heads_of_earlier_years_count(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A year's heads are moved aside when the next one begins; none is forgotten."""
    heads = data / "audit-heads"
    year = heads.read_text()[:4]
    heads.write_text(heads.read_text().replace(year, "2020", 1))

    async def export() -> None:
        store = Store(f"sqlite+aiosqlite:///{data / 'commhub.db'}")
        async with store.reading() as reading:
            assert await audit.export_head(reading, heads)
            assert not await audit.export_head(reading, heads)
        await store.close()

    asyncio.run(export())
    assert (data / "audit-heads.2020").read_text().split()[1] == "8"
    assert [line.split()[1] for line in heads.read_text().splitlines()] == [str(ROWS)]
    assert verify(capsys)[0] == 0
    (data / "audit-heads.2020").write_text("2020-01-01T00:00:00Z 8 " + "0" * 64 + "\n")
    assert verify(capsys)[:2] == (1, "Row 8 is not the one whose hash was exported.\n")


def test_where_there_is_nothing_nothing_is_whole(data: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["COMMHUB_DATA_DIR"] = str(data_dir / "e")
    status, out, err = verify(capsys)
    assert (status, out) == (2, "")
    assert "There is no database at" in err
    assert not (data_dir / "e" / "commhub.db").exists()  # looking makes none
    (data_dir / "e").mkdir(exist_ok=True)
    (data_dir / "e" / "commhub.db").write_bytes(b"no database " * 100)
    status, out, err = verify(capsys)
    assert (status, out) == (2, "")
    assert "The database cannot be read" in err


def test_as_a_command(data: Path) -> None:
    do(data, "UPDATE audit SET actor_name = 'somebody else' WHERE seq = 1")
    words = [sys.executable, "-m", "commhub", "audit", "verify"]
    environment = {**clean_environment(), "COMMHUB_DATA_DIR": str(data)}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (1, "Row 1 is not what was written.\n"), done.stderr
