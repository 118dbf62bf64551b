"""aiortc's SCTP association with a peer that may be hostile: what it keeps is bounded, and so is the time that it takes.

Beside :mod:`commhub.media.dtls` the only module that knows aiortc's private attributes (1.16).
"""

from __future__ import annotations

import heapq
import struct
import time
from collections.abc import Callable
from typing import NoReturn

from aiortc.rtcsctptransport import SCTP_TSN_MODULO, InboundStream, RTCSctpTransport
from aiortc.utils import uint32_gte

from commhub.media.pace import Bucket
from commhub.wire import sctp

REASSEMBLY = 2 << 20  # octets of unfinished messages
UNFINISHED = 2_048  # their chunks
MISORDERED = 2_048  # chunks beyond a hole
GAPS = 256  # of them are told of in one acknowledgement: it has to fit into a packet
STREAMS = 64  # LiveKit's clients use three or four
CHANNELS = 16
SHARE, BURST = 0.2, 0.2  # of a core that one peer's messages may take, and seconds of it at once
_WINDOW = 1 << 20  # what aiortc announces


class Association(RTCSctpTransport):
    """With a memory of what has come that costs the same for every chunk, and not its own size."""

    def _mark_received(self, tsn: int) -> bool:
        ahead, last = self._sack_misordered, self._last_received_tsn
        if last is None:
            raise ValueError("SCTP data came before the association.")
        if uint32_gte(last, tsn) or tsn in ahead:
            self._sack_duplicates.append(tsn)
            return True
        ahead.add(tsn)
        following = (last + 1) % SCTP_TSN_MODULO
        while following in ahead:
            ahead.discard(following)
            self._last_received_tsn = following
            following = (following + 1) % SCTP_TSN_MODULO
        return False

    async def _send_sack(self) -> None:
        ahead = self._sack_misordered
        if len(ahead) > GAPS and self._last_received_tsn is not None:
            after = self._last_received_tsn
            self._sack_misordered = set(heapq.nsmallest(GAPS, ahead, lambda tsn: (tsn - after) % SCTP_TSN_MODULO))
        try:
            await super()._send_sack()
        finally:
            self._sack_misordered = ahead

    def _get_inbound_stream(self, stream_id: int) -> InboundStream:
        known = self._inbound_streams.get(stream_id)
        if known is None:
            if len(self._inbound_streams) >= STREAMS:
                raise ValueError("Too many SCTP streams.")
            known = self._inbound_streams[stream_id] = InboundStream()
        return known

    def excess(self) -> str:
        """What there is too much of, "" when nothing is."""
        if len(self._sack_misordered) > MISORDERED or self._advertised_rwnd < _WINDOW - REASSEMBLY:
            return "Too many unfinished SCTP messages."
        if sum(len(stream.reassembly) for stream in self._inbound_streams.values()) > UNFINISHED:
            return "Too many unfinished SCTP messages."
        if len(self._data_channels) > CHANNELS:
            return "Too many data channels."
        return ""


class Guard:
    """Stands between DTLS and the association. ``fail`` notes the sentence of what ended the session; ``hold`` lets nothing more
    be read from the peer for so many seconds, ``work`` is the share of all peers together."""

    def __init__(
        self, association: Association, work: Bucket, fail: Callable[[str], None], hold: Callable[[float], None]
    ) -> None:
        self._association, self._work, self._note, self._hold = association, work, fail, hold
        self._own = Bucket(SHARE, BURST)

    async def _handle_data(self, data: bytes) -> None:
        try:
            sctp.check(data)
        except ValueError as error:
            self._fail(str(error))
        began = time.thread_time()
        try:
            await self._association._handle_data(data)
        except (AssertionError, ValueError, KeyError, IndexError, AttributeError, TypeError, struct.error) as error:
            self._fail(f"An SCTP packet breaks the protocol ({type(error).__name__}).")
        spent, now = time.thread_time() - began, time.monotonic()
        ahead = max(self._own.take(spent, now), self._work.take(spent, now))
        if ahead > 0:
            self._hold(ahead)
        if excess := self._association.excess():
            self._fail(excess)

    def _fail(self, sentence: str) -> NoReturn:
        self._note(sentence)
        raise ConnectionError  # what RTCDtlsTransport takes for the end of a connection; anything else it logs at length
