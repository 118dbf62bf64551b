"""SIP over TCP (RFC 3261 §18.3, RFC 5626 §3.5.1): messages and keep-alives out of octets that come in any pieces. No I/O, no
clock."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridges.sip.message import BODY_LIMIT, HEAD_LIMIT, Message, parse_head

RESYNC_LIMIT = 64 << 10  # octets thrown away in a row of trouble before the connection is given up
_COST = 2048  # of one that looked like a message and was none: looking costs time
_CALM = 16  # good messages after which old trouble is forgotten

PONG = b"\r\n"

_END = re.compile(rb"\r?\n\r?\n")
_START = re.compile(
    rb"(?:[A-Z]{2,20}[ \t]+<?[a-z]{3,4}:[^\s]{1,512}[ \t]+SIP/2\.0|SIP/2\.0[ \t]+[1-6][0-9]{2}[^\r\n]{0,200})[ \t]*\r?\n", re.I
)
_START_SIZE = 1024
_LINE = b"\r\n\0"


@dataclass(frozen=True, slots=True)
class Ping:
    """Two line ends: the peer wants to see ``PONG``."""


class Framer:
    """``receive`` returns what is complete. ValueError when the stream cannot be understood: the connection is to be closed.

    A device that loses octets, or writes a wrong ``Content-Length``, is found again at the next thing that looks like a first
    line;
    ``torn`` counts how often.
    """

    def __init__(self) -> None:
        self.torn = 0
        self._buffer = bytearray()
        self._searched = 0
        self._head: tuple[Message, int, int] | None = None  # of a message whose body is not complete: its size and the body's
        self._breaks = 0  # octets of line ends in a row
        self._lost = False
        self._budget = RESYNC_LIMIT
        self._good = 0

    @property
    def pending(self) -> int:
        """Octets of a message that is not complete."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[Message | Ping]:
        self._buffer += data
        found: list[Message | Ping] = []
        at = 0
        while at < len(self._buffer):
            if self._buffer[at] in _LINE:
                at = self._line_ends(at, found)
                continue
            self._breaks = 0
            if self._lost:
                at, ready = self._seek(at)
                if not ready:
                    break
            used = self._message(at, found)
            if used is None:
                break
            at += used
        del self._buffer[:at]
        self._searched = max(0, self._searched - at)
        return found

    def _line_ends(self, at: int, found: list[Message | Ping]) -> int:
        buffer = self._buffer
        end = at
        while end < len(buffer) and buffer[end] in _LINE:
            if buffer[end] == 0x0A:
                self._breaks += 1
            end += 1
        pings, self._breaks = divmod(self._breaks, 2)
        if pings and not self._lost:  # any number of them gets one answer
            found.append(Ping())
        return end

    def _message(self, at: int, found: list[Message | Ping]) -> int | None:
        """Octets used; None when there are not enough yet. A head is parsed once, however slowly its body comes."""
        if self._head is None:
            ended = self._read_head(at)
            if isinstance(ended, str):
                return self._trouble(ended)
            self._head = ended
        if self._head is None:
            return None
        message, head, length = self._head
        if at + head + length > len(self._buffer):
            return None
        self._head = None
        message.body = bytes(self._buffer[at + head : at + head + length])
        self._searched = at + head + length
        found.append(message)
        self._lost = False
        self._good += 1
        if self._good >= _CALM:
            self._budget = RESYNC_LIMIT
        return head + length

    def _read_head(self, at: int) -> tuple[Message, int, int] | str | None:
        """Message, size of its head and of its body; a sentence when it is none, None when it is not complete."""
        buffer = self._buffer
        end = _END.search(buffer, max(at, self._searched - 3), at + HEAD_LIMIT + 4)
        if end is None:
            self._searched = len(buffer)
            return "A SIP head is longer than 32 KiB." if len(buffer) - at > HEAD_LIMIT else None
        try:
            message, length = parse_head(bytes(buffer[at : end.start()]))
        except ValueError as error:
            return str(error)
        if length is None:
            length = 0  # forbidden on TCP; a body that comes all the same is passed over as torn
        if not 0 <= length <= BODY_LIMIT:
            return "A SIP body's length is none, or longer than 256 KiB."
        return message, end.end() - at, length

    def _trouble(self, sentence: str) -> int:
        """Lost: the search begins one octet on."""
        if not self._lost:
            self._lost = True
            self.torn += 1
        self._good = 0
        self._spend(_COST, sentence)
        return 1

    def _seek(self, at: int) -> tuple[int, bool]:
        """Where the next first line begins, and whether there is one."""
        buffer = self._buffer
        if found := _START.search(buffer, at):
            self._spend(found.start() - at, "The SIP stream is torn and could not be found again.")
            self._searched = found.start()
            return found.start(), True
        # The end of what is there may be the beginning of one.
        keep = max(at, len(buffer) - _START_SIZE)
        self._spend(keep - at, "The SIP stream is torn and could not be found again.")
        return keep, False

    def _spend(self, octets: int, sentence: str) -> None:
        self._budget -= octets
        if self._budget < 0:
            raise ValueError(sentence)
