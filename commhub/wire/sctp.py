"""SCTP packets (RFC 9260, RFC 3758, RFC 6525) as far as they have to be looked at before somebody works with them.

The association itself is aiortc's, which trusts lengths: a parameter of length zero keeps it busy for ever, a chunk that is too
short raises what nobody declared. :func:`check` lets only packets through whose every length is what it has to be.
"""

from __future__ import annotations

MAX_SIZE = 2048
HEADER = 12
DATA, INIT, INIT_ACK, SACK, HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN = range(8)
ERROR, COOKIE_ECHO, RECONFIG, FORWARD_TSN = 9, 10, 130, 192

#: Octets that the value of a chunk has at least.
_LEAST = {DATA: 13, INIT: 16, INIT_ACK: 16, SACK: 12, SHUTDOWN: 4, COOKIE_ECHO: 1, FORWARD_TSN: 4}
#: Where the parameters (or causes) of a chunk's value begin.
_PARAMETERS = {INIT: 16, INIT_ACK: 16, HEARTBEAT: 0, HEARTBEAT_ACK: 0, ABORT: 0, ERROR: 0, RECONFIG: 0}
#: Octets that the value of a re-configuration parameter has at least (RFC 6525 §4).
_RESET_OUTGOING, _RESPONSE, _ADD_OUTGOING = 13, 16, 17
_RECONFIGURATIONS = {_RESET_OUTGOING: 12, _RESPONSE: 8, _ADD_OUTGOING: 8}
OUTSTANDING = 16_384  # chunks that an acknowledgement may speak of


def check(packet: bytes) -> None:
    """ValueError with the sentence of what is wrong. The checksum is not looked at: DTLS has its own."""
    size = len(packet)
    if not HEADER + 4 <= size <= MAX_SIZE:
        raise ValueError("An SCTP packet has 16 to 2048 octets.")
    at, chunks = HEADER, 0
    while at < size:
        if size - at < 4:
            raise ValueError("An SCTP chunk is torn.")
        kind, length = packet[at], packet[at + 2] << 8 | packet[at + 3]
        if length < 4 or at + length > size:
            raise ValueError("An SCTP chunk has an impossible length.")
        _chunk(kind, packet[at + 4 : at + length])
        if kind == INIT and (chunks or at + (length + 3 & ~3) < size):
            raise ValueError("An SCTP INIT is not alone.")
        chunks += 1
        at += length + 3 & ~3


def _chunk(kind: int, value: bytes) -> None:
    size = len(value)
    if size < _LEAST.get(kind, 0):
        raise ValueError("An SCTP chunk is too short for its kind.")
    if (first := _PARAMETERS.get(kind)) is not None:
        _parameters(value, first, kind == RECONFIG)
    elif kind == SACK:
        _acknowledgement(value)
    elif kind == FORWARD_TSN and size % 4:
        raise ValueError("An SCTP FORWARD-TSN names half a stream.")


def _parameters(value: bytes, at: int, reconfigures: bool) -> None:
    size = len(value)
    while size - at >= 4:
        kind, length = value[at] << 8 | value[at + 1], value[at + 2] << 8 | value[at + 3]
        if length < 4 or at + length > size:
            raise ValueError("An SCTP parameter has an impossible length.")
        if reconfigures and length - 4 < _RECONFIGURATIONS.get(kind, 0):
            raise ValueError("An SCTP parameter is too short for its kind.")
        if reconfigures and kind == _RESET_OUTGOING and length % 2:
            raise ValueError("An SCTP stream reset names half a stream.")
        at += length + 3 & ~3


def _acknowledgement(value: bytes) -> None:
    """RFC 9260 §3.3.4: all blocks are there, and do not cover more than can be outstanding."""
    blocks, duplicates = value[8] << 8 | value[9], value[10] << 8 | value[11]
    if len(value) < 12 + 4 * (blocks + duplicates):
        raise ValueError("An SCTP acknowledgement has fewer blocks than it says.")
    covered = 0
    for at in range(12, 12 + 4 * blocks, 4):
        covered += 1 + (value[at + 2] << 8 | value[at + 3]) - (value[at] << 8 | value[at + 1])
        if covered > OUTSTANDING:
            raise ValueError("An SCTP acknowledgement claims more than can be outstanding.")
