"""Reading encrypted files: where their frames are, what is in them.

What is read is proved frame by frame: a byte that is another one is refused, and only what was asked for is decrypted.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict

from commhub.archive import sealed
from commhub.archive.reading import Bytes, Reader
from commhub.archive.sealed import OVERHEAD, TAIL, End, Sealing, SessionKey

_TRIED = 20_000  # frames that one may have been exchanged with
_KEPT = 8  # frames that stay decrypted: a player asks for small pieces, one behind the other


class Layout:
    """Where the frames of a file are: :attr:`ends` of their contents, added up. With an :attr:`end` it is closed."""

    def __init__(self, head: bytes, sizes: list[int], end: End | None = None) -> None:
        self.head, self.end = head, end
        self.ends: list[int] = []
        for size in sizes:
            self.ends.append((self.ends[-1] if self.ends else 0) + size)

    def begin(self, number: int) -> int:
        """Of a frame's content among all contents; of the last number plus one: their size."""
        return self.ends[number - 1] if number else 0

    def place(self, number: int) -> int:
        """Of a frame in the file; of the last number plus one: where the next one goes."""
        return len(self.head) + self.begin(number) + number * OVERHEAD

    @property
    def sizes(self) -> list[int]:
        return [self.begin(number + 1) - self.begin(number) for number in range(len(self.ends))]


def head(data: Bytes) -> bytes:
    """ValueError when the file is not encrypted, or in a form that is not known."""
    size = sealed.head_size(data.read(0, sealed.HEAD))
    found = data.read(0, size)
    if len(found) < size:
        raise ValueError("An encrypted file's head is torn.")
    return found


def layout(data: Bytes, begin: bytes, sealing: Sealing) -> Layout:
    """By the file's end, or by going from frame to frame up to what was torn. ValueError when the end is another one than was
    written."""
    room = data.size - len(begin) - TAIL
    size = sealed.end_size(data.read(data.size - TAIL, TAIL), room) if room > 0 else 0
    if not size:
        return scan(data, begin)
    at = data.size - TAIL - size
    end = sealed.read_end(sealing.open(0, data.read(at, size), end=True), at - len(begin))
    return Layout(begin, end.sizes, end)


def scan(data: Bytes, begin: bytes, *, spoilt: bool = False) -> Layout:
    """From frame to frame, up to what is not whole. ValueError when there is an end which its footer does not find, unless
    it may be ``spoilt``."""
    sizes: list[int] = []
    at = len(begin)
    while True:
        try:
            size, ending = sealed.content(data.read(at, 4))
        except ValueError:
            break
        if at + OVERHEAD + size + (TAIL if ending else 0) > data.size:
            break
        if ending and spoilt:
            break
        if ending:
            raise ValueError("The end of an encrypted file is not what was written.")
        sizes.append(size)
        at += OVERHEAD + size
    return Layout(begin, sizes)


def opened(data: Bytes, key: SessionKey | None, name: str, *, tolerant: bool = False) -> Reader:
    """The file called ``name`` of the session with that key; None: it is not encrypted, or the key was deleted. ValueError as
    :class:`SealedReader`."""
    if key is not None:
        return SealedReader(data, key, name, tolerant=tolerant)
    if data.read(0, len(sealed.MAGIC)) == sealed.MAGIC:
        raise ValueError("The recording is encrypted, and its key is not here.")
    return Reader(data)


