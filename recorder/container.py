"""What the two containers have in common for whoever writes them. No I/O: bytes out, offsets counted.

A file is its head, then pieces (clusters or fragments) of about half a second; each piece can be played as soon as it is
written, so whatever tears the file costs its last piece only. ``seal`` makes a file seekable once it is whole: bytes to
append and bytes to put into room that the head reserved; the same for a file that ended well and for a recovered one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Seal:
    """``tail`` goes behind the last piece, ``patches`` are ``(offset, bytes)`` of equal length over reserved room."""

    tail: bytes
    patches: list[tuple[int, bytes]]


@dataclass(slots=True)
class Index:
    """Where pieces are: ``(time, offset, size, starts with a key frame)``, time in ticks of the container. ``end`` is the
    offset behind the last piece, ``until`` the time behind its last frame."""

    pieces: list[tuple[int, int, int, bool]] = field(default_factory=list)
    end: int = 0
    until: int = 0


class Container(Protocol):
    extension: str
    mime: str
    index: Index

    def head(self) -> bytes:
        """First bytes of the file; begins the index."""

    def add(self, time: int, data: bytes, key: bool, duration: int = 0) -> None:
        """A frame in decoding order, ``time`` in RTP units from the file's first frame; ``duration`` 0 = until the next."""

    def cut(self, last: bool = False) -> bytes:
        """The frames since the last cut as one piece; b"" when there are none. ``last`` also gives out what waits for its
        duration."""

    def seal(self) -> Seal: ...
    @property
    def waiting(self) -> int:
        """Frames that wait for :meth:`cut`."""

    @property
    def pending(self) -> int:
        """RTP units of media that wait for :meth:`cut`."""

    @property
    def duration_ms(self) -> int:
        """What the pieces given out so far last."""


class Data(Protocol):
    """A file's bytes, in memory or read when they are looked at."""

    def __len__(self) -> int: ...
    def __getitem__(self, where: slice, /) -> bytes | memoryview: ...


class Torn(ValueError):
    """Nothing of a file can be played."""
