"""Runs that share tests: each file is tested once, by one of them, in its own order."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.sharing import claimed

ROOT = Path(__file__).parents[1]


def test_the_first_who_asks_has_it(tmp_path: Path) -> None:
    assert claimed(tmp_path, "tests/a.py")
    assert not claimed(tmp_path, "tests/a.py")
    assert claimed(tmp_path, "tests/b.py")


def test_two_runs_test_everything_once(tmp_path: Path) -> None:
    shared, log = tmp_path / "shared", tmp_path / "log"
    shared.mkdir()
    (tmp_path / "tests").mkdir()
    for name in "abcdef":
        (tmp_path / "tests" / f"test_{name}.py").write_text(
            "import os, pytest, time\n"
            "@pytest.fixture(scope='module')\n"
            "def house():\n"
            f"    yield open({str(log)!r}, 'a', buffering=1).write(f'{{os.getpid()}} up {name}\\n')\n"
            f"    open({str(log)!r}, 'a').write(f'{{os.getpid()}} down {name}\\n')\n"
            "@pytest.mark.parametrize('n', range(3))\n"
            f"def test_it(house, n): time.sleep(.02); open({str(log)!r}, 'a').write(f'{{os.getpid()}} {name}{{n}}\\n')\n"
        )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.conftest",
        "--timeout=20",
        f"--shared={shared}",
        str(tmp_path / "tests"),
    ]
    runs = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outs = [run.communicate(timeout=50)[0] for run in runs]
    # Who came too late for any file has run no test, which is no fault of a run that shares.
    assert [run.returncode for run in runs] == [0, 0], outs
    lines = [line.split(" ", 1) for line in log.read_text().splitlines()]
    assert sorted(what for _, what in lines if re.fullmatch(r"[a-f]\d", what)) == [
        f"{name}{n}" for name in "abcdef" for n in range(3)
    ]
    for name in "abcdef":
        told = [(pid, what) for pid, what in lines if re.fullmatch(rf"(up|down) {name}|{name}\d", what)]
        assert len({pid for pid, _ in told}) == 1
        assert [what for _, what in told] == [f"up {name}", f"{name}0", f"{name}1", f"{name}2", f"down {name}"]
