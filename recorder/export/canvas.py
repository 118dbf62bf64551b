"""A picture in planes (YUV 4:2:0), and what is put on it."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from recorder.export.lettering import Mask
from recorder.export.stage import Cell

Plane = NDArray[np.uint8]
BLACK, GREY, WHITE, NEUTRAL = 16, 40, 235, 128


class Canvas:
    """``width`` and ``height`` are multiples of four."""

    def __init__(self, width: int, height: int, data: Plane | None = None) -> None:
        self.width, self.height = width, height
        if data is None:
            data = np.full((height * 3 // 2, width), NEUTRAL, np.uint8)
            data[:height] = BLACK
        self.data = data
        half = height // 4
        self._y = data[:height]
        self._u = data[height : height + half].reshape(height // 2, width // 2)
        self._v = data[height + half :].reshape(height // 2, width // 2)

    def copy(self) -> Canvas:
        return Canvas(self.width, self.height, self.data.copy())

    def fill(self, cell: Cell, luma: int) -> None:
        self._y[cell.y : cell.y + cell.height, cell.x : cell.x + cell.width] = luma
        for plane in (self._u, self._v):
            _half(plane, cell)[:] = NEUTRAL

    def show(self, frame: Any, cell: Cell) -> None:
        """As large as it fits, without being stretched."""
        scale = min(cell.width / frame.width, cell.height / frame.height)
        wide = max(2, min(cell.width, round(frame.width * scale / 2) * 2))
        high = max(2, min(cell.height, round(frame.height * scale / 2) * 2))
        left, top = cell.x + (cell.width - wide) // 4 * 2, cell.y + (cell.height - high) // 4 * 2
        data = frame.reformat(width=wide, height=high, format="yuv420p", interpolation="FAST_BILINEAR").to_ndarray()
        if (wide, high) != (cell.width, cell.height):
            self.fill(cell, BLACK)
        self._y[top : top + high, left : left + wide] = data[:high]
        inside, quarter = Cell(left, top, wide, high), high // 2 * (wide // 2)
        colours = data[high:].reshape(-1)
        _half(self._u, inside)[:] = colours[:quarter].reshape(high // 2, wide // 2)
        _half(self._v, inside)[:] = colours[quarter : 2 * quarter].reshape(high // 2, wide // 2)

    def darken(self, cell: Cell) -> None:
        """What is written there can be read."""
        part = self._y[cell.y : cell.y + cell.height, cell.x : cell.x + cell.width]
        part[:] = (part >> 2) + 12
        for plane in (self._u, self._v):
            half = _half(plane, cell)
            half[:] = (half >> 2) + 96

    def write(self, mask: Mask, x: int, y: int, luma: int = WHITE, strength: int = 256) -> None:
        """``strength`` of 256; what does not fit is cut off."""
        mask = mask[: max(0, self.height - y), : max(0, self.width - x)]
        part = self._y[y : y + mask.shape[0], x : x + mask.shape[1]]
        alpha = mask.astype(np.int32) * strength
        part[:] = (part + ((luma - part.astype(np.int32)) * alpha >> 16)).astype(np.uint8)

    def frame(self) -> av.VideoFrame:
        return av.VideoFrame.from_ndarray(self.data, format="yuv420p")


def _half(plane: Plane, cell: Cell) -> Plane:
    x, y = cell.x // 2, cell.y // 2
    return plane[y : y + cell.height // 2, x : x + cell.width // 2]
