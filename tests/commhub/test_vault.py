from __future__ import annotations

import stat
from pathlib import Path

import pytest

from commhub.vault import Vault


def test_a_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = Vault(folder).secret("internal")
    assert len(first) == 64
    assert Vault(folder).secret("internal") == first
    assert Vault(folder).secret("other") != first
    assert stat.S_IMODE((folder / "internal").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["internal", "other"]


def test_sealed_texts_open_only_for_their_record_with_their_key(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "a")
    sealed = vault.seal("密码 p@ss", "camera 1")
    assert vault.unseal(sealed, "camera 1") == "密码 p@ss"
    assert b"p@ss" not in sealed
    assert vault.seal("密码 p@ss", "camera 1") != sealed
    for broken, about in ((sealed, "camera 2"), (sealed[:-1] + b"x", "camera 1"), (b"", "camera 1"), (sealed[:5], "camera 1")):
        with pytest.raises(ValueError, match="does not open"):
            vault.unseal(broken, about)
    with pytest.raises(ValueError, match="does not open"):
        Vault(tmp_path / "b").unseal(sealed, "camera 1")
