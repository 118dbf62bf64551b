"""STUN messages as ICE uses them (RFC 8489, RFC 8445): a small table, parsed without an object per attribute.

Integrity is MESSAGE-INTEGRITY (HMAC-SHA1) with short-term credentials, which is what ICE prescribes (RFC 8445 §7.1);
FINGERPRINT is checked when present, so a packet that only looks like STUN is refused early.
"""

from __future__ import annotations

import hmac
import ipaddress
import struct
from dataclasses import dataclass
from zlib import crc32

MAGIC = 0x2112A442
MAX_SIZE = 1500  # octets; a check fits one datagram

REQUEST, INDICATION, SUCCESS, ERROR = 0x0000, 0x0010, 0x0100, 0x0110
BINDING = 0x0001

MAPPED_ADDRESS = 0x0001
USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
REALM = 0x0014
NONCE = 0x0015
MESSAGE_INTEGRITY_SHA256 = 0x001C
XOR_MAPPED_ADDRESS = 0x0020
PRIORITY = 0x0024
USE_CANDIDATE = 0x0025
SOFTWARE = 0x8022
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029
ICE_CONTROLLING = 0x802A

#: Comprehension-required attributes this table knows; others make a request unanswerable but for 420 (RFC 8489 §6.3.1).
_KNOWN = frozenset(
    {
        MAPPED_ADDRESS,
        USERNAME,
        MESSAGE_INTEGRITY,
        ERROR_CODE,
        UNKNOWN_ATTRIBUTES,
        REALM,
        NONCE,
        MESSAGE_INTEGRITY_SHA256,
        XOR_MAPPED_ADDRESS,
        PRIORITY,
        USE_CANDIDATE,
    }
)
#: Fixed value lengths, checked once while parsing so that the accessors need not.
_LENGTHS = {PRIORITY: 4, USE_CANDIDATE: 0, ICE_CONTROLLED: 8, ICE_CONTROLLING: 8, MESSAGE_INTEGRITY: 20, FINGERPRINT: 4}

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_FINGERPRINT_XOR = 0x5354554E


@dataclass(slots=True)
class Message:
    """One STUN message. ``attributes`` holds the first occurrence of each type, values without padding.

    ``integrity_at`` is the octet offset of MESSAGE-INTEGRITY, 0 without one; what stands behind it is not authentic and,
    except for FINGERPRINT, not in ``attributes``.
    """

    kind: int  # REQUEST, INDICATION, SUCCESS, ERROR
    method: int
    transaction_id: bytes  # 12 octets
    attributes: dict[int, bytes]
    integrity_at: int = 0
    fingerprint: bool = False

    @property
    def username(self) -> str:
        """``<receiver's ufrag>:<sender's ufrag>`` in a check (RFC 8445 §7.2.2); '' when there is none."""
        value = self.attributes.get(USERNAME)
        return "" if value is None else value.decode("utf-8", "replace")

    @property
    def priority(self) -> int:
        value = self.attributes.get(PRIORITY)
        return 0 if value is None else int.from_bytes(value, "big")

    @property
    def use_candidate(self) -> bool:
        return USE_CANDIDATE in self.attributes

    @property
    def controlling(self) -> int | None:
        """The tie-breaker when the sender says it is controlling, else None."""
        value = self.attributes.get(ICE_CONTROLLING)
        return None if value is None else int.from_bytes(value, "big")

    @property
    def controlled(self) -> int | None:
        """The tie-breaker when the sender says it is controlled, else None."""
        value = self.attributes.get(ICE_CONTROLLED)
        return None if value is None else int.from_bytes(value, "big")

    @property
    def error(self) -> tuple[int, str] | None:
        """``(300 … 699, reason)`` of an error response, else None."""
        value = self.attributes.get(ERROR_CODE)
        if value is None:
            return None
        return (value[2] & 7) * 100 + value[3], value[4:].decode("utf-8", "replace")

    @property
    def mapped_address(self) -> tuple[str, int] | None:
        """``(host, port)`` from XOR-MAPPED-ADDRESS, else None."""
        value = self.attributes.get(XOR_MAPPED_ADDRESS)
        return None if value is None else _unxor(value, self.transaction_id)

    @property
    def unknown(self) -> list[int]:
        """Comprehension-required attributes that nobody here understands."""
        return [kind for kind in self.attributes if kind < 0x8000 and kind not in _KNOWN]


def parse(data: bytes) -> Message:
    """Read one message. ValueError when it is torn, when a length lies, or when its fingerprint is wrong."""
    size = len(data)
    if not 20 <= size <= MAX_SIZE:
        raise ValueError("A STUN message has 20 to 1500 octets.")
    first, length, magic, transaction_id = _HEADER.unpack_from(data)
    if first & 0xC000 or magic != MAGIC:
        raise ValueError("This is not a STUN message.")
    if length & 3 or length + 20 != size:
        raise ValueError("The STUN message's length is not the datagram's.")
    message = Message(first & 0x0110, (first & 0x0F) | (first & 0xE0) >> 1 | (first & 0x3E00) >> 2, transaction_id, {})
    attributes = message.attributes
    at = 20
    while at < size:
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        end = at + 4 + length
        if end > size:
            raise ValueError("A STUN attribute ends behind the message.")
        fixed = _LENGTHS.get(kind)
        if fixed is not None and fixed != length:
            raise ValueError("A STUN attribute has a wrong length.")
        if kind == FINGERPRINT:
            if end != size:
                raise ValueError("The STUN fingerprint is not the last attribute.")
            if crc32(data[:at]) ^ _FINGERPRINT_XOR != int.from_bytes(data[at + 4 : end], "big"):
                raise ValueError("The STUN fingerprint is wrong.")
            message.fingerprint = True
        elif not message.integrity_at:
            if kind == MESSAGE_INTEGRITY:
                message.integrity_at = at
            if kind not in attributes:
                attributes[kind] = bytes(data[at + 4 : end])
        at = (end + 3) & ~3
    if ERROR_CODE in attributes and not _valid_error(attributes[ERROR_CODE]):
        raise ValueError("The STUN error code is not one.")
    if XOR_MAPPED_ADDRESS in attributes:
        _unxor(attributes[XOR_MAPPED_ADDRESS], transaction_id)
    return message


