"""What waits for a media worker that is busy for a moment: batches in order, up to a bound; beyond it whole pictures are left
out. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from commhub.media.link import BATCH_LIMIT, RECORD, runs

LIMIT = 16 << 20  # octets: more than a second of fifty cameras
_MOST = 2 * LIMIT  # also of what has begun, and of what has no pictures


class _Stands(Enum):
    """A stream, between two of its packets."""

    INSIDE = auto()  # of a picture that is taken
    BETWEEN = auto()
    OUTSIDE = auto()  # in a picture that is left out


class Reserve:
    """``put`` what could not be sent, ``first`` and ``sent`` when there is room again."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.left_out = 0  # pictures, and packets of what has none
        self._limit, self._most = limit, limit + _MOST - LIMIT
        self._waiting: deque[bytes] = deque()
        self._octets = 0
        self._stands: dict[int, _Stands] = {}  # by handle, while something is left out

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def quiet(self) -> bool:
        """Nothing waits, and no stream is in the middle of what is left out: batches may go around it."""
        return not self._waiting and not self._stands

    def first(self) -> bytes:
        return self._waiting[0]

    def sent(self) -> None:
        self._octets -= len(self._waiting.popleft())

    def clear(self) -> None:
        self._waiting.clear()
        self._stands.clear()
        self._octets = 0

    def put(self, batch: bytes) -> None:
        """Behind what waits."""
        if not self._stands and self._octets + len(batch) <= self._limit:
            self._append(batch)
            return
        if not self._stands:
            for waiting in self._waiting:
                for handle, places in runs(waiting):
                    self._stands[handle] = self._behind(waiting, places[-1][1])
        self._thin(batch)
        if self._octets + BATCH_LIMIT <= self._limit and _Stands.OUTSIDE not in self._stands.values():
            self._stands.clear()

    def _append(self, batch: bytes) -> None:
        if batch:
            self._waiting.append(batch)
            self._octets += len(batch)

    @staticmethod
    def _behind(batch: bytes, begin: int) -> _Stands:
        return _Stands.BETWEEN if batch[begin + 1] & 0x80 else _Stands.INSIDE

    def _thin(self, batch: bytes) -> None:
        """Of a stream whose newest packets have gone, nobody knows any more where it stands: it goes on to its marker."""
        kept: list[bytes] = []
        size = 0
        for handle, places in runs(batch):
            stands = self._stands.get(handle, _Stands.INSIDE)
            for _, begin, end in places:
                record = batch[begin - RECORD.size : end]
                total = self._octets + size + len(record)
                if stands is _Stands.BETWEEN:
                    stands = _Stands.INSIDE if total <= self._limit else _Stands.OUTSIDE
                    self.left_out += stands is _Stands.OUTSIDE
                elif stands is _Stands.INSIDE and total > self._most:
                    stands = _Stands.OUTSIDE
                    self.left_out += 1
                if stands is _Stands.INSIDE:
                    kept.append(record)
                    size += len(record)
                if batch[begin + 1] & 0x80:
                    stands = _Stands.BETWEEN
            self._stands[handle] = stands
        self._append(b"".join(kept))
