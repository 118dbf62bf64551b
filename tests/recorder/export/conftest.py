from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.taken import Recording, record

_MADE: dict[str, Recording] = {}


@pytest.fixture
async def recording(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Recording:
    """Made once; nobody changes it."""
    if "one" not in _MADE:
        _MADE["one"] = await record(tmp_path_factory.mktemp("exports"), data_dir)
    return _MADE["one"]
