"""RTP headers and extensions: golden bytes, aiortc on the other side, hostile lengths."""

from __future__ import annotations

import aiortc.rtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import rtp


def test_golden() -> None:
    data = rtp.build(
        b"\xaa\xbb",
        ssrc=0x01020304,
        sequence=0x1234,
        timestamp=0xA0B0C0D0,
        payload_type=96,
        marker=True,
        values=[(3, b"f"), (5, b"\0\x07")],
    )
    assert data.hex() == "90e01234a0b0c0d001020304" + "bede0002" + "3066" + "510007" + "000000" + "aabb"
    assert rtp.header_size(data, len(data)) == 24
    assert rtp.extensions(data, 24) == {3: b"f", 5: b"\0\x07"}
    assert rtp.payload(data) == b"\xaa\xbb"


def test_two_byte_form_for_large_numbers_and_empty_values() -> None:
    block = rtp.pack_extensions([(20, b"ab"), (1, b"")])
    assert block.hex() == "10000002" + "14026162" + "0100" + "0000"
    data = b"\x90\x60" + bytes(10) + block
    assert rtp.extensions(data, rtp.header_size(data, len(data))) == {20: b"ab", 1: b""}
    assert rtp.pack_extensions([(3, bytes(17))])[:2] == b"\x10\x00"


def test_aiortc_reads_it() -> None:
    data = rtp.build(b"xyz", ssrc=9, sequence=70000, timestamp=1 << 32 | 5, payload_type=111, values=[(1, b"mid"), (2, b"\x85")])
    packet = aiortc.rtp.RtpPacket.parse(data)
    assert (packet.sequence_number, packet.timestamp, packet.ssrc, packet.payload_type) == (70000 & 0xFFFF, 5, 9, 111)
    assert packet.payload == b"xyz"


def test_contributing_sources_and_padding() -> None:
    data = b"\xa2\x60" + bytes(10) + bytes(8) + b"pay" + b"\0\0\x03"
    assert rtp.header_size(data, len(data)) == 20
    assert rtp.payload(data) == b"pay"
    with pytest.raises(ValueError, match="padding is longer"):
        rtp.payload(data[:-1] + b"\x07")
    with pytest.raises(ValueError, match="padding is longer"):
        rtp.payload(data[:-1] + b"\0")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x80" + bytes(10), "An RTP packet has at least 12 octets."),
        (b"\x40" + bytes(11), "The RTP version is not 2."),
        (b"\x8f" + bytes(11), "The RTP header ends behind the packet."),
        (b"\x90" + bytes(11), "The RTP header ends behind the packet."),
        (b"\x90" + bytes(11) + b"\xbe\xde\0\x01" + bytes(3), "The RTP header ends behind the packet."),
    ],
)
def test_wrong_input_has_its_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        rtp.header_size(data, len(data))
    assert str(caught.value) == sentence


def test_torn_elements_end_the_list() -> None:
    data = b"\x90" + bytes(11) + b"\xbe\xde\0\x01" + b"\x10\x61" + b"\x2f\x00"  # the second says 16 octets
    assert rtp.extensions(data, 20) == {1: b"a"}
    data = b"\x90" + bytes(11) + b"\x10\x00\0\x01" + b"\x01\x00" + b"\x02\x09"
    assert rtp.extensions(data, 20) == {1: b""}
    data = b"\x90" + bytes(11) + b"\xbe\xde\0\x01" + b"\x10\x61" + b"\xf0\x61"  # 15 ends it (RFC 8285 §4.2)
    assert rtp.extensions(data, 20) == {1: b"a"}


@given(
    st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=6, unique_by=lambda pair: pair[0]),
    st.binary(),
)
def test_round_trip(values: list[tuple[int, bytes]], payload: bytes) -> None:
    data = rtp.build(payload, ssrc=1, sequence=2, timestamp=3, payload_type=4, values=values)
    size = rtp.header_size(data, len(data))
    assert rtp.extensions(data, size) == dict(values)
    assert data[size:] == payload


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    for candidate in (data, b"\x90" + data, b"\xb3" + data):
        try:
            size = rtp.header_size(candidate, len(candidate))
        except ValueError:
            continue
        assert 12 <= size <= len(candidate)
        for value in rtp.extensions(memoryview(candidate), size).values():
            assert len(value) <= 255
