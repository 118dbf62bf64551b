"""Session descriptions as WebRTC uses them (RFC 8866, RFC 8829): what an SFU needs of them.

:func:`parse` reads what a peer sent; :func:`build` writes ours.
"""

from commhub.wire.sdp.reading import MAX_CANDIDATES, MAX_LINE, MAX_SIZE, parse, read_attribute
from commhub.wire.sdp.shapes import INACTIVE, RECVONLY, SENDONLY, SENDRECV, Candidate, Codec, Description, Section
from commhub.wire.sdp.writing import build, candidate_lines

__all__ = [
    "INACTIVE",
    "MAX_CANDIDATES",
    "MAX_LINE",
    "MAX_SIZE",
    "RECVONLY",
    "SENDONLY",
    "SENDRECV",
    "Candidate",
    "Codec",
    "Description",
    "Section",
    "build",
    "candidate_lines",
    "parse",
    "read_attribute",
]