class SealedReader(Reader):
    """``name`` is the one the file has in its session. ValueError when it is another one's, or was not written with ``key``.

    A ``tolerant`` one refuses only what has no readable beginning: where frames were changed there are zeros, where they were
    exchanged they are as they stand, and without its end the file is as far as it goes. For who repairs, and who compares with
    what was signed."""

    def __init__(self, data: Bytes, key: SessionKey, name: str, *, tolerant: bool = False) -> None:
        super().__init__(data)
        begin = head(data)
        if sealed.name(begin) != name and not tolerant:
            raise ValueError("An encrypted file is in another one's place.")
        self._sealing = Sealing(key, begin)
        self._tolerant = tolerant
        self.layout: Layout = (_as_it_stands if tolerant else layout)(data, begin, self._sealing)
        end = self.layout.end or End([])
        self._tail, self._patches = end.tail, end.patches
        self._contents = self.layout.begin(len(self.layout.ends))
        self.size = self._contents + len(self._tail)
        self._lock = threading.Lock()
        self._frames: OrderedDict[int, bytes] = OrderedDict()

    def _read(self, offset: int, count: int) -> bytes:
        if offset >= self._contents:
            return self._tail[offset - self._contents : offset - self._contents + count]
        number = bisect_right(self.layout.ends, offset)
        begin = self.layout.begin(number)
        part = self._frame(number)[offset - begin : offset - begin + count]
        for at, patch in self._patches:
            if at < offset + len(part) and offset < at + len(patch):
                part = _laid(part, offset, at, patch)
        return part

    def _frame(self, number: int) -> bytes:
        """One frame's content. ValueError when it is not what was written."""
        with self._lock:
            if (known := self._frames.get(number)) is not None:
                self._frames.move_to_end(number)
                return known
        at = self.layout.place(number)
        frame = self._data.read(at, self.layout.place(number + 1) - at)
        try:
            found = self._sealing.open(number, frame)
        except ValueError:
            if not self._tolerant:
                raise
            found = self._another(frame)
        with self._lock:
            self._frames[number] = found
            while len(self._frames) > _KEPT:
                self._frames.popitem(last=False)
        return found

    def _another(self, frame: bytes) -> bytes:
        """What stands in a frame's place: another one of the file, or nothing that can be read."""
        for number in range(min(len(self.layout.ends) + 1, _TRIED)):
            try:
                return self._sealing.open(number, frame)
            except ValueError:
                continue
        return bytes(len(frame) - OVERHEAD)

    def proved(self) -> int:
        for number in range(len(self.layout.ends)):
            at = self.layout.place(number)
            try:
                self._sealing.open(number, self._data.read(at, self.layout.place(number + 1) - at))
            except ValueError:
                return self.layout.begin(number)
        return self._contents


def _as_it_stands(data: Bytes, begin: bytes, sealing: Sealing) -> Layout:
    """Without believing the end: frames may have been exchanged, taken out or cut off."""
    found = scan(data, begin, spoilt=True)
    try:
        known = layout(data, begin, sealing)
    except ValueError:
        known = None
    if known is None or known.end is None:
        # An end that nothing leads to any more has still what it says when the frames before were taken out.
        end = _end_anywhere(data, found, sealing)
        return Layout(begin, found.sizes, End([], end.tail, _within(end, found)) if end is not None else None)
    if found.place(len(found.ends)) != known.place(len(known.ends)):
        return known  # a length was changed: the end knows where frames are
    return Layout(begin, found.sizes, End([], known.end.tail, known.end.patches))


def _end_anywhere(data: Bytes, found: Layout, sealing: Sealing) -> End | None:
    at = found.place(len(found.ends))
    try:
        size, ending = sealed.content(data.read(at, 4))
        return sealed.read_any_end(sealing.open(0, data.read(at, size + OVERHEAD), end=True)) if ending else None
    except ValueError:
        return None


def _within(end: End, found: Layout) -> list[tuple[int, bytes]]:
    size = found.begin(len(found.ends))
    return [(at, patch) for at, patch in end.patches if at >= 0 and at + len(patch) <= size]


def _laid(part: bytes, offset: int, at: int, patch: bytes) -> bytes:
    """``part`` (of ``offset`` on) with as much of ``patch`` (of ``at`` on) over it as belongs there."""
    begin, end = max(offset, at), min(offset + len(part), at + len(patch))
    return part[: begin - offset] + patch[begin - at : end - at] + part[end - offset :]
