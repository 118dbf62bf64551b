"""A download as people have it: its row, and what the bridge has told since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import sqlalchemy as sa

from commhub.media.messages import DownloadState
from commhub.model import iso
from commhub.views import Member, Reason, Time, View

OPEN = ("waiting", "connecting", "receiving")


@dataclass(frozen=True, slots=True)
class Bounds:
    """``at_once`` are fetched at a time, one of each device. ``limit`` octets of one, ``total`` of all; ``free`` are left on the
    disk. ``speed`` is asked of devices."""

    at_once: int = 4
    speed: int = 4
    keep: timedelta = timedelta(days=7)
    longest: timedelta = timedelta(hours=24)
    limit: int = 16 << 30
    total: int = 200 << 30
    free: int = 2 << 30


class DownloadView(View):
    """``seconds`` of film are here; ``received`` of ``size`` octets came (0: the device does not say how many there are),
    ``pictures`` are kept, ``lost`` times something was missing on the way. ``url`` is the file, an MP4 of ``bytes`` octets; a
    download that has failed may have one, too. It is kept until ``until``."""

    id: str
    camera_id: str
    camera_name: str
    start: Time
    end: Time
    state: Literal["waiting", "connecting", "receiving", "done", "failed"]
    percent: float
    seconds: float
    received: int
    size: int
    pictures: int
    lost: int
    bytes: int
    url: str | None
    sha256: str | None
    reason: Reason | None
    by: Member
    at: Time
    until: Time | None


def percent_of(row: Any) -> float:
    """By octets where the device says how many there are, else by the time that is kept."""
    if row.state == "done":
        return 100.0
    span = (row.last or row.until) - (row.first or row.begin)
    part = row.received / row.size if row.size else row.seconds / max(span, 1)
    return round(min(99.0, max(0.0, float(part) * 100)), 1)


@dataclass(frozen=True, slots=True)
class _Now:
    """A row with what the bridge has told since."""

    state: str
    seconds: float
    received: int
    size: int
    begin: int
    until: int
    first: int
    last: int


def shown(row: sa.Row[Any], newest: DownloadState | None, bounds: Bounds, english: bool) -> DownloadView:
    now = _Now(row.state, row.seconds, row.received, row.size, row.begin, row.until, row.first, row.last)
    if newest is not None and row.state in OPEN and newest.state in OPEN:
        now = _Now(newest.state, newest.seconds, newest.octets, newest.size, row.begin, row.until, row.first, row.last)
    kept = iso(row.over_at + int(bounds.keep.total_seconds() * 1e9)) if row.over_at else None
    return DownloadView.model_validate({
        "id": row.id, "camera_id": row.camera_id, "camera_name": row.name, "start": iso(row.begin * 10**9),
        "end": iso(row.until * 10**9), "state": now.state, "percent": percent_of(now), "seconds": now.seconds,
        "received": now.received, "size": now.size, "pictures": row.pictures, "lost": row.lost, "bytes": row.bytes,
        "url": f"/api/v1/downloads/{row.id}/file" if row.bytes else None, "sha256": row.sha256 or None,
        "reason": Reason(code=row.code, text=row.text if english else row.text_zh) if row.code else None,
        "by": Member(id=row.person_id, name=row.person_name, org_name=row.person_org), "at": iso(row.made_at), "until": kept,
    })  # fmt: skip
