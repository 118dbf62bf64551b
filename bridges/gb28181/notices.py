"""What devices tell without being asked: alarms, positions and faults (GB/T 28181-2022, A.2.5). No I/O, no clock."""

from __future__ import annotations

import re

from bridges.gb28181 import codes, positions, times
from bridges.gb28181.manscdp import Document, decimal, number
from bridges.gb28181.xml import Element
from commhub.media.messages import AlarmRaised, PicturesBrought, Position

POSITIONS_LIMIT = 1000  # of one message
PICTURES_LIMIT = 10  # of one session (A.2.3.2.12)
FAULTS_LIMIT = 1000  # of one device


def alarm(document: Document, device: str, *, gcj02: bool = False) -> AlarmRaised:
    """Priority and method that are not said are the least grave and "other"."""
    element = document.element
    info = element.find("Info") or element
    priority = number(element.get("AlarmPriority")) or 4
    method = re.match(r"\s*([0-9]{1,2})", element.get("AlarmMethod"))
    kind = number(info.get("AlarmType")) or number(element.get("AlarmType")) or 0
    place = _place(element, gcj02)
    return AlarmRaised(
        device=device,
        channel=document.device if codes.is_code(document.device) else device,
        priority=min(max(priority, 1), 4),
        method=int(method[1]) if method else 7,
        kind=min(kind, 0xFFFF),
        at=times.parse(element.get("AlarmTime")),
        description=element.get("AlarmDescription")[:512],
        longitude=place[0] if place else None,
        latitude=place[1] if place else None,
    )


def faulty(document: Document) -> tuple[str, ...]:
    """What a Keepalive says does not work: codes of channels or devices, in order."""
    info = document.element.find("Info")
    said = [one.text.strip() for one in info.all("DeviceID")] if info is not None else []
    return tuple(sorted({code for code in said[:FAULTS_LIMIT] if codes.is_code(code)}))


def pictures(document: Document, device: str) -> PicturesBrought:
    """Of UploadSnapShotFinished (§9.14)."""
    listed = document.element.find("SnapShotList")
    names = [one.text.strip()[:64] for one in listed.children if one.name.lower() == "snapshotfileid"] if listed else []
    channel = document.device if codes.is_code(document.device) else device
    session = document.get("SessionID").strip()[:128]
    return PicturesBrought(device, channel, session, [one for one in names if one][:PICTURES_LIMIT])


def found_positions(document: Document, device: str, *, gcj02: bool = False) -> list[Position]:
    """The one of 2016, flat in the document, or the list of 2022. Those that are no place are left out."""
    entries = document.items()[:POSITIONS_LIMIT] or [document.element]
    said = [_position(one, document, device, gcj02) for one in entries]
    return [one for one in said if one is not None]


def _position(element: Element, document: Document, device: str, gcj02: bool) -> Position | None:
    place = _place(element, gcj02)
    if place is None:
        return None
    code = element.get("DeviceID").strip() or document.device
    return Position(
        device=device,
        channel=code if codes.is_code(code) else device,
        longitude=place[0],
        latitude=place[1],
        at=times.parse(element.get("CaptureTime") or element.get("Time") or document.get("Time")),
        speed=decimal(element.get("Speed")),
        direction=decimal(element.get("Direction")),
        altitude=decimal(element.get("Altitude")),
    )


def _place(element: Element, gcj02: bool) -> tuple[float, float] | None:
    return positions.place(decimal(element.get("Longitude")), decimal(element.get("Latitude")), gcj02=gcj02)
