"""The dependency descriptor: what Chromium sent, structures of the specification's shapes, hostile bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import dependency
from commhub.wire.dependency import ABSENT, REQUIRED, SWITCH
from tests.support.layered import recorded

# Chromium's first packet of VP9 L3T3_KEY, 960 x 540, while it sends the two lower spatial layers.
KEY = next(one.descriptor for one in recorded("vp9_k"))


def structure() -> dependency.Structure:
    found = dependency.parse(KEY, None).structure
    assert found is not None
    return found


def test_a_key_frame_of_chromium() -> None:
    frame = dependency.parse(KEY, None)
    assert (frame.start, frame.end, frame.number, frame.spatial, frame.temporal, frame.key) == (True, True, 1, 0, 0, True)
    found = structure()
    assert found.targets == tuple((spatial, temporal) for spatial in range(3) for temporal in range(3))
    assert found.sizes == ((240, 135), (480, 270), (960, 540))
    assert found.chains == 3
    assert found.protected == (0, 0, 0, 1, 1, 1, 2, 2, 2)
    assert frame.dtis[:3] == (SWITCH,) * 3
    assert dependency.parse(bytes.fromhex("850002"), found)[:6] == (True, False, 2, 5, 1, 0)


def test_what_a_decode_target_contains() -> None:
    found = structure()
    assert found.target(99, 99) == 8
    assert found.target(1, 0) == 3
    assert found.target(99, 99, 0b000111111) == 5  # the highest layer is not being sent
    assert not found.whole(8)  # the lower layers are needed at key frames only
    assert found.within(6, 8)
    assert not found.within(3, 8)


def test_every_recorded_descriptor_can_be_read() -> None:
    for name in ("vp9_k", "vp9_f", "av1_k", "av1_s"):
        known: dict[int, dependency.Structure] = {}
        for packet in recorded(name):
            frame = dependency.parse(packet.descriptor, known.get(packet.layer))
            if frame.structure is not None:
                known[packet.layer] = frame.structure
            assert 0 < len(frame.dtis) <= 9
            assert all(0 < back < 64 for back in frame.fdiffs)
        assert known


def test_frame_numbers_move_and_wrap() -> None:
    assert dependency.renumber(bytes.fromhex("c3fffe1a201008"), 3).hex() == "c300011a201008"


@pytest.mark.parametrize(
    "data", [KEY, bytes.fromhex("850002"), bytes.fromhex("c300031a20100800"), bytes.fromhex("c800041a20181000")]
)
@pytest.mark.parametrize("mask", [0b111, 0b1, 0b111111111])
def test_another_mask_changes_nothing_else(data: bytes, mask: int) -> None:
    known = structure()
    before = dependency.parse(data, known)
    changed = dependency.with_active(data, before, 9, mask)
    after = dependency.parse(changed, known)
    assert after.active == mask
    assert after._replace(active=None, mask_at=0) == before._replace(active=None, mask_at=0)
    again = dependency.with_active(changed, after, 9, 0b101)
    assert dependency.parse(again, known).active == 0b101
    assert len(again) <= len(changed)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "A dependency descriptor has 3 to 255 octets."),
        (b"\x80\x00", "A dependency descriptor has 3 to 255 octets."),
        (bytes(256), "A dependency descriptor has 3 to 255 octets."),
        (b"\xbf\x00\x01", "A dependency descriptor names a template that is not there."),
        (b"\x80\x00\x01\x80", "The dependency descriptor ends in the middle of a field."),
        (b"\x80\x00\x01" + b"\x80\x00" + b"\x00" * 200, "A dependency structure has too many templates or layers."),
        (b"\x80\x00\x01" + b"\x80\x01" + b"\xaa" * 200, "A dependency structure has too many templates or layers."),
        (b"\x80\x00\x01" + b"\x17" + b"\xff" * 60, "A frame refers to too many others."),
    ],
)
def test_wrong_descriptors(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + sentence.replace(".", r"\.") + "$"):
        dependency.parse(data, structure())
    if len(data) == 3:
        with pytest.raises(ValueError, match=r"^A dependency descriptor came before its structure\.$"):
            dependency.parse(data, None)


@given(st.binary(max_size=120), st.booleans(), st.integers(0, 1 << 32))
def test_any_bytes(data: bytes, known: bool, mask: int) -> None:
    held = structure() if known else None
    try:
        frame = dependency.parse(data, held)
    except ValueError as error:
        assert str(error).endswith(".")  # noqa: PT017
        return
    current = frame.structure or held
    assert current is not None
    changed = dependency.with_active(data, frame, len(current.targets), mask)
    assert dependency.parse(changed, held)[:8] == frame[:8]
    for target in range(len(current.targets)):
        assert current.within(target, target)
    assert ABSENT not in (SWITCH, REQUIRED)


@given(st.integers(0, len(KEY) * 8 - 1), st.integers(0, 255))
def test_a_flipped_structure(bit: int, octet: int) -> None:
    data = bytearray(KEY)
    data[bit // 8] ^= octet
    try:
        dependency.parse(bytes(data), None)
    except ValueError as error:
        assert str(error).endswith(".")  # noqa: PT017
