"""RTP time on the session's clock: delays, drift, sender reports, two tracks of one sender."""

from __future__ import annotations

import random

import pytest

from recorder.timeline import SECOND, SenderClock, Timeline

START = 1_700_000_000 * SECOND
MS = SECOND // 1000


def feed(line: Timeline, rate: int, seconds: float, delay: object, first: int = 0, drift: float = 0.0) -> int:
    """Frames every 20 ms; ``delay()`` ns each. Returns the last RTP time."""
    time = first
    for number in range(round(seconds * 50)):
        time = first + number * rate // 50
        sent = START + round(number * SECOND / 50 * (1 + drift))
        line.arrived(time, sent + delay())  # type: ignore[operator]
    return time


def test_the_earliest_packet_tells() -> None:
    dice = random.Random(1)
    line = Timeline(48000, SenderClock())
    last = feed(line, 48000, 5, lambda: dice.randrange(2 * MS, 80 * MS))
    assert line.place(last) == pytest.approx(START + 4.98 * SECOND + 2 * MS, abs=2 * MS)


def test_a_slow_clock_is_followed() -> None:
    line = Timeline(90000, SenderClock())
    last = feed(line, 90000, 300, lambda: 5 * MS, drift=200e-6)  # 60 ms in 5 minutes
    # The window's minimum is up to 20 s old.
    assert line.place(last) == pytest.approx(START + 299.98 * 1.0002 * SECOND + 5 * MS, abs=5 * MS)


def test_tracks_of_one_sender_stand_as_its_reports_say() -> None:
    peer = SenderClock()
    sound, picture = Timeline(48000, peer), Timeline(90000, peer)
    feed(sound, 48000, 2, lambda: 4 * MS, first=1000)
    feed(picture, 90000, 2, lambda: 150 * MS, first=77)
    assert picture.place(77) - sound.place(1000) == pytest.approx(146 * MS, abs=MS)  # nothing better is known
    ntp = START + 3600 * SECOND  # the sender's clock is an hour ahead
    sound.report(1000 + 48000, ntp + SECOND)
    picture.report(77 + 90000, ntp + SECOND)
    assert picture.place(77) == pytest.approx(sound.place(1000), abs=MS)
    assert sound.place(1000) == pytest.approx(START + 4 * MS, abs=MS)


def test_a_report_before_the_first_packet_is_kept() -> None:
    peer = SenderClock()
    line = Timeline(48000, peer)
    line.report(48000, START + SECOND)
    assert not line.known
    feed(line, 48000, 1, lambda: 3 * MS)
    assert line.place(0) == pytest.approx(START + 3 * MS, abs=MS)
    assert peer.offset.value == pytest.approx(3 * MS, abs=MS)


def test_a_report_that_lies_moves_nothing() -> None:
    peer = SenderClock()
    sound, picture = Timeline(48000, peer), Timeline(90000, peer)
    feed(sound, 48000, 2, lambda: 4 * MS)
    feed(picture, 90000, 2, lambda: 4 * MS)
    sound.report(48000, START + SECOND)
    picture.report(90000, START - 5000 * SECOND)
    assert picture.place(0) == pytest.approx(START + 4 * MS, abs=MS)


@pytest.mark.parametrize("ahead", [3600 * SECOND, -7200 * SECOND])
def test_a_clock_that_is_hours_off_on_one_track_only_moves_nothing(ahead: int) -> None:
    """In either direction: the tracks then stand as they came."""
    peer = SenderClock()
    sound, picture = Timeline(48000, peer), Timeline(90000, peer)
    for second in range(12):
        for line, rate, ntp in ((sound, 48000, START), (picture, 90000, START + ahead)):
            for number in range(50):
                line.arrived(second * rate + number * rate // 50, START + second * SECOND + number * SECOND // 50 + 4 * MS)
            line.report(second * rate, ntp + second * SECOND)
        for line, rate in ((sound, 48000), (picture, 90000)):
            assert line.place(second * rate) == pytest.approx(START + second * SECOND + 4 * MS, abs=MS)


def test_reports_that_tremble_are_averaged() -> None:
    """A busy sender notes its time up to 20 ms late or early. Nothing jumps by as much, or a new file would begin."""
    dice = random.Random(5)
    peer = SenderClock()
    sound, picture = Timeline(48000, peer), Timeline(90000, peer)
    places: list[int] = []
    for second in range(120):
        for line, rate, delay in ((sound, 48000, 4 * MS), (picture, 90000, 60 * MS)):
            for number in range(50):
                line.arrived(second * rate + number * rate // 50, START + second * SECOND + number * SECOND // 50 + delay)
        picture.report(second * 90000 & 0xFFFFFFFF, 7 * START + second * SECOND)
        if second % 5 == 0:
            sound.report(second * 48000, 7 * START + second * SECOND + dice.randrange(-20 * MS, 21 * MS))
        if second >= 30:
            places.append(sound.place(0))
            assert abs(sound.place(second * 48000) - picture.place(second * 90000)) <= 12 * MS
    assert max(places) - min(places) <= 20 * MS


def test_a_sender_that_sets_its_clock_is_followed() -> None:
    peer = SenderClock()
    line = Timeline(48000, peer)
    feed(line, 48000, 2, lambda: 4 * MS)
    line.report(0, START)
    line.report(48000, START + SECOND + 40 * SECOND)
    assert line.place(48000) == pytest.approx(START + SECOND + 4 * MS, abs=MS)


def test_a_jump_is_seen() -> None:
    line = Timeline(48000, SenderClock())
    assert not line.jumped(5, START, SECOND)
    last = feed(line, 48000, 1, lambda: 0)
    at = START + SECOND - SECOND // 50
    assert not line.jumped(last + 960, at + SECOND // 50, SECOND)
    assert line.jumped(last + 960, at + 2 * SECOND, SECOND)
    assert line.jumped(last - 10 * 48000, at, SECOND)
    line.restart()
    assert not line.known
