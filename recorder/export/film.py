"""A film of a session: everybody in tiles by who was there when, names below, sound mixed on one clock, the watermark burnt in.

H.264 and AAC in an MP4. Blocking, and it takes a core: for a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Any, BinaryIO

import av

from recorder.export import lettering
from recorder.export.canvas import GREY, Canvas
from recorder.export.playing import RATE, Mixed, Pictures, Sound
from recorder.export.stage import Cast, Cell, Scene, Tile
from recorder.export.taken import Taken

WIDTH, HEIGHT, FPS = 1280, 720, 25
_FOOTER = 28  # pixels: title, time of day
_PANEL = 320  # pixels: chat
_LETTERS = 18
_CHAT_LINES = 30
Watch = Callable[[float], None]  # per cent; raises what ends it


class Film:
    """``by`` is burnt in, with ``at`` (local time as it is to be read)."""

    def __init__(self, taken: Taken, layout: str, tracks: list[str], chat: bool, by: str, at: str) -> None:
        self._taken = taken
        videos = [lane for lane in taken.lanes if lane.kind == "video"]
        self._pictures = {lane.id: Pictures(taken, lane) for lane in videos}
        focus = next((track for track in tracks if track in self._pictures), videos[0].id if videos else "")
        self._cast = Cast(taken.document, [lane.id for lane in videos], set(tracks), layout, focus)
        self._mixed = Mixed([Sound(taken, lane) for lane in taken.lanes if lane.kind == "audio"])
        self._room = (WIDTH - (_PANEL if chat else 0), HEIGHT - _FOOTER)
        self._canvas = Canvas(WIDTH, HEIGHT)
        self._scene: Scene | None = None
        self._edge = -1
        self._drawn: dict[Tile, Any] = {}
        self._labels: dict[str, lettering.Mask] = {}
        self._second = -1
        self._said = -1
        self._chat = [event for event in taken.document["events"] if event["type"] == "chat" and event["text"]] if chat else []
        self._with_chat = chat
        self._marks = _watermark(f"{by} {at}".strip(), self._room)

    def write(self, file: BinaryIO, watch: Watch) -> None:
        """Its index comes last (:mod:`recorder.export.fronting`). OSError; whatever ``watch`` raises."""
        length = self._taken.to_ms - self._taken.from_ms
        frames = max(1, length * FPS // 1000)
        with av.open(file, "w", format="mp4") as container:
            video: Any = container.add_stream("libx264", rate=FPS)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            video.options = {"preset": "superfast", "crf": "25", "g": str(2 * FPS)}
            video.codec_context.time_base = Fraction(1, FPS)
            sound: Any = container.add_stream("aac", rate=RATE, layout="mono")
            sound.bit_rate = 96_000
            heard = 0
            for number in range(frames):
                picture = self._draw(self._taken.from_ms + number * 1000 / FPS).frame()
                picture.pts, picture.time_base = number, Fraction(1, FPS)
                container.mux(video.encode(picture))
                if number % FPS == FPS - 1 or number == frames - 1:
                    until = RATE * (number + 1) // FPS
                    heard = self._hear(container, sound, heard, until)
                    watch(100 * (number + 1) / frames)
            container.mux(video.encode(None))
            container.mux(sound.encode(None))
        for pictures in self._pictures.values():
            pictures.close()

    def _hear(self, container: Any, stream: Any, begin: int, until: int) -> int:
        frame = av.AudioFrame.from_ndarray(self._mixed.take(until - begin).reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
        container.mux(stream.encode(frame))
        return until

    # ---- a picture

    def _draw(self, ms: float) -> Canvas:
        edge = self._cast.edge(int(ms))
        if edge != self._edge:
            self._edge = edge
            scene = self._cast.at(int(ms), *self._room)
            if self._scene is None or scene.tiles != self._scene.tiles:
                self._canvas.fill(Cell(0, 0, *self._room), 16)
                self._drawn.clear()
            self._scene = scene
        assert self._scene is not None
        for tile, cell in self._scene.tiles:
            frame = self._pictures[tile.track].at(ms) if tile.track else None
            if tile not in self._drawn or self._drawn[tile] is not frame:
                self._drawn[tile] = frame
                self._tile(tile, cell, frame)
        if int(ms // 1000) != self._second:
            self._second = int(ms // 1000)
            self._foot()
        if self._with_chat:
            self._talk(ms)
        out = self._canvas.copy()
        for mask, x, y in self._marks:
            out.write(mask, x, y, strength=72)
        return out

    def _tile(self, tile: Tile, cell: Cell, frame: Any) -> None:
        if frame is not None:
            self._canvas.show(frame, cell)
        else:
            inner = Cell(cell.x + 2, cell.y + 2, max(2, cell.width - 4), max(2, cell.height - 4))
            self._canvas.fill(cell, 16)
            self._canvas.fill(inner, GREY)
            word = f"缺失：{tile.missing}" if tile.missing else "" if tile.track else "无画面"
            if word and cell.height > 60:
                mask = self._word(word, _LETTERS, cell.width - 16)
                self._canvas.write(mask, cell.x + (cell.width - mask.shape[1]) // 4 * 2, cell.y + cell.height // 4 * 2 - 12)
        name, org = self._taken.name(tile.identity)
        text = " · ".join(filter(None, (name, org, "屏幕" if tile.share else "")))
        high = 28 if cell.height >= 160 else 20
        mask = self._word(text, high * 2 // 3, max(8, cell.width - 16))
        strip = Cell(cell.x, cell.y + cell.height - high, min(cell.width, (mask.shape[1] + 16) // 2 * 2), high)
        self._canvas.darken(strip)
        self._canvas.write(mask[:high], strip.x + 8, strip.y)

    def _word(self, text: str, size: int, width: int) -> lettering.Mask:
        key = f"{size} {width} {text}"
        if key not in self._labels:
            if len(self._labels) > 500:
                self._labels.clear()
            self._labels[key] = lettering.line(text, size, width)
        return self._labels[key]

    def _foot(self) -> None:
        """The session's title, and the time of day."""
        room = Cell(0, HEIGHT - _FOOTER, WIDTH, _FOOTER)
        self._canvas.fill(room, 28)
        moment = self._taken.manifest.started_at // 1_000_000_000 + self._second
        when = datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        clock = lettering.line(when, _LETTERS, 260)
        self._canvas.write(clock, WIDTH - clock.shape[1] // 2 * 2 - 12, room.y + 2)
        left_out = f"（另有 {self._scene.left_out} 路未显示）" if self._scene is not None and self._scene.left_out else ""
        self._canvas.write(self._word(self._taken.manifest.title + left_out, _LETTERS, WIDTH - 320), 12, room.y + 2)

    def _talk(self, ms: float) -> None:
        said = sum(1 for event in self._chat if event["at_ms"] <= ms)
        if said == self._said:
            return
        self._said = said
        left, high = self._room[0], _LETTERS + 6
        self._canvas.fill(Cell(left, 0, _PANEL, self._room[1]), 22)
        lines: list[tuple[str, int]] = []
        for event in self._chat[max(0, said - _CHAT_LINES) : said]:
            lines.append((event["name"] or event["identity"].partition(":")[0], 150))
            lines += [(line, 225) for line in lettering.wrapped(event["text"], _LETTERS - 2, _PANEL - 24, 6)]
        for number, (text, luma) in enumerate(lines[-(self._room[1] // high) :]):
            self._canvas.write(self._word(text, _LETTERS - 2, _PANEL - 24), left + 12, number * high + 4, luma)


def _watermark(text: str, room: tuple[int, int]) -> list[tuple[lettering.Mask, int, int]]:
    """Where it stands, row beside row."""
    mask = lettering.line(text, 20, room[0] // 2)
    wide, high = mask.shape[1], mask.shape[0]
    marks = []
    for row, y in enumerate(range(room[1] // 8, room[1] - high, room[1] // 4)):
        for column in range(2):
            x = (room[0] // 2 * column + room[0] // 16 + (room[0] // 6 if row % 2 else 0)) // 2 * 2
            marks.append((mask[:, : max(2, min(wide, room[0] - x))], x, y // 2 * 2))
    return marks
