"""VP9 payload descriptors: golden bytes, what Chromium sent, hostile bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import vp9
from commhub.wire.picture import Picture, shift
from tests.support.layered import recorded


def test_descriptors_of_chromium() -> None:
    key = bytes.fromhex("be8c0a103000f0008701e0010e85")
    assert vp9.parse(key) == Picture(13, True, 0xC0A, 1, True, up=True, end=True, key=True)
    assert vp9.sizes(key) == [(240, 135), (480, 270)]
    above = vp9.parse(bytes.fromhex("b88c0a138702020003be021a"))
    assert (above.start, above.end, above.spatial, above.temporal, above.key) == (True, False, 1, 0, False)
    delta = vp9.parse(bytes.fromhex("fd8c0b50028700000001de01"))
    assert (delta.picture_id, delta.spatial, delta.temporal, delta.up, delta.end, delta.size) == (0xC0B, 0, 2, True, True, 5)


def test_fields_of_the_other_mode() -> None:
    # I, L, B, E; 7 bits; T1 U S0; TL0PICIDX 9
    picture = vp9.parse(bytes.fromhex("ac" + "05" + "30" + "09" + "00"))
    assert picture == Picture(4, True, 5, 1, False, 9, 3, 1, 0, True, True, True)
    assert shift(bytes.fromhex("ac053009ff"), picture, 3, 1).hex() == "ac08300aff"


def test_every_recorded_descriptor_can_be_read() -> None:
    for name in ("vp9_k", "vp9_f", "vp9_s"):
        seen = set()
        for packet in recorded(name):
            picture = vp9.parse(packet.payload)
            seen.add((picture.spatial, picture.temporal))
            assert picture.key is (picture.start and vp9.sizes(packet.payload) != [] and not picture.spatial and picture.key)
        assert {temporal for _, temporal in seen} == {0, 1, 2}


@pytest.mark.parametrize("data", ["", "80", "8080", "a0", "a080", "a08000", "f0800000", "02", "0230", "0208", "020801"])
def test_torn(data: str) -> None:
    with pytest.raises(ValueError, match=r"^The VP9 payload descriptor ends behind the packet\.$"):
        vp9.parse(bytes.fromhex(data))
    assert not vp9.key_frame(bytes.fromhex(data))
    assert vp9.sizes(bytes.fromhex(data)) == []


def test_too_many_references() -> None:
    with pytest.raises(ValueError, match=r"^A VP9 picture refers to more than three others\.$"):
        vp9.parse(bytes.fromhex("50" + "030303" + "00"))


@given(st.binary(max_size=60))
def test_any_bytes(payload: bytes) -> None:
    vp9.sizes(payload)
    try:
        picture = vp9.parse(payload)
    except ValueError as error:
        assert str(error).endswith(".")  # noqa: PT017
        return
    moved = shift(payload, picture, 12345, 200)
    assert moved[picture.size :] == payload[picture.size :]
    assert vp9.parse(moved)._replace(picture_id=0, tl0=0) == picture._replace(picture_id=0, tl0=0)
