"""Which container a format goes into, and a file's recovery whatever it is."""

from __future__ import annotations

from dataclasses import dataclass

from recorder import fmp4, webm
from recorder.container import Container, Data, Index, Seal
from recorder.frames import Format


def container(form: Format) -> Container:
    return fmp4.Fmp4(form) if form.codec in fmp4.ENTRIES else webm.WebM(form)


@dataclass(frozen=True, slots=True)
class Found:
    """The playable part of a file: its length in bytes and ms, what seals it, and its pieces: offset, size, the time behind
    it (ms)."""

    end: int
    duration_ms: int
    seal: Seal
    pieces: list[tuple[int, int, int]]


def recover(extension: str, data: Data) -> Found:
    """``data`` is the whole file. Torn when nothing of it can be played."""
    if extension == "mp4":
        index, seal, rate = fmp4.recover(data)
        return Found(index.end, index.until * 1000 // rate, seal, _pieces(index, rate))
    index, seal = webm.recover(data)
    return Found(index.end, index.until, seal, _pieces(index, 1000))


def _pieces(index: Index, rate: int) -> list[tuple[int, int, int]]:
    ends = [*(time for time, *_ in index.pieces[1:]), index.until]
    return [(piece[1], piece[2], end * 1000 // rate) for piece, end in zip(index.pieces, ends, strict=True)]
