"""SCTP packets before anybody works with them."""

from __future__ import annotations

import struct

import pytest

from commhub.wire import sctp
from tests.support.parsers import TARGETS

HEAD = struct.pack("!HHLL", 5000, 5000, 1, 0)


def chunk(kind: int, value: bytes, length: int | None = None) -> bytes:
    size = len(value) + 4 if length is None else length
    return struct.pack("!BBH", kind, 0, size) + value + bytes(-len(value) % 4)


def parameter(kind: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("!HH", kind, len(value) + 4 if length is None else length) + value + bytes(-len(value) % 4)


DATA = chunk(sctp.DATA, struct.pack("!LHHL", 1, 0, 0, 53) + b"x")


def test_what_real_associations_send_passes() -> None:
    for packet in next(target for target in TARGETS if target.name == "SCTP").corpus():
        sctp.check(packet)
    sctp.check(HEAD + chunk(200, b"an unknown chunk"))
    sctp.check(HEAD + DATA * 60)


@pytest.mark.parametrize(
    ("packet", "sentence"),
    [
        (HEAD, "An SCTP packet has 16 to 2048 octets."),
        (HEAD + DATA * 200, "An SCTP packet has 16 to 2048 octets."),
        (HEAD + DATA + b"\0\0", "An SCTP chunk is torn."),
        (HEAD + chunk(0, bytes(20), 3), "An SCTP chunk has an impossible length."),
        (HEAD + chunk(0, bytes(20), 100), "An SCTP chunk has an impossible length."),
        (HEAD + chunk(sctp.DATA, bytes(12)), "An SCTP chunk is too short for its kind."),  # RFC 9260 §6.2: no empty message
        (HEAD + chunk(sctp.SACK, bytes(8)), "An SCTP chunk is too short for its kind."),
        (HEAD + chunk(sctp.INIT, bytes(16)) + DATA, "An SCTP INIT is not alone."),
        (HEAD + DATA + chunk(sctp.INIT, bytes(16)), "An SCTP INIT is not alone."),
        # aiortc 1.16 goes round and round at this one for ever.
        (HEAD + chunk(sctp.INIT, bytes(16) + parameter(1, b"", 0)), "An SCTP parameter has an impossible length."),
        (HEAD + chunk(sctp.HEARTBEAT, parameter(1, b"ab", 9)), "An SCTP parameter has an impossible length."),
        (HEAD + chunk(sctp.RECONFIG, parameter(13, bytes(11))), "An SCTP parameter is too short for its kind."),
        (HEAD + chunk(sctp.RECONFIG, parameter(13, bytes(13))), "An SCTP stream reset names half a stream."),
        (HEAD + chunk(sctp.FORWARD_TSN, bytes(6)), "An SCTP FORWARD-TSN names half a stream."),
        (
            HEAD + chunk(sctp.SACK, struct.pack("!LLHH", 1, 9, 1, 1) + bytes(4)),
            "An SCTP acknowledgement has fewer blocks than it says.",
        ),
        (
            HEAD + chunk(sctp.SACK, struct.pack("!LLHHHH", 1, 9, 1, 0, 1, 65535)),
            "An SCTP acknowledgement claims more than can be outstanding.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(packet: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        sctp.check(packet)
    assert str(caught.value) == sentence
