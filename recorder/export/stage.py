"""Who is to be seen when, and where in the picture. No I/O, no clock."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from recorder.export.words import GAPS

MOST = 25  # tiles
_STRIP = 6  # tiles beside a large one
LAYOUTS = ("grid", "speaker", "focus")


@dataclass(frozen=True, slots=True)
class Cell:
    """All even, so that planes of half the size fit."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Tile:
    """Somebody at a time: their picture's track, '' without one, and why there is none."""

    identity: str
    track: str
    share: bool = False
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """From ``since`` (ms) on: tiles and where they stand; ``left_out`` have no place."""

    since: int
    tiles: tuple[tuple[Tile, Cell], ...]
    left_out: int = 0


def grid(count: int, width: int, height: int) -> list[Cell]:
    """As large as they can be, in rows; the last row stands in the middle."""
    if not count:
        return []
    columns = min(range(1, count + 1), key=lambda n: (-_tile_width(n, count, width, height), n))
    rows = -(-count // columns)
    wide = _even(min(width / columns, height / rows * 16 / 9))
    high = _even(min(height / rows, width / columns * 9 / 16))
    cells = []
    for number in range(count):
        row, column = divmod(number, columns)
        inside = min(columns, count - row * columns)
        left, top = (width - inside * wide) // 2, (height - rows * high) // 2
        cells.append(Cell((left + column * wide) // 2 * 2, (top + row * high) // 2 * 2, wide, high))
    return cells


def _tile_width(columns: int, count: int, width: int, height: int) -> float:
    rows = -(-count // columns)
    return min(width / columns, height / rows * 16 / 9)


def large(count: int, width: int, height: int) -> list[Cell]:
    """The first one large, the others in a strip at the right."""
    if count < 2:
        return grid(count, width, height)
    wide = _even(width / 5)
    strip = min(_even(wide * 9 / 16), _even(height / max(1, count - 1)))
    cells = [Cell(0, 0, _even(width - wide), _even(height))]
    return cells + [Cell(_even(width - wide), number * strip, wide, strip) for number in range(count - 1)]


def _even(value: float) -> int:
    return max(2, int(value) // 2 * 2)


Span = tuple[int, int]


class Cast:
    """Of a manifest's document (:mod:`recorder.manifest`), only ``tracks`` (ids; all of kind video that are wanted)."""

    def __init__(self, document: dict[str, Any], videos: list[str], only: set[str], layout: str, focus: str = "") -> None:
        self._layout = layout
        self._focus = focus
        self._tracks = [track for track in document["tracks"] if track["id"] in videos]
        self._files: dict[str, list[Span]] = {
            track["id"]: [(one["start_ms"], one["end_ms"]) for one in track["segments"]] for track in self._tracks
        }
        self._gaps: dict[str, list[tuple[int, int, str]]] = {}
        for gap in document["gaps"]:
            self._gaps.setdefault(gap["track"], []).append((gap["start_ms"], gap["end_ms"], gap["reason"]))
        heard = {track["identity"] for track in document["tracks"] if not only or track["id"] in only}
        self._there = {who: spans for who, spans in _presence(document).items() if who in heard}
        self._speech = sorted(
            (since, until, one["identity"]) for one in document["speakers"] for since, until in one["spans"]
        )  # fmt: skip
        self._edges = sorted({0, *self._moments()})

    def _moments(self) -> list[int]:
        spans = [span for some in (*self._files.values(), *self._there.values()) for span in some]
        spans += [(since, until) for some in self._gaps.values() for since, until, _ in some]
        if self._layout == "speaker":
            spans += [(since, until) for since, until, _ in self._speech]
        return [edge for span in spans for edge in span]

    def edge(self, ms: int) -> int:
        """The number of the stretch of time in which nothing changes."""
        return bisect_right(self._edges, ms)

    def at(self, ms: int, width: int, height: int) -> Scene:
        since = self._edges[max(0, self.edge(ms) - 1)]
        tiles = self._tiles(ms)
        first = self._first(tiles, ms)
        if first is None:
            shown = tiles[:MOST]
            cells = grid(len(shown), width, height)
        else:
            shown = [first, *(tile for tile in tiles if tile is not first)][: _STRIP + 1]
            cells = large(len(shown), width, height)
        return Scene(since, tuple(zip(shown, cells, strict=True)), len(tiles) - len(shown))

    def _tiles(self, ms: int) -> list[Tile]:
        tiles: list[Tile] = []
        for track in self._tracks:
            share = str(track["source"]).startswith("screen")
            missing = next((reason for since, until, reason in self._gaps.get(track["id"], ()) if since <= ms < until), "")
            if any(since <= ms < until for since, until in self._files[track["id"]]):
                tiles.append(Tile(track["identity"], track["id"], share))
            elif missing:
                tiles.append(Tile(track["identity"], "", share, GAPS.get(missing, missing)))
        seen = {tile.identity for tile in tiles if not tile.share}
        for identity, spans in self._there.items():
            if identity not in seen and any(since <= ms < until for since, until in spans):
                tiles.append(Tile(identity, ""))
        return tiles

    def _first(self, tiles: list[Tile], ms: int) -> Tile | None:
        """Who is large; None: nobody."""
        if self._layout == "focus":
            focus = next((track["identity"] for track in self._tracks if track["id"] == self._focus), "")
            return next((tile for tile in tiles if tile.track == self._focus), None) or next(
                (tile for tile in tiles if tile.identity == focus), None
            )
        if self._layout != "speaker" or not tiles:
            return None
        share = next((tile for tile in tiles if tile.share), None)
        if share is not None:
            return share
        spoke = [(since, who) for since, _, who in self._speech if since <= ms]
        for _, who in reversed(spoke):
            found = next((tile for tile in tiles if tile.identity == who), None)
            if found is not None:
                return found
        return tiles[0]


def _presence(document: dict[str, Any]) -> dict[str, list[Span]]:
    """When everybody was there."""
    out: dict[str, list[Span]] = {}
    since: dict[str, int] = {}
    for event in document["events"]:
        if event["type"] == "joined":
            since.setdefault(event["identity"], event["at_ms"])
        elif event["type"] == "left" and event["identity"] in since:
            out.setdefault(event["identity"], []).append((since.pop(event["identity"]), event["at_ms"]))
    for identity, began in since.items():
        out.setdefault(identity, []).append((began, 1 << 60))
    return out
