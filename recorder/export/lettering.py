"""Words in pictures: names, times, watermarks, chat, as masks of what a letter covers."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from recorder.export.fonts import face

Mask = NDArray[np.uint8]
_LIMIT = 400  # letters of a line


@functools.cache
def _font(size: int) -> Any:
    found = face()
    return ImageFont.truetype(found[0], size, index=found[1]) if found else ImageFont.load_default(size)


def line(text: str, size: int, width: int) -> Mask:
    """One line of ``size`` pixels, cut at ``width`` pixels. Letters that cannot be shown are left out."""
    text = "".join(letter for letter in text[:_LIMIT] if letter.isprintable())
    font = _font(size)
    text = _fitting(text, font, width)
    across = max(2, min(width, int(font.getlength(text)) + 2)) // 2 * 2
    high = (size * 3 // 2) // 2 * 2
    image = Image.new("L", (across, high))
    if text:
        ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    return np.asarray(image, np.uint8)


def _fitting(text: str, font: Any, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle] + "…") <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low] + "…"


def wrapped(text: str, size: int, width: int, most: int) -> list[str]:
    """Lines of a longer text, no more than ``most``."""
    font, out = _font(size), [""]
    for letter in text[:_LIMIT]:
        letter = " " if letter.isspace() else letter
        if not letter.isprintable():
            continue
        if font.getlength(out[-1] + letter) > width:
            if len(out) == most:
                out[-1] = out[-1][:-1] + "…"
                break
            out.append("")
        out[-1] += letter
    return out
