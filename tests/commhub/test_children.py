"""The processes beside the hub: what each of them must load before it is back after a crash."""

import subprocess
import sys

import pytest

from tests.support import clean_environment

HEAVY = {"aiohttp", "alembic", "argon2", "commhub.api", "commhub.app", "commhub.store", "pypinyin", "sqlalchemy"}
OF_PEOPLE = {"PIL", "alembic", "commhub.cli", "cyclopts", "qrcode", "rich"}  # what only commands and rare pages need


def loaded(*modules: str) -> set[str]:
    program = f"import sys, commhub.processes, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=clean_environment(), timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["commhub.media.worker", "bridges.process", "recorder.recorder"])
def test_a_child_loads_nothing_of_the_hub(module: str) -> None:
    assert (HEAVY | OF_PEOPLE).isdisjoint(loaded("commhub.children", module))


def test_the_hub_loads_nothing_for_commands_and_rare_pages() -> None:
    assert OF_PEOPLE.isdisjoint(loaded("commhub.app"))