def check_integrity(data: bytes, message: Message, key: bytes) -> bool:
    """Whether ``data``, which :func:`parse` turned into ``message``, was signed with ``key`` (the ICE password)."""
    at = message.integrity_at
    if not at:
        return False
    signed = bytearray(data[:at])
    signed[2:4] = (at + 4).to_bytes(2, "big")  # the length up to and with MESSAGE-INTEGRITY (RFC 8489 §14.5)
    return hmac.compare_digest(hmac.digest(key, signed, "sha1"), data[at + 4 : at + 24])


def binding_success(transaction_id: bytes, host: str, port: int, key: bytes) -> bytes:
    """The answer to a check: the address it came from, signed with the answering side's password."""
    return build(SUCCESS, transaction_id, [(XOR_MAPPED_ADDRESS, _xor(host, port, transaction_id))], key)


def error_response(transaction_id: bytes, code: int, reason: str, key: bytes = b"", unknown: list[int] | None = None) -> bytes:
    """An error response; unsigned without ``key`` (400 and 401, RFC 8489 §9.1.3). ``unknown`` belongs to 420."""
    if not 300 <= code <= 699:
        raise ValueError("A STUN error code is 300 to 699.")
    attributes = [(ERROR_CODE, bytes((0, 0, code // 100, code % 100)) + reason.encode()[:508])]
    if unknown:
        attributes.append((UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown)))
    return build(ERROR, transaction_id, attributes, key)


def binding_request(
    transaction_id: bytes,
    username: str,
    key: bytes,
    *,
    priority: int = 0x6E0001FF,
    controlling: int | None = None,
    controlled: int | None = None,
    use_candidate: bool = False,
) -> bytes:
    """A connectivity check (RFC 8445 §7.2.2) signed with the other side's password."""
    attributes = [(USERNAME, username.encode()), (PRIORITY, priority.to_bytes(4, "big"))]
    if controlling is not None:
        attributes.append((ICE_CONTROLLING, controlling.to_bytes(8, "big")))
    if controlled is not None:
        attributes.append((ICE_CONTROLLED, controlled.to_bytes(8, "big")))
    if use_candidate:
        attributes.append((USE_CANDIDATE, b""))
    return build(REQUEST, transaction_id, attributes, key)


def build(kind: int, transaction_id: bytes, attributes: list[tuple[int, bytes]], key: bytes = b"") -> bytes:
    """A Binding message of ``kind`` with ``attributes``, MESSAGE-INTEGRITY when there is a ``key``, and FINGERPRINT."""
    if len(transaction_id) != 12:
        raise ValueError("A STUN transaction id has 12 octets.")
    body = b"".join([_ATTRIBUTE.pack(t, len(value)) + value + bytes(-len(value) & 3) for t, value in attributes])
    if key:
        head = _HEADER.pack(kind | BINDING, len(body) + 24, MAGIC, transaction_id)
        body += b"\x00\x08\x00\x14" + hmac.digest(key, head + body, "sha1")
    data = _HEADER.pack(kind | BINDING, len(body) + 8, MAGIC, transaction_id) + body
    return data + b"\x80\x28\x00\x04" + (crc32(data) ^ _FINGERPRINT_XOR).to_bytes(4, "big")


def _valid_error(value: bytes) -> bool:
    return len(value) >= 4 and 3 <= value[2] & 7 <= 6 and value[3] < 100


def _xor(host: str, port: int, transaction_id: bytes) -> bytes:
    port ^= MAGIC >> 16
    if ":" not in host:
        address = int.from_bytes(bytes(map(int, host.split("."))), "big") ^ MAGIC
        return struct.pack("!HHI", 1, port, address)
    mask = int.from_bytes(MAGIC.to_bytes(4, "big") + transaction_id, "big")
    wide = int(ipaddress.IPv6Address(host.partition("%")[0])) ^ mask
    return struct.pack("!HH", 2, port) + wide.to_bytes(16, "big")


def _unxor(value: bytes, transaction_id: bytes) -> tuple[str, int]:
    if len(value) == 8 and value[1] == 1:
        address = int.from_bytes(value[4:], "big") ^ MAGIC
        return ".".join(map(str, address.to_bytes(4, "big"))), int.from_bytes(value[2:4], "big") ^ MAGIC >> 16
    if len(value) == 20 and value[1] == 2:
        mask = int.from_bytes(MAGIC.to_bytes(4, "big") + transaction_id, "big")
        wide = int.from_bytes(value[4:], "big") ^ mask
        return str(ipaddress.IPv6Address(wide)), int.from_bytes(value[2:4], "big") ^ MAGIC >> 16
    raise ValueError("A STUN address is neither IPv4 nor IPv6.")
