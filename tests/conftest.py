"""What holds for every test: no settings from outside, short data directories, real peers last, proofs only when asked for."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import sharing, tally
from tests.support.proofs import Figure, Proof, write

# How long an example takes says something of the machine, not of the code.
settings.register_profile("commhub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("commhub")

STATUS = pytest.StashKey[int]()
LEAVING = 60.0  # seconds that a test which was stopped has for putting its peers away and telling its failure


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proofs", type=Path, metavar="FILE", help="write the figures of proofs (marker prove) into this table")
    # Not by -m, which stays free for whoever asks for a part.
    parser.addoption("--peers", choices=("only", "never"), help="run only what has real software on the other side, or all else")
    parser.addoption("--shared", type=Path, metavar="DIR", help="leave out files that a run with the same folder has claimed")
    parser.addoption("--tally", type=Path, metavar="FILE", help="append what was counted (tests/support/tally.py)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Proofs take minutes: they run when -m names them, as tools/prove.sh does.
    proofs, peers = "prove" in config.getoption("markexpr"), config.getoption("--peers")
    kept, left = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        wrong = peers is not None and has_peer(item) is not (peers == "only")
        (left if wrong or (item.get_closest_marker("prove") is not None and not proofs) else kept).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
    asked = config.getoption("--timeout")
    usual = float(config.getini("timeout") if asked is None else asked)
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            marker = item.get_closest_marker("timeout")
            limit = float(marker.args[0]) if marker else usual
            item.obj = bounded(item.obj, limit)
            # Only what never awaits is ended by the signal: it may come into anything, also into what pytest itself does then.
            item.add_marker(pytest.mark.timeout(limit + LEAVING), append=False)
    # What takes milliseconds speaks first.
    items.sort(key=has_peer)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    folder: Path | None = session.config.getoption("--shared")
    if folder is None or session.config.option.collectonly or session.testsfailed:
        return None
    sharing.run(session, folder)
    return True


def has_peer(item: pytest.Item) -> bool:
    return item.get_closest_marker("peer") is not None


def bounded(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    """``test``, stopped where it awaits after ``seconds``: its traceback names the line, and its fixtures are put away."""

    @functools.wraps(test)
    async def within(*args: Any, **kwargs: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(*args, **kwargs)

    return within


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    # Where everything is tested, a peer that is not there is a failure: nobody would read "skipped".
    report = yield
    if report.skipped and os.environ.get("CI") and has_peer(item):
        report.outcome = "failed"
        report.longrepr = f"Skipped, but all peers must be there in CI: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    file: Path | None = config.getoption("--tally")
    if file is not None and not hasattr(config, "workerinput"):  # pytest-xdist's workers are counted where they were started
        tally.write(file, terminalreporter.stats, terminalreporter._session_start.elapsed().seconds)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
    session.config.stash[STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    # A thread of the livekit SDK may call into an interpreter that is being taken down, and aborts it: everything has been
    # reported by now, so the process ends without taking anything down.
    if "livekit.rtc" in sys.modules and STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[STATUS])


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("COMMHUB_"):
            monkeypatch.delenv(name)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """An empty directory for a hub: its path is short enough for the sockets in it (tmp_path's is not always)."""
    path = Path(tempfile.mkdtemp(prefix="hub-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Records a measured figure in docs/proofs.md when run by `make prove`; returns whether its goal is reached."""
    table: Path | None = request.config.getoption("--proofs")

    def record(name: str, value: float, unit: str, *, goal: str | None = None) -> bool:
        proof = Proof(name, value, unit, goal, f"make prove WORDS={request.node.nodeid.split('[')[0]}")
        print(f"{name}: {value:g} {unit} ({goal or 'no goal'})")
        if table is not None:
            write(table, proof)
        return proof.reached

    return record
