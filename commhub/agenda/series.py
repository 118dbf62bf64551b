"""When a scheduled consultation takes place: once, or daily, weekly on days, monthly. No I/O, no clock.

Times are UTC ns. Days and weeks are China's: UTC+8 all year, so 09:00 stays 09:00 and a week has no hour more or less. The words
are those of RFC 5545 (FREQ, INTERVAL, BYDAY, COUNT, UNTIL); a month without the day of the first is passed over, as it says.
"""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

NS = 1_000_000_000
CHINA = timezone(timedelta(hours=8), "CST")
Frequency = Literal["once", "daily", "weekly", "monthly"]
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LIMIT = 2000  # occurrences that are looked through


@dataclass(frozen=True, slots=True)
class Rule:
    """``days`` of a weekly one, 0 is Monday; none is the day of the first. ``count`` and ``until`` (UTC ns): 0 is without end."""

    frequency: Frequency = "once"
    interval: int = 1
    days: tuple[int, ...] = ()
    count: int = 0
    until: int = 0


def local(at: int) -> datetime:
    return datetime.fromtimestamp(at // NS, UTC).astimezone(CHINA)


def starts(first: int, rule: Rule) -> Iterator[int]:
    """All starts in order, the first included; at most ``LIMIT``."""
    for at in itertools.islice(_endless(first, rule), min(rule.count or LIMIT, LIMIT)):
        if rule.until and at > rule.until:
            return
        yield at


def between(first: int, rule: Rule, after: int, before: int) -> list[int]:
    """Starts in ``after <= start < before``."""
    found = []
    for at in starts(first, rule):
        if at >= before:
            break
        if at >= after:
            found.append(at)
    return found


def has(first: int, rule: Rule, at: int) -> bool:
    """Is there an occurrence at this very moment?"""
    return bool(between(first, rule, at, at + 1))


def overlaps(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Do two (start, end) share a moment?"""
    return one[0] < other[1] and other[0] < one[1]


def _endless(first: int, rule: Rule) -> Iterator[int]:
    begin = local(first)
    match rule.frequency:
        case "once":
            yield first
        case "daily":
            for number in range(0, LIMIT * rule.interval, rule.interval):
                yield first + number * 86_400 * NS
        case "weekly":
            days = sorted(set(rule.days)) or [begin.weekday()]
            monday = begin.date() - timedelta(days=begin.weekday())
            for week in range(0, LIMIT * rule.interval, rule.interval):
                for day in days:
                    at = _on(first, begin, monday + timedelta(weeks=week, days=day))
                    if at >= first:
                        yield at
        case "monthly":
            for number in range(0, LIMIT * rule.interval, rule.interval):
                year, month = divmod(begin.year * 12 + begin.month - 1 + number, 12)
                if begin.day <= calendar.monthrange(year, month + 1)[1]:
                    yield _on(first, begin, date(year, month + 1, begin.day))


def _on(first: int, begin: datetime, day: date) -> int:
    return first + (day - begin.date()).days * 86_400 * NS


def rrule(rule: Rule) -> str:
    """As iCalendar says it (RFC 5545 §3.3.10); '' for what takes place once."""
    if rule.frequency == "once":
        return ""
    parts = [f"FREQ={rule.frequency.upper()}"]
    if rule.interval > 1:
        parts.append(f"INTERVAL={rule.interval}")
    if rule.frequency == "weekly" and rule.days:
        parts.append("BYDAY=" + ",".join(DAYS[day] for day in sorted(set(rule.days))))
    if rule.count:
        parts.append(f"COUNT={rule.count}")
    if rule.until:
        parts.append(f"UNTIL={datetime.fromtimestamp(rule.until // NS, UTC):%Y%m%dT%H%M%SZ}")
    return ";".join(parts)
