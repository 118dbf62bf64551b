"""A device's catalogue: what an entry says, and the run of messages that brings all of them (GB/T 28181-2022, 9.5, A.2.1, J).
No I/O, no clock.

A run never claims to be complete unless what came is exactly what was announced: from a run that lost a page nothing may be
concluded about what is missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from bridges.gb28181 import codes, positions
from bridges.gb28181.manscdp import Document, decimal, number
from bridges.gb28181.xml import Element
from commhub.media.messages import Channel

CHANNELS_LIMIT, ENTRIES_LIMIT = 200_000, 400_000  # of one device, and with those that come twice
MOST_SECONDS = 3600.0  # of a run, whatever goes on coming
SILENCE_SECONDS = 5.0  # after a page; then the run is over
FIRST_SECONDS = 30.0  # until the first page: large platforms collect it first
AFTER_SECONDS = 1.0  # after the announced number has come: some announce the page instead of the whole
BATCH, BATCH_SECONDS = 500, 0.25  # channels that go to the hub at once, and how long the first of them waits
MORE_LIMIT, TEXT_LIMIT = 48, 256

# What has a field of its own in Channel, or is nobody's business.
_TAKEN = {
    "deviceid", "name", "parentid", "civilcode", "businessgroupid", "manufacturer", "model", "address", "status", "ptztype",
    "longitude", "latitude", "streamnumberlist", "event", "password",
}  # fmt: skip
_OFF = {"OFF", "OFFLINE", "0", "FALSE", "ERROR", "VLOST", "DEFECT"}
_EVENTS = ("ON", "OFF", "VLOST", "DEFECT", "ADD", "DEL", "UPDATE")
_NOT_DIGITS = re.compile(r"\s+")


def channel(item: Element, *, us: str = "", gcj02: bool = False) -> Channel | None:
    """None for an entry without a code that can be one. ``us``: our own code, which devices name as the parent of everything."""
    code = _NOT_DIGITS.sub("", item.get("DeviceID"))
    if not codes.is_code(code):
        return None
    info = item.find("Info")
    rest = {one.name: one.text for one in (*item.children, *(info.children if info is not None else ())) if not one.children}
    low = {name.lower(): value for name, value in reversed(rest.items())}
    event = low.get("event", "").strip().upper()
    online = low.get("status", "").strip().upper() not in _OFF
    if event:
        online = event not in ("OFF", "VLOST", "DEFECT", "DEL") if event not in ("ADD", "UPDATE") else online
    place = positions.place(decimal(low.get("longitude", "")), decimal(low.get("latitude", "")), gcj02=gcj02)
    return Channel(
        channel=code,
        name=_text(low.get("name", "")),
        kind=codes.kind(code),
        parents=_parents(low.get("parentid", ""), {code, us}),
        group=_code(low.get("businessgroupid", "")),
        region=_code(low.get("civilcode", "")),
        manufacturer=_text(low.get("manufacturer", "")),
        model=_text(low.get("model", "")),
        address=_text(low.get("address", "")),
        online=online,
        ptz=min(number(low.get("ptztype", "")) or 0, 255),
        longitude=place[0] if place else None,
        latitude=place[1] if place else None,
        streams=len({one for one in re.split(r"[/,]", low.get("streamnumberlist", "")) if one.strip().isdigit()}),
        event=event if event in _EVENTS else "",
        more=_more(rest),
    )


def _text(text: str) -> str:
    return text.strip()[:TEXT_LIMIT]


def _code(text: str) -> str:
    text = text.strip()
    return text if codes.is_code(text) else ""


def _parents(text: str, not_these: Iterable[str]) -> list[str]:
    found = [one for part in text.split("/") if codes.is_code(one := part.strip()) and one not in not_these]
    return list(dict.fromkeys(found))[:8]


def _more(rest: dict[str, str]) -> dict[str, str]:
    said = [(name[:64], _text(value)) for name, value in rest.items() if value and name.lower() not in _TAKEN]
    return dict(said[:MORE_LIMIT])


@dataclass(slots=True)
class Part:
    """What is to be told now; ``last`` with the run's verdict."""

    channels: list[Channel]
    received: int
    total: int
    last: bool = False
    complete: bool = False
    told: int = 0  # channels of this run so far, with these


@dataclass(slots=True)
class Run:
    """The pages of one query, or of none (``asked`` False: a device sends its catalogue because it likes to)."""

    number: int
    sn: int
    began: float
    asked: bool = True
    total: int = 0
    received: int = 0  # entries, those that came twice included
    refused: int = 0  # entries that are none, or too many
    started: bool = False
    _seen: set[str] = field(default_factory=set)
    _pages: set[bytes] = field(default_factory=set)
    _waiting: list[Channel] = field(default_factory=list)
    _waiting_since: float = 0.0
    _told: int = 0
    _heard_at: float = 0.0
    _lied: bool = False  # its total changed, or was overtaken

    def take(self, document: Document, now: float, *, us: str = "", gcj02: bool = False) -> list[Part]:
        """A page. The same page again, in whatever message, counts once; so does the empty one that some add at the end."""
        items = [one for one in document.items() if one.find("DeviceID") is not None]
        total = document.total
        first, self.started, self._heard_at = not self.started, True, now
        if total is not None and (items or first):
            self._lied |= not first and total != self.total
            self.total = total
        if self.received >= ENTRIES_LIMIT:
            self.refused += len(items)
            return []
        if not items or not self._new_page(items):
            return []
        if not self._waiting:
            self._waiting_since = now
        for item in items:
            self.received += 1
            made = channel(item, us=us, gcj02=gcj02)
            if made is None or (len(self._seen) >= CHANNELS_LIMIT and made.channel not in self._seen):
                self.refused += 1
            elif made.channel not in self._seen:
                self._seen.add(made.channel)
                self._waiting.append(made)
        if len(self._waiting) >= BATCH or now - self._waiting_since >= BATCH_SECONDS:
            return [self._part()]
        return []

    @property
    def deadline(self) -> float:
        ends = self._ends_at()
        return min(ends, self._waiting_since + BATCH_SECONDS) if self._waiting else ends

    def tick(self, now: float) -> list[Part]:
        if now >= self._ends_at():
            return [self.end()]
        if self._waiting and now >= self._waiting_since + BATCH_SECONDS:
            return [self._part()]
        return []

    def end(self) -> Part:
        """Now: because of silence, of a new run, or because the device is gone."""
        part = self._part()
        part.last = True
        exact = self.started and not self._lied and not self.refused and self.total in (self.received, len(self._seen))
        part.complete = self.asked and exact
        return part

    def _ends_at(self) -> float:
        if not self.started:
            return self.began + FIRST_SECONDS
        silent = self._heard_at + (AFTER_SECONDS if self.received >= self.total else SILENCE_SECONDS)
        return min(silent, self.began + MOST_SECONDS)

    def _part(self) -> Part:
        told, self._waiting = self._waiting, []
        self._told += len(told)
        return Part(told, self.received, self.total, told=self._told)

    def _new_page(self, items: list[Element]) -> bool:
        text = "\0".join(f"{item.get('DeviceID')}\1{item.get('Name')}" for item in items)
        page = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if page in self._pages:
            return False
        self._pages.add(page)
        return True
