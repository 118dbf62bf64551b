from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from bridges.scene import Encoder, Scene, tone
from commhub.wire import h264

MORNING = datetime(2026, 3, 1, 8, 30, 0)


def luma(scene: Scene, at: datetime) -> bytes:
    return bytes(scene.draw(at).planes[0])


def test_the_clock_and_the_street_move() -> None:
    scene = Scene(640, 360, "gate 3")
    now = luma(scene, MORNING)
    assert now == luma(scene, MORNING)
    later = luma(scene, MORNING + timedelta(seconds=1))
    rows = [row for row in range(360) if now[row * 640 : row * 640 + 640] != later[row * 640 : row * 640 + 640]]
    assert min(rows) < 60  # the clock above
    assert max(rows) > 200  # traffic below


@pytest.mark.parametrize(("width", "height"), [(100, 100), (1281, 720), (1280, 721), (8000, 4000)])
def test_sizes_that_cannot_be_drawn(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="size must be"):
        Scene(width, height, "x")


def test_the_encoder_makes_what_browsers_decode() -> None:
    scene, encoder = Scene(320, 180, "x"), Encoder(320, 180, Fraction(10), 5)
    pictures = []
    for number in range(12):
        asked = number == 7
        pictures += encoder.encode(scene.draw(MORNING + timedelta(seconds=number / 10)), key=asked)
    assert [number for number, picture in enumerate(pictures) if picture.key] == [0, 5, 7]
    sps = h264.parse_sps(pictures[0].units[0])
    assert (sps.profile, sps.width, sps.height, sps.reorder) == (66, 320, 180, 0)
    assert [unit[0] & 31 for unit in pictures[7].units] == [7, 8, 5]
    assert [unit[0] & 31 for unit in pictures[8].units] == [1]


def test_the_beep_is_a_second_of_alaw() -> None:
    beep = tone()
    assert len(beep) == 8000
    assert set(beep[1000:]) == {0xD5}  # silence
    assert len(set(beep[:600])) > 10
