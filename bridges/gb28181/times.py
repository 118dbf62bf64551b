"""Times in MANSCDP: local time of Beijing without a zone, which has had no summer time since 1991. No I/O, no clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

SECOND = 1_000_000_000
_BEIJING = timezone(timedelta(hours=8))
_TIME = re.compile(
    r"\s*([0-9]{4})-?([0-9]{1,2})-?([0-9]{1,2})[T ]\s*([0-9]{1,2}):?([0-9]{1,2})(?::?([0-9]{1,2}))?(?:\.([0-9]{1,9}))?\s*"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?\s*",
    re.IGNORECASE,
)


def parse(text: str) -> int:
    """UTC ns; 0 for what is no time."""
    found = _TIME.fullmatch(text)
    if found is None:
        return 0
    zone = found[8] or ""
    try:
        where = _BEIJING if not zone else UTC if zone.upper() == "Z" else _zone(zone)
        at = datetime(*(int(found[index] or 0) for index in range(1, 7)), tzinfo=where)  # type: ignore[misc, arg-type]
        whole = int(at.timestamp())
    except (ValueError, OverflowError):
        return 0
    return whole * SECOND + int((found[7] or "0").ljust(9, "0")) if whole > 0 else 0


def _zone(text: str) -> timezone:
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def write(at: int, *, fraction: bool = False) -> str:
    """``2026-11-22T16:00:00``, with ``.000`` as in the Date header (9.10). ValueError for what no calendar has."""
    try:
        made = datetime.fromtimestamp(at // SECOND, _BEIJING)
    except (ValueError, OverflowError, OSError):
        raise ValueError("A time is not one of a calendar.") from None
    return made.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at % SECOND // 1_000_000:03}" if fraction else "")
