"""A sheet of small pictures of one file of a recording, for a seek bar. In a process of its own: what is decoded came from
strangers.

Run by the hub as ``python -m recorder.thumbnails <every_ms> <count> <columns> <width> <height>``: the file is stdin and can be
sought, the JPEG goes over stdout; else one sentence over stderr, and an exit that is not 0.

Key frames are enough where there is one each fifteen seconds; WebRTC sends them when somebody asks for one, so that a file may
have only its first, and is decoded as a whole then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from recorder.bounds import answer
from recorder.picture import jpeg

CPU = 60  # seconds
APART_MS = 15_000  # between two key frames that are near enough
MOST = 360  # tiles
LARGEST = 8192  # pixels of a side
_DARK = 18  # what is beside a picture that is not as wide as its tile
Tile = NDArray[np.uint8]


def sheet(file: BinaryIO, every_ms: int, count: int, columns: int, width: int, height: int) -> bytes:
    """A JPEG of ``count`` tiles. ValueError when there is no picture in the file."""
    if not 0 < count <= MOST or not 0 < columns <= MOST or every_ms <= 0:
        raise ValueError("The sheet's size is impossible.")
    rows = -(-count // columns)
    canvas: Tile = np.full((rows * height, columns * width, 3), _DARK, np.uint8)
    last: Tile | None = None
    for number, tile in enumerate(tiles(file, every_ms, count, width, height)):
        row, column = divmod(number, columns)
        last = tile
        canvas[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    if last is None:
        raise ValueError("There is no picture in the file.")
    return jpeg(av.VideoFrame.from_ndarray(canvas, format="rgb24"))


def tiles(file: BinaryIO, every_ms: int, count: int, width: int, height: int) -> Iterator[Tile]:
    """What is seen at 0, ``every_ms``, … of the file; the last picture there is for the moments behind it."""
    sparse = _sparse(file)
    file.seek(0)
    shown: Tile | None = None
    given = 0
    for at_ms, frame in _pictures(file, sparse):
        if shown is not None:
            while given < count and given * every_ms < at_ms:
                yield shown
                given += 1
        if given == count:
            return
        # Of what is decoded between two moments only the last picture before the second is looked at.
        if sparse and shown is not None and at_ms + 200 < given * every_ms:
            continue
        shown = small(frame, width, height)
    while shown is not None and given < count:
        yield shown
        given += 1


def _sparse(file: BinaryIO) -> bool:
    """Are its key frames too far apart to do with them alone?"""
    before, apart = 0.0, 0.0
    with av.open(file, "r", options={"fflags": "+nobuffer"}) as container:
        if not container.streams.video:
            raise ValueError("There is no picture in the file.")
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.pts is None:
                continue
            at = float(packet.pts * (packet.time_base or Fraction(1, 1000))) * 1000
            apart = max(apart, at - before)
            if packet.is_keyframe:
                before = at
    return apart > APART_MS


def _pictures(file: BinaryIO, all_of_them: bool) -> Iterator[tuple[float, av.VideoFrame]]:
    """With their milliseconds from the first one on. What cannot be decoded is left out."""
    first: float | None = None
    with av.open(file, "r") as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        context.thread_count = 1
        context.skip_frame = "DEFAULT" if all_of_them else "NONKEY"
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                if frame.pts is None:
                    continue
                first = frame.time if first is None else first
                yield (frame.time - first) * 1000, frame


def small(frame: av.VideoFrame, width: int, height: int) -> Tile:
    """As large as fits into a tile, in its middle. ValueError when it is beyond all bounds."""
    if not 0 < frame.width <= LARGEST or not 0 < frame.height <= LARGEST:
        raise ValueError("The picture's size is impossible.")
    scale = min(width / frame.width, height / frame.height)
    wide, high = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    picture = frame.reformat(width=min(wide, width), height=min(high, height), format="rgb24").to_ndarray()
    tile: Tile = np.full((height, width, 3), _DARK, np.uint8)
    top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
    tile[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return tile


def _asked() -> bytes:
    every, count, columns, width, height = map(int, sys.argv[1:])
    with os.fdopen(0, "rb", closefd=False) as file:
        return sheet(file, every, count, columns, width, height)


def main() -> int:
    return answer(_asked, CPU, av.FFmpegError)


if __name__ == "__main__":
    sys.exit(main())
