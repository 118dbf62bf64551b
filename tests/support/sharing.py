"""Several runs of pytest that share the same tests, a file at a time: each file goes to who claims it first.

Without a word between the processes: a library in one of them that closes what is not its own, or that ends it, costs the
others nothing (pytest-xdist's workers hang on a pipe to one master, and what is lost of it ends the whole run).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pytest


def claimed(folder: Path, name: str) -> bool:
    """Whether ``name`` is now this process's: the first who asks has it, over all processes that share ``folder``."""
    try:
        os.close(os.open(folder / name.replace("/", "!"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def shares(items: Iterable[pytest.Item], folder: Path) -> Iterator[pytest.Item]:
    """What this run tests of all: whole files, those with many tests first; each is claimed when its turn comes."""
    items = list(items)
    many = Counter(item.path for item in items)
    for path, of_file in groupby(sorted(items, key=lambda item: (-many[item.path], str(item.path))), key=lambda item: item.path):
        if claimed(folder, str(path)[-200:]):
            yield from of_file


def run(session: pytest.Session, folder: Path) -> None:
    """pytest's own loop over :func:`shares`: what the next test needs as well is not taken down between the two."""
    mine = shares(session.items, folder)
    item = next(mine, None)
    while item is not None:
        following = next(mine, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
