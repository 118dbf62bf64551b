from __future__ import annotations

import itertools

import pytest

from commhub.wire import units
from commhub.wire.units import Clock, Label


@pytest.mark.parametrize(
    ("first", "codec"),
    [
        ("6742", "h264"), ("2764", "h264"), ("68ce", "h264"), ("28ee", "h264"), ("6588", "h264"),
        ("419a", "h264"), ("0910", "h264"),
        ("4001", "h265"), ("4201", "h265"), ("4401", "h265"), ("2601", "h265"), ("0201", "h265"),
        ("0003", "h265"), ("2a01", "h265"),
        ("0605", None), ("0601", None), ("e001", None), ("ffff", None), ("7c85", None),
    ],
)  # fmt: skip
def test_a_codec_by_the_first_octets_of_a_unit(first: str, codec: str | None) -> None:
    assert units.guess(*bytes.fromhex(first)) == codec


def test_a_clock_goes_on_when_it_changes_what_it_follows() -> None:
    clock = Clock()
    told = [clock.picture(Label(pts=100 + at * 3600, rtp=at * 3600)) for at in range(10)]
    told += [clock.picture(Label(pts=0, rtp=(10 + at) * 3600)) for at in range(20)]
    assert clock.source == "rtp"
    told += [clock.picture(Label(pts=9_000_000 + at * 3600, rtp=(30 + at) * 3600)) for at in range(40)]
    assert clock.source == "pts"
    steps = [after - before for before, after in itertools.pairwise(told)]
    assert steps[12:] == [3600] * (len(steps) - 12)


def test_without_any_time_pictures_are_counted() -> None:
    clock = Clock()
    assert [clock.picture(Label()) for _ in range(5)] == [0, 3600, 7200, 10800, 14400]
    still = Clock()
    told = [still.picture(Label(pts=5, rtp=5)) for _ in range(20)]
    assert still.source == "count"
    assert told[-1] - told[-2] == 3600


def test_decoding_times() -> None:
    clock = Clock()
    assert clock.decoding(Label(pts=100, dts=(1 << 33) - 100), 100) == -100
    assert clock.decoding(Label(pts=100, dts=200), 100) == 100, "A picture is not decoded after it is shown."
