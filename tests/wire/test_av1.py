"""AV1's aggregation header and sequence header: what Chromium sent, hostile bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import av1
from tests.support.layered import recorded


def test_key_frames_of_chromium_and_their_sizes() -> None:
    keys = [packet for packet in recorded("av1_s") if av1.key_frame(packet.payload)]
    sizes = {packet.layer: av1.size(packet.payload) for packet in keys}
    assert sizes == {0: (320, 180), 1: (640, 360), 2: (960, 540)}
    # A sequence header names the largest picture: with layers inside one stream that is the highest.
    assert av1.size(recorded("av1_k")[0].payload) == (960, 540)


def test_aggregation_header() -> None:
    head = av1.aggregation(bytes.fromhex("d8"))
    assert (head.continues, head.unfinished, head.count, head.first) == (True, True, 1, True)
    with pytest.raises(ValueError, match=r"^An AV1 payload has no aggregation header\.$"):
        av1.aggregation(b"")


def test_elements() -> None:
    assert av1.elements(bytes.fromhex("20" + "02aabb" + "cc")) == [b"\xaa\xbb", b"\xcc"]
    assert av1.elements(bytes.fromhex("00" + "01aa" + "02bbcc")) == [b"\xaa", b"\xbb\xcc"]
    with pytest.raises(ValueError, match=r"^An element is longer than its packet\.$"):
        av1.elements(bytes.fromhex("20" + "05aa"))
    with pytest.raises(ValueError, match=r"^An AV1 packet has too many elements\.$"):
        av1.elements(b"\x00" + b"\x00" * 40)


@given(st.binary(max_size=80))
def test_any_bytes(payload: bytes) -> None:
    assert av1.size(payload) >= (0, 0)
    assert av1.key_frame(payload) in (True, False)
