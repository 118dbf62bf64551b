"""VP8 payload descriptors: golden bytes, numbers that move, hostile bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import vp8
from commhub.wire.picture import Picture, shift


def test_descriptor() -> None:
    payload = bytes.fromhex("90c0" + "8123" + "45" + "10")
    assert vp8.parse(payload) == Picture(5, True, 0x123, 2, True, 0x45, 4, key=True)
    assert vp8.key_frame(payload)
    assert vp8.parse(bytes.fromhex("90e0" + "23" + "45" + "60" + "11")) == Picture(5, True, 0x23, 2, False, 0x45, 3, 1, 0, True)
    assert vp8.parse(bytes.fromhex("00ff")) == Picture(1, False)
    assert vp8.parse(b"\x10\x00").start
    assert not vp8.parse(b"\x11\x00").start  # the second partition


@pytest.mark.parametrize(("octet", "temporal", "up"), [("00", 0, False), ("40", 1, False), ("a7", 2, True), ("e0", 3, True)])
def test_temporal_layers(octet: str, temporal: int, up: bool) -> None:
    picture = vp8.parse(bytes.fromhex("90f0" + "8001" + "07" + octet + "11"))
    assert (picture.temporal, picture.up, picture.tl0, picture.size) == (temporal, up, 7, 6)
    only_key_index = vp8.parse(bytes.fromhex("9090" + "8001" + octet + "11"))  # K without T: no layer is told
    assert (only_key_index.temporal, only_key_index.up) == (0, False)


def test_numbers_move_in_their_own_width() -> None:
    payload = bytes.fromhex("90c0" + "fffe" + "ff" + "1020")
    moved = shift(payload, vp8.parse(payload), 3, 2)
    assert moved.hex() == "90c0" + "8001" + "01" + "1020"
    narrow = bytes.fromhex("90c0" + "7e" + "ff" + "10")
    assert shift(narrow, vp8.parse(narrow), 3, 0).hex() == "90c0" + "01" + "ff" + "10"
    bare = b"\x10\x10"
    assert shift(bare, vp8.parse(bare), 5, 5) == bare


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x90\x80", b"\x90\x80\x80", b"\x90\xc0\x01", b"\x90\x30"])
def test_torn(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^The VP8 payload descriptor ends behind the packet\.$"):
        vp8.parse(data)
    assert not vp8.key_frame(data)


@given(st.binary(max_size=60))
def test_any_bytes(payload: bytes) -> None:
    try:
        picture = vp8.parse(payload)
    except ValueError:
        return
    moved = shift(payload, picture, 12345, 200)
    assert len(moved) == len(payload)
    assert moved[picture.size :] == payload[picture.size :]
    assert vp8.size(payload, picture.size) >= (0, 0)
