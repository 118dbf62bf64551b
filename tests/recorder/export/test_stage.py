"""Who is to be seen when, and where in the picture."""

from __future__ import annotations

from typing import Any

import pytest

from recorder.export.stage import Cast, Cell, grid, large

WIDTH, HEIGHT = 1280, 692


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 9, 16, 25])
@pytest.mark.parametrize("layout", [grid, large])
def test_tiles_are_inside_even_and_apart(count: int, layout: Any) -> None:
    if layout is large:
        count = min(count, 7)
    cells = layout(count, WIDTH, HEIGHT)
    assert len(cells) == count
    for cell in cells:
        assert all(value % 2 == 0 for value in (cell.x, cell.y, cell.width, cell.height))
        assert cell.x >= 0
        assert cell.y >= 0
        assert cell.x + cell.width <= WIDTH
        assert cell.y + cell.height <= HEIGHT
    for number, one in enumerate(cells):
        assert not any(_overlap(one, other) for other in cells[number + 1 :])


def _overlap(one: Cell, other: Cell) -> bool:
    return (
        one.x < other.x + other.width and other.x < one.x + one.width and one.y < other.y + other.height
        and other.y < one.y + one.height
    )  # fmt: skip


def track(id: str, who: str, start: int, end: int, source: str = "camera") -> dict[str, Any]:
    return {"id": id, "identity": who, "source": source, "segments": [{"start_ms": start, "end_ms": end}]}


DOCUMENT: dict[str, Any] = {
    "tracks": [track("0001", "a", 0, 4000), track("0002", "b", 2000, 10_000), track("0003", "b", 6000, 8000, "screen_share")],
    "gaps": [{"track": "0001", "start_ms": 4000, "end_ms": 5000, "reason": "loss"}],
    "events": [
        {"type": "joined", "identity": "a", "at_ms": 0},
        {"type": "joined", "identity": "b", "at_ms": 1000},
        {"type": "left", "identity": "a", "at_ms": 9000},
    ],
    "speakers": [{"identity": "b", "spans": [[3000, 3500]]}, {"identity": "a", "spans": [[3600, 3900]]}],
}
VIDEOS = ["0001", "0002", "0003"]


def faces(cast: Cast, ms: int) -> list[tuple[str, str, str]]:
    return [(tile.identity, tile.track, tile.missing) for tile, _ in cast.at(ms, WIDTH, HEIGHT).tiles]


def test_everybody_is_shown_while_they_are_there() -> None:
    cast = Cast(DOCUMENT, VIDEOS, set(), "grid")
    assert faces(cast, 500) == [("a", "0001", "")]
    assert faces(cast, 1500) == [("a", "0001", ""), ("b", "", "")]  # without a camera: a name
    assert faces(cast, 4500) == [("a", "", "网络丢包"), ("b", "0002", "")]
    assert faces(cast, 5500) == [("b", "0002", ""), ("a", "", "")]
    assert faces(cast, 9500) == [("b", "0002", "")]


def test_the_speaker_is_large_and_a_shared_screen_before_him() -> None:
    cast = Cast(DOCUMENT, VIDEOS, set(), "speaker")
    assert faces(cast, 2500)[0][1] == "0001"  # nobody has spoken
    assert faces(cast, 3200)[0][1] == "0002"
    assert faces(cast, 3700)[0][1] == "0001"
    assert faces(cast, 7000)[0][1] == "0003"
    first, second = (cell for _, cell in cast.at(3200, WIDTH, HEIGHT).tiles)
    assert first.width > 3 * second.width


def test_whom_one_looks_at_stays_large() -> None:
    cast = Cast(DOCUMENT, VIDEOS, set(), "focus", "0002")
    assert [faces(cast, ms)[0][1] for ms in (2500, 3700, 7000)] == ["0002"] * 3
    assert faces(cast, 500)[0][0] == "a"  # not there yet


def test_nothing_changes_between_two_edges() -> None:
    cast = Cast(DOCUMENT, VIDEOS, set(), "grid")
    assert cast.edge(2500) == cast.edge(3999) != cast.edge(4000)


def test_more_than_fit_are_left_out_and_counted() -> None:
    many = {**DOCUMENT, "tracks": [track(f"{n:04}", f"p{n}", 0, 1000) for n in range(30)], "events": [], "gaps": []}
    scene = Cast(many, [one["id"] for one in many["tracks"]], set(), "grid").at(0, WIDTH, HEIGHT)
    assert (len(scene.tiles), scene.left_out) == (25, 5)
