"""The picture of a simulated camera: a street with traffic and a clock burnt in, and a tone. Plain bytes, no image library."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

import av

from commhub.wire import h264, h265

# 5 x 7 dots, one row per number, highest bit left.
_GLYPHS = {
    "0": (14, 17, 19, 21, 25, 17, 14), "1": (4, 12, 4, 4, 4, 4, 14), "2": (14, 17, 1, 2, 4, 8, 31), "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14), "6": (6, 8, 16, 30, 17, 17, 14), "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14), "9": (14, 17, 17, 15, 1, 2, 12), ":": (0, 4, 4, 0, 4, 4, 0), "-": (0, 0, 0, 31, 0, 0, 0),
    ".": (0, 0, 0, 0, 0, 4, 4), " ": (0, 0, 0, 0, 0, 0, 0),
    "A": (14, 17, 17, 31, 17, 17, 17), "B": (30, 17, 17, 30, 17, 17, 30), "C": (14, 17, 16, 16, 16, 17, 14),
    "D": (28, 18, 17, 17, 17, 18, 28), "E": (31, 16, 16, 30, 16, 16, 31), "F": (31, 16, 16, 30, 16, 16, 16),
    "G": (14, 17, 16, 23, 17, 17, 15), "H": (17, 17, 17, 31, 17, 17, 17), "I": (14, 4, 4, 4, 4, 4, 14),
    "J": (7, 2, 2, 2, 2, 18, 12),
    "K": (17, 18, 20, 24, 20, 18, 17), "L": (16, 16, 16, 16, 16, 16, 31), "M": (17, 27, 21, 21, 17, 17, 17),
    "N": (17, 17, 25, 21, 19, 17, 17), "O": (14, 17, 17, 17, 17, 17, 14), "P": (30, 17, 17, 30, 16, 16, 16),
    "Q": (14, 17, 17, 17, 21, 18, 13), "R": (30, 17, 17, 30, 20, 18, 17), "S": (15, 16, 16, 14, 1, 1, 30),
    "T": (31, 4, 4, 4, 4, 4, 4),
    "U": (17, 17, 17, 17, 17, 17, 14), "V": (17, 17, 17, 17, 17, 10, 4), "W": (17, 17, 17, 21, 21, 21, 10),
    "X": (17, 17, 10, 4, 10, 17, 17),
    "Y": (17, 17, 17, 10, 4, 4, 4), "Z": (31, 1, 2, 4, 8, 16, 31),
}  # fmt: skip

Colour = tuple[int, int, int]  # Y, U, V
_ROAD: Colour = (70, 128, 128)
_LINE: Colour = (200, 128, 128)
_CARS: tuple[tuple[Colour, float, float], ...] = (  # colour, seconds to cross, lane 0 … 1
    ((81, 90, 240), 9.0, 0.12),
    ((145, 54, 34), 14.0, 0.40),
    ((41, 240, 110), 7.0, -0.62),
    ((210, 16, 146), 11.0, -0.86),
)


@dataclass(slots=True)
class _Canvas:
    """The planes of a 4:2:0 picture with their strides. Coordinates are even luma pixels."""

    width: int
    height: int
    strides: tuple[int, int, int]
    planes: tuple[bytearray, bytearray, bytearray]

    def fill(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        x, right = max(0, x & ~1), min(self.width, (x + width) & ~1)
        y, bottom = max(0, y & ~1), min(self.height, (y + height) & ~1)
        if right <= x or bottom <= y:
            return
        for plane, stride, value, half in zip(self.planes, self.strides, colour, (0, 1, 1), strict=True):
            left, wide = x >> half, (right - x) >> half
            row = bytes((value,)) * wide
            for line in range(y >> half, bottom >> half):
                plane[line * stride + left : line * stride + left + wide] = row

    def text(self, x: int, y: int, text: str, dot: int, value: int = 235) -> None:
        luma, stride = self.planes[0], self.strides[0]
        self.fill(x - 2 * dot, y - 2 * dot, (len(text) * 6 + 3) * dot, 11 * dot, (24, 128, 128))
        for letter in text:
            for line, bits in enumerate(_GLYPHS.get(letter, _GLYPHS[" "])):
                for column in range(5):
                    if bits >> (4 - column) & 1:
                        for row in range(dot):
                            at = (y + line * dot + row) * stride + x + column * dot
                            luma[at : at + dot] = bytes((value,)) * dot
            x += 6 * dot

    def caption(self, now: datetime, name: str, dot: int) -> None:
        self.text(6 * dot, 6 * dot, now.strftime("%Y-%m-%d %H:%M:%S.") + str(now.microsecond // 100_000), max(1, dot * 3 // 2))
        # On the right: where people are shown, the left lower corner has their names.
        self.text(self.width - (6 * len(name) + 5) * dot, 6 * dot, name, dot)

    def part(self, left: int, top: int, width: int, height: int) -> _Canvas:
        made = _Canvas.of(av.VideoFrame(width, height, "yuv420p"))
        for to, stride, plane, step, half in zip(made.planes, made.strides, self.planes, self.strides, (0, 1, 1), strict=True):
            x, wide = left >> half, width >> half
            for row in range(height >> half):
                start = ((top >> half) + row) * step + x
                to[row * stride : row * stride + wide] = plane[start : start + wide]
        return made

    def frame(self) -> av.VideoFrame:
        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        for target, data in zip(frame.planes, self.planes, strict=True):
            target.update(bytes(data))
        return frame

    @classmethod
    def of(cls, frame: av.VideoFrame) -> _Canvas:
        first, second, third = (plane.line_size for plane in frame.planes)
        luma, blue, red = (bytearray(bytes(plane)) for plane in frame.planes)
        return cls(frame.width, frame.height, (first, second, third), (luma, blue, red))


@dataclass(frozen=True, slots=True)
class View:
    """Where a camera looks: ``pan`` (right) and ``tilt`` (up) from -1 to 1, ``zoom`` from 1 on."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 1.0


