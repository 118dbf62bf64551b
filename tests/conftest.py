"""What holds for every test: no settings from outside, short data directories, real peers last."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

STATUS = pytest.StashKey[int]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes milliseconds speaks first.
    items.sort(key=lambda item: item.get_closest_marker("peer") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    # Where everything is tested, a peer that is not there is a failure: nobody would read "skipped".
    report = yield
    if report.skipped and os.environ.get("CI") and item.get_closest_marker("peer") is not None:
        report.outcome = "failed"
        report.longrepr = f"Skipped, but all peers must be there in CI: {report.longrepr}"
    return report


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
