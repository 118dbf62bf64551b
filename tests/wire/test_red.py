from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import red
from commhub.wire.red import Block, Redundant

# Two frames of 20 ms behind the primary, as libwebrtc writes them (payload type 111).
GOLDEN = bytes.fromhex("ef1e0002ef0f00036f") + b"aabbbprimary"


def test_golden_bytes() -> None:
    found = red.parse(GOLDEN)
    assert found == Redundant(111, b"primary", [Block(1920, b"aa"), Block(960, b"bbb")])
    assert red.build(111, b"primary", found.earlier) == GOLDEN
    assert red.build(111, b"alone", []) == b"\x6falone"
    assert red.parse(b"\x6falone") == Redundant(111, b"alone", [])


def test_blocks_that_help_nobody_are_left_out() -> None:
    empty = red.build(111, b"p", [Block(960, b"")])
    assert red.parse(empty).earlier == []
    other = bytes.fromhex("8f0f00016f") + b"xp"  # another payload type
    assert red.parse(other) == Redundant(111, b"p", [])


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"", "A RED packet has no primary block."),
        (bytes.fromhex("ef0f0000"), "A RED packet has no primary block."),
        (bytes.fromhex("ef0f00"), "A RED header is torn or too long."),
        (bytes.fromhex("ef0f0000") * 9 + b"\x6f", "A RED header is torn or too long."),
        (bytes.fromhex("ef0f00056f") + b"abcd", "A RED block is longer than its packet."),
    ],
)
def test_wrong_input(payload: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        red.parse(payload)


blocks = st.builds(Block, st.integers(1, red.MAX_BACK), st.binary(min_size=1, max_size=red.MAX_LENGTH))


@given(st.integers(0, 127), st.binary(), st.lists(blocks, max_size=red.MAX_BLOCKS))
def test_what_is_built_is_read(payload_type: int, primary: bytes, earlier: list[Block]) -> None:
    assert red.parse(red.build(payload_type, primary, earlier)) == Redundant(payload_type, primary, earlier)


@given(st.binary(max_size=200))
def test_only_the_declared_error(payload: bytes) -> None:
    try:
        red.parse(payload)
    except ValueError as error:
        assert str(error).endswith(".")  # noqa: PT017
