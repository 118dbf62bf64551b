"""STUN: RFC 5769's vectors, aioice on the other side, and hostile bytes."""

from __future__ import annotations

import random

import aioice.stun
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import stun

# RFC 5769 §2.1: the password, then the request.
PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36"
    "00060009657674 6a3a683676592020 20000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf".replace(" ", "")
)
# §2.2: the IPv4 response, §2.3 the IPv6 one.
RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
TID = bytes(range(12))


def test_request_vector() -> None:
    message = stun.parse(REQUEST)
    assert (message.kind, message.method) == (stun.REQUEST, stun.BINDING)
    assert message.username == "evtj:h6vY"
    assert message.priority == 0x6E0001FF
    assert message.controlled == 0x932FF9B151263B36
    assert message.controlling is None
    assert message.fingerprint
    assert not message.use_candidate
    assert stun.check_integrity(REQUEST, message, PASSWORD)
    assert not stun.check_integrity(REQUEST, message, PASSWORD + b"x")


@pytest.mark.parametrize(
    ("data", "address"),
    [(RESPONSE, ("192.0.2.1", 32853)), (RESPONSE6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853))],
)
def test_response_vectors(data: bytes, address: tuple[str, int]) -> None:
    message = stun.parse(data)
    assert message.kind == stun.SUCCESS
    assert message.mapped_address == address
    assert stun.check_integrity(data, message, PASSWORD)


def test_aioice_understands_us_and_we_it() -> None:
    data = stun.binding_request(TID, "a:b", b"secret", controlling=7, use_candidate=True)
    theirs = aioice.stun.parse_message(data)
    theirs.check_message_integrity(b"secret")
    assert theirs.attributes["USERNAME"] == "a:b"
    answer = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.RESPONSE, transaction_id=TID)
    answer.attributes["XOR-MAPPED-ADDRESS"] = ("10.1.2.3", 4567)
    answer.add_message_integrity(b"secret")
    raw = bytes(answer)
    message = stun.parse(raw)
    assert message.mapped_address == ("10.1.2.3", 4567)
    assert stun.check_integrity(raw, message, b"secret")


@pytest.mark.parametrize("host", ["127.0.0.1", "2001:db8::7"])
def test_round_trip(host: str) -> None:
    request = stun.parse(stun.binding_request(TID, "左:right", b"key", priority=5, controlled=9))
    assert (request.username, request.priority, request.controlled) == ("左:right", 5, 9)
    data = stun.binding_success(TID, host, 65535, b"key")
    message = stun.parse(data)
    assert message.mapped_address == (host, 65535)
    assert message.transaction_id == TID
    assert stun.check_integrity(data, message, b"key")


def test_error_response() -> None:
    data = stun.error_response(TID, 420, "Unknown Attribute", b"key", [0x7777, 0x0003])
    message = stun.parse(data)
    assert message.kind == stun.ERROR
    assert message.error == (420, "Unknown Attribute")
    assert message.attributes[stun.UNKNOWN_ATTRIBUTES] == b"\x77\x77\x00\x03"
    unsigned = stun.error_response(TID, 401, "Unauthenticated")
    assert not stun.check_integrity(unsigned, stun.parse(unsigned), b"")


def test_unknown_and_unauthentic_attributes() -> None:
    data = stun.build(stun.REQUEST, TID, [(0x7001, b"x"), (0xC001, b"y")])
    assert stun.parse(data).unknown == [0x7001]
    signed = stun.build(stun.REQUEST, TID, [(stun.USERNAME, b"a")], b"k")[:-8]
    forged = bytearray(signed + b"\x00\x25\x00\x00")
    forged[2:4] = (len(forged) - 20).to_bytes(2, "big")
    assert not stun.parse(bytes(forged)).use_candidate  # behind the signature: not believed


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "A STUN message has 20 to 1500 octets."),
        (bytes(1501), "A STUN message has 20 to 1500 octets."),
        (b"\x40" + REQUEST[1:], "This is not a STUN message."),
        (REQUEST[:4] + b"\x00" + REQUEST[5:], "This is not a STUN message."),
        (REQUEST[:-4], "The STUN message's length is not the datagram's."),
        (REQUEST[:-1] + b"\x00", "The STUN fingerprint is wrong."),
        (b"\x00\x01\x00\x04" + REQUEST[4:20] + b"\x00\x06\x00\x05", "A STUN attribute ends behind the message."),
        (b"\x00\x01\x00\x04" + REQUEST[4:20] + b"\x00\x24\x00\x00", "A STUN attribute has a wrong length."),
        (b"\x00\x01\x00\x04" + REQUEST[4:20] + b"\x00\x20\x00\x00", "A STUN address is neither IPv4 nor IPv6."),
        (b"\x00\x01\x00\x04" + REQUEST[4:20] + b"\x00\x09\x00\x00", "The STUN error code is not one."),
    ],
)
def test_wrong_input_has_its_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        stun.parse(data)
    assert str(caught.value) == sentence


def _survives(data: bytes) -> None:
    try:
        message = stun.parse(data)
    except ValueError:
        return
    assert message.username is not None
    _ = (message.priority, message.error, message.mapped_address, message.unknown, message.controlling, message.controlled)
    stun.check_integrity(data, message, b"k")


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    _survives(data)
    body = data[: len(data) & ~3]
    _survives(b"\x00\x01" + len(body).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + TID + body)


def test_mutations_of_real_messages() -> None:
    rng = random.Random(5)
    for _ in range(3000):
        data = bytearray(rng.choice((REQUEST, RESPONSE, RESPONSE6))[:-8])
        data[2:4] = (len(data) - 20).to_bytes(2, "big")
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        _survives(bytes(data))
