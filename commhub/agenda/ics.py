"""A scheduled consultation as iCalendar (RFC 5545): a file that calendars take in. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from commhub.agenda.series import NS, Rule, local, rrule

TYPE = "text/calendar"
_ZONE = (
    "BEGIN:VTIMEZONE", "TZID:Asia/Shanghai", "BEGIN:STANDARD", "DTSTART:19910915T000000", "TZOFFSETFROM:+0800",
    "TZOFFSETTO:+0800", "TZNAME:CST", "END:STANDARD", "END:VTIMEZONE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moved:
    """One of a series takes place at another time, or not at all. UTC ns."""

    at: int
    start: int
    end: int
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """``url`` leads to it; times are UTC ns."""

    uid: str
    title: str
    notes: str
    url: str
    organiser: str
    start: int
    end: int
    rule: Rule
    revision: int
    changed: int
    cancelled: bool = False
    exceptions: tuple[Moved, ...] = ()


def calendar(entries: Iterable[Entry]) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//CommHub//agenda//ZH", "CALSCALE:GREGORIAN", "METHOD:PUBLISH", *_ZONE]
    for one in entries:
        lines += _event(one, one.start, one.end, one.cancelled, rule=rrule(one.rule), off=_off(one))
        for moved in one.exceptions:
            if not moved.cancelled:
                lines += _event(one, moved.start, moved.end, False, of=moved.at)
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) for line in lines).encode()


def _off(one: Entry) -> list[str]:
    return [_here(moved.at) for moved in one.exceptions if moved.cancelled]


def _event(
    one: Entry, start: int, end: int, cancelled: bool, *, rule: str = "", off: Iterable[str] = (), of: int = 0
) -> list[str]:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{one.uid}",
        f"DTSTAMP:{datetime.fromtimestamp(one.changed // NS, UTC):%Y%m%dT%H%M%SZ}",
        f"SEQUENCE:{one.revision}",
        f"DTSTART;TZID=Asia/Shanghai:{_here(start)}",
        f"DTEND;TZID=Asia/Shanghai:{_here(end)}",
        f"SUMMARY:{_text(one.title)}",
        f"STATUS:{'CANCELLED' if cancelled else 'CONFIRMED'}",
    ]
    if of:
        lines.append(f"RECURRENCE-ID;TZID=Asia/Shanghai:{_here(of)}")
    if rule:
        lines.append(f"RRULE:{rule}")
    lines += [f"EXDATE;TZID=Asia/Shanghai:{at}" for at in off]
    if one.notes:
        lines.append(f"DESCRIPTION:{_text(one.notes)}")
    if one.url:
        lines.append(f"URL:{one.url}")
    lines += [f"CONTACT:{_text(one.organiser)}", "BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{_text(one.title)}"]
    return [*lines, "TRIGGER:-PT15M", "END:VALARM", "END:VEVENT"]


def _here(at: int) -> str:
    return f"{local(at):%Y%m%dT%H%M%S}"


def _text(text: str) -> str:
    """§3.3.11."""
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\\n"), ("\n", "\\n"), ("\r", "\\n")):
        text = text.replace(plain, escaped)
    return text


def _folded(line: str) -> str:
    """At most 75 octets a line, no character torn apart (§3.1)."""
    out, size = [], 0
    for character in line:
        octets = len(character.encode())
        if size + octets > 75:
            out.append("\r\n ")
            size = 1
        out.append(character)
        size += octets
    return "".join(out) + "\r\n"
