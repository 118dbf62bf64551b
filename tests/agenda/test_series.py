"""When scheduled consultations take place, and how calendars are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.agenda import series
from commhub.agenda.ics import Entry, Moved, calendar
from commhub.agenda.series import CHINA, NS, Rule

DAY = 86_400 * NS


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp()) * NS


def shown(first: str, rule: Rule, number: int = 5) -> list[str]:
    found = []
    for start in series.starts(at(first), rule):
        found.append(f"{series.local(start):%m-%d %a %H:%M}")
        if len(found) == number:
            break
    return found


@pytest.mark.parametrize(
    ("first", "rule", "starts"),
    [
        ("2026-11-23 09:00", Rule(), ["11-23 Mon 09:00"]),
        ("2026-11-23 09:00", Rule("daily", 2, count=3), ["11-23 Mon 09:00", "11-25 Wed 09:00", "11-27 Fri 09:00"]),
        # Early in the morning the day of China is not the day of UTC.
        ("2026-11-25 07:30", Rule("weekly", days=(0, 2)), ["11-25 Wed 07:30", "11-30 Mon 07:30", "12-02 Wed 07:30"]),
        ("2026-11-27 18:00", Rule("weekly", 2), ["11-27 Fri 18:00", "12-11 Fri 18:00", "12-25 Fri 18:00"]),
        ("2026-12-31 10:00", Rule("monthly"), ["12-31 Thu 10:00", "01-31 Sun 10:00", "03-31 Wed 10:00"]),
        ("2026-11-23 09:00", Rule("daily", until=at("2026-11-24 09:00")), ["11-23 Mon 09:00", "11-24 Tue 09:00"]),
    ],
)
def test_starts(first: str, rule: Rule, starts: list[str]) -> None:
    assert shown(first, rule, max(3, len(starts)))[: len(starts)] == starts
    if rule.count or rule.until or rule.frequency == "once":
        assert shown(first, rule, 9) == starts


@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(["daily", "weekly", "monthly"]),
    st.integers(1, 4),
    st.sets(st.integers(0, 6), max_size=7),
)
def test_starts_grow_and_keep_the_time_of_day(first: int, frequency: series.Frequency, interval: int, days: set[int]) -> None:
    rule = Rule(frequency, interval, tuple(days), count=12)
    found = list(series.starts(first * NS, rule))
    assert found == sorted(set(found))
    assert {start % DAY for start in found} == {first * NS % DAY}
    for start in found:
        assert series.has(first * NS, rule, start)
        assert not series.has(first * NS, rule, start + 1)
        if frequency == "weekly" and days:
            assert series.local(start).weekday() in days


def test_between_is_half_open() -> None:
    first = at("2026-11-23 09:00")
    rule = Rule("daily")
    assert series.between(first, rule, first + DAY, first + 3 * DAY) == [first + DAY, first + 2 * DAY]


def test_meetings_that_touch_do_not_overlap() -> None:
    assert not series.overlaps((0, 10), (10, 20))
    assert series.overlaps((0, 11), (10, 20))
    assert series.overlaps((0, 30), (10, 20))


def test_a_calendar() -> None:
    first = at("2026-11-25 09:00")
    rule = Rule("weekly", 2, (0, 2), until=at("2027-01-01 00:00"))
    moved = Moved(first + 5 * DAY, first + 6 * DAY, first + 6 * DAY + 3600 * NS, False)
    gone = Moved(first + 14 * DAY, 0, 0, True)
    one = Entry(
        "01K@hub", "防汛会商；水位, 雨情", "一\n二;三", "https://hub/agenda", "周明远", first, first + 3600 * NS, rule, 4, first,
        exceptions=(moved, gone),
    )  # fmt: skip
    data = calendar([one])
    assert max(len(line) for line in data.split(b"\r\n")) <= 75
    text = data.decode().replace("\r\n ", "")
    lines = text.split("\r\n")
    assert lines.count("BEGIN:VEVENT") == lines.count("END:VEVENT") == 2
    for line in (
        "DTSTART;TZID=Asia/Shanghai:20261125T090000",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;UNTIL=20261231T160000Z",
        "EXDATE;TZID=Asia/Shanghai:20261209T090000",
        "RECURRENCE-ID;TZID=Asia/Shanghai:20261130T090000",
        "SUMMARY:防汛会商；水位\\, 雨情",
        "DESCRIPTION:一\\n二\\;三",
        "SEQUENCE:4",
    ):
        assert line in lines, line


def test_the_day_is_chinas() -> None:
    start = int(datetime(2026, 11, 24, 23, 30, tzinfo=UTC).timestamp()) * NS
    assert series.local(start).weekday() == 2
    assert series.local(start).utcoffset() == timedelta(hours=8)
