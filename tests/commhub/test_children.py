"""The processes beside the hub: what each of them must load before it is back after a crash."""

import subprocess
import sys

import pytest

from tests.support import clean_environment

HEAVY = {"aiohttp", "alembic", "argon2", "commhub.api", "commhub.app", "commhub.store", "pypinyin", "sqlalchemy"}


@pytest.mark.parametrize("module", ["commhub.media.worker", "bridges.process", "recorder.recorder"])
def test_a_child_loads_nothing_of_the_hub(module: str) -> None:
    program = f"import sys, commhub.cli, commhub.children, {module}; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment(), timeout=60)
    assert HEAVY.isdisjoint(loaded.stdout.split())
