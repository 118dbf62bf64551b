from __future__ import annotations

from pathlib import Path

import pytest

from commhub.directory import numbers
from commhub.vault import Vault


@pytest.mark.parametrize(
    ("address", "mask"),
    [
        ("13812341234", "138****1234"),
        ("+86 138-1234-1234", "+86138****1234"),
        ("010-88776655", "010****6655"),
        ("82345678", "8****78"),
        ("8001", "8***"),
        ("sip:13812341234@pbx", "sip:138****1234@pbx"),
    ],
)
def test_masks(address: str, mask: str) -> None:
    assert numbers.mask(address) == mask


@pytest.mark.parametrize(
    ("kind", "address", "personal"),
    [
        ("phone", "8001", True),
        ("sip", "8001@pbx.example", False),
        ("sip", "13812341234@pbx", True),
        ("im", "lisihan", False),
        ("web", "", False),
    ],
)
def test_what_has_to_be_sealed(kind: str, address: str, personal: bool) -> None:
    assert numbers.personal(kind, address) is personal


def test_a_number_is_found_however_it_is_written_and_by_its_end(tmp_path: Path) -> None:
    vault, other = Vault(tmp_path / "a"), Vault(tmp_path / "b")
    stored = numbers.tokens(vault, "+86 138-1234-5678")
    for said in ("13812345678", "0086 13812345678", "12345678", "345678", "5678"):
        assert set(numbers.asked(vault, said)) <= stored, said
    for said in ("138", "1381234", "678", "abc5678", "15812345678"):
        assert not set(numbers.asked(vault, said)) & stored, said
    assert not stored & numbers.tokens(other, "+86 138-1234-5678")  # the key is not in the database
    assert numbers.whole(vault, "138 1234 5678") == numbers.whole(vault, "+8613812345678") != numbers.whole(vault, "138")
    assert not any("5678" in token for token in stored)
