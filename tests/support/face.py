"""An invented person for a browser's invented camera: a Y4M film (4:2:0) of somebody who moves a little while speaking."""

from __future__ import annotations

import math
from pathlib import Path

import numpy
from PIL import Image, ImageDraw

WIDTH, HEIGHT, FRAMES, RATE = 640, 360, 40, 20
#: wall, coat, skin, hair
LOOKS = [
    ("#4A545E", "#22344E", "#D9A47C", "#1B1A1A"),
    ("#6C6A5E", "#46583F", "#E2B896", "#2B201A"),
]


def film(file: Path, look: int) -> Path:
    """Writes two seconds that loop without a jump; returns ``file``."""
    with file.open("wb") as out:
        out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(FRAMES):
            out.write(b"FRAME\n" + _planes(_draw(LOOKS[look], number / FRAMES * 2 * math.pi)))
    return file


def _draw(colours: tuple[str, str, str, str], phase: float) -> Image.Image:
    wall, coat, skin, hair = colours
    image = Image.new("RGB", (WIDTH, HEIGHT), wall)
    draw = ImageDraw.Draw(image)
    for shelf in range(3):
        for book in range(14):
            height = 26 + (book * 7 + shelf * 5) % 16
            shade = 60 + (book * 37 + shelf * 53) % 50
            left, bottom = 420 + book * 14, 70 + shelf * 58
            draw.rectangle((left, bottom - height, left + 9, bottom), fill=(shade, shade + 8, shade + 14))
    x, y = 290 + 7 * math.sin(phase), 4 * math.sin(2 * phase)
    draw.rounded_rectangle((x - 150, 262 + y, x + 150, 420), 70, fill=coat)
    draw.polygon([(x - 42, 264 + y), (x + 42, 264 + y), (x, 316 + y)], fill="#E8ECEF")
    draw.rounded_rectangle((x - 24, 210 + y, x + 24, 276 + y), 16, fill=skin)
    draw.ellipse((x - 66, 78 + y, x + 66, 246 + y), fill=skin)
    draw.pieslice((x - 70, 62 + y, x + 70, 214 + y), 180, 360, fill=hair)
    draw.rectangle((x - 70, 132 + y, x - 56, 172 + y), fill=hair)
    draw.rectangle((x + 56, 132 + y, x + 70, 172 + y), fill=hair)
    for eye in (-26, 26):
        draw.ellipse((x + eye - 6, 150 + y, x + eye + 6, 160 + y), fill="#2A2320")
    mouth = 4 + 5 * (1 + math.sin(4 * phase))
    draw.ellipse((x - 18, 206 + y - mouth / 2, x + 18, 206 + y + mouth / 2), fill="#8C4A44")
    return image


def _planes(image: Image.Image) -> bytes:
    """Full-range BT.601, as JPEG has it."""
    channels = numpy.asarray(image.convert("YCbCr"))
    small = channels.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean(axis=(1, 3)).round().astype(numpy.uint8)
    return b"".join(bytes(plane.tobytes()) for plane in (channels[:, :, 0], small[:, :, 1], small[:, :, 2]))