class Scene:
    """Draws the street at a time of day. ``width`` and ``height`` in pixels, both multiples of 16."""

    def __init__(self, width: int, height: int, name: str) -> None:
        if width % 16 or height % 4 or not (160 <= width <= 3840 and 90 <= height <= 2160):
            raise ValueError("The picture's size must be 160x90 to 3840x2160, the width a multiple of 16, the height of 4.")
        self._name = name.upper()[:18]
        self._dot = max(1, width // 320)
        self._canvas = _Canvas.of(av.VideoFrame(width, height, "yuv420p"))
        self._draw_background()
        self._background = [bytes(plane) for plane in self._canvas.planes]

    def _draw_background(self) -> None:
        canvas = self._canvas
        width, height = canvas.width, canvas.height
        horizon = height * 45 // 100
        for y in range(0, horizon, 2):
            canvas.fill(0, y, width, 2, (110 + 70 * y // horizon, 150 - 10 * y // horizon, 116))
        canvas.fill(0, horizon, width, height - horizon, (95, 118, 122))
        for number in range(9):
            left, wide = width * number // 9, width // 9 - width // 60
            top = horizon - height * (12 + number * 37 % 23) // 100
            canvas.fill(left, top, wide, horizon - top + height // 40, (60 + number * 29 % 60, 124, 132))
            for row in range(top + height // 40, horizon, height // 22):
                for column in range(left + width // 100, left + wide - width // 90, width // 45):
                    canvas.fill(column, row, width // 110, height // 50, (150 + (row + column) * 7 % 80, 108, 140))
        top, bottom = height * 55 // 100, height * 92 // 100
        canvas.fill(0, top, width, bottom - top, _ROAD)
        for left in range(0, width, width // 10):
            canvas.fill(left, (top + bottom) // 2, width // 20, height // 90, _LINE)

    def draw(self, now: datetime) -> av.VideoFrame:
        self.traffic(now)
        self._canvas.caption(now, self._name, self._dot)
        return self._canvas.frame()

    def traffic(self, now: datetime) -> _Canvas:
        """The street without words, to be used before it is drawn again."""
        canvas = self._canvas
        for plane, background in zip(canvas.planes, self._background, strict=True):
            plane[:] = background
        width, height = canvas.width, canvas.height
        seconds = now.minute * 60 + now.second + now.microsecond / 1e6
        top, road = height * 55 // 100, height * 37 // 100
        for colour, crossing, lane in _CARS:
            way = seconds % crossing / crossing
            size = width // 9
            left = round((way if lane > 0 else 1 - way) * (width + size)) - size
            y = top + round(abs(lane) * (road - height // 12))
            canvas.fill(left, y, size, height // 12, colour)
            canvas.fill(left + size // 5, y + height // 90, size * 3 // 5, height // 40, (40, 128, 128))
        return canvas


class Panorama:
    """A larger street of which a movable camera sees a part: half as much again to the sides, a quarter above and below."""

    def __init__(self, width: int, height: int, name: str) -> None:
        self._size = width, height
        self._name, self._dot = name.upper()[:18], max(1, width // 320)
        self._world = Scene((width * 3 // 2) // 16 * 16, (height * 5 // 4) // 4 * 4, "")

    def draw(self, now: datetime, view: View) -> av.VideoFrame:
        width, height = self._size
        world = self._world.traffic(now)
        wide, high = (round(side / max(1.0, view.zoom)) & ~1 for side in self._size)
        left = round((world.width - wide) * (1 + max(-1.0, min(1.0, view.pan))) / 2) & ~1
        top = round((world.height - high) * (1 - max(-1.0, min(1.0, view.tilt))) / 2) & ~1
        seen = world.part(left, top, wide, high)
        if (wide, high) != self._size:
            seen = _Canvas.of(seen.frame().reformat(width, height))
        seen.caption(now, self._name, self._dot)
        return seen.frame()


@dataclass(slots=True)
class Picture:
    """One access unit: NAL units in order, without SEI; ``key``: it begins with its parameter sets and all can begin there.
    ``pts`` and ``dts`` count pictures from the encoder's first one; they differ where there are B-frames."""

    units: list[bytes]
    key: bool
    pts: int = 0
    dts: int = 0


_X264 = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "threads": "1", "crf": "27",
         "maxrate": "2500k", "bufsize": "2500k"}  # fmt: skip
_B_FRAMES = {"tune": "", "profile": "main", "b-adapt": "0", "rc-lookahead": "0", "sync-lookahead": "0"}


@dataclass(slots=True)
class Encoder:
    """x264, Baseline, no B-frames, one thread; or x265. Every ``group`` pictures an IDR, or when asked."""

    width: int
    height: int
    rate: Fraction
    group: int
    options: dict[str, str] = field(default_factory=dict)
    codec: str = "h264"
    b_frames: int = 0
    number: int = field(init=False, default=0)  # of pictures that went in
    _codec: av.VideoCodecContext = field(init=False)

    def __post_init__(self) -> None:
        codec = av.CodecContext.create("libx265" if self.codec == "h265" else "libx264", "w")
        assert isinstance(codec, av.VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = self.width, self.height, "yuv420p"
        codec.time_base, codec.framerate = 1 / self.rate, self.rate
        codec.gop_size = self.group
        codec.options = self._settings() | self.options
        self._codec = codec

    def _settings(self) -> dict[str, str]:
        if self.codec == "h265":
            words = ("log-level=none", f"keyint={self.group}", f"min-keyint={self.group}", "scenecut=0", "repeat-headers=1",
                     "open-gop=0", "bframes=0", "pools=none", "frame-threads=1", "info=0")  # fmt: skip
            return {"preset": "ultrafast", "tune": "zerolatency", "crf": "30", "forced-idr": "1", "x265-params": ":".join(words)}
        if self.b_frames:
            return _X264 | _B_FRAMES | {"bf": str(self.b_frames), "forced-idr": "1"}
        return _X264

    def encode(self, frame: av.VideoFrame, *, key: bool = False) -> list[Picture]:
        frame.pts = self.number
        self.number += 1
        if key:
            frame.pict_type = av.video.frame.PictureType.I
        pictures = []
        for packet in self._codec.encode(frame):
            units = [unit for unit in h264.split_annex_b(bytes(packet)) if not self._remark(unit)]
            whole = self.codec == "h264" and any(unit[0] & 0x1F == h264.IDR for unit in units)
            whole |= self.codec == "h265" and any(h265.kind(unit) in h265.IRAP for unit in units)
            pictures.append(Picture(units, whole, packet.pts or 0, packet.dts or 0))
        return pictures

    def _remark(self, unit: bytes) -> bool:
        return h265.kind(unit) in (39, 40) if self.codec == "h265" else unit[0] & 0x1F == h264.SEI


def tone(frequency: int = 440, every: float = 1.0, length: float = 0.08, loudness: float = 0.15) -> bytes:
    """One second of G.711 A-law at 8 kHz: a short beep at its beginning."""
    samples = []
    for number in range(8000):
        at = number / 8000 % every
        value = loudness * math.sin(2 * math.pi * frequency * at) if at < length else 0.0
        samples.append(_alaw(round(value * 32767)))
    return bytes(samples)


def _alaw(sample: int) -> int:
    """ITU-T G.711, from 16 bits."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(sample if sample >= 0 else -sample - 1, 32_767) >> 4
    exponent = max(0, magnitude.bit_length() - 4)
    mantissa = magnitude >> max(0, exponent - 1) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55
